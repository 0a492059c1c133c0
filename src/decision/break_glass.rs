//! The decision on the break-glass account: what the file gives it, and nothing else.
//!
//! It has no upstream claims. Its groups and roles are those of `[break_glass]`; role rules and default roles do not apply.
//! What an app gets is decided as for everybody, but for the app's `providers` and `require`: see
//! [`app`](crate::decision::app).

use std::collections::BTreeSet;

use crate::decision::account::{Account, AccountDecision, LinkedBy};
use crate::decision::policy::{BreakGlassPolicy, Policy};
use crate::decision::reason::Reason;
use crate::decision::roles::Granted;
use crate::decision::trace::{Refusal, RoleOrigin, Stage, Trace};
use crate::decision::username;

/// The key under which the account of a break-glass username is stored. No username that a provider sends has it, because a
/// username has no control characters: the account is another one than that of somebody who had the name before.
#[must_use]
pub fn account_key(name: &str) -> String {
    format!("\u{1}{}", username::key(name))
}

/// Whether a stored account is that of a break-glass username, of this configuration or an earlier one.
#[must_use]
pub fn is_account_key(username_key: &str) -> bool {
    username_key.starts_with('\u{1}')
}

/// Decides on the account, which is `stored` unless it has never been used: whether it has access, and its roles.
///
/// # Errors
/// The account is disabled at run time.
pub fn decide(
    policy: &Policy,
    declared: &BreakGlassPolicy,
    stored: Option<Account>,
    mut trace: Trace,
) -> Result<(AccountDecision, Granted, Trace), Refusal> {
    if stored.as_ref().is_some_and(|stored| stored.disabled) {
        return Err(trace.refuse(Stage::Account, None, Reason::UserDisabled, "the user is disabled at run time"));
    }
    trace.add(Stage::Account, Some(&declared.source), "the break-glass account");
    for role in &declared.roles {
        trace.give(&declared.source, role, RoleOrigin::BreakGlass);
    }
    let permitted = declared.roles.iter().filter_map(|role| policy.roles.get(role));
    let permissions: BTreeSet<String> = permitted.flat_map(|(permissions, _)| permissions.iter().cloned()).collect();
    let roles: BTreeSet<String> = declared.roles.iter().cloned().collect();
    let granted = Granted {
        roles: roles.into_iter().collect(),
        permissions: permissions.into_iter().collect(),
        system: Vec::new(),
    };
    let account = AccountDecision {
        username: declared.username.clone(),
        imported_sub: None,
        linked_by: if stored.is_some() { LinkedBy::Subject } else { LinkedBy::Created },
        by_address: false,
        ids: stored.as_ref().map(|stored| stored.ids.clone()).unwrap_or_default(),
        existing: stored,
    };
    Ok((account, granted, trace))
}
