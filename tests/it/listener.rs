//! The listeners on real sockets: TLS, changed certificates, unix sockets, silent clients, and shutdown.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use countersign::env::ManualClock;
use countersign::snapshot::reload::Reloaded;
use countersign::web::listener::{Listener, Timeouts};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use crate::harness::compose::{Broker, prepared_from};
use crate::harness::tls::{Pair, answer, closed, get};
use crate::harness::{BASE, IDP, PARTNER, START};
use crate::support::provider::Net;

const DISCOVERY: &str = "/.well-known/openid-configuration";
const WITH_TLS: &str = "[server]\ntls = { cert = \"tls.pem\", key = \"tls.key\" }\n";

/// A broker on sockets, with its files in its own folder.
struct Running {
    broker: Broker,
    folder: TempDir,
    /// The addresses of the listeners, in their order.
    urls: Vec<String>,
    stop: watch::Sender<bool>,
    servers: JoinSet<()>,
}

impl Running {
    async fn start(toml: &str, pair: Option<&Pair>, addresses: &[&str], timeouts: Timeouts) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("broker.toml");
        std::fs::write(&file, toml).unwrap();
        if let Some(pair) = pair {
            pair.save(folder.path());
        }
        let clock = ManualClock::at(START);
        let broker = Broker::on_disk(&file, &clock, &Net::of(&[IDP, PARTNER], &clock)).await;
        let (stop, stopped) = watch::channel(false);
        let mut running = Self { broker, folder, urls: Vec::new(), stop, servers: JoinSet::new() };
        for address in addresses {
            let listener = Listener::open(&running.path_in(address)).await.unwrap().with_timeouts(timeouts);
            let listener = if pair.is_some() { listener.with_tls(&running.broker.tls()) } else { listener };
            running.urls.push(listener.url());
            running.servers.spawn(listener.serve(running.broker.router(), stopped.clone()));
        }
        running
    }

    /// With TLS, on a port chosen by the system.
    async fn tls(pair: &Pair) -> Self {
        Self::start(&with_tls(), Some(pair), &["127.0.0.1:0"], Timeouts::default()).await
    }

    fn path_in(&self, address: &str) -> String {
        address.replace("{folder}", self.folder.path().to_str().unwrap())
    }

    fn port(&self) -> u16 {
        self.urls[0].rsplit(':').next().unwrap().parse().unwrap()
    }

    async fn plain(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port())).await.unwrap()
    }

    /// Stops, and waits until all requests in progress are finished.
    async fn stop(mut self) {
        self.stop.send_replace(true);
        while let Some(ended) = self.servers.join_next().await {
            ended.unwrap();
        }
    }
}

fn with_tls() -> String {
    BASE.replace("\n[providers.staff]", &format!("\n{WITH_TLS}\n[providers.staff]"))
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_with_the_files_certificate() {
    let pair = Pair::new();
    let running = Running::tls(&pair).await;
    assert!(running.urls[0].starts_with("https://127.0.0.1:"), "{:?}", running.urls);
    for version in [&TLS12, &TLS13] {
        for protocols in [&["http/1.1"][..], &["h2", "http/1.1"], &[]] {
            let mut stream = pair.connect_with(running.port(), &[version], protocols).await.unwrap();
            let (_, session) = stream.get_ref();
            assert_eq!(session.protocol_version(), Some(version.version));
            assert_eq!(session.alpn_protocol(), (!protocols.is_empty()).then_some(&b"http/1.1"[..]));
            let (status, body) = get(&mut stream, DISCOVERY).await;
            assert_eq!((status, body.contains("\"issuer\":\"https://sso.example.com\"")), (200, true), "{body}");
        }
    }
    assert!(pair.connect_with(running.port(), &[&TLS13], &["h2"]).await.is_err(), "HTTP/2 alone is not served");
    assert!(Pair::new().connect(running.port()).await.is_err(), "who believes another certificate is not served");
}

#[tokio::test]
async fn plain_http_on_a_tls_port_is_told_so() {
    let running = Running::tls(&Pair::new()).await;
    let mut stream = running.plain().await;
    let (status, body) = get(&mut stream, DISCOVERY).await;
    assert_eq!((status, body.as_str()), (400, "This port speaks HTTPS: use https://...\n"));
    closed(&mut stream).await;
}

#[tokio::test]
async fn what_is_no_handshake_is_closed() {
    let running = Running::tls(&Pair::new()).await;
    for bytes in [&b"\x16\x03\x01\xff\xff\xff\xff\xff\xff\xff"[..], &[0; 64], b"ssh-2.0\r\n\r\n\r\n\r\n"] {
        let mut stream = running.plain().await;
        stream.write_all(bytes).await.unwrap();
        // An alert may come first.
        while !matches!(tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 64]).await, Ok(0) | Err(_)) {}
    }
}

