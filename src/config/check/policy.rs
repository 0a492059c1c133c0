//! `[policy]`, `[tables.X]`, `[roles.X]`, `[[role_rules]]`, `[scopes.X]`, and the names in later sections.

use std::collections::BTreeSet;

use crate::config::check::context::Context;
use crate::config::check::references::attributes;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{did_you_mean, quote};
use crate::config::language::policy::{Each, IgnoreCase, RoleRule};
use crate::config::language::role_pattern::RolePattern;
use crate::protocol::PROTOCOL_CLAIMS;

pub(crate) fn check(context: &mut Context<'_>) {
    let config = context.config;
    let policy = At::Root.key("policy");
    context.roles_declared(&policy.key("default_roles"), &config.policy.default_roles);
    let reserved = policy.key("reserved_usernames");
    for (index, name) in config.policy.reserved_usernames.iter().flatten().enumerate() {
        if name.trim().is_empty() {
            context.must(&reserved.index(index), "a username", "empty");
        }
    }
    tables(context);
    let rules = At::Root.key("role_rules");
    for (index, rule) in config.role_rules.iter().enumerate() {
        role_rule(context, &rules.index(index), rule);
    }
    let roles = At::Root.key("roles");
    for (name, role) in &config.roles {
        let permissions = roles.key(name);
        context.no_duplicates(&permissions.key("permissions"), &role.permissions, Clone::clone);
    }
    scopes(context);
    ways_in(context);
}

fn tables(context: &mut Context<'_>) {
    let config = context.config;
    let section = At::Root.key("tables");
    for (id, table) in &config.tables {
        let at = section.key(id);
        match (&table.entries, &table.file) {
            (Some(_), Some(_)) => {
                context.error(&at.key("file"), "`entries` and `file` must not both be set", "keep one of them");
            }
            (None, None) => context.needs(
                &at,
                &["entries", "file"],
                format!("`entries` or `file` must be set in `{at}`"),
                "add entries = { \"key\" = \"value\" } or file = \"...\"",
            ),
            _ => {}
        }
    }
}

fn role_rule(context: &mut Context<'_>, at: &At<'_>, rule: &RoleRule) {
    if rule.roles.is_empty() {
        context.must(&at.key("roles"), "a list of at least one role", "empty");
    }
    match &rule.provider {
        Some(provider) => {
            context.provider_declared(&at.key("provider"), provider, true);
        }
        None => any_provider(context, at, rule),
    }
    if rule.each.is_some() && rule.matches.is_none() {
        context.needs(at, &["matches"], format!("`matches` must be set in `{at}` together with `each`"), "");
    }
    if rule.matches.is_some() && rule.each.is_none() {
        context.needs(
            at,
            &["each"],
            format!("`each` must be set in `{at}` together with `matches`"),
            "add each = \"groups\"",
        );
    }
    let captures = rule.matches.as_ref().map(|pattern| captures(context, &at.key("matches"), pattern));
    capitals(context, &at.key("matches"), rule);
    // The captures of a pattern that does not compile are not known.
    let Some(captures) = captures.unwrap_or_else(|| Some(BTreeSet::new())) else { return };
    let roles = at.key("roles");
    for (index, role) in rule.roles.iter().enumerate() {
        let here = roles.index(index);
        let names = placeholders(role);
        for name in &names {
            if !captures.contains(*name) {
                let known = captures.iter().map(String::as_str);
                let way_out = did_you_mean(name, known).or_else(|| Some(format!("add (?<{name}>...) to `matches`")));
                let message = format!("`{{{name}}}` must be a named capture of `matches` but is not");
                context.error(&here, message, &way_out.unwrap_or_default());
            }
        }
        if names.is_empty() {
            context.role_declared(&here, role);
        }
    }
    context.no_duplicates(&roles, &rule.roles, Clone::clone);
}

