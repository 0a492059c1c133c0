//! Runs `[[tests]]`: makes the whole decision with the claims of a test, and compares it with the test's expectations.
//!
//! Owns what a test means (which accounts exist, which app requests what) and the wording of a failure. It makes no
//! decisions itself: the [pipeline](crate::decision::pipeline) does, as at a real sign-in. A failure may contain values,
//! because they are from the test itself.

mod compare;
mod failure;
mod given;
#[cfg(test)]
mod tests;

pub use failure::{Difference, Failure};

use crate::config::Config;
use crate::config::language::mapping_test::MappingTest;
use crate::config::language::refresh::RefreshClaims;
use crate::config::resolved::preset::Quirks;
use crate::decision::app::{AppRequest, authentication};
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::decision::policy::Policy;
use crate::decision::reason::Reason;
use crate::decision::trace::{Refusal, Source, Stage, Trace};
use crate::protocol::{CERTIFICATE, CERTIFICATE_AMR};

/// Runs every test of a configuration against its compiled policy, in the order of the file.
#[must_use]
pub fn run_all(policy: &Policy, config: &Config) -> Vec<Failure> {
    (0..config.tests.len()).filter_map(|index| run(policy, config, index).err()).collect()
}

/// Runs one test, given by its index in the file. An index without a test passes.
///
/// # Errors
/// The expectations that are not met.
pub fn run(policy: &Policy, config: &Config, index: usize) -> Result<(), Failure> {
    let Some(test) = config.tests.get(index) else { return Ok(()) };
    let (differences, trace) = match decide(policy, config, test) {
        Err(problem) => {
            let expected = "a test that can be run".to_owned();
            (vec![Difference { what: String::new(), expected, got: problem, because: Vec::new() }], Trace::default())
        }
        Ok(outcome) => {
            let differences = compare::compare(policy, test, &outcome);
            (differences, outcome.map_or_else(|refusal| refusal.trace, |decision| decision.trace))
        }
    };
    if differences.is_empty() {
        return Ok(());
    }
    Err(Failure { name: test.name.clone(), path: format!("tests[{index}]"), differences, trace })
}

/// The decision of a test. The outer error says why none can be made.
///
/// # Errors
/// The test names no provider or no claims.
pub fn decide(policy: &Policy, config: &Config, test: &MappingTest) -> Result<Result<Decision, Refusal>, String> {
    let (fingerprint, subject);
    let evidence = if let Some(certificate) = &test.certificate {
        let found = certificate.get("fingerprint").and_then(|found| found.as_str()).unwrap_or_default();
        fingerprint = found.to_ascii_lowercase();
        Evidence { provider: CERTIFICATE, issuer: None, subject: &fingerprint, claims: certificate }
    } else {
        let id = test.provider.as_deref().ok_or("the test names no provider")?;
        let claims = test.claims.as_ref().ok_or("the test has no claims")?;
        // A test need not have all the claims that identify an account at this provider: then its `sub` does.
        let quirks = config.providers.get(id).map(Quirks::of).unwrap_or_default();
        let sub = || Some(claims.get("sub")?.as_str()?.to_owned());
        let rule = policy.providers.get(id).and_then(|provider| provider.subject.as_ref());
        let by_rule = rule.and_then(|rule| rule.of(claims).ok());
        subject = by_rule.or_else(|| quirks.subject(claims).ok()).or_else(sub).unwrap_or_default();
        Evidence { provider: id, issuer: None, subject: &subject, claims }
    };
    if let Some(client) = &test.client
        && !policy.clients.contains_key(client)
    {
        return Err(format!("there is no client {client}"));
    }
    Ok(decide_evidence(policy, config, test, &evidence))
}

fn decide_evidence(
    policy: &Policy,
    config: &Config,
    test: &MappingTest,
    evidence: &Evidence<'_>,
) -> Result<Decision, Refusal> {
    if test.refresh && config.providers.get(evidence.provider).is_some_and(denies_refresh) {
        let path = format!("providers.{}.on_refresh", evidence.provider);
        let source = policy.providers.get(evidence.provider).map(|p| Source { path: path.into(), ..p.source.clone() });
        let text = "on_refresh denies refreshes";
        return Err(Trace::default().refuse(Stage::Claims, source.as_ref(), Reason::RefreshDenied, text));
    }
    let mapped = begin(policy, evidence)?;
    let facts = given::facts(policy, test, evidence, &mapped);
    let client = test.client.as_deref().and_then(|key| policy.clients.get(key));
    let Some(client) = client else { return mapped.decide(facts, None) };
    let scopes = test.scopes.as_ref().unwrap_or(&client.scopes);
    let (acr, amr) = match evidence.provider {
        CERTIFICATE => (None, vec![CERTIFICATE_AMR.to_owned()]),
        _ => authentication(evidence.claims),
    };
    let request = AppRequest { client: &client.key, scopes, acr: acr.as_deref(), amr: &amr, ..AppRequest::default() };
    mapped.decide(facts, Some(&request))
}

fn denies_refresh(provider: &crate::config::language::provider::Provider) -> bool {
    provider.on_refresh.claims == RefreshClaims::Deny
}
