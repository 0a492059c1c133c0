//! What a configuration is read from, and which files that involves.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What a configuration is read from.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The main file.
    pub main: PathBuf,
    /// Files whose keys replace those below, in order.
    pub overlays: Vec<PathBuf>,
    /// The process's environment: `COUNTERSIGN__SECTION__KEY` set values, any name may be asked for by a secret.
    pub environment: BTreeMap<String, String>,
}

/// The main file or an overlay can't be read at all.
#[derive(Debug, thiserror::Error)]
#[error("{} can't be read: {reason}", path.display())]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// What a reload must watch. Compare contents, and watch the files' folders: files are replaced by renaming.
#[derive(Clone, Debug, Default)]
pub struct Involved {
    /// Configuration files, table files, secret files, certificates.
    pub files: BTreeSet<PathBuf>,
    /// Folders in which an include may find further files. Below them too when the pattern says `**`.
    pub folders: BTreeSet<PathBuf>,
}
