//! The broker, in a process of its own, and what it uses.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use crate::Failure;
use crate::agent::Agent;
use crate::idp::{Idp, router};

/// A broker that is not running: its folder, its addresses, and its provider, which is.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    issuer: String,
    idp: Arc<Idp>,
    /// The URL of its store, unless that is SQLite in the folder.
    store: Option<String>,
}

impl Place {
    /// A place with an empty store, whose keys are made. `name` replaces `{}` in the store's URL.
    pub(crate) async fn new(name: &str) -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let idp = Arc::new(Idp::new(format!("http://{}", listener.local_addr()?)).await?);
        tokio::spawn(axum::serve(listener, router(Arc::clone(&idp))).into_future());
        let store = std::env::var("STORE").ok().map(|url| url.replace("{}", name));
        let (port, admin) = (free_port()?, free_port()?);
        let issuer = format!("http://127.0.0.1:{port}");
        let place = Self { folder: tempfile::tempdir()?, issuer, idp, store };
        let text = file(&place.issuer, port, admin, &place.idp.issuer, place.store.as_deref());
        std::fs::write(place.config(), text)?;
        // The first start makes the store and the keys; later ones measure a restart.
        drop(place.start().await?);
        Ok(place)
    }

    /// Its configuration.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("broker.toml")
    }

    /// Which kind of store it has.
    pub(crate) fn kind(&self) -> &'static str {
        if self.store.is_some() { "postgres" } else { "sqlite" }
    }

    /// Starts the broker, and waits until it answers.
    pub(crate) async fn start(&self) -> Result<Broker, Failure> {
        let started = Instant::now();
        let process = Command::new(std::env::current_exe()?)
            .args([Path::new("broker"), &self.config()])
            .env("RUST_LOG", "warn")
            .stdout(Stdio::null())
            .spawn()?;
        let agent = Arc::new(Agent::new(self.issuer.clone(), Arc::clone(&self.idp))?);
        let server = match &self.store {
            Some(url) => Some(postmaster(url).await?),
            None => None,
        };
        let mut broker = Broker { process, agent, server, started: Duration::ZERO };
        answers(&broker.agent).await?;
        broker.started = started.elapsed();
        Ok(broker)
    }
}

/// The broker's process, which is ended when this is dropped.
pub(crate) struct Broker {
    process: Child,
    /// An app with its users.
    pub(crate) agent: Arc<Agent>,
    /// The first process of the PostgreSQL server.
    server: Option<u32>,
    /// How long it took to answer after its start.
    pub(crate) started: Duration,
}

/// CPU seconds.
#[derive(Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) broker: f64,
    /// All processes of the PostgreSQL server.
    pub(crate) server: Option<f64>,
}

impl Broker {
    /// The CPU time that was used so far.
    pub(crate) fn cpu(&self) -> Result<Cpu, Failure> {
        let of_broker = ticks(&stat(self.process.id())?, 11..=12);
        let server = self.server.map(of_server).transpose()?;
        Ok(Cpu { broker: of_broker / 100.0, server: server.map(|ticks| ticks / 100.0) })
    }

    /// Its resident memory, in MiB.
    pub(crate) fn resident(&self) -> Result<f64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let resident = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
        Ok(resident.unwrap_or_default() / 1024.0)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The fields of `/proc/PID/stat` after the name of the process.
fn stat(pid: u32) -> Result<Vec<String>, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    Ok(stat.rsplit_once(") ").ok_or("stat")?.1.split(' ').map(str::to_owned).collect())
}

fn ticks(stat: &[String], fields: std::ops::RangeInclusive<usize>) -> f64 {
    stat.get(fields).unwrap_or_default().iter().filter_map(|text| text.parse::<f64>().ok()).sum()
}

/// The CPU time of a process, of its children, and of those that have ended.
fn of_server(pid: u32) -> Result<f64, Failure> {
    let mut sum = ticks(&stat(pid)?, 11..=14);
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // It may have ended meanwhile.
        let Ok(stat) = stat(child) else { continue };
        if stat.get(1).and_then(|parent| parent.parse().ok()) == Some(pid) {
            sum += ticks(&stat, 11..=12);
        }
    }
    Ok(sum)
}

/// The first process of a PostgreSQL server on this machine.
async fn postmaster(url: &str) -> Result<u32, Failure> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
    tokio::spawn(connection);
    let backend: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await?.try_get(0)?;
    Ok(stat(backend.unsigned_abs())?.get(1).ok_or("the server is not on this machine")?.parse()?)
}

fn free_port() -> Result<u16, Failure> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

async fn answers(agent: &Agent) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline {
        if agent.discovery().await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Err("the broker did not start".into())
}

fn file(issuer: &str, port: u16, admin: u16, idp: &str, store: Option<&str>) -> String {
    let store = store.map_or_else(String::new, |url| {
        format!("[store]\nurl = \"{url}\"\nencryption_keys = [\"only for a load test on this machine\"]")
    });
    format!(
        r#"
issuer = "{issuer}"
{store}
[server]
listen = ["127.0.0.1:{port}"]
[admin]
listen = "127.0.0.1:{admin}"
[limits]                  # all of this comes from one address
per_address = {{ rate = "1000000/s", burst = 1_000_000 }}
[providers.load]
issuer = "{idp}"
client_id = "broker"
client_secret = "not a secret"
claims_from = ["id_token"]
[roles.admin]
[[role_rules]]
when = "'sre' in groups"
roles = ["admin"]
[clients.app]
client_secret = "not a secret either"
redirect_uris = ["http://127.0.0.1/cb"]
scopes = ["openid", "profile", "email", "groups", "offline_access"]
"#
    )
}
