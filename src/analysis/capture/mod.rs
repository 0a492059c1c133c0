//! Turns a real sign-in into a `[[tests]]` entry without personal data.
//!
//! A claim that the decision does not need is left out; any other is replaced by a placeholder, unless the policy depends
//! on its value (a tenant id, a group). [`redaction`] determines which, [`entry`] writes the test.

mod entry;
mod redaction;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

pub use entry::to_toml;
pub use redaction::Wanted;

use crate::analysis::mapping_test;
use crate::config::Config;
use crate::config::language::mapping_test::{Expectation, GivenAccount, MappingTest};
use crate::decision::policy::Policy;
use redaction::{Outcome, Redaction, texts};

/// A test, and the claims whose values it keeps.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The test, which passes under the policy that it was captured from.
    pub test: MappingTest,
    /// Names of the claims that are kept as the provider sent them.
    pub kept: Vec<String>,
}

/// Captures a sign-in. Its name is that of no other test of the file, nor one of those in `taken`.
///
/// # Errors
/// No decision can be made about the sign-in; the text says why.
pub fn capture(policy: &Policy, config: &Config, wanted: &Wanted<'_>, taken: &[String]) -> Result<Captured, String> {
    let given = GivenAccount {
        username: wanted.known.account.username.clone(),
        provider: Some(wanted.link.provider.clone()),
        sub: Some(wanted.link.subject.clone()),
        email: None,
        email_verified: false,
    };
    let mut claims = wanted.link.claims.clone();
    claims.insert("sub".to_owned(), wanted.link.subject.as_str().into());
    let mut test = MappingTest {
        name: free_name(config, &wanted.link.provider, taken),
        provider: Some(wanted.link.provider.clone()),
        claims: Some(claims.clone()),
        certificate: None,
        given: vec![given],
        client: wanted.client.map(str::to_owned),
        scopes: None,
        refresh: false,
        expect: Expectation::default(),
    };
    let real = mapping_test::decide(policy, config, &test)?;
    let mut redaction =
        Redaction { policy, config, real: &real, wanted, seen: BTreeMap::new(), personal: texts(&claims) };
    redaction.username(&mut test)?;
    let mut kept = Vec::new();
    for (name, value) in &claims {
        if !redaction.claim(&mut test, name, value)? {
            kept.push(name.clone());
        }
    }
    let outcome = mapping_test::decide(policy, config, &test)?;
    test.expect = expectation(policy, wanted, &outcome);
    Ok(Captured { test, kept })
}

/// A name that no other test has, so that sign-ins can be captured one after the other.
fn free_name(config: &Config, provider: &str, taken: &[String]) -> String {
    let base = format!("captured: a sign-in through {provider}");
    let names: BTreeSet<&str> =
        config.tests.iter().map(|test| test.name.as_str()).chain(taken.iter().map(String::as_str)).collect();
    let numbered = (2..=names.len() + 1).map(|number| format!("{base} ({number})"));
    std::iter::once(base.clone()).chain(numbered).find(|name| !names.contains(name.as_str())).unwrap_or(base)
}

/// The expectations of the test: the outcome of the sign-in.
fn expectation(policy: &Policy, wanted: &Wanted<'_>, outcome: &Outcome) -> Expectation {
    let decision = match outcome {
        Err(refusal) => {
            return Expectation { refused: Some(refusal.reason.code().to_owned()), ..Expectation::default() };
        }
        Ok(decision) => decision,
    };
    let mut expect = Expectation {
        roles: Some(decision.granted.roles.clone()),
        groups: Some(decision.groups.clone()),
        ..Expectation::default()
    };
    let client = wanted.client.and_then(|key| policy.clients.get(key));
    if let (Some(client), Some(release)) = (client, &decision.release) {
        let names: Vec<&String> = client.claims.iter().map(|rule| &rule.name).collect();
        let own = release.userinfo.iter().filter(|(name, _)| names.contains(name));
        let own: Map<String, Value> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
        expect.absent = names.into_iter().filter(|name| !own.contains_key(*name)).cloned().collect();
        expect.claims = Some(own).filter(|own| !own.is_empty());
    }
    expect
}
