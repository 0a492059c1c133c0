//! Responses, with the headers that each must have.

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

/// A response without a body. Nothing that passes here may be kept by a cache (RFC 6749 §5.1).
#[must_use]
pub fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    response
}

/// A response without a body or its length: to HEAD, where finding out the length would have side effects.
#[must_use]
pub fn without_length(status: StatusCode) -> Response {
    let mut response = empty(status);
    *response.body_mut() = Body::from_stream(Body::empty().into_data_stream());
    response
}

fn with_body(status: StatusCode, kind: &'static str, body: impl Into<Body>) -> Response {
    let mut response = empty(status);
    *response.body_mut() = body.into();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// JSON that no cache may keep.
#[must_use]
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => with_body(status, "application/json", body),
        Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// A public document that caches may keep for `seconds`.
#[must_use]
pub fn public(kind: &'static str, body: &[u8], seconds: u32) -> Response {
    let mut response = with_body(StatusCode::OK, kind, Bytes::copy_from_slice(body));
    let headers = response.headers_mut();
    headers.remove(header::PRAGMA);
    if let Ok(value) = HeaderValue::from_str(&format!("public, max-age={seconds}")) {
        headers.insert(header::CACHE_CONTROL, value);
    }
    response
}

/// A page, with its content security policy.
#[must_use]
pub fn page(status: StatusCode, html: String, policy: &str) -> Response {
    let mut response = with_body(status, "text/html; charset=utf-8", html);
    if let Ok(value) = HeaderValue::from_str(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, value);
    }
    response
}

/// Elsewhere, by GET (RFC 9110 §15.4.4).
#[must_use]
pub fn see_other(location: &str) -> Response {
    let mut response = empty(StatusCode::SEE_OTHER);
    match HeaderValue::from_str(location) {
        Ok(value) => {
            response.headers_mut().insert(header::LOCATION, value);
        }
        Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
    }
    response
}

/// The response with the time after which the request may be repeated, in seconds (RFC 9110 §10.2.3).
#[must_use]
pub fn with_retry_after(mut response: Response, seconds: u64) -> Response {
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

/// A text that browsers save as a file with this name, which is plain ASCII.
#[must_use]
pub fn download(name: &str, body: String) -> Response {
    let mut response = text("text/plain; charset=utf-8", body);
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

/// Plain text that no cache may keep.
#[must_use]
pub fn text(kind: &'static str, body: String) -> Response {
    with_body(StatusCode::OK, kind, body)
}
