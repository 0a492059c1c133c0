//! The embedded store: one SQLite file in WAL mode, or memory.
//!
//! Owns the schema, the statements, group commit and how rows are sealed. [`Store`](crate::store::Store) documents the
//! guarantees of each operation; the conformance suite, `tests/store`, tests them.
//!
//! All writes go through one connection (`writer.rs`). What was returned to an app or an administrator survives a power cut.
//! Sign-ins, sessions and codes before they are redeemed, the time of last activity, and sweeping survive the end of the
//! process, but a power cut may lose the last of them.
//!
//! Reads run on the caller's thread: a point read takes less time than handing it to another thread would. They use a small
//! pool of connections, each of which fetches its pages again after every commit. What a sign-in wrote a moment ago is
//! therefore read on the writing connection when nobody is writing. Reads that may be long run on the blocking pool. A second
//! process may open the same file, for commands that read or revoke access.

mod accounts;
mod administration;
mod audit;
mod audit_index;
mod backup;
mod certificates;
mod checkpoints;
mod codes;
mod consents;
mod disk;
mod ends;
mod grant_rows;
mod grants;
mod history;
mod ids;
mod listings;
mod log;
mod maintenance;
mod notices;
mod one_time_ids;
mod open;
mod pending;
mod readers;
mod refresh;
mod rows;
mod schema;
mod self_service;
mod sessions;
mod shared;
mod signing_keys;
mod sql;
mod tally;
#[cfg(test)]
mod tests;
mod traces;
pub mod transfer;
mod upstream_sessions;
mod validity;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rusqlite::Connection;

use crate::env::{Random, Stopwatch};
use crate::metrics::StoreFigures;
use crate::store::seal::Sealer;
use crate::store::{Result, StoreError, key_file};
pub use backup::{Backup, BackupError, back_up};
use checkpoints::Checkpoints;
use disk::Disk;
pub use open::{Location, OpenError, Signs};
use readers::Readers;
use rows::Reader;
use shared::{OnDisk, Outcome, Shared};
use writer::{Survives, Writer};

/// A store in one SQLite file, or in memory.
pub struct SqliteStore {
    location: Location,
    sealer: Arc<Sealer>,
    writer: Writer,
    readers: Arc<Readers>,
    /// The id that the replica gets if it has none yet.
    replica: Arc<str>,
    /// What showed that the file is damaged; damage is permanent.
    damage: OnceLock<String>,
    figures: StoreFigures,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("location", &self.location).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store, creating the folder and the file (mode 0600) if they are missing, and brings its schema up to date.
    ///
    /// `secrets` are `store.encryption_keys`: the first one seals, all of them open. Without any, a key file beside the store
    /// is created at the first start and read afterwards; a store in memory then has a key that is never written.
    ///
    /// # Errors
    /// If the file or its key can't be used; the message names the file and how to proceed.
    pub fn open(
        location: &Location,
        secrets: &[Vec<u8>],
        random: Arc<dyn Random>,
    ) -> std::result::Result<Self, OpenError> {
        Self::open_with_wait(location, secrets, random, open::WRITE_WAIT)
    }

    /// As [`Self::open`], with the time that a write waits for another process.
    fn open_with_wait(
        location: &Location,
        secrets: &[Vec<u8>],
        random: Arc<dyn Random>,
        wait: Duration,
    ) -> std::result::Result<Self, OpenError> {
        open::check_version()?;
        let replica = random.id().map_err(|error| StoreError::Unavailable(error.to_string()));
        let (sealer, draft) = Self::sealer(location, secrets, random)?;
        let sealer = Arc::new(sealer);
        let name = location.to_string();
        let failed = |reason: StoreError| OpenError::Sqlite { store: name.clone(), reason };
        let replica = replica.map_err(failed)?.into();
        let readers = Arc::new(Readers::of(location.clone()));
        let (damage, tally) = (OnceLock::new(), Arc::default());
        let (connection, file) = match location {
            Location::Memory => (Self::migrated(location, &sealer, None)?, None),
            Location::File(path) => {
                let disk = Arc::new(Disk::of(path));
                let (connection, found) = Self::on_disk(location, path, &sealer, (draft, &disk))?;
                if let Some(found) = found {
                    tracing::error!(event = "store_damaged", store = %name, found, "the store is damaged, and the broker is not ready");
                    drop(damage.set(format!("{name}: {found}")));
                }
                let checkpoints =
                    Checkpoints::start(location.clone(), Arc::clone(&disk)).map_err(no_thread).map_err(failed)?;
                let readers = Arc::clone(&readers);
                (connection, Some(OnDisk { location: location.clone(), checkpoints, disk, readers }))
            }
        };
        let shared = Shared { connection: Mutex::new(connection), wait, file, tally };
        let writer = Writer::start(shared).map_err(no_thread).map_err(failed)?;
        Ok(Self {
            location: location.clone(),
            sealer,
            writer,
            readers,
            replica,
            damage,
            figures: StoreFigures::default(),
        })
    }

