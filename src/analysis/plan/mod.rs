//! The effects of a configuration change: which settings differ, and what changes for whom.
//!
//! [`difference`] compares settings by meaning, [`renames`] finds providers with another id, [`impact`] evaluates known people's
//! sign-ins with both policies, [`report`] defines the plan and prints it, [`markdown`] prints it for a pull request,
//! [`document`] is its JSON. This file combines them and detects changes that need `--force` or `--accept`. It does no I/O: the
//! caller reads the people from the store.

pub mod difference;
pub mod document;
pub mod impact;
pub mod markdown;
mod renames;
mod report;
mod side;
#[cfg(test)]
mod tests;

pub use report::Plan;
pub use side::{Notice, Side, Subjects, Weight};

use crate::analysis::known::Known;
use crate::config::diagnostics::problem::printable;
use impact::Impact;

/// Plans a change. `people` is an iterator, so that a store of any size can be processed; `None` if there is no store.
///
/// # Errors
/// The error of reading the people.
pub fn plan<E>(
    old: Side<'_>,
    new: Side<'_>,
    people: Option<impl Iterator<Item = Result<Known, E>>>,
) -> Result<Plan, E> {
    let mut changes = difference::differences(old.settings, new.settings);
    difference::add_hidden(old.config, new.config, &mut changes);
    let renames = renames::find(old, new, &mut changes);
    let mut notices = Vec::new();
    subject_changes(old, new, &mut notices);
    if enabled_providers(old) > 0 && enabled_providers(new) == 0 {
        let left = match &new.policy.break_glass {
            Some(account) => format!("only the break-glass account {} can sign in", printable(&account.username)),
            None => "nobody can sign in".to_owned(),
        };
        let text = format!("no enabled provider is left: {left}");
        notices.push(Notice { weight: Weight::Lockout, kind: "locked_out", text });
    }
    if old.policy.break_glass.is_some() && new.policy.break_glass.is_none() {
        let text = "the break-glass account is removed: nobody can sign in when no provider can be used".to_owned();
        notices.push(Notice { weight: Weight::Warning, kind: "break_glass_removed", text });
    }
    let people = match people {
        None => None,
        Some(people) => {
            let mut impact = Impact::new(old, new, &changes, &renames);
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

fn enabled_providers(side: Side<'_>) -> usize {
    side.policy.providers.values().filter(|provider| provider.enabled).count()
}

/// Finds clients whose subjects change. Apps identify people by their subject, so that each would get a new account.
fn subject_changes(old: Side<'_>, new: Side<'_>, notices: &mut Vec<Notice>) {
    let words = |sector: &Option<String>| match sector {
        None => "public".to_owned(),
        Some(sector) => format!("pairwise for {sector}"),
    };
    for (client, before) in old.subjects {
        let Some(after) = new.subjects.get(client).filter(|after| *after != before) else { continue };
        let (from, to) = (words(before), words(after));
        let text = format!("every user's sub at client {client} changes from {from} to {to}");
        notices.push(Notice { weight: Weight::Refused, kind: "sub_changes", text });
    }
}
