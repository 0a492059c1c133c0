//! The condition that refused, with the values that it read.

use serde_json::{Map, Value, json};

use crate::analysis::explain::condition::{Condition, explained};
use crate::analysis::explain::unmatched;
use crate::decision::account::AccountFacts;
use crate::decision::app::AppRequest;
use crate::decision::claims;
use crate::decision::claims::Attributes;
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::decision::policy::{ClientPolicy, Policy, ProviderPolicy};
use crate::decision::reason::Reason;
use crate::decision::roles::permitted;
use crate::decision::subject::subject;
use crate::decision::trace::{Refusal, Source, Trace};

/// The condition that refused this sign-in; `None` if the reason is not a condition of the file. Where it asks for roles, the
/// near misses of the rules that give none are among its own: whoever is refused at the first sign-in leaves nothing from which
/// the rules could be explained later.
#[must_use]
pub fn refusing(
    policy: &Policy,
    evidence: &Evidence<'_>,
    facts: AccountFacts,
    request: Option<&AppRequest<'_>>,
    refusal: &Refusal,
) -> Option<Condition> {
    let mut condition = condition(policy, evidence, facts.clone(), request, refusal)?;
    let asks_for_roles = condition.values.iter().any(|read| ["roles", "permissions"].contains(&read.name.as_str()));
    if asks_for_roles && let Some(rules) = missed_rules(policy, evidence, facts) {
        condition.near_misses.extend(rules);
    }
    Some(condition)
}

/// What came close to the conditions of role rules that did not match.
fn missed_rules(policy: &Policy, evidence: &Evidence<'_>, facts: AccountFacts) -> Option<Vec<String>> {
    let provider = policy.providers.get(evidence.provider)?;
    let (attributes, _) = claims::attributes(policy, provider, evidence.claims, Trace::default()).ok()?;
    let decision = begin(policy, evidence).ok()?.decide(facts, None).ok()?;
    let asserted = permitted(policy, provider, &attributes.roles, &mut Trace::default());
    let rules = unmatched::rules(policy, provider, &unmatched::facts(&decision, &attributes.roles), &asserted);
    let told = rules.into_iter().flat_map(|rule| {
        let (roles, source) = (rule.roles.join(", "), rule.source.to_string());
        let misses = rule.condition.map(|condition| condition.near_misses).unwrap_or_default();
        misses.into_iter().map(move |miss| format!("{miss}: no role {roles}  [{source}]"))
    });
    Some(told.collect())
}

/// The condition that refused this sign-in.
pub(super) fn condition(
    policy: &Policy,
    evidence: &Evidence<'_>,
    facts: AccountFacts,
    request: Option<&AppRequest<'_>>,
    refusal: &Refusal,
) -> Option<Condition> {
    let place = refusal.trace.steps.last().and_then(|step| step.source.as_ref());
    match refusal.reason {
        Reason::NotAllowed => allow(policy, evidence, place),
        Reason::ClientRequirementNotMet => require(policy, evidence, facts, request?),
        _ => None,
    }
}

/// The condition at this place, one of those for signing in at a provider.
fn allow(policy: &Policy, evidence: &Evidence<'_>, place: Option<&Source>) -> Option<Condition> {
    let provider = policy.providers.get(evidence.provider)?;
    let (attributes, _) = claims::attributes(policy, provider, evidence.claims, Trace::default()).ok()?;
    let (_, condition) = provider.conditions().find(|(_, condition)| Some(&condition.source) == place)?;
    Some(explained(&condition.expression, &allow_variables(provider, evidence, attributes)))
}

/// The values of the variables of `allow` and the other conditions for signing in at a provider.
pub(super) fn allow_variables(
    provider: &ProviderPolicy,
    evidence: &Evidence<'_>,
    attributes: Attributes,
) -> Map<String, Value> {
    let mut user = attributes.values;
    user.insert("groups".to_owned(), attributes.groups.into());
    user.insert("roles".to_owned(), attributes.roles.into());
    user.extend(attributes.username.map(|username| ("username".to_owned(), username.into())));
    let claims = provider.normal.claims(evidence.claims);
    object(json!({ "claims": *claims, "user": user, "provider": provider.id }))
}

fn require(
    policy: &Policy,
    evidence: &Evidence<'_>,
    facts: AccountFacts,
    request: &AppRequest<'_>,
) -> Option<Condition> {
    let client = policy.clients.get(request.client)?;
    let require = client.require.as_ref()?;
    let decision = begin(policy, evidence).ok()?.decide(facts, None).ok()?;
    Some(explained(&require.expression, &app_variables(client, &decision, request)))
}

/// The values of the variables of `require` and of an app's claims.
pub(super) fn app_variables(
    client: &ClientPolicy,
    decision: &Decision,
    request: &AppRequest<'_>,
) -> Map<String, Value> {
    let sub = subject(client.sector.as_deref(), decision.subject().ids).into_owned();
    let mut user = decision.profile.clone();
    user.insert("username".to_owned(), decision.account.username.as_str().into());
    user.insert("groups".to_owned(), decision.groups.as_slice().into());
    object(json!({
        "user": user, "sub": sub, "groups": decision.groups, "roles": decision.granted.roles,
        "permissions": decision.granted.permissions, "provider": decision.provider, "client": request.client,
        "scopes": request.scopes, "acr": request.acr.unwrap_or_default(), "amr": request.amr,
    }))
}

pub(super) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
