//! What leads to a role: asserted roles, rules, families, declared users, defaults, each with its line, and the upstream
//! groups and claims behind it.
//!
//! Read off the compiled policy, nobody's data needed. Where a condition says more than which names it tests for, the
//! condition itself is shown: this is what *can* lead to the role, not what must.

use std::collections::BTreeMap;
use std::fmt;

use regex::Regex;
use serde::Serialize;

use crate::config::language::policy::{DefaultRolesWhen, Each, IgnoreCase};
use crate::decision::policy::{Pattern, Policy, ProviderPolicy, RoleRule};
use crate::expression::Facts;

/// Everything that can lead to a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// The role.
    pub role: String,
    /// Where it is declared.
    pub declared: Option<String>,
    /// Its permissions.
    pub permissions: Vec<String>,
    /// What leads to it, in the order of the decision.
    pub ways: Vec<Way>,
}

/// One way to a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Way {
    /// `asserted`, `rule`, `user` or `default`.
    pub kind: &'static str,
    /// What it is.
    pub text: String,
    /// The line.
    pub place: String,
    /// The groups or asserted roles that it tests for.
    pub names: Vec<Name>,
}

/// A group or role that a rule tests for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Name {
    /// `groups` or `roles`.
    pub list: String,
    /// Its name, or the pattern of a family.
    pub name: String,
    /// Where it comes from, a line each.
    pub from: Vec<String>,
}

/// What can lead to `role`.
#[must_use]
pub fn reach(policy: &Policy, role: &str) -> Reach {
    let declared = policy.roles.get(role);
    let mut ways = Vec::new();
    ways.extend(policy.providers.values().filter_map(|provider| asserted(policy, provider, role)));
    ways.extend(policy.role_rules.iter().filter_map(|rule| by_rule(policy, rule, role)));
    let mut users: Vec<_> = policy.users.values().filter(|user| user.roles.iter().any(|name| name == role)).collect();
    users.sort_by(|a, b| a.username.cmp(&b.username));
    ways.extend(users.into_iter().map(|user| Way {
        kind: "user",
        text: format!("user {} has it{}", user.username, if user.enabled { "" } else { ", but is disabled" }),
        place: user.source.to_string(),
        names: Vec::new(),
    }));
    let (defaults, source) = &policy.default_roles;
    if defaults.iter().any(|name| name == role) {
        let whom = match policy.default_roles_when {
            DefaultRolesWhen::NoRoles => "whoever got no role",
            DefaultRolesWhen::NoGroups => "whoever has no group",
        };
        let text = format!("{whom} has it by default");
        ways.push(Way { kind: "default", text, place: source.to_string(), names: Vec::new() });
    }
    Reach {
        role: role.to_owned(),
        declared: declared.map(|(_, source)| source.to_string()),
        permissions: declared.map(|(permissions, _)| permissions.clone()).unwrap_or_default(),
        ways,
    }
}

/// The provider's own word, where it counts.
fn asserted(policy: &Policy, provider: &ProviderPolicy, role: &str) -> Option<Way> {
    let known = policy.roles.contains_key(role);
    if !known && !provider.create_roles {
        return None;
    }
    let place = match &provider.asserted_roles {
        Some((permitted, source)) => permitted.contains(role).then(|| source.to_string())?,
        None => provider.source.to_string(),
    };
    let upstream = sources(policy, provider, "roles", role);
    if upstream.is_empty() {
        return None;
    }
    let system = if known { "" } else { ", as a System role" };
    let names = vec![Name { list: "roles".to_owned(), name: role.to_owned(), from: upstream }];
    let off = if provider.enabled { "" } else { " (disabled)" };
    Some(Way { kind: "asserted", text: format!("provider {}{off} may assert it{system}", provider.id), place, names })
}

