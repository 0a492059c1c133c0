//! Moving the write-ahead log into the database, on a thread and a connection of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

/// Operations between two checkpoints.
const CHECKPOINT_EVERY: usize = 256;
/// Pages in the write-ahead log (4 KiB each) from which on the writer itself completes a checkpoint, so that the log
/// starts over instead of growing under constant load.
const LOG_PAGES: i64 = 4096;

/// Moves the write-ahead log into the database while the writer goes on: no sign-in waits for it.
pub(crate) struct Checkpoints {
    nudge: Option<SyncSender<()>>,
    /// Operations since the last one.
    since: AtomicUsize,
    /// Whether the log has grown so long that it is to be completed while nobody writes.
    large: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    pub(crate) fn start(connection: Connection) -> std::io::Result<Self> {
        let (nudge, nudges) = sync_channel::<()>(1);
        let large = Arc::new(AtomicBool::new(false));
        let grown = Arc::clone(&large);
        let thread = std::thread::Builder::new().name("store-checkpoint".to_owned()).spawn(move || {
            while nudges.recv().is_ok() {
                if checkpoint(&connection) >= LOG_PAGES {
                    grown.store(true, Ordering::Relaxed);
                }
            }
        })?;
        Ok(Self { nudge: Some(nudge), since: AtomicUsize::new(0), large, thread: Some(thread) })
    }

    /// Counts operations, and asks for a checkpoint when it is time.
    pub(crate) fn after(&self, operations: usize) {
        let since = self.since.fetch_add(operations, Ordering::Relaxed) + operations;
        if since >= CHECKPOINT_EVERY && self.nudge.as_ref().is_some_and(|nudge| nudge.try_send(()).is_ok()) {
            self.since.store(0, Ordering::Relaxed);
        }
    }

    pub(crate) fn is_large(&self) -> bool {
        self.large.load(Ordering::Relaxed)
    }

    pub(crate) fn take_large(&self) -> bool {
        self.large.swap(false, Ordering::Relaxed)
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

/// Moves what it can without waiting for anyone. Returns the pages in the log. A failure is no one's loss: the log stays
/// and is the database.
pub(crate) fn checkpoint(connection: &Connection) -> i64 {
    match connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(1)) {
        Ok(pages) => pages,
        Err(error) => {
            tracing::warn!(%error, "the store's write-ahead log could not be moved into the database; it goes on growing");
            0
        }
    }
}
