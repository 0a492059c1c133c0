//! Hot reload: watches the files, prepares a generation when they change, and applies it. While they have problems, the old
//! generation stays in force.
//!
//! How a generation is applied is passed in ([`Generations`]). Folders are watched rather than files, because editors and
//! ConfigMaps replace files by renaming. File metadata is polled as well, for file systems that send no events.

mod status;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, mpsc};

use crate::config::load::files::Disk;
use crate::config::load::{Inputs, Involved, Unreadable};
use crate::env::Clock;
use crate::snapshot::Snapshot;
use crate::snapshot::generation::{Fingerprint, Options, Prepared, prepare};
use status::Refusal;
pub use status::{ReloadProblem, ReloadStatus};
use watch::{Burst, SLICE, Stamps, Watch, stamps_off_thread};

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

/// Who is told of each reload of a running broker.
pub trait Observer: Send + Sync {
    /// The files are read.
    fn begins(&self);

    /// The reload has ended: which generation serves now, and whether the files have problems.
    fn ends(&self, serving: &Snapshot, status: &ReloadStatus);
}

/// How a generation is made of the files.
pub type Prepare = Arc<dyn Fn(&Inputs, Options) -> Result<Prepared, Unreadable> + Send + Sync>;

/// How the broker makes its generations: of the files on disk, with their tests.
#[must_use]
pub fn from_disk() -> Prepare {
    Arc::new(|inputs, options| prepare(inputs, &Disk, options))
}

/// The files of a configuration, and their contents when they were read.
pub struct Watched {
    /// The main file, the overlays, the environment.
    pub inputs: Inputs,
    /// The files of the generation in service.
    pub fingerprint: Fingerprint,
    /// Every file and folder whose changes matter.
    pub involved: Involved,
    /// How the next generation is made of them.
    pub prepare: Prepare,
}

/// Reloads one configuration.
pub struct Reloader {
    generations: Arc<dyn Generations>,
    clock: Arc<dyn Clock>,
    status: Arc<ReloadStatus>,
    inputs: Inputs,
    prepare: Prepare,
    /// The files of the generation in service.
    serving: Fingerprint,
    /// The files of the last attempt, so that its problems are reported once.
    refused: Option<Fingerprint>,
    /// Why the main file could not be read at the last attempt, which is reported once too.
    unreadable: Option<String>,
    involved: Involved,
    /// Whether the configuration only decides: it opens nothing and needs no secrets.
    only_decides: bool,
    observer: Option<Arc<dyn Observer>>,
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
        let Watched { inputs, fingerprint, involved, prepare } = watched;
        let (serving, refused, unreadable, only_decides, observer) = (fingerprint, None, None, false, None);
        Self {
            generations,
            clock,
            status,
            inputs,
            prepare,
            serving,
            refused,
            unreadable,
            involved,
            only_decides,
            observer,
        }
    }

    /// A reloader that reports each reload.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// A reloader for a configuration that only decides: its secrets are not read, and no change needs a restart.
    #[must_use]
    pub fn that_only_decides(self) -> Self {
        Self { only_decides: true, ..self }
    }

    /// Loads, checks and applies the configuration, all or nothing.
    pub async fn reload(&mut self) -> Reloaded {
        if let Some(observer) = &self.observer {
            observer.begins();
        }
        let outcome = self.attempt().await;
        if let Some(observer) = &self.observer {
            observer.ends(&self.generations.serving(), &self.status);
        }
        outcome
    }

    async fn attempt(&mut self) -> Reloaded {
        let old = self.generations.serving();
        let without_secrets = self.only_decides;
        let options = Options { number: old.generation + 1, without_secrets, now: self.clock.now() };
        let (inputs, prepare) = (self.inputs.clone(), Arc::clone(&self.prepare));
        let prepared = match tokio::task::spawn_blocking(move || prepare(&inputs, options)).await {
            Ok(Ok(prepared)) => prepared,
            Ok(Err(error)) => {
                self.refused = None;
                let why = error.to_string();
                if self.unreadable.as_ref() == Some(&why) {
                    return Reloaded::Unchanged;
                }
                self.unreadable = Some(why.clone());
                return self.refuse(Refusal::because(why)).await;
            }
            Err(error) => {
                return self.refuse(Refusal::because(format!("the reload was interrupted: {error}"))).await;
            }
        };
        let Prepared { problems, layers, involved, fingerprint, snapshot, .. } = prepared;
        self.involved = involved;
        self.unreadable = None;
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
        if !restart.is_empty() && !self.only_decides {
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
        let hangup = Arc::new(Notify::new());
        let hung_up = Arc::clone(&hangup);
        // Before the files are read: a signal that comes later leads to another reload.
        let signals = signal(SignalKind::hangup());
        tokio::spawn(async move {
            let Ok(mut signals) = signals else { return };
            while signals.recv().await.is_some() {
                hung_up.notify_one();
            }
        });
        let mut watch = Watch::new(events);
        // Changes that were saved after the files were read and before they were watched are applied now.
        let mut stamps = self.catch_up(&mut watch).await;
        loop {
            let asked = tokio::select! {
                () = hangup.notified() => true,
                _ = tokio::time::timeout(POLL, changed.recv()) => false,
            };
            // What has changed is seen in the files themselves: others in their folders, such as the store's, change often.
            let mut seen = stamps_off_thread(&self.involved).await;
            if !asked && seen == stamps {
                tokio::time::sleep(SLICE).await;
                continue;
            }
            let mut burst = Burst::default();
            let more = loop {
                tokio::time::sleep(SLICE).await;
                let now = stamps_off_thread(&self.involved).await;
                let more = std::mem::replace(&mut seen, now) != seen;
                if burst.is_over(more) {
                    break more;
                }
            };
            while changed.try_recv().is_ok() {}
            stamps = self.catch_up(&mut watch).await;
            if more {
                // A change in the same tick of the file system's clock as the last one would leave the stamps as they are.
                stamps.clear();
            }
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

#[cfg(test)]
mod tests;
