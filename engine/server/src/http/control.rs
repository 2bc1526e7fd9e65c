//! What people do to calls from outside: begin one (click to call), and take part in one as a supervisor.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use exchange::{Failure, Supervision, Target};
use script::Moved;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::Api;
use super::access::Access;
use super::calls;
use super::problem::{Particular, Problem};
use super::scripts::blocking;
use crate::config::{Role, Tenant};
use crate::shards::Wanted;
use crate::shipped::{self, Names};

/// How long the first telephone rings unless said otherwise, and at most.
const RING_SECONDS: u16 = 30;
const MOST_RING_SECONDS: u16 = 600;

/// Characters of a number that is rung through a trunk (E.164 has 15 digits; prefixes may stand before).
const NUMBER_LENGTH: std::ops::RangeInclusive<usize> = 3..=32;

/// A call to begin: `from` is rung first; when it answers, the call goes on as if `from` had dialled
/// `to`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCall {
    /// A user by name or extension, all of whose telephones ring, or a number outside.
    #[schema(example = "ana")]
    from: String,
    /// A user's extension, a number of the tenant, or a number outside.
    #[schema(example = "+359888123456")]
    to: String,
    /// The script that takes the call once `from` has answered; without it the one that takes calls
    /// to `to`.
    script: Option<String>,
    /// Settings for `script`.
    #[schema(value_type = Option<Object>)]
    settings: Option<Map<String, Value>>,
    /// How many seconds `from` rings, 1 to 600; 30 unless said.
    ring: Option<u16>,
}

impl NewCall {
    /// Rings a user first, and then has a script go on to `to`.
    pub fn with_script(from: String, to: String, script: &str, settings: Map<String, Value>) -> Self {
        Self { from, to, script: Some(script.to_owned()), settings: Some(settings), ring: None }
    }
}

/// A call that was begun.
#[derive(Serialize, ToSchema)]
pub(super) struct BegunCall {
    /// 26 characters; sorts by time.
    id: String,
}

/// Where a call's script is to go on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Move {
    /// Number, label or hash of a version of the script that runs, or the hash's beginning; the active one unless said.
    version: Option<String>,
}

/// A call whose script was moved.
#[derive(Serialize, ToSchema)]
pub(super) struct MovedCall {
    /// The script.
    script: String,
    /// The hash of the version with which it goes on.
    version: String,
}

/// Has a call in the middle go on with another version of its script: that version is played the call's tape, and takes
/// over if it comes to the same place. Otherwise the call stays as it is, and 409 says why.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/calls/{id}/move", tag = "calls",
    params(("tenant" = String, Path), ("id" = String, Path)), request_body = Move,
    responses((status = 200, body = MovedCall), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn move_call(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
    Json(wanted): Json<Move>,
) -> Result<Json<MovedCall>, Problem> {
    access.may(Role::Developer)?;
    let (tenant, id, shards) = (access.tenant.name.clone(), calls::call_id(&id)?, api.shards()?);
    let live = shards.calls(&tenant).await.into_iter().find(|call| call.id == id);
    let script = live.ok_or_else(calls::no_call)?.script;
    let version = match wanted.version {
        Some(version) => {
            let (node, tenant, script) = (api.node.clone(), tenant.clone(), script.clone());
            blocking(move || node.scripts.version(&tenant, &script, &version)).await??
        }
        None => api.node.scripts.active(&tenant, &script).ok_or_else(calls::no_call)?,
    };
    match shards.move_call(&tenant, id, version.clone()).await.ok_or_else(calls::no_call)? {
        Moved::There => {
            let moved = MovedCall { script, version: version.hash().to_owned() };
            let told = json!({ "call": id.to_string(), "script": moved.script, "version": moved.version });
            api.node.events.publish(&tenant, "call.moved", told);
            Ok(Json(moved))
        }
        stays => Err(Problem::new(StatusCode::CONFLICT, stays.to_string())),
    }
}

/// Rings `from` and, when it answers, connects it with `to`: click to call. Answers at once; how it
/// goes on is on the event stream and in the call's record, of outcome missed when `from` does not
/// answer.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/calls", tag = "calls",
    params(("tenant" = String, Path)), request_body = NewCall,
    responses((status = 201, body = BegunCall), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 422, body = Problem, description = "settings that the script can't read, and where"),
        (status = 503, body = Problem, description = "the tenant has as many calls as it may")))]
pub(super) async fn originate(
    State(api): State<Api>,
    access: Access,
    Json(new): Json<NewCall>,
) -> Result<Response, Problem> {
    access.may(Role::Agent)?;
    let tenant = &access.tenant;
    let from = target(tenant, "from", &new.from)?;
    if tenant.number(&new.to).is_none() {
        target(tenant, "to", &new.to)?;
    }
    let ring = new.ring.unwrap_or(RING_SECONDS);
    if !(1..=MOST_RING_SECONDS).contains(&ring) {
        return Err(Problem::bad(format!("ring is {ring}; write 1 to {MOST_RING_SECONDS} seconds")));
    }
    let script = match (new.script, new.settings) {
        (Some(script), settings) => {
            if api.node.scripts.active(&tenant.name, &script).is_none() {
                return Err(Problem::not_found(format!("there is no script \"{script}\"")));
            }
            Some((script.clone(), fitting(&api, tenant, &script, settings.unwrap_or_default())?))
        }
        (None, Some(_)) => return Err(Problem::bad("settings are for a script; say which: script")),
        (None, None) => None,
    };
    let wanted = Wanted { from, to: new.to, script, ring: Duration::from_secs(ring.into()) };
    let id = api.shards()?.originate(&tenant.name, wanted).await.map_err(refusal)?.to_string();
    let place = format!("/v1/tenants/{}/calls/{id}", tenant.name);
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(BegunCall { id })).into_response())
}

