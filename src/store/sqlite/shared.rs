//! The connection that writes, for one at a time, with what belongs to it: what waits is counted, the log is moved into the
//! database, and what a disk refused is repaired.

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

/// What an operation leaves behind.
pub(crate) enum Outcome<T> {
    /// Its writes stay.
    Keep(T),
    /// Its writes are undone; the answer counts nevertheless.
    Undo(T),
}

/// The connection, for one at a time.
pub(crate) struct Shared {
    pub(crate) connection: Mutex<Connection>,
    /// How long the writing thread waits for another process.
    pub(crate) wait: Duration,
    /// What belongs to a database in a file; none for one in memory.
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

    /// Runs an operation at once, if nobody is writing and nothing is to be done before; gives it back otherwise.
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

    /// Reads in one snapshot, if nobody is writing; gives the read back otherwise.
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

    /// Counts operations towards the next checkpoint, and asks for one where new pages would outgrow the reserve.
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

    /// Notes what an error says of the disk.
    pub(crate) fn note(&self, error: &StoreError) {
        if let Some(file) = &self.file {
            file.disk.note(error);
        }
    }

    /// Repairs what the disk refused before, as far as that is possible now; `true` when the database was reopened.
    ///
    /// # Errors
    /// [`StoreError::ReadOnly`] while the file system is read-only.
    pub(crate) fn repair(&self, connection: &mut Connection) -> Result<bool> {
        let Some(OnDisk { location, checkpoints, disk, readers }) = &self.file else { return Ok(false) };
        let anew = disk.is_read_only();
        if anew {
            // As long as one connection knows the file as read-only, every other one of this process takes that over.
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
            tracing::info!(event = "store_writable", store = %location, "the store was opened anew for writing");
        }
        disk.relieve(connection);
        Ok(anew)
    }
}

/// Begins a transaction that writes, waiting so long for another process.
pub(crate) fn begin(connection: &Connection, wait: Duration) -> Result<()> {
    connection.busy_timeout(wait)?;
    run(connection, "BEGIN IMMEDIATE", []).map(drop)
}

/// Ends a transaction that is still open without keeping its writes.
pub(crate) fn roll_back(connection: &Connection) {
    if !connection.is_autocommit() {
        // Fails only where SQLite has rolled back by itself, which is just as well.
        drop(run(connection, "ROLLBACK", []));
    }
}

/// SQLite has ended the transaction by itself.
pub(crate) fn given_up() -> StoreError {
    StoreError::Unavailable("the transaction was given up: the disk is failing".to_owned())
}