#[tokio::test]
async fn d42_silent_clients_keep_nobody_out() {
    let pair = Pair::new();
    let running = Running::tls(&pair).await;
    let mut silent = Vec::new();
    for n in 0..200 {
        let mut stream = running.plain().await;
        // Some send nothing at all, others disconnect within the handshake's first record.
        if n % 2 == 0 {
            stream.write_all(b"\x16\x03\x01").await.unwrap();
        }
        silent.push(stream);
    }
    let mut stream = pair.connect(running.port()).await.unwrap();
    assert_eq!(get(&mut stream, DISCOVERY).await.0, 200);
    drop(silent);
}

#[tokio::test]
async fn d42_a_handshake_ends_in_time() {
    let brief = Timeouts { handshake: Duration::from_millis(20), ..Timeouts::default() };
    let running = Running::start(&with_tls(), Some(&Pair::new()), &["127.0.0.1:0"], brief).await;
    for bytes in [&b""[..], b"\x16\x03\x01"] {
        let mut stream = running.plain().await;
        stream.write_all(bytes).await.unwrap();
        closed(&mut stream).await;
    }
}

#[tokio::test]
async fn d42_a_body_that_does_not_come_ends_in_time() {
    let brief = Timeouts { body: Duration::from_millis(20), ..Timeouts::default() };
    let running = Running::start(BASE, None, &["127.0.0.1:0"], brief).await;
    for path in ["/oauth2/token", "/nowhere"] {
        let mut stream = running.plain().await;
        let head = format!("POST {path} HTTP/1.1\r\nHost: broker\r\nContent-Length: 10\r\n\r\nhalf");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).await.unwrap();
        assert!(said.starts_with("HTTP/1.1 408 "), "{said}");
    }
}

#[tokio::test]
async fn d42_a_connection_without_requests_ends_in_time() {
    let brief = Timeouts { head: Duration::from_millis(20), ..Timeouts::default() };
    let pair = Pair::new();
    let tls = Running::start(&with_tls(), Some(&pair), &["127.0.0.1:0"], brief).await;
    closed(&mut pair.connect(tls.port()).await.unwrap()).await;
    let plain = Running::start(BASE, None, &["127.0.0.1:0"], brief).await;
    for bytes in ["", "GET / HTTP/1.1\r\nHost:"] {
        let mut stream = plain.plain().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        closed(&mut stream).await;
    }
}

#[tokio::test]
async fn a_new_pair_is_served_at_once_and_no_connection_ends() {
    let (old, new) = (Pair::new(), Pair::new());
    let running = Running::tls(&old).await;
    let mut reloader = running.broker.reloader(&running.folder.path().join("broker.toml"));
    let mut before = old.connect(running.port()).await.unwrap();
    assert_eq!(get(&mut before, DISCOVERY).await.0, 200);
    assert_eq!(reloader.reload().await, Reloaded::Unchanged);

    new.save(running.folder.path());
    assert_eq!(reloader.reload().await, Reloaded::Applied(2));
    let mut after = new.connect(running.port()).await.unwrap();
    assert_eq!(after.get_ref().1.peer_certificates().unwrap(), [new.der()]);
    assert_eq!(get(&mut after, DISCOVERY).await.0, 200);
    assert_eq!(get(&mut before, DISCOVERY).await.0, 200, "the connection goes on");
    assert!(old.connect(running.port()).await.is_err());
}