fn any_provider(context: &mut Context<'_>, at: &At<'_>, rule: &RoleRule) {
    let names_it = rule.when.as_ref().is_some_and(|when| {
        let word = |c: char| c.is_alphanumeric() || c == '_';
        when.as_str().split(|c: char| !word(c)).any(|name| name == "provider")
    });
    if context.config.providers.len() > 1 && !names_it && !context.broken.within(&at.key("provider")) {
        let message = format!("`{at}` trusts the groups and roles of all providers, of which there are several");
        context.warn(at, message, "add provider = \"...\", or name `provider` in `when`");
    }
}

/// The named captures of a pattern; `None` if it does not compile.
fn captures(context: &mut Context<'_>, at: &At<'_>, pattern: &str) -> Option<BTreeSet<String>> {
    match RolePattern::read(pattern) {
        Ok(pattern) => Some(pattern.names().map(str::to_owned).collect()),
        Err(problem) => {
            let found = pattern.get(problem.offset..problem.offset + problem.len).unwrap_or_default();
            let message = format!("`{}` must be a regular expression but is invalid: {}", at.name(), problem.reason);
            context.error_inside(at, (problem.offset, problem.len), message, found);
            None
        }
    }
}

/// A pattern with capital letters never matches what `ignore_case` converts to lower case. Local groups are not converted.
fn capitals(context: &mut Context<'_>, at: &At<'_>, rule: &RoleRule) {
    let config = context.config;
    let folded = |what| config.policy.ignore_case.contains(&what);
    let lower = match rule.each {
        Some(Each::Groups) => folded(IgnoreCase::Groups) && config.users.values().all(|user| user.groups.is_empty()),
        Some(Each::Roles) => folded(IgnoreCase::Roles),
        None => false,
    };
    let pattern = rule.matches.as_deref().and_then(|pattern| RolePattern::read(pattern).ok());
    if lower && pattern.is_some_and(|pattern| pattern.needs_capital()) {
        let message = "`matches` has capital letters, and `ignore_case` puts what it is matched with in lower case";
        context.error(at, message, "write it in lower case");
    }
}

/// The names in `{name}`.
fn placeholders(role: &str) -> Vec<&str> {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let opened = role.split('{').skip(1);
    opened.filter_map(|rest| rest.split_once('}').map(|(name, _)| name)).filter(|name| is_name(name)).collect()
}

fn scopes(context: &mut Context<'_>) {
    let config = context.config;
    let section = At::Root.key("scopes");
    let attributes = attributes(config);
    for (name, scope) in &config.scopes {
        let at = section.key(name);
        let claims = at.key("claims");
        for (index, claim) in scope.claims.iter().enumerate() {
            let here = claims.index(index);
            if PROTOCOL_CLAIMS.contains(&claim.as_str()) {
                context.error(
                    &here,
                    format!("the claim {} can't be released by a scope: the protocol sets it", quote(claim)),
                    "",
                );
                continue;
            }
            let known = attributes.iter().copied().chain(["preferred_username", "permissions"]);
            let by_client = config.clients.values().any(|client| client.claims.contains_key(claim));
            if !by_client && !known.clone().any(|known| known == claim) {
                let way_out = did_you_mean(claim, known).unwrap_or_else(|| "map it in a provider's claims".to_owned());
                context.warn(&here, format!("nothing gives the claim {}", quote(claim)), &way_out);
            }
        }
        context.no_duplicates(&claims, &scope.claims, Clone::clone);
    }
}

/// Token exchange: the names in it.
fn ways_in(context: &mut Context<'_>) {
    let config = context.config;
    if let Some(section) = &config.token_exchange {
        let rules = At::Root.key("token_exchange");
        let rules = rules.key("rules");
        for (index, rule) in section.rules.iter().enumerate() {
            let at = rules.index(index);
            context.client_declared(&at.key("client"), &rule.client);
            if let Some(provider) = &rule.provider {
                context.provider_declared(&at.key("provider"), provider, false);
            }
        }
    }
}
