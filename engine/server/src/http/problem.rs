//! Every refusal of the API as a problem document (RFC 9457): `application/problem+json` with
//! `title`, `status` and `detail`, and `problems` where several things are wrong at once. Refusals
//! that the HTTP library makes itself (unknown paths, methods, bad queries) are turned into the same.

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use script::NoVersion;
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

use crate::prompts::PromptRefused;
use crate::scripts::ScriptError;
use crate::scripts::comparison::Difference;

/// The media type of RFC 9457 §3.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// What the library says of a refusal is quoted up to this length.
const LONGEST_DETAIL: usize = 4096;

/// A refusal. `type` is left out, which means "about:blank" (RFC 9457 §3.1.1).
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// The status in words (RFC 9457 §4.2.1).
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, and what to do.
    pub detail: String,
    /// Each thing that is wrong, where there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Particular>,
}

/// One of several things that are wrong.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Particular {
    /// Where: "import wasi:filesystem/types", "export on-call", "strowger.toml:7" ...
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl Problem {
    /// A refusal with this status and reason.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        Self { title, status: status.as_u16(), detail: detail.into(), problems: Vec::new() }
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 400: the question makes no sense.
    pub fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 503: the engine can't answer now.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(why: StoreError) -> Self {
        let status = match why {
            StoreError::Busy => StatusCode::SERVICE_UNAVAILABLE,
            StoreError::Conflict => StatusCode::CONFLICT,
            StoreError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            StoreError::Full { .. } => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!("the store does not answer: {why}");
        }
        Self::new(status, why.to_string())
    }
}

impl From<ScriptError> for Problem {
    fn from(why: ScriptError) -> Self {
        match why {
            ScriptError::Refused(refused) => {
                let particular = |p: script::Problem| Particular { place: p.place, what: p.what };
                let problems: Vec<_> = refused.problems.into_iter().map(particular).collect();
                let detail = "the component is not one that this engine runs; see problems";
                Self { problems, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail) }
            }
            ScriptError::TooLarge(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, why.to_string()),
            ScriptError::NoVersion(NoVersion::TooManyScripts | NoVersion::TakesAll | NoVersion::NoCanary)
            | ScriptError::Ambiguous(_) => Self::new(StatusCode::CONFLICT, why.to_string()),
            ScriptError::Unsigned => {
                let problems = vec![Particular { place: "signature".to_owned(), what: why.to_string() }];
                Self { problems, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, why.to_string()) }
            }
            ScriptError::NoShare => Self::new(StatusCode::UNPROCESSABLE_ENTITY, why.to_string()),
            ScriptError::Parts(_, ref report) => {
                let particular = |difference: &Difference| Particular {
                    place: format!("call {}", difference.call),
                    what: difference.to_string(),
                };
                let problems = report.differences.iter().map(particular).collect();
                Self { problems, ..Self::new(StatusCode::CONFLICT, why.to_string()) }
            }
            ScriptError::NoVersion(_) => Self::not_found(why.to_string()),
            ScriptError::Store(why) => why.into(),
        }
    }
}

impl From<PromptRefused> for Problem {
    fn from(why: PromptRefused) -> Self {
        match why {
            PromptRefused::Sound(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, why.to_string()),
            PromptRefused::TooLarge(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, why.to_string()),
            PromptRefused::TooMany => Self::new(StatusCode::CONFLICT, why.to_string()),
            PromptRefused::Store(why) => why.into(),
        }
    }
}

/// Turns what the library refuses in plain text into a problem document.
pub(super) async fn as_problem(response: Response<Body>) -> Response<Body> {
    let status = response.status();
    let told = response.headers().get(CONTENT_TYPE).is_some_and(|t| t == PROBLEM_JSON);
    if told || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let said = to_bytes(body, LONGEST_DETAIL).await.unwrap_or_default();
    let said = String::from_utf8_lossy(&said).into_owned();
    let detail = match status {
        StatusCode::NOT_FOUND if said.is_empty() => "there is nothing here; see /v1/openapi.json".to_owned(),
        StatusCode::METHOD_NOT_ALLOWED => "this path takes other methods; see Allow".to_owned(),
        _ => said,
    };
    let mut problem = Problem::new(status, detail).into_response();
    if let Some(allow) = parts.headers.get(ALLOW) {
        problem.headers_mut().insert(ALLOW, allow.clone());
    }
    problem
}
