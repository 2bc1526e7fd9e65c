//! Prompts over HTTP: WAV files in any rate, kept as given.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use super::access::Access;
use super::problem::Problem;
use super::scripts::{blocking, check_name, read};
use crate::config::Role;
use crate::prompts::Described;

/// A list of prompts.
#[derive(Serialize, ToSchema)]
pub(super) struct PromptList {
    /// By name.
    prompts: Vec<Described>,
}

/// All prompts of a tenant.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/prompts", tag = "prompts",
    params(("tenant" = String, Path)), responses((status = 200, body = PromptList)))]
pub(super) async fn list(State(api): State<Api>, access: Access) -> Json<PromptList> {
    Json(PromptList { prompts: api.node.prompts.list(&access.tenant.name) })
}

/// Keeps a WAV file under a name; "welcome.bg" is "welcome" for callers in Bulgarian. Durable when
/// answered.
#[utoipa::path(put, path = "/v1/tenants/{tenant}/prompts/{name}", tag = "prompts",
    params(("tenant" = String, Path), ("name" = String, Path)),
    request_body(content = Vec<u8>, content_type = "audio/wav"),
    responses((status = 201, body = Described), (status = 413, body = Problem), (status = 422, body = Problem)))]
pub(super) async fn put(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
    body: Body,
) -> Result<(StatusCode, Json<Described>), Problem> {
    access.may(Role::Developer)?;
    check_name(&name)?;
    let wav = read(body, access.tenant.limits.prompt_size, "the file", "prompt_size").await?;
    let kept = blocking(move || api.node.prompts.put(&access.tenant, &name, &wav)).await??;
    Ok((StatusCode::CREATED, Json(kept)))
}

/// The WAV file as it was given.
#[utoipa::path(get, path = "/v1/tenants/{tenant}/prompts/{name}", tag = "prompts",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 200, content_type = "audio/wav"), (status = 404, body = Problem)))]
pub(super) async fn get(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let asked = name.clone();
    let found = blocking(move || api.node.prompts.get(&access.tenant.name, &asked)).await??;
    let wav = found.ok_or_else(|| no_prompt(&name))?;
    Ok(([(header::CONTENT_TYPE, "audio/wav")], wav).into_response())
}

/// Forgets a prompt.
#[utoipa::path(delete, path = "/v1/tenants/{tenant}/prompts/{name}", tag = "prompts",
    params(("tenant" = String, Path), ("name" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(super) async fn delete(
    State(api): State<Api>,
    access: Access,
    Path((_, name)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    access.may(Role::Developer)?;
    let asked = name.clone();
    let was_there = blocking(move || api.node.prompts.delete(&access.tenant.name, &asked)).await??;
    if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(no_prompt(&name)) }
}

fn no_prompt(name: &str) -> Problem {
    Problem::not_found(format!("there is no prompt \"{name}\"; load it with PUT"))
}
