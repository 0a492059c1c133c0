//! The expressions behind the steps of a decision: what each read, and what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::analysis::explain::condition::{Read, read, reads};
use crate::analysis::explain::refusing::{allow_variables, app_variables, object};
use crate::analysis::explain::unmatched::{facts, variables as rule_variables};
use crate::config::language::policy::Each;
use crate::decision::account::AccountFacts;
use crate::decision::app::AppRequest;
use crate::decision::claims;
use crate::decision::claims::Attributes;
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::decision::policy::{ClaimRule, Policy, ProviderPolicy, RoleRule};
use crate::decision::roles::{made, permitted};
use crate::decision::trace::{Source, Trace};
use crate::expression::Compiled;

/// An expression behind a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The expression, as it is written in the file; of several alternatives the first whose values are there.
    pub expression: String,
    /// The values that it read, in the order of their names.
    pub values: Vec<Read>,
    /// The value that it gave to an attribute or a claim.
    pub result: Option<Value>,
}

/// The expressions of one decision by the places of the file that they are written at.
#[derive(Clone, Debug, Default)]
pub struct Readings(BTreeMap<Arc<str>, Reading>);

impl Readings {
    /// Those that decided on this evidence. Of what a refusal has prevented there are none.
    #[must_use]
    pub fn of(
        policy: &Policy,
        evidence: &Evidence<'_>,
        facts: &AccountFacts,
        request: Option<&AppRequest<'_>>,
    ) -> Self {
        let mut found = Self::default();
        let Some(provider) = policy.providers.get(evidence.provider) else { return found };
        let mapped = claims::attributes(policy, provider, evidence.claims, Trace::default());
        let Ok((attributes, _)) = mapped else { return found };
        let claims = provider.normal.claims(evidence.claims);
        let variables = object(json!({ "claims": *claims }));
        for rule in &provider.claims {
            found.claim(rule, &variables, attribute(&attributes, &rule.name));
        }
        let variables = allow_variables(provider, evidence, attributes.clone());
        for (_, condition) in provider.conditions() {
            found.add(&condition.source, &condition.expression, &variables, None);
        }
        let decide = |request| begin(policy, evidence).and_then(|mapped| mapped.decide(facts.clone(), request));
        let Ok(decision) = decide(request).or_else(|_| decide(None)) else { return found };
        found.rules(policy, provider, &attributes, &decision);
        if let Some(request) = request {
            found.app(policy, &decision, request);
        }
        found
    }

    /// The expression at a place.
    #[must_use]
    pub fn at(&self, source: &Source) -> Option<&Reading> {
        self.0.get(&source.path)
    }

    fn add(&mut self, source: &Source, expression: &Compiled, variables: &Map<String, Value>, result: Option<Value>) {
        let values = reads(expression, variables);
        let reading = Reading { expression: expression.source().to_owned(), values, result };
        self.0.insert(Arc::clone(&source.path), reading);
    }

    /// A mapping that the file has.
    fn claim(&mut self, rule: &ClaimRule, variables: &Map<String, Value>, result: Option<Value>) {
        if rule.by_default {
            return;
        }
        let present = |expression: &&Compiled| reads(expression, variables).iter().all(|read| read.value.is_some());
        if let Some(chosen) = rule.alternatives.iter().find(present).or_else(|| rule.alternatives.first()) {
            self.add(&rule.source, chosen, variables, result);
        }
    }

    /// The role rules for this provider.
    fn rules(&mut self, policy: &Policy, provider: &ProviderPolicy, attributes: &Attributes, decision: &Decision) {
        let asserted = permitted(policy, provider, &attributes.roles, &mut Trace::default());
        let variables = rule_variables(provider, &facts(decision, &attributes.roles), &asserted);
        for rule in &policy.role_rules {
            match (&rule.when, &rule.each) {
                (Some(when), _) => self.add(&rule.source, &when.expression, &variables, None),
                (None, Some((each, _))) => self.pattern(rule, *each, &variables),
                (None, None) => {}
            }
        }
    }

    /// A rule with a pattern: the items that have it.
    fn pattern(&mut self, rule: &RoleRule, each: Each, variables: &Map<String, Value>) {
        let Some((_, pattern)) = &rule.each else { return };
        let name = match each {
            Each::Groups => "groups",
            Each::Roles => "roles",
        };
        let items = variables.get(name).and_then(Value::as_array).into_iter().flatten();
        let fitting = items.filter(|item| item.as_str().is_some_and(|item| !made(rule, item).is_empty()));
        let fitting = json!({ name: fitting.collect::<Vec<_>>() });
        let values = vec![read(name.to_owned(), &object(fitting))];
        let reading = Reading { expression: format!("matches {}", pattern.text()), values, result: None };
        self.0.insert(Arc::clone(&rule.source.path), reading);
    }

    /// The condition and the claims of the app.
    fn app(&mut self, policy: &Policy, decision: &Decision, request: &AppRequest<'_>) {
        let Some(client) = policy.clients.get(request.client) else { return };
        let variables = app_variables(client, decision, request);
        if let Some(require) = &client.require {
            self.add(&require.source, &require.expression, &variables, None);
        }
        let released = |name: &str| {
            let release = decision.release.as_ref()?;
            release.userinfo.get(name).or_else(|| release.id_token.get(name)).cloned()
        };
        for rule in &client.claims {
            self.claim(rule, &variables, released(&rule.name));
        }
    }
}

fn attribute(attributes: &Attributes, name: &str) -> Option<Value> {
    match name {
        "username" => attributes.username.as_deref().map(Value::from),
        "groups" => Some(attributes.groups.as_slice().into()),
        "roles" => Some(attributes.roles.as_slice().into()),
        name => attributes.values.get(name).cloned(),
    }
}
