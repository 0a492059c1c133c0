//! The write-ahead log, synced where a commit must survive a power cut.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

use crate::store::sqlite::shared::Shared;
use crate::store::{Result, StoreError};

/// The write-ahead log, which has to be synced after a commit. SQLite itself syncs it before a checkpoint and when it starts
/// over.
pub(crate) struct Log {
    path: PathBuf,
    file: Option<File>,
    /// A sync has failed. The operating system may have discarded the data, so later syncs prove nothing.
    torn: bool,
}

impl Log {
    pub(crate) fn of(database: &Path) -> Self {
        let mut path = OsString::from(database);
        path.push("-wal");
        Self { path: path.into(), file: None, torn: false }
    }

    /// Records that the database was reopened and may have another log file.
    pub(crate) fn reopen(&mut self) {
        self.file = None;
    }

    /// Returns once everything committed before is on disk. After a failed sync, everything is first moved into the database,
    /// which is then synced, before anything counts as durable again.
    pub(crate) fn sync(&mut self, connection: &Shared) -> Result<()> {
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use rusqlite::Connection;

    use super::*;

    #[test]
    fn after_a_failed_sync_nothing_is_durable_before_the_log_has_moved_into_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broker.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;").unwrap();
        connection.busy_timeout(Duration::ZERO).unwrap();
        let (connection, tally) = (Mutex::new(connection), Arc::default());
        let shared = Shared { connection, wait: Duration::ZERO, file: None, tally };
        let log_length = || std::fs::metadata(folder.path().join("broker.db-wal")).unwrap().len();
        shared.lock().execute_batch("CREATE TABLE t (n INTEGER); INSERT INTO t VALUES (1);").unwrap();
        let mut log = Log::of(&path);
        // A log that can't be opened can't be synced.
        let real = std::mem::replace(&mut log.path, folder.path().join("elsewhere"));
        assert!(log.sync(&shared).is_err());
        log.path = real;
        // A reader that still needs the log blocks the recovery, and with it every durable write.
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
