//! Reading the files of a configuration: from disk, or from memory in tests.

use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The file system operations that the loader needs.
pub trait Files {
    /// The content of a file.
    ///
    /// # Errors
    /// If it does not exist or can't be read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files below `folder` that match a glob, sorted.
    ///
    /// # Errors
    /// If the pattern is malformed; the text says how.
    fn glob(&self, folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String>;

    /// Whether a file can be read, whose content matters only when it is used.
    ///
    /// # Errors
    /// If it does not exist or can't be read.
    fn readable(&self, path: &Path) -> io::Result<()> {
        self.read(path).map(drop)
    }
}

/// A hidden file is matched only by a pattern that begins with its dot, so that the `..data` folder of a mounted
/// ConfigMap is not read beside the links into it.
const OPTIONS: glob::MatchOptions =
    glob::MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: true };

/// The pattern, preceded by its folder; the folder's own name is never treated as a pattern.
fn whole(folder: &Path, pattern: &str) -> Result<String, String> {
    glob::Pattern::new(pattern).map_err(|error| error.msg.to_owned())?;
    if Path::new(pattern).is_absolute() || folder.as_os_str().is_empty() {
        return Ok(pattern.to_owned());
    }
    let folder = folder.to_str().ok_or_else(|| "the folder's name is not valid UTF-8".to_owned())?;
    Ok(format!("{}/{pattern}", glob::Pattern::escape(folder.trim_end_matches('/'))))
}

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn glob(&self, folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
        let found = glob::glob_with(&whole(folder, pattern)?, OPTIONS).map_err(|error| error.msg.to_owned())?;
        let mut paths: Vec<PathBuf> = found.filter_map(Result::ok).filter(|path| path.is_file()).collect();
        paths.sort();
        Ok(paths)
    }
}

/// Files held in memory, by path.
#[derive(Clone, Debug, Default)]
pub struct Memory(pub BTreeMap<PathBuf, Vec<u8>>);

impl Memory {
    /// Files from pairs of path and text.
    pub fn of<'t>(files: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        Self(files.into_iter().map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec())).collect())
    }
}

impl Files for Memory {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.0.get(&tidy(path)).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn glob(&self, folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
        let whole = tidy(Path::new(&whole(folder, pattern)?));
        let pattern = glob::Pattern::new(&whole.to_string_lossy()).map_err(|error| error.msg.to_owned())?;
        Ok(self.0.keys().filter(|path| pattern.matches_path_with(path, OPTIONS)).cloned().collect())
    }
}

/// Other files, of which one has another content.
pub struct Replaced<'f> {
    /// The other files.
    pub files: &'f dyn Files,
    /// The file.
    pub path: PathBuf,
    /// Its content.
    pub content: Vec<u8>,
}

impl Files for Replaced<'_> {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if tidy(path) == tidy(&self.path) { Ok(self.content.clone()) } else { self.files.read(path) }
    }

    fn glob(&self, folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
        self.files.glob(folder, pattern)
    }
}

/// Why a file can't be read, in lower case and without the number that the operating system gives it.
#[must_use]
pub fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
        io::ErrorKind::NotADirectory => "a part of its path is not a folder".to_owned(),
        _ => error.to_string(),
    }
}

/// A path without `.` and, as far as the text alone allows, without `..`, by which the same file is recognised.
pub(crate) fn tidy(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(out.components().next_back(), Some(Component::Normal(_))) => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn disk_and_memory_find_the_same_files() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a [b] *");
        let names = ["b.toml", "a.toml", ".hidden.toml", "sub/c.toml", "..data/d.toml", "x.json"];
        let mut memory = Memory::default();
        for name in names {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, name).unwrap();
            memory.0.insert(path, name.as_bytes().to_vec());
        }
        std::fs::create_dir(folder.join("folder.toml")).unwrap();
        for (pattern, expected) in [
            ("*.toml", &["a.toml", "b.toml"][..]),
            ("**/*.toml", &["a.toml", "b.toml", "sub/c.toml"]),
            ("./*.json", &["x.json"]),
            ("none/*", &[]),
        ] {
            let expected: Vec<PathBuf> = expected.iter().map(|name| folder.join(name)).collect();
            let tidied = |found: Vec<PathBuf>| found.iter().map(|path| tidy(path)).collect::<Vec<_>>();
            assert_eq!(tidied(Disk.glob(&folder, pattern).unwrap()), expected, "{pattern}");
            assert_eq!(tidied(memory.glob(&folder, pattern).unwrap()), expected, "{pattern}");
        }
        assert_eq!(Disk.read(&folder.join("a.toml")).unwrap(), b"a.toml");
        assert!(Disk.read(&folder).is_err() && Disk.glob(&folder, "a[").is_err());
    }
}
