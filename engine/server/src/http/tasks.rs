//! Tasks over HTTP: who is to be called back, by whom and by when; what was done; and calling back from the list, the
//! agent first and then the caller, who sees the company's number.

use axum::Json;
use axum::extract::{Path, Query, State as Shared};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use notices::webhook::rfc3339;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::access::Access;
use super::control;
use super::problem::Problem;
use super::scripts::blocking;
use crate::config::Role;
use crate::crm::number::Digits;
use crate::events::wall;
use crate::tasks::{Draft, Kind, NoTask, State, Task, TaskId, Wish, check_note};

/// Tasks of a page unless said.
const PAGE: usize = 50;
/// Tasks of a page at most.
const MOST: usize = 500;
/// Tasks that are looked at for one page; one that finds too few ends there, with a cursor to go on.
const MOST_LOOKED_AT: usize = 10_000;
/// What calls a customer back, once the agent has answered.
const CALL_BACK: &str = "strowger/call-back";

#[derive(Deserialize, IntoParams)]
pub(super) struct ListTasks {
    /// "open" or "closed"; open unless said.
    state: Option<String>,
    /// "call-back", "follow-up", "call" or "other"; all unless said.
    kind: Option<String>,
    /// A user, by name.
    responsible: Option<String>,
    /// About this number, in whatever form.
    number: Option<String>,
    /// Those of which the deadline is over.
    late: Option<bool>,
    /// `next` of the page before.
    cursor: Option<String>,
    /// At most so many, 1 to 500; 50 unless said.
    limit: Option<usize>,
}

/// A page of tasks.
#[derive(Serialize, ToSchema)]
pub(super) struct TaskList {
    /// Open ones in the order in which they came, closed ones the newest first.
    tasks: Vec<TaskView>,
    /// The `cursor` of the next page; none at the end.
    next: Option<String>,
    /// All callers to be called back, not those of this page alone.
    to_call_back: usize,
    /// Those of them whose deadline is over.
    late: usize,
}

/// Something to do for a caller. Moments are RFC 3339.
#[derive(Serialize, ToSchema)]
pub(super) struct TaskView {
    /// Names it.
    id: String,
    kind: Kind,
    state: State,
    /// In words.
    title: String,
    /// The caller's.
    number: String,
    /// The caller's name, where one is known.
    name: String,
    /// The contact's id in the CRM.
    contact: Option<String>,
    /// The user who is to do it.
    responsible: Option<String>,
    /// By when.
    due: Option<String>,
    /// The deadline is over, or was when it was done.
    late: bool,
    /// Since when.
    opened: String,
    /// When it was over.
    closed: Option<String>,
    /// Who ended it.
    closed_by: Option<String>,
    /// How often they called in vain.
    missed: u32,
    /// When they called last.
    last: String,
    /// The number that they dialled last.
    dialled: String,
    /// The queue that they were in last.
    queue: Option<String>,
    /// The calls that it is about, at most the last 20.
    calls: Vec<String>,
    /// Recordings of those, by name.
    recordings: Vec<String>,
    /// What was written down, at most the last 20.
    notes: Vec<String>,
}

/// What is to be done.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTask {
    /// Whom it is about.
    #[schema(example = "+359888123456")]
    number: String,
    /// At most 512 bytes.
    #[schema(example = "Send the offer")]
    title: String,
    /// A user; the contact's owner unless said.
    responsible: Option<String>,
    /// By when: RFC 3339.
    due: Option<String>,
}

/// What is to be changed; what is left out stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangeTask {
    /// "done" or "given-up".
    state: Option<State>,
    /// A user.
    responsible: Option<String>,
    /// By when: RFC 3339.
    due: Option<String>,
    /// Written down beside what is there: 1 to 512 bytes.
    note: Option<String>,
}

/// Who calls.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CallNow {
    /// A user, whose telephones ring first; the one whose token it is, else the one responsible, unless said.
    user: Option<String>,
    /// What the customer sees; the number that they dialled unless said.
    show: Option<String>,
}

/// What is to be done for callers: `kind=call-back` lists those missed and not called back yet.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/tasks", tag = "tasks",
    params(("tenant" = String, Path), ListTasks),
    responses((status = 200, body = TaskList), (status = 400, body = Problem)))]
