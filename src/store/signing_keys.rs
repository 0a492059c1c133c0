//! The signing keys.

use async_trait::async_trait;

use crate::store::Result;
use crate::store::model::SigningKey;

/// The signing keys.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait SigningKeys: Send + Sync {
    /// All signing keys.
    async fn signing_keys(&self) -> Result<Vec<SigningKey>>;

    /// Replaces all signing keys, if those there are still exactly `expected` (kids): `false` when another process
    /// changed them in between.
    async fn replace_signing_keys(&self, expected: Vec<String>, keys: Vec<SigningKey>) -> Result<bool>;
}
