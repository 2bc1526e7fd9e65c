//! The HTTP API under /v1, described at /v1/openapi.json, with /metrics, /healthz and /readyz beside
//! it. Handlers look things up in the [`Node`] and ask the shards; none of them holds a call's way up.

mod access;
mod bans;
mod bounces;
mod calls;
mod contacts;
mod control;
mod export;
mod mailboxes;
mod outbox;
mod problem;
mod prompts;
mod queues;
mod ranges;
mod recordings;
mod scripts;
mod streams;
mod tasks;
mod tenants;
mod views;

use std::sync::Arc;

use axum::extract::DefaultBodyLimit;
use axum::middleware::map_response;
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use utoipa::OpenApi;

use crate::node::Node;
use crate::shards::Shards;

pub use calls::TAPE_TYPE;
pub use problem::{PROBLEM_JSON, Particular, Problem};
pub use scripts::SIGNATURE;

/// A JSON body; a larger one gets 413. Components and prompts have their tenant's limits.
const MOST_JSON: usize = 64 << 10;

/// Components that are compiled at once; further uploads wait.
const COMPILING: usize = 2;

/// What handlers share.
#[derive(Clone)]
struct Api {
    node: Arc<Node>,
    compiling: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

impl Api {
    fn shards(&self) -> Result<&Arc<dyn Shards>, Problem> {
        self.node.shards().ok_or_else(|| Problem::unavailable("the exchange is starting"))
    }

