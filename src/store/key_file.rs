//! The key file beside an embedded store: created at the first start, read at every later one.
//!
//! Its name says how far the first start got. The key is created as a draft, `broker.db.key.new`, and renamed to
//! `broker.db.key` once the store that it seals exists. So a key file with the final name beside a missing or empty store means
//! that the store was lost, and a draft means that a first start was interrupted, which the next start continues.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::env::Random;

/// Why the key file beside the store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Can't be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The key file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The store exists, but its key does not.
    #[error(
        "{path} is missing, but the store beside it was sealed with it: put the file back from a backup, or name the \
         key in store.encryption_keys"
    )]
    Missing {
        /// The key file.
        path: PathBuf,
    },
    /// No randomness for a new key.
    #[error("{path}: no key can be made: {source}")]
    Random {
        /// The key file.
        path: PathBuf,
        /// The generator's error.
        source: crate::env::RandomUnavailable,
    },
}

/// The key of a store.
pub struct StoreKey {
    /// The secret.
    pub secret: Vec<u8>,
    /// Whether it is a draft: its store may not exist yet.
    pub draft: bool,
}

/// The key file of an embedded store: `broker.db` has `broker.db.key`.
#[must_use]
pub fn key_file(store: &Path) -> PathBuf {
    beside(store, ".key")
}

fn draft_file(store: &Path) -> PathBuf {
    beside(store, ".key.new")
}

/// The file with this ending beside a store.
pub(crate) fn beside(store: &Path, ending: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Reads the key of `store`. If there is none and `may_make` is true, that is, while there is no store yet, creates a draft
/// (mode 0600). The file appears complete or not at all, even if several processes start at once.
///
/// # Errors
/// If it can't be read or created, or is missing beside a store.
pub fn read_or_make(
    store: &Path,
    may_make: impl FnOnce() -> bool,
    random: &dyn Random,
) -> Result<StoreKey, KeyFileError> {
    if let Some(key) = find(store)? {
        return Ok(key);
    }
    let path = key_file(store);
    if !may_make() {
        // Another process may have created it in the meantime.
        return find(store)?.ok_or(KeyFileError::Missing { path });
    }
    let failed = |source| KeyFileError::Random { path: draft_file(store), source };
    make(store, &random.secret().map_err(failed)?, random)?;
    find(store)?.ok_or(KeyFileError::Missing { path })
}

/// The key of an existing store, if it has a file. A draft beside a key with its final name was left by a slower process of the
/// same first start.
pub(crate) fn find(store: &Path) -> Result<Option<StoreKey>, KeyFileError> {
    let (path, draft) = (key_file(store), draft_file(store));
    let drafted = match read(&path)? {
        Some(secret) => return Ok(Some(StoreKey { secret, draft: false })),
        None => read(&draft)?,
    };
    // It may have been renamed between the two reads.
    Ok(match read(&path)? {
        Some(secret) => Some(StoreKey { secret, draft: false }),
        None => drafted.map(|secret| StoreKey { secret, draft: true }),
    })
}

/// Gives a draft its final name, because the store that it seals exists now.
///
/// # Errors
/// If the file system refuses.
pub fn complete(store: &Path) -> Result<(), KeyFileError> {
    let (path, draft) = (key_file(store), draft_file(store));
    match std::fs::hard_link(&draft, &path) {
        Ok(()) => {}
        // Another process of the same first start has done it.
        Err(error) if matches!(error.kind(), ErrorKind::AlreadyExists | ErrorKind::NotFound) => {}
        Err(source) => return Err(KeyFileError::Io { path, source }),
    }
    sync_folder(&path).map_err(|source| KeyFileError::Io { path, source })?;
    remove(&draft)
}

/// Gives a store that does not exist yet this key, as a draft; `false` if it has another key already.
pub(crate) fn adopt(store: &Path, secret: &[u8], random: &dyn Random) -> Result<bool, KeyFileError> {
    if find(store)?.is_none() {
        make(store, &URL_SAFE_NO_PAD.encode(secret), random)?;
    }
    Ok(find(store)?.is_some_and(|key| key.secret == secret))
}

fn make(store: &Path, secret: &str, random: &dyn Random) -> Result<(), KeyFileError> {
    let path = draft_file(store);
    let failed = |source| KeyFileError::Random { path: path.clone(), source };
    let own = beside(store, &format!(".key.{}", random.id().map_err(failed)?));
    let made = publish(&own, &path, secret.as_bytes());
    let removed = remove(&own);
    match made {
        Ok(()) => removed,
        Err(e) if e.kind() == ErrorKind::AlreadyExists => removed,
        Err(source) => Err(KeyFileError::Io { path, source }),
    }
}

fn remove(path: &Path) -> Result<(), KeyFileError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => {
            Err(KeyFileError::Io { path: path.to_path_buf(), source })
        }
        _ => Ok(()),
    }
}

/// The key in a file; `None` if there is none.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, KeyFileError> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let text = text.trim();
            Ok(Some(URL_SAFE_NO_PAD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec())))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(KeyFileError::Io { path: path.to_path_buf(), source }),
    }
}

/// Writes and syncs a file under a temporary name, then links it to its final name, which fails if that exists.
fn publish(own: &Path, path: &Path, secret: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(own)?;
    file.write_all(secret)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    std::fs::hard_link(own, path)?;
    sync_folder(path)
}

/// Makes the directory entries of a file's folder durable.
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::env::SystemRandomness;

    #[test]
    fn the_key_file_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("broker.db");
        let random = SystemRandomness::default();
        assert!(matches!(read_or_make(&store, || false, &random), Err(KeyFileError::Missing { .. })));
        let keys: Vec<_> = std::thread::scope(|scope| {
            let start = || {
                let key = read_or_make(&store, || true, &random).unwrap();
                complete(&store).unwrap();
                key.secret
            };
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert_eq!(keys.first().unwrap().len(), 32);
        assert!(keys.windows(2).all(|pair| pair.first() == pair.last()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let mode = std::fs::metadata(key_file(&store)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!read_or_make(&store, || true, &random).unwrap().draft);
    }
}
