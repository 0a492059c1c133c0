//! The provider leg: what the broker is to apps, an OpenID Provider.
//!
//! Steps validate, decide and persist, and return data; `web` makes HTTP of it. The authorization endpoint's dispatcher
//! is [`authorize`]; the way back from a provider is [`callback`]; what they come to is an [`outcome`], and an app's
//! [`answer`]; [`token`], [`userinfo`], [`introspect`], [`revoke`], [`logout`], [`upstream_logout`] and
//! [`request_object::push`] are the other endpoints. [`decide`] puts the pure pipeline together with what is stored;
//! [`notify`] tells apps that a session ended.

pub mod answer;
mod assertion;
pub mod authorize;
pub mod callback;
pub mod client_auth;
mod client_keys;
pub mod decide;
pub mod discovery;
pub mod dpop;
pub mod error;
pub mod interaction;
pub mod introspect;
pub mod issue;
pub mod logout;
pub mod notify;
pub mod outcome;
pub mod params;
pub mod request;
pub mod request_object;
pub mod revoke;
pub mod shadow;
pub mod token;
pub mod upstream_logout;
pub mod userinfo;

use std::sync::Arc;

use crate::core::policy::Policy;
use crate::env::{Clock, Random};
use crate::keys::Keys;
use crate::rp::RelyingParty;
use crate::snapshot::Snapshot;
use crate::store::Store;

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
    /// Tells apps that a session ended.
    pub notifier: Arc<notify::Notifier>,
    /// One refresh at a time per upstream account.
    pub refreshes: Arc<decide::RefreshLocks>,
    /// The policy of a canary configuration (`serve --shadow`).
    pub shadow: Option<Arc<Policy>>,
}

/// One request: the services, one configuration generation, one reading of the clock, one trace id.
pub struct Cx<'a> {
    /// The services.
    pub services: &'a Services,
    /// The configuration generation that this request sees.
    pub snapshot: &'a Snapshot,
    /// Seconds since the Unix epoch.
    pub now: i64,
    /// Id of the request in logs, pages and stored traces.
    pub trace_id: String,
}

impl Cx<'_> {
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