fn by_rule(policy: &Policy, rule: &RoleRule, role: &str) -> Option<Way> {
    let facts = rule.when.as_ref().map(|when| when.expression.facts().clone()).unwrap_or_default();
    let providers = providers_of(policy, rule, &facts);
    let mut names: Vec<Name> = Vec::new();
    for (list, name) in &facts.members {
        let list = list.strip_prefix("user.").unwrap_or(list);
        if matches!(list, "groups" | "roles") && !names.iter().any(|known| known.list == list && known.name == *name) {
            let from = origins(policy, &providers, list, name);
            names.push(Name { list: list.to_owned(), name: name.clone(), from });
        }
    }
    match &rule.each {
        None => rule.roles.iter().find(|name| *name == role).map(|_| ())?,
        Some((each, pattern)) => {
            let list = match each {
                Each::Groups => "groups",
                Each::Roles => "roles",
            };
            let families: Vec<Family> =
                rule.roles.iter().filter_map(|template| family(rule, pattern, template, role)).collect();
            if families.is_empty() {
                return None;
            }
            for family in families {
                let (name, from) = match family {
                    Family::One(name) => (name.clone(), origins(policy, &providers, list, &name)),
                    Family::Many(pattern) => (format!("any that matches {pattern}"), Vec::new()),
                };
                names.push(Name { list: list.to_owned(), name, from });
            }
        }
    }
    let mut text = match &rule.provider {
        Some(provider) => format!("rule for users of {provider}"),
        None => "rule for users of any provider".to_owned(),
    };
    if let Some(when) = &rule.when {
        text.push_str(&format!(", when {}", when.expression.source()));
    }
    Some(Way { kind: "rule", text, place: rule.source.to_string(), names })
}

/// The providers whose users a rule can be about.
fn providers_of<'p>(policy: &'p Policy, rule: &RoleRule, facts: &Facts) -> Vec<&'p ProviderPolicy> {
    let named: Vec<&str> =
        facts.equals.iter().filter(|(variable, _)| variable == "provider").map(|(_, id)| id.as_str()).collect();
    let may = |provider: &&ProviderPolicy| match &rule.provider {
        Some(only) => *only == provider.id,
        None => named.is_empty() || named.contains(&provider.id.as_str()),
    };
    policy.providers.values().filter(may).collect()
}

/// Where a group or asserted role comes from: each provider's claims, and declared users.
fn origins(policy: &Policy, providers: &[&ProviderPolicy], list: &str, name: &str) -> Vec<String> {
    let mut from: Vec<String> = providers.iter().flat_map(|provider| sources(policy, provider, list, name)).collect();
    if list == "groups" {
        let mut users: Vec<_> = policy.users.values().filter(|user| user.groups.iter().any(|g| g == name)).collect();
        users.sort_by(|a, b| a.username.cmp(&b.username));
        from.extend(users.into_iter().map(|user| format!("user {} has it  [{}]", user.username, user.source)));
    }
    from
}

/// How a provider's claims give a name in a list; empty when its tables show that they can't.
fn sources(policy: &Policy, provider: &ProviderPolicy, list: &str, name: &str) -> Vec<String> {
    let Some(rule) = provider.claims.iter().find(|rule| rule.name == list) else { return Vec::new() };
    let folds = match list {
        "groups" => policy.ignore_case.contains(&IgnoreCase::Groups),
        _ => policy.ignore_case.contains(&IgnoreCase::Roles),
    };
    let same = |value: &str| value == name || folds && value.to_lowercase() == name.to_lowercase();
    let mut from = Vec::new();
    for alternative in &rule.alternatives {
        let tables = &alternative.facts().tables;
        let keys: Vec<&str> = tables
            .iter()
            .filter_map(|table| policy.engine.tables().get(table))
            .flat_map(|table| table.iter().filter(|(_, value)| same(value)).map(|(key, _)| key.as_str()))
            .collect();
        let source = alternative.source();
        match (tables.is_empty(), keys.is_empty()) {
            (true, _) => from.push(format!("{}: {source}  [{}]", provider.id, rule.source)),
            (false, false) => {
                from.push(format!("{}: {} in {source}  [{}]", provider.id, keys.join(", "), rule.source));
            }
            (false, true) => {}
        }
    }
    from
}

