//! The pure pipeline put together with what is stored: for a stored identity, and for a refresh.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde::Serialize;

use crate::config::language::provider::{RefreshClaims, RefreshUnavailable};
use crate::decision::account::{Account, AccountFacts, AccountQuestion};
use crate::decision::app::AppRequest;
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::decision::reason::Reason;
use crate::decision::trace::{Refusal, Stage, Step, Trace};
use crate::op::RequestContext;
use crate::op::authorize::request::AuthorizeRequest;
use crate::protocol::ResponseType;
use crate::snapshot::client::Client;
use crate::store::model::{Grant, Link, LinkKey, StoredTrace, User};
use crate::store::{AccountQuery, AccountView, StoreError};
use crate::upstream::RefreshError;

/// How long a decision can be explained by its trace id.
const TRACE_LIFETIME: i64 = 7 * 86_400;

/// One lock per upstream account: a provider is asked once, however many refreshes come at the same time.
#[derive(Debug, Default)]
pub struct RefreshLocks(Mutex<HashMap<LinkKey, Arc<tokio::sync::Mutex<()>>>>);

impl RefreshLocks {
    fn of(&self, key: &LinkKey) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(locks.entry(key.clone()).or_default())
    }
}

/// An account as the pipeline reads it.
#[must_use]
pub fn account(user: &User) -> Account {
    Account {
        id: user.id.clone(),
        username: user.username.clone(),
        sub: user.sub.clone(),
        profile: user.profile.clone(),
        disabled: user.disabled,
    }
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

/// The store's answer as the pipeline reads it.
#[must_use]
pub fn facts(view: &AccountView) -> AccountFacts {
    AccountFacts {
        linked: view.linked.as_ref().map(|(user, _)| account(user)),
        declared: view.declared.as_ref().map(account),
        declared_is_linked: view.declared_is_linked,
        by_email: view.by_email.iter().map(account).collect(),
        taken: view.taken.iter().map(|(key, _)| key.clone()).collect(),
    }
}

/// What an authorization request asks of the pipeline.
#[must_use]
pub fn app_request<'a>(request: &'a AuthorizeRequest, acr: Option<&'a str>, amr: &'a [String]) -> AppRequest<'a> {
    AppRequest {
        client: &request.to.client,
        scopes: &request.scopes,
        claims_request: request.claims.as_ref(),
        acr,
        amr,
        id_token_alone: request.response_type == ResponseType::IdToken,
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

/// Decides again for an identity that is stored: with its last upstream claims, under the policy of the moment.
///
/// # Errors
/// The refusal, with its trace.
pub fn again(
    context: &RequestContext<'_>,
    user: &User,
    link: &Link,
    request: &AppRequest<'_>,
) -> Result<Decision, Refusal> {
    let evidence = Evidence {
        provider: &link.key.provider,
        issuer: Some(&link.key.issuer),
        subject: &link.key.subject,
        claims: &link.claims,
    };
    let facts = AccountFacts { linked: Some(account(user)), ..AccountFacts::default() };
    begin(&context.snapshot.policy, &evidence)?.decide(facts, Some(request))
}

/// What is kept of a decision.
#[derive(Serialize)]
struct Decided<'a> {
    steps: &'a [Step],
    refused: Option<&'static str>,
    provider: &'a str,
    generation: u64,
}

/// The trace of a decision, to be kept.
#[must_use]
pub fn stored_trace(
    context: &RequestContext<'_>,
    user_id: Option<String>,
    client: Option<&str>,
    provider: &str,
    trace: &Trace,
) -> StoredTrace {
    let decided = Decided {
        steps: &trace.steps,
        refused: trace.refused.map(Reason::code),
        provider,
        generation: context.snapshot.generation,
    };
    StoredTrace {
        id: context.trace_id.clone(),
        user_id,
        client: client.map(str::to_owned),
        // Texts and numbers alone: there is nothing in it that can't be written.
        data: serde_json::to_string(&decided).unwrap_or_default(),
        at: context.now,
        expires_at: context.now + TRACE_LIFETIME,
    }
}

