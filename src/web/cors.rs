//! Cross-origin calls (Fetch §3.2): documents for every origin; token, userinfo, revocation and pushed authorization requests
//! for the origins of clients. Never with credentials.
//!
//! `tower-http`'s `CorsLayer` has one policy for a router. Here the answer depends on the route, and the origins on the
//! generation that the request sees, which its predicate would have to load a second time.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::config::check::paths::Route;
use crate::protocol::paths::Endpoint;
use crate::snapshot::Snapshot;

/// Who may read the answer of a route.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    Everyone,
    Clients,
    Nobody,
}

const fn readers(route: &Route) -> Readers {
    match route {
        Route::Discovery | Route::Endpoint(Endpoint::Jwks) => Readers::Everyone,
        Route::Endpoint(
            Endpoint::Token | Endpoint::Userinfo | Endpoint::Revocation | Endpoint::PushedAuthorizationRequest,
        ) => Readers::Clients,
        _ => Readers::Nobody,
    }
}

/// The value of `Access-Control-Allow-Origin` for an origin.
fn allowed(snapshot: &Snapshot, readers: Readers, origin: &str) -> Option<HeaderValue> {
    match readers {
        Readers::Everyone => Some(HeaderValue::from_static("*")),
        Readers::Clients => {
            let mut clients = snapshot.clients.values().filter(|client| client.enabled);
            let known = clients.any(|client| client.origins.iter().any(|known| known == origin));
            known.then(|| HeaderValue::from_str(origin).ok()).flatten()
        }
        Readers::Nobody => None,
    }
}

/// Adds what an answer needs.
pub(super) fn decorate(headers: &mut HeaderMap, snapshot: &Snapshot, route: &Route, origin: Option<&str>) {
    let readers = readers(route);
    if readers == Readers::Clients {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    let Some(value) = origin.and_then(|origin| allowed(snapshot, readers, origin)) else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate, DPoP-Nonce"));
}

/// Adds what the answer to a preflight needs.
pub(super) fn preflight(headers: &mut HeaderMap, snapshot: &Snapshot, route: &Route, origin: Option<&str>) {
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
