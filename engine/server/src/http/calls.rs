//! Calls over HTTP: the register, one call with its tape, ladder and recordings, what it was about, and hanging up.

use std::str::FromStr;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use exchange::{CallId, CallRecord, Outcome};
use jiff::Timestamp;
use script::Tape;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use store::layout;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::access::Access;
use super::export::{self, Format};
use super::problem::Problem;
use super::ranges;
use super::scripts::blocking;
use super::views::{self, CallView, LiveView};
use crate::config::{Role, Tenant};
use crate::facts;
use crate::records::{self, CATEGORY, Filter, VALUE};
use crate::shards::Rung;
use crate::timeline;

/// Calls on a page unless asked otherwise, and at most.
const PAGE: usize = 50;
const MOST: usize = 500;
/// Bytes of a category; a longer one is refused.
const LONGEST_CATEGORY: usize = 64;

/// Tells a client that wants the tape as it was written, for a replay.
pub const TAPE_TYPE: &str = "application/vnd.strowger.tape";

#[derive(Deserialize, IntoParams)]
pub(super) struct ListCalls {
    /// Arrived then or later: RFC 3339.
    from: Option<String>,
    /// Arrived before: RFC 3339.
    to: Option<String>,
    /// The caller's, the dialled or the answering number, or the end of it.
    number: Option<String>,
    /// Who answered.
    agent: Option<String>,
    /// "answered", "missed", "abandoned", "voicemail", "rejected" or "failed".
    outcome: Option<String>,
    /// What it was marked as being about.
    category: Option<String>,
    /// The advertising source of the number dialled.
    source: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many, 1 to 500; 50 unless said.
    limit: Option<usize>,
    /// Calls that are up instead of the register; no other filter counts then.
    live: Option<bool>,
}

/// A page of the register.
#[derive(Serialize, ToSchema)]
pub(super) struct CallList {
    /// Newest first.
    calls: Vec<CallView>,
    /// The `cursor` of the next page; none at the end.
    next: Option<String>,
}

/// Calls that are up.
#[derive(Serialize, ToSchema)]
pub(super) struct LiveList {
    /// Oldest first.
    calls: Vec<LiveView>,
}

/// The register of calls that are over, newest first, by pages. With `Accept: text/csv` or
/// `application/vnd.apache.parquet` all that the filters let through, as a file: a row a call.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/calls", tag = "calls",
    params(("tenant" = String, Path), ListCalls),
    responses((status = 200, content((CallList = "application/json"), (String = "text/csv"),
        (Vec<u8> = "application/vnd.apache.parquet"))), (status = 400, body = Problem), (status = 503, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    access: Access,
    Query(query): Query<ListCalls>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let tenant = access.tenant;
    if query.live == Some(true) {
        let mut calls = api.shards()?.calls(&tenant.name).await;
        calls.sort_by_key(|call| call.id);
        let calls = calls.into_iter().map(|call| views::live(call, &tenant.timezone)).collect();
        return Ok(Json(LiveList { calls }).into_response());
    }
    let most = query.limit.unwrap_or(PAGE);
    if !(1..=MOST).contains(&most) {
        return Err(Problem::bad(format!("limit is {most}; write 1 to {MOST}")));
    }
    let outcome = query.outcome.as_deref().map(outcome).transpose()?;
    let before = query.cursor.as_deref().map(|text| {
        text.parse::<CallId>().map_err(|_| Problem::bad("cursor is not the next of another page"))
    });
    let filter = Filter {
        from: query.from.as_deref().map(|text| moment("from", text)).transpose()?,
        to: query.to.as_deref().map(|text| moment("to", text)).transpose()?,
        number: query.number,
        agent: query.agent,
        outcome,
        category: query.category,
        source: query.source,
        recorded: false,
        before: before.transpose()?,
    };
    if let Some(format) = Format::wanted(&headers) {
        return export::send(api.node.store.clone(), &tenant, filter, format);
    }
    let (store, name) = (api.node.store.clone(), tenant.name.clone());
    let page = blocking(move || records::page(&store, &name, &filter, most)).await??;
    let calls = page.records.into_iter().map(|record| views::call(record, &tenant.timezone)).collect();
    Ok(Json(CallList { calls, next: page.next.map(|id| id.to_string()) }).into_response())
}

/// One call: its record when it is over, what it is doing while it is up.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/calls/{id}", tag = "calls",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = CallView), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (tenant, id) = (access.tenant, call_id(&id)?);
    if let Some(record) = records::get(&api.node.store, &tenant.name, id)? {
        return Ok(Json(views::call(record, &tenant.timezone)).into_response());
    }
    let live = match api.node.shards() {
        Some(shards) => shards.calls(&tenant.name).await,
        None => Vec::new(),
    };
    let call = live.into_iter().find(|call| call.id == id).ok_or_else(no_call)?;
    Ok(Json(views::live(call, &tenant.timezone)).into_response())
}

