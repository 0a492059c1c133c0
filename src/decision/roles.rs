//! Roles and permissions: asserted by the provider, added by rules, declared in the file, or given by default.
//!
//! Every role can be traced to a line of the file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::config::language::policy::{DefaultRolesWhen, Each, IgnoreCase};
use crate::decision::policy::{Pattern, Policy, ProviderPolicy, RoleRule};
use crate::decision::trace::{RoleOrigin, Source, Stage, Trace};
use crate::expression::{Bindings, Variable};

/// The roles of a user, and their permissions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Granted {
    /// Roles, sorted.
    pub roles: Vec<String>,
    /// Permissions of the declared roles, sorted.
    pub permissions: Vec<String>,
    /// Those of the roles that no line declares, because `create_roles` created them.
    pub system: Vec<String>,
}

/// The facts that the rules read.
pub struct RoleFacts<'a> {
    /// The stored attributes, which become the `user` variable.
    pub user: &'a Map<String, Value>,
    /// Upstream and local groups.
    pub groups: &'a [String],
    /// Roles as asserted by the provider.
    pub asserted: &'a [String],
    /// The username, for looking up `[users]`.
    pub username: &'a str,
}

/// Determines the roles, in the order of the language: asserted, rules, `[users]`, default.
pub fn grant(policy: &Policy, provider: &ProviderPolicy, facts: &RoleFacts<'_>, trace: &mut Trace) -> Granted {
    let mut roles = BTreeSet::new();
    let mut system = Vec::new();
    let asserted = permitted(policy, provider, facts.asserted, trace);
    assert_roles(policy, provider, &asserted, &mut roles, &mut system, trace);
    apply_rules(policy, provider, facts, &asserted, &mut roles, trace);
    if let Some(user) = policy.declared(facts.username) {
        for role in &user.roles {
            trace.give(&user.source, role, RoleOrigin::User);
            roles.insert(role.clone());
        }
    }
    let lacking = match policy.default_roles_when {
        DefaultRolesWhen::NoRoles => roles.is_empty(),
        DefaultRolesWhen::NoGroups => facts.groups.is_empty(),
    };
    if lacking {
        let (defaults, source) = &policy.default_roles;
        for role in defaults {
            trace.give(source, role, RoleOrigin::Default);
            roles.insert(role.clone());
        }
    }
    let declared = roles.iter().filter_map(|role| policy.roles.get(role));
    let permissions: BTreeSet<String> = declared.flat_map(|(permissions, _)| permissions.iter().cloned()).collect();
    Granted { roles: roles.into_iter().collect(), permissions: permissions.into_iter().collect(), system }
}

/// The asserted roles that `asserted_roles` permits.
pub(crate) fn permitted(
    policy: &Policy,
    provider: &ProviderPolicy,
    asserted: &[String],
    trace: &mut Trace,
) -> Vec<String> {
    let Some((permitted, source)) = &provider.asserted_roles else { return asserted.to_vec() };
    let folds = policy.ignore_case.contains(&IgnoreCase::Roles);
    let may = |role: &String| permitted.contains(role) || folds && permitted.iter().any(|p| p.to_lowercase() == *role);
    let kept: Vec<String> = asserted.iter().filter(|role| may(role)).cloned().collect();
    let dropped = asserted.len() - kept.len();
    if dropped > 0 {
        trace.add(Stage::Roles, Some(source), format!("{} in asserted_roles: ignored", are_not(dropped)));
    }
    kept
}

/// "1 asserted role is not", "2 asserted roles are not".
fn are_not(count: usize) -> String {
    if count == 1 { "1 asserted role is not".to_owned() } else { format!("{count} asserted roles are not") }
}