/// The settings as text, if the script can read them.
fn fitting(
    api: &Api,
    tenant: &Tenant,
    script: &str,
    settings: Map<String, Value>,
) -> Result<String, Problem> {
    let settings = Value::Object(settings);
    let scripts = api.node.scripts.names(&tenant.name);
    let misfits = shipped::misfits(script, &settings, &Names::of(tenant, &scripts)).into_iter();
    let problems: Vec<_> = misfits
        .map(|misfit| Particular { place: format!("settings{}", misfit.place), what: misfit.why })
        .collect();
    if problems.is_empty() {
        return Ok(settings.to_string());
    }
    let refusal =
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the settings of {script} do not fit"));
    Err(Problem { problems, ..refusal })
}

/// A user by name or extension, else a number outside.
fn target(tenant: &Tenant, key: &str, text: &str) -> Result<Target, Problem> {
    if let Some(user) = tenant.user(text) {
        return Ok(Target::User(user.name.clone()));
    }
    number_outside(key, text)
}

fn number_outside(key: &str, text: &str) -> Result<Target, Problem> {
    let digits = text.strip_prefix('+').unwrap_or(text);
    if NUMBER_LENGTH.contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(Target::Number(text.to_owned()));
    }
    Err(Problem::bad(format!(
        "{key} is \"{text}\": neither a user of the tenant nor a number like +359888123456"
    )))
}

/// A supervisor: one of the two.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Supervisor {
    /// A user by name or extension, all of whose telephones ring.
    #[schema(example = "vera")]
    user: Option<String>,
    /// A number outside.
    number: Option<String>,
}

/// Rings a supervisor, who hears both sides of a call and is heard by none. For one who is on the call
/// already it changes the way of taking part.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/calls/{id}/listen", tag = "calls",
    params(("tenant" = String, Path), ("id" = String, Path)), request_body = Supervisor,
    responses((status = 202), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "nobody talks on the call, or nobody can be rung")))]
pub(super) async fn listen(
    api: State<Api>,
    access: Access,
    call: Path<(String, String)>,
    who: Json<Supervisor>,
) -> Result<StatusCode, Problem> {
    supervise(api, access, call, who, Supervision::Listen).await
}

/// Rings a supervisor, who hears both sides of a call and is heard by the agent: whoever was rung for
/// the caller. As `listen` in all else.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/calls/{id}/whisper", tag = "calls",
    params(("tenant" = String, Path), ("id" = String, Path)), request_body = Supervisor,
    responses((status = 202), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn whisper(
    api: State<Api>,
    access: Access,
    call: Path<(String, String)>,
    who: Json<Supervisor>,
) -> Result<StatusCode, Problem> {
    supervise(api, access, call, who, Supervision::Whisper).await
}

/// Rings a supervisor, who joins the conversation: all hear all. As `listen` in all else.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/calls/{id}/barge", tag = "calls",
    params(("tenant" = String, Path), ("id" = String, Path)), request_body = Supervisor,
    responses((status = 202), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub(super) async fn barge(
    api: State<Api>,
    access: Access,
    call: Path<(String, String)>,
    who: Json<Supervisor>,
) -> Result<StatusCode, Problem> {
    supervise(api, access, call, who, Supervision::Barge).await
}

async fn supervise(
    State(api): State<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
    Json(who): Json<Supervisor>,
    mode: Supervision,
) -> Result<StatusCode, Problem> {
    access.may(Role::Admin)?;
    let tenant = &access.tenant;
    let who = match (who.user, who.number) {
        (Some(user), None) => match tenant.user(&user) {
            Some(user) => Target::User(user.name.clone()),
            None => return Err(Problem::not_found(format!("there is no user \"{user}\""))),
        },
        (None, Some(number)) => number_outside("number", &number)?,
        _ => return Err(Problem::bad("who is rung? write either user or number")),
    };
    let done = api.shards()?.supervise(&tenant.name, calls::call_id(&id)?, who, mode).await;
    done.map(|()| StatusCode::ACCEPTED).map_err(|why| match why {
        Failure::NotFound(_) => calls::no_call(),
        why => Problem::new(StatusCode::CONFLICT, why.to_string()),
    })
}

fn refusal(why: Failure) -> Problem {
    match why {
        Failure::Limit(_) | Failure::Unreachable => Problem::unavailable(why.to_string()),
        why => Problem::bad(why.to_string()),
    }
}
