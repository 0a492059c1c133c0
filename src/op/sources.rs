//! Where the configuration of a running broker is read from.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::config::load::Inputs;
use crate::config::load::files::Files;

/// Where the configuration is read from.
pub struct Sources {
    /// The main file, the overlays, the environment.
    pub(super) inputs: Inputs,
    /// The files.
    pub(super) files: Arc<dyn Files + Send + Sync>,
    /// One draft is put to the test at a time, since it costs as much as a reload.
    pub(super) turn: Semaphore,
}

impl Sources {
    /// The files that these inputs name.
    #[must_use]
    pub fn new(inputs: Inputs, files: Arc<dyn Files + Send + Sync>) -> Self {
        Self { inputs, files, turn: Semaphore::new(1) }
    }
}
