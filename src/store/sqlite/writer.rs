//! The one connection that writes, and who waits for what.
//!
//! A write that need not wait for the disk is done on the caller's thread when nobody else writes: it takes less time than
//! handing it to another one would. All others queue up for a thread; each of its transactions takes all that wait, several
//! each in a savepoint, syncs the log once where one of them must survive a power cut, and answers. So an answered write is as
//! durable as it says, the cost of a sync is shared, and nobody waits for a sync that is not theirs.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::store::sqlite::checkpoints::{Checkpoints, checkpoint};
use crate::store::sqlite::rows::run;
use crate::store::{Result, StoreError};

/// The most operations in one transaction.
const BATCH: usize = 256;
/// The most operations that wait; further ones are refused at once rather than served too late.
const QUEUE: usize = 4096;

/// What an operation leaves behind.
pub(crate) enum Outcome<T> {
    /// Its writes stay.
    Keep(T),
    /// Its writes are undone; the answer counts nevertheless.
    Undo(T),
}

/// What an answered write outlives. The log keeps the order: whatever is on the disk, all that was written before it is
/// too. So what only survives a restart becomes as durable as the rest with the next write that waits for the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survives {
    /// The end of the process, however it ends; a power cut may take it, with nothing later left behind.
    Restart,
    /// A power cut too: the answer waits for the disk.
    PowerCut,
}

/// An operation in the queue, whose answer waits for the commit.
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

/// The connection, for one at a time.
struct Shared {
    connection: Mutex<Connection>,
    /// How long the writing thread waits for another process.
    wait: Duration,
    checkpoints: Option<Checkpoints>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs an operation at once, if nobody is writing; gives it back otherwise.
    fn try_at_once<T, F>(&self, operation: F) -> std::result::Result<Result<T>, F>
    where
        F: FnOnce(&Connection) -> Result<Outcome<T>>,
    {
        let due = self.checkpoints.as_ref().is_some_and(Checkpoints::is_large);
        let Ok(connection) = self.connection.try_lock() else { return Err(operation) };
        if due || begin(&connection, Duration::ZERO).is_err() {
            return Err(operation);
        }
        let answer = operation(&connection).and_then(|outcome| match outcome {
            _ if connection.is_autocommit() => Err(given_up()),
            Outcome::Keep(value) => run(&connection, "COMMIT", []).map(|_| value),
            Outcome::Undo(value) => Ok(value),
        });
        roll_back(&connection);
        drop(connection);
        self.written(1);
        Ok(answer)
    }

    /// Reads in one snapshot, if nobody is writing; gives the read back otherwise.
    fn try_read<T, F>(&self, read: F) -> std::result::Result<Result<T>, F>
    where
        F: FnOnce(&Connection) -> Result<T>,
    {
        let Ok(connection) = self.connection.try_lock() else { return Err(read) };
        if run(&connection, "BEGIN", []).is_err() {
            return Err(read);
        }
        let value = read(&connection);
        roll_back(&connection);
        Ok(value)
    }

    /// Counts operations towards the next checkpoint.
    fn written(&self, operations: usize) {
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.after(operations);
        }
    }
}

/// Begins a transaction that writes, waiting so long for another process.
fn begin(connection: &Connection, wait: Duration) -> Result<()> {
    connection.busy_timeout(wait)?;
    run(connection, "BEGIN IMMEDIATE", []).map(drop)
}

/// Ends a transaction that is still open without keeping its writes.
fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() {
        // Fails only where SQLite has rolled back by itself, which is just as well.
        drop(run(connection, "ROLLBACK", []));
    }
}

fn given_up() -> StoreError {
    StoreError::Unavailable("the transaction was given up: the disk is full or failing".to_owned())
}

/// The write-ahead log, to be synced after a commit. SQLite itself syncs it before a checkpoint and where it starts over.
struct Log {
    path: PathBuf,
    file: Option<File>,
    /// A sync has failed: the system may have forgotten what was to be written, so that later syncs prove nothing.
    torn: bool,
}

impl Log {
    fn of(database: &Path) -> Self {
        let mut path = OsString::from(database);
        path.push("-wal");
        Self { path: path.into(), file: None, torn: false }
    }

    /// Returns when all that was committed before is on the disk. After a failure everything is first moved into the
    /// database, which syncs that, before anything counts as durable again.
    fn sync(&mut self, connection: &Shared) -> Result<()> {
        if self.torn {
            let busy = "PRAGMA wal_checkpoint(TRUNCATE)";
            let left = connection.lock().query_row(busy, [], |row| row.get::<_, i64>(0))?;
            if left != 0 {
                return Err(StoreError::Unavailable("the log can't be moved into the database yet".to_owned()));
            }
            self.torn = false;
        }
        let synced = self.sync_file();
        self.torn = synced.is_err();
        synced
    }

