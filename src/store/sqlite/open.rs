//! Opening a database: files and their modes, connection settings, migrations, and whether the keys match.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::store::StoreError;
use crate::store::key_file::{KeyFileError, beside, key_file, sync_folder};
use crate::store::seal::{Sealer, SealerError};
use crate::store::seal_check::{self, SealCheck};
use crate::store::sqlite::rows::{many, one, run};
use crate::store::sqlite::{schema, sql};
use crate::store::transfer::tables::UNFINISHED;

/// The oldest SQLite that is free of the write-ahead log reset bug (3.51.3).
const OLDEST_SQLITE: i32 = 3_051_003;
/// The ending of the reserve's file name.
pub(crate) const RESERVE: &str = ".reserve";
/// How long a write waits for another process; after that the caller gets 503.
pub(crate) const WRITE_WAIT: Duration = Duration::from_secs(2);
/// How long a read waits; in WAL mode almost nothing blocks readers.
const READ_WAIT: Duration = Duration::from_millis(250);
/// How often a start tries to use the write-ahead log of a new database while other processes start too.
const LOG_ATTEMPTS: usize = 50;
const STATEMENTS: usize = 128;
/// Size up to which a database is read completely at start, to check that it is undamaged; this takes only a moment.
const CHECKED_WHOLE: u64 = 32 * 1024 * 1024;

/// Where an embedded store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file, with `-wal`, `-shm` and, without configured keys, `.key` beside it.
    File(PathBuf),
    /// In memory; it ends with the process.
    Memory,
}

impl Location {
    /// Reads `sqlite:PATH` and `sqlite::memory:`; `None` for any other URL.
    #[must_use]
    pub fn from_url(url: &str) -> Option<Self> {
        match url.strip_prefix("sqlite:")? {
            ":memory:" => Some(Self::Memory),
            "" => None,
            path => Some(Self::File(PathBuf::from(path))),
        }
    }
}

impl std::fmt::Display for Location {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Memory => f.write_str("sqlite::memory:"),
        }
    }
}

/// Why a file of the store can't be used, and what to do.
fn why(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            "permission denied: run this as the user that the broker runs as, who must own the folder".to_owned()
        }
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => "a part of its path is not a folder".to_owned(),
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        _ => error.to_string(),
    }
}

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file or folder can't be created or read.
    #[error("{path}: {}; store.url names it", why(.source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The key file beside the store.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// `store.encryption_keys`.
    #[error(transparent)]
    Sealer(#[from] SealerError),
    /// SQLite reported an error.
    #[error("{store}: {reason}")]
    Sqlite {
        /// The store.
        store: String,
        /// SQLite's error.
        reason: StoreError,
    },
    /// The broker was built with a version of SQLite that can lose data.
    #[error("SQLite {found} is too old: 3.51.3 or newer is needed; build with the bundled one")]
    OldSqlite {
        /// Its version.
        found: &'static str,
    },
    /// The file is another program's database.
    #[error("{store} is not a Countersign store: store.url names another program's database")]
    Foreign {
        /// The store.
        store: String,
    },
    /// The database of an existing store is missing or empty.
    #[error(
        "{store} is missing or empty, but a store was there, whose {signs} are left. Put the database back from a backup. If a \
         new store is meant, in which every user gets another sub, remove {signs}"
    )]
    Lost {
        /// The store.
        store: String,
        /// The files that show that there was a store.
        signs: Signs,
    },
    /// A newer version has migrated the store.
    #[error(
        "{store} was written by a newer version (schema {found}, this one knows {known}): run that version, or restore \
         a backup from before the upgrade"
    )]
    Newer {
        /// The store.
        store: String,
        /// Its schema.
        found: usize,
        /// The newest schema known here.
        known: usize,
    },
    /// A copy of another store that was not finished.
    #[error(
        "{store} is a copy of {from} that was not finished: run `countersign store copy` again, which continues, or remove \
         {store} to begin with an empty store"
    )]
    Unfinished {
        /// The store.
        store: String,
        /// Where it was copied from.
        from: String,
    },
    /// None of the keys is one of those that sealed the store.
    #[error(
        "{store} is sealed with other keys ({needed}) than those given ({given}): name the old key last in \
         store.encryption_keys, or put its key file back"
    )]
    WrongKey {
        /// The store.
        store: String,
        /// Ids of the keys that sealed it.
        needed: String,
        /// Ids of the given keys.
        given: String,
    },
}

