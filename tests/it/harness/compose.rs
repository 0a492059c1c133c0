//! The only file of the tests that depends on how the product is composed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use countersign::app::{App, Parts};
use countersign::config::load::Inputs;
use countersign::config::load::files::{Disk, Memory};
use countersign::config::resolved::Limits;
use countersign::env::{Clock as _, ManualClock, SystemRandomness};
use countersign::keys::Keys;
use countersign::op::sources::Sources;
use countersign::snapshot::Snapshot;
use countersign::snapshot::generation::{Options, Prepared, prepare};
use countersign::snapshot::reload::{Reloader, Watched, from_disk};
use countersign::store::Store;
use countersign::store::model::SigningKey;
use countersign::store::sqlite::{Location, SqliteStore};
use countersign::web::listener::{Connections, acceptor};
use tokio::sync::OnceCell;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use super::{START, certificates};
use crate::support::provider::Net;

/// A running broker.
pub(crate) struct Broker {
    app: Arc<App>,
    pub(crate) store: Arc<dyn Store>,
}

impl Broker {
    /// A broker with an empty store.
    pub(crate) async fn start(toml: &str, overlays: &[&str], clock: &Arc<ManualClock>, net: &Arc<Net>) -> Self {
        Self::start_on(new_store(), toml, overlays, clock, net).await
    }

    /// A broker with an empty store in a file.
    pub(crate) async fn start_in(store: &Path, toml: &str, clock: &Arc<ManualClock>, net: &Arc<Net>) -> Self {
        let location = Location::File(store.to_path_buf());
        let store = SqliteStore::open(&location, &[], Arc::new(SystemRandomness::default())).unwrap();
        Self::start_on(Arc::new(store), toml, &[], clock, net).await
    }

    /// A broker with a store that has its signing keys already.
    pub(crate) async fn over(store: Arc<dyn Store>, toml: &str, clock: &Arc<ManualClock>, net: &Arc<Net>) -> Self {
        Self::on(store, snapshot(toml, &[], 1), sources(toml, &[]), clock, net).await
    }

    async fn start_on(
        store: Arc<dyn Store>,
        toml: &str,
        overlays: &[&str],
        clock: &Arc<ManualClock>,
        net: &Arc<Net>,
    ) -> Self {
        let snapshot = snapshot(toml, overlays, 1);
        let keys = shared_keys(&snapshot, clock).await;
        assert!(store.replace_signing_keys(Vec::new(), keys).await.unwrap());
        Self::on(store, snapshot, sources(toml, overlays), clock, net).await
    }

    /// Another process on the same store.
    pub(crate) async fn again(&self, toml: &str, overlays: &[&str], clock: &Arc<ManualClock>, net: &Arc<Net>) -> Self {
        Self::on(Arc::clone(&self.store), snapshot(toml, overlays, 1), sources(toml, overlays), clock, net).await
    }

    /// A broker whose configuration file is on disk.
    pub(crate) async fn on_disk(main: &Path, clock: &Arc<ManualClock>, net: &Arc<Net>) -> Self {
        let store = new_store();
        let snapshot = accepted(prepared_from(main, false, clock.now()));
        let keys = shared_keys(&snapshot, clock).await;
        assert!(store.replace_signing_keys(Vec::new(), keys).await.unwrap());
        Self::on(store, snapshot, None, clock, net).await
    }

    async fn on(
        store: Arc<dyn Store>,
        snapshot: Snapshot,
        sources: Option<Sources>,
        clock: &Arc<ManualClock>,
        net: &Arc<Net>,
    ) -> Self {
        let parts = Parts {
            clock: Arc::clone(clock) as _,
            random: Arc::new(SystemRandomness::default()),
            store: Arc::clone(&store),
            http: Arc::clone(net) as _,
            shadow: None,
            sources,
        };
        Self { app: Arc::new(App::new(parts, snapshot).await.unwrap()), store }
    }

    /// Replaces the configuration, like a reload.
    pub(crate) async fn reload(&self, toml: &str, overlays: &[&str]) {
        let number = self.app.snapshot().load().generation + 1;
        self.app.apply(snapshot(toml, overlays, number)).await.unwrap();
    }

    /// The reloader for this broker and a file on disk.
    pub(crate) fn reloader(&self, main: &Path) -> Reloader {
        let inputs = Inputs { main: main.to_owned(), ..Inputs::default() };
        let Prepared { fingerprint, involved, .. } = prepared_from(main, false, START);
        self.app.reloader(Watched { inputs, fingerprint, involved, prepare: from_disk() })
    }

    /// Whether the files on disk have problems, so that an earlier generation remains active.
    pub(crate) fn reload_failed(&self) -> bool {
        self.app.reload_status().failed()
    }

