//! Boxes of messages over HTTP: what is in them, the sound with ranges, what was heard, and what goes. A user's token
//! opens the boxes that are the user's; other boxes need the role that hears recordings.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::access::Access;
use super::problem::Problem;
use super::ranges;
use super::scripts::blocking;
use super::views::time;
use crate::config::{Mailbox, Tenant};
use crate::mailboxes::{Counts, Left, NoMessage, greeting};

/// A box.
#[derive(Serialize, ToSchema)]
pub(super) struct MailboxView {
    /// The name: a user's, or another.
    name: String,
    /// Messages that nobody has heard.
    unheard: u32,
    /// Messages that were heard and kept.
    heard: u32,
    /// At most so many.
    most: usize,
    /// Users who hear it without a PIN.
    users: Vec<String>,
    /// The prompt that greets, where somebody recorded one.
    greeting: Option<String>,
}

/// Boxes.
#[derive(Serialize, ToSchema)]
pub(super) struct MailboxList {
    /// By name.
    mailboxes: Vec<MailboxView>,
}

/// A message.
#[derive(Serialize, ToSchema)]
pub(super) struct MessageView {
    /// Names it: its recording.
    id: String,
    /// The call's id.
    call: String,
    /// Who left it.
    number: String,
    /// Their name, when one was sent.
    name: Option<String>,
    /// When (RFC 3339).
    at: String,
    /// How long it is.
    seconds: f64,
    /// Whether somebody has heard it.
    heard: bool,
    /// Until when the caller was promised a call back.
    call_back_by: Option<String>,
}

/// A box with its messages.
#[derive(Serialize, ToSchema)]
pub(super) struct MessageList {
    /// The box.
    mailbox: MailboxView,
    /// The oldest first.
    messages: Vec<MessageView>,
}

/// What is said of a message.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Mark {
    /// False makes it new again.
    heard: bool,
}

/// The boxes that the token opens: those that are configured, the users' and groups', and whatever others have messages.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/mailboxes", tag = "mailboxes",
    params(("tenant" = String, Path)), responses((status = 200, body = MailboxList)))]
pub(super) async fn list(State(api): State<Api>, access: Access) -> Json<MailboxList> {
    let tenant = &access.tenant;
    let configured = tenant.mailboxes.iter().map(|mailbox| mailbox.name.clone());
    let users = tenant.users.iter().map(|user| user.name.clone());
    let groups = tenant.groups.iter().map(|group| group.name.clone());
    let with_messages = api.node.mailboxes.list(&tenant.name).into_iter().map(|(name, _)| name);
    let names: std::collections::BTreeSet<String> =
        configured.chain(users).chain(groups).chain(with_messages).collect();
    let boxes = names.iter().filter_map(|name| tenant.mailbox(name));
    let mailboxes =
        boxes.filter(|rules| opens(&access, rules).is_ok()).map(|rules| view(&api, tenant, rules));
    Json(MailboxList { mailboxes: mailboxes.collect() })
}

/// The messages of a box.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/mailboxes/{mailbox}", tag = "mailboxes",
    params(("tenant" = String, Path), ("mailbox" = String, Path)),
    responses((status = 200, body = MessageList), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<MessageList>, Problem> {
    let (tenant, rules) = (&access.tenant, mailbox(&access, &name)?);
    let messages = api.node.mailboxes.messages(&tenant.name, &rules.name).into_iter();
    let message = |(id, left): (String, Left)| MessageView {
        id,
        call: left.call.to_string(),
        number: left.number,
        name: left.name,
        at: time(left.at, &tenant.timezone),
        seconds: left.length,
        heard: left.heard,
        call_back_by: left.call_back_by,
    };
    let messages = messages.map(message).collect();
    Ok(Json(MessageList { mailbox: view(&api, tenant, rules), messages }))
}

/// A message's sound, whole or a range of it.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/mailboxes/{mailbox}/messages/{id}", tag = "mailboxes",
    params(("tenant" = String, Path), ("mailbox" = String, Path), ("id" = String, Path)),
    responses((status = 200, content_type = "audio/wav"), (status = 206, content_type = "audio/wav"),
        (status = 404, body = Problem), (status = 416, body = Problem)))]
pub(super) async fn sound(
    State(api): State<Api>,
    access: Access,
    Path((_, name, id)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let rules = mailbox(&access, &name)?;
    let tenant = &access.tenant.name;
    let here = api.node.mailboxes.box_of(tenant, &id).is_some_and(|inbox| inbox == rules.name);
    let kept = api.node.recordings.find(tenant, &id).filter(|_| here);
    ranges::send(&kept.ok_or_else(|| Problem::from(NoMessage::Unknown))?, &headers).await
}

/// Marks a message as heard, or as new again.
#[utoipa::path(patch, path = "/v1/tenants/{tenant}/mailboxes/{mailbox}/messages/{id}", tag = "mailboxes",
    params(("tenant" = String, Path), ("mailbox" = String, Path), ("id" = String, Path)), request_body = Mark,
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn mark(
    State(api): State<Api>,
    access: Access,
    Path((_, name, id)): Path<(String, String, String)>,
    Json(mark): Json<Mark>,
) -> Result<StatusCode, Problem> {
    let rules = mailbox(&access, &name)?;
    blocking(move || api.node.mark_message(&access.tenant.name, &rules.name, &id, mark.heard)).await??;
    Ok(StatusCode::NO_CONTENT)
}

/// Deletes a message and its sound.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/mailboxes/{mailbox}/messages/{id}", tag = "mailboxes",
    params(("tenant" = String, Path), ("mailbox" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn delete(
    State(api): State<Api>,
    access: Access,
    Path((_, name, id)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    let rules = mailbox(&access, &name)?;
    blocking(move || api.node.delete_message(&access.tenant.name, &rules.name, &id)).await??;
    Ok(StatusCode::NO_CONTENT)
}

impl From<NoMessage> for Problem {
    fn from(why: NoMessage) -> Self {
        match why {
            NoMessage::Unknown => Self::not_found(why.to_string()),
            NoMessage::Store(why) => why.into(),
        }
    }
}

fn view(api: &Api, tenant: &Tenant, rules: Mailbox) -> MailboxView {
    let Counts { unheard, heard } = api.node.mailboxes.counts(&tenant.name, &rules.name);
    let prompt = greeting(&rules.name);
    MailboxView {
        greeting: api.node.prompts.describe(&tenant.name, &prompt).map(|_| prompt),
        name: rules.name,
        unheard,
        heard,
        most: rules.most,
        users: rules.users,
    }
}

/// The box, for whoever may open it.
fn mailbox(access: &Access, name: &str) -> Result<Mailbox, Problem> {
    let rules = access.tenant.mailbox(name);
    let rules = rules.ok_or_else(|| Problem::not_found(format!("\"{name}\" is no name of a mailbox")))?;
    opens(access, &rules)?;
    Ok(rules)
}

fn opens(access: &Access, rules: &Mailbox) -> Result<(), Problem> {
    if rules.users.iter().any(|user| access.is_user(user)) {
        return Ok(());
    }
    access.may(access.tenant.recording.listen)
}