/// Fails with an SQLite older than 3.51.3.
pub(crate) fn check_version() -> Result<(), OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite { found: rusqlite::version() });
    }
    Ok(())
}

/// Creates the folder (mode 0700) if it is missing.
pub(crate) fn prepare_folder(path: &Path) -> Result<(), OpenError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| OpenError::Io { path: folder.to_path_buf(), source })?;
    }
    Ok(())
}

/// Whether the database does not exist yet, or is empty.
pub(crate) fn is_empty(path: &Path) -> bool {
    match std::fs::metadata(path) {
        Ok(file) => file.len() == 0,
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

/// Files beside a database that show that there was a store before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signs(pub Vec<PathBuf>);

impl std::fmt::Display for Signs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<String> = self.0.iter().map(|path| path.display().to_string()).collect();
        f.write_str(&names.join(" and "))
    }
}

/// Looks for files that show that there was a store before: its key file, under the name that it gets once the store exists;
/// the reserve, which is created at the same time; the log that a killed process has left behind.
fn signs_of_life(path: &Path) -> Signs {
    let there = |file: &PathBuf| std::fs::metadata(file).is_ok_and(|file| file.len() > 0);
    Signs([key_file(path), beside(path, RESERVE), beside(path, "-wal")].into_iter().filter(there).collect())
}

/// Fails if the database of an existing store is missing or empty: a new one would give every user another `sub`.
pub(crate) fn check_presence(path: &Path) -> Result<(), OpenError> {
    // The signs are read first: a process that leaves one behind has created the database before.
    let signs = signs_of_life(path);
    if signs.0.is_empty() || !is_empty(path) {
        return Ok(());
    }
    Err(OpenError::Lost { store: path.display().to_string(), signs })
}

