//! Public documents: discovery and the broker's keys.

use axum::response::Response;

use crate::op::discovery;
use crate::web::exchange::Exchange;
use crate::web::respond;

/// How long caches may keep a document, in seconds.
const MAX_AGE: u32 = 300;

/// The discovery document (OIDC Discovery §4.2, RFC 8414 §3.2).
pub(crate) fn discovery(exchange: &Exchange<'_>) -> Response {
    respond::public("application/json", discovery::document(exchange.context.snapshot), MAX_AGE)
}

/// The broker's keys (RFC 7517 §8.5.1).
pub(crate) fn jwks(exchange: &Exchange<'_>) -> Response {
    respond::public("application/jwk-set+json", &exchange.context.services.keys.set().jwks(), MAX_AGE)
}

/// The broker's keys as a client of its providers (RFC 7517 §8.5.1).
pub(crate) fn client_jwks(exchange: &Exchange<'_>) -> Response {
    respond::public("application/jwk-set+json", &exchange.context.snapshot.client_jwks, MAX_AGE)
}
