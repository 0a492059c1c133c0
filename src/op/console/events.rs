//! The audit trail, and how many people were refused lately, by reason.

use std::collections::BTreeMap;

use crate::audit::Kind;
use crate::op::RequestContext;
use crate::store::Result;
use crate::store::audit::{EventPage, EventQuery};

/// How far back refusals are counted, in seconds.
const LATELY: i64 = 7 * 86_400;
/// How many refusals are counted at most.
pub const COUNTED: u32 = 500;
/// How many events a page has.
pub const PAGE: u32 = 30;

/// How often people were refused lately, by reason, the most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// The reason codes.
    pub by_reason: Vec<(String, u64)>,
    /// Whether there were more than are counted.
    pub more: bool,
}

/// Counts the refusals of the last days.
///
/// # Errors
/// When the store is not available.
pub async fn refusals(context: &RequestContext<'_>) -> Result<Refusals> {
    let query = EventQuery {
        kind: Some(Kind::Refusal),
        from: Some(context.now - LATELY),
        limit: COUNTED,
        ..EventQuery::default()
    };
    let page = context.store().events(query).await?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for recorded in &page.events {
        let reason = recorded.event.reason.as_deref().unwrap_or_default();
        *counts.entry(reason.to_owned()).or_default() += 1;
    }
    let mut by_reason: Vec<(String, u64)> = counts.into_iter().collect();
    by_reason.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(Refusals { by_reason, more: page.next.is_some() })
}

/// A page of events.
///
/// # Errors
/// When the store is not available.
pub async fn list(context: &RequestContext<'_>, query: EventQuery) -> Result<EventPage> {
    context.store().events(EventQuery { limit: PAGE, ..query }).await
}
