//! Seeing that files change: events of their folders, their metadata, and when a burst of changes is over.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::config::load::Involved;

/// How often to check, after a change, whether more has changed: saving often takes several writes.
pub(super) const SLICE: Duration = Duration::from_millis(50);
/// The number of slices without a change that end a burst of changes.
pub(super) const QUIET: u32 = 3;
/// The maximum number of slices to wait for: files that keep changing are read too, within two seconds of the first change.
pub(super) const LONGEST: u32 = 36;

/// A burst of changes, counted in slices, which causes a single reload.
#[derive(Debug, Default)]
pub(super) struct Burst {
    slices: u32,
    quiet: u32,
}

impl Burst {
    /// Whether the burst is over after one more slice, in which something changed or not.
    pub(super) fn is_over(&mut self, changed: bool) -> bool {
        self.slices += 1;
        self.quiet = if changed { 0 } else { self.quiet + 1 };
        self.quiet == QUIET || self.slices == LONGEST
    }
}

/// Which file is at a path, when it was changed, and how long it is.
type Stamp = (u64, i64, i64, u64);
pub(super) type Stamps = BTreeMap<PathBuf, Option<Stamp>>;

/// The stamps of all files and folders involved. The time is that of the last change of the inode, which copying a file with
/// its times does not set back.
fn stamps(involved: &Involved) -> Stamps {
    let paths = involved.files.iter().chain(&involved.folders);
    paths
        .map(|path| {
            let stamp = std::fs::metadata(path).ok();
            (path.clone(), stamp.map(|data| (data.ino(), data.ctime(), data.ctime_nsec(), data.len())))
        })
        .collect()
}

/// [`stamps`], off the threads that serve requests.
pub(super) async fn stamps_off_thread(involved: &Involved) -> Stamps {
    let involved = involved.clone();
    tokio::task::spawn_blocking(move || stamps(&involved)).await.unwrap_or_default()
}

/// Watches the folders of all files involved.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
}

impl Watch {
    pub(super) fn new(events: mpsc::Sender<()>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is an event too; only changes count, or else a reload would cause the next one.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                let _ = events.try_send(());
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!(%error, "no file events: changes are found by polling");
        }
        Self { watcher: watcher.ok(), folders: BTreeSet::new() }
    }

    /// The folders of all files involved, and those in which further files may appear.
    fn folders(involved: &Involved) -> BTreeSet<PathBuf> {
        let parents = involved.files.iter().filter_map(|file| file.parent().map(PathBuf::from));
        let folders = parents.chain(involved.folders.iter().cloned());
        folders.map(|folder| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder }).collect()
    }

    /// Whether all folders are watched.
    pub(super) fn follows(&self, involved: &Involved) -> bool {
        self.watcher.is_none() || Self::folders(involved).is_subset(&self.folders)
    }

    pub(super) fn follow(&mut self, involved: &Involved) {
        let Some(watcher) = &mut self.watcher else { return };
        let wanted = Self::folders(involved);
        for gone in self.folders.difference(&wanted) {
            let _ = watcher.unwatch(gone);
        }
        for new in wanted.difference(&self.folders) {
            if let Err(error) = watcher.watch(new, RecursiveMode::NonRecursive) {
                tracing::warn!(folder = %new.display(), %error, "this folder can't be watched: it is polled");
            }
        }
        self.folders = wanted;
    }
}
