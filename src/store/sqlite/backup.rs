//! A consistent copy of a store, made while a broker uses it.
//!
//! The copy is one read transaction (`VACUUM INTO`), which in WAL mode neither waits for writers nor makes them wait. The store
//! is not migrated, so that a new version can copy a store before it upgrades it. Rows stay sealed.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use crate::store::StoreError;
use crate::store::key_file::{beside, sync_folder};
use crate::store::sqlite::open::{OpenError, connect, is_empty, is_ours, version};
use crate::store::sqlite::{Location, schema};

/// A copy of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Its size.
    pub bytes: u64,
    /// How many users it has.
    pub users: u64,
    /// Whether its schema is the one of this version. An older one is migrated when a broker opens it.
    pub current: bool,
}

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is nothing to copy.
    #[error("there is no store at {0}")]
    NoStore(PathBuf),
    /// The file is there already.
    #[error("{0} is there already, and nothing is overwritten: name a new file, such as broker-2026-11-28.db")]
    There(PathBuf),
    /// The copy can't be written.
    #[error("{path} can't be written: {}", unwritten(.source))]
    Io {
        /// The file of the copy.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The store can't be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// SQLite could not copy it.
    #[error("{store} can't be copied to {path}: {reason}")]
    Sqlite {
        /// The store.
        store: PathBuf,
        /// The file of the copy.
        path: PathBuf,
        /// SQLite's error.
        reason: StoreError,
    },
    /// The copy is not whole.
    #[error("the copy of {store} is damaged ({found}), as the store itself must be: nothing was kept of it")]
    Damaged {
        /// The store.
        store: PathBuf,
        /// What was found.
        found: String,
    },
}

fn unwritten(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => "its folder does not exist".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

/// Copies the store to a new file, which only its owner can read, and reads the copy to see that it is whole. The file appears
/// complete or not at all.
///
/// # Errors
/// If the store can't be read, or the copy can't be written or is damaged.
pub fn back_up(store: &Path, to: &Path) -> Result<Backup, BackupError> {
    if is_empty(store) {
        return Err(BackupError::NoStore(store.to_path_buf()));
    }
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::There(to.to_path_buf()));
    }
    let partial = beside(to, ".partial");
    let io = |source| BackupError::Io { path: to.to_path_buf(), source };
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial).map_err(io)?;
    let made = copy(store, &partial).and_then(|backup| {
        File::open(&partial).and_then(|file| file.sync_all()).map_err(io)?;
        std::fs::rename(&partial, to).and_then(|()| sync_folder(to)).map_err(io)?;
        Ok(backup)
    });
    if made.is_err() {
        drop(std::fs::remove_file(&partial));
    }
    made
}

fn copy(store: &Path, to: &Path) -> Result<Backup, BackupError> {
    let failed = |reason: StoreError| BackupError::Sqlite { store: store.into(), path: to.into(), reason };
    let name = store.display().to_string();
    let unreadable = |reason| OpenError::Sqlite { store: name.clone(), reason };
    let connection = connect(&Location::File(store.to_path_buf()), false).map_err(unreadable)?;
    if !is_ours(&connection).map_err(unreadable)? {
        return Err(OpenError::Foreign { store: name }.into());
    }
    let (found, known) = (version(&connection).map_err(unreadable)?, schema::MIGRATIONS.len());
    if found > known {
        return Err(OpenError::Newer { store: name, found, known }.into());
    }
    // A reader only queries, and this writes: to the copy.
    let target = to.to_string_lossy();
    let copied = connection.execute_batch("PRAGMA query_only = OFF");
    let copied = copied.and_then(|()| connection.execute("VACUUM INTO ?1", [&target]));
    copied.map_err(|error| failed(error.into()))?;
    let (damage, users) = read(to).map_err(failed)?;
    if let Some(found) = damage {
        return Err(BackupError::Damaged { store: store.into(), found });
    }
    let bytes = std::fs::metadata(to).map(|file| file.len());
    let bytes = bytes.map_err(|source| BackupError::Io { path: to.into(), source })?;
    Ok(Backup { bytes, users, current: found == known })
}

/// What is wrong with a copy, and how many users it has.
fn read(copy: &Path) -> Result<(Option<String>, u64), StoreError> {
    let copy = Connection::open(copy)?;
    let found: String = copy.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    let users: i64 = copy.query_row("SELECT count(*) FROM users", [], |row| row.get(0))?;
    Ok(((found != "ok").then_some(found), u64::try_from(users).unwrap_or_default()))
}
