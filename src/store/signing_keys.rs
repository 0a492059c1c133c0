//! The signing keys.

use async_trait::async_trait;

use crate::store::Result;
use crate::store::model::SigningKey;

/// The signing keys.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait SigningKeys: Send + Sync {
    /// Reads all signing keys.
    async fn signing_keys(&self) -> Result<Vec<SigningKey>>;

    /// Replaces all signing keys if the stored ones are still exactly `expected` (kids); `false` if another process changed
    /// them in the meantime.
    async fn replace_signing_keys(&self, expected: Vec<String>, keys: Vec<SigningKey>) -> Result<bool>;
}
