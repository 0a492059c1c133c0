//! `/healthz` and `/readyz`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::admin::Admin;
use crate::web::respond;

/// `/healthz`: the process responds.
pub(super) async fn alive() -> Response {
    respond::json(StatusCode::OK, &json!({ "status": "alive" }))
}

/// `/readyz`: the store can be used.
pub(super) async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    match admin.services.store.ping().await {
        Ok(()) => respond::json(StatusCode::OK, &json!({ "status": "ready" })),
        Err(error) => {
            let body = json!({ "status": "not ready", "store": error.to_string() });
            respond::json(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
    }
}
