//! Scripts over HTTP: load, list, activate, try on a share of the calls or beside them, go back, read their logs and
//! watch their calls.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use script::SHARES;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::access::Access;
use super::problem::{Particular, Problem};
use super::views::time;
use super::{Api, streams};
use crate::config::{Role, Tenant, is_name};
use crate::flow;
use crate::node::log_row;
use crate::scripts::comparison::{Difference, Report};
use crate::scripts::{About, Calls, Described, Load, Stage, signature};
use crate::shipped::Names;

/// How components and modules begin.
const WASM: &[u8] = b"\0asm";
/// What is read on, and dropped, of a body that is too large, bytes: its sender hears why only when it has sent all. A
/// longer one is cut off.
const READ_ON: u64 = 256 << 20;
/// Log lines answered at once.
const RECENT: usize = 200;

#[derive(Deserialize, IntoParams)]
pub(super) struct PutScript {
    /// Whether new calls go to it at once; true unless said otherwise.
    activate: Option<bool>,
    /// Percent of the calls that it takes, in place of all of them: 0.01 to 99.
    canary: Option<f64>,
    /// A short name for the version: a-z, 0-9, "-", "_" and ".".
    label: Option<String>,
    /// What has changed, in words.
    notes: Option<String>,
    /// SHA-256 of the sources, hex.
    source: Option<String>,
    /// It may do something else than was recorded, whatever the tenant's policy says. For admins.
    #[serde(default)]
    force: bool,
}

/// The header that carries the ed25519 signature of the component, or of the flow's text, in base64.
pub const SIGNATURE: &str = "strowger-signature";
/// The longest notes, in bytes.
const LONGEST_NOTES: usize = 4096;

/// A version that was loaded.
#[derive(Serialize, ToSchema)]
pub(super) struct Loaded {
    /// SHA-256 of the component, hex.
    version: String,
    /// Counts up by one within the script.
    number: u32,
    /// What it asks of the engine.
    imports: Vec<String>,
    /// What it offers.
    exports: Vec<String>,
    /// It takes new calls.
    active: bool,
    /// What whoever loaded it may want to know: recordings that are not there yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
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
    /// Who saw to that.
    activated_by: Option<String>,
    /// The version that takes a share of the calls.
    canary: Option<CanaryView>,
    /// The last canary that was worse.
    rolled_back: Option<RolledBackView>,
    /// The version that runs beside the active one.
    shadow: Option<String>,
    /// Oldest first.
    versions: Vec<VersionView>,
}

/// A version that takes a share of the calls, and how it fares beside the active one since.
#[derive(Serialize, ToSchema)]
pub(super) struct CanaryView {
    /// Its hash.
    version: String,
    /// Percent of the calls.
    share: f64,
    /// Since when (RFC 3339).
    since: String,
    /// Who saw to that.
    by: Option<String>,
    /// It is judged from so many calls on.
    judged_after: u32,
    /// Its runs that are over, and those of them that failed.
    calls: u64,
    failures: u64,
    /// 99 of 100 took no more CPU: seconds.
    decision_p99: f64,
    /// The active version's runs that are over since, and those of them that failed.
    active_calls: u64,
    active_failures: u64,
    /// 99 of 100 took no more CPU: seconds.
    active_decision_p99: f64,
}

/// A canary that was worse than the active version.
#[derive(Serialize, ToSchema)]
pub(super) struct RolledBackView {
    /// Its hash.
    version: String,
    /// What was worse.
    reason: String,
    /// When (RFC 3339).
    at: String,
}

/// A version, and how its calls fare since the engine started.
#[derive(Serialize, ToSchema)]
pub(super) struct VersionView {
    /// SHA-256 of the component, hex.
    version: String,
    /// Counts up by one within the script, from 1.
    number: u32,
    /// "draft", "canary", "active", "draining" or "retired".
    state: &'static str,
    /// It takes new calls.
    active: bool,
    /// Bytes of the component.
    size: usize,
    /// When it was loaded (RFC 3339).
    uploaded: String,
    /// Who loaded it.
    loaded_by: Option<String>,
    /// A short name.
    label: Option<String>,
    /// What has changed.
    notes: Option<String>,
    /// SHA-256 of its sources, hex, as whoever loaded it said.
    source: Option<String>,
    /// The key that signed it: base64.
    signed_by: Option<String>,
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
    /// The most memory that one run held: bytes.
    memory: usize,
    /// Where its runs failed, the most frequent first.
    traps: Vec<TrapView>,
}