    /// Opens a database in a file, using the space of the reserve if the disk is full. Also returns any damage that was found.
    fn on_disk(
        location: &Location,
        path: &Path,
        sealer: &Sealer,
        (draft, disk): (bool, &Disk),
    ) -> std::result::Result<(Connection, Option<String>), OpenError> {
        let failed = |reason: StoreError| OpenError::Sqlite { store: location.to_string(), reason };
        let key = Some(key_file::key_file(path)).filter(|key| !draft && key.exists());
        open::prepare_file(path)?;
        let connection = match Self::migrated(location, sealer, key.clone()) {
            Err(OpenError::Sqlite { reason, .. }) if reason.passes() && disk.release() => {
                Self::migrated(location, sealer, key)?
            }
            opened => opened?,
        };
        if draft {
            open::settle(&connection).map_err(failed)?;
            key_file::complete(path)?;
        }
        // A full or read-only disk is no reason not to start.
        if let Err(error) = disk.secure(&connection) {
            disk.note(&error);
        }
        let found = match open::damage(&connection, path) {
            Err(StoreError::Damaged(reason)) => Some(reason),
            other => other.map_err(failed)?,
        };
        Ok((connection, found))
    }

    /// A writing connection to a database that has the current schema and that these keys open.
    fn migrated(
        location: &Location,
        sealer: &Sealer,
        key: Option<PathBuf>,
    ) -> std::result::Result<Connection, OpenError> {
        let name = location.to_string();
        let connection = open::connect(location, true);
        let connection = connection.map_err(|reason| OpenError::Sqlite { store: name.clone(), reason })?;
        open::migrate(&connection, &name, key)?;
        open::check_finished(&connection, &name)?;
        open::check_keys(&connection, sealer, &name)?;
        Ok(connection)
    }

    /// Creates the sealer, and returns whether its key is a draft, whose store may not exist yet.
    fn sealer(
        location: &Location,
        secrets: &[Vec<u8>],
        random: Arc<dyn Random>,
    ) -> std::result::Result<(Sealer, bool), OpenError> {
        if let Location::File(path) = location {
            open::prepare_folder(path)?;
            open::check_presence(path)?;
        }
        let (key, draft) = match location {
            _ if !secrets.is_empty() => return Ok((Sealer::new(secrets, random)?, false)),
            Location::File(path) => {
                let key = key_file::read_or_make(path, || open::is_empty(path), &*random);
                let key = key.map_err(|error| open::foreign(location, path).unwrap_or_else(|| error.into()))?;
                (key.secret, key.draft)
            }
            Location::Memory => {
                let secret = random.secret().map_err(|e| StoreError::Unavailable(e.to_string()));
                let failed = |reason| OpenError::Sqlite { store: location.to_string(), reason };
                (secret.map_err(failed)?.into_bytes(), false)
            }
        };
        Ok((Sealer::new(&[key], random)?, draft))
    }