/// The names for which a template gives the role.
enum Family {
    /// Exactly this one.
    One(String),
    /// Those that match.
    Many(String),
}

/// The names for which `template` can give `role`; `None` when none can.
fn family(rule: &RoleRule, pattern: &Pattern, template: &str, role: &str) -> Option<Family> {
    let captures = template_regex(template)?.captures(role).map(|found| {
        let names = placeholders(template);
        names.iter().filter_map(|name| Some((*name, found.name(name)?.as_str()))).collect::<BTreeMap<_, _>>()
    })?;
    let narrowed = narrow(&pattern.text, &captures)?;
    let bare = narrowed.strip_prefix('^').unwrap_or(&narrowed);
    let bare = bare.strip_suffix('$').unwrap_or(bare);
    let name = unescape(bare);
    match name {
        Some(name) if crate::decision::roles::made(rule, &name).iter().any(|made| made == role) => {
            Some(Family::One(name))
        }
        Some(_) => None,
        None => Some(Family::Many(bare.to_owned())),
    }
}

fn placeholders(template: &str) -> Vec<&str> {
    let mut names: Vec<&str> =
        template.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A regular expression for the roles that a template can make. A name that stands twice is captured once.
fn template_regex(template: &str) -> Option<Regex> {
    let mut text = String::from(r"\A");
    let mut seen = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, tail) = after.split_once('}')?;
        text.push_str(&regex::escape(before));
        if seen.contains(&name) {
            text.push_str(".+");
        } else {
            text.push_str(&format!("(?<{name}>.+)"));
            seen.push(name);
        }
        rest = tail;
    }
    text.push_str(&regex::escape(rest));
    text.push_str(r"\z");
    Regex::new(&text).ok()
}

/// The pattern with each named capture replaced by its value; `None` where a capture can't have that value.
fn narrow(pattern: &str, values: &BTreeMap<&str, &str>) -> Option<String> {
    let mut narrowed = String::new();
    let mut rest = pattern;
    while let Some(start) = rest.find("(?<").or_else(|| rest.find("(?P<")) {
        let (before, group) = rest.split_at(start);
        narrowed.push_str(before);
        let end = closing(group)?;
        let (group, tail) = group.split_at(end);
        let (name, inner) = group.split_once('<')?.1.split_once('>')?;
        let inner = inner.strip_suffix(')')?;
        match values.get(name) {
            Some(value) => {
                if !Regex::new(&format!(r"\A(?:{inner})\z")).ok()?.is_match(value) {
                    return None;
                }
                narrowed.push_str(&regex::escape(value));
            }
            None => narrowed.push_str(&format!("(?:{inner})")),
        }
        rest = tail;
    }
    narrowed.push_str(rest);
    Some(narrowed)
}

