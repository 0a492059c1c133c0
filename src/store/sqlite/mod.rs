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
mod checkpoints;
mod codes;
mod consents;
mod grants;
mod ids;
mod maintenance;
mod one_time_ids;
mod open;
mod pending;
mod refresh;
mod rows;
mod schema;
mod sessions;
mod signing_keys;
mod sql;
#[cfg(test)]
mod tests;
mod traces;
mod validity;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::env::Random;
use crate::store::seal::{Sealer, read_or_make_key_file};
use crate::store::{Result, StoreError};
pub use open::{Location, OpenError};
use rows::{Reader, run};
use writer::{Outcome, Survives, Writer};

/// Idle connections kept for reading.
const IDLE_READERS: usize = 8;

/// A store in one SQLite file, or in memory.
pub struct SqliteStore {
    location: Location,
    sealer: Arc<Sealer>,
    writer: Writer,
    readers: Arc<Readers>,
}

struct Readers {
    location: Location,
    idle: Mutex<Vec<Connection>>,
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
        let sealer = Arc::new(Self::sealer(location, secrets, random)?);
        let name = location.to_string();
        let failed = |reason: StoreError| OpenError::Sqlite { store: name.clone(), reason };
        if let Location::File(path) = location {
            open::prepare_file(path)?;
        }
        let connection = open::connect(location, true).map_err(failed)?;
        open::migrate(&connection, &name)?;
        open::check_keys(&connection, &sealer, &name)?;
        let file = match location {
            Location::File(path) => Some((path.as_path(), open::connect(location, true).map_err(failed)?)),
            Location::Memory => None,
        };
        let writer = Writer::start(connection, wait, file)
            .map_err(|e| failed(StoreError::Unavailable(format!("no thread can be started: {e}"))))?;
        let readers = Arc::new(Readers { location: location.clone(), idle: Mutex::default() });
        Ok(Self { location: location.clone(), sealer, writer, readers })
    }

    fn sealer(
        location: &Location,
        secrets: &[Vec<u8>],
        random: Arc<dyn Random>,
    ) -> std::result::Result<Sealer, OpenError> {
        let key = match location {
            Location::File(path) => {
                let new = open::prepare_folder(path)?;
                if !secrets.is_empty() {
                    return Ok(Sealer::new(secrets, random)?);
                }
                read_or_make_key_file(path, new, &*random)?
            }
            Location::Memory if secrets.is_empty() => {
                let secret = random.secret().map_err(|e| StoreError::Unavailable(e.to_string()));
                let failed = |reason| OpenError::Sqlite { store: location.to_string(), reason };
                secret.map_err(failed)?.into_bytes()
            }
            Location::Memory => return Ok(Sealer::new(secrets, random)?),
        };
        Ok(Sealer::new(&[key], random)?)
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

    /// Deletes what has expired, off the threads that serve requests. Returns the number of rows.
    async fn sweep_kind(&self, sql: &'static str, now: i64, limit: u32) -> Result<usize> {
        let sweep = move |connection: &Connection| run(connection, sql, (now, limit)).map(Outcome::Keep);
        self.writer.queue(Survives::Restart, sweep).await.map_err(|error| self.at_place(error))
    }

    /// Says in an error which store it is about.
    fn at_place(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Unavailable(reason) => StoreError::Unavailable(format!("{}: {reason}", self.location)),
            StoreError::Corrupt(reason) => StoreError::Corrupt(format!("{}: {reason}", self.location)),
        }
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

impl Readers {
    /// Reads in one snapshot.
    fn read<T>(&self, sealer: &Sealer, read: impl FnOnce(&Reader<'_>) -> Result<T>) -> Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open::connect(&self.location, false)?,
        };
        run(&connection, "BEGIN", [])?;
        let value = read(&Reader { connection: &connection, sealer });
        if run(&connection, "COMMIT", []).is_ok() {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < IDLE_READERS {
                idle.push(connection);
            }
        }
        value
    }
}
