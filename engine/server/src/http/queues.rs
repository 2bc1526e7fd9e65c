//! Queues and agents over HTTP: who waits and for how long, what agents are doing, today's figures; pausing agents and
//! signing them in and out. A change is acknowledged when it is durable.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use exchange::{AgentView, AgentWish, Failure, Figures, MemberView, QueueView, WaitingView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::access::Access;
use super::problem::Problem;
use crate::config::{Role, User};
use crate::shards::NotSet;

/// A list of queues.
#[derive(Serialize, ToSchema)]
pub(super) struct QueueList {
    /// By name.
    queues: Vec<QueueSummary>,
}

/// A queue in a few figures.
#[derive(Serialize, ToSchema)]
pub(super) struct QueueSummary {
    /// The name.
    name: String,
    /// False for a queue that is configured no longer: callers were promised a call back there, and wait in `waiting`
    /// until it is configured again.
    configured: bool,
    /// The script that decides.
    strategy: String,
    /// Callers in line.
    waiting: usize,
    /// Seconds that the first in line has waited.
    longest: f64,
    /// Agents who serve it, paused ones and those who are offline too.
    agents: usize,
    /// Agents who can be offered a call.
    available: usize,
}

/// A queue as it is now.
#[derive(Serialize, ToSchema)]
pub(super) struct QueueNow {
    /// The name.
    name: String,
    /// False for a queue that is configured no longer: callers were promised a call back there, and wait in `waiting`
    /// until it is configured again.
    configured: bool,
    /// The script that decides.
    strategy: String,
    /// Callers in line, the first in line first.
    waiting: Vec<Waiting>,
    /// Agents who serve it, in the configuration's order.
    agents: Vec<Member>,
    /// Seconds of a conversation lately, wrap-up included; none while nothing is known.
    service: Option<f64>,
    /// Since midnight, or since the exchange started.
    today: Today,
}

/// A caller in line.
#[derive(Serialize, ToSchema)]
pub(super) struct Waiting {
    /// The call; none for a call back that rings nobody now.
    call: Option<String>,
    /// The caller's number, or the one to call back.
    number: String,
    /// First is 1.
    position: u32,
    /// Seconds since the caller entered.
    waited: f64,
    /// Higher goes first.
    priority: i32,
    /// Seconds that it will probably take still.
    expected: Option<f64>,
    /// Agents who are rung for the caller now.
    offered: Vec<String>,
    /// The caller has left and will be called back.
    call_back: bool,
}

/// An agent of a queue.
#[derive(Serialize, ToSchema)]
pub(super) struct Member {
    /// The user's name.
    name: String,
    /// "offline", "available", "offered", "talking", "wrap-up" or "paused".
    state: &'static str,
    /// Of a pause.
    reason: Option<String>,
    /// Seconds in this state.
    since: f64,
    /// The tier: 1 is asked first.
    level: u8,
    /// The share in a weighted queue.
    weight: u16,
}

/// What came of a queue's callers.
#[derive(Serialize, ToSchema)]
pub(super) struct Today {
    /// Got a place.
    entered: u32,
    /// May not wait.
    refused: u32,
    /// Spoke with an agent.
    answered: u32,
    /// Hung up.
    abandoned: u32,
    /// Waited as long as anyone may, or nobody served the queue any more.
    overflowed: u32,
    /// Left the line and were called back.
    called_back: u32,
    /// Left for something else.
    left: u32,
    /// The share of those whose wait is over who were answered within 20 seconds: 0 to 1.
    service_level: Option<f64>,
    /// Seconds until an answer, on average.
    speed_of_answer: Option<f64>,
    /// Seconds of waiting on average, however it ended.
    mean_wait: Option<f64>,
}

/// A list of agents.
#[derive(Serialize, ToSchema)]
pub(super) struct AgentList {
    /// By name.
    agents: Vec<Agent>,
}