fn assert_roles(
    policy: &Policy,
    provider: &ProviderPolicy,
    asserted: &[String],
    roles: &mut BTreeSet<String>,
    system: &mut Vec<String>,
    trace: &mut Trace,
) {
    let mut unknown = 0_usize;
    for role in asserted {
        if let Some((role, (_, source))) = declared_role(policy, role) {
            trace.give(source, role, RoleOrigin::Asserted);
            roles.insert(role.clone());
        } else if provider.create_roles {
            trace.give(&provider.source, role, RoleOrigin::System);
            system.push(role.clone());
            roles.insert(role.clone());
        } else {
            unknown += 1;
        }
    }
    if unknown > 0 {
        trace.add(Stage::Roles, Some(&provider.source), format!("{} declared: ignored", are_not(unknown)));
    }
}

/// The declared role with an asserted name. With `ignore_case = ["roles"]`, the asserted name is in lower case.
fn declared_role<'p>(policy: &'p Policy, name: &str) -> Option<(&'p String, &'p (Vec<String>, Source))> {
    policy.roles.get_key_value(name).or_else(|| {
        let folds = policy.ignore_case.contains(&IgnoreCase::Roles);
        policy.roles.iter().find(|(declared, _)| folds && declared.to_lowercase() == name)
    })
}

/// The variables that conditions of rules read.
pub(crate) fn rule_bindings<'v>(
    policy: &'v Policy,
    provider: &'v ProviderPolicy,
    facts: &RoleFacts<'v>,
    asserted: &'v [String],
) -> Bindings<'v> {
    let groups = || Variable::strings(facts.groups);
    let user = Variable::object(facts.user).with("username", Variable::text(facts.username)).with("groups", groups());
    Bindings::read_by(&policy.engine, &policy.rule_reads)
        .with("user", user)
        .with("groups", groups())
        .with("roles", Variable::strings(asserted))
        .with("provider", Variable::text(&provider.id))
}

fn apply_rules(
    policy: &Policy,
    provider: &ProviderPolicy,
    facts: &RoleFacts<'_>,
    asserted: &[String],
    roles: &mut BTreeSet<String>,
    trace: &mut Trace,
) {
    if policy.role_rules.is_empty() {
        return;
    }
    let bindings = rule_bindings(policy, provider, facts, asserted);
    for rule in &policy.role_rules {
        if rule.provider.as_ref().is_some_and(|only| *only != provider.id) {
            continue;
        }
        if let Some(when) = &rule.when {
            match when.expression.holds(&bindings) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    trace.add(Stage::Roles, Some(&when.source), format!("rule does not match: {error}"));
                    continue;
                }
            }
        }
        let mut give = |role: String| {
            trace.give(&rule.source, &role, RoleOrigin::Rule);
            roles.insert(role);
        };
        match &rule.each {
            None => rule.roles.iter().cloned().for_each(&mut give),
            Some((each, pattern)) => {
                let items = match each {
                    Each::Groups => facts.groups,
                    Each::Roles => asserted,
                };
                for item in items.iter().filter(|item| pattern.may_match(item)) {
                    from_item(rule, pattern, item, &mut give);
                }
            }
        }
    }
}

/// The roles that a rule with `each` derives from one item.
#[must_use]
pub fn made(rule: &RoleRule, item: &str) -> Vec<String> {
    let mut made = Vec::new();
    if let Some((_, pattern)) = &rule.each {
        from_item(rule, pattern, item, &mut |role| made.push(role));
    }
    made
}

fn from_item(rule: &RoleRule, pattern: &Pattern, item: &str, give: &mut dyn FnMut(String)) {
    if let Some(named) = pattern.captures(item) {
        rule.roles.iter().filter_map(|template| fill(template, &named)).for_each(give);
    }
}

/// Replaces `{name}` placeholders; `None` if one of the captures is empty or the role would be.
pub(crate) fn fill(template: &str, named: &BTreeMap<&str, &str>) -> Option<String> {
    let mut filled = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}')?;
        filled.push_str(before);
        filled.push_str(named.get(name).filter(|value| !value.is_empty())?);
        rest = tail;
    }
    filled.push_str(rest);
    (!filled.is_empty()).then_some(filled)
}