/// Runs that failed in one place.
#[derive(Serialize, ToSchema)]
pub(super) struct TrapView {
    /// "trap in on_call (lib.rs:12)".
    place: String,
    /// How many.
    count: u64,
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
    /// Its number, label, SHA-256, or the beginning of that.
    version: String,
    /// Percent of the calls that it takes, in place of all of them: 0.01 to 99.
    canary: Option<f64>,
    /// It may do something else than was recorded, whatever the tenant's policy says. For admins.
    #[serde(default)]
    force: bool,
}

/// The version that runs beside the active one.
#[derive(Deserialize, ToSchema)]
pub(super) struct SetShadow {
    /// Its number, label, SHA-256, or the beginning of that; none ends it.
    version: Option<String>,
}

/// What a shadow does in place of the active version.
#[derive(Serialize, ToSchema)]
pub(super) struct ShadowView {
    /// The shadow's hash; none when the script has none.
    version: Option<String>,
    /// Calls in which it does the same.
    same: u64,
    /// Calls in which it does something else.
    parted: u64,
    /// Calls that it could not be compared in: more at once than it could follow, or no sandbox was free.
    not_compared: u64,
    /// The first calls that part.
    differences: Vec<Difference>,
}

/// Loads a component as a version of a script, or a call flow, which becomes one. Durable when answered.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/scripts/{name}", tag = "scripts",
    params(("tenant" = String, Path), ("name" = String, Path), PutScript,
        ("strowger-signature" = Option<String>, Header, description = "ed25519 over the component, base64")),
    request_body(content((Vec<u8> = "application/wasm"), (String = "application/toml"), (String = "application/json"))),
    responses((status = 201, body = Loaded), (status = 413, body = Problem),
        (status = 409, description = "it is loaded, and parts from recorded calls", body = Problem),
        (status = 422, description = "names the import or export that does not fit, or line and column of a flow", body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
    Query(query): Query<PutScript>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    access.may(Role::Developer)?;
    check_name(&name)?;
    let most = access.tenant.limits.script_size;
    let body = read(body, most, "the component", "script_size").await?;
    let is_flow = is_flow(&headers, &body);
    let flow = if is_flow { Some(flow_of(&api, &access, &body)?) } else { None };
    let (component, notes) =
        flow.map_or((body.clone(), Vec::new()), |(component, notes)| (component.into(), notes));
    let _one = api.compiling.acquire().await.map_err(|_| Problem::unavailable("the exchange is stopping"))?;
    let (node, tenant) = (api.node.clone(), access.tenant.clone());
    let flow = is_flow.then(|| body.to_vec());
    let load = Load { flow, ..load(&access, &query, &headers)? };
    let calls = load.calls;
    let script = name.clone();
    let pushed = blocking(move || node.scripts.push(&tenant, &script, &component, load)).await??;
    let component = pushed.version.component();
    let loaded = Loaded {
        version: component.hash().to_owned(),
        number: pushed.number,
        imports: component.imports().to_vec(),
        exports: component.exports().to_vec(),
        active: pushed.active,
        notes,
    };
    let told = serde_json::json!({
        "script": name, "version": loaded.version, "number": loaded.number, "active": loaded.active, "by": access.who(),
    });
    api.node.events.publish(&access.tenant.name, "script.loaded", told);
    if loaded.active {
        changed(&api, &access);
    } else if let Calls::Share(share) = calls {
        tell_canary(&api, &access, &name, &loaded.version, share);
    }
    let location = format!("/v1/tenants/{}/scripts/{name}/versions/{}", access.tenant.name, loaded.version);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Json(loaded)).into_response())
}

/// Whether what is put is a flow's text, and not a component, whatever it is called.
fn is_flow(headers: &HeaderMap, body: &[u8]) -> bool {
    let media_type =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let is_text =
        ["application/toml", "application/json"].iter().any(|text| media_type.eq_ignore_ascii_case(text));
    is_text && !body.starts_with(WASM)
}

