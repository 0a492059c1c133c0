//! The one connection that writes, and which writes wait for what.
//!
//! A write that need not wait for the disk runs on the caller's thread if nobody else is writing: that takes less time than
//! handing it to another thread. All others queue for a thread. Each transaction of that thread takes all queued operations,
//! several each in a savepoint, syncs the log once if one of them must survive a power cut, and replies. So a write is as
//! durable as it claims when it returns, the cost of a sync is shared, and no caller waits for a sync that it does not need.

use std::sync::Arc;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::store::sqlite::checkpoints::{checkpoint, said};
use crate::store::sqlite::log::Log;
use crate::store::sqlite::rows::run;
use crate::store::sqlite::shared::{OnDisk, Outcome, Shared, begin, given_up, roll_back};
use crate::store::sqlite::tally::Tally;
use crate::store::{Result, StoreError};

/// The maximum number of operations in one transaction.
const BATCH: usize = 256;
/// The maximum number of queued operations; further ones are refused at once rather than served too late.
const QUEUE: usize = 4096;

/// What a write survives once it has returned. The log keeps the order: if a write is on disk, so is everything written before
/// it. So a write that only survives a restart becomes as durable as the rest with the next write that waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survives {
    /// The end of the process, for whatever reason; a power cut may lose it, together with everything written later.
    Restart,
    /// A power cut as well: the reply waits for the disk.
    PowerCut,
}

/// A queued operation, whose reply waits for the commit.
trait Job: Send {
    /// What its writes must survive.
    fn survives(&self) -> Survives;
    /// Runs it; `true` if its writes should be kept.
    ///
    /// # Errors
    /// Why it failed; its writes are undone, and the error is the reply.
    fn run(&mut self, connection: &Connection) -> Result<bool>;
    /// Sends the reply, once it is known whether the transaction was committed.
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

    fn run(&mut self, connection: &Connection) -> Result<bool> {
        let outcome = self.operation.take().map_or_else(|| Err(stopped()), |operation| operation(connection));
        let kept = outcome.as_ref().map(|outcome| matches!(outcome, Outcome::Keep(_))).map_err(Clone::clone);
        self.outcome = Some(outcome);
        kept
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        // An operation may have seen what another one of the same transaction wrote: if that is lost, every reply is invalid.
        let Self { outcome, reply, .. } = *self;
        let answer = committed.and_then(|()| match outcome {
            Some(Ok(Outcome::Keep(value) | Outcome::Undo(value))) => Ok(value),
            Some(Err(error)) => Err(error),
            None => Err(stopped()),
        });
        // The caller may no longer be waiting; the write is kept.
        drop(reply.send(answer));
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store is shutting down".to_owned())
}

/// The handle to the writing thread; dropping it finishes the queued operations, then closes the connection.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread that writes on this connection.
    pub(crate) fn start(shared: Shared) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let mut log = shared.file.as_ref().map(|file| Log::of(file.disk.database()));
        let shared = Arc::new(shared);
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(&serving, jobs, log.as_mut()))?;
        Ok(Self { shared, queue: Some(queue), thread: Some(thread) })
    }

    /// The number of pending rows.
    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.shared.tally
    }

    /// The connection, for a test.
    #[cfg(test)]
    pub(crate) fn connection(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.shared.lock()
    }

    /// How many operations wait in the queue.
    pub(crate) fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }

    /// How many operations wait in the queue or are being written, for a test.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.queued() + usize::from(self.shared.connection.try_lock().is_err())
    }

    /// What belongs to a database in a file.
    pub(crate) fn file(&self) -> Option<&OnDisk> {
        self.shared.file.as_ref()
    }

    /// Runs one operation in a transaction and returns once it is committed and as durable as `survives` demands.
    pub(crate) async fn run<T, F>(&self, survives: Survives, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<Outcome<T>> + Send + 'static,
    {
        match survives {
            Survives::PowerCut => self.queue(survives, operation).await,
            Survives::Restart => match self.shared.try_at_once(operation) {
                Ok(answer) => answer,
                Err(operation) => self.queue(survives, operation).await,
            },
        }
    }

    /// Runs a short read on the writing connection, whose pages are in memory, if nobody is writing; returns it otherwise.
    pub(crate) fn try_read<T, F>(&self, read: F) -> std::result::Result<Result<T>, F>
    where
        F: FnOnce(&Connection) -> Result<T>,
    {
        self.shared.try_read(read)
    }

    /// As [`Self::run`], always on the writing thread, for operations that may take a while.
    pub(crate) async fn queue<T, F>(&self, survives: Survives, operation: F) -> Result<T>
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

fn serve(shared: &Shared, mut jobs: mpsc::Receiver<Box<dyn Job>>, mut log: Option<&mut Log>) {
    let mut batch = Vec::new();
    while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
        let mut connection = shared.lock();
        let repaired = shared.repair(&mut connection);
        if let (Ok(true), Some(log)) = (&repaired, log.as_mut()) {
            log.reopen();
        }
        let committed = repaired
            .and_then(|_| begin(&connection, shared.wait))
            .and_then(|()| transact(&connection, shared, &mut batch));
        roll_back(&connection);
        shared.tally.settle(committed.is_ok());
        if let Err(error) = &committed {
            shared.note(error);
        }
        shared.written(&connection, batch.len());
        drop(connection);
        let (durable, passing): (Vec<_>, Vec<_>) =
            batch.drain(..).partition(|job| job.survives() == Survives::PowerCut);
        passing.into_iter().for_each(|job| job.answer(committed.clone()));
        if !durable.is_empty() {
            let synced = committed.and_then(|()| log.as_mut().map_or(Ok(()), |log| log.sync(shared)));
            durable.into_iter().for_each(|job| job.answer(synced.clone()));
        }
        if let Some(file) = shared.file.as_ref().filter(|file| file.checkpoints.take_large()) {
            // While nobody writes, and after the store's own checkpoint: the log could not start over otherwise.
            let connection = shared.lock();
            let _idle = file.checkpoints.pause();
            said(checkpoint(&connection), &file.disk);
        }
    }
}

/// Runs the operations of a transaction that has begun, and commits it.
fn transact(connection: &Connection, shared: &Shared, batch: &mut [Box<dyn Job>]) -> Result<()> {
    // A full disk or a failed read makes SQLite roll back the whole transaction; any other failure affects only one operation.
    let keeps = |job: &mut Box<dyn Job>| match job.run(connection) {
        Ok(_) if connection.is_autocommit() => Err(given_up()),
        Ok(keep) => Ok(keep),
        Err(error) => {
            shared.note(&error);
            if connection.is_autocommit() { Err(error) } else { Ok(false) }
        }
    };
    if let [alone] = batch {
        let keep = keeps(alone)?;
        return run(connection, if keep { "COMMIT" } else { "ROLLBACK" }, []).map(drop);
    }
    for job in batch {
        run(connection, "SAVEPOINT operation", [])?;
        if !keeps(job)? {
            run(connection, "ROLLBACK TO operation", [])?;
        }
        run(connection, "RELEASE operation", [])?;
    }
    run(connection, "COMMIT", []).map(drop)
}
