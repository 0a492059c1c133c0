//! A PostgreSQL cluster for the tests of this process: made in a folder of its own by the first test that needs it, and stopped
//! and removed when the process ends, however it ends. Each test has a database of its own.
//!
//! Needs Debian's package `postgresql`, or another whose programs are in the path. The server does not run as root: a process
//! that does starts it as the user `postgres`.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio_postgres::NoTls;

/// Makes the cluster, starts the server, says so, and waits until the process that started it has ended.
const SCRIPT: &str = r#"
set -e
cd "$1"
"$2"initdb -D data -A trust -E UTF8 --no-locale -N >initdb.log 2>&1 || { cat initdb.log >&2; exit 1; }
mv pg_hba.conf server.crt server.key data
cp ca.crt data
chmod 600 data/server.key
"$2"postgres -D data -k "$1" -p "$3" -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=400 \
    -c deadlock_timeout=100ms -c ssl=on -c ssl_ca_file=ca.crt >server.log 2>&1 &
server=$!
until "$2"pg_isready -q -h "$1" -p "$3"; do
    kill -0 $server || { cat server.log >&2; exit 1; }
    sleep 0.1
done
echo ready
cat >/dev/null
kill -QUIT $server
wait $server || true
cd /
rm -rf "$1"
"#;

/// Who may connect how: everybody by the socket; with a password, or a certificate, by TCP.
const HBA: &str = "local all all trust
hostssl all certified 127.0.0.1/32 cert
host all all 127.0.0.1/32 scram-sha-256
";

/// A running cluster.
pub(crate) struct Cluster {
    pub(crate) folder: PathBuf,
    pub(crate) port: u16,
    /// The directory of the server's programs, with a slash at the end; empty if they are in the path.
    pub(crate) programs: String,
    /// The end of its standard input tells the script that this process has ended.
    _script: Child,
}

/// The cluster of this process.
pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(start)
}

/// An empty database, and the number in its name.
pub(crate) struct Database {
    pub(crate) name: String,
}

impl Database {
    pub(crate) async fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        execute("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0")).await;
        Self { name }
    }

    /// Its URL by the socket, as the superuser.
    pub(crate) fn url(&self) -> String {
        let Cluster { folder, port, .. } = cluster();
        let folder = folder.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}:{port}/{}", self.name)
    }

    /// Its URL by TCP.
    pub(crate) fn tcp(&self, user: &str, host: &str) -> String {
        format!("postgres://{user}@{host}:{}/{}", cluster().port, self.name)
    }

    pub(crate) async fn execute(&self, statements: &str) {
        execute(&self.name, statements).await;
    }

    /// Ends all other connections to it.
    pub(crate) async fn cut(&self) {
        let name = &self.name;
        execute(
            "postgres",
            &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"),
        )
        .await;
    }
}

/// A connection to a database, as the superuser.
pub(crate) async fn connect(database: &str) -> tokio_postgres::Client {
    let Cluster { folder, port, .. } = cluster();
    let mut config = tokio_postgres::Config::new();
    config.host_path(folder).port(*port).user("postgres").dbname(database);
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn execute(database: &str, statements: &str) {
    connect(database).await.batch_execute(statements).await.unwrap();
}

fn start() -> Cluster {
    let programs = programs();
    let folder = tempfile::Builder::new().prefix("countersign-postgres-").tempdir().unwrap().keep();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    certificates(&folder);
    std::fs::write(folder.join("pg_hba.conf"), HBA).unwrap();
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let mut command = if root {
        let owned = Command::new("chown").args(["-R", "postgres"]).arg(&folder).status().unwrap();
        assert!(owned.success(), "there is no user `postgres`: install Debian's package postgresql");
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    command.args(["-c", SCRIPT, "sh"]).arg(&folder).arg(&programs).arg(port.to_string());
    let mut script = command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(script.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "ready\n", "no PostgreSQL server could be started: install Debian's package postgresql");
    Cluster { folder, port, programs, _script: script }
}

/// Where the server's programs are: Debian keeps them out of the path.
fn programs() -> String {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin/"))))
        .filter(|(_, folder)| folder.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map_or_else(String::new, |(_, folder)| folder.display().to_string())
}

/// An authority, the server's certificate for `localhost`, and a client certificate of the user `certified`; and another
/// authority, which has issued nothing.
fn certificates(folder: &Path) {
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let authority = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        (params.self_signed(&key).unwrap().pem(), Issuer::new(params, key))
    };
    let (ca, issuer) = authority("the authority of these tests");
    write("ca.crt", &ca);
    write("other-ca.crt", &authority("another authority").0);
    for (file, name) in [("server", "localhost"), ("client", "certified")] {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        write(&format!("{file}.crt"), &params.signed_by(&key, &issuer).unwrap().pem());
        write(&format!("{file}.key"), &key.serialize_pem());
    }
}