#[tokio::test]
async fn a_broken_new_pair_leaves_the_old_one_serving() {
    let (old, new) = (Pair::new(), Pair::new());
    let running = Running::tls(&old).await;
    let folder = running.folder.path();
    let mut reloader = running.broker.reloader(&folder.join("broker.toml"));
    let half = old.cert.split_at(old.cert.len() / 2).0;
    for (name, content, told) in [
        ("tls.pem", &new.cert[..], "must be the key of the certificate in"),
        ("tls.pem", half, "its PEM is damaged"),
        ("tls.pem", b"", "must be a PEM file"),
        ("tls.key", &new.key, "must be the key of the certificate in"),
        ("tls.key", &old.cert, "must hold a private key"),
    ] {
        old.save(folder);
        std::fs::write(folder.join(name), content).unwrap();
        let outcome = reloader.reload().await;
        assert!(matches!(&outcome, Reloaded::Refused(problems) if problems.contains(told)), "{told}: {outcome:?}");
        assert!(running.broker.reload_failed());
        let mut stream = old.connect(running.port()).await.unwrap();
        assert_eq!(get(&mut stream, DISCOVERY).await.0, 200);
    }
    std::fs::remove_file(folder.join("tls.key")).unwrap();
    assert!(matches!(reloader.reload().await, Reloaded::Refused(problems) if problems.contains("can't be read")));
    assert!(old.connect(running.port()).await.is_ok());
    // Written one after the other, as renewals do: they are used once both are there.
    new.save(folder);
    assert_eq!(reloader.reload().await, Reloaded::Applied(2));
    assert!(!running.broker.reload_failed());
    assert!(new.connect(running.port()).await.is_ok());
}

#[tokio::test]
async fn turning_tls_on_or_off_needs_a_restart() {
    let pair = Pair::new();
    for (first, then) in [(BASE.to_owned(), with_tls()), (with_tls(), BASE.to_owned())] {
        let running = Running::start(&first, first.contains("tls").then_some(&pair), &[], Timeouts::default()).await;
        let file = running.folder.path().join("broker.toml");
        pair.save(running.folder.path());
        let mut reloader = running.broker.reloader(&file);
        std::fs::write(&file, then).unwrap();
        let outcome = reloader.reload().await;
        let told = "server.tls (turned on or off): a change needs a restart";
        assert!(matches!(&outcome, Reloaded::Refused(problems) if problems.contains(told)), "{outcome:?}");
    }
}

#[tokio::test]
async fn d39_stopping_finishes_requests_and_ends_everything_else() {
    let pair = Pair::new();
    for address in ["127.0.0.1:0", "unix:{folder}/broker.sock"] {
        let running = Running::start(&with_tls(), Some(&pair), &[address], Timeouts::default()).await;
        if address.starts_with("unix:") {
            let path = running.folder.path().join("broker.sock");
            let idle = UnixStream::connect(&path).await.unwrap();
            finishes(running, UnixStream::connect(&path).await.unwrap(), vec![Box::new(idle)]).await;
        } else {
            let mut unshaken = running.plain().await;
            unshaken.write_all(b"\x16\x03\x01").await.unwrap();
            let idle = pair.connect(running.port()).await.unwrap();
            let busy = pair.connect(running.port()).await.unwrap();
            finishes(running, busy, vec![Box::new(idle), Box::new(unshaken)]).await;
        }
    }
}

#[tokio::test]
async fn d39_a_request_that_meets_the_stop_is_answered_and_its_connection_closed() {
    let running = Running::start(BASE, None, &["127.0.0.1:0"], Timeouts::default()).await;
    let mut used = running.plain().await;
    assert_eq!(get(&mut used, DISCOVERY).await.0, 200);
    let silent = running.plain().await;
    // The broker accepts this one only after it was told to stop, because nothing else has run in between.
    let late = std::net::TcpStream::connect(("127.0.0.1", running.port())).unwrap();
    running.stop.send_replace(true);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    late.set_nonblocking(true).unwrap();
    let mut all = [used, silent, TcpStream::from_std(late).unwrap()];
    for stream in &mut all {
        stream.write_all(format!("GET {DISCOVERY} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
    }
    for stream in &mut all {
        let mut response = String::new();
        stream.read_to_string(&mut response).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
        assert!(response.to_lowercase().contains("\r\nconnection: close\r\n"), "{response}");
    }
    let port = running.port();
    running.stop().await;
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err(), "nothing more is accepted");
}

trait Duplex: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}
impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Duplex for S {}