/// The subject that a client sees (OIDC Core §8).
#[must_use]
pub fn subject(client: &Client, user: &User) -> String {
    use base64::Engine as _;
    if client.subject_type == crate::protocol::SubjectType::Public {
        return user.sub.clone();
    }
    // The internal id is random and never shown: it is the salt of OIDC Core §8.1.
    let text = format!("{}\n{}\n{}", client.sector, user.sub, user.id);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(digest.as_ref())
}

/// The upstream facts for a refresh.
pub enum Upstream {
    /// Those that are stored may be used.
    Stored,
    /// The provider gave these.
    Fresh(Box<Link>),
}

/// Why there are none.
#[derive(Debug)]
pub enum NoFacts {
    /// The provider or the file refuses.
    Refused(Refusal),
    /// The store can't be read.
    Store(StoreError),
}

/// Obtains the upstream facts that a refresh rests on, as `on_refresh` says.
///
/// # Errors
/// When the file denies refreshes, the provider denies this one, or its last answer is too old.
pub async fn upstream_facts(context: &RequestContext<'_>, link: &Link) -> Result<Upstream, NoFacts> {
    let provider = context.snapshot.config.providers.get(&link.key.provider);
    let Some(on_refresh) = provider.map(|provider| &provider.on_refresh) else { return Ok(Upstream::Stored) };
    let source = context.snapshot.source(&format!("providers.{}.on_refresh", link.key.provider));
    let refuse = |text: &'static str| {
        let refusal = Trace::default().refuse(Stage::Claims, source.as_ref(), Reason::RefreshDenied, text);
        NoFacts::Refused(refusal)
    };
    let age = context.now - link.claims_at;
    match on_refresh.claims {
        RefreshClaims::Cached => return Ok(Upstream::Stored),
        RefreshClaims::Deny => return Err(refuse("on_refresh denies refreshes")),
        RefreshClaims::Upstream if age < on_refresh.max_age.seconds() => return Ok(Upstream::Stored),
        RefreshClaims::Upstream => {}
    }
    let lock = context.services.refreshes.of(&link.key);
    let _one_at_a_time = lock.lock().await;
    // Another refresh may have asked meanwhile.
    let query = AccountQuery { key: Some(link.key.clone()), ..AccountQuery::default() };
    let current = context.store().accounts(query).await.map_err(NoFacts::Store)?.linked.map(|(_, link)| link);
    let current = current.unwrap_or_else(|| link.clone());
    if context.now - current.claims_at < on_refresh.max_age.seconds() {
        return Ok(Upstream::Fresh(Box::new(current)));
    }
    let stale = |text: &'static str| {
        let usable = on_refresh.unavailable == RefreshUnavailable::Cached && age <= on_refresh.max_stale.seconds();
        if usable { Ok(Upstream::Stored) } else { Err(refuse(text)) }
    };
    let Some(token) = current.refresh_token.clone() else {
        return stale("the provider gave no refresh token to ask with; add offline_access to its scopes");
    };
    let Some(settings) = context.snapshot.providers.get(&link.key.provider) else {
        return Err(refuse("the provider is not there any more"));
    };
    let token = crate::config::language::scalar::SecretValue::new(token);
    match context.services.upstreams.refresh(settings, &token, &link.key.subject, context.now).await {
        Ok(refreshed) => {
            let verified_email = None;
            let mut fresh =
                Link { claims: refreshed.claims, claims_at: context.now, verified_email, ..current.clone() };
            fresh.verified_email = crate::op::callback::verified_email(context, &fresh.key, &fresh.claims);
            if let Some(next) = refreshed.refresh_token {
                fresh.refresh_token = Some(next.expose().to_owned());
            }
            context.store().save_link(fresh.clone()).await.map_err(NoFacts::Store)?;
            Ok(Upstream::Fresh(Box::new(fresh)))
        }
        Err(RefreshError::Denied(_)) => Err(refuse("the provider denies the refresh")),
        Err(error) => {
            tracing::warn!(provider = %link.key.provider, trace_id = %context.trace_id, %error, "upstream refresh failed");
            stale("the provider can't be asked, and its last answer is too old")
        }
    }
}
