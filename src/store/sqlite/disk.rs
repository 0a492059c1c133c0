//! Full and read-only disks. The store recovers from both without an operator.
//!
//! A write-ahead log can start over only after all of it has been moved into the database, which needs disk space for new
//! pages. A disk filled by the log would therefore stay full forever. For this reason a reserve, a file that is removed when
//! the disk is full, lies beside the store: its space lets the content of the log move into the database, and the database then
//! stops growing. Swept rows free pages, which new rows use. Once the disk has space again, the reserve is created again.

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

/// Size of the reserve in bytes.
const RESERVE: u64 = 8 * 1024 * 1024;
/// Bytes of new pages in the log from which it should be moved into the database soon, or before anything else, because the
/// reserve has to have room for them.
const GROWTH_SOON: u64 = RESERVE / 4;
const GROWTH_NOW: u64 = RESERVE / 2;
/// The highest page count that SQLite allows.
const UNLIMITED: u32 = 4_294_967_294;

/// The disk of a store in a file.
pub(crate) struct Disk {
    database: PathBuf,
    reserve: PathBuf,
    /// There is no reserve, and the database does not grow.
    tight: AtomicBool,
    /// A write found the disk full, and nothing has been done about it yet.
    full: AtomicBool,
    /// A write found that the database is open only for reading: it must be reopened before another write is tried.
    read_only: AtomicBool,
}

/// How much of the log's content the database file does not contain yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behind {
    Little,
    /// The log should be moved into the database soon.
    Soon,
    /// The log must be moved before anything else is written.
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

    /// Records what an error reveals about the disk.
    pub(crate) fn note(&self, error: &StoreError) {
        match error {
            StoreError::Full(_) => self.full.store(true, Ordering::Relaxed),
            StoreError::ReadOnly(_) => self.read_only.store(true, Ordering::Relaxed),
            _ => {}
        }
    }

    /// Whether the writing thread has something to repair before the next write.
    pub(crate) fn in_trouble(&self) -> bool {
        self.is_full() || self.is_read_only()
    }

    /// Whether a write found the disk full, and nothing has been done about it yet.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.read_only.load(Ordering::Relaxed)
    }

    /// Records that the database was reopened.
    pub(crate) fn opened(&self) {
        self.read_only.store(false, Ordering::Relaxed);
    }

    /// If a write found the disk full, gives up the reserve: the content of the log moves into the database, which then stops
    /// growing, and the log starts over.
    pub(crate) fn relieve(&self, connection: &Connection) {
        if !self.full.swap(false, Ordering::Relaxed) {
            return;
        }
        let first = !self.tight.swap(true, Ordering::Relaxed);
        let removed = first.then(|| self.remove());
        // This does not wait: if a reader blocks it, the next write that finds no space tries again.
        let moved = connection
            .busy_timeout(Duration::ZERO)
            .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |row| row.get::<_, i64>(0)));
        if first {
            let stopped = stop_growing(connection);
            let store = self.database.display();
            tracing::error!(event = "store_full", %store, ?removed, ?moved, ?stopped, "the disk is full: the store has stopped growing, and recovers when rows expire or space is freed");
        }
    }

    /// Creates the reserve if it is missing, and lets the database grow again. `false` while the disk has no space for it.
    pub(crate) fn secure(&self, connection: &Connection) -> Result<bool> {
        if self.is_secure() {
            return Ok(true);
        }
        if !self.is_made() && self.make().is_err() {
            // A partly written reserve is useless.
            drop(self.remove());
            stop_growing(connection)?;
            return Ok(false);
        }
        limit_pages(connection, UNLIMITED)?;
        self.tight.store(false, Ordering::Relaxed);
        Ok(true)
    }

    /// Whether the reserve exists.
    pub(crate) fn is_secure(&self) -> bool {
        !self.tight.load(Ordering::Relaxed)
    }

    /// Removes the reserve, so that a store on a full disk can be opened. `true` if there was one.
    pub(crate) fn release(&self) -> bool {
        self.remove().is_ok()
    }

    /// How far the file is behind the log. On a full disk any length of the log is too much.
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

    /// Writes twice the size and frees half of it: a reserve that used up the last free space would be needed at once.
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

/// From now on new rows use only the space of deleted ones.
fn stop_growing(connection: &Connection) -> Result<()> {
    let pages = connection.query_row("PRAGMA page_count", [], |row| row.get::<_, u32>(0))?;
    limit_pages(connection, pages)
}

fn limit_pages(connection: &Connection, pages: u32) -> Result<()> {
    Ok(connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?)
}
