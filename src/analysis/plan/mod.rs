//! What a change of the configuration means: which settings differ, and for whom it changes what.
//!
//! [`difference`] compares settings by meaning, [`impact`] replays known people through both policies, [`report`] says it
//! all, for people and as JSON. This module puts them together and holds what a change may not do unasked. Pure: people
//! come from whoever calls.

pub mod difference;
pub mod impact;
mod report;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::config::Config;
use crate::decision::account::Account;
use crate::decision::policy::Policy;
use difference::{Change, Setting};
use impact::{Impact, People};

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

/// A person that the broker knows.
#[derive(Clone, Debug)]
pub struct Known {
    /// The account.
    pub account: Account,
    /// The upstream accounts.
    pub links: Vec<KnownLink>,
}

/// An upstream account with the claims of its last sign-in.
#[derive(Clone, Debug)]
pub struct KnownLink {
    /// Provider id.
    pub provider: String,
    /// The provider's issuer at the time.
    pub issuer: String,
    /// The upstream `sub`.
    pub subject: String,
    /// The upstream claims.
    pub claims: Map<String, Value>,
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

/// Something that a change does beside the obvious.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// How much it weighs.
    pub weight: Weight,
    /// What it is.
    pub kind: &'static str,
    /// It in words.
    pub text: String,
}

/// A whole plan.
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Settings that differ.
    pub changes: Vec<Change>,
    /// Settings among them that need a restart.
    pub restart: Vec<&'static str>,
    /// What the change does beside the obvious.
    pub notices: Vec<Notice>,
    /// What it does to whom; `None` when nobody could be asked about.
    pub people: Option<People>,
}

impl Plan {
    /// Whether the change must be refused.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.notices.iter().any(|notice| notice.weight == Weight::Refused)
    }

    /// Whether anybody's access or claims change.
    #[must_use]
    pub fn has_impact(&self) -> bool {
        self.people.as_ref().is_some_and(|people| !people.affected.is_empty()) || !self.notices.is_empty()
    }
}

/// Plans a change. `people` is a stream, so that a store of any size can be replayed; `None` when there is no store.
///
/// # Errors
/// What reading the people fails with.
pub fn plan<E>(
    old: Side<'_>,
    new: Side<'_>,
    people: Option<impl Iterator<Item = Result<Known, E>>>,
) -> Result<Plan, E> {
    let mut changes = difference::differences(old.settings, new.settings);
    difference::add_hidden(old.config, new.config, &mut changes);
    let mut notices = Vec::new();
    subject_changes(old, new, &mut notices);
    if ways_in(old) > 0 && ways_in(new) == 0 {
        let text = "no provider is left that is enabled: nobody can sign in".to_owned();
        notices.push(Notice { weight: Weight::Warning, kind: "last_way_in", text });
    }
    let people = match people {
        None => None,
        Some(people) => {
            let mut impact = Impact::new(old, new, &changes);
            for known in people {
                impact.add(&known?);
            }
            let (people, found) = impact.finish();
            notices.extend(found);
            Some(people)
        }
    };
    notices.sort_by_key(|notice| notice.weight);
    Ok(Plan { restart: old.config.restart_needed(new.config), changes, notices, people })
}

fn ways_in(side: Side<'_>) -> usize {
    side.policy.providers.values().filter(|provider| provider.enabled).count()
}

/// Apps know people by their subject: another one is another person to them.
fn subject_changes(old: Side<'_>, new: Side<'_>, notices: &mut Vec<Notice>) {
    let words = |sector: &Option<String>| match sector {
        None => "public".to_owned(),
        Some(sector) => format!("pairwise for {sector}"),
    };
    for (client, before) in old.subjects {
        let Some(after) = new.subjects.get(client).filter(|after| *after != before) else { continue };
        let (from, to) = (words(before), words(after));
        let text = format!("every user's sub at client {client} changes: it was {from} and would be {to}");
        notices.push(Notice { weight: Weight::Refused, kind: "sub_changes", text });
    }
}
