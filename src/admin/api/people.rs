//! The known people, for a plan.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::json;

use crate::admin::Admin;
use crate::admin::api::actions::read;
use crate::admin::api::answer::{Answer, ApiError, context, json_answer};
use crate::analysis::people::Wanted;
use crate::op::administration::people_read;

/// How many people an answer has at most.
const MOST: u32 = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    claims: Wanted,
    after: String,
    limit: u32,
}

/// `POST /api/people/read {"claims": {PROVIDER: {...}}, "after": KEY, "limit": N}`: people in order of their names, with the
/// claims that are asked for. `next` is what to continue after, if there are more. Reading is recorded in the audit trail.
pub(super) async fn read_page(State(admin): State<Arc<Admin>>, headers: HeaderMap, body: Bytes) -> Answer {
    let Page { claims, after, limit } = read(&headers, &body)?;
    if !(1..=MOST).contains(&limit) {
        return Err(ApiError::invalid(format!("`limit` must be a number from 1 to {MOST}")));
    }
    let snapshot = admin.snapshot.load_full();
    let (people, next) = people_read::page(&context(&admin, &snapshot)?, &claims, &after, limit).await?;
    json_answer(&json!({ "people": people, "next": next }))
}
