//! Hot reload: watches the files, prepares a generation when they change, and applies it. While they have problems, the old
//! generation stays in force.
//!
//! How a generation is applied is passed in ([`Generations`]). Folders are watched rather than files, because editors and
//! ConfigMaps replace files by renaming. File metadata is polled as well, for file systems that send no events.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::config::diagnostics::locate::Layers;
use crate::config::diagnostics::problem::{Problem, Problems, Severity};
use crate::config::load::files::Disk;
use crate::config::load::{Inputs, Involved};
use crate::env::Clock;
use crate::snapshot::Snapshot;
use crate::snapshot::generation::{Fingerprint, Options, Prepared, prepare};

/// How often to check, after a change, whether more has changed: saving often takes several writes.
const SLICE: Duration = Duration::from_millis(50);
/// The number of slices without a change that end a burst of changes.
const QUIET: u32 = 3;
/// The maximum number of slices to wait for: files that keep changing are read too, within two seconds of the first change.
const LONGEST: u32 = 36;
/// How often metadata is compared if no event arrives.
const POLL: Duration = Duration::from_secs(1);

/// The running broker, as seen by a reload.
#[async_trait]
pub trait Generations: Send + Sync {
    /// The generation in service.
    fn serving(&self) -> Arc<Snapshot>;

    /// Applies another generation; every request from then on sees it.
    ///
    /// # Errors
    /// If that is not possible: the text says why, and the old generation stays in force.
    async fn apply(&self, snapshot: Snapshot) -> Result<(), String>;

    /// A generation was refused: what its problems are.
    async fn refused(&self, problems: &str);
}

/// A problem of a reload, for `/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum ReloadProblem {
    /// One of the configuration, in the form of `check --format json`.
    Configuration(Box<Problem>),
    /// Another one, such as a change that needs a restart.
    Other {
        /// What is wrong, and the way out.
        message: String,
    },
}

impl ReloadProblem {
    /// Writes its line in the log.
    fn log(&self) {
        match self {
            Self::Configuration(problem) => {
                let Problem { file, line, column, path, message, suggestion, .. } = &**problem;
                let suggestion = suggestion.as_deref();
                tracing::error!(event = "reload_problem", file, line, column, path, suggestion, "{message}");
            }
            Self::Other { message } => tracing::error!(event = "reload_problem", "{message}"),
        }
    }
}

/// Why a reload was refused: each problem, and all of them as `check` prints them.
#[derive(Clone, Debug)]
struct Refusal {
    problems: Vec<ReloadProblem>,
    printed: String,
}

impl Refusal {
    /// That of a configuration with problems. Warnings refuse nothing.
    fn of(problems: &Problems, layers: &Layers) -> Self {
        let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
        let listed = errors.map(|problem| ReloadProblem::Configuration(Box::new(problem.clone()))).collect();
        Self { problems: listed, printed: problems.render(layers, false) }
    }

    /// One that has a single reason.
    fn because(message: String) -> Self {
        Self { problems: vec![ReloadProblem::Other { message: message.clone() }], printed: message }
    }
}

/// The outcome of the last reload, for status and metrics.
#[derive(Debug, Default)]
pub struct ReloadStatus {
    failed: AtomicBool,
    refusal: Mutex<Option<Refusal>>,
}

impl ReloadStatus {
    /// Whether the files differ from the generation in service, because they have problems.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// The problems of the last reload, as `check` prints them.
    #[must_use]
    pub fn problems(&self) -> Option<String> {
        self.refusal().as_ref().map(|refusal| refusal.printed.clone())
    }

    /// The problems of the last reload, one by one; empty if it succeeded.
    #[must_use]
    pub fn list(&self) -> Vec<ReloadProblem> {
        self.refusal().as_ref().map(|refusal| refusal.problems.clone()).unwrap_or_default()
    }

    fn refusal(&self) -> MutexGuard<'_, Option<Refusal>> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, refusal: Option<Refusal>) {
        self.failed.store(refusal.is_some(), Ordering::Relaxed);
        *self.refusal() = refusal;
    }
}

/// The files of a configuration, and their contents when they were read.
pub struct Watched {
    /// The main file, the overlays, the environment.
    pub inputs: Inputs,
    /// The files of the generation in service.
    pub fingerprint: Fingerprint,
    /// Every file and folder whose changes matter.
    pub involved: Involved,
}

/// Reloads one configuration.
pub struct Reloader {
    generations: Arc<dyn Generations>,
    clock: Arc<dyn Clock>,
    status: Arc<ReloadStatus>,
    inputs: Inputs,
    /// The files of the generation in service.
    serving: Fingerprint,
    /// The files of the last attempt, so that its problems are reported once.
    refused: Option<Fingerprint>,
    involved: Involved,
}

/// The outcome of a reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reloaded {
    /// Nothing relevant changed.
    Unchanged,
    /// This generation is now in service.
    Applied(u64),
    /// The old generation stays in force; the text lists all problems.
    Refused(String),
}

