//! Maintenance of the store itself.

use async_trait::async_trait;

use crate::metrics::StoreFigures;
use crate::store::Result;

/// Maintenance of the store itself.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Succeeds if the store can be read and written (`/readyz`).
    async fn ping(&self) -> Result<()>;

    /// How many sessions have not expired. Those that ended by inactivity count until they expire.
    async fn count_sessions(&self, now: i64) -> Result<u64>;

    /// How long the operations of this process took, which it records itself.
    fn figures(&self) -> StoreFigures;

    /// How many writes of this process wait.
    fn waiting(&self) -> usize;

    /// Deletes up to `limit` expired rows of each kind; `true` when there may be more.
    async fn sweep(&self, now: i64, limit: u32) -> Result<bool>;

    /// Gives back the leases of this process, on sweeping and on outputs of the audit trail, because it stops. Other processes
    /// would otherwise wait until they expire.
    async fn give_back_leases(&self) -> Result<()>;
}
