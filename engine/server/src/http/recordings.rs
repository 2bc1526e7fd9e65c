//! Recordings over HTTP: the list with the facts of their calls, the sound with ranges, pausing one that is made, and
//! links that open without a token.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, LOCATION, REFERRER_POLICY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use exchange::{CallId, Failure};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::access::Access;
use super::problem::Problem;
use super::scripts::blocking;
use super::views::{PartyView, party, time};
use super::{calls, ranges};
use crate::config::{Role, Tenant};
use crate::events::wall;
use crate::recordings::shares::{LONGEST, MOST_SHARES, NotShared, Share};
use crate::recordings::{self, Kept};
use crate::records::{self, Filter};

/// Calls on a page unless asked otherwise, and at most; a call may have several recordings.
const PAGE: usize = 50;
const MOST: usize = 500;
/// A link is open for so long unless said.
const OPEN_FOR: u64 = 7 * 24 * 3600;

#[derive(Deserialize, IntoParams)]
pub(super) struct ListRecordings {
    /// Of calls that arrived then or later: RFC 3339.
    from: Option<String>,
    /// Of calls that arrived before: RFC 3339.
    to: Option<String>,
    /// The caller's, the dialled or the answering number, or the end of it.
    number: Option<String>,
    /// Who answered.
    agent: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// Of at most so many calls, 1 to 500; 50 unless said.
    limit: Option<usize>,
}

/// A recording, and the call that it is of.
#[derive(Serialize, ToSchema)]
pub(super) struct RecordingView {
    /// The name.
    name: String,
    /// The call's id.
    call: String,
    /// "conversation" or "message".
    kind: &'static str,
    /// "wav" or "opus"; none when it was deleted, or is too old.
    format: Option<&'static str>,
    /// Bytes of the file.
    bytes: Option<u64>,
    /// How long it is.
    seconds: Option<f64>,
    /// 2: who called on the left, whom they spoke with on the right.
    channels: Option<u16>,
    /// When the call arrived (RFC 3339).
    started: String,
    /// Who called.
    from: PartyView,
    /// The number dialled.
    dialled: String,
    /// The user or number that answered.
    answered_by: Option<String>,
}

/// A page of recordings.
#[derive(Serialize, ToSchema)]
pub(super) struct RecordingList {
    /// Of the newest call first.
    recordings: Vec<RecordingView>,
    /// The `cursor` of the next page; none at the end.
    next: Option<String>,
}

/// A tenant's recordings of calls that are over, by pages.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/recordings", tag = "recordings",
    params(("tenant" = String, Path), ListRecordings),
    responses((status = 200, body = RecordingList), (status = 400, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    access: Access,
    Query(query): Query<ListRecordings>,
) -> Result<Json<RecordingList>, Problem> {
    let tenant = heard(&access)?;
    let most = query.limit.unwrap_or(PAGE);
    if !(1..=MOST).contains(&most) {
        return Err(Problem::bad(format!("limit is {most}; write 1 to {MOST}")));
    }
    let before = query.cursor.as_deref().map(|text| {
        text.parse::<CallId>().map_err(|_| Problem::bad("cursor is not the next of another page"))
    });
    let filter = Filter {
        from: query.from.as_deref().map(|text| calls::moment("from", text)).transpose()?,
        to: query.to.as_deref().map(|text| calls::moment("to", text)).transpose()?,
        number: query.number,
        agent: query.agent,
        recorded: true,
        before: before.transpose()?,
        ..Filter::default()
    };
    let tenant = tenant.clone();
    blocking(move || {
        let page = records::page(&api.node.store, &tenant.name, &filter, most)?;
        let views = page.records.into_iter().flat_map(|record| {
            let view =
                |name: &String| view(name, api.node.recordings.find(&tenant.name, name), &record, &tenant);
            record.recordings.iter().map(view).collect::<Vec<_>>()
        });
        Ok(Json(RecordingList { recordings: views.collect(), next: page.next.map(|id| id.to_string()) }))
    })
    .await?
}

fn view(name: &str, kept: Option<Kept>, record: &exchange::CallRecord, tenant: &Tenant) -> RecordingView {
    let sound = kept.as_ref().and_then(Kept::sound);
    RecordingView {
        name: name.to_owned(),
        call: record.id.to_string(),
        kind: if name.ends_with(recordings::MESSAGE) { "message" } else { "conversation" },
        format: kept.as_ref().map(|kept| match kept.format {
            recordings::Format::Wav => "wav",
            recordings::Format::Opus => "opus",
        }),
        bytes: kept.map(|kept| kept.bytes),
        seconds: sound.map(|sound| sound.length.as_millis() as f64 / 1000.0),
        channels: sound.map(|sound| sound.channels),
        started: time(record.started, &tenant.timezone),
        from: party(record.from.clone()),
        dialled: record.dialled.clone(),
        answered_by: record.answered_by.clone(),
    }
}

/// A recording, whole or a range of it (RFC 9110 §14).
#[utoipa::path(get, path = "/v1/tenants/{tenant}/recordings/{name}", tag = "recordings",
    params(("tenant" = String, Path), ("name" = String, Path), ("Range" = Option<String>, Header)),
    responses((status = 200, content_type = "audio/wav"), (status = 206, content_type = "audio/wav"),
        (status = 404, body = Problem), (status = 416, body = Problem)))]
