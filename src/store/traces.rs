//! Decisions, kept for `explain --trace`.

use async_trait::async_trait;

use crate::audit::Event;
use crate::store::Result;
use crate::store::model::StoredTrace;

/// Decisions, kept for `explain --trace`.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait Traces: Send + Sync {
    /// Stores a decision without a sign-in: a refusal. It replaces an earlier decision with the same id. The number kept for
    /// each account, and for all decisions without one, is bounded; the oldest are deleted first.
    async fn save_trace(&self, trace: StoredTrace, events: Vec<Event>) -> Result<()>;

    /// The refusals of somebody without an account, the newest first, by a name, an address or an upstream `sub`, whatever its
    /// case.
    async fn refusals_named(&self, name: &str, now: i64, limit: u32) -> Result<Vec<StoredTrace>>;

    /// Reads a decision by its id.
    async fn trace(&self, id: &str, now: i64) -> Result<Option<StoredTrace>>;
}
