//! `store.url` for PostgreSQL: libpq's connection URI, with its parameters as far as they have a meaning here.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// Defaults of what the URL may say.
const CONNECTIONS: usize = 16;
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(10);
const LOCK_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(30);
const PORT: u16 = 5432;

const IN_PASSWORD: &str = "can't be read: a \"?\" in its password must be written as %3F, and every \"&\" as %26";

/// How the server's certificate is verified (libpq's `sslmode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// Not at all: whoever answers is the server.
    None,
    /// It was issued by the authority.
    Authority,
    /// It was issued by the authority, for the host's name.
    Host,
}

/// Where a PostgreSQL store is, and how it is reached.
#[derive(Clone, Debug)]
pub struct Target {
    pub(crate) config: Config,
    pub(crate) verification: Verification,
    /// `sslrootcert`; `None` for the system's authorities.
    pub(crate) authority: Option<PathBuf>,
    /// `sslcert` and `sslkey`.
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
    pub(crate) connections: usize,
    pub(crate) statement_timeout: Duration,
    pub(crate) lock_timeout: Duration,
    /// Host and database, as messages name them.
    pub(crate) name: String,
}

/// What the URL says beyond what `tokio_postgres` reads.
#[derive(Default)]
struct Own {
    sslmode: Option<String>,
    sslrootcert: Option<String>,
    sslcert: Option<PathBuf>,
    sslkey: Option<PathBuf>,
    passfile: Option<PathBuf>,
    target: Option<String>,
    connections: Option<usize>,
    statement_timeout: Option<Duration>,
    lock_timeout: Option<Duration>,
}

impl Target {
    /// Reads a URL; `None` if it is not one of PostgreSQL. Of the files that it names, only `passfile` is read here.
    ///
    /// # Errors
    /// What is wrong with it, in words that follow `store.url`.
    pub fn from_url(url: &str) -> Option<Result<Self, String>> {
        Some(Self::without_password_file(url)?.and_then(|(mut target, passfile)| {
            if let Some(file) = &passfile {
                target.config.password(password(file, &target.config)?);
            }
            Ok(target)
        }))
    }

    /// As [`Self::from_url`], without reading any file: where the configuration is checked, there may be none.
    ///
    /// # Errors
    /// What is wrong with it, in words that follow `store.url`.
    pub fn check(url: &str) -> Option<Result<(), String>> {
        Some(Self::without_password_file(url)?.map(drop))
    }

    fn without_password_file(url: &str) -> Option<Result<(Self, Option<PathBuf>), String>> {
        let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"))?;
        // Messages quote parameters, and must not quote what follows a "?" in a password.
        let (base, query) = rest.split_once('?').unwrap_or((rest, ""));
        let in_password = !base.contains('@') && query.contains('@');
        let problem = |said| if in_password { IN_PASSWORD.to_owned() } else { said };
        Some(Self::read(rest).map_err(problem))
    }