/// An agent as seen now.
#[derive(Serialize, ToSchema)]
pub(super) struct Agent {
    /// The user's name.
    name: String,
    /// "offline", "available", "offered", "talking", "wrap-up" or "paused".
    state: &'static str,
    /// Of a pause.
    reason: Option<String>,
    /// Seconds in this state.
    since: f64,
    /// Queues served.
    queues: Vec<String>,
    /// Calls offered today.
    offered: u32,
    /// Calls answered today.
    answered: u32,
    /// Offers missed since the last that was answered.
    missed_in_a_row: u32,
    /// Seconds spoken today.
    talked: f64,
}

/// What an agent shall be.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewState {
    /// "available": to be rung again, which also ends wrap-up and the delay after a missed offer; or "paused".
    state: Wished,
    /// Why paused, at most 64 bytes: "lunch".
    reason: Option<String>,
}

#[derive(Deserialize, ToSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Wished {
    Available,
    Paused,
}

/// Queues: how many wait, and for how long.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/queues", tag = "queues",
    params(("tenant" = String, Path)), responses((status = 200, body = QueueList)))]
pub(super) async fn list(State(api): State<Api>, access: Access) -> Result<Json<QueueList>, Problem> {
    let queues = api.shards()?.queues(&access.tenant.name).await;
    Ok(Json(QueueList { queues: queues.iter().map(summary).collect() }))
}

/// A queue: who waits, what its agents are doing, today's figures.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/queues/{queue}", tag = "queues",
    params(("tenant" = String, Path), ("queue" = String, Path)),
    responses((status = 200, body = QueueNow), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<QueueNow>, Problem> {
    let queues = api.shards()?.queues(&access.tenant.name).await;
    let found = queues.into_iter().find(|queue| queue.name == name);
    found.map(|queue| Json(now(queue))).ok_or_else(|| no_queue(&name))
}

/// Agents: what they are doing, and which queues they serve.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/agents", tag = "queues",
    params(("tenant" = String, Path)), responses((status = 200, body = AgentList)))]
pub(super) async fn agents(State(api): State<Api>, access: Access) -> Result<Json<AgentList>, Problem> {
    let agents = api.shards()?.agents(&access.tenant.name).await;
    Ok(Json(AgentList { agents: agents.into_iter().map(agent).collect() }))
}

/// One agent.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/agents/{agent}", tag = "queues",
    params(("tenant" = String, Path), ("agent" = String, Path)),
    responses((status = 200, body = Agent), (status = 404, body = Problem)))]
pub(super) async fn get_agent(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
) -> Result<Json<Agent>, Problem> {
    let user = user(&access, &name)?;
    let agents = api.shards()?.agents(&access.tenant.name).await;
    let found = agents.into_iter().find(|agent| agent.user == user.name);
    let none = || Problem::not_found(format!("{} serves no queue", user.name));
    found.map(|view| Json(agent(view))).ok_or_else(none)
}