    fn sync_file(&mut self) -> Result<()> {
        let failed = |error: std::io::Error| StoreError::Unavailable(format!("the log can't be synced: {error}"));
        let file = match self.file.take() {
            Some(file) => file,
            None => File::open(&self.path).map_err(failed)?,
        };
        file.sync_data().map_err(failed)?;
        self.file = Some(file);
        Ok(())
    }
}

/// The handle to the writing thread; dropping it finishes what waits, then closes the connection.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    queue: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread. `wait` is how long a write waits for another process; `file` the database with the connection
    /// that moves its write-ahead log into it, none for a database in memory.
    pub(crate) fn start(
        connection: Connection,
        wait: Duration,
        file: Option<(&Path, Connection)>,
    ) -> std::io::Result<Self> {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (path, checkpoint) = file.unzip();
        let mut log = path.map(Log::of);
        let checkpoints = checkpoint.map(Checkpoints::start).transpose()?;
        let shared = Arc::new(Shared { connection: Mutex::new(connection), wait, checkpoints });
        let serving = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(&serving, jobs, log.as_mut()))?;
        Ok(Self { shared, queue: Some(queue), thread: Some(thread) })
    }

    /// Runs one operation in a transaction and returns when it is committed and survives what it is to survive.
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

    /// Runs a short read on the connection that writes, whose pages are in memory, if nobody is writing; gives it back
    /// otherwise.
    pub(crate) fn try_read<T, F>(&self, read: F) -> std::result::Result<Result<T>, F>
    where
        F: FnOnce(&Connection) -> Result<T>,
    {
        self.shared.try_read(read)
    }

    /// As [`Self::run`], always on the writing thread: for what may take a while.
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
        let connection = shared.lock();
        let committed = begin(&connection, shared.wait).and_then(|()| transact(&connection, &mut batch));
        roll_back(&connection);
        drop(connection);
        let operations = batch.len();
        let (durable, passing): (Vec<_>, Vec<_>) =
            batch.drain(..).partition(|job| job.survives() == Survives::PowerCut);
        passing.into_iter().for_each(|job| job.answer(committed.clone()));
        if !durable.is_empty() {
            let synced = committed.and_then(|()| log.as_mut().map_or(Ok(()), |log| log.sync(shared)));
            durable.into_iter().for_each(|job| job.answer(synced.clone()));
        }
        shared.written(operations);
        if shared.checkpoints.as_ref().is_some_and(Checkpoints::take_large) {
            checkpoint(&shared.lock());
        }
    }
}

/// Runs the operations of a transaction that has begun, and commits it.
fn transact(connection: &Connection, batch: &mut [Box<dyn Job>]) -> Result<()> {
    if let [alone] = batch {
        let keep = alone.run(connection);
        return match connection.is_autocommit() {
            true => Err(given_up()),
            false => run(connection, if keep { "COMMIT" } else { "ROLLBACK" }, []).map(drop),
        };
    }
    for job in batch {
        run(connection, "SAVEPOINT operation", [])?;
        let keep = job.run(connection);
        if connection.is_autocommit() {
            // A full disk or a failed read makes SQLite give up the whole transaction.
            return Err(given_up());
        }
        if !keep {
            run(connection, "ROLLBACK TO operation", [])?;
        }
        run(connection, "RELEASE operation", [])?;
    }
    run(connection, "COMMIT", []).map(drop)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn after_a_failed_sync_nothing_is_durable_before_the_log_has_moved_into_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broker.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;").unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        let shared = Shared { connection: Mutex::new(connection), wait: Duration::ZERO, checkpoints: None };
        let log_length = || std::fs::metadata(folder.path().join("broker.db-wal")).unwrap().len();
        shared.lock().execute_batch("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1);").unwrap();
        let mut log = Log::of(&path);
        // A log that can't be opened can't be synced.
        let real = std::mem::replace(&mut log.path, folder.path().join("elsewhere"));
        assert!(log.sync(&shared).is_err());
        log.path = real;
        // A reader that still needs the log holds the recovery up, and with it every durable answer.
        let reader = Connection::open(&path).unwrap();
        reader.execute_batch("BEGIN; SELECT * FROM t;").unwrap();
        shared.lock().execute_batch("INSERT INTO t VALUES (2);").unwrap();
        assert!(log.sync(&shared).is_err());
        assert!(log_length() > 0);
        reader.execute_batch("COMMIT").unwrap();
        log.sync(&shared).unwrap();
        assert_eq!(log_length(), 0, "all of it is in the database");
        let rows: i64 = shared.lock().query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 2);
    }
}
