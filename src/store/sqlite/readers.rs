//! Connections for reading, some of which are kept open.

use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use crate::store::Result;
use crate::store::seal::Sealer;
use crate::store::sqlite::rows::{Reader, run};
use crate::store::sqlite::{Location, open};

/// The maximum number of idle connections kept for reading.
const IDLE_READERS: usize = 8;

/// Connections for reading.
pub(crate) struct Readers {
    location: Location,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn of(location: Location) -> Self {
        Self { location, idle: Mutex::default() }
    }

    /// Reads in one snapshot.
    pub(crate) fn read<T>(&self, sealer: &Sealer, read: impl FnOnce(&Reader<'_>) -> Result<T>) -> Result<T> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open::connect(&self.location, false)?,
        };
        run(&connection, "BEGIN", [])?;
        let value = read(&Reader { connection: &connection, sealer });
        if run(&connection, "COMMIT", []).is_ok() && !connection.is_readonly(rusqlite::MAIN_DB).unwrap_or(true) {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < IDLE_READERS {
                idle.push(connection);
            }
        }
        value
    }

    /// Closes the idle connections.
    pub(crate) fn let_go(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
