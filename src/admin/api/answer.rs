//! What every request of the interface has and gets: a context, and an answer in JSON.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;

use crate::admin::Admin;
use crate::op::administration::Failure;
use crate::op::{RequestContext, TraceId};
use crate::snapshot::Snapshot;
use crate::throttle::Source;
use crate::web::respond;
use crate::x509::Reading;

/// The outcome of a request.
pub(super) type Answer = Result<Response, ApiError>;

/// The context of a request: one generation, one reading of the clock.
///
/// # Errors
/// When there is no randomness for a trace id.
pub(super) fn context<'a>(admin: &'a Admin, snapshot: &'a Snapshot) -> Result<RequestContext<'a>, ApiError> {
    let services = &admin.services;
    let Ok(trace_id) = services.random.trace_id().map(TraceId::new) else {
        let text = "the random generator is not available";
        return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "no_randomness", text));
    };
    let (now, source) = (services.clock.now(), Source::of(None));
    let (address, user_agent, client_certificate) = (None, None, Reading::NotRead);
    Ok(RequestContext { services, snapshot, now, trace_id, source, address, user_agent, client_certificate })
}

/// A successful answer.
#[expect(clippy::unnecessary_wraps, reason = "it ends the handlers, all of which can fail")]
pub(super) fn json_answer(body: &impl Serialize) -> Answer {
    Ok(respond::json(StatusCode::OK, body))
}

/// Why a request is not carried out.
pub(super) struct ApiError {
    status: StatusCode,
    code: &'static str,
    description: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, description: impl Into<String>) -> Self {
        Self { status, code, description: description.into() }
    }

    /// The request is not one of this interface.
    pub(super) fn invalid(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let (status, code) = match &failure {
            Failure::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
            Failure::Ambiguous(_) => (StatusCode::CONFLICT, "ambiguous"),
            Failure::Refused(_) => (StatusCode::CONFLICT, "refused"),
            Failure::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
        };
        Self::new(status, code, failure.to_string())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        respond::json(self.status, &json!({ "error": self.code, "error_description": self.description }))
    }
}
