//! `countersign serve`: run the broker.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::app::{App, Parts};
use crate::cli::service_manager::ServiceManager;
use crate::cli::{ConfigArgs, Environment, Exit, otel, output, store};
use crate::config::load::files::Disk;
use crate::env::{Clock as _, SystemClock, SystemRandomness};
use crate::op::sources::Sources;
use crate::outbound::GuardedClient;
use crate::snapshot::Snapshot;
use crate::snapshot::generation::{Options, Prepared, prepare};
use crate::snapshot::reload::{Reloader, Watched, from_disk};
use crate::snapshot::shadow::Shadow;
use crate::web::listener::{Connections, Listener, acceptor, raise_limit};

/// How often due keys are rotated and expired rows are removed.
const HOUSEKEEPING: Duration = Duration::from_secs(30);

/// How often signing keys that another process on the store has changed are adopted.
const KEYS: Duration = Duration::from_secs(1);

/// How often audit events are written to a file or to standard output.
const EXPORT: Duration = Duration::from_secs(1);

/// How often the store is asked for logout tokens that no process sends.
const TELLING: Duration = Duration::from_secs(5);

/// How long a broker that stops may take to tell the store what it leaves to others.
const HAND_OVER: Duration = Duration::from_secs(2);

/// How often spans are sent.
const SPANS: Duration = Duration::from_secs(2);

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The configuration file, as with --config.
    pub file: Option<std::path::PathBuf>,
    /// The configuration.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// A second configuration that is evaluated for live sign-ins without effect; differing decisions are logged.
    #[arg(long, value_name = "FILE")]
    pub shadow: Option<std::path::PathBuf>,
}

/// Starts logging: as text on a terminal, as JSON otherwise. `RUST_LOG` sets the filter.
pub fn log(default: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // This fails if the process already has a logger, as in tests, which is harmless.
    let terminal = std::io::stderr().is_terminal();
    let logs = logs.with_ansi(output::colour(&crate::cli::environment(), terminal));
    let _ = if terminal { logs.try_init() } else { logs.json().flatten_event(true).try_init() };
}

/// Runs the broker until it receives SIGTERM or SIGINT.
#[must_use]
pub fn run(args: &ServeArgs, environment: &Environment) -> Exit {
    log("info");
    raise_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "no runtime");
            return Exit::CouldNotRun;
        }
    };
    let code = runtime.block_on(serve(args, environment));
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn serve(args: &ServeArgs, environment: &Environment) -> Exit {
    // From here on, SIGHUP does not end the process. What changed before the reloader receives signals, it reads when it starts.
    let _hangups = signal(SignalKind::hangup());
    let config = match args.config.with_file(args.file.as_ref(), environment) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(error, "the configuration can't be read");
            return Exit::Usage;
        }
    };
    let inputs = config.inputs(environment);
    let options = Options { number: 1, without_secrets: false, now: SystemClock.now() };
    let prepared = match prepare(&inputs, &Disk, options) {
        Ok(prepared) => prepared,
        Err(error) => {
            tracing::error!(error = error.with_way_out(), "the configuration can't be read");
            return Exit::CouldNotRun;
        }
    };
    let Prepared { problems, layers, involved, fingerprint, snapshot, encryption_keys, .. } = prepared;
    let Some(snapshot) = snapshot else {
        let problems = problems.render(&layers, false);
        tracing::error!(problems, "the configuration has problems; `countersign check` shows them");
        return Exit::Problem;
    };
    for warning in &problems {
        tracing::warn!(file = %warning.file, line = warning.line, "{}", warning.message);
    }
    for (variable, instead) in otel::unread(environment) {
        tracing::warn!(
            event = "environment_not_read",
            variable,
            instead,
            "an environment variable is set that has no effect here"
        );
    }
    let shadow = match args.shadow.as_ref().map(|file| shadow(file, environment)).transpose() {
        Ok(shadow) => shadow,
        Err(exit) => return exit,
    };
    let (shadow, watched) = shadow.unzip();
    let sources = Sources::new(inputs.clone(), Arc::new(Disk));
    match start(snapshot, &encryption_keys, shadow.clone(), sources).await {
        Ok((app, listeners)) => {
            let app = Arc::new(app);
            let manager = Arc::new(ServiceManager::of(environment).unwrap_or_else(|error| {
                tracing::error!(event = "service_manager", error, "the service manager is told nothing");
                ServiceManager::default()
            }));
            let serving = Serving::begin(&app, listeners);
            manager.ready(&app.snapshot().load());
            tokio::spawn(Arc::clone(&manager).watch(Arc::clone(&app.services().store) as _));
            let reloader = app.reloader(Watched { inputs, fingerprint, involved, prepare: from_disk() });
            tokio::spawn(reloader.observed_by(Arc::clone(&manager) as _).run());
            if let (Some(shadow), Some(watched)) = (shadow, watched) {
                let reloader = Reloader::new(shadow, Arc::new(SystemClock), Arc::default(), watched);
                tokio::spawn(reloader.that_only_decides().run());
            }
            terminated().await;
            manager.stopping();
            serving.end(&app).await
        }
        Err(error) => {
            tracing::error!(error, "the broker can't start");
            Exit::CouldNotRun
        }
    }
}

