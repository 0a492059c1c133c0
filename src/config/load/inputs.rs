//! What a configuration is read from, and the files that this involves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What a configuration is read from.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The main file.
    pub main: PathBuf,
    /// Files whose keys override those of the files before, in order.
    pub overlays: Vec<PathBuf>,
    /// The process's environment: `COUNTERSIGN__SECTION__KEY` sets values, and a secret may name any variable.
    pub environment: BTreeMap<String, String>,
}

/// The main file or an overlay can't be read at all.
#[derive(Debug, thiserror::Error)]
#[error("{} can't be read: {reason}", path.display())]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub reason: String,
}

/// What a reload must watch: the contents of the files, and their folders, because files are replaced by renaming.
#[derive(Clone, Debug, Default)]
pub struct Involved {
    /// Configuration files, table files, secret files, certificates.
    pub files: BTreeSet<PathBuf>,
    /// Folders in which an include may find further files; including their subfolders if the pattern contains `**`.
    pub folders: BTreeSet<PathBuf>,
}
