//! The outbox over HTTP: what waits for its delivery, why it waits, and what was given up; trying a dead letter again,
//! and giving one up for good. For who administers the tenant: a letter says what others are told of callers, and trying one
//! again tells them once more.

use ::outbox::{EffectId, Millis};
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use notices::webhook::rfc3339;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::access::Access;
use super::problem::Problem;
use super::scripts::blocking;
use crate::config::Role;
use crate::post::{Letter, NoLetter};

/// Letters of a page unless said.
const PAGE: usize = 50;
/// Letters of a page at most.
const MOST: usize = 500;

#[derive(Deserialize, IntoParams)]
pub(super) struct ListLetters {
    /// "waiting" or "dead"; both unless said.
    state: Option<String>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many, 1 to 500; 50 unless said.
    limit: Option<usize>,
}

/// A page of the outbox.
#[derive(Serialize, ToSchema)]
pub(super) struct LetterList {
    /// In the order of the calls that caused them.
    letters: Vec<LetterView>,
    /// The `cursor` of the next page; none at the end.
    next: Option<String>,
    /// All that wait, not this page alone.
    waiting: usize,
    /// All that were given up.
    dead: usize,
    /// Places that failed several times in a row and are left alone for a moment.
    resting: Vec<Resting>,
}

/// A place that is left alone.
#[derive(Serialize, ToSchema)]
pub(super) struct Resting {
    /// A mail server, or the beginning of an address.
    destination: String,
    /// Until then: RFC 3339.
    until: String,
}

/// Something to be told to someone by some way.
#[derive(Serialize, ToSchema)]
pub(super) struct LetterView {
    /// Names it here and, as the idempotency key, at the other side.
    id: String,
    /// "mail", "sms", "webhook", "chat", "crm" or "script".
    kind: String,
    /// As the configuration names them.
    recipient: String,
    /// A mail server, or the beginning of an address.
    destination: String,
    /// "missed", "voicemail" ...
    event: String,
    /// "waiting" or "dead".
    state: &'static str,
    /// Attempts that failed.
    attempts: u32,
    /// Why the last one did.
    why: Option<String>,
    /// When it was written down: RFC 3339, as all moments here.
    written: String,
    /// When it is tried next; none for a dead letter.
    next: Option<String>,
    /// When a dead letter was given up; it is forgotten `dead_letters` of `[tenant.keep]` later.
    given_up: Option<String>,
    /// From then on it is a dead letter.
    deadline: String,
    /// What it tells.
    #[schema(value_type = Object)]
    facts: Value,
}

/// What waits for its delivery, and what was given up.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/outbox", tag = "outbox",
    params(("tenant" = String, Path), ListLetters),
    responses((status = 200, body = LetterList), (status = 400, body = Problem), (status = 403, body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    access: Access,
    Query(query): Query<ListLetters>,
) -> Result<Json<LetterList>, Problem> {
    access.may(Role::Admin)?;
    let dead = match query.state.as_deref() {
        None => None,
        Some("waiting") => Some(false),
        Some("dead") => Some(true),
        Some(other) => return Err(Problem::bad(format!("state is \"{other}\"; write waiting or dead"))),
    };
    let most = query.limit.unwrap_or(PAGE);
    if !(1..=MOST).contains(&most) {
        return Err(Problem::bad(format!("limit is {most}; write 1 to {MOST}")));
    }
    let after = query.cursor.as_deref().map(|text| {
        text.parse::<EffectId>().map_err(|_| Problem::bad("cursor is not the next of another page"))
    });
    let after = after.transpose()?;
    let (node, tenant) = (api.node.clone(), access.tenant.name.clone());
    let letters = blocking(move || node.post.letters(&tenant, dead, after, most)).await??;
    let standing = api.node.post.standing(&access.tenant.name);
    let resting = api.node.post.resting(&access.tenant.name).into_iter();
    Ok(Json(LetterList {
        next: letters.last().filter(|_| letters.len() == most).map(|letter| letter.id.to_string()),
        letters: letters.into_iter().map(view).collect(),
        waiting: standing.waiting,
        dead: standing.dead,
        resting: resting
            .map(|(name, until)| Resting { destination: name.to_string(), until: moment(until) })
            .collect(),
    }))
}

/// One letter; 404 when it is delivered, or never was.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/outbox/{id}", tag = "outbox",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = LetterView), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<LetterView>, Problem> {
    access.may(Role::Admin)?;
    let id = letter_id(&id)?;
    let (node, tenant) = (api.node.clone(), access.tenant.name.clone());
    let effect = blocking(move || node.post.letter(&tenant, id)).await??;
    effect.map(|effect| Json(view(Letter { id, effect }))).ok_or_else(|| none(id))
}

/// Tries a dead letter again, at once and for as long as the first time.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/outbox/{id}/retry", tag = "outbox",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn retry(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    access.may(Role::Admin)?;
    let id = letter_id(&id)?;
    let (node, tenant) = (api.node.clone(), access.tenant.name.clone());
    let busy = "it is no dead letter; it is tried again by itself";
    done(id, blocking(move || node.post.retry(&tenant, id)).await?, busy)
}

/// Gives a letter up for good.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/outbox/{id}", tag = "outbox",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn drop_letter(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    access.may(Role::Admin)?;
    let id = letter_id(&id)?;
    let (node, tenant) = (api.node.clone(), access.tenant.name.clone());
    done(id, blocking(move || node.post.drop_letter(&tenant, id)).await?, "it is being delivered now")
}

fn done(id: EffectId, result: Result<(), NoLetter>, busy: &str) -> Result<StatusCode, Problem> {
    match result {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(NoLetter::Unknown) => Err(none(id)),
        Err(NoLetter::Busy) => Err(Problem::new(StatusCode::CONFLICT, busy)),
        Err(NoLetter::Store(why)) => Err(why.into()),
    }
}

fn letter_id(text: &str) -> Result<EffectId, Problem> {
    text.parse().map_err(|_| Problem::not_found(format!("\"{text}\" names no letter")))
}

fn none(id: EffectId) -> Problem {
    Problem::not_found(format!("there is no letter {id}; it is delivered, or never was"))
}

fn view(Letter { id, effect }: Letter) -> LetterView {
    let dead = effect.fate.dead;
    LetterView {
        id: id.to_string(),
        kind: effect.kind,
        recipient: effect.recipient,
        destination: effect.destination,
        event: effect.occasion,
        state: if dead { "dead" } else { "waiting" },
        attempts: effect.fate.attempts,
        why: Some(effect.fate.why).filter(|why| !why.is_empty()),
        written: moment(effect.written),
        next: (!dead).then(|| moment(effect.fate.next.max(effect.not_before))),
        given_up: dead.then(|| moment(effect.fate.next)),
        deadline: moment(effect.deadline),
        facts: effect.facts,
    }
}

fn moment(millis: Millis) -> String {
    rfc3339(millis as f64 / 1000.0)
}
