//! The decision pipeline put together with what is stored: rows become its facts, and its decision becomes a trace.
//!
//! It owns the translation in both directions, and the subject that a client sees. The endpoints determine when a decision is
//! made.

use serde::Serialize;

use crate::analysis::explain::Condition;
use crate::analysis::known::{Known, KnownLink};
use crate::decision::account::{Account, AccountFacts, AccountIds, AccountQuestion};
use crate::decision::app::AppRequest;
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::decision::reason::Reason;
use crate::decision::subject;
use crate::decision::trace::{Refusal, Step, Trace};
use crate::op::RequestContext;
use crate::op::certificate;
use crate::snapshot::client::Client;
use crate::store::ids::UserId;
use crate::store::model::{Grant, Link, LinkKey, StoredTrace, User};
use crate::store::{AccountQuery, AccountView, Person};

/// The approximate size limit of a stored decision, in bytes.
const TRACE_BYTES: usize = 32 * 1024;

/// An account as the pipeline reads it.
#[must_use]
pub fn account(user: &User) -> Account {
    Account { username: user.username.clone(), ids: ids(user), profile: user.profile.clone(), disabled: user.disabled }
}

fn ids(user: &User) -> AccountIds {
    AccountIds { id: user.id.as_str().to_owned(), sub: user.sub.clone() }
}

/// A stored person as the analysis reads one.
#[must_use]
pub fn known(person: Person) -> Known {
    let links = person.links.into_iter().map(|link| KnownLink {
        provider: link.key.provider,
        issuer: link.key.issuer,
        subject: link.key.subject,
        claims: link.claims,
        claims_at: link.claims_at,
    });
    Known { account: account(&person.user), links: links.collect() }
}

/// The pipeline's question as the store reads it.
#[must_use]
pub fn query(key: LinkKey, question: AccountQuestion) -> AccountQuery {
    AccountQuery {
        key: Some(key),
        declared: question.declared,
        email: question.email,
        username_key: question.username_key,
    }
}

/// The store's answer as the pipeline reads it, with the ids that a new account would get.
#[must_use]
pub fn facts(view: &AccountView, new: AccountIds) -> AccountFacts {
    AccountFacts {
        linked: view.linked.as_ref().map(|(user, _)| account(user)),
        attached: view.linked.as_ref().map(|(_, link)| certificate::attached(link)).unwrap_or_default(),
        declared: view.declared.as_ref().map(account),
        declared_is_linked: view.declared_is_linked,
        by_email: view.by_email.iter().map(account).collect(),
        email_is_linked: view.email_is_linked,
        taken: view.taken.iter().map(|(key, _)| key.clone()).collect(),
        new,
    }
}

/// What a grant asks of the pipeline.
#[must_use]
pub fn grant_request<'a>(grant: &'a Grant, scopes: &'a [String]) -> AppRequest<'a> {
    AppRequest {
        client: &grant.client,
        scopes,
        claims_request: grant.claims_request.as_ref(),
        acr: grant.acr.as_deref(),
        amr: &grant.amr,
        id_token_alone: false,
    }
}

/// Decides again for an identity that is stored: with its last upstream claims, under the current policy.
///
/// # Errors
/// The refusal, with its trace.
pub fn again(
    context: &RequestContext<'_>,
    user: &User,
    link: &Link,
    request: &AppRequest<'_>,
) -> Result<Decision, Refusal> {
    standing(context, user, link, Some(request))
}

/// The same for an app, or for nobody: who the person is and what they have, whatever apps make of it.
///
/// # Errors
/// The refusal, with its trace.
pub fn standing(
    context: &RequestContext<'_>,
    user: &User,
    link: &Link,
    request: Option<&AppRequest<'_>>,
) -> Result<Decision, Refusal> {
    begin(&context.snapshot.policy, &evidence(link))?.decide(linked(user, link), request)
}

/// What the provider vouched for last.
#[must_use]
pub fn evidence(link: &Link) -> Evidence<'_> {
    let LinkKey { provider, issuer, subject } = &link.key;
    Evidence { provider, issuer: Some(issuer), subject, claims: &link.claims }
}

/// What the store knows of a user whose upstream account is linked.
#[must_use]
pub fn linked(user: &User, link: &Link) -> AccountFacts {
    AccountFacts { linked: Some(account(user)), attached: certificate::attached(link), ..AccountFacts::default() }
}

/// What is kept of a decision.
#[derive(Serialize)]
struct Decided<'a> {
    steps: &'a [Step],
    refused: Option<&'static str>,
    provider: &'a str,
    generation: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_by: Option<&'a Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a str>,
}

/// The trace of a decision, to be kept.
#[must_use]
pub fn stored_trace(
    context: &RequestContext<'_>,
    user_id: Option<UserId>,
    client: Option<&str>,
    provider: &str,
    trace: &Trace,
) -> StoredTrace {
    refused_trace(context, user_id, client, provider, trace, None, Vec::new())
}

/// The trace of a refusal, to be kept: with the condition that refused, and the names by which somebody without an account is
/// known at the provider.
#[must_use]
pub fn refused_trace(
    context: &RequestContext<'_>,
    user_id: Option<UserId>,
    client: Option<&str>,
    provider: &str,
    trace: &Trace,
    refused_by: Option<&Condition>,
    names: Vec<String>,
) -> StoredTrace {
    let decided = Decided {
        steps: &trace.abridged(TRACE_BYTES),
        refused: trace.refused.map(Reason::code),
        provider,
        generation: context.snapshot.generation,
        refused_by,
        failure: None,
    };
    StoredTrace { names, ..kept(context, user_id, client, &decided) }
}

/// A failure of a provider, kept like a refusal.
#[must_use]
pub fn failure_trace(
    context: &RequestContext<'_>,
    client: Option<&str>,
    provider: &str,
    reason: &'static str,
    failure: &str,
) -> StoredTrace {
    let generation = context.snapshot.generation;
    let (refused, failure) = (Some(reason), Some(failure));
    let decided = Decided { steps: &[], refused, provider, generation, refused_by: None, failure };
    kept(context, None, client, &decided)
}

fn kept(
    context: &RequestContext<'_>,
    user_id: Option<UserId>,
    client: Option<&str>,
    decided: &Decided<'_>,
) -> StoredTrace {
    StoredTrace {
        id: context.trace_id.to_string(),
        names: Vec::new(),
        user_id,
        client: client.map(str::to_owned),
        // It contains only text and numbers, so that serialising it can't fail.
        data: serde_json::to_string(decided).unwrap_or_default(),
        at: context.now,
        expires_at: context.now + context.snapshot.resolved.audit.retention,
    }
}

/// The subject that a client sees (OIDC Core §8).
#[must_use]
pub fn subject(client: &Client, user: &User) -> String {
    subject::subject(client.pairwise_sector(), &ids(user)).into_owned()
}

/// The same, from the two ids of a user.
#[must_use]
pub fn subject_of(client: &Client, id: &UserId, sub: &str) -> String {
    let ids = AccountIds { id: id.as_str().to_owned(), sub: sub.to_owned() };
    subject::subject(client.pairwise_sector(), &ids).into_owned()
}