    fn read(rest: &str) -> Result<(Self, Option<PathBuf>), String> {
        let (base, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (mut own, mut others) = (Own::default(), String::new());
        for (key, value) in url::form_urlencoded::parse(query.replace('+', "%2B").as_bytes()) {
            if key.contains('@') {
                return Err(IN_PASSWORD.to_owned());
            }
            if !own.take(&key, &value)? {
                let value = utf8_percent_encode(&value, NON_ALPHANUMERIC);
                others.push_str(&format!("{}{key}={value}", if others.is_empty() { "?" } else { "&" }));
            }
        }
        let config = format!("postgres://{base}{others}").parse::<Config>();
        let mut config =
            config.map_err(|error| format!("can't be read: {}", crate::store::postgres::error::text(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err("names no host: use postgres://HOST/DATABASE".to_owned());
        }
        let (mode, verification) = own.sslmode()?;
        config.ssl_mode(mode);
        own.target_session_attrs(&mut config)?;
        defaults(&mut config);
        let name = name(&config);
        let certificate = match (own.sslcert, own.sslkey) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            _ => return Err("has only one of sslcert and sslkey: a client certificate needs both".to_owned()),
        };
        let target = Self {
            config,
            verification,
            authority: own.sslrootcert.filter(|file| file != "system").map(PathBuf::from),
            certificate,
            connections: own.connections.unwrap_or(CONNECTIONS),
            statement_timeout: own.statement_timeout.unwrap_or(STATEMENT_TIMEOUT),
            lock_timeout: own.lock_timeout.unwrap_or(LOCK_TIMEOUT),
            name,
        };
        Ok((target, own.passfile))
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl Own {
    /// Takes a parameter that is read here; `false` for any other.
    fn take(&mut self, key: &str, value: &str) -> Result<bool, String> {
        let number = || {
            let number = value.parse::<u32>().ok().filter(|number| *number > 0);
            number.ok_or_else(|| format!("has {key}={value}: it must be a positive number"))
        };
        let milliseconds = || number().map(|number| Duration::from_millis(number.into()));
        if ["sslrootcert", "sslcert", "sslkey", "passfile"].contains(&key)
            && !(key == "sslrootcert" && value == "system")
            && !value.starts_with('/')
        {
            return Err(format!("has {key}={value}: it must be the absolute path of a file"));
        }
        match key {
            "sslmode" => self.sslmode = Some(value.to_owned()),
            "sslrootcert" => self.sslrootcert = Some(value.to_owned()),
            "sslcert" => self.sslcert = Some(value.into()),
            "sslkey" => self.sslkey = Some(value.into()),
            "passfile" => self.passfile = Some(value.into()),
            "target_session_attrs" => self.target = Some(value.to_owned()),
            "pool_max_conns" => self.connections = Some(usize::try_from(number()?).unwrap_or(usize::MAX)),
            "statement_timeout" => self.statement_timeout = Some(milliseconds()?),
            "lock_timeout" => self.lock_timeout = Some(milliseconds()?),
            "channel_binding" if value == "require" => {
                return Err("has channel_binding=require, which is not supported: use sslmode=verify-full".to_owned());
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn sslmode(&self) -> Result<(SslMode, Verification), String> {
        let declared = self.sslrootcert.is_some();
        // As libpq: an authority that is named is used.
        let lax = if declared { Verification::Authority } else { Verification::None };
        let mode = match self.sslmode.as_deref() {
            Some("disable") => (SslMode::Disable, Verification::None),
            None | Some("prefer") => (SslMode::Prefer, lax),
            Some("require") => (SslMode::Require, lax),
            Some("verify-ca") if declared => (SslMode::Require, Verification::Authority),
            Some("verify-ca") => return Err("has sslmode=verify-ca without sslrootcert: name the authority".to_owned()),
            Some("verify-full") => (SslMode::Require, Verification::Host),
            Some(other) => {
                return Err(format!(
                    "has sslmode={other}: it must be disable, prefer, require, verify-ca or verify-full"
                ));
            }
        };
        if mode.1 == Verification::Authority && self.sslrootcert.as_deref() == Some("system") {
            return Err("has sslrootcert=system, which needs sslmode=verify-full: anyone gets a certificate".to_owned());
        }
        Ok(mode)
    }

    /// The store writes, so a standby is of no use.
    fn target_session_attrs(&self, config: &mut Config) -> Result<(), String> {
        match self.target.as_deref() {
            None | Some("read-write" | "primary") => {
                config.target_session_attrs(TargetSessionAttrs::ReadWrite);
                Ok(())
            }
            Some(other) => Err(format!("has target_session_attrs={other}: the store writes, so it must be read-write")),
        }
    }
}

/// What holds unless the URL says otherwise.
fn defaults(config: &mut Config) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_TIMEOUT);
    }
    if config.get_application_name().is_none() {
        config.application_name("countersign");
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(KEEPALIVE);
    }
    if config.get_keepalives_idle() > KEEPALIVE {
        config.keepalives_idle(KEEPALIVE);
    }
}

/// The hosts of a target, each with its port.
fn hosts(config: &Config) -> Vec<(String, u16)> {
    let port = |at: usize| {
        let ports = config.get_ports();
        ports.get(at).or_else(|| ports.first().filter(|_| ports.len() == 1)).copied().unwrap_or(PORT)
    };
    let named = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(path) => path.display().to_string(),
    });
    let named: Vec<String> = named.collect();
    let addresses = config.get_hostaddrs().iter().map(ToString::to_string);
    let all: Vec<String> = if named.is_empty() { addresses.collect() } else { named };
    all.into_iter().enumerate().map(|(at, host)| (host, port(at))).collect()
}

fn name(config: &Config) -> String {
    let hosts: Vec<String> = hosts(config).into_iter().map(|(host, port)| format!("{host}:{port}")).collect();
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("postgres://{}/{database}", hosts.join(","))
}

/// Whether others may read or change a file with a password. The group may read one that belongs to root, as libpq allows for
/// private keys: Kubernetes and systemd pass secrets this way to a process that is not root.
const fn is_exposed(owner: u32, mode: u32) -> bool {
    let denied = if owner == 0 { 0o027 } else { 0o077 };
    mode & denied != 0
}

/// The password of the first host from a file in libpq's format: lines of `host:port:database:user:password`.
fn password(file: &PathBuf, config: &Config) -> Result<String, String> {
    let shown = file.display();
    let failed = |error: std::io::Error| format!("names passfile {shown}: {error}");
    let text = std::fs::read_to_string(file).map_err(failed)?;
    let metadata = std::fs::metadata(file).map_err(failed)?;
    if is_exposed(metadata.uid(), metadata.mode()) {
        return Err(format!(
            "names passfile {shown}, which others may read: set its mode to 0600, or 0640 if it belongs to root"
        ));
    }
    let (host, port) = hosts(config).into_iter().next().unwrap_or_default();
    let host = if host.starts_with('/') { "localhost".to_owned() } else { host };
    let user = config.get_user().unwrap_or_default();
    let asked = [&host, &port.to_string(), config.get_dbname().unwrap_or(user), user];
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields = fields(line);
        let Some((password, fields)) = fields.split_last() else { continue };
        let fits = |(field, asked): (&String, &&str)| field == "*" || field == asked;
        if fields.len() == asked.len() && fields.iter().zip(&asked.map(|asked| asked as &str)).all(fits) {
            return Ok(password.clone());
        }
    }
    Err(format!("names passfile {shown}, which has no line for {}:{}:{}:{}", asked[0], asked[1], asked[2], asked[3]))
}

/// The fields of a line, in which `\` stands before a colon or another `\`.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let next = match character {
            ':' => {
                fields.push(String::new());
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            other => other,
        };
        if let Some(field) = fields.last_mut() {
            field.push(next);
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::is_exposed;

    #[test]
    fn the_group_may_read_a_password_of_root_and_no_other() {
        for (owner, mode) in [(0, 0o400), (0, 0o600), (0, 0o440), (0, 0o640), (1000, 0o400), (1000, 0o600)] {
            assert!(!is_exposed(owner, mode), "{owner} {mode:o}");
        }
        for (owner, mode) in [(0, 0o644), (0, 0o660), (0, 0o604), (1000, 0o640), (1000, 0o440), (1000, 0o604)] {
            assert!(is_exposed(owner, mode), "{owner} {mode:o}");
        }
    }
}
