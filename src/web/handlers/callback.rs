//! The callback: the way back from a provider.

use axum::response::Response;

use crate::op::callback;
use crate::web::exchange::Exchange;
use crate::web::handlers::authorize;

/// The callback of these providers (OIDC Core §3.1.2.5).
pub(crate) async fn callback(exchange: &Exchange<'_>, providers: &[String]) -> Response {
    let outcome = callback::callback(&exchange.context, providers, &exchange.params(), &exchange.browser).await;
    authorize::write(exchange, &outcome)
}