/// The component that does what a flow says, and what to know of it.
fn flow_of(api: &Api, access: &Access, text: &[u8]) -> Result<(Vec<u8>, Vec<String>), Problem> {
    let text = std::str::from_utf8(text).map_err(|_| Problem::bad("the flow is no text in UTF-8"))?;
    let tenant = &access.tenant;
    let scripts = api.node.scripts.names(&tenant.name);
    let flow = flow::read(text, &Names::of(tenant, &scripts)).map_err(|mistakes| {
        let particular = |mistake: flow::Mistake| Particular {
            place: format!("{}:{}", mistake.line, mistake.column),
            what: mistake.what,
        };
        let problems = mistakes.into_iter().map(particular).collect();
        Problem {
            problems,
            ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "the flow is not right; see problems")
        }
    })?;
    let prompts = &api.node.prompts;
    let there = |name: &str| {
        prompts.own(&tenant.name, name, &tenant.language).is_some() || prompts.shipped(name).is_some()
    };
    let missing = flow.recordings.iter().filter(|(name, _)| !there(name));
    let note = |(name, line): &(String, usize)| {
        format!("line {line}: there is no recording \"{name}\" yet; until there is, its name is spoken")
    };
    Ok((flow::component(&flow, text), missing.map(note).collect()))
}

/// The text of the flow that a version was made from.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/scripts/{name}/versions/{version}/flow", tag = "scripts",
    params(("tenant" = String, Path), ("name" = String, Path), ("version" = String, Path)),
    responses((status = 200, content_type = "text/plain"), (status = 404, body = Problem)))]
pub(super) async fn flow_text(
    State(api): State<Api>,
    access: Access,
    Path((_, name, version)): Path<(String, String, String)>,
) -> Result<String, Problem> {
    access.may(Role::Developer)?;
    let node = api.node.clone();
    let bytes = blocking(move || node.scripts.component(&access.tenant.name, &name, &version)).await??;
    let text = flow::text_of(&bytes).map(str::to_owned);
    text.ok_or_else(|| Problem::not_found("this version was not made from a flow; its component is there"))
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
                scripts.push(view(described, &tenant));
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
    Ok(Json(view(described, &access.tenant)))
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
    let bytes = blocking(move || node.scripts.component(&access.tenant.name, &name, &version)).await??;
    Ok(([(header::CONTENT_TYPE, "application/wasm")], bytes).into_response())
}

/// New calls go to this version from here on; going back is the same with the older one.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/scripts/{name}/activate", tag = "scripts",
    params(("tenant" = String, Path), ("name" = String, Path)), request_body = Activate,
    responses((status = 200, body = ScriptView), (status = 404, body = Problem),
        (status = 409, description = "it parts from recorded calls", body = Problem)))]
pub(super) async fn activate(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
    Json(wanted): Json<Activate>,
) -> Result<Json<ScriptView>, Problem> {
    may_force(&access, wanted.force)?;
    let calls = share(wanted.canary)?.unwrap_or(Calls::All);
    let (node, tenant, script) = (api.node.clone(), access.tenant.clone(), name.clone());
    let by = access.who();
    let activated = blocking(move || {
        node.scripts.activate(&tenant, &script, &wanted.version, calls, wanted.force, Some(&by))
    });
    let version = activated.await??.hash().to_owned();
    if let Calls::Share(share) = calls {
        tell_canary(&api, &access, &name, &version, share);
    } else {
        tell_activated(&api, &access, "script.activated", &name, &version);
    }
    described(&api, &access, &name).map(Json)
}

/// The canary takes all calls from here on.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/scripts/{name}/promote", tag = "scripts",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = ScriptView), (status = 404, body = Problem),
        (status = 409, description = "there is no canary", body = Problem)))]
pub(super) async fn promote(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<ScriptView>, Problem> {
    access.may(Role::Developer)?;
    let (node, tenant, script) = (api.node.clone(), access.tenant.name.clone(), name.clone());
    let by = access.who();
    let promoted = blocking(move || node.scripts.promote(&tenant, &script, Some(&by))).await??;
    tell_activated(&api, &access, "script.promoted", &name, promoted.hash());
    described(&api, &access, &name).map(Json)
}

/// A version runs beside the active one from here on: it is played the calls of the active one when they are over.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/scripts/{name}/shadow", tag = "scripts",
    params(("tenant" = String, Path), ("name" = String, Path)), request_body = SetShadow,
    responses((status = 200, body = ShadowView), (status = 404, body = Problem)))]
