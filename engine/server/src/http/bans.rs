//! Bans over HTTP: which addresses are not heard, and hearing one again.

use std::net::IpAddr;
use std::time::Instant;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::access::Operator;
use super::problem::Problem;

/// A list of banned addresses.
#[derive(Serialize, ToSchema)]
pub(super) struct BanList {
    /// In order.
    bans: Vec<Ban>,
}

/// An address that is not heard.
#[derive(Serialize, ToSchema)]
pub(super) struct Ban {
    /// Of IPv6 the first of its /64 network, all of which is banned.
    address: String,
    /// Seconds until it is heard again.
    seconds_left: u64,
}

/// Addresses that tried passwords or looked for names, and are not heard for a while.
#[utoipa::path(get, path = "/v1/bans", tag = "node", responses((status = 200, body = BanList)))]
pub(super) async fn list(State(api): State<Api>, _operator: Operator) -> Json<BanList> {
    let bans = api.node.bans.list(Instant::now());
    let ban = |(address, left): (IpAddr, std::time::Duration)| Ban {
        address: address.to_string(),
        seconds_left: left.as_secs(),
    };
    Json(BanList { bans: bans.into_iter().map(ban).collect() })
}

/// Hears an address again.
#[utoipa::path(delete, path = "/v1/bans/{address}", tag = "node", params(("address" = String, Path)),
    responses((status = 204), (status = 404, description = "it is not banned", body = Problem)))]
pub(super) async fn lift(
    State(api): State<Api>,
    _operator: Operator,
    Path(address): Path<String>,
) -> Result<StatusCode, Problem> {
    let lifted = address.parse().is_ok_and(|address| api.node.bans.lift(Instant::now(), address));
    match lifted {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::new(StatusCode::NOT_FOUND, format!("no address {address:?} is banned"))),
    }
}
