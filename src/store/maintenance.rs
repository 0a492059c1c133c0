//! Maintenance of the store itself.

use async_trait::async_trait;

use crate::store::Result;

/// Maintenance of the store itself.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Succeeds if the store can be read and written (`/readyz`).
    async fn ping(&self) -> Result<()>;

    /// Deletes up to `limit` expired rows of each kind; `true` when there may be more.
    async fn sweep(&self, now: i64, limit: u32) -> Result<bool>;
}
