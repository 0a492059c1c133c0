//! Which line would have to change, where exactly one condition stood in the way: the decision is made again without it.

use crate::decision::account::AccountFacts;
use crate::decision::app::AppRequest;
use crate::decision::pipeline::{Evidence, begin};
use crate::decision::policy::{Policy, ProviderPolicy};
use crate::decision::reason::Reason;
use crate::decision::trace::Refusal;

/// What would have to change, in words; `None` if more than one condition stood in the way.
pub(super) fn needed(
    policy: &Policy,
    evidence: &Evidence<'_>,
    facts: &AccountFacts,
    request: Option<&AppRequest<'_>>,
    refusal: &Refusal,
) -> Option<String> {
    let mut other = policy.clone();
    match refusal.reason {
        // The list or condition that refused is the last step.
        Reason::NotAllowed => {
            let place = refusal.trace.steps.last()?.source.as_ref()?;
            let provider = provider(&mut other, evidence)?;
            provider.guards.retain(|(_, guard)| guard.source != *place);
            provider.allow = provider.allow.take().filter(|allow| allow.source != *place);
        }
        Reason::UserNotDeclared => provider(&mut other, evidence)?.create_users.0 = true,
        Reason::ClientRequirementNotMet => other.clients.get_mut(request?.client)?.require = None,
        Reason::ClientProviderNotAllowed => {
            provider(&mut other, evidence)?.hidden = false;
            other.clients.get_mut(request?.client)?.providers = None;
        }
        _ => return None,
    }
    begin(&other, evidence).ok()?.decide(facts.clone(), request).ok()?;
    let place = refusal.trace.steps.last()?.source.as_ref()?;
    Some(format!("only {place} ({}) stands in the way", place.path))
}

fn provider<'p>(policy: &'p mut Policy, evidence: &Evidence<'_>) -> Option<&'p mut ProviderPolicy> {
    policy.providers.get_mut(evidence.provider)
}