/// Creates the file, and removes other users' access to it. SQLite gives the files beside it the same mode.
pub(crate) fn prepare_file(path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { path: path.to_path_buf(), source };
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(_) => return sync_folder(path).map_err(failed),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::metadata(&name) {
            Ok(file) if file.permissions().mode() & 0o077 != 0 => {
                std::fs::set_permissions(&name, Permissions::from_mode(0o600)).map_err(failed)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Opens the connection that writes, or a reader.
pub(crate) fn connect(location: &Location, writes: bool) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = match location {
        Location::File(path) => Connection::open_with_flags(path, flags)?,
        Location::Memory => Connection::open_in_memory_with_flags(flags | OpenFlags::SQLITE_OPEN_CREATE)?,
    };
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Query plans never depend on bound values. Otherwise SQLite would parse some statements again whenever they are bound, to
    // see whether a partial index fits, which is a tenth of the store's cost of a sign-in.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.busy_timeout(if writes { WRITE_WAIT } else { READ_WAIT })?;
    if writes {
        use_the_log(&connection)?;
        // NORMAL: a commit does not wait for the disk; `writer.rs` syncs the log where that is necessary, and makes the
        // checkpoints.
        connection.execute_batch(
            "PRAGMA synchronous = NORMAL; PRAGMA fullfsync = ON;
             PRAGMA checkpoint_fullfsync = ON; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864;
             PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;
             PRAGMA cache_size = -2048;",
        )?;
    } else {
        connection.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF; PRAGMA cache_size = -512;")?;
    }
    Ok(connection)
}

/// Changes to the write-ahead log. While another process does the same to a new database, SQLite refuses at once instead of
/// waiting; a transaction waits for that process, for at most [`WRITE_WAIT`].
fn use_the_log(connection: &Connection) -> Result<(), StoreError> {
    let busy = |error: &rusqlite::Error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy);
    for _ in 1..LOG_ATTEMPTS {
        match connection.execute_batch("PRAGMA journal_mode = WAL") {
            Err(error) if busy(&error) => connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?,
            other => return Ok(other?),
        }
    }
    Ok(connection.execute_batch("PRAGMA journal_mode = WAL")?)
}

/// Brings the schema up to date, in one transaction that locks out other processes. `key` is the key file of an existing store:
/// a database without a table is then not a new one.
pub(crate) fn migrate(connection: &Connection, store: &str, key: Option<PathBuf>) -> Result<(), OpenError> {
    let failed = |reason: StoreError| OpenError::Sqlite { store: store.to_owned(), reason };
    let known = schema::MIGRATIONS.len();
    if version(connection).map_err(failed)? == known && is_ours(connection).map_err(failed)? {
        return Ok(());
    }
    run(connection, "BEGIN IMMEDIATE", []).map_err(failed)?;
    let migrated = migrate_locked(connection, store, key);
    let end = if migrated.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = run(connection, end, []).map_err(failed);
    migrated.and(ended.map(drop))
}

fn migrate_locked(connection: &Connection, store: &str, key: Option<PathBuf>) -> Result<(), OpenError> {
    let failed = |reason: StoreError| OpenError::Sqlite { store: store.to_owned(), reason };
    let known = schema::MIGRATIONS.len();
    let found = version(connection).map_err(failed)?;
    let empty = many(connection, "SELECT 1 FROM sqlite_schema LIMIT 1", [], |_| Ok(())).map_err(failed)?.is_empty();
    if !empty && !is_ours(connection).map_err(failed)? {
        return Err(OpenError::Foreign { store: store.to_owned() });
    }
    if let Some(key) = key.filter(|_| empty) {
        return Err(OpenError::Lost { store: store.to_owned(), signs: Signs(vec![key]) });
    }
    if found > known {
        return Err(OpenError::Newer { store: store.to_owned(), found, known });
    }
    for migration in schema::MIGRATIONS.iter().skip(found) {
        connection.execute_batch(migration).map_err(|e| failed(e.into()))?;
    }
    connection
        .execute_batch(&format!("PRAGMA application_id = {}; PRAGMA user_version = {known};", schema::APPLICATION_ID))
        .map_err(|e| failed(e.into()))
}

/// The source of a copy that is not finished, if the database is one.
pub(super) fn unfinished(connection: &Connection) -> Result<Option<String>, StoreError> {
    let from = one(connection, sql::META, [UNFINISHED], |row| Ok(row.get::<_, Vec<u8>>(0)?))?;
    Ok(from.map(|from| String::from_utf8_lossy(&from).into_owned()))
}

/// Fails if the database is a copy that is not finished.
pub(crate) fn check_finished(connection: &Connection, store: &str) -> Result<(), OpenError> {
    let failed = |reason: StoreError| OpenError::Sqlite { store: store.to_owned(), reason };
    match unfinished(connection).map_err(failed)? {
        Some(from) => Err(OpenError::Unfinished { store: store.to_owned(), from }),
        None => Ok(()),
    }
}

pub(super) fn version(connection: &Connection) -> Result<usize, StoreError> {
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

pub(super) fn is_ours(connection: &Connection) -> Result<bool, StoreError> {
    let id: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    Ok(id == schema::APPLICATION_ID)
}

/// That a database which has no key is another program's, if it is.
pub(crate) fn foreign(location: &Location, path: &Path) -> Option<OpenError> {
    let ours = is_empty(path) || connect(location, false).and_then(|connection| is_ours(&connection)).unwrap_or(true);
    (!ours).then(|| OpenError::Foreign { store: location.to_string() })
}

/// What `PRAGMA quick_check` finds wrong with a database that is small enough to be read completely at start.
pub(crate) fn damage(connection: &Connection, path: &Path) -> Result<Option<String>, StoreError> {
    if std::fs::metadata(path).is_ok_and(|file| file.len() > CHECKED_WHOLE) {
        return Ok(None);
    }
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    // The pages that were read are not those that will be needed.
    connection.release_memory()?;
    Ok((found != "ok").then_some(found))
}

/// Makes everything written so far durable.
pub(crate) fn settle(connection: &Connection) -> Result<(), StoreError> {
    Ok(connection.query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(()))?)
}

/// Makes sure that one of the keys is one that sealed this store, and records the key that seals from now on. Each key that has
/// ever sealed has a row with a known text.
pub(crate) fn check_keys(connection: &Connection, sealer: &Sealer, store: &str) -> Result<(), OpenError> {
    let failed = |reason: StoreError| OpenError::Sqlite { store: store.to_owned(), reason };
    let checks: Vec<(String, Vec<u8>)> =
        many(connection, sql::SEAL_CHECKS, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    match seal_check::of(sealer, &checks).map_err(failed)? {
        SealCheck::Known => Ok(()),
        SealCheck::New(name, sealed) => {
            run(connection, sql::INSERT_SEAL_CHECK, (&name, sealed)).map(drop).map_err(failed)
        }
        SealCheck::Wrong { needed, given } => Err(OpenError::WrongKey { store: store.to_owned(), needed, given }),
    }
}
