//! The composition root: builds the parts and the routers. It is the only place that knows all parts.

use std::collections::BTreeSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;

use crate::admin::{self, Admin};
use crate::audit::{Event, Kind};
use crate::config::language::Config;
use crate::env::{Clock, Random, host_name};
use crate::keys::{Keys, KeysError};
use crate::metrics::Metrics;
use crate::op::Services;
use crate::op::activity::Activity;
use crate::op::client::remote::AppKeys;
use crate::op::export::Exporter;
use crate::op::logout::backchannel;
use crate::op::logout::delivery::Notifier;
use crate::op::sources::Sources;
use crate::outbound::HttpClient;
use crate::snapshot::Snapshot;
use crate::snapshot::history::History;
use crate::snapshot::reload::{Generations, ReloadStatus, Reloader, Watched};
use crate::snapshot::shadow::Shadow;
use crate::snapshot::told;
use crate::store::Store;
use crate::telemetry::SpanExporter;
use crate::throttle::Throttle;
use crate::upstream::RelyingParty;
use crate::web::listener::Connections;
use crate::web::{Edge, Entrance, serve};

/// How many rows of each kind one sweep deletes.
const SWEEP_BATCH: u32 = 500;

/// What a broker is built from.
pub struct Parts {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The client for calls to providers and apps.
    pub http: Arc<dyn HttpClient>,
    /// A shadow configuration, which is evaluated for sign-ins without effect.
    pub shadow: Option<Arc<Shadow>>,
    /// Where the configuration is read from, for drafts of changes; none where it is in no files.
    pub sources: Option<Sources>,
}

/// Why the broker can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Signing keys can't be read or made.
    #[error(transparent)]
    Keys(#[from] KeysError),
}

/// A broker, ready to serve.
pub struct App {
    edge: Arc<Edge>,
    snapshot: Arc<ArcSwap<Snapshot>>,
    reload_status: Arc<ReloadStatus>,
    connections: Arc<Connections>,
}

impl App {
    /// Builds a broker, and makes the signing keys if there are none.
    ///
    /// # Errors
    /// When the signing keys can't be read or made.
    pub async fn new(parts: Parts, snapshot: Snapshot) -> Result<Self, StartError> {
        let Parts { clock, random, store, http, shadow, sources } = parts;
        let keys = Arc::new(Keys::open(Arc::clone(&store), &snapshot.key_policy(), clock.now()).await?);
        let notifier = Notifier::new(
            Arc::clone(&http),
            Arc::clone(&keys),
            Arc::clone(&store),
            Arc::clone(&clock),
            Arc::clone(&random),
        );
        let app_keys = Arc::new(AppKeys::new(Arc::clone(&http)));
        let throttle = Arc::new(Throttle::new(Arc::clone(&clock), &snapshot.resolved.limits));
        let connections = Connections::public(&snapshot.resolved.limits);
        let history = History::new(Arc::clone(&store), Arc::clone(&random), host_name(), clock.now());
        history.applied(None, &snapshot, clock.now()).await;
        let reload_status: Arc<ReloadStatus> = Arc::default();
        let metrics: Arc<Metrics> = Arc::default();
        metrics.know(snapshot.clients.keys(), snapshot.providers.keys());
        count_sessions(&*store, &metrics, clock.now()).await;
        let services = Services {
            clock,
            app_keys,
            upstreams: Arc::new(
                RelyingParty::new(Arc::clone(&http), Arc::clone(&random)).measured_by(Arc::clone(&metrics)),
            ),
            random,
            store,
            keys,
            notifier: Arc::new(notifier),
            doubles: Arc::default(),
            logout_doubles: Arc::default(),
            refreshes: Arc::default(),
            break_glass: Arc::default(),
            throttle,
            activity: Arc::new(Activity::of(Arc::clone(&metrics))),
            metrics,
            telemetry: Arc::new(SpanExporter::new(Arc::clone(&http))),
            reload_status: Arc::clone(&reload_status),
            history: Arc::new(history),
            shadow,
            sources: sources.map(Arc::new),
        };
        let snapshot = Arc::new(ArcSwap::from_pointee(snapshot));
        let edge = Edge { services, snapshot: Arc::clone(&snapshot), unattended: Arc::default() };
        Ok(Self { edge: Arc::new(edge), snapshot, reload_status, connections })
    }

