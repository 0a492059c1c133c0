//! Where a provider posts security events (RFC 8935).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::json;

use crate::op::signals;
use crate::op::signals::Refused;
use crate::web::exchange::Exchange;
use crate::web::respond;

/// The media type of a security event token (RFC 8417 §7.2).
const TOKEN: &str = "application/secevent+jwt";

/// Seconds after which a transmitter should try again.
const AGAIN: u64 = 30;

/// Takes a security event token (RFC 8935 §2.1). It is acknowledged once it has been acted upon.
pub(crate) async fn receive(exchange: &Exchange<'_>, provider: &str) -> Response {
    let incoming = exchange.incoming;
    let received = match incoming.text().filter(|_| incoming.is_of_type(TOKEN)) {
        Some(token) => signals::receive(&exchange.context, provider, token.trim()).await,
        None => Err(Refused::Token("invalid_request", format!("the body must be {TOKEN}"))),
    };
    match received {
        Ok(()) => respond::empty(StatusCode::ACCEPTED),
        Err(Refused::TryAgain) => respond::with_retry_after(respond::empty(StatusCode::SERVICE_UNAVAILABLE), AGAIN),
        Err(Refused::Token(code, description)) => {
            // RFC 8935 §2.3.
            let mut response =
                respond::json(StatusCode::BAD_REQUEST, &json!({ "err": code, "description": description }));
            response.headers_mut().insert(header::CONTENT_LANGUAGE, HeaderValue::from_static("en"));
            response
        }
    }
}
