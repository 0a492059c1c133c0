//! Counts events for metrics, and remembers whether the outputs of the audit trail can be written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::audit::Event;
use crate::metrics::Metrics;

/// Counts events, and remembers whether they can be written out.
#[derive(Debug, Default)]
pub struct Activity {
    metrics: Arc<Metrics>,
    output_failing: AtomicBool,
}

impl Activity {
    /// Counts in these metrics.
    #[must_use]
    pub const fn of(metrics: Arc<Metrics>) -> Self {
        Self { metrics, output_failing: AtomicBool::new(false) }
    }

    /// Counts an event.
    pub fn count(&self, event: &Event) {
        self.metrics.event(event);
    }

    /// Whether audit events could not be written to an output at the last attempt.
    #[must_use]
    pub fn is_output_failing(&self) -> bool {
        self.output_failing.load(Ordering::Relaxed)
    }

    /// Notes whether they could; returns what was noted before.
    pub fn note_output(&self, failing: bool) -> bool {
        self.output_failing.swap(failing, Ordering::Relaxed)
    }
}