/// Pauses an agent, or makes one available. A token with a `user` may do this for that user; for others it needs the
/// role admin.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/agents/{agent}/state", tag = "queues",
    params(("tenant" = String, Path), ("agent" = String, Path)), request_body = NewState,
    responses((status = 204), (status = 400, body = Problem), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn set_state(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
    Json(new): Json<NewState>,
) -> Result<StatusCode, Problem> {
    let wish = match (new.state, new.reason) {
        (Wished::Paused, reason) => AgentWish::Paused { reason: reason.unwrap_or_default() },
        (Wished::Available, None) => AgentWish::Available,
        (Wished::Available, Some(_)) => return Err(Problem::bad("a reason is for a pause; leave it out")),
    };
    set(&api, &access, &name, wish).await
}

/// Signs an agent in to a queue.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/queues/{queue}/agents/{agent}", tag = "queues",
    params(("tenant" = String, Path), ("queue" = String, Path), ("agent" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn sign_in(
    State(api): State<Api>,
    access: Access,
    Path((_, queue, agent)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    known_queue(&access, &queue)?;
    set(&api, &access, &agent, AgentWish::SignIn { queue }).await
}

/// Signs an agent out of a queue; a call that rings or is talked goes on.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/queues/{queue}/agents/{agent}", tag = "queues",
    params(("tenant" = String, Path), ("queue" = String, Path), ("agent" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub(super) async fn sign_out(
    State(api): State<Api>,
    access: Access,
    Path((_, queue, agent)): Path<(String, String, String)>,
) -> Result<StatusCode, Problem> {
    known_queue(&access, &queue)?;
    set(&api, &access, &agent, AgentWish::SignOut { queue }).await
}

async fn set(api: &Api, access: &Access, name: &str, wish: AgentWish) -> Result<StatusCode, Problem> {
    if !access.is_user(name) {
        access.may(Role::Admin)?;
    }
    access.may(Role::Agent)?;
    let user = user(access, name)?;
    let done = api.shards()?.set_agent(&access.tenant.name, &user.name, wish).await;
    done.map(|()| StatusCode::NO_CONTENT).map_err(|why| match why {
        NotSet::Refused(Failure::NotFound(what)) => Problem::not_found(format!("there is no {what}")),
        NotSet::Refused(Failure::Unreachable) => Problem::unavailable("the exchange is stopping"),
        NotSet::Refused(Failure::Limit(name)) => {
            Problem::new(StatusCode::CONFLICT, format!("limit: {name}; sign someone out first"))
        }
        NotSet::Refused(why) => Problem::bad(why.to_string()),
        NotSet::NotKept(why) => why.into(),
    })
}

fn user<'a>(access: &'a Access, name: &str) -> Result<&'a User, Problem> {
    let found = access.tenant.user(name).map(|user| &**user);
    found.ok_or_else(|| Problem::not_found(format!("there is no user \"{name}\"")))
}

fn known_queue(access: &Access, name: &str) -> Result<(), Problem> {
    access.tenant.queue(name).map(drop).ok_or_else(|| no_queue(name))
}

fn no_queue(name: &str) -> Problem {
    Problem::not_found(format!("there is no queue \"{name}\""))
}

fn summary(queue: &QueueView) -> QueueSummary {
    let available = |member: &&MemberView| member.state == exchange::AgentState::Available;
    QueueSummary {
        name: queue.name.clone(),
        configured: queue.configured,
        strategy: queue.strategy.clone(),
        waiting: queue.waiting.len(),
        longest: seconds(queue.waiting.iter().map(|waiting| waiting.waited).max().unwrap_or_default()),
        agents: queue.agents.len(),
        available: queue.agents.iter().filter(available).count(),
    }
}

fn now(queue: QueueView) -> QueueNow {
    QueueNow {
        name: queue.name,
        configured: queue.configured,
        strategy: queue.strategy,
        waiting: queue.waiting.into_iter().map(waiting).collect(),
        agents: queue.agents.into_iter().map(member).collect(),
        service: queue.service.map(seconds),
        today: today(&queue.today),
    }
}

fn waiting(waiting: WaitingView) -> Waiting {
    Waiting {
        call: waiting.call.map(|call| call.to_string()),
        number: waiting.number,
        position: waiting.position,
        waited: seconds(waiting.waited),
        priority: waiting.priority,
        expected: waiting.expected.map(seconds),
        offered: waiting.offered,
        call_back: waiting.call_back,
    }
}

fn member(member: MemberView) -> Member {
    Member {
        name: member.user,
        state: member.state.name(),
        reason: member.reason,
        since: seconds(member.since),
        level: member.level,
        weight: member.weight,
    }
}

fn agent(agent: AgentView) -> Agent {
    Agent {
        name: agent.user,
        state: agent.state.name(),
        reason: agent.reason,
        since: seconds(agent.since),
        queues: agent.queues,
        offered: agent.offered,
        answered: agent.answered,
        missed_in_a_row: agent.missed_in_a_row,
        talked: seconds(agent.talked),
    }
}

fn today(figures: &Figures) -> Today {
    Today {
        entered: figures.entered,
        refused: figures.refused,
        answered: figures.answered,
        abandoned: figures.abandoned,
        overflowed: figures.overflowed,
        called_back: figures.called_back,
        left: figures.left,
        service_level: figures.service_level(),
        speed_of_answer: figures.speed_of_answer().map(seconds),
        mean_wait: figures.mean_wait().map(seconds),
    }
}

fn seconds(length: Duration) -> f64 {
    length.as_millis() as f64 / 1000.0
}
