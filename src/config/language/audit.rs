//! `[audit]`: the audit trail.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::audit::Identify;
use crate::config::language::scalar::Duration;

/// `[audit]`: the audit trail.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// How the log and the audit events name people: by username and `sub`, by `sub` alone, or not at all.
    pub identify: Identify,
    /// How long events, and the traces of decisions, are kept.
    pub retention: Duration,
    /// A file that events are appended to, one line of JSON each.
    #[schemars(extend("x-path" = true))]
    pub file: Option<PathBuf>,
    /// Events to standard output, one line of JSON each.
    pub stdout: bool,
}

impl Default for Audit {
    fn default() -> Self {
        Self { identify: Identify::default(), retention: Duration::days(30), file: None, stdout: false }
    }
}
