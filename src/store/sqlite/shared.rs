//! The connection that writes, which one caller uses at a time, with what belongs to it: pending rows are counted, the log is
//! moved into the database, and failures of the disk are repaired.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::store::sqlite::checkpoints::Checkpoints;
use crate::store::sqlite::disk::{Behind, Disk};
use crate::store::sqlite::readers::Readers;
use crate::store::sqlite::rows::run;
use crate::store::sqlite::tally::Tally;
use crate::store::sqlite::{Location, open};
use crate::store::{Result, StoreError};

/// The result of an operation.
pub(crate) enum Outcome<T> {
    /// Its writes are kept.
    Keep(T),
    /// Its writes are undone; the result is returned nevertheless.
    Undo(T),
}

/// The connection, which one caller uses at a time.
pub(crate) struct Shared {
    pub(crate) connection: Mutex<Connection>,
    /// How long the writing thread waits for another process.
    pub(crate) wait: Duration,
    /// What belongs to a database in a file; `None` for one in memory.
    pub(crate) file: Option<OnDisk>,
    pub(crate) tally: Arc<Tally>,
}

/// What belongs to a database in a file.
pub(crate) struct OnDisk {
    pub(crate) location: Location,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) disk: Arc<Disk>,
    pub(crate) readers: Arc<Readers>,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs an operation at once if nobody is writing and nothing has to be done first; returns it otherwise.
    pub(crate) fn try_at_once<T, F>(&self, operation: F) -> std::result::Result<Result<T>, F>
    where
        F: FnOnce(&Connection) -> Result<Outcome<T>>,
    {
        let first = |file: &OnDisk| file.checkpoints.is_large() || file.disk.in_trouble();
        let due = self.file.as_ref().is_some_and(first);
        let Ok(connection) = self.connection.try_lock() else { return Err(operation) };
        if due || begin(&connection, Duration::ZERO).is_err() {
            return Err(operation);
        }
        let answer = operation(&connection).and_then(|outcome| match outcome {
            _ if connection.is_autocommit() => Err(given_up()),
            Outcome::Keep(value) => run(&connection, "COMMIT", []).map(|_| (value, true)),
            Outcome::Undo(value) => Ok((value, false)),
        });
        roll_back(&connection);
        self.tally.settle(matches!(answer, Ok((_, true))));
        let answer = answer.map(|(value, _)| value);
        if let Err(error) = &answer {
            self.note(error);
        }
        self.written(&connection, 1);
        Ok(answer)
    }

    /// Reads in one snapshot if nobody is writing; returns the read otherwise.
    pub(crate) fn try_read<T, F>(&self, read: F) -> std::result::Result<Result<T>, F>
    where
        F: FnOnce(&Connection) -> Result<T>,
    {
        let Ok(connection) = self.connection.try_lock() else { return Err(read) };
        if self.is_read_only() || run(&connection, "BEGIN", []).is_err() {
            return Err(read);
        }
        let value = read(&connection);
        roll_back(&connection);
        Ok(value)
    }

    fn is_read_only(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.disk.is_read_only())
    }

    /// Counts operations towards the next checkpoint, and requests one if new pages would outgrow the reserve.
    pub(crate) fn written(&self, connection: &Connection, operations: usize) {
        let Some(OnDisk { checkpoints, disk, .. }) = &self.file else { return };
        if checkpoints.after(operations) {
            match disk.behind(connection) {
                Behind::Little => {}
                Behind::Soon => checkpoints.nudge(),
                Behind::Now => checkpoints.insist(),
            }
        }
    }

    /// Records what an error reveals about the disk.
    pub(crate) fn note(&self, error: &StoreError) {
        if let Some(file) = &self.file {
            file.disk.note(error);
        }
    }

    /// Repairs earlier failures of the disk, as far as that is possible now; `true` if the database was reopened.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`] while the file system is read-only.
    pub(crate) fn repair(&self, connection: &mut Connection) -> Result<bool> {
        let Some(OnDisk { location, checkpoints, disk, readers }) = &self.file else { return Ok(false) };
        let anew = disk.is_read_only();
        if anew {
            // While one connection knows the file as read-only, every other connection of this process adopts that.
            checkpoints.let_go();
            readers.let_go();
            *connection = Connection::open_in_memory()?;
            let opened = open::connect(location, true)?;
            if opened.is_readonly(rusqlite::MAIN_DB)? {
                return Err(StoreError::ReadOnly("the file system is read-only".to_owned()));
            }
            *connection = opened;
            disk.opened();
            disk.secure(connection)?;
            tracing::info!(event = "store_writable", store = %location, "the store was reopened for writing");
        }
        if disk.is_full() {
            // The store's own checkpoint would keep the log from starting over, for as long as its thread takes.
            let _idle = checkpoints.pause();
            disk.relieve(connection);
        }
        Ok(anew)
    }
}

/// Begins a write transaction, waiting this long for another process.
pub(crate) fn begin(connection: &Connection, wait: Duration) -> Result<()> {
    connection.busy_timeout(wait)?;
    run(connection, "BEGIN IMMEDIATE", []).map(drop)
}

/// Ends an open transaction without keeping its writes.
pub(crate) fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() {
        // This fails only if SQLite has already rolled back by itself, which has the same effect.
        drop(run(connection, "ROLLBACK", []));
    }
}

/// The error for a transaction that SQLite has ended by itself.
pub(crate) fn given_up() -> StoreError {
    StoreError::Unavailable("the transaction was aborted: the disk is failing".to_owned())
}
