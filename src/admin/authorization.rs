//! The bearer token that every path except the health checks requires (RFC 6750 §2.1).
//!
//! Without a token, which `check` permits on loopback only, a browser on the same machine could be made to read: a page
//! elsewhere lets the name of its own host point at 127.0.0.1 (DNS rebinding), and is then of the same origin. Browsers send
//! neither `Origin` nor `Sec-Fetch-Site` with such a request, but they send that name as `Host`.

use std::net::IpAddr;
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde_json::json;

use crate::admin::Admin;
use crate::config::language::scalar::SecretValue;
use crate::op::client::authentication::strip_scheme;
use crate::throttle::{Claimant, Source, Wait};
use crate::web::listener::Peer;
use crate::web::respond;

/// Accepts a request that has one of the tokens. If none is declared, every request is accepted that names this machine.
pub(super) async fn authorize(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let presented = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let presented = presented.and_then(|value| strip_scheme(value, "bearer")).unwrap_or_default();
    let known = |token: &SecretValue| verify_slices_are_equal(token.expose().as_bytes(), presented.as_bytes()).is_ok();
    let snapshot = admin.snapshot.load();
    let (needs_token, authorized) = (snapshot.config.admin.token.is_some(), snapshot.admin_tokens.iter().any(known));
    drop(snapshot);
    let peer = request.extensions().get::<Peer>().copied();
    if !needs_token && peer != Some(Peer::Unix) && !names_this_machine(request.headers()) {
        let text =
            "use an IP address or localhost in the URL, or set admin.token: any other name may belong to a stranger";
        let body = json!({ "error": "host_not_local", "error_description": text });
        return respond::json(StatusCode::MISDIRECTED_REQUEST, &body);
    }
    if !needs_token || authorized {
        return next.run(request).await;
    }
    let peer = match peer {
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

/// Whether `Host` is an address or `localhost`, which no stranger's name can be. HTTP/1.0 has none.
fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
    host.is_some_and(|authority| {
        let host = authority.host();
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok()
    })
}