pub(super) async fn get(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let kept = find(&api, heard(&access)?, &name)?;
    ranges::send(&kept, &headers).await
}

/// Deletes the sound of a recording, and the message that it may be; the call's record stays.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/recordings/{name}", tag = "recordings",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn delete(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    access.may(Role::Admin)?;
    let tenant = access.tenant.clone();
    find(&api, &tenant, &name)?;
    tracing::info!(tenant = &*tenant.name, recording = name, by = access.who(), "a recording is deleted");
    blocking(move || {
        if let Some(inbox) = api.node.mailboxes.box_of(&tenant.name, &name) {
            return api.node.delete_message(&tenant.name, &inbox, &name).map_err(Problem::from);
        }
        let deleted = api.node.recordings.delete(&tenant.name, &name);
        deleted.map(drop).map_err(|why| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, why.to_string()))
    })
    .await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Leaves out of a call's recording what is said from here on: a card number. Whoever listens hears silence there.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/calls/{id}/recording/pause", tag = "recordings",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "nothing is recorded now")))]
pub(super) async fn pause(
    api: State<Api>,
    access: Access,
    call: Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    set_paused(api, access, call, true).await
}

/// What is said on the call is recorded again.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/calls/{id}/recording/resume", tag = "recordings",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn resume(
    api: State<Api>,
    access: Access,
    call: Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    set_paused(api, access, call, false).await
}

async fn set_paused(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
    paused: bool,
) -> Result<StatusCode, Problem> {
    access.may(Role::Agent)?;
    let done = api.shards()?.pause_recordings(&access.tenant.name, calls::call_id(&id)?, paused).await;
    done.map(|()| StatusCode::NO_CONTENT).map_err(|why| match why {
        Failure::NotFound(_) => calls::no_call(),
        why => Problem::new(StatusCode::CONFLICT, why.to_string()),
    })
}

/// How long a link is to be open.
#[derive(Deserialize, Default, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct NewShare {
    /// Seconds, 1 to a year; a week unless said.
    open_for: Option<u64>,
}

/// A link to a recording.
#[derive(Serialize, ToSchema)]
pub(super) struct ShareView {
    /// Names it, and opens nothing.
    id: String,
    /// The recording.
    recording: String,
    /// What to send to whoever is to hear it, below the address of this API; told when the link is made and never again.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// RFC 3339.
    created: String,
    /// RFC 3339.
    expires: String,
    /// Who made it.
    by: String,
    /// How often somebody began to listen.
    uses: u64,
}

/// Links to one recording.
#[derive(Serialize, ToSchema)]
pub(super) struct ShareList {
    /// The newest first.
    shares: Vec<ShareView>,
}

fn share_view(share: &Share, path: Option<String>, tenant: &Tenant) -> ShareView {
    ShareView {
        id: share.id(),
        recording: share.recording.clone(),
        path,
        created: time(share.created, &tenant.timezone),
        expires: time(share.expires, &tenant.timezone),
        by: share.by.clone(),
        uses: share.uses,
    }
}

