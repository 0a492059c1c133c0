//! `countersign dev`: a broker in memory with simulated providers and a demo app, in one process and on loopback. It runs a
//! file of its own, or yours with the addresses of this process in place of the real ones ([`setting`]).

pub mod demo;
pub mod idp;
pub mod personas;
mod render;
pub mod setting;
pub mod why;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;

use crate::app::{App, Parts};
use crate::config::load::Inputs;
use crate::config::load::files::{Disk, Files, Memory};
use crate::env::{Clock, Random, SystemClock, SystemRandomness};
use crate::keys::Keys;
use crate::outbound::GuardedClient;
use crate::pages::Pages;
use crate::snapshot::Snapshot;
use crate::snapshot::generation::{Options, Prepared};
use crate::snapshot::reload::Watched;
use crate::store::Store;
use crate::store::sqlite::{Location, SqliteStore};
use idp::fault::Faults;
use setting::{BUILT_IN, Setting, Shown};

/// Ports that are tried first, so that the links stay the same from run to run.
const PORTS: [u16; 3] = [8080, 8081, 8082];

/// A running broker, its providers and the demo app.
pub struct World {
    /// The addresses.
    pub setting: Arc<Setting>,
    /// The broker.
    pub broker: Arc<App>,
    /// The state of the demo app.
    pub demo: Arc<demo::Demo>,
    servers: tokio::task::JoinSet<std::io::Result<()>>,
}

/// Why it can't start.
#[derive(Debug)]
pub enum StartError {
    /// The file has problems, as `check` prints them.
    Problems(String),
    /// Anything else; the text says which part can't start and why.
    Other(String),
}

impl<E: std::error::Error> From<E> for StartError {
    fn from(error: E) -> Self {
        Self::Other(error.to_string())
    }
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

async fn listener(port: u16) -> Result<(TcpListener, String), StartError> {
    let listener = match TcpListener::bind(("127.0.0.1", port)).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(|error| StartError::Other(format!("no port is free: {error}")))?,
    };
    let port = listener.local_addr()?.port();
    Ok((listener, format!("http://localhost:{port}")))
}

/// Starts the broker, the providers and the app. `inputs` is the configuration, which is reloaded when it changes; without one
/// the built-in file runs. `fixed` tries the usual ports first.
///
/// # Errors
/// When the file has problems, or a part can't start.
pub async fn start(inputs: Option<Inputs>, fixed: bool) -> Result<World, StartError> {
    let [broker_port, idp_port, app_port] = if fixed { PORTS } else { [0; 3] };
    let (broker_listener, broker) = listener(broker_port).await?;
    let (idp_listener, idp) = listener(idp_port).await?;
    let (app_listener, app) = listener(app_port).await?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let random: Arc<dyn Random> = Arc::new(SystemRandomness::default());
    let [secret, csrf] = random.secrets()?;
    let setting = Arc::new(Setting { broker, idp, app, secret });
    let shown = Shown::default();
    let (snapshot, watched, file) = first(&setting, inputs, &shown, clock.now())?;
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
    let broker = Arc::new(App::new(parts, snapshot).await?);
    let keys = Keys::open(memory(&random)?, &policy, clock.now()).await?;
    let faults = Arc::<Faults>::default();
    let provider = Arc::new(idp::Idp {
        setting: Arc::clone(&setting),
        snapshot: Arc::clone(broker.snapshot()),
        faults: Arc::clone(&faults),
        keys,
        clock,
        random: Arc::clone(&random),
        pages: Pages::new(idp::FILES)?,
        issued: Mutex::default(),
    });
    let demo = Arc::new(demo::Demo {
        setting: Arc::clone(&setting),
        http: http as _,
        random,
        pages: Pages::new("")?,
        broker: Arc::clone(&broker),
        faults,
        csrf,
        shown,
        file,
        pending: Mutex::default(),
        sessions: Mutex::default(),
    });
    let mut servers = tokio::task::JoinSet::new();
    let routers = [
        (broker_listener, broker.router()),
        (idp_listener, idp::router(provider)),
        (app_listener, demo::router(Arc::clone(&demo))),
    ];
    for (listener, router) in routers {
        servers.spawn(async move { axum::serve(listener, router).await });
    }
    if let Some(watched) = watched {
        tokio::spawn(broker.reloader(watched).run());
    }
    Ok(World { setting, broker, demo, servers })
}

/// The first generation, and, for a file on disk, what a reload watches.
fn first(
    setting: &Arc<Setting>,
    inputs: Option<Inputs>,
    shown: &Shown,
    now: i64,
) -> Result<(Snapshot, Option<Watched>, Option<PathBuf>), StartError> {
    let file = inputs.as_ref().map(|inputs| inputs.main.clone());
    let files: Arc<dyn Files + Send + Sync> = match &file {
        Some(_) => Arc::new(Disk),
        None => Arc::new(Memory::of([("broker.toml", BUILT_IN)])),
    };
    let inputs = inputs.unwrap_or_else(|| Inputs { main: PathBuf::from("broker.toml"), ..Inputs::default() });
    let prepare = setting.prepare(files, shown);
    let options = Options { number: 1, without_secrets: true, now };
    let prepared = prepare(&inputs, options).map_err(|error| StartError::Other(error.with_way_out()))?;
    let Prepared { problems, layers, involved, fingerprint, snapshot, .. } = prepared;
    let snapshot = snapshot.ok_or_else(|| StartError::Problems(problems.render(&layers, false)))?;
    let watched = file.is_some().then_some(Watched { inputs, fingerprint, involved, prepare });
    Ok((snapshot, watched, file))
}

fn memory(random: &Arc<dyn Random>) -> Result<Arc<dyn Store>, StartError> {
    Ok(Arc::new(SqliteStore::open(&Location::Memory, &[], Arc::clone(random))?))
}
