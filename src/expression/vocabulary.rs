//! The names that a file declares and expressions compare with (attributes, roles, scopes, ids), and which values it converts
//! to lower case.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::config::language::policy::IgnoreCase;
use crate::protocol::{OWN_WAYS_IN, STANDARD_CLAIMS, built_in_scopes};

/// The names that a variable, or the items of a list, can have.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// Any name is possible.
    any: bool,
    known: BTreeSet<String>,
    /// Names with this prefix and suffix, made from the captures of a pattern.
    families: Vec<(String, String)>,
}

impl Default for Names {
    fn default() -> Self {
        Self { any: true, known: BTreeSet::new(), families: Vec::new() }
    }
}

impl Names {
    fn of(known: impl IntoIterator<Item = String>) -> Self {
        Self { any: false, known: known.into_iter().collect(), families: Vec::new() }
    }

    /// Whether the name is possible.
    pub(crate) fn has(&self, name: &str) -> bool {
        let made = |(start, end): &(String, String)| {
            name.len() > start.len() + end.len() && name.starts_with(start.as_str()) && name.ends_with(end.as_str())
        };
        self.any || self.known.contains(name) || self.families.iter().any(made)
    }

    /// The names that are listed individually.
    pub(crate) fn known(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(String::as_str)
    }
}

/// The names that a file declares. The default has no information, so that every name is accepted.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// Attributes of `user`.
    pub(crate) attributes: Names,
    /// Roles that providers can assert.
    pub(crate) asserted: Names,
    /// Roles that somebody can have after all rules.
    pub(crate) roles: Names,
    /// Roles that the file declares, even if nobody has them.
    pub(crate) declared_roles: Names,
    pub(crate) permissions: Names,
    pub(crate) scopes: Names,
    pub(crate) providers: Names,
    pub(crate) clients: Names,
    /// Whether group names from providers are in lower case.
    pub(crate) lower_groups: bool,
    /// Whether local groups are in lower case too.
    pub(crate) lower_local_groups: bool,
    /// Whether asserted role names are in lower case.
    pub(crate) lower_roles: bool,
    /// Whether usernames are in lower case.
    pub(crate) lower_username: bool,
}

impl Vocabulary {
    /// The vocabulary of a configuration.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let folds = |what| config.policy.ignore_case.contains(&what);
        let is_lower = |text: &String| text.to_lowercase() == *text;
        let local_groups = config.users.values().flat_map(|user| &user.groups);
        let own = OWN_WAYS_IN.iter().map(|id| (*id).to_owned());
        Self {
            attributes: attributes(config),
            asserted: asserted(config),
            roles: roles(config),
            declared_roles: Names::of(config.roles.keys().cloned()),
            permissions: Names::of(config.roles.values().flat_map(|role| role.permissions.iter().cloned())),
            scopes: scopes(config),
            providers: Names::of(config.providers.keys().cloned().chain(own)),
            clients: Names::of(config.clients.keys().cloned()),
            lower_groups: folds(IgnoreCase::Groups),
            lower_local_groups: folds(IgnoreCase::Groups) && local_groups.into_iter().all(is_lower),
            lower_roles: folds(IgnoreCase::Roles),
            lower_username: folds(IgnoreCase::Username) && config.users.keys().all(is_lower),
        }
    }
}

/// The attributes of the standard claims, which every provider maps by default, and those that a provider maps.
fn attributes(config: &Config) -> Names {
    if config.providers.is_empty() {
        return Names::default();
    }
    let mapped = config.providers.values().flat_map(|provider| provider.claims.keys().cloned());
    let standard = STANDARD_CLAIMS.iter().filter(|name| **name != "sub").map(|name| (*name).to_owned());
    Names::of(standard.chain(mapped))
}

/// Asserted roles as rules see them: those that `asserted_roles` permits.
fn asserted(config: &Config) -> Names {
    let folds = config.policy.ignore_case.contains(&IgnoreCase::Roles);
    let lists: Option<Vec<&Vec<String>>> =
        config.providers.values().map(|provider| provider.asserted_roles.as_ref()).collect();
    match lists {
        Some(lists) if !lists.is_empty() => {
            let names = lists.into_iter().flatten();
            Names::of(names.map(|name| if folds { name.to_lowercase() } else { name.clone() }))
        }
        _ => Names::default(),
    }
}

/// Roles that a provider, a rule, `[users]`, the default or the emergency account can give.
fn roles(config: &Config) -> Names {
    let unlimited = || config.providers.values().filter(|provider| provider.asserted_roles.is_none());
    if config.providers.is_empty() || unlimited().any(|provider| provider.create_roles) {
        return Names::default();
    }
    let mut names = Names::of(config.policy.default_roles.iter().cloned());
    if unlimited().next().is_some() {
        names.known.extend(config.roles.keys().cloned());
    }
    names
        .known
        .extend(config.providers.values().flat_map(|provider| provider.asserted_roles.iter().flatten().cloned()));
    names.known.extend(config.users.values().flat_map(|user| user.roles.iter().cloned()));
    names.known.extend(config.break_glass.iter().flat_map(|account| account.roles.iter().cloned()));
    for role in config.role_rules.iter().flat_map(|rule| &rule.roles) {
        match (role.split_once('{'), role.rsplit_once('}')) {
            (Some((start, _)), Some((_, end))) => names.families.push((start.to_owned(), end.to_owned())),
            _ => drop(names.known.insert(role.clone())),
        }
    }
    names
}

fn scopes(config: &Config) -> Names {
    let built_in = built_in_scopes().map(str::to_owned);
    let of_resources = config.resources.values().flat_map(|resource| resource.scopes.iter().cloned());
    Names::of(built_in.chain(config.scopes.keys().cloned()).chain(of_resources))
}
