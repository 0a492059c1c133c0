//! Whether the store can be used, and deleting what has expired.

use async_trait::async_trait;

use crate::store::sqlite::rows::{one, run};
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{Maintenance, Result};

#[async_trait]
impl Maintenance for SqliteStore {
    async fn ping(&self) -> Result<()> {
        self.write(|connection| run(connection, sql::PING, []).map(drop)).await?;
        self.read(|reader| one(reader.connection, sql::SEAL_CHECKS, [], |_| Ok(()))).await.map(drop)
    }

    async fn sweep(&self, now: i64, limit: u32) -> Result<bool> {
        let mut more = false;
        for sql in sql::SWEEPS {
            // One transaction for each kind, so that sign-ins are served in between.
            let swept = self.sweep_kind(sql, now, limit).await?;
            more |= u32::try_from(swept).is_ok_and(|swept| swept >= limit) && limit > 0;
        }
        Ok(more)
    }
}
