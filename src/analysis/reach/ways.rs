//! The ways to a role: roles that a provider asserts, role rules, and the sources of the names that rules test for.

use crate::analysis::reach::answer::{Name, Way};
use crate::analysis::reach::family::{Family, family};
use crate::config::language::policy::{Each, IgnoreCase};
use crate::decision::policy::{Policy, ProviderPolicy, RoleRule};
use crate::expression::Facts;

/// A role that the provider may assert.
pub(crate) fn asserted(policy: &Policy, provider: &ProviderPolicy, role: &str) -> Option<Way> {
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

/// A role rule that can give the role.
pub(crate) fn by_rule(policy: &Policy, rule: &RoleRule, role: &str) -> Option<Way> {
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
                match family {
                    Family::Listed(found) => names.extend(found.into_iter().map(|name| {
                        let from = origins(policy, &providers, list, &name);
                        Name { list: list.to_owned(), name, from }
                    })),
                    Family::Matching(pattern) => {
                        let name = format!("any that matches {pattern}");
                        names.push(Name { list: list.to_owned(), name, from: Vec::new() });
                    }
                }
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

/// The providers whose users a rule can apply to.
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

/// How a provider's claims can contribute a name to a list; empty if its tables show that they can't.
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