/// Stops a broker in the middle of a request on `busy`.
async fn finishes(running: Running, mut busy: impl Duplex, idle: Vec<Box<dyn Duplex>>) {
    assert_eq!(get(&mut busy, DISCOVERY).await.0, 200);
    let head = "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                Content-Length: 12\r\nExpect: 100-continue\r\n\r\n";
    busy.write_all(head.as_bytes()).await.unwrap();
    // After this, the request is in progress: its handler asks for the body.
    assert_eq!(answer(&mut busy).await.0, 100);
    let stopping = tokio::spawn(running.stop());
    for mut idle in idle {
        closed(&mut idle).await;
    }
    assert!(!stopping.is_finished(), "a request is under way");
    busy.write_all(b"grant_type=x").await.unwrap();
    assert_eq!(answer(&mut busy).await.0, 401, "no client authentication");
    closed(&mut busy).await;
    stopping.await.unwrap();
}

#[tokio::test]
async fn tcp_and_unix_listeners_serve_side_by_side() {
    let pair = Pair::new();
    let addresses = ["127.0.0.1:0", "unix:{folder}/a.sock", "unix:{folder}/b.sock"];
    let running = Running::start(&with_tls(), Some(&pair), &addresses, Timeouts::default()).await;
    assert_eq!(running.urls[1], running.path_in(addresses[1]));
    assert_eq!(get(&mut pair.connect(running.port()).await.unwrap(), DISCOVERY).await.0, 200);
    for name in ["a.sock", "b.sock"] {
        let path = running.folder.path().join(name);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660, "owner and group only");
        // The unix socket does not use TLS, because its traffic does not leave the machine.
        let mut stream = UnixStream::connect(&path).await.unwrap();
        assert_eq!(get(&mut stream, DISCOVERY).await.0, 200);
        assert_eq!(get(&mut stream, "/oauth2/jwks").await.0, 200);
    }
    let folder = running.folder.path().to_owned();
    let kept = std::fs::read_dir(&folder).unwrap().count();
    let Running { stop, mut servers, folder: _folder, .. } = running;
    stop.send_replace(true);
    while servers.join_next().await.is_some() {}
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), kept - 2, "the sockets are gone");
}

#[tokio::test]
async fn a_socket_that_a_killed_process_left_is_replaced_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broker.sock");
    let address = format!("unix:{}", path.display());
    // A socket as a killed process leaves it: it exists, but nobody listens.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let listener = Listener::open(&address).await.unwrap();

    let in_use = Listener::open(&address).await.err().unwrap();
    assert!(in_use.starts_with(&address) && in_use.contains("another process listens there"), "{in_use}");
    assert!(UnixStream::connect(&path).await.is_ok(), "the one that listens is untouched");

    // Another process's socket, created in its place in the meantime, is not removed at shutdown.
    std::fs::remove_file(&path).unwrap();
    let other = std::os::unix::net::UnixListener::bind(&path).unwrap();
    drop(listener);
    assert!(path.exists());
    drop(other);
    drop(Listener::open(&address).await.unwrap());
    assert!(!path.exists());

    std::fs::write(&path, "precious").unwrap();
    let no_socket = Listener::open(&address).await.err().unwrap();
    assert!(no_socket.starts_with(&address) && no_socket.contains("not a socket"), "{no_socket}");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    let link = folder.path().join("link.sock");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(Listener::open(&format!("unix:{}", link.display())).await.err().unwrap().contains("not a socket"));
    let homeless = format!("unix:{}/none/broker.sock", folder.path().display());
    assert!(Listener::open(&homeless).await.err().unwrap().contains("make it first"));
}

