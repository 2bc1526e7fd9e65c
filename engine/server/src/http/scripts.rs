//! Scripts over HTTP: load, list, activate, go back, read their logs.

use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Access;
use super::problem::{Particular, Problem};
use super::views::time;
use super::{Api, streams};
use crate::config::{Role, is_name};
use crate::node::log_row;
use crate::scripts::Described;

/// Log lines answered at once.
const RECENT: usize = 200;

#[derive(Deserialize, IntoParams)]
pub(super) struct PutScript {
    /// Whether new calls go to it at once; true unless said otherwise.
    activate: Option<bool>,
}

/// A version that was loaded.
#[derive(Serialize, ToSchema)]
pub(super) struct Loaded {
    /// SHA-256 of the component, hex.
    version: String,
    /// What it asks of the engine.
    imports: Vec<String>,
    /// What it offers.
    exports: Vec<String>,
    /// It takes new calls.
    active: bool,
}

/// A script and its versions.
#[derive(Serialize, ToSchema)]
pub(super) struct ScriptView {
    /// The name.
    name: String,
    /// The active version.
    active: String,
    /// The version that was active before it, to go back to.
    previous: Option<String>,
    /// When the active version became so (RFC 3339).
    since: String,
    /// Oldest first.
    versions: Vec<VersionView>,
}

/// A version, and how its calls fare since the engine started.
#[derive(Serialize, ToSchema)]
pub(super) struct VersionView {
    /// SHA-256 of the component, hex.
    version: String,
    /// It takes new calls.
    active: bool,
    /// Bytes of the component.
    size: usize,
    /// When it was loaded (RFC 3339).
    uploaded: String,
    /// Runs going on now.
    running: u64,
    /// Runs that began.
    calls: u64,
    /// Runs that failed or were stopped.
    failures: u64,
    /// Half of the runs took no more CPU: seconds.
    decision_p50: f64,
    /// 99 of 100 took no more CPU: seconds.
    decision_p99: f64,
}

/// A list of scripts.
#[derive(Serialize, ToSchema)]
pub(super) struct ScriptList {
    /// By name.
    scripts: Vec<ScriptView>,
}

/// Which version takes new calls from here on.
#[derive(Deserialize, ToSchema)]
pub(super) struct Activate {
    /// SHA-256 of the component, hex.
    version: String,
}

/// Loads a component as a version of a script. Durable when answered.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/scripts/{name}", tag = "scripts",
    params(("tenant" = String, Path), ("name" = String, Path), PutScript),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, body = Loaded), (status = 413, body = Problem),
        (status = 422, description = "names the import or export that does not fit", body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<PutScript>,
    body: Body,
) -> Result<Response, Problem> {
    access.may(Role::Developer)?;
    check_name(&name)?;
    let most = access.tenant.limits.script_size;
    let component = read(body, most, "the component", "script_size").await?;
    let _one = api.compiling.acquire().await.map_err(|_| Problem::unavailable("the exchange is stopping"))?;
    let (node, tenant) = (api.node.clone(), access.tenant.clone());
    let activate = query.activate.unwrap_or(true);
    let script = name.clone();
    let pushed = blocking(move || node.scripts.push(&tenant, &script, &component, activate)).await??;
    let component = pushed.version.component();
    let loaded = Loaded {
        version: component.hash().to_owned(),
        imports: component.imports().to_vec(),
        exports: component.exports().to_vec(),
        active: pushed.active,
    };
    let told = serde_json::json!({ "script": name, "version": loaded.version, "active": loaded.active });
    api.node.events.publish(&access.tenant.name, "script.loaded", told);
    if loaded.active {
        changed(&api, &access);
    }
    let location = format!("/v1/tenants/{}/scripts/{name}/versions/{}", access.tenant.name, loaded.version);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(loaded)).into_response())
}

/// All scripts of a tenant.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/scripts", tag = "scripts",
    params(("tenant" = String, Path)), responses((status = 200, body = ScriptList)))]
pub(super) async fn list(State(api): State<Api>, access: Access) -> Result<Json<ScriptList>, Problem> {
    let tenant = access.tenant;
    let node = api.node.clone();
    blocking(move || {
        let mut scripts = Vec::new();
        for name in node.scripts.names(&tenant.name) {
            if let Some(described) = node.scripts.describe(&tenant.name, &name)? {
                scripts.push(view(described, &tenant.timezone));
            }
        }
        Ok(Json(ScriptList { scripts }))
    })
    .await?
}

/// A script: its versions, the calls on each, failures, and how long a decision takes.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/scripts/{name}", tag = "scripts",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = ScriptView), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<ScriptView>, Problem> {
    let described = api.node.scripts.describe(&access.tenant.name, &name)?;
    let described = described.ok_or_else(|| no_script(&name))?;
    Ok(Json(view(described, &access.tenant.timezone)))
}