/// The shadow configuration, whose secrets are not needed, and what its reloads watch. Logs why there is none.
fn shadow(file: &std::path::Path, environment: &Environment) -> Result<(Arc<Shadow>, Watched), Exit> {
    let config = ConfigArgs { config: file.to_owned(), overlay: Vec::new() };
    let inputs = config.inputs(environment);
    let options = Options { number: 1, without_secrets: true, now: SystemClock.now() };
    let prepared = prepare(&inputs, &Disk, options).map_err(|error| {
        tracing::error!(%error, "the shadow configuration can't be read");
        Exit::CouldNotRun
    })?;
    let Prepared { problems, layers, involved, fingerprint, snapshot, .. } = prepared;
    let Some(snapshot) = snapshot else {
        let problems = problems.render(&layers, false);
        tracing::error!(problems, "the shadow configuration has problems");
        return Err(Exit::Problem);
    };
    let (file, hash) = (file.to_owned(), &snapshot.hash);
    tracing::info!(event = "shadow", file = %file.display(), %hash, "live sign-ins are also evaluated with a shadow configuration, without effect");
    let watched = Watched { inputs, fingerprint, involved, prepare: from_disk() };
    Ok((Arc::new(Shadow::new(file, snapshot)), watched))
}

/// Opened listeners.
struct Listeners {
    public: Vec<Listener>,
    /// Those for client certificates.
    certificates: Vec<Listener>,
    admin: Listener,
}

async fn start(
    snapshot: Snapshot,
    encryption_keys: &[Vec<u8>],
    shadow: Option<Arc<Shadow>>,
    sources: Sources,
) -> Result<(App, Listeners), String> {
    let random = Arc::new(SystemRandomness::default());
    let store = store::open(&snapshot, encryption_keys, Arc::clone(&random) as _).await?;
    let mut public = Vec::new();
    for address in &snapshot.config.server.listen {
        public.push(open("server.listen", address).await?);
    }
    let mut certificates = Vec::new();
    for address in snapshot.config.certificates.iter().flat_map(|section| &section.listen) {
        certificates.push(open("certificates.listen", address).await?);
    }
    let admin = open("admin.listen", &snapshot.config.admin.listen).await?;
    let (clock, http) = (Arc::new(SystemClock), Arc::new(GuardedClient::default()));
    let parts = Parts { clock, random, store, http, shadow, sources: Some(sources) };
    let app = App::new(parts, snapshot).await.map_err(|error| error.to_string())?;
    if app.snapshot().load().config.server.tls.is_some() {
        let tls = acceptor(Arc::clone(app.snapshot())).map_err(|error| format!("server.tls: {error}"))?;
        public = public.into_iter().map(|listener| listener.with_tls(&tls)).collect();
    }
    let limits = &app.snapshot().load().resolved.limits;
    let admin = admin.with_connections(&Connections::admin(limits));
    let counted = |listeners: Vec<Listener>| {
        listeners.into_iter().map(|listener| listener.with_connections(app.connections())).collect()
    };
    let (public, certificates) = (counted(public), counted(certificates));
    Ok((app, Listeners { public, certificates, admin }))
}

