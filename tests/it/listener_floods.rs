//! Listeners with many connections that are silent, disconnect early or never read: other clients are served, and all of these
//! connections are closed in time.

use std::time::Duration;

use countersign::env::ManualClock;
use countersign::web::listener::{Connections, Listener, Timeouts};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::compose::Broker;
use crate::harness::tls::{answer, closed, get};
use crate::harness::{BASE, IDP, PARTNER, START};
use crate::support::provider::Net;

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// A broker with a public listener and an admin listener, as `serve` opens them.
struct Running {
    broker: Broker,
    public: u16,
    admin: u16,
    _stop: watch::Sender<bool>,
    _servers: JoinSet<()>,
}

impl Running {
    async fn start(limits: &str, timeouts: Timeouts) -> Self {
        let clock = ManualClock::at(START);
        let net = Net::of(&[IDP, PARTNER], &clock);
        let broker = Broker::start(BASE, &[limits], &clock, &net).await;
        let (stop, stopped) = watch::channel(false);
        let mut servers = JoinSet::new();
        let mut ports = Vec::new();
        let resolved = broker.limits();
        for (router, connections) in
            [(broker.router(), broker.connections().clone()), (broker.admin_router(), Connections::admin(&resolved))]
        {
            let listener = Listener::open("127.0.0.1:0").await.unwrap();
            let listener = listener.with_timeouts(timeouts).with_connections(&connections);
            ports.push(listener.url().rsplit(':').next().unwrap().parse().unwrap());
            servers.spawn(listener.serve(router, stopped.clone()));
        }
        Self { broker, public: ports[0], admin: ports[1], _stop: stop, _servers: servers }
    }

    async fn open(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.public)).await.unwrap()
    }

    async fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.open().await;
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// Sends a request head and returns the status of the response.
    async fn status(&self, head: &str) -> u16 {
        answer(&mut self.send(head.as_bytes()).await).await.0
    }

    async fn is_ready(&self) -> bool {
        let mut stream = TcpStream::connect(("127.0.0.1", self.admin)).await.unwrap();
        get(&mut stream, "/readyz").await.0 == 200
    }
}

const HALF_HEAD: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nX-Half:";
const HALF_BODY: &[u8] =
    b"POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 99\r\n\r\nhalf";

#[tokio::test]
async fn d42_half_sent_requests_keep_nobody_out() {
    let running = Running::start("limits.connections = 16", Timeouts::default()).await;
    let mut proxy = running.open().await;
    assert_eq!(get(&mut proxy, DISCOVERY).await.0, 200);
    for half in [HALF_HEAD, HALF_BODY, b"", b"\r\n"] {
        let mut strangers = Vec::new();
        for n in 0..300 {
            strangers.push(running.send(half).await);
            if n % 30 == 29 {
                let mut person = running.open().await;
                assert_eq!(get(&mut person, DISCOVERY).await.0, 200);
            }
        }
        assert!(running.is_ready().await);
        let figures = running.broker.connections().figures();
        assert!(figures.open <= figures.most && figures.most == 16, "{figures:?}");
        // A connection that was idle in the meantime is kept, because the others were closed to make room.
        assert_eq!(get(&mut proxy, DISCOVERY).await.0, 200);
        drop(strangers);
    }
}

#[tokio::test]
async fn d42_idle_connections_make_room_for_new_ones() {
    let running = Running::start("limits.connections = 4", Timeouts::default()).await;
    let mut idle = Vec::new();
    for _ in 0..40 {
        let mut stream = running.open().await;
        assert_eq!(get(&mut stream, DISCOVERY).await.0, 200);
        idle.push(stream);
    }
    for stream in &mut idle[..36] {
        closed(stream).await;
    }
    for stream in &mut idle[36..] {
        assert_eq!(get(stream, DISCOVERY).await.0, 200);
    }
    assert!(running.broker.metrics().await.contains("countersign_connections_closed_for_room_total 36\n"));
}

