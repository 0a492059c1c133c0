//! `/healthz` and `/readyz`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::admin::Admin;
use crate::web::respond;

/// `/healthz`: the process responds.
pub(super) async fn alive() -> Response {
    respond::json(StatusCode::OK, &json!({ "status": "alive" }))
}

/// `/readyz`: the store can be used, and a key signs with each algorithm of the file.
pub(super) async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    let store = admin.services.store.ping().await.err().map(|error| error.to_string());
    let missing = admin.services.keys.set().missing(&admin.snapshot.load().config.keys.algorithms);
    if store.is_none() && missing.is_empty() {
        return respond::json(StatusCode::OK, &json!({ "status": "ready" }));
    }
    let mut body = Map::from_iter([("status".to_owned(), Value::from("not ready"))]);
    body.extend(store.map(|error| ("store".to_owned(), Value::from(error))));
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|algorithm| algorithm.name()).collect();
        body.insert("keys".to_owned(), Value::from(format!("no key signs with {}", names.join(", "))));
    }
    respond::json(StatusCode::SERVICE_UNAVAILABLE, &body)
}