    /// The public listener's router.
    pub fn router(&self) -> axum::Router {
        serve(Arc::clone(&self.edge), Entrance::Public)
    }

    /// The router of the listeners for client certificates (`certificates.listen`).
    pub fn certificates_router(&self) -> axum::Router {
        serve(Arc::clone(&self.edge), Entrance::Certificates)
    }

    /// The admin listener's router.
    pub fn admin_router(&self) -> axum::Router {
        admin::router(Arc::new(Admin {
            services: self.edge.services.clone(),
            snapshot: Arc::clone(&self.snapshot),
            reload_status: Arc::clone(&self.reload_status),
            connections: Arc::clone(&self.connections),
        }))
    }

    /// The connections of the public listeners, which are counted together.
    #[must_use]
    pub fn connections(&self) -> &Arc<Connections> {
        &self.connections
    }

    /// What reloads this broker when its files change.
    #[must_use]
    pub fn reloader(self: &Arc<Self>, watched: Watched) -> Reloader {
        let clock = Arc::clone(&self.services().clock);
        Reloader::new(Arc::clone(self) as _, clock, Arc::clone(&self.reload_status), watched)
    }

    /// The configuration generation in force.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<ArcSwap<Snapshot>> {
        &self.snapshot
    }

    /// The outcome of the last reload.
    #[must_use]
    pub fn reload_status(&self) -> &Arc<ReloadStatus> {
        &self.reload_status
    }

    /// The services.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.edge.services
    }

    /// Applies a generation: makes its keys first, then all new requests see it.
    ///
    /// # Errors
    /// When one of its keys can't be made; the old generation then stays in force.
    pub async fn apply(&self, snapshot: Snapshot) -> Result<(), KeysError> {
        let services = self.services();
        services.keys.ensure(&snapshot.key_policy(), services.clock.now()).await?;
        services.upstreams.retain(snapshot.providers.values());
        services.app_keys.retain(snapshot.clients.values());
        services.throttle.apply(&snapshot.resolved.limits);
        self.connections.apply(&snapshot.resolved.limits);
        services.metrics.know(snapshot.clients.keys(), snapshot.providers.keys());
        let before = self.snapshot.swap(Arc::new(snapshot));
        let (serving, now) = (self.snapshot.load_full(), services.clock.now());
        self.record(reload_events(&before, &serving, now)).await;
        services.history.applied(Some(&before), &serving, now).await;
        Ok(())
    }

    /// Records what happened without a request.
    async fn record(&self, events: Vec<Event>) {
        let services = self.services();
        for event in &events {
            event.log();
            services.activity.count(event);
        }
        if let Err(error) = services.store.record(events).await {
            tracing::error!(event = "audit_failed", %error, "an event is only in the log");
        }
    }

    /// Writes audit events that are recorded to the outputs that `[audit]` declares.
    pub async fn export_events(&self) {
        let services = self.services();
        let exporter = Exporter::new(Arc::clone(&services.store), Arc::clone(&services.activity));
        exporter.catch_up(&self.snapshot.load_full().config.audit).await;
    }

    /// Sends the logout tokens that no process is sending, such as those of a process that ended before it had sent them.
    pub async fn tell_apps(&self) {
        backchannel::deliver_left(self.services(), &self.snapshot.load_full()).await;
    }

    /// Returns when nothing is under way apart from the requests that clients wait for: every logout token was delivered, or is
    /// given up.
    pub async fn idle(&self) {
        self.edge.unattended.finished().await;
        self.services().notifier.idle().await;
    }

    /// Leaves to other processes on the store what this one holds: logout tokens that are not sent, and leases.
    pub async fn hand_over(&self) {
        self.services().notifier.hand_over().await;
        if let Err(error) = self.services().store.give_back_leases().await {
            tracing::warn!(%error, "the leases of this process can't be given back; they expire in a minute");
        }
    }

    /// Sends the spans that wait to the collector that `[telemetry]` names.
    pub async fn export_spans(&self) {
        let settings = self.snapshot.load().telemetry.clone();
        if let Some(settings) = settings {
            self.services().telemetry.export(&settings).await;
        }
    }

    /// Probes the providers whose last call failed, so that status and metrics show a recovery.
    async fn look_after_providers(&self, now: i64) {
        let snapshot = self.snapshot.load_full();
        let mut probes = tokio::task::JoinSet::new();
        for settings in snapshot.providers.values() {
            let upstreams = Arc::clone(&self.services().upstreams);
            if upstreams.health(settings).healthy() == Some(false) {
                let settings = settings.clone();
                probes.spawn(async move { upstreams.probe(&settings, now).await });
            }
        }
        while probes.join_next().await.is_some() {}
    }

    /// Rotates the signing keys that are due, and records it.
    async fn look_after_keys(&self, now: i64) {
        let services = self.services();
        let snapshot = self.snapshot.load_full();
        let before = services.keys.set().signing();
        if let Err(error) = services.keys.ensure(&snapshot.key_policy(), now).await {
            tracing::error!(%error, "signing keys can't be rotated");
        }
        let after = services.keys.set().signing();
        if before != after {
            let event = Event::new(Kind::KeysRotated, now, snapshot.resolved.audit.identify);
            self.record(vec![event.detail(after.join(", "))]).await;
        }
    }

    /// Adopts the signing keys that another process on the store has rotated or revoked. A key that it has published is then
    /// known here long before it signs, and one that it has revoked is refused here too.
    pub async fn follow_keys(&self) {
        let services = self.services();
        let policy = self.snapshot.load().key_policy();
        if let Err(error) = services.keys.adopt(&policy, services.clock.now()).await {
            tracing::debug!(%error, "the signing keys can't be read; this will be tried again in a second");
        }
    }

    /// One round of housekeeping: rotates keys that are due, probes failed providers and removes expired rows.
    pub async fn housekeeping(&self) {
        let services = self.services();
        let now = services.clock.now();
        self.look_after_keys(now).await;
        self.look_after_providers(now).await;
        services.history.seen(&self.snapshot.load_full(), now).await;
        count_sessions(&*services.store, &services.metrics, now).await;
        let cutoff = now - self.snapshot.load().resolved.audit.retention;
        while services.store.forget_events(cutoff, now, SWEEP_BATCH).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "audit events can't be removed; this will be tried again later");
            false
        }) {}
        loop {
            match services.store.sweep(now, SWEEP_BATCH).await {
                Ok(true) => tokio::task::yield_now().await,
                Ok(false) => return,
                Err(error) => {
                    tracing::warn!(%error, "expired rows can't be removed; this will be tried again later");
                    return;
                }
            }
        }
    }
}