/// The output of `check`: `line:column severity message` of each problem.
fn problems(main: &Path, without_secrets: bool, now: i64) -> Vec<String> {
    let found = prepared_from(main, without_secrets, now).problems;
    found
        .iter()
        .filter(|problem| problem.path.starts_with("server"))
        .map(|p| {
            assert!(p.suggestion.is_some(), "{p}");
            format!("{}:{} {} {}", p.line, p.column, p.severity, p.message)
        })
        .collect()
}

#[test]
fn check_reports_a_pair_at_its_place() {
    /// 2100-01-01T00:00:00Z, when the certificates of the tests expire.
    const END: i64 = 4_102_444_800;
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("broker.toml");
    let toml = format!("{}\n[limits]\nbody = \"0B\"\n", with_tls());
    let line = toml.lines().position(|line| line.starts_with("tls")).unwrap() + 1;
    std::fs::write(&main, toml).unwrap();
    let missing = problems(&main, false, START);
    assert_eq!(missing.len(), 2, "in addition to other errors: {missing:#?}");
    assert!(missing[0].starts_with(&format!("{line}:16 error `cert`: the file ")), "{missing:#?}");
    assert!(missing[1].starts_with(&format!("{line}:33 error `key`: the file ")), "{missing:#?}");
    assert_eq!(problems(&main, true, START), [""; 0], "the files are not looked for without secrets");

    let pair = Pair::new();
    pair.save(folder.path());
    assert_eq!(problems(&main, false, START), [""; 0]);
    let expired = problems(&main, false, END + 60);
    assert_eq!(expired.len(), 1);
    assert!(expired[0].starts_with(&format!("{line}:16 warning `cert`: in ")), "{expired:#?}");
    assert!(expired[0].contains("the certificate expired on 2100-01-01"), "{expired:#?}");
    std::fs::write(folder.path().join("tls.key"), Pair::new().key).unwrap();
    let mismatch = problems(&main, false, START);
    assert_eq!(mismatch.len(), 1);
    assert!(mismatch[0].starts_with(&format!("{line}:33 error `key` must be the key of")), "{mismatch:#?}");
}

#[test]
fn tls_that_no_listener_would_speak_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("broker.toml");
    let listening = |listen: &str| with_tls().replace("[server]", &format!("[server]\nlisten = {listen}"));
    std::fs::write(&main, listening("[\"unix:/run/a.sock\"]")).unwrap();
    let found = problems(&main, true, START);
    assert!(found.len() == 1 && found[0].contains("unix sockets only"), "{found:#?}");
    std::fs::write(&main, listening("[\"unix:/run/a.sock\", \"0.0.0.0:443\"]")).unwrap();
    assert_eq!(problems(&main, true, START), [""; 0]);
}

#[tokio::test]
async fn head_is_answered_without_a_body_and_with_the_length_of_get_or_none() {
    let running = Running::start(BASE, None, &["127.0.0.1:0"], Timeouts::default()).await;
    for (path, known) in
        [(DISCOVERY, true), ("/oauth2/jwks", true), ("/callback/staff?state=x", false), ("/oauth2/logout", false)]
    {
        let mut lengths = Vec::new();
        for method in ["GET", "HEAD"] {
            let mut stream = running.plain().await;
            let request = format!("{method} {path} HTTP/1.1\r\nhost: sso.example.com\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(!head.contains("transfer-encoding"), "{method} {path}: {head}");
            assert_eq!(body.is_empty(), method == "HEAD", "{path}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            lengths.push(length.map(str::to_owned));
        }
        assert!(lengths[0].is_some(), "{path}");
        assert_eq!(lengths[1], lengths[0].clone().filter(|_| known), "{path}");
    }
    running.stop().await;
}

#[tokio::test]
async fn an_address_that_is_taken_or_not_there_says_what_to_do() {
    let first = Listener::open("127.0.0.1:0").await.unwrap();
    let address = first.url().replace("http://", "");
    let taken = Listener::open(&address).await.err().unwrap();
    assert_eq!(
        taken,
        format!(
            "{address} can't be listened on: another process listens there: stop it, or choose another port in the \
             configuration"
        )
    );
    let strange = Listener::open("192.0.2.1:8080").await.err().unwrap();
    assert!(strange.ends_with("this machine does not have the address"), "{strange}");
}