/// What a call was about. What is left out stays; null takes it away (RFC 7396).
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMarks {
    /// 1 to 64 bytes: "order".
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    category: Option<Option<String>>,
    /// What it was worth, in the tenant's currency.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<f64>)]
    value: Option<Option<f64>>,
}

/// Tells null from nothing.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

/// Marks a call that is over with what it was about and what it was worth, as a script does by `tag`.
#[utoipa::path(patch, path = "/v1/tenants/{tenant}/calls/{id}", tag = "calls",
    params(("tenant" = String, Path), ("id" = String, Path)), request_body = NewMarks,
    responses((status = 200, body = CallView), (status = 400, body = Problem), (status = 403, body = Problem),
        (status = 404, body = Problem), (status = 409, body = Problem, description = "the call is up")))]
pub(super) async fn set_marks(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
    Json(new): Json<NewMarks>,
) -> Result<Json<CallView>, Problem> {
    access.may(Role::Agent)?;
    let id = call_id(&id)?;
    if let Some(Some(category)) = &new.category
        && !(1..=LONGEST_CATEGORY).contains(&category.len())
    {
        let what = format!("category has {} bytes; write 1 to {LONGEST_CATEGORY}", category.len());
        return Err(Problem::bad(what));
    }
    let told =
        json!({ "call": id.to_string(), "category": new.category, "value": new.value, "by": access.who() });
    let category = new.category.map(|category| (CATEGORY, category));
    let value = new.value.map(|value| (VALUE, value.map(|value| value.to_string())));
    let marks: Vec<_> = category.into_iter().chain(value).collect();
    let (node, name) = (api.node.clone(), access.tenant.name.clone());
    let marked = blocking(move || node.marking.mark(&node.store, &name, id, &marks)).await??;
    let Some(record) = marked else {
        let live = match api.node.shards() {
            Some(shards) => shards.calls(&access.tenant.name).await,
            None => Vec::new(),
        };
        let up = live.iter().any(|call| call.id == id);
        let busy = || Problem::new(StatusCode::CONFLICT, "the call is up; mark it when it is over");
        return Err(if up { busy() } else { no_call() });
    };
    api.node.events.publish(&access.tenant.name, "call.marked", told);
    Ok(Json(views::call(record, &access.tenant.timezone)))
}

/// A call's tape: what its scripts asked and were answered. With `Accept:
/// application/vnd.strowger.tape` as it was written, for a replay.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/calls/{id}/tape", tag = "calls",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 200, description = "runs with their steps, and the facts of its queue"), (status = 404, body = Problem)))]
pub(super) async fn tape(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access.may(Role::Developer)?;
    let (tenant, id) = (access.tenant, call_id(&id)?);
    let (store, name) = (api.node.store.clone(), tenant.name.clone());
    let found = blocking(move || layout::tape(&store, &name, id.0)).await??;
    let bytes = found.ok_or_else(|| {
        Problem::not_found("there is no tape: no such call, it is still up, or its tape is kept no longer")
    })?;
    if headers.get(header::ACCEPT).is_some_and(|accept| accept == TAPE_TYPE) {
        return Ok(([(header::CONTENT_TYPE, TAPE_TYPE)], bytes).into_response());
    }
    let tape = Tape::read(&bytes).map_err(|why| {
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("the tape can't be read: {why}"))
    })?;
    Ok(Json(views::tape(&tape, &tenant.timezone)).into_response())
}

