//! The provider leg: what the broker is to apps, an OpenID Provider.
//!
//! A folder or a file for each endpoint: [`authorize`] with pushed requests, [`callback`] for the way back from a provider,
//! [`token`], [`userinfo`], [`introspect`], [`revoke`], [`logout`], [`discovery`]. They share [`client`] (authentication and
//! keys of apps), [`decide`] (the decision pipeline put together with what is stored), [`validity`] (whether what is stored
//! is still valid), [`session`] (a browser's session), [`interaction`] (what waits for a user), [`params`] (reading forms),
//! [`issue`] and [`dpop`] (tokens). Steps validate, decide and persist, and return data: an [`outcome`] for a browser, or an
//! [`error`]. `web` makes HTTP of it.

pub mod authorize;
pub mod callback;
pub mod client;
pub mod decide;
pub mod discovery;
pub mod dpop;
pub mod error;
pub mod hint;
pub mod interaction;
pub mod introspect;
pub mod issue;
pub mod logout;
pub mod outcome;
pub mod params;
pub mod presented_token;
pub mod revoke;
pub mod session;
pub mod token;
pub mod upstream_claims;
pub mod userinfo;
pub mod validity;

use std::sync::Arc;

use crate::decision::policy::Policy;
use crate::env::{Clock, Random};
use crate::keys::Keys;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::upstream::RelyingParty;

/// What every step may use, handed in by the composition root.
#[derive(Clone)]
pub struct Services {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// What is persisted.
    pub store: Arc<dyn Store>,
    /// Signing keys.
    pub keys: Arc<Keys>,
    /// The upstream providers.
    pub upstreams: Arc<RelyingParty>,
    /// What apps keep at URLs of their own: key sets and request objects.
    pub app_keys: Arc<client::remote::AppKeys>,
    /// Tells apps that a session ended.
    pub notifier: Arc<logout::delivery::Notifier>,
    /// One refresh at a time per upstream account.
    pub refreshes: Arc<upstream_claims::RefreshLocks>,
    /// The policy of a canary configuration (`serve --shadow`).
    pub shadow: Option<Arc<Policy>>,
}

/// One request: the services, one configuration generation, one reading of the clock, one trace id.
pub struct RequestContext<'a> {
    /// The services.
    pub services: &'a Services,
    /// The configuration generation that this request sees.
    pub snapshot: &'a Snapshot,
    /// Seconds since the Unix epoch.
    pub now: i64,
    /// Id of the request in logs, pages and stored traces.
    pub trace_id: String,
}

impl RequestContext<'_> {
    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        self.services.store.as_ref()
    }

    /// Randomness.
    #[must_use]
    pub fn random(&self) -> &dyn Random {
        self.services.random.as_ref()
    }
}
