//! One-time identifiers.

use async_trait::async_trait;

use crate::store::model::TokenHash;
use crate::store::sqlite::rows::run;
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{OneTimeIds, Result};

/// The stored form of a one-time identifier: hashed, because it comes from outside and may have any length.
pub(crate) fn once_key(kind: &str, id: &str) -> [u8; 32] {
    TokenHash::of(&format!("{}:{kind}{id}", kind.len())).0
}

#[async_trait]
impl OneTimeIds for SqliteStore {
    async fn use_once(&self, kind: &str, id: &str, expires_at: i64, now: i64) -> Result<bool> {
        let key = once_key(kind, id);
        self.write(move |connection| Ok(run(connection, sql::USE_ONCE, (key, expires_at, now))? == 1)).await
    }
}
