//! Mail that came back, over HTTP: whoever receives it says so, people see which addresses are not mailed to any more, and say
//! when one is right again. For who administers the tenant: whoever reports an address keeps its notices back.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use notices::bounce;
use notices::webhook::rfc3339;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::StoreError;
use utoipa::ToSchema;

use super::Api;
use super::access::Access;
use super::problem::Problem;
use super::scripts::blocking;
use crate::config::Role;
use crate::events::wall_millis;
use crate::post::bounces::Bounced;

/// A mail that came back may carry the whole of ours; what says why stands at its beginning.
pub(super) const MOST_MAIL: usize = 16 << 20;
/// Octets of an address (RFC 5321 §4.5.3.1).
const MOST_ADDRESS: usize = 256;

/// An address that mail came back from.
#[derive(Serialize, ToSchema)]
pub(super) struct BounceView {
    /// In small letters.
    address: String,
    /// When the last one was reported: RFC 3339.
    at: String,
    /// Status and words of the mail server.
    why: String,
}

/// All of them.
#[derive(Serialize, ToSchema)]
pub(super) struct BounceList {
    bounces: Vec<BounceView>,
}

/// What a mail service reports by itself, in place of the mail.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BounceReport {
    /// Where the mail went.
    address: String,
    /// Why it came back: "550 5.1.1 no such mailbox".
    #[serde(default)]
    why: String,
}

/// What was reported.
#[derive(Default)]
struct Noted {
    /// Addresses of recipients.
    noted: Vec<(String, Bounced)>,
    /// Addresses that nobody here is mailed at.
    strangers: Vec<String>,
}

/// Addresses that mail came back from. Nothing is mailed there: notices are dead letters at once.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/bounces", tag = "outbox", params(("tenant" = String, Path)),
    responses((status = 200, body = BounceList), (status = 403, body = Problem)))]
pub(super) async fn list(State(api): State<Api>, access: Access) -> Result<Json<BounceList>, Problem> {
    access.may(Role::Admin)?;
    let known = api.node.post.bounces.all(&access.tenant.name);
    Ok(Json(BounceList { bounces: known.into_iter().map(view).collect() }))
}

/// Mail came back: the mail itself as it arrived (`message/rfc822`, a delivery status notification of RFC 3464), or an address
/// as JSON. Of a mail that tells of a delay alone nothing comes.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/bounces", tag = "outbox", params(("tenant" = String, Path)),
    request_body(content = BounceReport),
    responses((status = 200, body = BounceList), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 413, body = Problem)))]
pub(super) async fn add(
    State(api): State<Api>,
    access: Access,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Json<BounceList>, Problem> {
    access.may(Role::Admin)?;
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let told = match kind.as_str() {
        "message/rfc822" => bounce::read(&body).map_err(|why| Problem::bad(why.to_string()))?,
        "application/json" => {
            let report: BounceReport =
                serde_json::from_slice(&body).map_err(|why| Problem::bad(format!("the body: {why}")))?;
            vec![bounce::Bounce { addresses: vec![report.address], why: bounce::short(&report.why) }]
        }
        _ => {
            let what = "write Content-Type: message/rfc822 for the mail that came back, or application/json for an address";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, what));
        }
    };
    let (node, tenant) = (api.node.clone(), access.tenant.clone());
    let noted = move || -> Result<Noted, StoreError> {
        let mut found = Noted::default();
        for bounce in told {
            let bounced = Bounced { at: wall_millis(), why: bounce.why };
            let mut ours = None;
            for address in bounce.addresses.iter().filter(|address| address.len() <= MOST_ADDRESS) {
                if node.post.bounces.note(&tenant, address, bounced.clone())? {
                    ours = Some(address.to_lowercase());
                    break;
                }
            }
            match ours {
                Some(address) => found.noted.push((address, bounced)),
                None => found.strangers.extend(bounce.addresses.into_iter().next()),
            }
        }
        Ok(found)
    };
    let Noted { noted, strangers } = blocking(noted).await??;
    for (address, bounced) in &noted {
        tracing::warn!(tenant = %access.tenant.name, address, why = bounced.why, "mail came back");
        let told = json!({ "address": address, "why": bounced.why });
        api.node.events.publish(&access.tenant.name, "outbox.bounced", told);
    }
    match strangers.first() {
        Some(address) if noted.is_empty() => Err(Problem::not_found(format!(
            "no [[tenant.notify]] has the address \"{}\"",
            bounce::short(address)
        ))),
        _ => Ok(Json(BounceList { bounces: noted.into_iter().map(view).collect() })),
    }
}

/// The address is right again: notices are mailed there from now on. What was given up meanwhile is tried again letter by
/// letter.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/bounces/{address}", tag = "outbox",
    params(("tenant" = String, Path), ("address" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn lift(
    State(api): State<Api>,
    access: Access,
    Path((_, address)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    access.may(Role::Admin)?;
    let (node, tenant, lifted) = (api.node.clone(), access.tenant.name.clone(), address.clone());
    match blocking(move || node.post.bounces.lift(&tenant, &lifted)).await?? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found(format!("no mail to \"{address}\" came back"))),
    }
}

fn view((address, bounced): (String, Bounced)) -> BounceView {
    BounceView { address, at: rfc3339(bounced.at as f64 / 1000.0), why: bounced.why }
}
