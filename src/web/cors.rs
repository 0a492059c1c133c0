//! Cross-origin calls: discovery and keys for all; token, userinfo, revocation and PAR for the origins of clients. Never with
//! credentials.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::snapshot::Snapshot;
use crate::snapshot::issuer::Route;

/// The origin that may read the answer.
fn allowed(snapshot: &Snapshot, route: &Route, origin: &str) -> Option<HeaderValue> {
    match route {
        Route::Discovery | Route::Jwks => Some(HeaderValue::from_static("*")),
        Route::Token | Route::Userinfo | Route::Revoke | Route::Push => {
            let known = snapshot.clients.values().filter(|client| client.enabled);
            let known = known.flat_map(|client| &client.origins).any(|known| known == origin);
            known.then(|| HeaderValue::from_str(origin).ok()).flatten()
        }
        _ => None,
    }
}

/// Adds what the answer needs.
pub fn decorate(headers: &mut HeaderMap, snapshot: &Snapshot, route: &Route, origin: Option<&str>) {
    if matches!(route, Route::Token | Route::Userinfo | Route::Revoke | Route::Push) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    let Some(value) = origin.and_then(|origin| allowed(snapshot, route, origin)) else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate"));
}

/// Adds what a preflight's answer needs.
pub fn preflight(headers: &mut HeaderMap, snapshot: &Snapshot, route: &Route, origin: Option<&str>) {
    decorate(headers, snapshot, route, origin);
    if headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Authorization, Content-Type, DPoP"),
        );
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    }
}