/// Makes a link by which anybody hears this recording until it ends or is taken back.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/recordings/{name}/shares", tag = "recordings",
    params(("tenant" = String, Path), ("name" = String, Path)), request_body = NewShare,
    responses((status = 201, body = ShareView), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "the tenant has as many links as it may")))]
pub(super) async fn share(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
    Json(new): Json<NewShare>,
) -> Result<Response, Problem> {
    let tenant = heard(&access)?.clone();
    find(&api, &tenant, &name)?;
    let seconds = new.open_for.unwrap_or(OPEN_FOR);
    if !(1..=LONGEST.as_secs()).contains(&seconds) {
        let most = LONGEST.as_secs();
        return Err(Problem::bad(format!("open_for is {seconds}; write 1 to {most} seconds")));
    }
    let who = access.who();
    let of = tenant.clone();
    let told = json!({ "recording": name, "by": who });
    let made = blocking(move || {
        let made = api.node.recordings.shares.share(&of.name, &name, Duration::from_secs(seconds), who);
        if made.is_ok() {
            api.node.events.publish(&of.name, "recording.shared", told);
        }
        made
    });
    let (token, share) = made.await?.map_err(|why| match why {
        NotShared::TooMany => {
            let what = format!("a tenant has at most {MOST_SHARES} links; take some back");
            Problem::new(StatusCode::CONFLICT, what)
        }
        NotShared::NoChance => Problem::unavailable("the system has no randomness to give"),
        NotShared::Store(why) => why.into(),
    })?;
    let path = format!("/shared/{token}");
    let place = [(LOCATION, path.clone())];
    Ok((StatusCode::CREATED, place, Json(share_view(&share, Some(path), &tenant))).into_response())
}

/// Links to a recording that are open, without what opens them.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/recordings/{name}/shares", tag = "recordings",
    params(("tenant" = String, Path), ("name" = String, Path)), responses((status = 200, body = ShareList)))]
pub(super) async fn shares(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<ShareList>, Problem> {
    let tenant = heard(&access)?;
    let shares = api.node.recordings.shares.of_recording(&tenant.name, &name);
    Ok(Json(ShareList { shares: shares.iter().map(|share| share_view(share, None, tenant)).collect() }))
}

/// Takes a link back.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/shares/{id}", tag = "recordings",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn revoke(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let tenant = heard(&access)?.clone();
    let revoked = blocking(move || api.node.recordings.shares.revoke(&tenant.name, &id)).await??;
    if revoked { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("there is no such link")) }
}

/// What a link leads to: one recording, whole or a range of it, without a token. Whatever leads nowhere is 404.
#[utoipa::path(get, path = "/shared/{link}", tag = "recordings", security(()),
    params(("link" = String, Path), ("Range" = Option<String>, Header)),
    responses((status = 200, content_type = "audio/wav"), (status = 206, content_type = "audio/wav"),
        (status = 404, body = Problem), (status = 416, body = Problem)))]
pub(super) async fn shared(
    State(api): State<Api>,
    Path(link): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let nothing = || Problem::not_found("this link leads nowhere");
    let recordings = &api.node.recordings;
    let share = recordings.shares.open_link(&link, wall()).ok_or_else(nothing)?;
    let kept = recordings.find(&share.tenant, &share.recording).ok_or_else(nothing)?;
    if ranges::begins(&headers, &kept) {
        recordings.shares.count(&share);
    }
    let mut response = ranges::send(&kept, &headers).await?;
    // The link is a secret: no search engine, no next page and no proxy hears of it.
    for (name, value) in [
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "private, no-store"),
        (HeaderName::from_static("x-robots-tag"), "noindex"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// The tenant, for whoever may hear its recordings.
fn heard(access: &Access) -> Result<&std::sync::Arc<Tenant>, Problem> {
    access.may(access.tenant.recording.listen)?;
    Ok(&access.tenant)
}

fn find(api: &Api, tenant: &Tenant, name: &str) -> Result<Kept, Problem> {
    let kept = api.node.recordings.find(&tenant.name, name);
    kept.ok_or_else(|| Problem::not_found("there is no such recording"))
}
