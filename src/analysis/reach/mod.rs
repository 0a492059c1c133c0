//! What leads to a role: asserted roles, rules, families of groups, declared users and defaults, each with its line and
//! the upstream groups and claims that it depends on.
//!
//! It is derived from the compiled policy and needs no user data. If a condition tests for more than names, the condition
//! itself is shown: the result is what *can* lead to the role, not what must. [`ways`] finds the ways, [`family`] inverts
//! rules with `each`, [`answer`] defines the result and prints it.

mod answer;
mod family;
#[cfg(test)]
mod tests;
mod ways;

pub use answer::{Name, Reach, Way};

use crate::config::Config;
use crate::config::language::policy::DefaultRolesWhen;
use crate::decision::policy::Policy;

/// What can lead to `role`.
#[must_use]
pub fn reach(config: &Config, policy: &Policy, role: &str) -> Reach {
    let declared = policy.roles.get(role);
    let mut ways = Vec::new();
    ways.extend(policy.providers.values().filter_map(|provider| ways::asserted(policy, provider, role)));
    ways.extend(policy.role_rules.iter().filter_map(|rule| ways::by_rule(policy, rule, role)));
    let mut users: Vec<_> = policy.users.values().filter(|user| user.roles.iter().any(|name| name == role)).collect();
    users.sort_by(|a, b| a.username.cmp(&b.username));
    ways.extend(users.into_iter().map(|user| Way {
        kind: "user",
        text: format!("user {} has it{}", user.username, if user.enabled { "" } else { ", but is disabled" }),
        place: user.source.to_string(),
        names: Vec::new(),
    }));
    let break_glass = policy.break_glass.as_ref().filter(|account| account.roles.iter().any(|name| name == role));
    ways.extend(break_glass.map(|account| Way {
        kind: "break_glass",
        text: format!("the break-glass account {} has it", account.username),
        place: account.source.to_string(),
        names: Vec::new(),
    }));
    let (defaults, source) = &policy.default_roles;
    if defaults.iter().any(|name| name == role) {
        let whom = match policy.default_roles_when {
            DefaultRolesWhen::NoRoles => "every user without another role",
            DefaultRolesWhen::NoGroups => "every user without a group",
        };
        let text = format!("{whom} has it by default");
        ways.push(Way { kind: "default", text, place: source.to_string(), names: Vec::new() });
    }
    Reach {
        role: role.to_owned(),
        declared: declared.map(|(_, source)| source.to_string()),
        description: config.roles.get(role).and_then(|role| role.description.clone()),
        permissions: declared.map(|(permissions, _)| permissions.clone()).unwrap_or_default(),
        ways,
    }
}