    /// Until the server is to end.
    async fn stopping(&self) {
        let mut stop = self.stop.clone();
        // A server that is gone has stopped too.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// Serves the API until `stop` says so, and lets requests that are under way finish.
///
/// # Errors
/// When the socket fails.
pub async fn serve(
    node: Arc<Node>,
    listener: TcpListener,
    stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let mut stopped = stop.clone();
    axum::serve(listener, router(node, stop))
        .with_graceful_shutdown(async move {
            let _ = stopped.wait_for(|stop| *stop).await;
        })
        .await
}

/// The whole API as a service.
pub fn router(node: Arc<Node>, stop: watch::Receiver<bool>) -> Router {
    let api = Api {
        node,
        compiling: Arc::new(Semaphore::new(COMPILING)),
        streams: Arc::new(Semaphore::new(streams::STREAMS)),
        stop,
    };
    let tenant = Router::new()
        .route("/scripts", get(scripts::list))
        .route("/scripts/{name}", put(scripts::put).get(scripts::get))
        .route("/scripts/{name}/activate", post(scripts::activate))
        .route("/scripts/{name}/promote", post(scripts::promote))
        .route("/scripts/{name}/shadow", put(scripts::set_shadow).get(scripts::shadow))
        .route("/scripts/{name}/logs", get(scripts::logs))
        .route("/scripts/{name}/timeline", get(scripts::timeline))
        .route("/scripts/{name}/versions/{version}", get(scripts::component))
        .route("/scripts/{name}/versions/{version}/component", get(scripts::component))
        .route("/scripts/{name}/versions/{version}/flow", get(scripts::flow_text))
        .route("/prompts", get(prompts::list))
        .route("/prompts/{name}", put(prompts::put).get(prompts::get).delete(prompts::delete))
        .route("/calls", get(calls::list).post(control::originate))
        .route("/calls/{id}", get(calls::get).patch(calls::set_marks))
        .route("/calls/{id}/tape", get(calls::tape))
        .route("/calls/{id}/ladder", get(calls::ladder))
        .route("/calls/{id}/recording", get(calls::recording))
        .route("/calls/{id}/recording/pause", post(recordings::pause))
        .route("/calls/{id}/recording/resume", post(recordings::resume))
        .route("/calls/{id}/hangup", post(calls::hangup))
        .route("/calls/{id}/move", post(control::move_call))
        .route("/calls/{id}/listen", post(control::listen))
        .route("/calls/{id}/whisper", post(control::whisper))
        .route("/calls/{id}/barge", post(control::barge))
        .route("/recordings", get(recordings::list))
        .route("/recordings/{name}", get(recordings::get).delete(recordings::delete))
        .route("/recordings/{name}/shares", get(recordings::shares).post(recordings::share))
        .route("/shares/{id}", delete(recordings::revoke))
        .route("/mailboxes", get(mailboxes::list))
        .route("/mailboxes/{mailbox}", get(mailboxes::get))
        .route(
            "/mailboxes/{mailbox}/messages/{id}",
            get(mailboxes::sound).patch(mailboxes::mark).delete(mailboxes::delete),
        )
        .route("/users", get(tenants::users))
        .route("/trunks", get(tenants::trunks))
        .route("/numbers", get(tenants::numbers))
        .route("/queues", get(queues::list))
        .route("/queues/{queue}", get(queues::get))
        .route("/queues/{queue}/agents/{agent}", put(queues::sign_in).delete(queues::sign_out))
        .route("/agents", get(queues::agents))
        .route("/agents/{agent}", get(queues::get_agent))
        .route("/agents/{agent}/state", put(queues::set_state))
        .route("/contacts", get(contacts::list))
        .route("/contacts", post(contacts::import).layer(DefaultBodyLimit::max(contacts::MOST_TABLE)))
        .route("/contacts/{id}", get(contacts::get).put(contacts::put).delete(contacts::delete))
        .route("/tasks", get(tasks::list).post(tasks::add))
        .route("/tasks/{id}", get(tasks::get).patch(tasks::change))
        .route("/tasks/{id}/call", post(tasks::call))
        .route("/outbox", get(outbox::list))
        .route("/outbox/{id}", get(outbox::get).delete(outbox::drop_letter))
        .route("/outbox/{id}/retry", post(outbox::retry))
        .route("/bounces", get(bounces::list))
        .route("/bounces", post(bounces::add).layer(DefaultBodyLimit::max(bounces::MOST_MAIL)))
        .route("/bounces/{address}", delete(bounces::lift))
        .route("/events", get(streams::events));
    Router::new()
        .nest("/v1/tenants/{tenant}", tenant)
        .route("/v1/tenants", get(tenants::list))
        .route("/v1/reload", post(tenants::reload))
        .route("/v1/bans", get(bans::list))
        .route("/v1/bans/{address}", delete(bans::lift))
        .route("/shared/{link}", get(recordings::shared))
        .route("/v1/openapi.json", get(async || Json(Described::openapi())))
        .route("/metrics", get(tenants::metrics))
        .route("/healthz", get(tenants::healthz))
        .route("/readyz", get(tenants::readyz))
        .layer(DefaultBodyLimit::max(MOST_JSON))
        .layer(map_response(problem::as_problem))
        .with_state(api)
}

/// The API, described.
#[derive(OpenApi)]
#[openapi(
    info(title = "strowger", description = "A programmable telephone exchange", license(name = "Apache-2.0")),
    paths(
        scripts::list, scripts::put, scripts::get, scripts::activate, scripts::promote, scripts::set_shadow,
        scripts::shadow, scripts::logs, scripts::timeline, scripts::component, scripts::flow_text,
        prompts::list, prompts::put, prompts::get, prompts::delete,
        calls::list, calls::get, calls::set_marks, calls::tape, calls::ladder, calls::recording, calls::hangup, control::move_call, control::originate,
        control::listen, control::whisper, control::barge,
        recordings::list, recordings::get, recordings::delete, recordings::pause, recordings::resume,
        recordings::share, recordings::shares, recordings::revoke, recordings::shared,
        mailboxes::list, mailboxes::get, mailboxes::sound, mailboxes::mark, mailboxes::delete,
        tenants::list, tenants::users, tenants::trunks, tenants::numbers, tenants::reload,
        queues::list, queues::get, queues::sign_in, queues::sign_out, queues::agents, queues::get_agent, queues::set_state,
        contacts::list, contacts::import, contacts::get, contacts::put, contacts::delete,
        tasks::list, tasks::add, tasks::get, tasks::change, tasks::call,
        outbox::list, outbox::get, outbox::retry, outbox::drop_letter,
        bounces::list, bounces::add, bounces::lift,
        bans::list, bans::lift,
        tenants::metrics, tenants::healthz, tenants::readyz, streams::events,
    ),
    modifiers(&Bearer),
    security(("bearer" = []))
)]
struct Described;

struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("bearer", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

#[cfg(test)]
mod tests;
