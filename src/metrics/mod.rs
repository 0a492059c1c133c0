//! What is measured, in memory, for `/metrics`.
//!
//! [`catalogue`] lists every metric, [`exposition`] writes one scrape. [`Metrics`] holds what is recorded as things happen; a
//! recording is an atomic addition, after a lookup where labels come from the file. Other figures are read at the scrape.
//!
//! Labels are bounded: code names most of them, and clients and providers are those of the generation in force. Others count as
//! `other`, and so do further combinations once there are [`MOST`] of them, so that a scrape stays small.

pub mod catalogue;
pub mod exposition;
mod store;

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

use crate::audit::{Action, Event, Kind, Pattern};
use crate::protocol::paths::Endpoint;
use catalogue::{Description, Labels, labels};
use exposition::Exposition;
pub use store::StoreFigures;

/// The most series of one metric with clients among its labels.
pub const MOST: usize = 5_000;
/// The label of a name that the file does not have, and of a client that there is no room for.
pub const OTHER: &str = "other";
/// What public listeners serve besides the protocol's endpoints.
const PLACES: &[&str] = &[
    "discovery",
    "rp_jwks",
    "callback",
    "logout_callback",
    "backchannel_logout",
    "frontchannel_logout",
    "signals",
    "break_glass",
    "page",
    "account",
    "console",
    "static",
    OTHER,
];
/// Upper bounds of the buckets for requests, in seconds.
const REQUEST_BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
/// Those for calls to providers.
const UPSTREAM_BUCKETS: [f64; 7] = [0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// What one endpoint records.
#[derive(Debug)]
struct Place {
    seconds: Histogram,
    responses: [Counter; 5],
}

/// The clients and providers of the generation in force.
#[derive(Debug, Default)]
struct Known {
    clients: HashSet<String>,
    providers: HashSet<String>,
}

/// What is recorded as things happen.
#[derive(Debug)]
pub struct Metrics {
    known: RwLock<Arc<Known>>,
    sign_ins: ByClient,
    tokens: ByClient,
    events: Family<Labels, Counter>,
    suspicious: Family<Labels, Counter>,
    reloads: Family<Labels, Counter>,
    sessions: Gauge,
    requests: Family<Labels, Histogram, fn() -> Histogram>,
    responses: Family<Labels, Counter>,
    places: BTreeMap<&'static str, Place>,
    upstream: Family<Labels, Histogram, fn() -> Histogram>,
    upstream_failures: Family<Labels, Counter>,
    jwks: Family<Labels, Counter>,
    signals: Family<Labels, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        let requests = Family::new_with_constructor((|| Histogram::new(REQUEST_BUCKETS)) as fn() -> Histogram);
        let responses = Family::<Labels, Counter>::default();
        let names = Endpoint::ALL.into_iter().filter(|endpoint| endpoint.is_served()).map(Endpoint::key);
        let place = |name: &'static str| {
            let responses = CLASSES.map(|class| {
                let labels = labels(&catalogue::RESPONSES, [name.to_owned(), class.to_owned()]);
                responses.get_or_create_owned(&labels)
            });
            let seconds = requests.get_or_create_owned(&labels(&catalogue::REQUEST_SECONDS, [name.to_owned()]));
            (name, Place { seconds, responses })
        };
        let places = names.chain(PLACES.iter().copied()).map(place).collect();
        let metrics = Self {
            known: RwLock::default(),
            sign_ins: ByClient::default(),
            tokens: ByClient::default(),
            events: Family::default(),
            suspicious: Family::default(),
            reloads: Family::default(),
            sessions: Gauge::default(),
            requests,
            responses,
            places,
            upstream: Family::new_with_constructor((|| Histogram::new(UPSTREAM_BUCKETS)) as fn() -> Histogram),
            upstream_failures: Family::default(),
            jwks: Family::default(),
            signals: Family::default(),
        };
        metrics.begin_at_zero();
        metrics
    }
}

impl Metrics {
    /// Series that alerts watch exist from the start: an increase from nothing to 1 would not be seen.
    fn begin_at_zero(&self) {
        for pattern in Pattern::ALL {
            drop(self.suspicious.get_or_create(&labels(&catalogue::SUSPICIOUS, [pattern.name().to_owned()])));
        }
        for outcome in ["applied", "refused"] {
            drop(self.reloads.get_or_create(&labels(&catalogue::CONFIG_RELOADS, [outcome.to_owned()])));
        }
    }

