//! `[audit] file` and `stdout`: events are written out as they are in the store, a line each.
//!
//! The store is what counts: an output follows it, and remembers there how far it has come. What can't be written now is
//! written later, and nothing waits for it. The file is opened for each batch, so that it can be rotated by renaming it.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use crate::config::language::audit::Audit;
use crate::op::activity::Activity;
use crate::store::{Store, StoreError};

/// How many events are written at once.
const BATCH: u32 = 1_000;

/// Why events can't be written out.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store can't be read.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The output can't be written.
    #[error("{0}")]
    Output(#[from] std::io::Error),
}

/// Writes events out.
pub struct Exporter {
    store: Arc<dyn Store>,
    activity: Arc<Activity>,
}

impl Exporter {
    /// An exporter of this store, which notes there whether an output failed at the last attempt.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, activity: Arc<Activity>) -> Self {
        Self { store, activity }
    }

    /// Writes what was recorded since the last time to the outputs that are declared. A failure is reported once, and again
    /// only after the output has worked in between.
    pub async fn catch_up(&self, audit: &Audit) {
        let mut failed = None;
        if let Some(path) = &audit.file {
            let name = format!("file {}", path.display());
            failed = self.output(&name, |lines| append(path, lines)).await.err().map(|error| (name, error));
        }
        if audit.stdout {
            let name = "stdout".to_owned();
            let written = self.output(&name, |lines| std::io::stdout().write_all(lines.as_bytes())).await;
            failed = written.err().map(|error| (name, error)).or(failed);
        }
        let failing = failed.is_some();
        match (failed, self.activity.note_output(failing)) {
            (Some((output, error)), false) => {
                tracing::error!(event = "audit_output_failed", output, %error, "audit events can't be written out; they are in the store, and follow when it works again");
            }
            (None, true) => {
                tracing::info!(event = "audit_output_works", "audit events are written out again");
            }
            _ => {}
        }
    }

    async fn output(&self, name: &str, write: impl Fn(&str) -> std::io::Result<()> + Sync) -> Result<(), ExportError> {
        if !self.store.may_export(name).await? {
            return Ok(());
        }
        loop {
            let after = match self.store.exported(name).await? {
                Some(seq) => seq,
                None => self.store.chain_ends().await?.anchor.map_or(0, |anchor| anchor.seq),
            };
            let mut lines = self.store.events_after(after, BATCH).await?;
            let count = u64::try_from(lines.len()).unwrap_or_default();
            if count == 0 {
                return Ok(());
            }
            lines.push(String::new());
            write(&lines.join("\n"))?;
            self.store.set_exported(name, last_seq(&lines).unwrap_or(after + count)).await?;
        }
    }
}

/// The number of the last event of these lines.
fn last_seq(lines: &[String]) -> Option<u64> {
    let last = lines.iter().rev().find(|line| !line.is_empty())?;
    last.strip_prefix("{\"seq\":")?.split_once(',')?.0.parse().ok()
}

fn append(path: &Path, lines: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
    file.write_all(lines.as_bytes())?;
    file.sync_data()
}
