//! A shadow configuration (`serve --shadow`): live sign-ins are evaluated with it too, without effect. It is reloaded like the
//! configuration that serves, and as long as it has problems, the one that was read last is evaluated.

use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;

use crate::snapshot::Snapshot;
use crate::snapshot::reload::Generations;

/// A configuration that decides nothing.
pub struct Shadow {
    file: PathBuf,
    generation: ArcSwap<Snapshot>,
}

impl Shadow {
    /// The shadow that a file has.
    #[must_use]
    pub fn new(file: PathBuf, snapshot: Snapshot) -> Self {
        Self { file, generation: ArcSwap::from_pointee(snapshot) }
    }

    /// The generation that is evaluated.
    #[must_use]
    pub fn current(&self) -> Arc<Snapshot> {
        self.generation.load_full()
    }
}

#[async_trait]
impl Generations for Shadow {
    fn serving(&self) -> Arc<Snapshot> {
        self.current()
    }

    async fn apply(&self, snapshot: Snapshot) -> Result<(), String> {
        let (generation, hash) = (snapshot.generation, snapshot.hash.clone());
        self.generation.store(Arc::new(snapshot));
        tracing::info!(event = "shadow_reload", file = %self.file.display(), generation, hash, "the shadow configuration was reloaded");
        Ok(())
    }

    async fn refused(&self, _problems: &str) {
        let text = "the shadow configuration has problems: the one before is evaluated";
        tracing::warn!(event = "shadow_reload_failed", file = %self.file.display(), "{text}");
    }
}
