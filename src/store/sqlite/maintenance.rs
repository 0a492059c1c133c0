//! Checks whether the store is usable, and deletes expired rows.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;

use crate::metrics::StoreFigures;
use crate::store::notices::NOTICE_LIFETIME;
use crate::store::sqlite::grant_rows::forget;
use crate::store::sqlite::pending::Swept;
use crate::store::sqlite::rows::{many, one, run};
use crate::store::sqlite::tally::Tally;
use crate::store::sqlite::{SqliteStore, audit_index, pending, sql};
use crate::store::{Maintenance, Result, StoreError};

/// Deletes expired rows of one kind, at most the given number.
type Sweep = fn(&Connection, &Tally, i64, u32) -> Result<Swept>;

/// One function for each kind of row that expires. The last one deletes nothing: it indexes audit events, in the same batches.
const SWEEPS: &[Sweep] = &[
    pending::sweep_logins,
    |connection, tally, now, limit| found(pending::sweep_interactions(connection, tally, now, limit)?, limit),
    |connection, _, now, limit| found(run(connection, sql::SWEEP_SESSIONS, (now, limit))?, limit),
    |connection, _, now, limit| found(grants(connection, now, limit)?, limit),
    |connection, _, now, limit| found(run(connection, sql::SWEEP_CODES, (now, limit))?, limit),
    |connection, _, now, limit| found(run(connection, sql::SWEEP_REFRESH_TOKENS, (now, limit))?, limit),
    |connection, _, now, limit| found(run(connection, sql::SWEEP_SUCCESSORS, (now, limit))?, limit),
    |connection, _, now, limit| found(run(connection, sql::SWEEP_TRACES, (now, limit))?, limit),
    |connection, _, now, limit| found(run(connection, sql::SWEEP_USED_ONCE, (now, limit))?, limit),
    |connection, _, now, limit| found(run(connection, sql::SWEEP_NOTICES, (now - NOTICE_LIFETIME, limit))?, limit),
    |connection, _, _, limit| found(audit_index::index(connection, limit)?, limit),
];

/// Rows that were found by an index on their expiry: fewer than the limit are all.
fn found(deleted: usize, limit: u32) -> Result<Swept> {
    Ok(Swept { deleted, done: u32::try_from(deleted).is_ok_and(|deleted| deleted < limit) || limit == 0 })
}

/// Grants, with their codes and refresh tokens.
fn grants(connection: &Connection, now: i64, limit: u32) -> Result<usize> {
    let gone = many(connection, sql::SWEEP_GRANTS, (now, limit), |row| Ok((row.get(0)?, row.get(1)?)))?;
    forget(connection, &gone)?;
    Ok(gone.len())
}

impl SqliteStore {
    /// Deletes up to `limit` expired rows of one kind; `true` if there may be more. It runs off the threads that serve
    /// requests, in transactions between which sign-ins are served.
    async fn sweep_kind(&self, sweep: Sweep, now: i64, limit: u32) -> Result<bool> {
        let limit_rows = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut deleted = 0;
        loop {
            let swept = self.sweep_some(sweep, now, limit).await?;
            deleted += swept.deleted;
            if swept.done || deleted >= limit_rows {
                return Ok(!swept.done);
            }
        }
    }

    /// One transaction of [`Self::sweep_kind`]. On a full disk, a transaction that changes few pages may succeed where one that
    /// changes many does not.
    async fn sweep_some(&self, sweep: Sweep, now: i64, limit: u32) -> Result<Swept> {
        let mut batch = limit;
        loop {
            let tally = Arc::clone(self.writer.tally());
            let delete = move |connection: &Connection| sweep(connection, &tally, now, batch);
            match self.write_aside(delete).await {
                Err(StoreError::Full(_)) if batch > 1 => batch = (batch / 8).max(1),
                answer => return answer,
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
        // Space that was freed is used as soon as somebody asks, and not only at the next sweep.
        self.make_room().await?;
        self.write(|connection| run(connection, sql::PING, []).map(drop)).await?;
        self.read(|reader| one(reader.connection, sql::SEAL_CHECKS, [], |_| Ok(()))).await.map(drop)
    }

    async fn count_sessions(&self, now: i64) -> Result<u64> {
        let count =
            move |connection: &Connection| one(connection, sql::COUNT_SESSIONS, [now], |row| Ok(row.get::<_, i64>(0)?));
        let counted = self.read_long(move |reader| count(reader.connection)).await?;
        Ok(counted.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
    }

    fn figures(&self) -> StoreFigures {
        self.figures.clone()
    }

    fn waiting(&self) -> usize {
        self.writer.queued()
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

    /// There are none: one process serves a file.
    async fn give_back_leases(&self) -> Result<()> {
        Ok(())
    }
}
