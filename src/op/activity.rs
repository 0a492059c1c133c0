//! How often what happened, for metrics. The labels are bounded: kinds, patterns, and the clients and providers of the file.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::audit::Event;

/// The most different sets of labels; further ones are counted without client and provider.
const MOST: usize = 20_000;

/// What events of one sort are counted by.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Labels {
    /// The kind.
    pub event: &'static str,
    /// The action or the pattern.
    pub detail: &'static str,
    /// The reason code.
    pub reason: String,
    /// Key of the client.
    pub client: String,
    /// Id of the provider.
    pub provider: String,
}

/// Counts of events since the start.
#[derive(Debug, Default)]
pub struct Activity {
    counts: Mutex<BTreeMap<Labels, u64>>,
    output_failing: AtomicBool,
}

impl Activity {
    /// Counts an event.
    pub fn count(&self, event: &Event) {
        let text = |text: &Option<crate::audit::Text>| text.as_deref().unwrap_or_default().to_owned();
        let detail = event.action.map(crate::audit::Action::name).or(event.pattern.map(crate::audit::Pattern::name));
        let labels = Labels {
            event: event.kind.name(),
            detail: detail.unwrap_or_default(),
            reason: text(&event.reason),
            client: text(&event.client),
            provider: text(&event.provider),
        };
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&labels) {
            *count += 1;
        } else if counts.len() < MOST {
            counts.insert(labels, 1);
        } else {
            let Labels { event, detail, .. } = labels;
            *counts.entry(Labels { event, detail, ..Labels::default() }).or_default() += 1;
        }
    }

    /// The counts.
    #[must_use]
    pub fn counts(&self) -> Vec<(Labels, u64)> {
        let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.iter().map(|(labels, count)| (labels.clone(), *count)).collect()
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
