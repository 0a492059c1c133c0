//! Hot reload: watch, load, check, run the file's tests, swap. On any problem the old generation serves on.
//!
//! Folders are watched, not files: editors and ConfigMaps replace files by renaming. File metadata is polled as well, for
//! file systems that send no events.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::config::Config;
use crate::config::files::Disk;
use crate::config::load::{Inputs, Involved};
use crate::generation::{Fingerprint, Options, Prepared, prepare};
use crate::snapshot::Snapshot;

/// How long files must rest before they are read: a save is often several writes.
const SETTLE: Duration = Duration::from_millis(150);
/// How often metadata is compared where no event came.
const POLL: Duration = Duration::from_secs(1);

/// What the last reload came to, for status and metrics.
#[derive(Debug, Default)]
pub struct ReloadStatus {
    failed: AtomicBool,
    problems: std::sync::Mutex<Option<String>>,
}

impl ReloadStatus {
    /// Whether the files differ from what is served, because they have problems.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// The problems of the last reload, as `check` prints them.
    #[must_use]
    pub fn problems(&self) -> Option<String> {
        self.problems.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn set(&self, problems: Option<String>) {
        self.failed.store(problems.is_some(), Ordering::Relaxed);
        *self.problems.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = problems;
    }
}

/// Reloads one configuration.
pub struct Reloader {
    inputs: Inputs,
    current: Arc<ArcSwap<Snapshot>>,
    status: Arc<ReloadStatus>,
    /// What was read for the generation that serves.
    served: Fingerprint,
    /// What was read last; nothing where it could not be read.
    seen: Option<Fingerprint>,
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
    pub fn new(
        inputs: Inputs,
        current: Arc<ArcSwap<Snapshot>>,
        status: Arc<ReloadStatus>,
        fingerprint: Fingerprint,
        involved: Involved,
    ) -> Self {
        Self { inputs, current, status, seen: Some(fingerprint.clone()), served: fingerprint, involved }
    }

    /// Loads, checks and swaps, all or nothing.
    pub fn reload(&mut self) -> Reloaded {
        let old = self.current.load_full();
        let options = Options { number: old.generation + 1, without_secrets: false };
        let prepared = match prepare(&self.inputs, &Disk, options) {
            Ok(prepared) => prepared,
            Err(error) => {
                self.seen = None;
                return self.refuse(error.to_string());
            }
        };
        let Prepared { problems, layers, involved, fingerprint, snapshot, .. } = prepared;
        self.involved = involved;
        if self.seen.as_ref() == Some(&fingerprint) {
            return Reloaded::Unchanged;
        }
        self.seen = Some(fingerprint.clone());
        if fingerprint == self.served {
            // What serves is back, after something that was refused: no new generation, and no reason for an alarm.
            tracing::info!(
                event = "reload",
                generation = old.generation,
                "the configuration is again the one that serves"
            );
            self.status.set(None);
            return Reloaded::Unchanged;
        }
        let Some(snapshot) = snapshot else { return self.refuse(problems.render(&layers, false)) };
        let restart = needs_restart(&old.config, &snapshot.config);
        if !restart.is_empty() {
            let keys = restart.join(", ");
            return self.refuse(format!("{keys}: a change needs a restart; nothing of this reload applies until then"));
        }
        let generation = snapshot.generation;
        tracing::info!(
            event = "reload", generation, hash = %snapshot.hash, providers = snapshot.providers.len(),
            clients = snapshot.clients.len(), "configuration reloaded"
        );
        self.current.store(Arc::new(snapshot));
        self.served = fingerprint;
        self.status.set(None);
        Reloaded::Applied(generation)
    }

    fn refuse(&self, problems: String) -> Reloaded {
        tracing::error!(event = "reload_failed", problems, "the configuration has problems: the old one serves on");
        self.status.set(Some(problems.clone()));
        Reloaded::Refused(problems)
    }

