//! What a configuration is read from, and the files that this involves.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use crate::config::load::files::why;

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
#[error("{} can't be read: {reason}{}", path.display(), self.folder())]
pub struct Unreadable {
    /// The file.
    pub path: PathBuf,
    /// The reason.
    pub reason: String,
}

impl Unreadable {
    pub(crate) fn new(path: &Path, reason: String) -> Self {
        Self { path: path.to_path_buf(), reason }
    }

    fn is_missing(&self) -> bool {
        self.reason == why(&io::ErrorKind::NotFound.into())
    }

    /// Where a relative path was looked for.
    fn folder(&self) -> String {
        let folder = std::env::current_dir().ok().filter(|_| self.path.is_relative() && self.is_missing());
        folder.map(|folder| format!(" in {}", folder.display())).unwrap_or_default()
    }

    /// The error for somebody who has just named the file, or none: with what to do if there is no such file.
    #[must_use]
    pub fn with_way_out(&self) -> String {
        if self.is_missing() {
            return format!(
                "{self}; name the file with --config FILE, write one with `countersign init`, or try the broker without \
                 one: `countersign dev`"
            );
        }
        self.to_string()
    }
}

/// What a reload must watch: the contents of the files, and their folders, because files are replaced by renaming.
#[derive(Clone, Debug, Default)]
pub struct Involved {
    /// Configuration files, table files, secret files, certificates.
    pub files: BTreeSet<PathBuf>,
    /// Folders in which an include may find further files; including their subfolders if the pattern contains `**`.
    pub folders: BTreeSet<PathBuf>,
}
