//! `countersign dev`: a broker in memory, a simulated provider and a demo app, all in one process and on loopback.

pub mod demo;
pub mod idp;
pub mod personas;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;

use crate::app::{App, Parts};
use crate::config::load::Inputs;
use crate::config::load::files::Memory;
use crate::env::{Clock, Random, SystemClock, SystemRandomness};
use crate::keys::Keys;
use crate::outbound::GuardedClient;
use crate::pages::Pages;
use crate::snapshot::generation::{Options, prepare};
use crate::store::Store;
use crate::store::sqlite::{Location, SqliteStore};

/// The configuration, with placeholders for addresses.
const BROKER_TOML: &str = include_str!("broker.toml");
/// Ports that are tried first, so that the links stay the same from run to run.
const PORTS: [u16; 3] = [8080, 8081, 8082];

/// A running broker, provider and demo app.
pub struct World {
    /// The broker's issuer.
    pub broker: String,
    /// The simulated provider's issuer.
    pub idp: String,
    /// The demo app.
    pub app: String,
    /// The state of the demo app.
    pub demo: Arc<demo::Demo>,
    servers: tokio::task::JoinSet<std::io::Result<()>>,
}

impl World {
    /// Serves until the process is interrupted.
    pub async fn serve(mut self) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = self.servers.join_next() => {}
        }
    }
}

async fn listener(port: u16) -> Result<(TcpListener, String), String> {
    let listener = match TcpListener::bind(("127.0.0.1", port)).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| format!("no port is free: {error}"))?,
    };
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    Ok((listener, format!("http://localhost:{port}")))
}

/// Starts the broker, the provider and the app. `fixed` tries the usual ports first.
///
/// # Errors
/// When a part can't start; the text says which and why.
pub async fn start(fixed: bool) -> Result<World, String> {
    let [broker_port, idp_port, app_port] = if fixed { PORTS } else { [0; 3] };
    let (broker_listener, broker) = listener(broker_port).await?;
    let (idp_listener, idp_issuer) = listener(idp_port).await?;
    let (app_listener, app_url) = listener(app_port).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
    let secret = random.secret().map_err(|error| error.to_string())?;
    let snapshot = snapshot(&broker, &idp_issuer, &app_url, &secret, clock.now())?;
    let http = Arc::new(GuardedClient::default());
    let parts = Parts {
        clock: Arc::clone(&clock),
        random: Arc::clone(&random),
        store: memory(&random)?,
        http: Arc::clone(&http) as _,
        shadow: None,
        sources: None,
    };
    let policy = snapshot.key_policy();
    let app = Arc::new(App::new(parts, snapshot).await.map_err(|error| error.to_string())?);
    let keys = Keys::open(memory(&random)?, &policy, clock.now()).await.map_err(|error| error.to_string())?;
    let pages = || Pages::new("").map_err(|error| error.to_string());
    let idp = Arc::new(idp::Idp {
        issuer: idp_issuer.clone(),
        app: app_url.clone(),
        client_secret: secret.clone(),
        keys,
        clock,
        random: Arc::clone(&random),
        pages: pages()?,
        issued: Mutex::default(),
    });
    let demo = Arc::new(demo::Demo {
        url: app_url.clone(),
        issuer: broker.clone(),
        idp: idp_issuer.clone(),
        client_secret: secret,
        http: http as _,
        random,
        pages: pages()?,
        broker: Arc::clone(&app),
        pending: Mutex::default(),
        sessions: Mutex::default(),
    });
    let mut servers = tokio::task::JoinSet::new();
    let routers = [
        (broker_listener, app.router()),
        (idp_listener, idp::router(idp)),
        (app_listener, demo::router(Arc::clone(&demo))),
    ];
    for (listener, router) in routers {
        servers.spawn(async move { axum::serve(listener, router).await });
    }
    Ok(World { broker, idp: idp_issuer, app: app_url, demo, servers })
}

fn memory(random: &Arc<dyn Random>) -> Result<Arc<dyn Store>, String> {
    let store = SqliteStore::open(&Location::Memory, &[], Arc::clone(random)).map_err(|error| error.to_string())?;
    Ok(Arc::new(store))
}

/// The configuration file, with its addresses.
#[must_use]
pub fn file(broker: &str, idp: &str, app: &str) -> String {
    let address = broker.trim_start_matches("http://");
    BROKER_TOML
        .replace("{broker}", broker)
        .replace("{broker_address}", address)
        .replace("{idp}", idp)
        .replace("{app}", app)
}

fn snapshot(broker: &str, idp: &str, app: &str, secret: &str, now: i64) -> Result<crate::snapshot::Snapshot, String> {
    let file = file(broker, idp, app);
    let files = Memory::of([("broker.toml", file.as_str())]);
    let inputs = Inputs {
        main: PathBuf::from("broker.toml"),
        overlays: Vec::new(),
        environment: BTreeMap::from([("COUNTERSIGN_DEV_SECRET".to_owned(), secret.to_owned())]),
    };
    let options = Options { number: 1, without_secrets: false, now };
    let prepared = prepare(&inputs, &files, options).map_err(|error| error.to_string())?;
    prepared.snapshot.ok_or_else(|| prepared.problems.render(&prepared.layers, false))
}