    /// Watches and reloads until the process ends.
    pub async fn run(mut self) {
        let (events, mut changed) = mpsc::channel::<()>(1);
        let mut watch = Watch::new(events);
        watch.follow(&self.involved);
        let mut stamps = stamps(&self.involved);
        loop {
            let event = tokio::time::timeout(POLL, changed.recv()).await.is_ok();
            let seen = stamps_off_thread(&self.involved).await;
            if !event && seen == stamps {
                continue;
            }
            tokio::time::sleep(SETTLE).await;
            while changed.try_recv().is_ok() {}
            stamps = stamps_off_thread(&self.involved).await;
            let reloaded = tokio::task::spawn_blocking(move || {
                self.reload();
                self
            });
            match reloaded.await {
                Ok(back) => self = back,
                Err(error) => {
                    tracing::error!(%error, "the reload broke off; no further changes are read until a restart");
                    return;
                }
            }
            watch.follow(&self.involved);
        }
    }
}

/// Settings that a reload can't change.
fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let listen = |config: &Config| config.certificates.as_ref().map(|certificates| certificates.listen.clone());
    [
        ("issuer", old.issuer != new.issuer),
        ("server.listen", old.server.listen != new.server.listen),
        ("admin.listen", old.admin.listen != new.admin.listen),
        ("certificates.listen", listen(old) != listen(new)),
        ("store.url", old.store.url != new.store.url),
    ]
    .into_iter()
    .filter(|(_, changed)| *changed)
    .map(|(key, _)| key)
    .collect()
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const FILE: &str = r#"
issuer = "https://sso.example.com"
[providers.staff]
issuer = "https://id.corp.example"
client_id = "countersign"
client_secret = { file = "secret" }
[clients.grafana]
client_secret = { file = "secret" }
redirect_uris = ["https://grafana.example.com/callback"]
"#;

    /// A folder with a configuration that serves, and its reloader.
    fn reloader() -> (tempfile::TempDir, Reloader) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        std::fs::write(folder.path().join("broker.toml"), FILE).unwrap();
        let inputs =
            Inputs { main: folder.path().join("broker.toml"), overlays: Vec::new(), environment: BTreeMap::new() };
        let prepared = prepare(&inputs, &Disk, Options { number: 1, without_secrets: false }).unwrap();
        let current = Arc::new(ArcSwap::from_pointee(prepared.snapshot.unwrap()));
        let reloader = Reloader::new(inputs, current, Arc::default(), prepared.fingerprint, prepared.involved);
        (folder, reloader)
    }

    #[test]
    fn d35_a_file_that_was_away_and_is_back_ends_the_alarm() {
        let (folder, mut reloader) = reloader();
        let (file, away) = (folder.path().join("broker.toml"), folder.path().join("away.toml"));
        std::fs::rename(&file, &away).unwrap();
        assert!(matches!(reloader.reload(), Reloaded::Refused(_)));
        assert!(reloader.status.failed());
        std::fs::rename(&away, &file).unwrap();
        assert_eq!(reloader.reload(), Reloaded::Unchanged);
        assert!(!reloader.status.failed());
        assert_eq!(reloader.status.problems(), None);
    }

    #[test]
    fn d35_a_broken_file_keeps_the_alarm_until_it_is_mended() {
        let (folder, mut reloader) = reloader();
        let file = folder.path().join("broker.toml");
        std::fs::write(&file, format!("{FILE}\n[unheard_of]\n")).unwrap();
        assert!(matches!(reloader.reload(), Reloaded::Refused(_)));
        assert_eq!(reloader.reload(), Reloaded::Unchanged);
        assert!(reloader.status.failed(), "nothing was mended");
        std::fs::write(&file, FILE).unwrap();
        assert_eq!(reloader.reload(), Reloaded::Unchanged);
        assert!(!reloader.status.failed());
        std::fs::write(&file, format!("{FILE}scopes = [\"openid\"]\n")).unwrap();
        assert_eq!(reloader.reload(), Reloaded::Applied(2));
    }
}
