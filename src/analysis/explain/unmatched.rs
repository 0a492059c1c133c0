//! The role rules that did not match a person, those that came closest first.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::analysis::explain::condition::{Condition, explained};
use crate::config::language::policy::Each;
use crate::decision::pipeline::Decision;
use crate::decision::policy::{Policy, ProviderPolicy, RoleRule};
use crate::decision::roles::{RoleFacts, made, rule_bindings};
use crate::decision::trace::Source;

/// A rule that did not match.
#[derive(Clone, Debug, PartialEq)]
pub struct Unmatched {
    /// Where it is declared.
    pub source: Source,
    /// The roles that it would have added, with placeholders.
    pub roles: Vec<String>,
    /// Why it did not match, in words.
    pub text: String,
    /// The condition that does not hold; `None` if the rule has none, and no item has its pattern.
    pub condition: Option<Condition>,
}

impl Unmatched {
    fn came_close(&self) -> bool {
        self.condition.as_ref().is_some_and(|condition| !condition.near_misses.is_empty())
    }
}

/// `path`, `file`, `line`, `roles`, `text` and `condition`.
impl Serialize for Unmatched {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_map(None)?;
        json.serialize_entry("path", &*self.source.path)?;
        json.serialize_entry("file", &*self.source.file)?;
        json.serialize_entry("line", &self.source.line)?;
        json.serialize_entry("roles", &self.roles)?;
        json.serialize_entry("text", &self.text)?;
        json.serialize_entry("condition", &self.condition)?;
        json.end()
    }
}

/// The facts that the rules read of a decision, and of the roles that the provider asserted.
pub(super) fn facts<'d>(decision: &'d Decision, asserted: &'d [String]) -> RoleFacts<'d> {
    let Decision { profile: user, groups, account, .. } = decision;
    RoleFacts { user, groups, asserted, username: &account.username }
}

/// The rules for this provider that did not match.
#[must_use]
pub(super) fn rules(
    policy: &Policy,
    provider: &ProviderPolicy,
    facts: &RoleFacts<'_>,
    asserted: &[String],
) -> Vec<Unmatched> {
    let bindings = rule_bindings(policy, provider, facts, asserted);
    let variables = variables(provider, facts, asserted);
    let concerned = policy.role_rules.iter().filter(|rule| rule.provider.as_ref().is_none_or(|id| *id == provider.id));
    let mut unmatched: Vec<Unmatched> = concerned
        .filter_map(|rule| {
            let (text, condition) = match &rule.when {
                Some(when) => match when.expression.holds(&bindings) {
                    Ok(true) => (no_item(rule, facts, asserted)?, None),
                    Ok(false) => ("its condition does not hold".to_owned(), Some(&when.expression)),
                    Err(error) => (error.to_string(), Some(&when.expression)),
                },
                None => (no_item(rule, facts, asserted)?, None),
            };
            let condition = condition.map(|expression| explained(expression, &variables));
            Some(Unmatched { source: rule.source.clone(), roles: rule.roles.clone(), text, condition })
        })
        .collect();
    unmatched.sort_by_key(|rule| !rule.came_close());
    unmatched
}

/// That no group or role has the pattern of a rule with `each`; `None` if one has.
fn no_item(rule: &RoleRule, facts: &RoleFacts<'_>, asserted: &[String]) -> Option<String> {
    let (each, pattern) = rule.each.as_ref()?;
    let (items, what) = match each {
        Each::Groups => (facts.groups, "group"),
        Each::Roles => (asserted, "asserted role"),
    };
    if items.iter().any(|item| !made(rule, item).is_empty()) {
        return None;
    }
    Some(format!("no {what} matches {}", pattern.text()))
}

/// The values of the variables that conditions of rules read.
pub(super) fn variables(provider: &ProviderPolicy, facts: &RoleFacts<'_>, asserted: &[String]) -> Map<String, Value> {
    let mut user = facts.user.clone();
    user.insert("username".to_owned(), facts.username.into());
    user.insert("groups".to_owned(), facts.groups.into());
    let variables = json!({ "user": user, "groups": facts.groups, "roles": asserted, "provider": provider.id });
    match variables {
        Value::Object(variables) => variables,
        _ => Map::new(),
    }
}