/// The byte after the bracket that closes the group which the text starts with.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut escaped, mut class) = (0_usize, false, false);
    for (offset, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' if !class => class = true,
            ']' => class = false,
            '(' if !class => depth += 1,
            ')' if !class => {
                depth -= 1;
                if depth == 0 {
                    return Some(offset + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The one text that a pattern matches, where it is that simple.
fn unescape(pattern: &str) -> Option<String> {
    let mut text = String::new();
    let mut escaped = false;
    for c in pattern.chars() {
        match c {
            c if escaped => {
                if c.is_alphanumeric() {
                    return None;
                }
                text.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '.' | '*' | '+' | '?' | '|' | '(' | ')' | '[' | ']' | '{' | '}' | '^' | '$' => return None,
            c => text.push(c),
        }
    }
    Some(text)
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.declared {
            Some(place) => write!(f, "Role {}  [{place}]", self.role)?,
            None => write!(f, "Role {}, not declared", self.role)?,
        }
        match self.permissions.as_slice() {
            [] => writeln!(f, ", without permissions")?,
            permissions => writeln!(f, ", permissions {}", permissions.join(", "))?,
        }
        if self.ways.is_empty() {
            writeln!(f, "  nothing leads to it")?;
        }
        for way in &self.ways {
            writeln!(f, "  {}  [{}]", way.text, way.place)?;
            for name in &way.names {
                writeln!(f, "      {} {}", name.list.trim_end_matches('s'), name.name)?;
                name.from.iter().try_for_each(|from| writeln!(f, "          {from}"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::testing::compiled;

    const FILE: &str = r#"
issuer = "https://sso.example.com"
[policy]
default_roles = ["viewer"]
[tables.ids]
entries = { "1b2c" = "sre", "9f3c" = "dev" }
[providers.corp]
issuer = "https://login.example"
client_id = "c"
asserted_roles = ["viewer"]
[providers.corp.claims]
groups = "claims.groups.lookup('ids')"
[providers.keycloak]
issuer = "https://kc.example"
client_id = "k"
create_roles = true
[providers.keycloak.claims]
roles = "claims.realm_access.roles"
[roles.admin]
permissions = ["users:write"]
[roles.viewer]
[[role_rules]]
when = "'sre' in groups && provider == 'corp'"
roles = ["admin"]
[[role_rules]]
when = "groups.exists(g, g == 'dev') && !('banned' in groups)"
roles = ["viewer"]
[[role_rules]]
provider = "keycloak"
each = "groups"
matches = '^app-(?<app>[a-z]+)-(?<level>admin|viewer)$'
roles = ["{app}:{level}"]
[[role_rules]]
provider = "keycloak"
each = "groups"
matches = '(?<team>[a-z]+)-(lead|boss)[0-9]*'
roles = ["lead:{team}"]
[users.alice]
groups = ["sre"]
roles = ["admin"]
"#;

    fn reached(role: &str) -> String {
        let (_, policy) = compiled(FILE);
        reach(&policy, role).to_string()
    }

    #[test]
    fn every_way_to_a_role_has_its_line_and_what_is_behind_it() {
        assert_eq!(
            reached("admin"),
            "Role admin  [broker.toml:7], permissions users:write
  provider keycloak may assert it  [broker.toml:7]
      role admin
          keycloak: claims.realm_access.roles  [broker.toml:7]
  rule for users of any provider, when 'sre' in groups && provider == 'corp'  [broker.toml:7]
      group sre
          corp: 1b2c in claims.groups.lookup('ids')  [broker.toml:7]
          user alice has it  [broker.toml:7]
  user alice has it  [broker.toml:7]
"
        );
        let viewer = reached("viewer");
        assert!(viewer.contains("      group dev\n          corp: 9f3c in "), "{viewer}");
        assert!(viewer.contains("          keycloak: claims.groups  [broker.toml:7]\n"), "{viewer}");
        assert!(viewer.contains("provider corp may assert it"), "{viewer}");
        assert!(viewer.contains("whoever got no role has it by default"), "{viewer}");
        assert!(!viewer.contains("      group banned"), "a negated test leads nowhere: {viewer}");
    }

    #[test]
    fn families_are_read_backwards() {
        let red = reached("red:admin");
        assert!(red.contains("Role red:admin, not declared, without permissions"), "{red}");
        assert!(red.contains("      group app-red-admin\n          keycloak: claims.groups"), "{red}");
        let owner = reached("red:owner");
        assert!(!owner.contains("rule for"), "{owner}");
        let lead = reached("lead:ops");
        assert!(lead.contains("      group any that matches ops-(lead|boss)[0-9]*\n"), "{lead}");
        assert!(!reached("lead:OPS").contains("rule for"));
        assert!(reached("nobody").contains("keycloak may assert it, as a System role"));
    }
}