impl Reloader {
    /// A reloader for the configuration in service.
    #[must_use]
    pub fn new(
        generations: Arc<dyn Generations>,
        clock: Arc<dyn Clock>,
        status: Arc<ReloadStatus>,
        watched: Watched,
    ) -> Self {
        let Watched { inputs, fingerprint, involved } = watched;
        Self { generations, clock, status, inputs, serving: fingerprint, refused: None, involved }
    }

    /// Loads, checks and applies the configuration, all or nothing.
    pub async fn reload(&mut self) -> Reloaded {
        let old = self.generations.serving();
        let options = Options { number: old.generation + 1, without_secrets: false, now: self.clock.now() };
        let inputs = self.inputs.clone();
        let prepared = match tokio::task::spawn_blocking(move || prepare(&inputs, &Disk, options)).await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(error)) => {
                self.refused = None;
                return self.refuse(Refusal::because(error.to_string())).await;
            }
            Err(error) => {
                return self.refuse(Refusal::because(format!("the reload was interrupted: {error}"))).await;
            }
        };
        let Prepared { problems, layers, involved, fingerprint, snapshot, .. } = prepared;
        self.involved = involved;
        if fingerprint == self.serving {
            if self.status.failed() {
                let generation = old.generation;
                tracing::info!(event = "reload", generation, "the configuration is again the one that serves");
            }
            self.refused = None;
            self.status.set(None);
            return Reloaded::Unchanged;
        }
        if self.refused.as_ref() == Some(&fingerprint) {
            return Reloaded::Unchanged;
        }
        self.refused = Some(fingerprint.clone());
        let Some(snapshot) = snapshot else { return self.refuse(Refusal::of(&problems, &layers)).await };
        let restart = old.config.restart_needed(&snapshot.config);
        if !restart.is_empty() {
            let keys = restart.join(", ");
            let message = format!("{keys}: a change needs a restart; nothing of this reload is applied until then");
            return self.refuse(Refusal::because(message)).await;
        }
        let generation = snapshot.generation;
        if let Err(problem) = self.generations.apply(snapshot).await {
            return self.refuse(Refusal::because(problem)).await;
        }
        for warning in &problems {
            tracing::warn!(file = %warning.file, line = warning.line, "{}", warning.message);
        }
        self.serving = fingerprint;
        self.refused = None;
        self.status.set(None);
        Reloaded::Applied(generation)
    }

    async fn refuse(&self, refusal: Refusal) -> Reloaded {
        refusal.problems.iter().for_each(ReloadProblem::log);
        let printed = refusal.printed.clone();
        self.status.set(Some(refusal));
        self.generations.refused(&printed).await;
        Reloaded::Refused(printed)
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
        // Changes that were saved after the files were read and before they were watched are applied now.
        let mut stamps = self.catch_up(&mut watch).await;
        loop {
            let event = tokio::time::timeout(POLL, changed.recv()).await.is_ok();
            if !event && stamps_off_thread(&self.involved).await == stamps {
                continue;
            }
            // Whether there is more is seen in the files themselves: others in their folders, such as the store's, change
            // often.
            let (mut burst, mut seen) = (Burst::default(), stamps_off_thread(&self.involved).await);
            loop {
                tokio::time::sleep(SLICE).await;
                let now = stamps_off_thread(&self.involved).await;
                let more = std::mem::replace(&mut seen, now) != seen;
                if burst.is_over(more) {
                    break;
                }
            }
            while changed.try_recv().is_ok() {}
            stamps = self.catch_up(&mut watch).await;
        }
    }

    /// Reloads without missing changes that happen in the meantime: folders are watched and stamps taken before the files are
    /// read, and everything is repeated while a reload adds further folders.
    async fn catch_up(&mut self, watch: &mut Watch) -> Stamps {
        loop {
            watch.follow(&self.involved);
            let stamps = stamps_off_thread(&self.involved).await;
            self.reload().await;
            if watch.follows(&self.involved) {
                return stamps;
            }
        }
    }
}

/// A burst of changes, counted in slices, which causes a single reload.
#[derive(Debug, Default)]
struct Burst {
    slices: u32,
    quiet: u32,
}

impl Burst {
    /// Whether the burst is over after one more slice, in which something changed or not.
    fn is_over(&mut self, changed: bool) -> bool {
        self.slices += 1;
        self.quiet = if changed { 0 } else { self.quiet + 1 };
        self.quiet == QUIET || self.slices == LONGEST
    }
}