#[tokio::test]
async fn d42_a_reload_changes_how_many_connections_there_may_be() {
    let running = Running::start("limits.connections = 2", Timeouts::default()).await;
    let (mut first, mut second) = (running.open().await, running.open().await);
    assert_eq!((get(&mut first, DISCOVERY).await.0, get(&mut second, DISCOVERY).await.0), (200, 200));
    running.broker.reload(BASE, &["limits.connections = 3"]).await;
    let mut third = running.open().await;
    assert_eq!(get(&mut third, DISCOVERY).await.0, 200);
    assert_eq!(get(&mut first, DISCOVERY).await.0, 200);
}

#[tokio::test]
async fn d42_a_head_that_has_begun_ends_in_time_and_an_idle_connection_goes_on() {
    let timeouts = Timeouts { first_head: Duration::from_millis(50), ..Timeouts::default() };
    let running = Running::start("", timeouts).await;
    let mut idle = running.open().await;
    assert_eq!(get(&mut idle, DISCOVERY).await.0, 200);
    let mut later = running.open().await;
    assert_eq!(get(&mut later, DISCOVERY).await.0, 200);
    later.write_all(HALF_HEAD).await.unwrap();
    for bytes in [b"", HALF_HEAD] {
        closed(&mut running.send(bytes).await).await;
    }
    closed(&mut later).await;
    // More than twice that time has passed.
    assert_eq!(get(&mut idle, DISCOVERY).await.0, 200);
}

#[tokio::test]
async fn d42_who_takes_no_answer_is_left_in_time() {
    let timeouts = Timeouts { write: Duration::from_millis(50), ..Timeouts::default() };
    let running = Running::start("", timeouts).await;
    let mut stream = running.open().await;
    let request = format!("GET {DISCOVERY} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(100);
    // First until the buffers of both sides are full, then until the broker closes the connection.
    while stream.write_all(request.as_bytes()).await.is_ok() {}
    let mut person = running.open().await;
    assert_eq!(get(&mut person, DISCOVERY).await.0, 200);
    let open = async || running.broker.connections().figures().open;
    assert_eq!(open().await, 1);
}

#[tokio::test]
async fn a_request_has_exactly_one_host() {
    let running = Running::start("", Timeouts::default()).await;
    for (head, status) in [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nhost: a.example\r\nHOST: a.example\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a.example/x\r\n\r\n", 400),
        ("GET http://a.example/ HTTP/1.1\r\n\r\n", 400),
        ("POST /oauth2/token HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", 200),
        ("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 200),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 200),
        ("GET / HTTP/1.0\r\n\r\n", 200),
    ] {
        assert_eq!(running.status(head).await, status, "{head:?}");
    }
}

#[tokio::test]
async fn heads_are_bounded() {
    let running = Running::start("limits.headers = \"2KiB\"\nlimits.query = \"1KiB\"", Timeouts::default()).await;
    let long = |length: usize| "x".repeat(length);
    for (target, header, status) in [
        ("/".to_owned(), long(1500), 200),
        (format!("/?{}", long(1024)), String::new(), 200),
        ("/".to_owned(), long(2049), 431),
        ("/".to_owned(), long(20_000), 431),
        ("/".to_owned(), long(500_000), 431),
        (format!("/?{}", long(1025)), String::new(), 414),
        (format!("/?{}", long(20_000)), String::new(), 414),
        (format!("/?{}", long(60_000)), String::new(), 414),
        (format!("/{}", long(60_000)), String::new(), 414),
        (format!("/{}", long(500_000)), String::new(), 414),
    ] {
        let mut stream = running.open().await;
        let (mut reading, mut writing) = stream.split();
        let head = format!("GET {target} HTTP/1.1\r\nHost: x\r\nX-Long: {header}\r\n\r\n");
        let sent = async { writing.write_all(head.as_bytes()).await };
        // The broker may respond and close before it has read everything.
        let (_, answered) = tokio::join!(sent, answer(&mut reading));
        assert_eq!(answered.0, status, "{} {}", target.len(), header.len());
    }
    // The limit applies to the second head on a connection like to the first.
    let mut stream = running.open().await;
    assert_eq!(get(&mut stream, DISCOVERY).await.0, 200);
    assert_eq!(get(&mut stream, &format!("/?{}", long(8_000))).await.0, 414);
}
