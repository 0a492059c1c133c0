//! The order of the decision's stages, as the configuration language gives it:
//!
//! upstream claims → attributes → `allow` → account → roles → client → scopes → app claims.
//!
//! It runs in two steps, because the account stage depends on the store: [`begin`] maps the claims and returns what to ask the
//! store, and [`Mapped::decide`] continues with the answers. Both are pure: the same facts give the same decision.

use serde_json::{Map, Value};

use crate::decision::account;
use crate::decision::account::{AccountDecision, AccountFacts, AccountQuestion};
use crate::decision::app::{AppRequest, Release, Subject, release};
use crate::decision::break_glass;
use crate::decision::claims;
use crate::decision::claims::Attributes;
use crate::decision::policy::{Policy, ProviderPolicy};
use crate::decision::reason::Reason;
use crate::decision::roles::{Granted, RoleFacts, grant};
use crate::decision::trace::{Refusal, Stage, Trace};

/// What a provider asserted about a user.
#[derive(Clone, Debug)]
pub struct Evidence<'a> {
    /// Provider id.
    pub provider: &'a str,
    /// Its issuer, if the evidence comes from storage: a provider with another issuer is another provider.
    pub issuer: Option<&'a str>,
    /// The upstream `sub`.
    pub subject: &'a str,
    /// The upstream claims.
    pub claims: &'a Map<String, Value>,
}

/// A sign-in whose claims are mapped and accepted by `allow`.
#[derive(Debug)]
pub struct Mapped<'p> {
    policy: &'p Policy,
    provider: &'p ProviderPolicy,
    subject: String,
    attributes: Attributes,
    trace: Trace,
}

/// A sign-in that was accepted.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The provider that authenticated the user.
    pub provider: String,
    /// The user's account.
    pub account: AccountDecision,
    /// The verified address in this evidence, in lower case.
    pub verified_email: Option<String>,
    /// The account's stored attributes after this sign-in.
    pub profile: Map<String, Value>,
    /// Upstream and local groups.
    pub groups: Vec<String>,
    /// Roles and permissions.
    pub granted: Granted,
    /// What the app receives, if the sign-in was requested by one.
    pub release: Option<Release>,
    /// The steps of the decision.
    pub trace: Trace,
}

/// Maps upstream claims to attributes and evaluates `allow`.
///
/// # Errors
/// The provider does not exist any more, a claim can't be mapped, or `allow` does not hold.
pub fn begin<'p>(policy: &'p Policy, evidence: &Evidence<'_>) -> Result<Mapped<'p>, Refusal> {
    let trace = Trace::default();
    if let Some(account) = policy.break_glass.as_ref().filter(|account| account.provider.id == evidence.provider) {
        let attributes = Attributes { username: Some(account.username.clone()), ..Attributes::default() };
        let subject = evidence.subject.to_owned();
        return Ok(Mapped { policy, provider: &account.provider, subject, attributes, trace });
    }
    let same =
        |provider: &&ProviderPolicy| provider.enabled && evidence.issuer.is_none_or(|issuer| issuer == provider.issuer);
    let Some(provider) = policy.providers.get(evidence.provider).filter(same) else {
        let text = format!("provider {} is not declared, is disabled, or has another issuer", evidence.provider);
        return Err(trace.refuse(Stage::Claims, None, Reason::ProviderRemoved, text));
    };
    let (attributes, trace) = claims::map(policy, provider, evidence.claims, trace)?;
    Ok(Mapped { policy, provider, subject: evidence.subject.to_owned(), attributes, trace })
}

impl Mapped<'_> {
    /// The questions to the store.
    #[must_use]
    pub fn question(&self) -> AccountQuestion {
        account::question(self.policy, self.provider, &self.subject, &self.attributes)
    }

    /// The attributes.
    #[must_use]
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// Completes the decision with the store's answers.
    ///
    /// # Errors
    /// A refusal by the account stage, or by the app that requested the sign-in.
    pub fn decide(self, facts: AccountFacts, request: Option<&AppRequest<'_>>) -> Result<Decision, Refusal> {
        let Self { policy, provider, subject, attributes, trace } = self;
        if let Some(account) = policy.break_glass.as_ref().filter(|account| account.provider.id == provider.id) {
            let groups = account.groups.clone();
            let (account, granted, trace) = break_glass::decide(policy, account, facts.linked, trace)?;
            return Decision::of_break_glass(provider, account, groups, granted, trace)
                .released(policy, provider, request);
        }
        let (account, mut trace) = account::decide(policy, provider, &subject, &attributes, facts, trace)?;
        let stored = account.existing.as_ref().map(|account| &account.profile);
        let verified_email = attributes.verified_email();
        let Attributes { mut groups, roles: asserted, values, .. } = attributes;
        let profile = account::synchronised(provider, stored, values);
        if let Some(user) = policy.declared(&account.username).filter(|user| !user.groups.is_empty()) {
            groups.extend(user.groups.iter().cloned());
            groups = claims::distinct(groups);
        }
        let facts = RoleFacts { user: &profile, groups: &groups, asserted: &asserted, username: &account.username };
        let granted = grant(policy, provider, &facts, &mut trace);
        let id = provider.id.clone();
        let decision =
            Decision { provider: id, account, verified_email, profile, groups, granted, release: None, trace };
        decision.released(policy, provider, request)
    }
}

impl Decision {
    /// The facts about the user that may be released to apps.
    #[must_use]
    pub fn subject(&self) -> Subject<'_> {
        Subject {
            profile: &self.profile,
            username: &self.account.username,
            ids: &self.account.ids,
            groups: &self.groups,
            roles: &self.granted.roles,
            permissions: &self.granted.permissions,
        }
    }

    /// The decision on the break-glass account, which has no attributes.
    fn of_break_glass(
        provider: &ProviderPolicy,
        account: AccountDecision,
        groups: Vec<String>,
        granted: Granted,
        trace: Trace,
    ) -> Self {
        let (provider, profile) = (provider.id.clone(), Map::new());
        Self { provider, account, verified_email: None, profile, groups, granted, release: None, trace }
    }

    /// With what the app gets, where one asks.
    fn released(
        mut self,
        policy: &Policy,
        provider: &ProviderPolicy,
        request: Option<&AppRequest<'_>>,
    ) -> Result<Self, Refusal> {
        let Some(request) = request else { return Ok(self) };
        let trace = std::mem::take(&mut self.trace);
        let (released, trace) = release(policy, provider, &self.subject(), request, trace)?;
        self.release = Some(released);
        self.trace = trace;
        Ok(self)
    }
}