#[async_trait]
impl Generations for App {
    fn serving(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    async fn apply(&self, snapshot: Snapshot) -> Result<(), String> {
        Self::apply(self, snapshot).await.map_err(|error| error.to_string())
    }

    async fn refused(&self, problems: &str) {
        let serving = self.snapshot.load_full();
        let event = Event::new(Kind::ReloadFailed, self.services().clock.now(), serving.resolved.audit.identify);
        let event = Event { generation: Some(serving.generation), ..event.detail(problems) };
        self.record(vec![event]).await;
        let services = self.services();
        services.history.refused(&serving, problems, services.clock.now()).await;
    }
}

/// What is recorded of a reload: that it happened, with what changed, and each role that changed.
fn reload_events(before: &Snapshot, after: &Snapshot, now: i64) -> Vec<Event> {
    let (old, new) = (&before.config, &after.config);
    let changes = told::changes(before, after);
    let identify = after.resolved.audit.identify;
    let event = Event::new(Kind::Reload, now, identify).detail(format!("hash {}; {changes}", after.hash));
    let reload = Event { generation: Some(after.generation), ..event };
    let names: BTreeSet<&String> = old.roles.keys().chain(new.roles.keys()).collect();
    let shown = |config: &Config, name: &String| config.roles.get(name).map(|role| format!("{role:?}"));
    let changed = names.into_iter().filter(|name| shown(old, name) != shown(new, name));
    let roles: Vec<Event> = changed.map(|name| reload.and(Kind::RoleChanged).role(name)).collect();
    std::iter::once(reload).chain(roles).collect()
}

/// Counts the sessions for the metrics. A count that fails leaves the last one.
async fn count_sessions(store: &dyn Store, metrics: &Metrics, now: i64) {
    match store.count_sessions(now).await {
        Ok(active) => metrics.sessions(active),
        Err(error) => tracing::warn!(%error, "the sessions can't be counted; this will be tried again later"),
    }
}
