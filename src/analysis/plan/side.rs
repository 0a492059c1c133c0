//! The two configurations that a plan compares, and the notices that it reports.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::analysis::plan::difference::Setting;
use crate::config::Config;
use crate::decision::policy::Policy;

/// How each client's subjects are created: `None` for public ones, or the sector of pairwise ones (OIDC Core §8.1).
pub type Subjects = BTreeMap<String, Option<String>>;

/// One configuration, checked and compiled.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The typed file.
    pub config: &'a Config,
    /// Its compiled policy.
    pub policy: &'a Policy,
    /// Its settings, with secrets masked.
    pub settings: &'a [Setting],
    /// How its clients' subjects are created.
    pub subjects: &'a Subjects,
}

/// How serious a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// The change is refused unless it is forced.
    Refused,
    /// Somebody loses their only way in: the change is refused unless that is accepted.
    Lockout,
    /// Somebody should check it.
    Warning,
}

/// A consequence of a change that its settings do not show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Notice {
    /// How serious it is.
    pub weight: Weight,
    /// A code for the kind of notice, such as `provider_removed`.
    pub kind: &'static str,
    /// The consequence in words.
    pub text: String,
}
