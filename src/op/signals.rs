//! Security events of a provider (Shared Signals: SSF 1.0 by push delivery, RFC 8935): what follows here when an account, a
//! session or a credential is taken away there, or the claims of an account change.
//!
//! Owns what each event does. [`upstream::signals`](crate::upstream::signals) verifies and reads the tokens. A token is acted
//! upon once; one that comes again is acknowledged, as a transmitter that did not see the first answer expects.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::audit::{Event, Kind};
use crate::excerpt::excerpt;
use crate::jose::{Check, SKEW};
use crate::op::RequestContext;
use crate::op::logout::backchannel;
use crate::op::upstream_claims;
use crate::protocol::Signal;
use crate::protocol::signal::{STREAM_UPDATED, VERIFICATION};
use crate::store::ids::SessionId;
use crate::store::model::{Link, LinkKey, User};
use crate::store::{AccountQuery, EndOnce, FromUpstream, Result as Stored, SessionView, StoreError, UpstreamSessions};
use crate::upstream::signals::{SecurityEvent, SignalSubject};
use crate::upstream::{ProviderSettings, UpstreamError};

/// The most accounts that one address may be of.
const ACCOUNTS: u32 = 20;

/// Why a token is not accepted (RFC 8935 §2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// For good: the error code, and what is wrong.
    Token(&'static str, String),
    /// The provider's keys or the store are not available: it should be sent again.
    TryAgain,
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        tracing::error!(event = "signal_failed", %error, "a security event could not be acted upon");
        Self::TryAgain
    }
}

impl From<&UpstreamError> for Refused {
    fn from(error: &UpstreamError) -> Self {
        let code = match error {
            UpstreamError::Unavailable(_) => return Self::TryAgain,
            UpstreamError::TokenInvalid { check, .. } => match check {
                Check::Key | Check::Signature | Check::Algorithm | Check::NotAccepted(_) => "invalid_key",
                Check::Claim("iss", _) => "invalid_issuer",
                Check::Claim("aud", _) => "invalid_audience",
                Check::Claim(..) | Check::Form(_) => "invalid_request",
            },
            _ => "invalid_request",
        };
        Self::Token(code, error.to_string())
    }
}

/// Acts on a security event token that a provider posted.
///
/// # Errors
/// When the token fails a check; when the provider's keys or the store are not available.
pub async fn receive(context: &RequestContext<'_>, provider: &str, token: &str) -> Result<(), Refused> {
    let settings = context.snapshot.providers.get(provider);
    let signals = settings.and_then(|settings| Some((settings, settings.signals.as_ref()?)));
    let (settings, signals) = signals.ok_or_else(|| Refused::Token("access_denied", "no such stream".to_owned()))?;
    let verified = context.services.upstreams.security_events(settings, signals, token, context.now).await;
    let set = verified.map_err(|error| refused(context, provider, &error))?;
    let mut plan = Plan::default();
    for event in &set.events {
        let wanted = event.signal.filter(|signal| signals.events.contains(signal));
        match wanted {
            Some(signal) => plan.add(context, settings, signal, event).await?,
            None => acknowledged(context, provider, event),
        }
    }
    if plan.is_empty() {
        return Ok(());
    }
    plan.end.once = ("signal", format!("{} {}", settings.issuer(), set.jti));
    plan.end.expires_at = set.expires_at;
    plan.end.tell = backchannel::tell(context);
    plan.end.sessions = plan.sessions.keys().cloned().collect();
    let ended = context.store().end_once(plan.end, context.now, plan.events.clone()).await?;
    let first = ended.is_some();
    for (view, apps) in plan.sessions.values().zip(ended.iter().flatten()) {
        backchannel::session_ended(context, &view.user, apps, Duration::ZERO);
    }
    for signal in plan.signals {
        note(context, provider, signal.name(), if first { "applied" } else { "duplicate" });
    }
    if first {
        context.announce(&plan.events);
    }
    Ok(())
}

fn refused(context: &RequestContext<'_>, provider: &str, error: &UpstreamError) -> Refused {
    context.services.metrics.signal(provider, "", "refused");
    if context.may_log() {
        let (reason, trace_id) = (error.reason(), &context.trace_id);
        tracing::warn!(event = "signal_refused", reason, provider, %trace_id, %error, "a security event token was refused");
    }
    error.into()
}

fn note(context: &RequestContext<'_>, provider: &str, signal: &str, outcome: &'static str) {
    context.services.metrics.signal(provider, signal, outcome);
    // What is acted upon has a line of its own, as an event of the audit trail.
    if outcome != "applied" {
        let trace_id = &context.trace_id;
        tracing::info!(event = "signal_acknowledged", provider, signal, outcome, %trace_id, "nothing follows from a security event");
    }
}

/// An event that nothing follows from.
fn acknowledged(context: &RequestContext<'_>, provider: &str, event: &SecurityEvent) {
    match (event.uri.as_str(), event.signal) {
        (VERIFICATION, _) => note(context, provider, "verification", "applied"),
        (STREAM_UPDATED, _) => {
            let status = event.details.get("status").and_then(Value::as_str).unwrap_or_default();
            let status = excerpt(status);
            let trace_id = &context.trace_id;
            tracing::warn!(event = "signal_stream", provider, status = &*status, %trace_id, "a provider changed the status of its stream of security events");
            context.services.metrics.signal(provider, "stream-updated", "applied");
        }
        (_, signal) => note(context, provider, signal.map_or("other", Signal::name), "ignored"),
    }
}

