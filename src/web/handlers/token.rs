//! The endpoints that apps call with their client authentication: token, introspection, revocation, pushed authorization
//! requests.

use axum::http::StatusCode;
use axum::response::Response;

use crate::op::authorize::pushed;
use crate::op::{introspect, revoke, token};
use crate::web::exchange::Exchange;
use crate::web::{error, respond};

/// The token endpoint (RFC 6749 §3.2).
pub(crate) async fn token(exchange: &Exchange<'_>) -> Response {
    let (context, incoming) = (&exchange.context, exchange.incoming);
    let answer = token::token(context, exchange.authorization(), incoming.proof(), &incoming.form()).await;
    exchange.json(StatusCode::OK, answer)
}

/// The introspection endpoint (RFC 7662 §2).
pub(crate) async fn introspect(exchange: &Exchange<'_>) -> Response {
    let form = exchange.incoming.form();
    let answer = introspect::introspect(&exchange.context, exchange.authorization(), &form).await;
    exchange.json(StatusCode::OK, answer)
}

/// The revocation endpoint (RFC 7009 §2).
pub(crate) async fn revoke(exchange: &Exchange<'_>) -> Response {
    match revoke::revoke(&exchange.context, exchange.authorization(), &exchange.incoming.form()).await {
        Ok(()) => respond::empty(StatusCode::OK),
        Err(failure) => error::oauth(&failure, &exchange.context.snapshot.issuer.origin),
    }
}

/// The pushed authorization request endpoint (RFC 9126 §2).
pub(crate) async fn push(exchange: &Exchange<'_>) -> Response {
    let (context, incoming) = (&exchange.context, exchange.incoming);
    let answer = pushed::push(context, exchange.authorization(), incoming.proof(), &incoming.form()).await;
    exchange.json(StatusCode::CREATED, answer)
}
