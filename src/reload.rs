//! Hot reload: watch, load, check, run the file's tests, swap. On any problem the old generation serves on.
//!
//! Folders are watched, not files: editors and ConfigMaps replace files by renaming. File metadata is polled as well, for
//! file systems that send no events.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::app::App;
use crate::config::load::files::Disk;
use crate::config::load::{Inputs, Involved};
use crate::snapshot::generation::{Fingerprint, Options, Prepared, prepare};

/// How long files must rest before they are read: a save is often several writes.
const SETTLE: Duration = Duration::from_millis(150);
/// How often metadata is compared where no event came.
const POLL: Duration = Duration::from_secs(1);

/// Reloads one configuration.
pub struct Reloader {
    inputs: Inputs,
    app: Arc<App>,
    /// The files of the generation that serves.
    serving: Fingerprint,
    /// The files of the last attempt, so that one refusal is told once.
    refused: Option<Fingerprint>,
    involved: Involved,
}

/// What a reload came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// Nothing that matters changed.
    Unchanged,
    /// This generation serves now.
    Applied(u64),
    /// The old one serves on; the text has all problems.
    Refused(String),
}

impl Reloader {
    /// A reloader of what was prepared at the start.
    #[must_use]
    pub fn new(inputs: Inputs, app: Arc<App>, fingerprint: Fingerprint, involved: Involved) -> Self {
        Self { inputs, app, serving: fingerprint, refused: None, involved }
    }

    /// Loads, checks and swaps, all or nothing.
    pub async fn reload(&mut self) -> Reloaded {
        let old = self.app.snapshot().load_full();
        let options =
            Options { number: old.generation + 1, without_secrets: false, now: self.app.services().clock.now() };
        let inputs = self.inputs.clone();
        let prepared = match tokio::task::spawn_blocking(move || prepare(&inputs, &Disk, options)).await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(error)) => {
                self.refused = None;
                return self.refuse(error.to_string());
            }
            Err(error) => return self.refuse(format!("the reload broke off: {error}")),
        };
        let Prepared { problems, layers, involved, fingerprint, snapshot, .. } = prepared;
        self.involved = involved;
        if fingerprint == self.serving {
            if self.app.reload_status().failed() {
                let generation = old.generation;
                tracing::info!(event = "reload", generation, "the configuration is again the one that serves");
            }
            self.refused = None;
            self.app.reload_status().set(None);
            return Reloaded::Unchanged;
        }
        if self.refused.as_ref() == Some(&fingerprint) {
            return Reloaded::Unchanged;
        }
        self.refused = Some(fingerprint.clone());
        let Some(snapshot) = snapshot else { return self.refuse(problems.render(&layers, false)) };
        let restart = old.config.restart_needed(&snapshot.config);
        if !restart.is_empty() {
            let keys = restart.join(", ");
            return self.refuse(format!("{keys}: a change needs a restart; nothing of this reload applies until then"));
        }
        let generation = snapshot.generation;
        if let Err(error) = self.app.apply(snapshot).await {
            return self.refuse(error.to_string());
        }
        for warning in &problems {
            tracing::warn!(file = %warning.file, line = warning.line, "{}", warning.message);
        }
        self.serving = fingerprint;
        self.refused = None;
        self.app.reload_status().set(None);
        Reloaded::Applied(generation)
    }

    fn refuse(&self, problems: String) -> Reloaded {
        tracing::error!(event = "reload_failed", problems, "the configuration has problems: the old one serves on");
        self.app.reload_status().set(Some(problems.clone()));
        Reloaded::Refused(problems)
    }

    /// Watches and reloads until the process ends. SIGHUP reloads at once.
    pub async fn run(mut self) {
        let (events, mut changed) = mpsc::channel::<()>(1);
        let hangup = events.clone();
        tokio::spawn(async move {
            let Ok(mut signals) = signal(SignalKind::hangup()) else { return };
            while signals.recv().await.is_some() {
                let _ = hangup.try_send(());
            }
        });
        let mut watch = Watch::new(events);
        watch.follow(&self.involved);
        let mut stamps = stamps_off_thread(&self.involved).await;
        loop {
            let event = tokio::time::timeout(POLL, changed.recv()).await.is_ok();
            let seen = stamps_off_thread(&self.involved).await;
            if !event && seen == stamps {
                continue;
            }
            tokio::time::sleep(SETTLE).await;
            while changed.try_recv().is_ok() {}
            self.reload().await;
            stamps = stamps_off_thread(&self.involved).await;
            watch.follow(&self.involved);
        }
    }
}

type Stamps = BTreeMap<PathBuf, Option<(std::time::SystemTime, u64)>>;

/// When each file was written and how long it is; folders count by their own time.
fn stamps(involved: &Involved) -> Stamps {
    let paths = involved.files.iter().chain(&involved.folders);
    paths
        .map(|path| {
            let stamp = std::fs::metadata(path).ok().and_then(|data| Some((data.modified().ok()?, data.len())));
            (path.clone(), stamp)
        })
        .collect()
}

async fn stamps_off_thread(involved: &Involved) -> Stamps {
    let involved = involved.clone();
    tokio::task::spawn_blocking(move || stamps(&involved)).await.unwrap_or_default()
}

/// Watches the folders of all files involved.
struct Watch {
    watcher: Option<RecommendedWatcher>,
    folders: BTreeSet<PathBuf>,
}

impl Watch {
    fn new(events: mpsc::Sender<()>) -> Self {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Reading a file is an event too; only changes count, or a reload would call the next one.
            if event.is_ok_and(|event| !event.kind.is_access()) {
                let _ = events.try_send(());
            }
        });
        if let Err(error) = &watcher {
            tracing::warn!(%error, "no file events: changes are found by polling");
        }
        Self { watcher: watcher.ok(), folders: BTreeSet::new() }
    }

    fn follow(&mut self, involved: &Involved) {
        let Some(watcher) = &mut self.watcher else { return };
        let parents = involved.files.iter().filter_map(|file| file.parent().map(PathBuf::from));
        let wanted: BTreeSet<PathBuf> = parents
            .chain(involved.folders.iter().cloned())
            .map(|folder| if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder })
            .collect();
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