    /// Another generation is in force, with these clients and providers.
    pub fn know<'n>(
        &self,
        clients: impl IntoIterator<Item = &'n String>,
        providers: impl IntoIterator<Item = &'n String>,
    ) {
        let known = Known {
            clients: clients.into_iter().cloned().collect(),
            providers: providers.into_iter().cloned().collect(),
        };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts an event of the audit trail.
    pub fn event(&self, event: &Event) {
        let detail = event.action.map(Action::name).or(event.pattern.map(Pattern::name)).unwrap_or_default();
        count(&self.events, &catalogue::EVENTS, [event.kind.name().to_owned(), detail.to_owned()]);
        match event.kind {
            Kind::SignIn => self.sign_in(event, "success"),
            Kind::Refusal => self.sign_in(event, "refused"),
            Kind::UpstreamFailure => self.sign_in(event, "failed"),
            Kind::TokenIssued => self.tokens(event, "first"),
            Kind::TokenRefreshed => self.tokens(event, "refresh"),
            Kind::Suspicious => count(&self.suspicious, &catalogue::SUSPICIOUS, [detail.to_owned()]),
            Kind::Reload => count(&self.reloads, &catalogue::CONFIG_RELOADS, ["applied".to_owned()]),
            Kind::ReloadFailed => count(&self.reloads, &catalogue::CONFIG_RELOADS, ["refused".to_owned()]),
            _ => {}
        }
    }

    fn sign_in(&self, event: &Event, outcome: &str) {
        let known = self.known();
        let provider = bounded(event.provider.as_deref(), &known.providers);
        let client = bounded(event.client.as_deref(), &known.clients);
        let reason = event.reason.as_deref().unwrap_or_default().to_owned();
        let make = |client: String| {
            labels(&catalogue::SIGN_INS, [provider.clone(), client, outcome.to_owned(), reason.clone()])
        };
        self.sign_ins.count(make, client);
    }

    fn tokens(&self, event: &Event, grant: &str) {
        let client = bounded(event.client.as_deref(), &self.known().clients);
        let make = |client: String| labels(&catalogue::TOKENS_ISSUED, [client, grant.to_owned()]);
        self.tokens.count(make, client);
    }

    /// Records an answer of a public listener.
    pub fn request(&self, place: &str, status: u16, seconds: f64) {
        let Some(place) = self.places.get(place).or_else(|| self.places.get(OTHER)) else { return };
        place.seconds.observe(seconds);
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(responses) = place.responses.get(class) {
            responses.inc();
        }
    }

    /// Records a call to a provider.
    pub fn upstream_call(&self, provider: &str, document: &str, seconds: f64) {
        let labels = labels(&catalogue::UPSTREAM_SECONDS, [provider.to_owned(), document.to_owned()]);
        self.upstream.get_or_create(&labels).observe(seconds);
    }

    /// Counts a call to a provider that had no usable answer.
    pub fn upstream_failure(&self, provider: &str, document: &str) {
        count(&self.upstream_failures, &catalogue::UPSTREAM_FAILURES, [provider.to_owned(), document.to_owned()]);
    }

    /// Counts a fetch of a provider's key set.
    pub fn jwks_refresh(&self, provider: &str) {
        count(&self.jwks, &catalogue::JWKS_REFRESHES, [provider.to_owned()]);
    }

    /// Counts a security event of a provider.
    pub fn signal(&self, provider: &str, event: &str, outcome: &str) {
        count(&self.signals, &catalogue::SIGNALS, [provider.to_owned(), event.to_owned(), outcome.to_owned()]);
    }

    /// Sets the number of sessions.
    pub fn sessions(&self, active: u64) {
        self.sessions.set(i64::try_from(active).unwrap_or(i64::MAX));
    }

    /// The number of sessions, as last set.
    #[must_use]
    pub fn active_sessions(&self) -> i64 {
        self.sessions.get()
    }

    /// Adds everything that was recorded.
    pub fn expose(&self, exposition: &mut Exposition) {
        exposition.add(&catalogue::SIGN_INS, self.sign_ins.family.clone());
        exposition.add(&catalogue::TOKENS_ISSUED, self.tokens.family.clone());
        exposition.add(&catalogue::SESSIONS, self.sessions.clone());
        exposition.add(&catalogue::EVENTS, self.events.clone());
        exposition.add(&catalogue::SUSPICIOUS, self.suspicious.clone());
        exposition.add(&catalogue::REQUEST_SECONDS, self.requests.clone());
        exposition.add(&catalogue::RESPONSES, self.responses.clone());
        exposition.add(&catalogue::UPSTREAM_SECONDS, self.upstream.clone());
        exposition.add(&catalogue::UPSTREAM_FAILURES, self.upstream_failures.clone());
        exposition.add(&catalogue::JWKS_REFRESHES, self.jwks.clone());
        exposition.add(&catalogue::SIGNALS, self.signals.clone());
        exposition.add(&catalogue::CONFIG_RELOADS, self.reloads.clone());
    }
}

fn count<const N: usize>(family: &Family<Labels, Counter>, metric: &Description, values: [String; N]) {
    family.get_or_create(&labels(metric, values)).inc();
}

/// Counts with a client among the labels, as long as there is room for its series.
#[derive(Debug, Default)]
struct ByClient {
    family: Family<Labels, Counter>,
    /// How many series were asked for; there are not more of them.
    series: AtomicUsize,
}

impl ByClient {
    fn count(&self, make: impl Fn(String) -> Labels, client: String) {
        let wanted = make(client);
        if let Some(counter) = self.family.get(&wanted) {
            counter.inc();
            return;
        }
        let room = self.series.fetch_add(1, Ordering::Relaxed) < MOST;
        self.family.get_or_create(&if room { wanted } else { make(OTHER.to_owned()) }).inc();
    }
}

/// A name of the file; one that the file does not have counts as [`OTHER`], and the lack of one as an empty label.
fn bounded(name: Option<&str>, known: &HashSet<String>) -> String {
    match name {
        None | Some("") => String::new(),
        Some(name) if known.contains(name) => name.to_owned(),
        Some(_) => OTHER.to_owned(),
    }
}

#[cfg(test)]
mod tests;
