//! `/api`: what the commands `users`, `sessions`, `clients` and `consents` ask of a running broker. Lists by GET, actions by
//! POST with a JSON object; every answer is JSON, an error too.
//!
//! A browser must not be led here by another site, since on loopback no token is needed: requests that a browser marks with
//! `Origin` or `Sec-Fetch-Site` are refused, and an action needs `Content-Type: application/json`, which no form sends.

mod actions;
mod lists;

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Serialize;
use serde_json::json;

use crate::admin::Admin;
use crate::op::RequestContext;
use crate::op::administration::Failure;
use crate::snapshot::Snapshot;
use crate::throttle::Source;
use crate::web::respond;

/// The routes below `/api`.
pub(super) fn routes() -> axum::Router<Arc<Admin>> {
    axum::Router::new()
        .route("/users", get(lists::users))
        .route("/user", get(lists::user))
        .route("/sessions", get(lists::sessions))
        .route("/users/disable", post(actions::disable_user))
        .route("/users/enable", post(actions::enable_user))
        .route("/users/rename", post(actions::rename_user))
        .route("/sessions/revoke", post(actions::revoke_sessions))
        .route("/clients/revoke", post(actions::revoke_client))
        .route("/consents/revoke", post(actions::revoke_consent))
        .layer(middleware::from_fn(no_browsers))
}

async fn no_browsers(request: Request, next: Next) -> Response {
    let headers: &HeaderMap = request.headers();
    if headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site") {
        return ApiError::new(StatusCode::FORBIDDEN, "from_a_browser", "this interface is not for browsers").response();
    }
    next.run(request).await
}

/// The context of a request: one generation, one reading of the clock.
///
/// # Errors
/// When there is no randomness for a trace id.
fn context<'a>(admin: &'a Admin, snapshot: &'a Snapshot) -> Result<RequestContext<'a>, ApiError> {
    let services = &admin.services;
    let Ok(trace_id) = services.random.id() else {
        let text = "the random generator is not available";
        return Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "no_randomness", text));
    };
    let (now, source) = (services.clock.now(), Source::of(None));
    Ok(RequestContext { services, snapshot, now, trace_id, source })
}

/// What an operation answered, or why it was not carried out.
fn answer(outcome: Result<impl Serialize, Failure>) -> Response {
    let failure = match outcome {
        Ok(body) => return respond::json(StatusCode::OK, &body),
        Err(failure) => failure,
    };
    let (status, code) = match &failure {
        Failure::NotFound(_) => (StatusCode::NOT_FOUND, "not_found"),
        Failure::Ambiguous(_) => (StatusCode::CONFLICT, "ambiguous"),
        Failure::Refused(_) => (StatusCode::CONFLICT, "refused"),
        Failure::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"),
    };
    ApiError::new(status, code, failure.to_string()).response()
}

/// Why a request is not carried out.
struct ApiError {
    status: StatusCode,
    code: &'static str,
    description: String,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, description: impl Into<String>) -> Self {
        Self { status, code, description: description.into() }
    }

    /// The request is not one of this interface.
    fn invalid(description: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    }

    fn response(&self) -> Response {
        respond::json(self.status, &json!({ "error": self.code, "error_description": self.description }))
    }
}
