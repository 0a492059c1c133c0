//! Events of the audit trail, as requests make them.
//!
//! An event that tells of a write is handed to the store with it, and logged once that is done ([`RequestContext::announce`]).
//! One that tells of no write is recorded by itself ([`RequestContext::record`]).

use crate::audit::{Event, Kind, Pattern, Person};
use crate::decision::reason::Reason;
use crate::op::RequestContext;
use crate::snapshot::client::Client;
use crate::store::StoreError;
use crate::store::model::{Link, StoredTrace, User};

/// A user, as events name people.
#[must_use]
pub fn person(user: &User) -> Person<'_> {
    Person { account: user.id.as_str(), username: &user.username, sub: &user.sub }
}

impl RequestContext<'_> {
    /// An event of this request.
    #[must_use]
    pub fn event(&self, kind: Kind) -> Event {
        let identify = self.snapshot.resolved.audit.identify;
        Event::new(kind, self.now, identify).trace_id(&self.trace_id).address(self.address)
    }

    /// An event of this request about a user.
    #[must_use]
    pub fn event_about(&self, kind: Kind, user: &User) -> Event {
        self.event(kind).about(person(user))
    }

    /// Writes the log lines of events that are recorded, and counts them.
    pub fn announce(&self, events: &[Event]) {
        for event in events {
            event.log();
            self.services.activity.count(event);
        }
    }

    /// Records an event that tells of no write of the store, and announces it. Where the store can't be written, the log says
    /// so: what happened has happened.
    pub async fn record(&self, event: Event) {
        self.announce(std::slice::from_ref(&event));
        if let Err(error) = self.store().record(vec![event]).await {
            tracing::error!(event = "audit_failed", %error, trace_id = %self.trace_id, "an event is only in the log");
        }
    }

    /// As [`Self::record`], for an event that a stranger can cause: announced as far as the limits on lines allow, and recorded
    /// as far as those on rows do.
    pub async fn record_of_stranger(&self, event: Event) {
        if !self.may_log() {
            self.services.activity.count(&event);
            return;
        }
        if self.services.throttle.may_record(self.source) {
            self.record(event).await;
        } else {
            self.announce(std::slice::from_ref(&event));
        }
    }

    /// As [`Self::record_of_stranger`], for a failure of a provider, whose trace is kept as far as its event is.
    pub async fn record_failure(&self, trace: StoredTrace, event: Event) {
        if !self.may_log() {
            self.services.activity.count(&event);
            return;
        }
        self.announce(std::slice::from_ref(&event));
        if self.services.throttle.may_record(self.source)
            && let Err(error) = self.store().save_trace(trace, vec![event]).await
        {
            tracing::error!(event = "audit_failed", %error, trace_id = %self.trace_id, "an event is only in the log");
        }
    }

    /// Keeps the trace of a refusal with its event, and announces it.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn save_refusal(&self, trace: StoredTrace, refusal: Event) -> Result<(), StoreError> {
        let events = self.refusal_events(refusal);
        self.store().save_trace(trace, events.clone()).await?;
        self.announce(&events);
        Ok(())
    }

    /// Records that the policy refuses somebody whose token is presented by an app. Apps ask about a token again and again, so
    /// that further refusals are only counted.
    pub async fn record_refused_token(&self, reason: Reason, client: &Client, user: &User, link: &Link) {
        let event = self.event_about(Kind::Refusal, user).reason(reason.code()).client(&client.key);
        let event = event.provider(&link.key.provider).detail("a token was presented");
        if self.services.throttle.may_record_of(&format!("{} {}", user.id, client.key)) {
            self.record(event).await;
        } else {
            self.services.activity.count(&event);
        }
    }

    /// The events of a refusal: with the pattern that it completes, if it does. None where one account is refused so often that
    /// further ones are only counted.
    #[must_use]
    pub fn refusal_events(&self, refusal: Event) -> Vec<Event> {
        let throttle = &self.services.throttle;
        let recorded = match &refusal.account {
            Some(account) => throttle.may_record_of(account),
            None => throttle.may_record(self.source),
        };
        let begins = refusal.account.as_ref().is_some_and(|account| throttle.refused_often(account));
        let pattern = begins.then(|| refusal.suspicious(Pattern::ManyRefusals));
        if !recorded {
            self.services.activity.count(&refusal);
        }
        recorded.then_some(refusal).into_iter().chain(pattern).collect()
    }
}