pub(super) async fn list(
    Shared(api): Shared<Api>,
    access: Access,
    Query(query): Query<ListTasks>,
) -> Result<Json<TaskList>, Problem> {
    let most = query.limit.unwrap_or(PAGE);
    if !(1..=MOST).contains(&most) {
        return Err(Problem::bad(format!("limit is {most}; write 1 to {MOST}")));
    }
    let open = match query.state.as_deref() {
        None | Some("open") => true,
        Some("closed") => false,
        Some(other) => return Err(Problem::bad(format!("state is \"{other}\"; write open or closed"))),
    };
    let kind = query.kind.as_deref().map(|name| {
        let kinds = [Kind::CallBack, Kind::FollowUp, Kind::Call, Kind::Other];
        let found = kinds.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| {
            Problem::bad(format!("kind is \"{name}\"; write call-back, follow-up, call or other"))
        })
    });
    let kind = kind.transpose()?;
    let number = query.number.as_deref().map(|number| {
        Digits::read(number).ok_or_else(|| Problem::bad(format!("number is \"{number}\"; write digits")))
    });
    let number = number.transpose()?;
    let cursor = query.cursor.as_deref().map(|text| {
        text.parse::<TaskId>().map_err(|_| Problem::bad("cursor is not the next of another page"))
    });
    let cursor = cursor.transpose()?;
    let now = wall();
    let wanted = |task: &Task| {
        kind.is_none_or(|kind| kind == task.kind)
            && query.responsible.as_ref().is_none_or(|user| task.responsible.as_ref() == Some(user))
            && query.late.is_none_or(|late| late == is_late(task, now))
            && number
                .as_ref()
                .is_none_or(|wanted| Digits::read(&task.number).is_some_and(|known| known.is_same_as(wanted)))
    };
    let (to_call_back, late, of_open) = api.node.tasks.with(&access.tenant.name, |tasks| {
        let due = || tasks.all().filter(|task| task.kind == Kind::CallBack);
        let behind = |task: &&Task| cursor.is_none_or(|id| (task.call, task.no) > (id.call, id.number));
        let page = tasks.all().filter(behind).filter(|task| wanted(task)).take(most + 1);
        let page: Vec<Task> = if open { page.cloned().collect() } else { Vec::new() };
        (due().count(), due().filter(|task| task.is_late(now)).count(), page)
    });
    let (found, next) = if open {
        let more = of_open.len() > most;
        let page: Vec<_> = of_open.into_iter().take(most).collect();
        let last = page.last().map(Task::id).filter(|_| more);
        (page, last)
    } else {
        let (node, tenant) = (api.node.clone(), access.tenant.name.clone());
        let looked = blocking(move || node.tasks.done(&tenant, cursor, MOST_LOOKED_AT)).await??;
        let (whole, oldest) = (looked.len() == MOST_LOOKED_AT, looked.last().map(Task::id));
        let mut page: Vec<_> = looked.into_iter().filter(wanted).take(most + 1).collect();
        let more = page.len() > most;
        page.truncate(most);
        let next = if more { page.last().map(Task::id) } else { oldest.filter(|_| whole) };
        (page, next)
    };
    Ok(Json(TaskList {
        tasks: found.into_iter().map(view).collect(),
        next: next.map(|id| id.to_string()),
        to_call_back,
        late,
    }))
}

/// One task, open or over.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/tasks/{id}", tag = "tasks",
    params(("tenant" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = TaskView), (status = 404, body = Problem)))]
pub(super) async fn get(
    Shared(api): Shared<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
) -> Result<Json<TaskView>, Problem> {
    Ok(Json(view(task(&api, &access, &id).await?)))
}

/// Writes a task down.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/tasks", tag = "tasks",
    params(("tenant" = String, Path)), request_body = NewTask,
    responses((status = 201, body = TaskView), (status = 400, body = Problem)))]
pub(super) async fn add(
    Shared(api): Shared<Api>,
    access: Access,
    Json(new): Json<NewTask>,
) -> Result<Response, Problem> {
    access.may(Role::Agent)?;
    let due = new.due.as_deref().map(moment).transpose()?;
    let draft = Draft { number: new.number, title: new.title, responsible: new.responsible, due };
    let task = api.node.add_task(&access.tenant, draft).await.map_err(Problem::bad)?;
    let place = format!("/v1/tenants/{}/tasks/{}", access.tenant.name, task.id());
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(view(task))).into_response())
}

/// Ends an open task, gives it to another one, or writes something down.
#[utoipa::path(patch, path = "/v1/tenants/{tenant}/tasks/{id}", tag = "tasks",
    params(("tenant" = String, Path), ("id" = String, Path)), request_body = ChangeTask,
    responses((status = 200, body = TaskView), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem, description = "it is over")))]
