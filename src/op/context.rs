//! What every step of the provider leg may use: the services, and one request with what it sees.

use std::net::IpAddr;
use std::sync::Arc;

use crate::env::{Clock, Random};
use crate::keys::Keys;
use crate::metrics::Metrics;
use crate::op::activity::Activity;
use crate::op::break_glass::attempts::Attempts;
use crate::op::client::remote::AppKeys;
use crate::op::doubles::Doubles;
use crate::op::logout;
use crate::op::logout::delivery::Notifier;
use crate::op::outcome::Outcome;
use crate::op::refreshes::Refreshes;
use crate::op::sources::Sources;
use crate::op::trace_id::TraceId;
use crate::protocol::BREAK_GLASS;
use crate::snapshot::Snapshot;
use crate::snapshot::client::Client;
use crate::snapshot::history::History;
use crate::snapshot::reload::ReloadStatus;
use crate::snapshot::shadow::Shadow;
use crate::store::model::TraceContext;
use crate::store::{PendingBound, Store};
use crate::telemetry::SpanExporter;
use crate::throttle::{Source, Throttle};
use crate::upstream::RelyingParty;
use crate::x509::Reading;

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
    /// Notifies apps that a session ended.
    pub notifier: Arc<Notifier>,
    /// Attempts to enter by the break-glass account.
    pub break_glass: Arc<Attempts>,
    /// Limits on unauthenticated requests.
    pub throttle: Arc<Throttle>,
    /// Requests to providers about one person, by refresh token.
    pub refreshes: Arc<Refreshes>,
    /// Duplicate callbacks and forms of pages.
    pub doubles: Arc<Doubles<Outcome>>,
    /// Duplicate sign-out requests.
    pub logout_doubles: Arc<Doubles<logout::Outcome>>,
    /// Counts of what happened.
    pub activity: Arc<Activity>,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// Sends traces.
    pub telemetry: Arc<SpanExporter>,
    /// The outcome of the last reload.
    pub reload_status: Arc<ReloadStatus>,
    /// The history of the configuration.
    pub history: Arc<History>,
    /// Where the configuration is read from, for drafts of changes; none where it is in no files.
    pub sources: Option<Arc<Sources>>,
    /// A configuration that is evaluated without effect (`serve --shadow`).
    pub shadow: Option<Arc<Shadow>>,
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
    pub trace_id: TraceId,
    /// Where the request came from, as limits count it.
    pub source: Source,
    /// The address that it came from; `None` for a peer without one.
    pub address: Option<IpAddr>,
    /// The beginning of what its browser says of itself, for the session that it may begin.
    pub user_agent: Option<String>,
    /// The certificate of the client that sent it, as a trusted proxy forwarded it.
    pub client_certificate: Reading,
}

impl RequestContext<'_> {
    /// The store.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        self.services.store.as_ref()
    }

    /// What later requests of the same sign-in go on with in logs and traces.
    #[must_use]
    pub fn trace(&self) -> TraceContext {
        self.trace_id.context()
    }

    /// The request goes on with an earlier one: logs show its trace id from now on.
    pub fn go_on(&self, earlier: Option<&TraceContext>) {
        self.trace_id.go_on(earlier);
    }

    /// Whether this request may leave another line in the log. Asked for each line that a stranger can cause.
    #[must_use]
    pub fn may_log(&self) -> bool {
        self.services.throttle.may_log(self.source)
    }

    /// How many sign-ins, pages and pushed requests may wait at once.
    #[must_use]
    pub fn pending_bound(&self) -> PendingBound {
        PendingBound::of(self.snapshot.resolved.limits.pending_sign_ins)
    }

    /// The origin at which the browser reached the broker: the issuer's, or that of the proxy that forwards certificates.
    #[must_use]
    pub fn origin(&self) -> &str {
        let snapshot = self.snapshot;
        let forwarding = snapshot.resolved.certificates.as_ref().and_then(|section| section.origin.as_deref());
        match self.client_certificate {
            Reading::NotRead => &snapshot.issuer.origin,
            _ => forwarding.unwrap_or(&snapshot.issuer.origin),
        }
    }

    /// The URL of an endpoint at the proxy that forwards certificates, where the request came through it (RFC 8705 §5). `url`
    /// is the endpoint's own.
    #[must_use]
    pub fn alias_of(&self, url: &str) -> Option<String> {
        let (own, here) = (self.snapshot.issuer.origin.as_str(), self.origin());
        let path = url.strip_prefix(own).filter(|_| here != own)?;
        Some(format!("{here}{path}"))
    }

    /// Whether the break-glass account may be used from where the request came from, and enter this client, or a page of the
    /// broker's own.
    #[must_use]
    pub fn break_glass_enters(&self, client: &Client) -> bool {
        let account = self.snapshot.resolved.break_glass.as_ref();
        account.is_some_and(|account| account.usable_from(self.address)) && self.snapshot.accepts(client, BREAK_GLASS)
    }

    /// Randomness.
    #[must_use]
    pub fn random(&self) -> &dyn Random {
        self.services.random.as_ref()
    }
}