/// Which file is at a path, when it was changed, and how long it is.
type Stamp = (u64, i64, i64, u64);
type Stamps = BTreeMap<PathBuf, Option<Stamp>>;

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
    fn follows(&self, involved: &Involved) -> bool {
        self.watcher.is_none() || Self::folders(involved).is_subset(&self.folders)
    }

    fn follow(&mut self, involved: &Involved) {
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// The number of slices waited for if something changes in these.
    fn waited(changes: impl Fn(u32) -> bool) -> u32 {
        let mut burst = Burst::default();
        (1..).find(|slice| burst.is_over(changes(*slice))).unwrap()
    }

    #[test]
    fn d36_a_burst_of_writes_is_waited_for_and_an_endless_one_is_not() {
        assert_eq!(waited(|_| false), QUIET, "a single save");
        assert_eq!(waited(|slice| slice <= 20), 20 + QUIET, "a hundred writes in a second");
        assert_eq!(waited(|slice| slice % 3 != 0), LONGEST, "writes with short pauses that never end");
        assert!(SLICE * LONGEST < Duration::from_millis(1900), "which leaves time to load within two seconds");
    }

    /// A running broker that records the generations that a reload applies to it.
    struct Recorded {
        serving: Mutex<Arc<Snapshot>>,
        applied: mpsc::UnboundedSender<u64>,
    }

    #[async_trait]
    impl Generations for Recorded {
        fn serving(&self) -> Arc<Snapshot> {
            Arc::clone(&self.serving.lock().unwrap())
        }

        async fn apply(&self, snapshot: Snapshot) -> Result<(), String> {
            let generation = snapshot.generation;
            *self.serving.lock().unwrap() = Arc::new(snapshot);
            self.applied.send(generation).unwrap();
            Ok(())
        }

        async fn refused(&self, _: &str) {}
    }

    fn prepared(file: &std::path::Path) -> (Inputs, Prepared) {
        let inputs = Inputs { main: file.to_owned(), ..Inputs::default() };
        let options = Options { number: 1, without_secrets: false, now: 0 };
        let prepared = prepare(&inputs, &Disk, options).unwrap();
        (inputs, prepared)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn d36_what_is_saved_while_the_broker_starts_is_applied() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("broker.toml");
        let text = |name: &str| {
            format!(
                "issuer = \"https://sso.example.com\"\n[clients.app]\nclient_name = \"{name}\"\ngrant_types = []\nclient_secret = \"s\"\n"
            )
        };
        std::fs::write(&file, text("Before")).unwrap();
        let (inputs, Prepared { fingerprint, involved, snapshot, .. }) = prepared(&file);
        // Saved after the files were read and before anything watched them.
        std::fs::write(&file, text("After")).unwrap();
        let (applied, mut generations) = mpsc::unbounded_channel();
        let broker = Arc::new(Recorded { serving: Mutex::new(Arc::new(snapshot.unwrap())), applied });
        let watched = Watched { inputs, fingerprint, involved };
        let clock = crate::env::ManualClock::at(0);
        let reloader = Reloader::new(Arc::clone(&broker) as _, clock, Arc::default(), watched);
        let running = tokio::spawn(reloader.run());
        let generation = tokio::time::timeout(Duration::from_secs(60), generations.recv()).await;
        assert_eq!(generation.unwrap(), Some(2));
        let name = broker.serving().config.clients.get("app").unwrap().client_name.clone();
        assert_eq!(name.as_deref(), Some("After"));
        running.abort();
    }

    /// Files that keep changing are read once they rest, and other files of the folder do not hold that up.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn d36_a_hundred_writes_are_one_generation() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("broker.toml");
        let text = |n: u32| {
            format!(
                "issuer = \"https://sso.example.com\"\n[clients.app]\nclient_name = \"App {n}\"\ngrant_types = []\nclient_secret = \"s\"\n"
            )
        };
        std::fs::write(&file, text(0)).unwrap();
        let (inputs, Prepared { fingerprint, involved, snapshot, .. }) = prepared(&file);
        let (applied, mut generations) = mpsc::unbounded_channel();
        let broker = Arc::new(Recorded { serving: Mutex::new(Arc::new(snapshot.unwrap())), applied });
        let watched = Watched { inputs, fingerprint, involved };
        let clock = crate::env::ManualClock::at(0);
        let reloader = Reloader::new(Arc::clone(&broker) as _, clock, Arc::default(), watched);
        let running = tokio::spawn(reloader.run());
        let path = file.clone();
        let written = tokio::task::spawn_blocking(move || {
            for n in 1..=100 {
                std::fs::write(&path, text(n)).unwrap();
            }
        });
        written.await.unwrap();
        // A busy store in the same folder.
        let store = folder.path().join("broker.db-wal");
        let busy = tokio::task::spawn_blocking(move || {
            for n in 0..2_000_u32 {
                std::fs::write(&store, n.to_string()).unwrap();
                std::thread::yield_now();
            }
        });
        let generation = tokio::time::timeout(Duration::from_secs(60), generations.recv()).await;
        assert_eq!(generation.unwrap(), Some(2));
        let name = broker.serving().config.clients.get("app").unwrap().client_name.clone();
        assert_eq!(name.as_deref(), Some("App 100"));
        busy.await.unwrap();
        running.abort();
    }
}
