//! The signing keys.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::json;

use crate::admin::Admin;
use crate::admin::api::actions::read;
use crate::admin::api::answer::{Answer, context, json_answer};
use crate::audit::Kind;
use crate::keys::summaries;
use crate::op::administration::{Failure, keys};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    kid: String,
}

/// `GET /api/keys`
pub(super) async fn list(State(admin): State<Arc<Admin>>) -> Answer {
    let snapshot = admin.snapshot.load_full();
    let services = &admin.services;
    let keys =
        summaries(&*services.store, &snapshot.key_policy(), services.clock.now()).await.map_err(Failure::from)?;
    json_answer(&json!({ "keys": keys }))
}

/// `POST /api/keys/rotate {}`
pub(super) async fn rotate(State(admin): State<Arc<Admin>>, headers: HeaderMap, body: Bytes) -> Answer {
    let Nothing {} = read(&headers, &body)?;
    let snapshot = admin.snapshot.load_full();
    let context = context(&admin, &snapshot)?;
    let event = context.event(Kind::AdminAction);
    let (changed, event) = keys::rotate(&admin.services.keys, &snapshot, context.now, event).await?;
    context.record(event).await;
    json_answer(&changed)
}

/// `POST /api/keys/revoke {"kid": ID}`
pub(super) async fn revoke(State(admin): State<Arc<Admin>>, headers: HeaderMap, body: Bytes) -> Answer {
    let Key { kid } = read(&headers, &body)?;
    let snapshot = admin.snapshot.load_full();
    let context = context(&admin, &snapshot)?;
    let event = context.event(Kind::AdminAction);
    let (changed, event) = keys::revoke(&admin.services.keys, &snapshot, context.now, &kid, event).await?;
    context.record(event).await;
    json_answer(&changed)
}
