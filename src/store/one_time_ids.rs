//! Identifiers that are accepted once: `jti` of assertions, proofs and logout tokens.

use async_trait::async_trait;

use crate::store::Result;

/// Identifiers that are accepted once: `jti` of assertions, proofs and logout tokens.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait OneTimeIds: Send + Sync {
    /// Remembers a one-time identifier until `expires_at`; `false` if it is already remembered. After `expires_at` it counts as
    /// new.
    async fn use_once(&self, kind: &str, id: &str, expires_at: i64, now: i64) -> Result<bool>;
}
