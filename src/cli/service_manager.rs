//! What a service manager is told, by the protocol of `sd_notify(3)`: systemd for a unit of `Type=notify`, and others that set
//! `NOTIFY_SOCKET`, such as Podman.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cli::Environment;
use crate::config::diagnostics::problem::is_printable;
use crate::env::monotonic_microseconds;
use crate::snapshot::Snapshot;
use crate::snapshot::reload::{Observer, ReloadStatus};
use crate::store::Maintenance;

/// How often the store is asked where the service manager has no watchdog, for the status line.
const PERIOD: Duration = Duration::from_secs(10);

/// How long the service manager may take to accept a message.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest status line in bytes. systemd discards messages of more than 4096.
const LONGEST_STATUS: usize = 1024;

/// The connection to the service manager. Without one (no `NOTIFY_SOCKET`), nothing is sent.
#[derive(Debug, Default)]
pub(super) struct ServiceManager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
    told: Mutex<Told>,
}

/// What the service manager knows.
#[derive(Debug, Default)]
struct Told {
    phase: Phase,
    /// The generation in service, in words.
    serving: String,
    /// Why the last reload was refused.
    refused: Option<String>,
    /// Why the store can't be used.
    store: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Starting,
    Serving,
    Stopping,
}

impl Told {
    /// The line that `systemctl status` shows.
    fn status(&self) -> String {
        let phase = match self.phase {
            Phase::Starting => None,
            Phase::Serving => Some(self.serving.clone()),
            Phase::Stopping => Some("stopping after the requests under way".to_owned()),
        };
        let refused = self.refused.as_ref().map(|problem| format!("the last reload was refused: {problem}"));
        let line = [self.store.clone(), refused, phase].into_iter().flatten().collect::<Vec<_>>().join("; ");
        // A line end would begin another field of the message.
        let line: String = line.chars().map(|c| if is_printable(c) { c } else { ' ' }).collect();
        let (kept, _) = line.split_at(line.floor_char_boundary(LONGEST_STATUS));
        format!("STATUS={kept}\n")
    }
}

impl ServiceManager {
    /// The service manager that the environment names.
    ///
    /// # Errors
    /// It names one that can't be reached, or a watchdog that can't be understood.
    pub(super) fn of(environment: &Environment) -> Result<Self, String> {
        let Some(named) = environment.get("NOTIFY_SOCKET").filter(|named| !named.is_empty()) else {
            return Ok(Self::default());
        };
        let socket = open(named).map_err(|error| format!("NOTIFY_SOCKET ({named}): {error}"))?;
        Ok(Self { socket: Some(socket), watchdog: watchdog(environment)?, told: Mutex::default() })
    }

    /// The broker serves.
    pub(super) fn ready(&self, snapshot: &Snapshot) {
        let mut told = self.told();
        told.phase = Phase::Serving;
        told.serving = in_words(snapshot);
        self.send(&format!("READY=1\n{}", told.status()));
    }

    /// The broker stops.
    pub(super) fn stopping(&self) {
        let mut told = self.told();
        told.phase = Phase::Stopping;
        self.send(&format!("STOPPING=1\n{}", told.status()));
    }

    /// Asks the store twice within each interval of the watchdog, and reports that the broker is alive if an answer comes.
    ///
    /// An error is an answer: a broker whose store is full or away recovers by itself, and a restart would not help it. The store
    /// is asked in a task of its own, which shows that the runtime still starts tasks.
    pub(super) async fn watch(self: Arc<Self>, store: Arc<dyn Maintenance>) {
        if self.socket.is_none() {
            return;
        }
        let period = self.watchdog.map_or(PERIOD, |interval| interval / 2);
        let mut ticks = tokio::time::interval(period);
        loop {
            ticks.tick().await;
            let store = Arc::clone(&store);
            let asked = tokio::spawn(async move { store.ping().await });
            match tokio::time::timeout(period, asked).await {
                Ok(Ok(answer)) => self.alive(answer.err().map(|error| error.to_string())),
                Ok(Err(error)) => self.hangs(&error.to_string()),
                Err(_) => self.hangs("no answer in time"),
            }
        }
    }

    /// The store answered; `problem` is what it said if it can't be used.
    fn alive(&self, problem: Option<String>) {
        let mut told = self.told();
        let changed = told.store != problem;
        told.store = problem;
        let status = if changed { told.status() } else { String::new() };
        let alive = if self.watchdog.is_some() { "WATCHDOG=1\n" } else { "" };
        self.send(&format!("{alive}{status}"));
    }

    /// The store did not answer: the watchdog is left to act.
    fn hangs(&self, problem: &str) {
        tracing::error!(
            event = "store_hangs",
            "the store does not answer ({problem}); a watchdog restarts the broker if this goes on"
        );
        let mut told = self.told();
        told.store = Some("the store does not answer".to_owned());
        self.send(&told.status());
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, message: &str) {
        let Some((socket, address)) = self.socket.as_ref().filter(|_| !message.is_empty()) else { return };
        if let Err(error) = socket.send_to_addr(message.as_bytes(), address) {
            tracing::warn!(event = "service_manager", %error, "the service manager can't be told");
        }
    }
}

impl Observer for ServiceManager {
    fn begins(&self) {
        if self.told().phase == Phase::Serving {
            // `Type=notify-reload` requires the time (systemd.service(5)).
            self.send(&format!("RELOADING=1\nMONOTONIC_USEC={}\n", monotonic_microseconds()));
        }
    }

    fn ends(&self, serving: &Snapshot, status: &ReloadStatus) {
        let mut told = self.told();
        told.serving = in_words(serving);
        told.refused = status.summary();
        if told.phase == Phase::Serving {
            self.send(&format!("READY=1\n{}", told.status()));
        }
    }
}

/// The generation in service, in words.
fn in_words(snapshot: &Snapshot) -> String {
    let (providers, apps) = (snapshot.providers.len(), snapshot.clients.len());
    format!("generation {} serves; providers: {providers}, apps: {apps}", snapshot.generation)
}

/// A socket, and the address in `NOTIFY_SOCKET`: an absolute path, or `@` and a name in the abstract namespace.
fn open(named: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match named.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None if named.starts_with('/') => SocketAddr::from_pathname(named)?,
        None => return Err(io::Error::other("neither an absolute path nor an abstract socket (@name)")),
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok((socket, address))
}

/// The interval of the watchdog (`WATCHDOG_USEC`), unless it is meant for another process (`WATCHDOG_PID`).
fn watchdog(environment: &Environment) -> Result<Option<Duration>, String> {
    let number = |name: &str| {
        let text = environment.get(name).filter(|text| !text.is_empty());
        text.map(|text| text.parse::<u64>().map_err(|_| format!("{name} ({text}): not a number"))).transpose()
    };
    if number("WATCHDOG_PID")?.is_some_and(|pid| pid != u64::from(std::process::id())) {
        return Ok(None);
    }
    match number("WATCHDOG_USEC")? {
        Some(0) => Err("WATCHDOG_USEC: not an interval".to_owned()),
        interval => Ok(interval.map(Duration::from_micros)),
    }
}

#[cfg(test)]
mod tests;