    /// Runs an operation in a transaction and returns when it is on disk.
    async fn write<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.decide(Survives::PowerCut, move |connection| operation(connection).map(Outcome::Keep)).await
    }

    /// As [`Self::write`], for writes that have no effect outside before a later write that waits for the disk. They survive
    /// the end of the process. A power cut may lose them, together with everything that was written after them, so the store is
    /// consistent when it comes back.
    async fn write_passing<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        self.decide(Survives::Restart, move |connection| operation(connection).map(Outcome::Keep)).await
    }

    /// As [`Self::write`] or [`Self::write_passing`], for an operation that may undo its own writes.
    async fn decide<T, F>(&self, survives: Survives, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<Outcome<T>> + Send + 'static,
    {
        let watch = Stopwatch::start();
        let outcome = self.writer.run(survives, operation).await;
        self.figures.written(watch);
        outcome.map_err(|error| self.at_place(error))
    }

    /// As [`Self::write_passing`], off the threads that serve requests, for operations that may take a while.
    async fn write_aside<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let operation = move |connection: &Connection| operation(connection).map(Outcome::Keep);
        let watch = Stopwatch::start();
        let outcome = self.writer.queue(Survives::Restart, operation).await;
        self.figures.written(watch);
        outcome.map_err(|error| self.at_place(error))
    }

    /// Creates the reserve again after a full disk has used it, if there is space.
    async fn make_room(&self) -> Result<()> {
        let Some(disk) = self.writer.file().map(|file| Arc::clone(&file.disk)) else { return Ok(()) };
        if disk.is_secure() {
            return Ok(());
        }
        self.write_aside(move |connection| disk.secure(connection).map(drop)).await
    }

    /// Adds to an error which store it concerns.
    fn at_place(&self, error: StoreError) -> StoreError {
        let named = error.map(|reason| format!("{}: {reason}", self.location));
        if let StoreError::Damaged(reason) = &named
            && self.damage.set(reason.clone()).is_ok()
        {
            tracing::error!(event = "store_damaged", error = %named, "the store is damaged, and the broker is not ready any more");
        }
        named
    }

    /// Runs a short read on this thread; a store in memory has one connection, the writer's.
    async fn read<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T> + Send + 'static,
    {
        match &self.location {
            Location::File(_) => {
                let watch = Stopwatch::start();
                let outcome = self.readers.read(&self.sealer, read);
                self.figures.read(watch);
                outcome.map_err(|error| self.at_place(error))
            }
            Location::Memory => self.read_in_memory(read).await,
        }
    }

    /// As [`Self::read`], for rows that were most likely written a moment ago: the writing connection still has them in memory,
    /// whereas any other would have to fetch them again.
    async fn read_recent<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T> + Send + 'static,
    {
        let sealer = Arc::clone(&self.sealer);
        let read = move |connection: &Connection| read(&Reader { connection, sealer: &sealer });
        let watch = Stopwatch::start();
        match self.writer.try_read(read) {
            Ok(value) => {
                self.figures.read(watch);
                value.map_err(|error| self.at_place(error))
            }
            Err(read) => self.read(move |reader| read(reader.connection)).await,
        }
    }

    /// Runs a read that may touch many rows, off the threads that serve requests.
    async fn read_long<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T> + Send + 'static,
    {
        if self.location == Location::Memory {
            return self.read_in_memory(read).await;
        }
        let (readers, sealer) = (Arc::clone(&self.readers), Arc::clone(&self.sealer));
        let watch = Stopwatch::start();
        let outcome = tokio::task::spawn_blocking(move || readers.read(&sealer, read)).await;
        self.figures.read(watch);
        outcome.unwrap_or_else(|e| Err(StoreError::Unavailable(e.to_string()))).map_err(|error| self.at_place(error))
    }

    async fn read_in_memory<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T> + Send + 'static,
    {
        let sealer = Arc::clone(&self.sealer);
        let read = move |connection: &Connection| read(&Reader { connection, sealer: &sealer }).map(Outcome::Keep);
        let watch = Stopwatch::start();
        let outcome = self.writer.run(Survives::Restart, read).await;
        self.figures.read(watch);
        outcome.map_err(|error| self.at_place(error))
    }
}

fn no_thread(error: std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("no thread can be started: {error}"))
}
