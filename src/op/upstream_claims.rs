//! The upstream claims that a decision rests on: those that are stored, or newer ones from the provider, as `on_refresh` says.
//!
//! Owns how old stored claims may be, at a refresh and at a new authorization in a live session, and asking the provider by its
//! refresh token, one request at a time for each upstream account. What the policy makes of the claims is decided afterwards.

use serde_json::{Map, Value};

use crate::audit::Kind;
use crate::config::language::refresh::{OnRefresh, RefreshClaims, RefreshUnavailable};
use crate::config::language::scalar::SecretValue;
use crate::decision::pipeline::{Evidence, begin};
use crate::decision::reason::Reason;
use crate::decision::trace::{Refusal, Stage, Trace};
use crate::op::RequestContext;
use crate::op::upstream_lease::Lease;
use crate::store::model::{Link, LinkKey};
use crate::store::{AccountQuery, ChangedClaims, StoreError};
use crate::upstream::refresh::FailedRefresh;
use crate::upstream::signals::SecurityEvent;
use crate::upstream::{RefreshError, UpstreamIdentity};

/// Why there are no claims that a refresh may rest on.
#[derive(Debug)]
pub enum NotCurrent {
    /// The provider or the configuration refuses.
    Refused(Refusal),
    /// The store can't be read or written.
    Store(StoreError),
}