pub(super) async fn set_shadow(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
    Json(wanted): Json<SetShadow>,
) -> Result<Json<ShadowView>, Problem> {
    access.may(Role::Developer)?;
    let (node, tenant, script) = (api.node.clone(), access.tenant.name.clone(), name.clone());
    blocking(move || node.scripts.set_shadow(&tenant, &script, wanted.version.as_deref())).await??;
    let view = shadow_view(&api, &access, &name)?;
    let told = serde_json::json!({ "script": name, "version": view.version, "by": access.who() });
    api.node.events.publish(&access.tenant.name, "script.shadow", told);
    Ok(Json(view))
}

/// In which calls the shadow does something else than the active version, since the engine started.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/scripts/{name}/shadow", tag = "scripts",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = ShadowView), (status = 404, body = Problem)))]
pub(super) async fn shadow(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<ShadowView>, Problem> {
    access.may(Role::Developer)?;
    shadow_view(&api, &access, &name).map(Json)
}

fn shadow_view(api: &Api, access: &Access, name: &str) -> Result<ShadowView, Problem> {
    let found = api.node.scripts.describe(&access.tenant.name, name)?.ok_or_else(|| no_script(name))?;
    let (version, report) =
        found.shadow.map_or((None, Report::default()), |(hash, report)| (Some(hash), report));
    let Report { same, parted, not_compared, differences } = report;
    Ok(ShadowView { version, same, parted, not_compared, differences })
}

/// A script's calls as they come: each import with its arguments in words, what it returned, and how long that took.
/// Calls that began before the stream did are not in it.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/scripts/{name}/timeline", tag = "scripts",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 200, content_type = "text/event-stream"), (status = 404, body = Problem)))]
pub(super) async fn timeline(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access.may(Role::Developer)?;
    must_exist(&api, &access, &name)?;
    let row = log_row(&access.tenant.name, &name);
    streams::stream(&api, streams::Which::Timelines, row, access.tenant.timezone.clone(), &headers)
}

/// A shipped script, or one of the tenant's own.
fn must_exist(api: &Api, access: &Access, name: &str) -> Result<(), Problem> {
    let own = || api.node.scripts.names(&access.tenant.name).iter().any(|known| known == name);
    if name.starts_with("strowger/") || own() { Ok(()) } else { Err(no_script(name)) }
}

fn described(api: &Api, access: &Access, name: &str) -> Result<ScriptView, Problem> {
    let described = api.node.scripts.describe(&access.tenant.name, name)?.ok_or_else(|| no_script(name))?;
    Ok(view(described, &access.tenant))
}

fn tell_activated(api: &Api, access: &Access, kind: &'static str, name: &str, version: &str) {
    let told = serde_json::json!({ "script": name, "version": version, "by": access.who() });
    api.node.events.publish(&access.tenant.name, kind, told);
    changed(api, access);
}

fn tell_canary(api: &Api, access: &Access, name: &str, version: &str, share: u32) {
    let share = percent(share);
    let told = serde_json::json!({ "script": name, "version": version, "share": share, "by": access.who() });
    api.node.events.publish(&access.tenant.name, "script.canary", told);
}

/// What was asked when a component was put.
fn load(access: &Access, query: &PutScript, headers: &HeaderMap) -> Result<Load, Problem> {
    may_force(access, query.force)?;
    let wrong = |place: &str, what: &str| {
        let problems = vec![Particular { place: place.to_owned(), what: what.to_owned() }];
        Problem { problems, ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{place}: {what}")) }
    };
    if let Some(label) = &query.label {
        check_name(label)?;
        // Numbers and hashes name versions too.
        if label.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong("label", "it reads like a number or a hash; write one with another letter"));
        }
    }
    if query.notes.as_ref().is_some_and(|notes| notes.len() > LONGEST_NOTES) {
        return Err(wrong("notes", &format!("they are longer than {LONGEST_NOTES} bytes")));
    }
    let is_hash = |text: &String| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if query.source.as_ref().is_some_and(|source| !is_hash(source)) {
        return Err(wrong("source", "it is no SHA-256 in hex"));
    }
    let signature = match headers.get(SIGNATURE).map(|value| value.to_str().unwrap_or_default()) {
        None => None,
        Some(text) => Some(signature::read(text).map_err(|_| wrong(SIGNATURE, "it is no base64"))?),
    };
    let calls = match (share(query.canary)?, query.activate) {
        (Some(_), Some(true)) => {
            return Err(wrong("canary", "it takes a share of the calls or, with activate, all"));
        }
        (Some(share), _) => share,
        (None, Some(false)) => Calls::Draft,
        (None, _) => Calls::All,
    };
    let about = About {
        label: query.label.clone(),
        notes: query.notes.clone(),
        source: query.source.clone(),
        by: Some(access.who()),
    };
    Ok(Load { calls, about, signature, flow: None, forced: query.force })
}

