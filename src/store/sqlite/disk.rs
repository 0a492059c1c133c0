//! What a disk may refuse: room, and writing at all. The store recovers from both without an operator.
//!
//! A write-ahead log can be started over only when all of it is in the database, and pages that are new need room there. A
//! disk that the log has filled would therefore stay full for good. So a reserve lies beside the store, a file that is
//! removed when the disk is full: what the log holds is then moved into the database, and the database stops growing. Rows
//! that are swept give pages back, which new rows use. When there is room again, the reserve is made again.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use crate::store::key_file::beside;
use crate::store::sqlite::open;
use crate::store::{Result, StoreError};

/// Bytes of the reserve.
const RESERVE: u64 = 8 * 1024 * 1024;
/// Bytes of new pages in the log from which on it is to be moved into the database soon, and before anything else: the
/// reserve has to hold them.
const GROWTH_SOON: u64 = RESERVE / 4;
const GROWTH_NOW: u64 = RESERVE / 2;
/// What SQLite allows at most.
const UNLIMITED: u32 = 4_294_967_294;

/// The disk of a store in a file.
pub(crate) struct Disk {
    database: PathBuf,
    reserve: PathBuf,
    /// There is no reserve, and the database does not grow.
    tight: AtomicBool,
    /// A write found the disk full, and nothing has been done about it yet.
    full: AtomicBool,
    /// A write found the database opened for reading only: it must be opened anew before another write is tried.
    read_only: AtomicBool,
}

/// How far the database file is behind what the log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    Little,
    /// The log is to be moved into the database soon.
    Soon,
    /// Before anything else is written.
    Now,
}

impl Disk {
    pub(crate) fn of(database: &Path) -> Self {
        Self {
            database: database.to_path_buf(),
            reserve: beside(database, open::RESERVE),
            tight: AtomicBool::new(true),
            full: AtomicBool::new(false),
            read_only: AtomicBool::new(false),
        }
    }

    pub(crate) fn database(&self) -> &Path {
        &self.database
    }

    /// Notes what an error says of the disk.
    pub(crate) fn note(&self, error: &StoreError) {
        match error {
            StoreError::Full(_) => self.full.store(true, Ordering::Relaxed),
            StoreError::ReadOnly(_) => self.read_only.store(true, Ordering::Relaxed),
            _ => {}
        }
    }

    /// Whether the writing thread has something to repair before the next write.
    pub(crate) fn in_trouble(&self) -> bool {
        self.full.load(Ordering::Relaxed) || self.is_read_only()
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    /// The database was opened anew.
    pub(crate) fn opened(&self) {
        self.read_only.store(false, Ordering::Relaxed);
    }

    /// Where a write found the disk full: gives the reserve up, so that what is in the log moves into the database, which grows
    /// no further, and the log starts over.
    pub(crate) fn relieve(&self, connection: &Connection) {
        if !self.full.swap(false, Ordering::Relaxed) {
            return;
        }
        let first = !self.tight.swap(true, Ordering::Relaxed);
        let removed = first.then(|| self.remove());
        // Without waiting: where a reader holds the log up, the next write that finds no room tries again.
        let moved = connection
            .busy_timeout(Duration::ZERO)
            .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, i64>(0)));
        if first {
            let stopped = stop_growing(connection);
            let store = self.database.display();
            tracing::error!(event = "store_full", %store, ?removed, ?moved, ?stopped, "the disk is full: the store grows no further, and recovers as rows expire or room is made");
        }
    }

    /// Makes the reserve where it is missing, and lets the database grow again. `false` while the disk has no room for it.
    pub(crate) fn secure(&self, connection: &Connection) -> Result<bool> {
        if self.is_secure() {
            return Ok(true);
        }
        if !self.is_made() && self.make().is_err() {
            // What was written of it is of no use.
            drop(self.remove());
            stop_growing(connection)?;
            return Ok(false);
        }
        limit_pages(connection, UNLIMITED)?;
        self.tight.store(false, Ordering::Relaxed);
        Ok(true)
    }

    /// Whether the reserve is there.
    pub(crate) fn is_secure(&self) -> bool {
        !self.tight.load(Ordering::Relaxed)
    }

    /// Removes the reserve, so that a store on a full disk can be opened. `true` when there was one.
    pub(crate) fn release(&self) -> bool {
        self.remove().is_ok()
    }

    /// How far the file is behind the database with what is in the log. On a full disk any length of the log is too much.
    pub(crate) fn behind(&self, connection: &Connection) -> Behind {
        if !self.is_secure() {
            return Behind::Now;
        }
        let pages = connection
            .prepare_cached("PRAGMA page_count")
            .and_then(|mut pages| pages.query_row([], |row| row.get::<_, u32>(0)));
        let size = u64::from(pages.unwrap_or(0)) * 4096;
        let file = std::fs::metadata(&self.database).map_or(size, |file| file.len());
        match size.saturating_sub(file) {
            GROWTH_NOW.. => Behind::Now,
            GROWTH_SOON.. => Behind::Soon,
            _ => Behind::Little,
        }
    }

    fn is_made(&self) -> bool {
        std::fs::metadata(&self.reserve).is_ok_and(|file| file.blocks() * 512 >= RESERVE)
    }

    /// Twice as much is written and half of it given back: a reserve that takes the last room would be needed at once.
    fn make(&self) -> std::io::Result<()> {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.reserve)?;
        let block = vec![0_u8; 64 * 1024];
        for _ in 0..2 * RESERVE / 65_536 {
            file.write_all(&block)?;
        }
        file.set_len(RESERVE)
    }

    fn remove(&self) -> std::io::Result<()> {
        std::fs::remove_file(&self.reserve)
    }
}

/// New rows take the place of deleted ones from now on.
fn stop_growing(connection: &Connection) -> Result<()> {
    let pages = connection.query_row("PRAGMA page_count", [], |row| row.get::<_, u32>(0))?;
    limit_pages(connection, pages)
}

fn limit_pages(connection: &Connection, pages: u32) -> Result<()> {
    Ok(connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?)
}
