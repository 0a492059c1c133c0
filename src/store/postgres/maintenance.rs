//! Checks whether the store is usable, and deletes expired rows: one replica at a time, the one that holds the lease.

use async_trait::async_trait;

use crate::metrics::StoreFigures;
use crate::store::notices::NOTICE_LIFETIME;
use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::Repeat;
use crate::store::postgres::parameters::answered;
use crate::store::postgres::rows::value;
use crate::store::{Maintenance, Result};

/// The kinds of rows that expire, as the function `sweep` knows them.
const KINDS: &[&str] =
    &["login", "interaction", "session", "grant", "code", "refresh_token", "successor", "trace", "used_once", "notice"];

/// How long a replica may sweep after it has taken or extended the lease.
const LEASE_SECONDS: i32 = 60;

const COUNT_SESSIONS: &str = "SELECT count(*) FROM sessions WHERE expires_at > $1";

impl PostgresStore {
    /// Takes or extends a lease, and returns its fence; `None` while another replica holds it.
    pub(crate) async fn lease(&self, name: &str, seconds: i32) -> Result<Option<i64>> {
        let rows = self.call("take_lease", &[&name, &self.process, &seconds], Repeat::Harmless).await?;
        Ok(value::<Option<i64>>(&rows)?.flatten())
    }
}

#[async_trait]
impl Maintenance for PostgresStore {
    async fn ping(&self) -> Result<()> {
        self.call("set_passing_meta", &[&"ping", &b"".as_slice()], Repeat::Harmless).await.map(drop)
    }

    async fn count_sessions(&self, now: i64) -> Result<u64> {
        let row = self.read(COUNT_SESSIONS, &[&now]).await?;
        answered(value::<i64>(&row)?).map(i64::unsigned_abs)
    }

    fn figures(&self) -> StoreFigures {
        self.figures.clone()
    }

    fn waiting(&self) -> usize {
        self.database.waiting()
    }

    async fn sweep(&self, now: i64, limit: u32) -> Result<bool> {
        self.chain().await?;
        let Some(mut fence) = self.lease("sweep", LEASE_SECONDS).await? else { return Ok(false) };
        let most = limit.cast_signed();
        let (mut more, mut failed) = (false, None);
        for kind in KINDS {
            // A kind that fails does not keep the others from being swept.
            let expired = if *kind == "notice" { now.saturating_sub(NOTICE_LIFETIME) } else { now };
            match self.call("sweep", &[kind, &expired, &most, &fence], Repeat::Harmless).await {
                Ok(rows) => match value::<Option<i64>>(&rows)?.flatten() {
                    Some(deleted) => more |= limit > 0 && deleted >= i64::from(limit),
                    // It took too long, and another replica goes on.
                    None => match self.lease("sweep", LEASE_SECONDS).await? {
                        Some(taken) => (fence, more) = (taken, true),
                        None => return Ok(false),
                    },
                },
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(more), Err)
    }

    async fn give_back_leases(&self) -> Result<()> {
        self.call("give_back_leases", &[&self.process], Repeat::Harmless).await.map(drop)
    }
}