/// The tenant's policy is the admins' to set aside.
fn may_force(access: &Access, force: bool) -> Result<(), Problem> {
    access.may(if force { Role::Admin } else { Role::Developer })
}

/// A share of the calls from percent.
fn share(percent: Option<f64>) -> Result<Option<Calls>, Problem> {
    let Some(percent) = percent else { return Ok(None) };
    if !(0.01..=99.0).contains(&percent) {
        let detail = format!("canary: {percent} percent is no share of the calls; write one from 0.01 to 99");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    Ok(Some(Calls::Share((percent / 100.0 * f64::from(SHARES)).round() as u32)))
}

fn percent(share: u32) -> f64 {
    f64::from(share) * 100.0 / f64::from(SHARES)
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
    must_exist(&api, &access, &name)?;
    let zone = access.tenant.timezone.clone();
    if streams::wanted(&headers) {
        return streams::stream(&api, streams::Which::Logs, row, zone, &headers);
    }
    let page = api.node.logs.read(&row, 0, usize::MAX);
    let skip = page.events.len().saturating_sub(RECENT);
    let lines: Vec<_> = page.events.iter().skip(skip).map(|event| streams::view(event, &zone)).collect();
    Ok(Json(serde_json::json!({ "lines": lines })).into_response())
}

fn view(described: Described, tenant: &Tenant) -> ScriptView {
    let zone = &tenant.timezone;
    let seconds = |length: std::time::Duration| length.as_secs_f64();
    let versions = described.versions.into_iter().map(|v| VersionView {
        version: v.version,
        number: v.number,
        state: v.stage.name(),
        active: v.stage == Stage::Active,
        size: v.size,
        uploaded: time(v.uploaded, zone),
        loaded_by: v.about.by,
        label: v.about.label,
        notes: v.about.notes,
        source: v.about.source,
        signed_by: v.signed_by,
        running: v.fares.running,
        calls: v.fares.calls,
        failures: v.fares.failures,
        decision_p50: seconds(v.fares.p50),
        decision_p99: seconds(v.fares.p99),
        memory: v.fares.memory,
        traps: v.traps.into_iter().map(|(place, count)| TrapView { place, count }).collect(),
    });
    let canary = described.canary.map(|(canary, trial)| CanaryView {
        version: canary.version,
        share: percent(canary.share),
        since: time(canary.since, zone),
        by: canary.by,
        judged_after: tenant.scripting.canary_calls,
        calls: trial.fares.ended,
        failures: trial.fares.failures,
        decision_p99: seconds(trial.fares.p99),
        active_calls: trial.others.ended,
        active_failures: trial.others.failures,
        active_decision_p99: seconds(trial.others.p99),
    });
    let rolled_back = described.rolled_back.map(|rolled_back| RolledBackView {
        version: rolled_back.version,
        reason: rolled_back.reason,
        at: time(rolled_back.at, zone),
    });
    ScriptView {
        name: described.name,
        active: described.active,
        previous: described.previous,
        since: time(described.since, zone),
        activated_by: described.by,
        canary,
        rolled_back,
        shadow: described.shadow.map(|(hash, _)| hash),
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
    let mut parts = body.into_data_stream();
    let (mut kept, mut came) = (Vec::new(), 0_u64);
    while let Some(part) = parts.next().await {
        let part = part.map_err(|_| Problem::bad(format!("{what} broke off")))?;
        came += part.len() as u64;
        if came <= most {
            kept.extend_from_slice(&part);
        } else if came - most > READ_ON {
            break;
        } else {
            kept = Vec::new();
        }
    }
    if came > most {
        let detail = format!("{what} is larger than {most} bytes, the tenant's {limit}");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    Ok(kept.into())
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
