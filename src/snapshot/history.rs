//! What is remembered of each generation that a process puts to work or refuses, and what each process says that it runs.
//!
//! It is kept in the store, so it survives restarts and is the same for all processes. Only the console shows it, so nothing is
//! written where there is none.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::env::Random;
use crate::snapshot::Snapshot;
use crate::snapshot::settings::Change;
use crate::store::{Replica, Store, StoreError, StoredGeneration};

/// The most changes that are remembered of a generation.
const CHANGES: usize = 200;
/// The most bytes that are remembered of its problems.
const PROBLEMS: usize = 16 * 1024;
/// A process that has not been seen for this many seconds counts as gone.
const GONE_AFTER: i64 = 600;

/// What happened to a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// The process started with it.
    Started,
    /// A reload put it to work.
    Applied,
    /// It had problems, and the one before stays in service.
    Refused,
}

impl Happened {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Applied => "applied",
            Self::Refused => "refused",
        }
    }
}

/// What is remembered of a generation, beside its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// What happened to it.
    pub happened: Happened,
    /// The name of the process's host.
    pub host: String,
    /// What differs from the generation before.
    pub changes: Vec<Change>,
    /// How many further changes there are.
    pub more: usize,
    /// Problems, or warnings of one that serves, as `check` prints them.
    pub problems: String,
}

impl Summary {
    /// From a row of the store. `None` when another version of the broker wrote it in another form.
    #[must_use]
    pub fn read(row: &StoredGeneration) -> Option<Self> {
        serde_json::from_str(&row.data).ok()
    }
}

/// The history, as one process writes it.
pub struct History {
    store: Arc<dyn Store>,
    random: Arc<dyn Random>,
    id: String,
    host: String,
    started_at: i64,
}

impl History {
    /// That of a process that starts now, on this host.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, random: Arc<dyn Random>, host: String, now: i64) -> Self {
        // Without randomness the broker can do nothing anyway; it says so itself.
        let id = random.id().unwrap_or_default();
        Self { store, random, id, host, started_at: now }
    }

    /// The id of this process.
    #[must_use]
    pub fn replica(&self) -> &str {
        &self.id
    }

    /// A generation serves: the first one, or one that a reload put in the place of `before`.
    pub async fn applied(&self, before: Option<&Snapshot>, snapshot: &Snapshot, now: i64) {
        if snapshot.config.console.is_none() {
            return;
        }
        let comparable = before.filter(|before| !before.settings.is_empty());
        let changes = comparable.map(|before| before.settings.changes(&snapshot.settings)).unwrap_or_default();
        let happened = if before.is_some() { Happened::Applied } else { Happened::Started };
        self.remember(snapshot, (happened, changes), &snapshot.warnings, now).await;
        self.seen(snapshot, now).await;
    }

    /// A generation has problems, and `serving` stays in service.
    pub async fn refused(&self, serving: &Snapshot, problems: &str, now: i64) {
        if serving.config.console.is_some() {
            self.remember(serving, (Happened::Refused, Vec::new()), problems, now).await;
        }
    }

    /// This process runs this generation.
    pub async fn seen(&self, snapshot: &Snapshot, now: i64) {
        if snapshot.config.console.is_none() {
            return;
        }
        let replica = Replica {
            id: self.id.clone(),
            host: self.host.clone(),
            hash: snapshot.hash.clone(),
            generation: number(snapshot),
            started_at: self.started_at,
            seen_at: now,
        };
        report(self.store.replica_seen(replica, now - GONE_AFTER).await);
    }

    async fn remember(
        &self,
        snapshot: &Snapshot,
        (happened, mut changes): (Happened, Vec<Change>),
        problems: &str,
        now: i64,
    ) {
        let Ok(id) = self.random.id() else { return };
        let more = changes.len().saturating_sub(CHANGES);
        changes.truncate(CHANGES);
        let end = problems.floor_char_boundary(PROBLEMS);
        let problems = match problems.split_at_checked(end) {
            Some((kept, rest)) if !rest.is_empty() => format!("{kept}\n... ({} bytes in all)", problems.len()),
            _ => problems.to_owned(),
        };
        let summary = Summary { happened, host: self.host.clone(), changes, more, problems };
        let applied = happened != Happened::Refused;
        let generation = StoredGeneration {
            id,
            replica: self.id.clone(),
            number: number(snapshot),
            hash: if applied { snapshot.hash.clone() } else { String::new() },
            applied,
            // It contains only text and numbers, so serialising it can't fail.
            data: serde_json::to_string(&summary).unwrap_or_default(),
            at: now,
        };
        report(self.store.save_generation(generation).await);
    }
}

fn number(snapshot: &Snapshot) -> i64 {
    i64::try_from(snapshot.generation).unwrap_or(i64::MAX)
}

/// The configuration serves whether or not it can be remembered.
fn report(written: Result<(), StoreError>) {
    if let Err(error) = written {
        tracing::warn!(%error, "the history of the configuration can't be written");
    }
}
