//! Checks whether the store is usable, and deletes expired rows.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;

use crate::store::sqlite::rows::{forget, many, one, run};
use crate::store::sqlite::tally::Tally;
use crate::store::sqlite::{SqliteStore, audit, pending, sql};
use crate::store::{Maintenance, Result, StoreError};

/// Deletes expired rows of one kind, and returns how many rows it examined: the given number at most, and fewer when done.
type Sweep = fn(&Connection, &Tally, i64, u32) -> Result<usize>;

/// One function for each kind of row that expires.
const SWEEPS: &[Sweep] = &[
    pending::sweep_logins,
    pending::sweep_interactions,
    |connection, _, now, limit| run(connection, sql::SWEEP_SESSIONS, (now, limit)),
    grants,
    |connection, _, now, limit| run(connection, sql::SWEEP_CODES, (now, limit)),
    |connection, _, now, limit| run(connection, sql::SWEEP_REFRESH_TOKENS, (now, limit)),
    |connection, _, now, limit| run(connection, sql::SWEEP_SUCCESSORS, (now, limit)),
    |connection, _, now, limit| run(connection, sql::SWEEP_TRACES, (now, limit)),
    |connection, _, now, limit| run(connection, sql::SWEEP_USED_ONCE, (now, limit)),
    |connection, _, _, limit| audit::index(connection, limit),
];

/// Grants, with their codes and refresh tokens.
fn grants(connection: &Connection, _: &Tally, now: i64, limit: u32) -> Result<usize> {
    let gone = many(connection, sql::SWEEP_GRANTS, (now, limit), |row| Ok((row.get(0)?, row.get(1)?)))?;
    forget(connection, &gone)?;
    Ok(gone.len())
}

impl SqliteStore {
    /// Deletes expired rows of one kind, off the threads that serve requests; `true` if there may be more. On a full disk, a
    /// transaction that changes few pages may succeed where one that changes many does not.
    async fn sweep_kind(&self, sweep: Sweep, now: i64, limit: u32) -> Result<bool> {
        let mut batch = limit;
        loop {
            let tally = Arc::clone(self.writer.tally());
            let delete = move |connection: &Connection| sweep(connection, &tally, now, batch);
            match self.write_aside(delete).await {
                Ok(swept) => return Ok(u32::try_from(swept).is_ok_and(|swept| swept >= batch) && batch > 0),
                Err(StoreError::Full(_)) if batch > 1 => batch = (batch / 8).max(1),
                Err(error) => return Err(error),
            }
        }
    }
}

#[async_trait]
impl Maintenance for SqliteStore {
    async fn ping(&self) -> Result<()> {
        if let Some(damage) = self.damage.get() {
            return Err(StoreError::Damaged(damage.clone()));
        }
        self.write(|connection| run(connection, sql::PING, []).map(drop)).await?;
        self.read(|reader| one(reader.connection, sql::SEAL_CHECKS, [], |_| Ok(()))).await.map(drop)
    }

    async fn sweep(&self, now: i64, limit: u32) -> Result<bool> {
        let (mut more, mut failed) = (false, None);
        for sweep in SWEEPS {
            // Each kind has its own transaction, so that sign-ins are served in between and a failure in one kind does not
            // affect the others.
            match self.sweep_kind(*sweep, now, limit).await {
                Ok(again) => more |= again,
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        self.make_room().await?;
        failed.map_or(Ok(more), Err)
    }
}