pub(super) async fn change(
    Shared(api): Shared<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
    Json(wanted): Json<ChangeTask>,
) -> Result<Json<TaskView>, Problem> {
    access.may(Role::Agent)?;
    let state = match wanted.state {
        None | Some(State::Done | State::GivenUp) => wanted.state,
        Some(other) => {
            return Err(Problem::bad(format!("state is \"{}\"; write done or given-up", other.name())));
        }
    };
    let responsible = wanted.responsible.map(|name| {
        let user = access.tenant.user(&name).map(|user| user.name.clone());
        user.ok_or_else(|| Problem::bad(format!("there is no user \"{name}\"")))
    });
    let due = wanted.due.as_deref().map(moment).transpose()?;
    if let Some(note) = &wanted.note {
        check_note(note).map_err(Problem::bad)?;
    }
    let wish = Wish { state, responsible: responsible.transpose()?, due, note: wanted.note, untold: false };
    let known = task(&api, &access, &id).await?;
    match api.node.change_task(&access.tenant, known.id(), wish, &access.who()).await {
        Ok(task) => Ok(Json(view(task))),
        Err(NoTask::Unknown) => {
            let why = format!("the task is over: {}", known.state.name());
            Err(Problem::new(StatusCode::CONFLICT, why))
        }
        Err(NoTask::Store(why)) => Err(why.into()),
    }
}

/// Calls back: rings the user, and when they answer the caller, who sees the company's number. A task ends by itself when
/// the two have spoken.
#[utoipa::path(post, path = "/v1/tenants/{tenant}/tasks/{id}/call", tag = "tasks",
    params(("tenant" = String, Path), ("id" = String, Path)), request_body = CallNow,
    responses((status = 201, body = control::BegunCall), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 503, body = Problem)))]
pub(super) async fn call(
    api: Shared<Api>,
    access: Access,
    Path((_, id)): Path<(String, String)>,
    now: Option<Json<CallNow>>,
) -> Result<Response, Problem> {
    access.may(Role::Agent)?;
    let now = now.map(|Json(now)| now).unwrap_or_default();
    let task = task(&api, &access, &id).await?;
    let user = now.user.or_else(|| access.user().map(str::to_owned)).or_else(|| task.responsible.clone());
    let user = user.ok_or_else(|| Problem::bad("nobody is responsible; say who calls: user"))?;
    let show = now.show.or_else(|| Some(task.dialled.clone())).filter(|number| !number.is_empty());
    let mut settings = Map::from_iter([("number".to_owned(), json!(task.number))]);
    settings.extend(show.map(|number| ("show".to_owned(), Value::from(number))));
    if !task.queue.is_empty() {
        settings.insert("queue".to_owned(), json!(task.queue));
    }
    let new = control::NewCall::with_script(user, task.number, CALL_BACK, settings);
    control::originate(api, access, Json(new)).await
}

async fn task(api: &Api, access: &Access, id: &str) -> Result<Task, Problem> {
    let none = || Problem::not_found(format!("there is no task {id}"));
    let id = id.parse::<TaskId>().map_err(|_| none())?;
    let (node, tenant) = (api.node.clone(), access.tenant.name.clone());
    blocking(move || node.tasks.get(&tenant, id)).await??.ok_or_else(none)
}

fn moment(text: &str) -> Result<f64, Problem> {
    let read = text.parse::<jiff::Timestamp>();
    let at = read
        .map_err(|_| Problem::bad(format!("due is \"{text}\"; write a moment like 2026-11-23T10:00:00Z")))?;
    Ok(at.as_millisecond() as f64 / 1000.0)
}

fn is_late(task: &Task, now: f64) -> bool {
    task.due.is_some_and(|due| due < task.closed.unwrap_or(now))
}

fn view(task: Task) -> TaskView {
    TaskView {
        id: task.id().to_string(),
        late: is_late(&task, wall()),
        kind: task.kind,
        state: task.state,
        title: task.title,
        number: task.number,
        name: task.name,
        contact: task.contact,
        responsible: task.responsible,
        due: task.due.map(rfc3339),
        opened: rfc3339(task.opened),
        closed: task.closed.map(rfc3339),
        closed_by: task.closed_by,
        missed: task.missed,
        last: rfc3339(task.last),
        dialled: task.dialled,
        queue: Some(task.queue).filter(|queue| !queue.is_empty()),
        calls: task.calls.iter().map(ToString::to_string).collect(),
        recordings: task.recordings,
        notes: task.notes,
    }
}
