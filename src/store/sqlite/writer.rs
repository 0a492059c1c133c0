//! The one connection that writes, on a thread of its own, with group commit.
//!
//! Operations queue up while a commit syncs to disk; the next transaction takes all that wait, each in a savepoint, and
//! answers all of them after its one commit. So an answered write is on disk, and the cost of a sync is shared.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::super::{Result, StoreError};
use super::rows::run;

/// The most operations in one transaction.
const BATCH: usize = 256;
/// The most operations that wait; further ones are refused at once rather than served too late.
const QUEUE: usize = 4096;
/// Operations between two checkpoints.
const CHECKPOINT_EVERY: usize = 256;
/// Pages in the write-ahead log (4 KiB each) from which on the writer itself completes a checkpoint, so that the log
/// starts over instead of growing under constant load.
const LOG_PAGES: i64 = 4096;

/// What an operation leaves behind.
pub(super) enum Outcome<T> {
    /// Its writes stay.
    Keep(T),
    /// Its writes are undone; the answer counts nevertheless.
    Undo(T),
}

/// What an answered write outlives. The log keeps the order: whatever is on the disk, all that was written before it is
/// too. So what only survives a restart becomes as durable as the rest with the next write that waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Survives {
    /// The end of the process, however it ends; a power cut may take it, with nothing later left behind.
    Restart,
    /// A power cut too: the answer waits for the disk.
    PowerCut,
}

/// An operation whose answer waits for the commit.
trait Job: Send {
    /// What its writes are to outlive.
    fn survives(&self) -> Survives;
    /// Runs it; `true` when its writes are to stay.
    fn run(&mut self, connection: &Connection) -> bool;
    /// Hands the answer over, once the fate of the transaction is known.
    fn answer(self: Box<Self>, committed: Result<()>);
}

struct Task<T, F> {
    survives: Survives,
    operation: Option<F>,
    outcome: Option<Result<Outcome<T>>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T: Send, F: FnOnce(&Connection) -> Result<Outcome<T>> + Send> Job for Task<T, F> {
    fn survives(&self) -> Survives {
        self.survives
    }

    fn run(&mut self, connection: &Connection) -> bool {
        self.outcome = self.operation.take().map(|operation| operation(connection));
        matches!(self.outcome, Some(Ok(Outcome::Keep(_))))
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        // What an operation saw may have been written by another one of the same transaction: when that is gone, so is
        // every answer.
        let Self { outcome, reply, .. } = *self;
        let answer = committed.and_then(|()| match outcome {
            Some(Ok(Outcome::Keep(value) | Outcome::Undo(value))) => Ok(value),
            Some(Err(error)) => Err(error),
            None => Err(stopped()),
        });
        // Whoever asked may have hung up; the write stands all the same.
        drop(reply.send(answer));
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store is shutting down".to_owned())
}

/// The handle to the writing thread; dropping it finishes what waits, then closes the connection.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. `checkpoint` is the connection that moves the write-ahead log into the database; none for a
    /// database in memory.
    pub(super) fn start(connection: Connection, checkpoint: Option<Connection>) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let checkpoints = checkpoint.map(Checkpoints::start).transpose()?;
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(&connection, jobs, checkpoints.as_ref()))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Runs one operation in a transaction and returns when it is committed.
    pub(super) async fn run<T, F>(&self, survives: Survives, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<Outcome<T>> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task { survives, operation: Some(operation), outcome: None, reply });
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::Unavailable("too many writes are waiting".to_owned()),
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that writes the store has panicked");
        }
    }
}

fn serve(connection: &Connection, mut jobs: mpsc::Receiver<Box<dyn Job>>, checkpoints: Option<&Checkpoints>) {
    let mut batch = Vec::new();
    let mut since_checkpoint = 0;
    let mut synced = Survives::PowerCut;
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let committed = sync_as_needed(connection, &batch, &mut synced).and_then(|()| transact(connection, &mut batch));
        if committed.is_err() && !connection.is_autocommit() {
            // Fails only where SQLite has rolled back by itself, which is just as well.
            drop(run(connection, "ROLLBACK", []));
        }
        since_checkpoint += batch.len();
        for job in batch.drain(..) {
            job.answer(committed.clone());
        }
        if let Some(checkpoints) = checkpoints {
            since_checkpoint = checkpoints.after(connection, since_checkpoint);
        }
    }
}

/// Sets whether the next commit waits for the disk: it does when any operation of the batch asks for it.
fn sync_as_needed(connection: &Connection, batch: &[Box<dyn Job>], synced: &mut Survives) -> Result<()> {
    let all_pass = batch.iter().all(|job| job.survives() == Survives::Restart);
    let needed = if all_pass { Survives::Restart } else { Survives::PowerCut };
    if *synced != needed {
        connection.execute_batch(match needed {
            Survives::Restart => "PRAGMA synchronous = NORMAL",
            Survives::PowerCut => "PRAGMA synchronous = FULL",
        })?;
        *synced = needed;
    }
    Ok(())
}

fn transact(connection: &Connection, batch: &mut [Box<dyn Job>]) -> Result<()> {
    run(connection, "BEGIN IMMEDIATE", [])?;
    for job in batch {
        run(connection, "SAVEPOINT operation", [])?;
        let keep = job.run(connection);
        if connection.is_autocommit() {
            // A full disk or a failed read makes SQLite give up the whole transaction.
            return Err(StoreError::Unavailable(
                "the transaction was given up: the disk is full or failing".to_owned(),
            ));
        }
        if !keep {
            run(connection, "ROLLBACK TO operation", [])?;
        }
        run(connection, "RELEASE operation", [])?;
    }
    run(connection, "COMMIT", [])?;
    Ok(())
}

/// Moves the write-ahead log into the database beside the writer, which goes on meanwhile: no sign-in waits for it.
struct Checkpoints {
    nudge: Option<SyncSender<()>>,
    complete: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    fn start(connection: Connection) -> std::io::Result<Self> {
        let (nudge, nudges) = sync_channel::<()>(1);
        let complete = Arc::new(AtomicBool::new(false));
        let large = Arc::clone(&complete);
        let thread = std::thread::Builder::new().name("store-checkpoint".to_owned()).spawn(move || {
            while nudges.recv().is_ok() {
                if checkpoint(&connection) >= LOG_PAGES {
                    large.store(true, Ordering::Relaxed);
                }
            }
        })?;
        Ok(Self { nudge: Some(nudge), complete, thread: Some(thread) })
    }

    /// Called between transactions with the number of operations since the last checkpoint; returns it, or 0 when a
    /// checkpoint was asked for.
    fn after(&self, connection: &Connection, since: usize) -> usize {
        if self.complete.swap(false, Ordering::Relaxed) {
            checkpoint(connection);
        }
        match &self.nudge {
            Some(nudge) if since >= CHECKPOINT_EVERY && nudge.try_send(()).is_ok() => 0,
            _ => since,
        }
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
fn checkpoint(connection: &Connection) -> i64 {
    match connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(1)) {
        Ok(pages) => pages,
        Err(error) => {
            tracing::warn!(%error, "the store's write-ahead log could not be moved into the database; it goes on growing");
            0
        }
    }
}