/// The component of a version, as it was loaded.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/scripts/{name}/versions/{version}", tag = "scripts",
    params(("tenant" = String, Path), ("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, content_type = "application/wasm"), (status = 404, body = Problem)))]
pub(super) async fn component(
    State(api): State<Api>,
    access: Access,
    Path((_, name, version)): Path<(String, String, String)>,
) -> Result<Response, Problem> {
    access.may(Role::Developer)?;
    let node = api.node.clone();
    let found = blocking(move || node.scripts.component(&access.tenant.name, &name, &version)).await??;
    let bytes = found.ok_or_else(|| Problem::not_found("the script has no such version"))?;
    Ok(([(header::CONTENT_TYPE, "application/wasm")], bytes).into_response())
}

/// New calls go to this version from here on; going back is the same with the older one.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/scripts/{name}/activate", tag = "scripts",
    params(("tenant" = String, Path), ("name" = String, Path)), request_body = Activate,
    responses((status = 200, body = ScriptView), (status = 404, body = Problem)))]
pub(super) async fn activate(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
    Json(wanted): Json<Activate>,
) -> Result<Json<ScriptView>, Problem> {
    access.may(Role::Developer)?;
    let (node, tenant, script) = (api.node.clone(), access.tenant.name.clone(), name.clone());
    let version = wanted.version.clone();
    blocking(move || node.scripts.activate(&tenant, &script, &version).map(drop)).await??;
    let told = serde_json::json!({ "script": name, "version": wanted.version });
    api.node.events.publish(&access.tenant.name, "script.activated", told);
    changed(&api, &access);
    let described = api.node.scripts.describe(&access.tenant.name, &name)?.ok_or_else(|| no_script(&name))?;
    Ok(Json(view(described, &access.tenant.timezone)))
}

/// Whoever waits in a queue is not to wait for a change there until a new strategy is asked.
fn changed(api: &Api, access: &Access) {
    if let Ok(shards) = api.shards() {
        shards.ask_strategies(&access.tenant.name);
    }
}

/// The last lines that a script logged; with `Accept: text/event-stream` they go on as they come.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/scripts/{name}/logs", tag = "scripts",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 200, description = "lines, or a stream of them"), (status = 404, body = Problem)))]
pub(super) async fn logs(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access.may(Role::Developer)?;
    let row = log_row(&access.tenant.name, &name);
    if !name.starts_with("strowger/") && !api.node.scripts.names(&access.tenant.name).contains(&name) {
        return Err(no_script(&name));
    }
    let zone = access.tenant.timezone.clone();
    if streams::wanted(&headers) {
        return streams::stream(&api, streams::Which::Logs, row, zone, &headers);
    }
    let page = api.node.logs.read(&row, 0, usize::MAX);
    let skip = page.events.len().saturating_sub(RECENT);
    let lines: Vec<_> = page.events.iter().skip(skip).map(|event| streams::view(event, &zone)).collect();
    Ok(Json(serde_json::json!({ "lines": lines })).into_response())
}

fn view(described: Described, zone: &TimeZone) -> ScriptView {
    let versions = described.versions.into_iter().map(|v| VersionView {
        version: v.version,
        active: v.active,
        size: v.size,
        uploaded: time(v.uploaded, zone),
        running: v.fares.running,
        calls: v.fares.calls,
        failures: v.fares.failures,
        decision_p50: v.fares.p50.as_secs_f64(),
        decision_p99: v.fares.p99.as_secs_f64(),
    });
    ScriptView {
        name: described.name,
        active: described.active,
        previous: described.previous,
        since: time(described.since, zone),
        versions: versions.collect(),
    }
}

pub(super) fn check_name(name: &str) -> Result<(), Problem> {
    if is_name(name) {
        return Ok(());
    }
    let what =
        "a name is 1 to 63 of a-z, 0-9, \"-\", \"_\" and \".\", beginning with a letter or digit".to_owned();
    let problems = vec![Particular { place: "name".to_owned(), what }];
    Err(Problem {
        problems,
        ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("\"{name}\" is no name"))
    })
}

fn no_script(name: &str) -> Problem {
    Problem::not_found(format!("there is no script \"{name}\"; load it with PUT"))
}

/// The whole body, at most as much as the tenant may send.
pub(super) async fn read(body: Body, most: u64, what: &str, limit: &str) -> Result<Bytes, Problem> {
    let most_here = usize::try_from(most).unwrap_or(usize::MAX);
    to_bytes(body, most_here).await.map_err(|_| {
        let detail = format!("{what} is larger than {most} bytes, the tenant's {limit}");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
    })
}

/// Runs what waits for the disk or the processor on a thread that may wait.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work).await.map_err(|why| {
        tracing::error!("a request failed: {why}");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "this failed inside the exchange; its log says why")
    })
}