/// What follows from an event.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// Sessions end, with the grants that end with them.
    Sessions,
    /// All grants end too.
    Everything,
    /// The stored claims change.
    Claims,
    /// It is recorded.
    Nothing,
}

impl Effect {
    fn of(signal: Signal, event: &SecurityEvent) -> Self {
        match signal {
            Signal::SessionRevoked | Signal::SessionsRevoked => Self::Sessions,
            Signal::TokenClaimsChange => Self::Claims,
            // A further credential takes nothing away (CAEP §3.3).
            Signal::CredentialChange if event.details.get("change_type").and_then(Value::as_str) == Some("create") => {
                Self::Nothing
            }
            _ => Self::Everything,
        }
    }
}

/// What a token does.
#[derive(Default)]
struct Plan {
    end: EndOnce,
    sessions: BTreeMap<SessionId, SessionView>,
    events: Vec<Event>,
    signals: Vec<Signal>,
}

impl Plan {
    const fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    async fn add(
        &mut self,
        context: &RequestContext<'_>,
        settings: &ProviderSettings,
        signal: Signal,
        event: &SecurityEvent,
    ) -> Stored<()> {
        let mut found = Found::default();
        for subject in &event.subjects {
            found.look(context, settings, subject, event.at).await?;
        }
        if found.accounts.is_empty() {
            note(context, &settings.id, signal.name(), "unknown_subject");
            return Ok(());
        }
        let effect = Effect::of(signal, event);
        for (user, link) in &found.accounts {
            let told = context.event_about(Kind::Signal, user).provider(&settings.id).detail(signal.name());
            self.events.push(told);
            match effect {
                Effect::Everything => self.end.grants.push((user.id.clone(), link.key.clone(), event.at)),
                Effect::Claims => self.end.claims.extend(upstream_claims::changed(context, link, event)),
                Effect::Sessions | Effect::Nothing => {}
            }
        }
        if matches!(effect, Effect::Sessions | Effect::Everything) {
            for view in found.sessions {
                let ended = context.event_about(Kind::Logout, &view.user).provider(&settings.id);
                let ended = ended.sid(Some(view.session.id.as_str())).detail("by a security event of the provider");
                if self.sessions.insert(view.session.id.clone(), view).is_none() {
                    self.events.push(ended);
                }
            }
        }
        self.signals.push(signal);
        Ok(())
    }
}

/// Whom an event concerns here.
#[derive(Default)]
struct Found {
    accounts: Vec<(User, Link)>,
    sessions: Vec<SessionView>,
}

impl Found {
    /// Adds the accounts and the sessions of a subject. Sessions that began after the event are not affected by it.
    async fn look(
        &mut self,
        context: &RequestContext<'_>,
        settings: &ProviderSettings,
        subject: &SignalSubject,
        at: i64,
    ) -> Stored<()> {
        let key = |subject: String| {
            let (provider, issuer) = (settings.id.clone(), settings.issuer().to_owned());
            LinkKey { provider, issuer, subject }
        };
        let mut keys: Vec<LinkKey> = subject.subject.iter().cloned().map(key).collect();
        if let Some(address) = &subject.email {
            let people = context.store().users_by_address(address, ACCOUNTS).await?;
            let links = people.into_iter().flat_map(|person| person.links);
            let verified = links.filter(|link| link.verified_email.as_ref() == Some(address));
            keys.extend(verified.map(|link| link.key).filter(|known| *known == key(known.subject.clone())));
        }
        if subject.subject.is_none() && subject.email.is_none() {
            let sessions = self.sessions_of(context, settings, None, subject, at).await?;
            keys.extend(sessions);
        } else {
            for key in &keys {
                self.sessions_of(context, settings, Some(key), subject, at).await?;
            }
        }
        for key in keys {
            let query = AccountQuery { key: Some(key), ..AccountQuery::default() };
            if let Some((user, link)) = context.store().accounts(query).await?.linked
                && !self.accounts.iter().any(|(_, known)| known.key == link.key)
            {
                self.accounts.push((user, link));
            }
        }
        Ok(())
    }

    /// Adds the sessions of an upstream account or an upstream session. Returns the upstream accounts that they came from.
    async fn sessions_of(
        &mut self,
        context: &RequestContext<'_>,
        settings: &ProviderSettings,
        key: Option<&LinkKey>,
        subject: &SignalSubject,
        at: i64,
    ) -> Stored<Vec<LinkKey>> {
        let said = UpstreamSessions {
            provider: settings.id.clone(),
            issuer: settings.issuer().to_owned(),
            subject: key.map(|key| key.subject.clone()),
            sid: subject.sid.clone(),
        };
        let mut keys = Vec::new();
        for FromUpstream { view, upstream } in context.store().sessions_of_upstream(said).await? {
            keys.push(upstream.link);
            if upstream.at <= at.saturating_add(SKEW) {
                self.sessions.push(view);
            }
        }
        Ok(keys)
    }
}
