//! The embedded store: one SQLite file in WAL mode, or memory.
//!
//! Owns the schema, the statements, group commit and how rows are sealed. What each operation promises is said at
//! [`Store`](crate::store::Store); that they hold is shown by the conformance suite, `tests/store`.
//!
//! All writes go through one connection (`writer.rs`). What was answered to an app or an administrator survives a power
//! cut. Sign-ins, sessions and codes before they are redeemed, the time of last activity, and sweeping survive the process,
//! and a power cut may take the last of them.
//!
//! Reads run on the caller's thread: a point read takes less time than handing it to another thread would. They have the
//! connections of a small pool, each of which fetches its pages anew after every commit; what a sign-in wrote a moment ago
//! is therefore read on the writing connection, when nobody is writing. Reads that may be long move to the blocking pool. A second process may open the same file, for
//! commands that read or take access away.

mod accounts;
mod administration;
mod checkpoints;
mod codes;
mod consents;
mod disk;
mod grants;
mod ids;
mod log;
mod maintenance;
mod one_time_ids;
mod open;
mod pending;
mod readers;
mod refresh;
mod rows;
mod schema;
mod sessions;
mod shared;
mod signing_keys;
mod sql;
mod tally;
#[cfg(test)]
mod tests;
mod traces;
mod validity;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use rusqlite::Connection;

use crate::env::Random;
use crate::store::seal::Sealer;
use crate::store::{Result, StoreError, key_file};
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
    /// What showed that the file is damaged: it does not heal.
    damage: OnceLock<String>,
}

impl std::fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteStore").field("location", &self.location).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store, making folder and file (mode 0600) where they are missing, and brings its schema up to date.
    ///
    /// `secrets` are `store.encryption_keys`: the first seals, all open. Without any, a key file beside the store is made
    /// at the first start and read afterwards; a store in memory then has a key of its own that is never written.
    ///
    /// # Errors
    /// When the file or its key can't be used; the text names the place and the way out.
    pub fn open(
        location: &Location,
        secrets: &[Vec<u8>],
        random: Arc<dyn Random>,
    ) -> std::result::Result<Self, OpenError> {
        Self::open_with_wait(location, secrets, random, open::WRITE_WAIT)
    }

    /// As [`Self::open`], with how long a write waits for another process.
    fn open_with_wait(
        location: &Location,
        secrets: &[Vec<u8>],
        random: Arc<dyn Random>,
        wait: Duration,
    ) -> std::result::Result<Self, OpenError> {
        open::check_version()?;
        let (sealer, draft) = Self::sealer(location, secrets, random)?;
        let sealer = Arc::new(sealer);
        let name = location.to_string();
        let failed = |reason: StoreError| OpenError::Sqlite { store: name.clone(), reason };
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
        Ok(Self { location: location.clone(), sealer, writer, readers, damage })
    }

    /// Opens a database in a file: with the room of the reserve where the disk has none. Returns what is wrong with it, too.
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
        // A disk that is full, or only to be read, is no reason not to start.
        if let Err(error) = disk.secure(&connection) {
            disk.note(&error);
        }
        let found = match open::damage(&connection, path) {
            Err(StoreError::Damaged(reason)) => Some(reason),
            other => other.map_err(failed)?,
        };
        Ok((connection, found))
    }

    /// A connection that writes, to a database with the schema of today that these keys open.
    fn migrated(
        location: &Location,
        sealer: &Sealer,
        key: Option<PathBuf>,
    ) -> std::result::Result<Connection, OpenError> {
        let name = location.to_string();
        let connection = open::connect(location, true);
        let connection = connection.map_err(|reason| OpenError::Sqlite { store: name.clone(), reason })?;
        open::migrate(&connection, &name, key)?;
        open::check_keys(&connection, sealer, &name)?;
        Ok(connection)
    }

    /// What seals, and whether its key is a draft, whose store may not be there yet.
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
                let key = key_file::read_or_make(path, || open::is_empty(path), &*random)?;
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

    /// As [`Self::write`], for what leads to nothing outside before a later write that waits for the disk: it survives the
    /// process, and a power cut may take it together with all that came after, so that nothing ever comes back half.
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
        self.writer.run(survives, operation).await.map_err(|error| self.at_place(error))
    }

    /// As [`Self::write_passing`], off the threads that serve requests: for what may take a while.
    async fn write_aside<T, F>(&self, operation: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T> + Send + 'static,
    {
        let operation = move |connection: &Connection| operation(connection).map(Outcome::Keep);
        self.writer.queue(Survives::Restart, operation).await.map_err(|error| self.at_place(error))
    }

    /// Makes the reserve again that a full disk has taken, where there is room.
    async fn make_room(&self) -> Result<()> {
        let Some(disk) = self.writer.file().map(|file| Arc::clone(&file.disk)) else { return Ok(()) };
        if disk.is_secure() {
            return Ok(());
        }
        self.write_aside(move |connection| disk.secure(connection).map(drop)).await
    }

    /// Says in an error which store it is about.
    fn at_place(&self, error: StoreError) -> StoreError {
        let named = error.map(|reason| format!("{}: {reason}", self.location));
        if let StoreError::Damaged(reason) = &named
            && self.damage.set(reason.clone()).is_ok()
        {
            tracing::error!(event = "store_damaged", error = %named, "the store is damaged, and the broker is not ready any more");
        }
        named
    }

    /// Runs a short read, on this thread; in memory there is one connection, the writer's.
    async fn read<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T> + Send + 'static,
    {
        match &self.location {
            Location::File(_) => self.readers.read(&self.sealer, read).map_err(|error| self.at_place(error)),
            Location::Memory => self.read_in_memory(read).await,
        }
    }

    /// As [`Self::read`], for what was most likely written a moment ago: the connection that writes still has it in memory,
    /// where every other one would fetch it again.
    async fn read_recent<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T> + Send + 'static,
    {
        let sealer = Arc::clone(&self.sealer);
        let read = move |connection: &Connection| read(&Reader { connection, sealer: &sealer });
        match self.writer.try_read(read) {
            Ok(value) => value.map_err(|error| self.at_place(error)),
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
        tokio::task::spawn_blocking(move || readers.read(&sealer, read))
            .await
            .unwrap_or_else(|e| Err(StoreError::Unavailable(e.to_string())))
            .map_err(|error| self.at_place(error))
    }

    async fn read_in_memory<T, F>(&self, read: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Reader<'_>) -> Result<T> + Send + 'static,
    {
        let sealer = Arc::clone(&self.sealer);
        self.write_passing(move |connection| read(&Reader { connection, sealer: &sealer })).await
    }
}

fn no_thread(error: std::io::Error) -> StoreError {
    StoreError::Unavailable(format!("no thread can be started: {error}"))
}
