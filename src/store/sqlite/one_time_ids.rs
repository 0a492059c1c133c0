//! One-time identifiers.

use async_trait::async_trait;

use crate::store::encoding::once_key;
use crate::store::sqlite::rows::run;
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{OneTimeIds, Result};

#[async_trait]
impl OneTimeIds for SqliteStore {
    async fn use_once(&self, kind: &str, id: &str, expires_at: i64, now: i64) -> Result<bool> {
        let key = once_key(kind, id);
        self.write(move |connection| Ok(run(connection, sql::USE_ONCE, (key, expires_at, now))? == 1)).await
    }
}
