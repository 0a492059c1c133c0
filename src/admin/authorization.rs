//! The bearer token that every path except the health checks requires (RFC 6750 §2.1).

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::admin::Admin;
use crate::config::language::scalar::SecretValue;
use crate::op::client::authentication::strip_scheme;
use crate::throttle::{Claimant, Source, Wait};
use crate::web::listener::Peer;
use crate::web::respond;

/// Accepts a request that has one of the tokens. If none is declared, which `check` permits on loopback only, every request
/// is accepted.
pub(super) async fn authorize(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let presented = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let presented = presented.and_then(|value| strip_scheme(value, "bearer")).unwrap_or_default();
    let known = |token: &SecretValue| verify_slices_are_equal(token.expose().as_bytes(), presented.as_bytes()).is_ok();
    let snapshot = admin.snapshot.load();
    let open = snapshot.config.admin.token.is_none() || snapshot.admin_tokens.iter().any(known);
    drop(snapshot);
    if open {
        return next.run(request).await;
    }
    let peer = match request.extensions().get::<Peer>() {
        Some(Peer::Address(peer)) => Some(peer.ip()),
        Some(Peer::Unix) | None => None,
    };
    if let Err(Wait(seconds)) = admin.services.throttle.failed_authentication(Claimant::Administrator, Source::of(peer))
    {
        return respond::with_retry_after(respond::empty(StatusCode::TOO_MANY_REQUESTS), seconds);
    }
    tracing::warn!(event = "authentication_failed", address = peer.map(tracing::field::display), "wrong admin token");
    let mut response = respond::empty(StatusCode::UNAUTHORIZED);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"admin\""));
    response
}
