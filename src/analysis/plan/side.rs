//! What a plan compares, and the consequences that it reports.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::analysis::plan::difference::Setting;
use crate::config::Config;
use crate::decision::policy::Policy;

/// How each client's subjects are made: `None` public, or the sector of pairwise ones (OIDC Core §8.1).
pub type Subjects = BTreeMap<String, Option<String>>;

/// One configuration, checked and compiled.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// The typed file.
    pub config: &'a Config,
    /// Its compiled policy.
    pub policy: &'a Policy,
    /// Its settings, secrets masked.
    pub settings: &'a [Setting],
    /// How its clients' subjects are made.
    pub subjects: &'a Subjects,
}

/// How much a notice weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// The change is refused unless it is forced.
    Refused,
    /// Somebody should look.
    Warning,
}

/// A consequence of a change that its settings do not show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// How much it weighs.
    pub weight: Weight,
    /// What it is.
    pub kind: &'static str,
    /// It in words.
    pub text: String,
}
