//! The upstream claims that a refresh rests on: those that are stored, or newer ones from the provider, as `on_refresh` says.
//!
//! Owns how old stored claims may be, and asking the provider by its refresh token, one request an upstream account at a
//! time. What the policy makes of the claims is decided afterwards.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::language::provider::{OnRefresh, RefreshClaims, RefreshUnavailable};
use crate::config::language::scalar::SecretValue;
use crate::decision::pipeline::{Evidence, begin};
use crate::decision::reason::Reason;
use crate::decision::trace::{Refusal, Stage, Trace};
use crate::op::RequestContext;
use crate::store::model::{Link, LinkKey};
use crate::store::{AccountQuery, StoreError};
use crate::upstream::RefreshError;

/// One lock per upstream account: a provider is asked once, however many refreshes arrive at the same time.
#[derive(Debug, Default)]
pub struct RefreshLocks(Mutex<HashMap<LinkKey, Arc<tokio::sync::Mutex<()>>>>);

impl RefreshLocks {
    fn of(&self, key: &LinkKey) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(locks.entry(key.clone()).or_default())
    }
}

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
    let provider = context.snapshot.provider(&link.key.provider);
    let Some(on_refresh) = provider.map(|provider| &provider.on_refresh) else { return Ok(link) };
    let recent = |link: &Link| context.now - link.claims_at < on_refresh.max_age.seconds();
    match on_refresh.claims {
        RefreshClaims::Cached => return Ok(link),
        RefreshClaims::Deny => return Err(refused(context, &link.key, "on_refresh denies refreshes")),
        RefreshClaims::Upstream if recent(&link) => return Ok(link),
        RefreshClaims::Upstream => {}
    }
    let lock = context.services.refreshes.of(&link.key);
    let _one_at_a_time = lock.lock().await;
    // Another refresh may have asked meanwhile.
    let query = AccountQuery { key: Some(link.key.clone()), ..AccountQuery::default() };
    let stored = context.store().accounts(query).await?.linked.map_or(link, |(_, link)| link);
    if recent(&stored) { Ok(stored) } else { ask(context, on_refresh, stored).await }
}

/// Asks the provider for claims, by the refresh token that it gave.
async fn ask(context: &RequestContext<'_>, on_refresh: &OnRefresh, link: Link) -> Result<Link, NotCurrent> {
    let Some(token) = link.refresh_token.clone().map(SecretValue::new) else {
        let text = "the provider gave no refresh token to ask with; add offline_access to its scopes";
        return last_answer(context, on_refresh, link, text);
    };
    let Some(settings) = context.snapshot.providers.get(&link.key.provider) else {
        return Err(refused(context, &link.key, "the provider is not there any more"));
    };
    match context.services.upstreams.refresh(settings, &token, &link.key.subject, context.now).await {
        Ok(refreshed) => {
            let evidence = Evidence {
                provider: &link.key.provider,
                issuer: Some(&link.key.issuer),
                subject: &link.key.subject,
                claims: &refreshed.claims,
            };
            let mapped = begin(&context.snapshot.policy, &evidence).ok();
            let verified_email = mapped.and_then(|mapped| mapped.attributes().verified_email());
            let refresh_token = refreshed.refresh_token.map(|token| token.expose().to_owned()).or(link.refresh_token);
            let claims = refreshed.claims;
            let fresh = Link { claims, claims_at: context.now, verified_email, refresh_token, ..link };
            context.store().save_link(fresh.clone()).await?;
            Ok(fresh)
        }
        Err(RefreshError::Denied(_)) => Err(refused(context, &link.key, "the provider denies the refresh")),
        Err(error) => {
            tracing::warn!(provider = %link.key.provider, trace_id = %context.trace_id, %error, "upstream refresh failed");
            last_answer(context, on_refresh, link, "the provider can't be asked, and its last answer is too old")
        }
    }
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
