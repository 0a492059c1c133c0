//! The audit trail, and how many people were refused lately: why, at which app, by which provider.

use std::collections::BTreeMap;

use crate::audit::{Event, Kind, Text};
use crate::op::RequestContext;
use crate::store::Result;
use crate::store::audit::{EventPage, EventQuery};

/// How far back refusals are counted, in seconds.
const LATELY: i64 = 7 * 86_400;
/// How many refusals are counted at most.
pub const COUNTED: u32 = 500;
/// How many events a page has.
pub const PAGE: u32 = 30;

/// How often people were refused lately, the most frequent first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// By reason code.
    pub by_reason: Vec<(String, u64)>,
    /// By the key of the client.
    pub by_client: Vec<(String, u64)>,
    /// By the id of the provider.
    pub by_provider: Vec<(String, u64)>,
    /// Whether there were more than are counted.
    pub more: bool,
}

/// Counts the refusals of the last days.
///
/// # Errors
/// When the store is not available.
pub async fn refusals(context: &RequestContext<'_>) -> Result<Refusals> {
    let query = EventQuery {
        kinds: vec![Kind::Refusal],
        from: Some(context.now - LATELY),
        limit: COUNTED,
        ..EventQuery::default()
    };
    let page = context.store().events(query).await?;
    let by =
        |name: fn(&Event) -> Option<&Text>| counted(page.events.iter().filter_map(|recorded| name(&recorded.event)));
    Ok(Refusals {
        by_reason: by(|event| event.reason.as_ref()),
        by_client: by(|event| event.client.as_ref()),
        by_provider: by(|event| event.provider.as_ref()),
        more: page.next.is_some(),
    })
}

fn counted<'e>(names: impl Iterator<Item = &'e Text>) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    let mut counts: Vec<(String, u64)> = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

/// A page of events.
///
/// # Errors
/// When the store is not available.
pub async fn list(context: &RequestContext<'_>, query: EventQuery) -> Result<EventPage> {
    context.store().events(EventQuery { limit: PAGE, ..query }).await
}
