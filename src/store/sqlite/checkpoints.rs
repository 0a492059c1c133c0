//! Moves the write-ahead log into the database, on its own thread and connection.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;

use crate::store::sqlite::disk::Disk;
use crate::store::sqlite::{Location, open};
use crate::store::{Result, StoreError};

/// Operations between two checkpoints.
const CHECKPOINT_EVERY: usize = 256;
/// Number of operations after which the growth of the database is checked.
const LOOK_EVERY: usize = 16;
/// Number of pages in the write-ahead log (4 KiB each) from which the writer itself completes a checkpoint, so that the log
/// starts over instead of growing under constant load.
const LOG_PAGES: i64 = 4096;

/// Moves the write-ahead log into the database while the writer continues, so no sign-in waits for it.
pub(crate) struct Checkpoints {
    nudge: Option<SyncSender<()>>,
    /// Operations since the last one.
    since: AtomicUsize,
    /// Whether the log is so long that the checkpoint has to be completed while nobody writes.
    large: Arc<AtomicBool>,
    /// The connection; `None` until it is reopened.
    connection: Arc<Mutex<Option<Connection>>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    pub(crate) fn start(location: Location, disk: Arc<Disk>) -> std::io::Result<Self> {
        let (nudge, nudges) = sync_channel::<()>(1);
        let large = Arc::new(AtomicBool::new(false));
        let connection = Arc::new(Mutex::new(None));
        let (grown, held) = (Arc::clone(&large), Arc::clone(&connection));
        let thread = std::thread::Builder::new().name("store-checkpoint".to_owned()).spawn(move || {
            while nudges.recv().is_ok() {
                let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                if held.is_none() {
                    *held = said(open::connect(&location, true), &disk);
                }
                let pages = held.as_ref().and_then(|connection| said(checkpoint(connection), &disk));
                if pages.is_some_and(|pages| pages >= LOG_PAGES) {
                    grown.store(true, Ordering::Relaxed);
                }
            }
        })?;
        Ok(Self { nudge: Some(nudge), since: AtomicUsize::new(0), large, connection, thread: Some(thread) })
    }

    /// Counts operations, and requests a checkpoint when one is due. `true` when the size should be checked.
    pub(crate) fn after(&self, operations: usize) -> bool {
        let before = self.since.fetch_add(operations, Ordering::Relaxed);
        let since = before + operations;
        if since >= CHECKPOINT_EVERY {
            self.nudge();
        }
        before / LOOK_EVERY != since / LOOK_EVERY
    }

    /// Requests a checkpoint.
    pub(crate) fn nudge(&self) {
        if self.nudge.as_ref().is_some_and(|nudge| nudge.try_send(()).is_ok()) {
            self.since.store(0, Ordering::Relaxed);
        }
    }

    /// Requests a checkpoint before anything else is written.
    pub(crate) fn insist(&self) {
        self.large.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_large(&self) -> bool {
        self.large.load(Ordering::Relaxed)
    }

    pub(crate) fn take_large(&self) -> bool {
        self.large.swap(false, Ordering::Relaxed)
    }

    /// Closes the connection; the next checkpoint opens a new one.
    pub(crate) fn let_go(&self) {
        *self.pause() = None;
    }

    /// Waits for the checkpoint that is being made, and lets none begin while the guard exists.
    pub(crate) fn pause(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.nudge.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that checkpoints the store has panicked");
        }
    }
}

/// Moves as much as is possible without waiting. Returns the number of pages in the log.
///
/// # Errors
/// If the database can't be written. Nothing is lost, because the log keeps its content.
pub(crate) fn checkpoint(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(1))?)
}

/// The value; a failure is recorded and logged.
pub(crate) fn said<T>(result: Result<T>, disk: &Disk) -> Option<T> {
    result.inspect_err(|error: &StoreError| {
        disk.note(error);
        tracing::warn!(%error, "the store's write-ahead log could not be moved into the database; it continues to grow");
    }).ok()
}
