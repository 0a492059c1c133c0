//! The audit trail.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use serde_json::json;

use crate::admin::Admin;
use crate::admin::api::answer::{Answer, ApiError, json_answer};
use crate::admin::api::parameters::{limit, parameters};
use crate::op::administration::audit::{self, Filter};

/// How many events an answer has unless the request says otherwise.
const LIMIT: u32 = 100;
/// How many it has at most.
const MOST: u32 = 1_000;
/// How many lines of the chain it has at most.
const MOST_LINES: u32 = 5_000;

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|_| ApiError::invalid(format!("`{name}` must be a number")))
}

/// `GET /api/audit?user=NAME&client=KEY&provider=ID&event=KIND&reason=CODE&address=IP&from=TIME&to=TIME&before=SEQ&limit=N`:
/// events, newest first; times in seconds since the Unix epoch. `next` is the event to continue before, if there may be more.
pub(super) async fn query(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Answer {
    let known = ["user", "client", "provider", "event", "reason", "address", "from", "to", "before", "limit"];
    let mut filter = Filter { limit: LIMIT, ..Filter::default() };
    for (name, value) in parameters(query.as_deref(), &known)? {
        match name.as_str() {
            "user" => filter.user = Some(value),
            "client" => filter.client = Some(value),
            "provider" => filter.provider = Some(value),
            "event" => filter.event = Some(value),
            "reason" => filter.reason = Some(value),
            "address" => filter.address = Some(value),
            "from" => filter.from = Some(number("from", &value)?),
            "to" => filter.to = Some(number("to", &value)?),
            "before" => filter.before = Some(number("before", &value)?),
            _ => filter.limit = limit(&value, MOST)?,
        }
    }
    let page = audit::query(&*admin.services.store, &filter).await?;
    json_answer(&json!({ "events": page.events, "next": page.next }))
}

/// `GET /api/audit/chain?after=SEQ&limit=N`: the lines of this replica's chain, the oldest first, with the ends of the chain.
pub(super) async fn chain(State(admin): State<Arc<Admin>>, RawQuery(query): RawQuery) -> Answer {
    let (mut after, mut most) = (0, MOST_LINES);
    for (name, value) in parameters(query.as_deref(), &["after", "limit"])? {
        match name.as_str() {
            "after" => after = number("after", &value)?,
            _ => most = limit(&value, MOST_LINES)?,
        }
    }
    json_answer(&audit::stretch(&*admin.services.store, after, most).await?)
}
