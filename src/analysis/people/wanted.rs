//! Which upstream claims the expressions of a file read.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::config::language::policy::Each;
use crate::decision::policy::{ClaimRule, Policy, ProviderPolicy};
use crate::expression::Reads;

/// The claims of one provider that are wanted. The values of all others stay where they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// An expression reads all of them.
    pub all: bool,
    /// Those that name groups and roles.
    pub groups: BTreeSet<String>,
    /// Others that expressions of the file read.
    pub read: BTreeSet<String>,
    /// Those that only default mappings read, which pass them on: it matters that they are there, and of what type.
    pub passed_on: BTreeSet<String>,
}

/// The claims that are wanted, by provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wanted(pub BTreeMap<String, Claims>);

/// What is read of the attributes that claims are mapped to.
#[derive(Default)]
struct Attributes {
    all: bool,
    names: BTreeSet<String>,
}

impl Attributes {
    fn add(&mut self, reads: &Reads) {
        let (all, members) = reads.parts("user");
        self.all |= all;
        self.names.extend(members.into_iter().map(str::to_owned));
        for list in ["groups", "roles"] {
            if reads.parts(list).0 {
                self.names.insert(list.to_owned());
            }
        }
    }
}

impl Wanted {
    /// What the expressions of a policy read.
    #[must_use]
    pub fn by(policy: &Policy) -> Self {
        Self(policy.providers.values().map(|provider| (provider.id.clone(), claims(policy, provider))).collect())
    }

    /// Adds what other expressions read.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for (provider, claims) in other.0 {
            let known = self.0.entry(provider).or_default();
            known.all |= claims.all;
            known.groups.extend(claims.groups);
            known.read.extend(claims.read);
            known.passed_on.extend(claims.passed_on);
        }
        self
    }

    /// The claims that are wanted here and were not there, as `provider: claim`.
    #[must_use]
    pub fn beyond(&self, there: &Self) -> Vec<String> {
        let mut missing = Vec::new();
        for (provider, claims) in &self.0 {
            // People who signed in through a provider that is new are not known anyway.
            let Some(known) = there.0.get(provider).filter(|known| !known.all) else { continue };
            if claims.all {
                missing.push(format!("{provider}: all claims"));
            }
            let read = claims.read.iter().chain(&claims.groups);
            let unknown = read.filter(|name| !known.read.contains(*name) && !known.groups.contains(*name));
            missing.extend(unknown.map(|name| format!("{provider}: {name}")));
            let passed_on = claims.passed_on.iter().filter(|name| !known.has(name));
            missing.extend(passed_on.map(|name| format!("{provider}: {name}")));
        }
        missing
    }
}

impl Claims {
    fn has(&self, name: &str) -> bool {
        self.all || [&self.groups, &self.read, &self.passed_on].iter().any(|names| names.contains(name))
    }
}

fn claims(policy: &Policy, provider: &ProviderPolicy) -> Claims {
    let (attributes, authentication) = attributes(policy, provider);
    let evidence = if provider.is_certificate() { "cert" } else { "claims" };
    let mut claims = Claims::default();
    if let Some(allow) = &provider.allow {
        let (all, members) = allow.expression.reads().parts(evidence);
        claims.all |= all;
        claims.read.extend(members.into_iter().map(str::to_owned));
    }
    for rule in &provider.claims {
        let (all, members) = read_by(rule, evidence);
        claims.all |= all;
        let wanted = attributes.all || attributes.names.contains(&rule.name);
        let names = match rule.name.as_str() {
            "groups" | "roles" if wanted || !rule.by_default => &mut claims.groups,
            _ if wanted || !rule.by_default => &mut claims.read,
            _ => &mut claims.passed_on,
        };
        names.extend(members);
    }
    if authentication {
        claims.read.extend(["acr", "amr"].map(str::to_owned));
    }
    let Claims { groups, read, passed_on, .. } = &mut claims;
    read.retain(|name| !groups.contains(name));
    passed_on.retain(|name| !groups.contains(name) && !read.contains(name));
    claims
}

/// What conditions and claims of apps read of a person, and whether they read how the person authenticated.
fn attributes(policy: &Policy, provider: &ProviderPolicy) -> (Attributes, bool) {
    // Asserted roles are compared with the declared ones.
    let mut attributes = Attributes { all: false, names: BTreeSet::from(["roles".to_owned()]) };
    provider.allow.iter().for_each(|allow| attributes.add(allow.expression.reads()));
    for rule in policy.role_rules.iter().filter(|rule| rule.provider.as_ref().is_none_or(|id| *id == provider.id)) {
        rule.when.iter().for_each(|when| attributes.add(when.expression.reads()));
        match &rule.each {
            Some((Each::Groups, _)) => attributes.names.insert("groups".to_owned()),
            Some((Each::Roles, _)) | None => false,
        };
    }
    let mut authentication = false;
    for client in policy.clients.values() {
        attributes.add(&client.reads);
        authentication |= ["acr", "amr"].iter().any(|name| client.reads.parts(name).0);
    }
    policy.console.iter().for_each(|console| attributes.add(&console.reads));
    (attributes, authentication)
}

fn read_by(rule: &ClaimRule, evidence: &str) -> (bool, Vec<String>) {
    let mut whole = false;
    let mut names = Vec::new();
    for expression in &rule.alternatives {
        let (all, members) = expression.reads().parts(evidence);
        whole |= all;
        names.extend(members.into_iter().map(str::to_owned));
    }
    (whole, names)
}
