//! A generation as a plan compares it with another.

use crate::analysis::plan::difference::Setting;
use crate::analysis::plan::{Side, Subjects};
use crate::config::diagnostics::locate::Origin;
use crate::config::load::origins::OriginRow;
use crate::snapshot::Snapshot;

/// The parts of a generation that a plan compares.
pub struct Compared<'s> {
    snapshot: &'s Snapshot,
    settings: Vec<Setting>,
    subjects: Subjects,
}

impl<'s> Compared<'s> {
    /// The parts of a generation, and of its settings with where they come from.
    #[must_use]
    pub fn of(snapshot: &'s Snapshot, origins: &[OriginRow]) -> Self {
        let settings = origins.iter().map(|row| {
            let place = match &row.origin {
                Origin::File { file, line, .. } => Some(format!("{file}:{line}")),
                Origin::Environment(name) => Some(format!("${name}")),
                Origin::Default => None,
            };
            Setting { path: row.path.clone(), value: row.value.clone(), place }
        });
        let clients = snapshot.clients.iter();
        let subjects = clients.map(|(key, client)| (key.clone(), client.pairwise_sector().map(str::to_owned)));
        Self { snapshot, settings: settings.collect(), subjects: subjects.collect() }
    }

    /// One side of a plan.
    #[must_use]
    pub fn side(&self) -> Side<'_> {
        let snapshot = self.snapshot;
        Side { config: &snapshot.config, policy: &snapshot.policy, settings: &self.settings, subjects: &self.subjects }
    }
}