impl From<StoreError> for NotCurrent {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The upstream account with claims as current as `on_refresh` wants them. Newer ones from the provider are stored.
///
/// # Errors
/// When the configuration denies refreshes, the provider denies this one, or its last answer is too old.
pub async fn current(context: &RequestContext<'_>, link: Link) -> Result<Link, NotCurrent> {
    let Some(on_refresh) = on_refresh(context, &link.key) else { return Ok(link) };
    match on_refresh.claims {
        RefreshClaims::Cached => Ok(link),
        RefreshClaims::Deny => Err(refused(context, &link.key, "on_refresh denies refreshes")),
        RefreshClaims::Upstream if recent(context, on_refresh, &link) => Ok(link),
        RefreshClaims::Upstream => renewed(context, on_refresh, link).await,
    }
}

/// The upstream account for a new authorization in a live session, with claims as old as a refresh may rest on. `None` where
/// only the browser can bring newer ones: there is no refresh token, or the provider denies it, or can't be asked and its last
/// answer is too old.
///
/// # Errors
/// When the store can't be read or written.
pub async fn for_authorization(context: &RequestContext<'_>, link: Link) -> Result<Option<Link>, StoreError> {
    let asks = on_refresh(context, &link.key).filter(|on_refresh| on_refresh.claims == RefreshClaims::Upstream);
    let Some(on_refresh) = asks.filter(|on_refresh| !recent(context, on_refresh, &link)) else { return Ok(Some(link)) };
    if link.refresh_token.is_none() {
        return Ok(None);
    }
    match renewed(context, on_refresh, link).await {
        Ok(link) => Ok(Some(link)),
        Err(NotCurrent::Refused(_)) => Ok(None),
        Err(NotCurrent::Store(error)) => Err(error),
    }
}

/// Keeps what a provider said of somebody at a sign-in that the policy refused: what was taken away there is gone here at the
/// next decision, too.
///
/// # Errors
/// When the store can't be written.
pub async fn keep(context: &RequestContext<'_>, link: Link, identity: &UpstreamIdentity) -> Result<(), StoreError> {
    let refresh_token = identity.refresh_token.as_ref().map(|token| token.expose().to_owned());
    let verified_email = verified_email(context, &link.key, &identity.claims);
    let refresh_token = refresh_token.or(link.refresh_token);
    let claims = identity.claims.clone();
    context.store().save_link(Link { claims, claims_at: context.now, verified_email, refresh_token, ..link }).await
}

/// The claims of an upstream account after the provider said which changed, and when (CAEP §3.2). They count as old as claims
/// that a refresh asks for again, so that the provider has the last word where `on_refresh` asks it. `None` where newer claims
/// are known already, or nothing changed.
#[must_use]
pub fn changed(context: &RequestContext<'_>, link: &Link, event: &SecurityEvent) -> Option<ChangedClaims> {
    if link.claims_at > event.at {
        return None;
    }
    let mut claims = link.claims.clone();
    for (name, value) in event.changed_claims() {
        if value.is_null() {
            claims.remove(name);
        } else {
            claims.insert(name.clone(), value.clone());
        }
    }
    let due = on_refresh(context, &link.key).map_or(link.claims_at, |rule| context.now - rule.max_age.seconds());
    Some(ChangedClaims {
        verified_email: verified_email(context, &link.key, &claims),
        claims_at: link.claims_at.min(due),
        read_at: link.claims_at,
        key: link.key.clone(),
        claims,
    })
}

/// Adds the name that a provider said once, at an earlier sign-in, and does not say now.
pub fn keep_name(context: &RequestContext<'_>, link: &Link, claims: &mut Map<String, Value>) {
    let settings = context.snapshot.providers.get(&link.key.provider);
    if !settings.is_some_and(|settings| settings.quirks.name_once) {
        return;
    }
    if ["name", "given_name", "family_name"].iter().any(|name| claims.contains_key(*name)) {
        return;
    }
    for name in ["name", "given_name", "family_name"] {
        if let Some(known) = link.claims.get(name) {
            claims.insert(name.to_owned(), known.clone());
        }
    }
}

fn on_refresh<'c>(context: &'c RequestContext<'_>, key: &LinkKey) -> Option<&'c OnRefresh> {
    context.snapshot.provider(&key.provider).map(|provider| &provider.on_refresh)
}

fn recent(context: &RequestContext<'_>, on_refresh: &OnRefresh, link: &Link) -> bool {
    context.now - link.claims_at < on_refresh.max_age.seconds()
}

/// Why there are no claims from the provider.
enum Unanswered {
    /// There are none, for good or until the person signs in again.
    NotCurrent(NotCurrent),
    /// It gave no usable answer. The claims of before may serve.
    Failed(Box<Link>),
}

/// Asks the provider once, however many requests wait for the answer. Returns newer claims, or the last ones where `on_refresh`
/// permits them.
async fn renewed(context: &RequestContext<'_>, on_refresh: &OnRefresh, link: Link) -> Result<Link, NotCurrent> {
    const AWAY: &str = "the provider can't be asked, and its last answer is too old";
    let clock = &context.services.clock;
    let attempt = context.services.refreshes.of(&link.key, clock.now());
    let mut attempt = attempt.lock().await;
    // Another request may have asked meanwhile.
    let query = AccountQuery { key: Some(link.key.clone()), ..AccountQuery::default() };
    let stored = context.store().accounts(query).await?.linked.map_or(link, |(_, link)| link);
    if recent(context, on_refresh, &stored) {
        return Ok(stored);
    }
    let Some(token) = stored.refresh_token.clone().map(SecretValue::new) else {
        let text = "the provider gave no refresh token to ask with; add offline_access to its scopes";
        return last_answer(context, on_refresh, stored, text);
    };
    if attempt.failed_just_now(clock.now()) {
        return last_answer(context, on_refresh, stored, AWAY);
    }
    let Some(lease) = Lease::take(context.store(), &**clock, &stored.key).await? else {
        attempt.ended(true, clock.now());
        return last_answer(context, on_refresh, stored, AWAY);
    };
    // Another process may have asked before this one had the lease.
    let stored = lease.stored().await?.unwrap_or(stored);
    if recent(context, on_refresh, &stored) {
        lease.release().await;
        return Ok(stored);
    }
    let token = stored.refresh_token.clone().map_or(token, SecretValue::new);
    let answer = ask(context, &token, stored, &lease).await;
    if answer.is_err() {
        lease.release().await;
    }
    attempt.ended(matches!(answer, Err(Unanswered::Failed(_))), clock.now());
    match answer {
        Ok(link) => Ok(link),
        Err(Unanswered::Failed(link)) => last_answer(context, on_refresh, *link, AWAY),
        Err(Unanswered::NotCurrent(error)) => Err(error),
    }
}

/// Asks the provider for claims, by the refresh token that it gave, and stores them.
async fn ask(
    context: &RequestContext<'_>,
    token: &SecretValue,
    link: Link,
    lease: &Lease<'_>,
) -> Result<Link, Unanswered> {
    let denied = |key: &LinkKey, text| Err(Unanswered::NotCurrent(refused(context, key, text)));
    let Some(settings) = context.snapshot.providers.get(&link.key.provider) else {
        return denied(&link.key, "the provider is not there any more");
    };
    let answer = context.services.upstreams.refresh(settings, token, &link.key.subject, context.now).await;
    let FailedRefresh { error, refresh_token } = match answer {
        Err(failed) => failed,
        Ok(refreshed) => {
            let verified_email = verified_email(context, &link.key, &refreshed.claims);
            let mut claims = refreshed.claims;
            keep_name(context, &link, &mut claims);
            let refresh_token = refreshed.refresh_token.map(|token| token.expose().to_owned()).or(link.refresh_token);
            let fresh = Link { claims, claims_at: context.now, verified_email, refresh_token, ..link };
            return match lease.save(fresh.clone()).await {
                Ok(true) => Ok(fresh),
                Ok(false) => superseded(lease, fresh).await,
                Err(error) => Err(Unanswered::NotCurrent(error.into())),
            };
        }
    };
    match error {
        RefreshError::Denied(_) => denied(&link.key, "the provider denies the refresh"),
        RefreshError::SomebodyElse(error) => {
            let event = context.event(Kind::UpstreamFailure).reason(error.reason()).provider(&link.key.provider);
            context.record_of_stranger(event.detail(format!("an upstream refresh: {error}"))).await;
            denied(&link.key, "the provider answered the refresh about somebody else (OIDC Core 12.2)")
        }
        error => {
            tracing::warn!(provider = %link.key.provider, trace_id = %context.trace_id, %error, "upstream refresh failed");
            let kept = keep_token(lease, link, refresh_token).await;
            Err(kept
                .map_or_else(|error| Unanswered::NotCurrent(error.into()), |link| Unanswered::Failed(Box::new(link))))
        }
    }
}

/// Keeps the refresh token that a provider gave before it failed: the one of before may be used up. What a sign-in stored
/// meanwhile counts more.
async fn keep_token(lease: &Lease<'_>, link: Link, token: Option<SecretValue>) -> Result<Link, StoreError> {
    let Some(token) = token else { return Ok(link) };
    match lease.stored().await? {
        Some(stored) if stored.refresh_token == link.refresh_token => {
            let link = Link { refresh_token: Some(token.expose().to_owned()), ..stored };
            lease.save(link.clone()).await?;
            Ok(link)
        }
        _ => Ok(link),
    }
}

/// What is stored, where it counts more than the answer: the claims of a sign-in that was finished while the provider was
/// asked. Where another process asks now because the answer took too long, its token counts.
async fn superseded(lease: &Lease<'_>, answered: Link) -> Result<Link, Unanswered> {
    match lease.stored().await {
        Ok(Some(stored)) if stored.claims_at >= answered.claims_at => Ok(stored),
        Ok(stored) => Err(Unanswered::Failed(Box::new(stored.unwrap_or(answered)))),
        Err(error) => Err(Unanswered::NotCurrent(error.into())),
    }
}

/// The address that these claims prove.
fn verified_email(context: &RequestContext<'_>, key: &LinkKey, claims: &Map<String, Value>) -> Option<String> {
    let evidence = Evidence { provider: &key.provider, issuer: Some(&key.issuer), subject: &key.subject, claims };
    begin(&context.snapshot.policy, &evidence).ok()?.attributes().verified_email()
}

/// The claims that are stored, where `unavailable` and `max_stale` let them serve.
fn last_answer(
    context: &RequestContext<'_>,
    on_refresh: &OnRefresh,
    link: Link,
    text: &'static str,
) -> Result<Link, NotCurrent> {
    let young_enough = context.now - link.claims_at <= on_refresh.max_stale.seconds();
    let usable = on_refresh.unavailable == RefreshUnavailable::Cached && young_enough;
    if usable { Ok(link) } else { Err(refused(context, &link.key, text)) }
}

fn refused(context: &RequestContext<'_>, key: &LinkKey, text: &'static str) -> NotCurrent {
    let source = context.snapshot.source(&format!("providers.{}.on_refresh", key.provider));
    NotCurrent::Refused(Trace::default().refuse(Stage::Claims, source.as_ref(), Reason::RefreshDenied, text))
}
