//! Tenants over HTTP: who there is, which devices are registered, how carriers are, which numbers
//! lead where; and reading the configuration again.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use protocol::sdp::Codec;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::access::{Access, Bearer, Operator};
use super::problem::{Particular, Problem};
use super::scripts::blocking;
use crate::config::Tenant;
use crate::metrics::OfCoder;
use crate::shards::{TrunkState, UserState};

/// A list of tenants.
#[derive(Serialize, ToSchema)]
pub(super) struct TenantList {
    /// In the order of the configuration.
    tenants: Vec<TenantView>,
}

/// A tenant.
#[derive(Serialize, ToSchema)]
pub(super) struct TenantView {
    /// The name.
    name: String,
    /// SIP domains.
    domains: Vec<String>,
    /// IANA name.
    timezone: String,
    /// BCP 47.
    language: String,
    /// How many there are.
    users: usize,
    /// How many there are.
    numbers: usize,
}

/// A list of users.
#[derive(Serialize, ToSchema)]
pub(super) struct UserList {
    /// In the order of the configuration.
    users: Vec<UserState>,
}

/// A list of trunks.
#[derive(Serialize, ToSchema)]
pub(super) struct TrunkList {
    /// In the order they are tried.
    trunks: Vec<TrunkState>,
}

/// A list of numbers.
#[derive(Serialize, ToSchema)]
pub(super) struct NumberList {
    /// In the order of the configuration.
    numbers: Vec<NumberView>,
}

/// A number, and what takes its calls.
#[derive(Serialize, ToSchema)]
pub(super) struct NumberView {
    /// E.164 with "+", or a short one.
    number: String,
    /// The script's name.
    script: String,
    /// The advertising source.
    source: Option<String>,
    /// "user:ana", "tel:+359888000101", "voicemail:office".
    fallback: Vec<String>,
}

/// All tenants for the operator, one's own for a tenant's token.
#[utoipa::path(get, path = "/v1/tenants", tag = "tenants", responses((status = 200, body = TenantList)))]
pub(super) async fn list(State(api): State<Api>, bearer: Bearer) -> Json<TenantList> {
    let tenants = match bearer {
        Bearer::Operator => api.node.world().tenants.iter().map(|t| view(t)).collect(),
        Bearer::Tenant(tenant, ..) => vec![view(&tenant)],
    };
    Json(TenantList { tenants })
}

/// Users: what they are doing, and the devices that are registered.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/users", tag = "tenants",
    params(("tenant" = String, Path)), responses((status = 200, body = UserList)))]
pub(super) async fn users(State(api): State<Api>, access: Access) -> Result<Json<UserList>, Problem> {
    Ok(Json(UserList { users: api.shards()?.users(&access.tenant.name).await }))
}

/// Trunks: whether calls go there, and how many are on each.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/trunks", tag = "tenants",
    params(("tenant" = String, Path)), responses((status = 200, body = TrunkList)))]
pub(super) async fn trunks(State(api): State<Api>, access: Access) -> Result<Json<TrunkList>, Problem> {
    Ok(Json(TrunkList { trunks: api.shards()?.trunks(&access.tenant.name).await }))
}

/// Numbers, and what takes their calls.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/numbers", tag = "tenants",
    params(("tenant" = String, Path)), responses((status = 200, body = NumberList)))]
pub(super) async fn numbers(access: Access) -> Json<NumberList> {
    let numbers = access.tenant.numbers.iter().map(|number| NumberView {
        number: number.number.clone(),
        script: number.script.clone(),
        source: number.source.clone(),
        fallback: number.fallback.iter().map(ToString::to_string).collect(),
    });
    Json(NumberList { numbers: numbers.collect() })
}

/// Reads the configuration again: all or nothing.
#[utoipa::path(post, path = "/v1/reload", tag = "node",
    responses((status = 204), (status = 422, description = "names each mistake by file and line", body = Problem)))]
pub(super) async fn reload(State(api): State<Api>, _operator: Operator) -> Result<StatusCode, Problem> {
    let node = api.node.clone();
    blocking(move || node.reload()).await?.map_err(|mistakes| {
        let particular = |m: crate::config::Mistake| Particular {
            place: format!("{}:{}", m.file.display(), m.line),
            what: m.what,
        };
        let problems = mistakes.0.into_iter().map(particular).collect();
        let detail = "the configuration has mistakes; the one before goes on";
        Problem { problems, ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
    })?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is counted, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "node",
    responses((status = 200, content_type = "application/openmetrics-text")))]
pub(super) async fn metrics(State(api): State<Api>, _operator: Operator) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let metrics = &api.node.metrics;
    metrics.sandboxes.set(api.node.scripts.sandboxes.alive().into());
    for codec in Codec::ALL {
        let (encoders, decoders) = media::coders(codec);
        for (what, count) in [("encoder", encoders), ("decoder", decoders)] {
            metrics.coders.get_or_create(&OfCoder { codec: codec.name(), what }).set(count as i64);
        }
    }
    ([(header::CONTENT_TYPE, kind)], metrics.render()).into_response()
}

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "node", responses((status = 200)))]
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The exchange takes calls.
#[utoipa::path(get, path = "/readyz", tag = "node", responses((status = 200), (status = 503, body = Problem)))]
pub(super) async fn readyz(State(api): State<Api>) -> Result<&'static str, Problem> {
    if api.node.is_draining() {
        return Err(Problem::unavailable("the exchange is stopping"));
    }
    if api.shards()?.ready() { Ok("ready\n") } else { Err(Problem::unavailable("the exchange is starting")) }
}

fn view(tenant: &Tenant) -> TenantView {
    TenantView {
        name: tenant.name.to_string(),
        domains: tenant.domains.clone(),
        timezone: tenant.timezone.iana_name().unwrap_or("UTC").to_owned(),
        language: tenant.language.clone(),
        users: tenant.users.len(),
        numbers: tenant.numbers.len(),
    }
}