    /// Whether the admin listener reports that the broker is ready, and the reason if it is not.
    pub(crate) async fn ready(&self) -> (u16, String) {
        let request = Request::get("/readyz").body(Body::empty()).unwrap();
        let response = self.app.admin_router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// The admin listener's router.
    pub(crate) fn admin_router(&self) -> axum::Router {
        self.app.admin_router()
    }

    /// The `/status` of the admin listener.
    pub(crate) async fn status(&self) -> String {
        let request = Request::get("/status").body(Body::empty()).unwrap();
        let response = self.app.admin_router().oneshot(request).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// The response of the admin listener to `/metrics`.
    pub(crate) async fn metrics(&self) -> String {
        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        let response = self.app.admin_router().oneshot(request).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// The status of a path of the admin listener, for a request with this token.
    pub(crate) async fn ask_admin(&self, path: &str, token: &str) -> u16 {
        let request = Request::get(path).header("authorization", format!("Bearer {token}"));
        let response = self.app.admin_router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        response.status().as_u16()
    }

    /// The connections of the public listeners.
    pub(crate) fn connections(&self) -> &Arc<Connections> {
        self.app.connections()
    }

    /// The limits in effect.
    pub(crate) fn limits(&self) -> Limits {
        self.app.snapshot().load().resolved.limits
    }

    /// The public listener's router.
    pub(crate) fn router(&self) -> axum::Router {
        self.app.router()
    }

    /// The router of the listeners for client certificates.
    pub(crate) fn certificates_router(&self) -> axum::Router {
        self.app.certificates_router()
    }

    /// The acceptor of TLS listeners.
    pub(crate) fn tls(&self) -> TlsAcceptor {
        acceptor(Arc::clone(self.app.snapshot())).unwrap()
    }

    /// Sends the spans that wait.
    pub(crate) async fn export_spans(&self) {
        self.app.export_spans().await;
    }

    /// One round of housekeeping.
    pub(crate) async fn export_events(&self) {
        self.app.export_events().await;
    }

    /// One round of housekeeping.
    pub(crate) async fn housekeeping(&self) {
        self.app.housekeeping().await;
    }

    /// Takes up what other processes left to be sent to apps.
    pub(crate) async fn tell_apps(&self) {
        self.app.tell_apps().await;
    }

    /// Waits until every logout token has been delivered or abandoned.
    pub(crate) async fn apps_are_told(&self) {
        self.app.services().notifier.idle().await;
    }

    /// Stops as at the end of the grace period.
    pub(crate) async fn hand_over(&self) {
        self.app.hand_over().await;
    }

    /// How many passwords were hashed at the break-glass page.
    pub(crate) fn passwords_hashed(&self) -> u64 {
        self.app.services().break_glass.figures().hashed
    }

    /// The issuer's origin.
    pub(crate) fn origin(&self) -> String {
        self.app.snapshot().load().issuer.origin.clone()
    }
}

fn new_store() -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(&Location::Memory, &[], Arc::new(SystemRandomness::default())).unwrap())
}

/// A configuration and its overlays in memory.
fn read_from(toml: &str, overlays: &[&str]) -> (Inputs, Memory) {
    let names: Vec<String> = (0..overlays.len()).map(|n| format!("overlay-{n}.toml")).collect();
    let named = names.iter().map(String::as_str).zip(overlays.iter().copied());
    let ca = certificates::ca().pem.as_str();
    let own = certificates::brokers_own();
    let key = own.key_pem();
    let files = [
        ("broker.toml", toml),
        ("clients-ca.pem", ca),
        ("broker-client.pem", own.pem.as_str()),
        ("broker-client.key", key.as_str()),
    ];
    let files = Memory::of(named.chain(files));
    let inputs = Inputs {
        main: PathBuf::from("broker.toml"),
        overlays: names.iter().map(PathBuf::from).collect(),
        ..Inputs::default()
    };
    (inputs, files)
}

fn sources(toml: &str, overlays: &[&str]) -> Option<Sources> {
    let (inputs, files) = read_from(toml, overlays);
    Some(Sources::new(inputs, Arc::new(files)))
}

/// Prepares a configuration, from reading it to the compiled generation.
pub(crate) fn prepared(toml: &str, overlays: &[&str], number: u64) -> Prepared {
    let (inputs, files) = read_from(toml, overlays);
    prepare(&inputs, &files, Options { number, without_secrets: false, now: START }).unwrap()
}

/// Prepares a configuration that is on disk.
pub(crate) fn prepared_from(main: &Path, without_secrets: bool, now: i64) -> Prepared {
    let inputs = Inputs { main: main.to_owned(), ..Inputs::default() };
    prepare(&inputs, &Disk, Options { number: 1, without_secrets, now }).unwrap()
}

fn snapshot(toml: &str, overlays: &[&str], number: u64) -> Snapshot {
    accepted(prepared(toml, overlays, number))
}

fn accepted(prepared: Prepared) -> Snapshot {
    let Prepared { problems, layers, snapshot, .. } = prepared;
    snapshot.unwrap_or_else(|| panic!("the configuration has problems:\n{}", problems.render(&layers, false)))
}

/// Signing keys, which are created once per process because creating an RSA key is slow.
async fn shared_keys(snapshot: &Snapshot, clock: &Arc<ManualClock>) -> Vec<SigningKey> {
    static KEYS: OnceCell<Vec<SigningKey>> = OnceCell::const_new();
    let make = || async {
        let store = new_store();
        Keys::open(Arc::clone(&store), &snapshot.key_policy(), clock.now()).await.unwrap();
        store.signing_keys().await.unwrap()
    };
    KEYS.get_or_init(make).await.clone()
}