/// A call on one time axis: SIP, script and sound.
#[derive(Serialize, ToSchema)]
pub(super) struct Ladder {
    /// Oldest first.
    rungs: Vec<Rung>,
}

/// A call on one time axis, while it is remembered.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/calls/{id}/ladder", tag = "calls",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = Ladder), (status = 404, body = Problem)))]
pub(super) async fn ladder(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<Ladder>, Problem> {
    access.may(Role::Developer)?;
    let (tenant, id) = (access.tenant, call_id(&id)?);
    let rungs = match api.shards()?.ladder(&tenant.name, id).await {
        Some(rungs) => Some(rungs),
        None => {
            let (node, tenant) = (api.node.clone(), tenant.clone());
            blocking(move || facts::ladder(&node, &tenant.name, id)).await??
        }
    };
    let rungs = rungs.ok_or_else(|| Problem::not_found("this call is not remembered any more"))?;
    // What its scripts did is on the tape, which is there when the call is over.
    let store = api.node.store.clone();
    let tape = blocking(move || layout::tape(&store, &tenant.name, id.0)).await??;
    let told = tape.and_then(|bytes| Tape::read(&bytes).ok()).map(|tape| timeline::rungs(&tape));
    let rungs = facts::in_order(rungs, told.unwrap_or_default());
    Ok(Json(Ladder { rungs }))
}

#[derive(Deserialize, IntoParams)]
pub(super) struct WhichRecording {
    /// One of the call's `recordings`; the first unless said.
    name: Option<String>,
}

/// A recording of a call, whole or a range of it.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/calls/{id}/recording", tag = "calls",
    params(("tenant" = String, Path), ("id" = String, Path), WhichRecording),
    responses((status = 200, content_type = "audio/wav"), (status = 206, content_type = "audio/wav"),
        (status = 404, body = Problem), (status = 416, body = Problem)))]
pub(super) async fn recording(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
    Query(query): Query<WhichRecording>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access.may(access.tenant.recording.listen)?;
    let record = record(&api, &access.tenant, &id)?;
    let name = match query.name {
        None => record.recordings.first(),
        Some(wanted) => record.recordings.iter().find(|name| **name == wanted),
    };
    let kept = name.and_then(|name| api.node.recordings.find(&access.tenant.name, name));
    let missing = || Problem::not_found("the call has no such recording");
    ranges::send(&kept.ok_or_else(missing)?, &headers).await
}

/// Hangs a call up, all its legs.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/calls/{id}/hangup", tag = "calls",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn hangup(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    access.may(Role::Agent)?;
    let was_up = api.shards()?.hang_up(&access.tenant.name, call_id(&id)?).await;
    if was_up { Ok(StatusCode::NO_CONTENT) } else { Err(no_call()) }
}

fn record(api: &Api, tenant: &Tenant, id: &str) -> Result<CallRecord, Problem> {
    records::get(&api.node.store, &tenant.name, call_id(id)?)?.ok_or_else(no_call)
}

pub(super) fn call_id(text: &str) -> Result<CallId, Problem> {
    CallId::from_str(text).map_err(|why| Problem::not_found(why.to_string()))
}

pub(super) fn no_call() -> Problem {
    Problem::not_found("there is no such call")
}

fn outcome(text: &str) -> Result<Outcome, Problem> {
    serde_json::from_value(text.into()).map_err(|_| {
        Problem::bad("outcome is none of answered, missed, abandoned, voicemail, rejected, failed")
    })
}

pub(super) fn moment(key: &str, text: &str) -> Result<f64, Problem> {
    let read = text.parse::<Timestamp>();
    let at = read
        .map_err(|_| Problem::bad(format!("{key} is no moment; write one like 2026-11-27T09:00:00+02:00")))?;
    Ok(at.as_millisecond() as f64 / 1000.0)
}
