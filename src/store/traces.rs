//! Decisions, kept for `explain --trace`.

use async_trait::async_trait;

use crate::store::Result;
use crate::store::model::StoredTrace;

/// Decisions, kept for `explain --trace`.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait Traces: Send + Sync {
    /// Keeps a decision that comes without a sign-in: a refusal. Those of one account, and of all who have none, are bounded in
    /// number; the oldest go first.
    async fn save_trace(&self, trace: StoredTrace) -> Result<()>;

    /// A decision by its id.
    async fn trace(&self, id: &str, now: i64) -> Result<Option<StoredTrace>>;
}
