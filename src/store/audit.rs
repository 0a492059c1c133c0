//! The audit trail: events in the order in which they were recorded, each chained to the one before.
//!
//! Events that tell of a write are recorded in its transaction: the operations that have such events take them.

use async_trait::async_trait;

use crate::audit::chain::{Place, Recorded};
use crate::audit::{Event, Kind};
use crate::store::Result;
use crate::store::ids::UserId;

/// Which events to read. Every field that is set narrows them.
#[derive(Clone, Debug, Default)]
pub struct EventQuery {
    /// Of this account.
    pub account: Option<UserId>,
    /// Of this client, by its key in the file.
    pub client: Option<String>,
    /// Of this provider.
    pub provider: Option<String>,
    /// Of one of these kinds; of any kind if there are none.
    pub kinds: Vec<Kind>,
    /// With this reason code.
    pub reason: Option<String>,
    /// From this address.
    pub address: Option<String>,
    /// Not before this time.
    pub from: Option<i64>,
    /// Not after this time.
    pub to: Option<i64>,
    /// Only events before this one: the `next` of the page before.
    pub before: Option<u64>,
    /// How many at most.
    pub limit: u32,
}

/// A page of events, the newest first.
#[derive(Clone, Debug, Default)]
pub struct EventPage {
    /// The events.
    pub events: Vec<Recorded>,
    /// Where the next page begins, if there may be one. A page may be short and have one all the same: reading stops after a
    /// bounded number of events that do not match.
    pub next: Option<u64>,
}

/// The ends of this replica's chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainEnds {
    /// Id of the replica; empty before its first event.
    pub replica: String,
    /// The last event that retention removed: the oldest one left follows it.
    pub anchor: Option<Place>,
    /// The last event.
    pub last: Option<Place>,
}

/// The audit trail.
///
/// Each operation is one transaction.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Records events that tell of no write of the store. They survive the end of the process; a power cut may take the last
    /// of them, and then nothing that was written after them is left either.
    async fn record(&self, events: Vec<Event>) -> Result<()>;

    /// Reads events, the newest first, by an index for each field of the query.
    async fn events(&self, query: EventQuery) -> Result<EventPage>;

    /// The lines of this replica's events after `seq`, the oldest first, at most `limit`.
    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<String>>;

    /// The ends of this replica's chain.
    async fn chain_ends(&self) -> Result<ChainEnds>;

    /// Whether this process writes to an output now. Of several processes that share the store one does, as long as it asks again
    /// every half a minute, so that each event is written once.
    async fn may_export(&self, output: &str) -> Result<bool>;

    /// How far an output has come: the last event that was written to it.
    async fn exported(&self, output: &str) -> Result<Option<u64>>;

    /// Remembers how far an output has come.
    async fn set_exported(&self, output: &str, seq: u64) -> Result<()>;

    /// Removes events from before `cutoff` from the beginning of the chain, at most `limit`, and remembers the last of them as
    /// the anchor; `true` when there may be more. An event from after `now`, left by a clock that was wrong, keeps no
    /// older one from being removed.
    async fn forget_events(&self, cutoff: i64, now: i64, limit: u32) -> Result<bool>;
}