async fn open(key: &str, address: &str) -> Result<Listener, String> {
    Listener::open(address).await.map_err(|error| format!("{key}: {error}"))
}

/// The tasks of a broker that serves.
struct Serving {
    stop: watch::Sender<bool>,
    servers: JoinSet<()>,
    /// Those that end only when they are aborted.
    periodic: Vec<JoinHandle<()>>,
    exporting: JoinHandle<()>,
}

impl Serving {
    /// Starts them.
    fn begin(app: &Arc<App>, listeners: Listeners) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut servers = JoinSet::new();
        announce(app, &listeners);
        let routers = listeners.public.into_iter().map(|listener| (listener, app.router()));
        let certificates = listeners.certificates.into_iter().map(|listener| (listener, app.certificates_router()));
        for (listener, router) in routers.chain(certificates).chain([(listeners.admin, app.admin_router())]) {
            servers.spawn(listener.serve(router, stopped.clone()));
        }
        let periodic = vec![
            repeat(app, HOUSEKEEPING, |app| async move { app.housekeeping().await }),
            repeat(app, KEYS, |app| async move { app.follow_keys().await }),
            repeat(app, TELLING, |app| async move { app.tell_apps().await }),
            repeat(app, SPANS, |app| async move { app.export_spans().await }),
        ];
        let exporting = tokio::spawn({
            let (app, mut stopped) = (Arc::clone(app), stopped);
            async move {
                let mut ticks = tokio::time::interval(EXPORT);
                while !*stopped.borrow() {
                    app.export_events().await;
                    tokio::select! {
                        _ = ticks.tick() => {}
                        _ = stopped.changed() => {}
                    }
                }
            }
        });
        Self { stop, servers, periodic, exporting }
    }

    /// Ends them after the requests under way.
    async fn end(mut self, app: &App) -> Exit {
        tracing::info!(event = "stop", "stopping after the requests under way");
        let _ = self.stop.send(true);
        self.periodic.iter().for_each(JoinHandle::abort);
        let grace = Duration::from_secs(app.snapshot().load().config.server.shutdown_grace.as_secs());
        let drained = tokio::time::timeout(grace, async {
            while self.servers.join_next().await.is_some() {}
            app.idle().await;
        });
        if drained.await.is_err() {
            tracing::warn!("requests or logout tokens were still under way at the end of server.shutdown_grace");
        }
        let _ = self.exporting.await;
        app.export_events().await;
        app.export_spans().await;
        if tokio::time::timeout(HAND_OVER, app.hand_over()).await.is_err() {
            tracing::warn!(
                "logout tokens and leases of this process could not be handed over in time: other processes take them after a minute"
            );
        }
        Exit::Fine
    }
}

/// Does this at once and then every `period`, until it is aborted.
fn repeat<W, F>(app: &Arc<App>, period: Duration, work: W) -> JoinHandle<()>
where
    W: Fn(Arc<App>) -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(period);
        loop {
            ticks.tick().await;
            work(Arc::clone(&app)).await;
        }
    })
}

fn announce(app: &App, listeners: &Listeners) {
    let snapshot = app.snapshot().load();
    let urls = |listeners: &[Listener]| listeners.iter().map(Listener::url).collect::<Vec<_>>().join(" ");
    let certificates = Some(urls(&listeners.certificates)).filter(|urls| !urls.is_empty());
    tracing::info!(
        event = "start", issuer = %snapshot.issuer.text, generation = snapshot.generation, hash = %snapshot.hash,
        providers = snapshot.providers.len(), clients = snapshot.clients.len(),
        listen = urls(&listeners.public), certificates, admin = listeners.admin.url(), "countersign is listening"
    );
}

/// Waits for SIGTERM or SIGINT.
async fn terminated() {
    let interrupted = tokio::signal::ctrl_c();
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupted => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupted.await;
        }
    }
}
