//! The one table from errors to HTTP.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;

use crate::op::client::authentication::Unauthenticated;
use crate::op::dpop;
use crate::op::error::OAuthError;
use crate::protocol::ErrorCode;
use crate::throttle::Wait;
use crate::web::respond;

/// The status of an error at an endpoint that answers JSON (RFC 6749 §5.2, RFC 6750 §3.1).
const fn status(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::InvalidClient | ErrorCode::InvalidToken => StatusCode::UNAUTHORIZED,
        ErrorCode::InsufficientScope => StatusCode::FORBIDDEN,
        ErrorCode::ServerError => StatusCode::INTERNAL_SERVER_ERROR,
        ErrorCode::TemporarilyUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// An error of the token, introspection, revocation or PAR endpoint.
#[must_use]
pub fn oauth(failure: &Unauthenticated, realm: &str) -> Response {
    let mut response = json_error(&failure.error);
    if let Some(Wait(seconds)) = failure.throttled {
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        return respond::with_retry_after(response, seconds);
    }
    if failure.error.code == ErrorCode::InvalidClient && failure.basic {
        challenge(&mut response, &format!("Basic realm=\"{realm}\", charset=\"UTF-8\""));
    }
    response
}

/// An error of an endpoint that asks for no authentication.
#[must_use]
pub fn plain(error: &OAuthError) -> Response {
    json_error(error)
}

/// An error of the userinfo endpoint: in `WWW-Authenticate` (RFC 6750 §3) and as JSON.
#[must_use]
pub fn bearer(error: &OAuthError, realm: &str) -> Response {
    let mut response = json_error(error);
    let text = format!(
        "Bearer realm=\"{realm}\", error=\"{}\", error_description=\"{}\"",
        error.code.name(),
        error.description
    );
    challenge(&mut response, &text);
    if response.status() == StatusCode::UNAUTHORIZED {
        challenge(&mut response, &dpop_challenge(realm));
    }
    response
}

/// An error of the userinfo endpoint where the token came by the DPoP scheme (RFC 9449 §7.1).
#[must_use]
pub fn dpop(error: &OAuthError, realm: &str) -> Response {
    let mut response = json_error(error);
    if matches!(error.code, ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce) {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    let (code, description) = (error.code.name(), &error.description);
    let text = format!("{}, error=\"{code}\", error_description=\"{description}\"", dpop_challenge(realm));
    challenge(&mut response, &text);
    response
}

fn dpop_challenge(realm: &str) -> String {
    format!("DPoP realm=\"{realm}\", algs=\"{}\"", dpop::ALGORITHMS.map(|algorithm| algorithm.name()).join(" "))
}

/// A request without any token: challenged, with no error code (RFC 6750 §3.1, RFC 9449 §7.1).
#[must_use]
pub fn bearer_missing(realm: &str) -> Response {
    let mut response = respond::empty(StatusCode::UNAUTHORIZED);
    challenge(&mut response, &format!("Bearer realm=\"{realm}\""));
    challenge(&mut response, &dpop_challenge(realm));
    response
}

fn json_error(error: &OAuthError) -> Response {
    let body = serde_json::json!({ "error": error.code.name(), "error_description": error.description });
    let mut response = respond::json(status(error.code), &body);
    if error.code == ErrorCode::TemporarilyUnavailable {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
    }
    response
}

fn challenge(response: &mut Response, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().append(header::WWW_AUTHENTICATE, value);
    }
}
