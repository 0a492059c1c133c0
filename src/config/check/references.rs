//! Names that must be declared elsewhere in the file: providers, clients, roles, scopes, attributes.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::config::check::context::Context;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::{did_you_mean, quote};
use crate::protocol::{CERTIFICATE, OWN_WAYS_IN, built_in_scopes, default_attributes};

impl Context<'_> {
    /// Checks that the name is declared in a keyed section.
    fn declared<'n>(
        &mut self,
        at: &At<'_>,
        section: &str,
        kind: &str,
        name: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) -> bool {
        if known.clone().any(|known| known == name) {
            return true;
        }
        let sections = At::Root.key(section);
        if self.broken.within(&sections.key(name)) {
            return true;
        }
        let way_out = did_you_mean(name, known)
            .or_else(|| Some(format!("declare [{}]", sections.key(name))).filter(|_| !name.is_empty()));
        self.must_or(at, format!("a declared {kind}"), quote(name), way_out);
        false
    }

    /// A provider; with `own`, also one of the broker's own sign-in methods.
    pub(crate) fn provider_declared(&mut self, at: &At<'_>, name: &str, own: bool) -> bool {
        let config = self.config;
        if own && name == CERTIFICATE && config.certificates.is_none() {
            let message = format!("{} names sign-in by certificate, which needs [certificates]", quote(name));
            self.error(at, message, "declare [certificates], or leave it out");
            return false;
        }
        if config.providers.contains_key(name) || (own && OWN_WAYS_IN.contains(&name)) {
            return true;
        }
        self.declared(at, "providers", "provider", name, config.providers.keys().map(String::as_str))
    }

    pub(crate) fn client_declared(&mut self, at: &At<'_>, name: &str) -> bool {
        let config = self.config;
        if config.clients.contains_key(name) {
            return true;
        }
        self.declared(at, "clients", "client", name, config.clients.keys().map(String::as_str))
    }

    pub(crate) fn role_declared(&mut self, at: &At<'_>, name: &str) -> bool {
        let config = self.config;
        if config.roles.contains_key(name) {
            return true;
        }
        self.declared(at, "roles", "role", name, config.roles.keys().map(String::as_str))
    }

    /// A scope: a built-in one, a declared one, or one of a resource.
    pub(crate) fn scope_declared(&mut self, at: &At<'_>, name: &str) -> bool {
        if built_in_scopes().any(|scope| scope == name) || self.config.scopes.contains_key(name) {
            return true;
        }
        let config = self.config;
        let of_resources = config.resources.values().flat_map(|resource| &resource.scopes);
        if of_resources.clone().any(|scope| scope == name) || self.broken.within(&At::Root.key("resources")) {
            return true;
        }
        let known = built_in_scopes().chain(config.scopes.keys().chain(of_resources).map(String::as_str));
        self.declared(at, "scopes", "scope", name, known)
    }

    pub(crate) fn clients_declared(&mut self, at: &At<'_>, names: &[String]) {
        for (index, name) in names.iter().enumerate() {
            self.client_declared(&at.index(index), name);
        }
        self.no_duplicates(at, names, Clone::clone);
    }

    pub(crate) fn roles_declared(&mut self, at: &At<'_>, names: &[String]) {
        for (index, name) in names.iter().enumerate() {
            self.role_declared(&at.index(index), name);
        }
        self.no_duplicates(at, names, Clone::clone);
    }
}

/// All attributes that a sign-in may provide: the default ones and those that a provider maps.
pub(crate) fn attributes(config: &Config) -> BTreeSet<&str> {
    let mapped = config.providers.values().flat_map(|provider| provider.claims.keys()).map(String::as_str);
    let mut all: BTreeSet<&str> = mapped.chain(["username"]).collect();
    for name in default_attributes() {
        all.insert(name);
    }
    all
}
