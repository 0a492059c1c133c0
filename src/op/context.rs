//! What every step of the provider leg may use: the services, and one request with what it sees.

use std::sync::Arc;

use crate::decision::policy::Policy;
use crate::env::{Clock, Random};
use crate::keys::Keys;
use crate::op::client::remote::AppKeys;
use crate::op::logout::delivery::Notifier;
use crate::op::refresh_locks::RefreshLocks;
use crate::snapshot::Snapshot;
use crate::store::{PendingBound, Store};
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
    pub app_keys: Arc<AppKeys>,
    /// Tells apps that a session ended.
    pub notifier: Arc<Notifier>,
    /// One refresh at a time per upstream account.
    pub refreshes: Arc<RefreshLocks>,
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

    /// How many sign-ins, pages and pushed requests may wait at once.
    #[must_use]
    pub fn pending_bound(&self) -> PendingBound {
        PendingBound::default()
    }

    /// Randomness.
    #[must_use]
    pub fn random(&self) -> &dyn Random {
        self.services.random.as_ref()
    }
}
