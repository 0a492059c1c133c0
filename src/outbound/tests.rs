//! The policy as a table, and the real client against sockets that misbehave (D24).

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::outbound::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

#[test]
fn only_global_unicast_addresses_are_public() {
    let public =
        ["1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"];
    let not = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.9.9.9",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "100::1",
    ];
    for address in public {
        assert!(is_public(address.parse().unwrap()), "{address}");
    }
    for address in not {
        assert!(!is_public(address.parse().unwrap()), "{address}");
    }
}

#[test]
fn urls_are_judged_by_scheme_and_written_address() {
    let forbidden = |host: &str| Err(OutboundError::ForbiddenAddress(host.to_owned()));
    let not_https = |host: &str| Err(OutboundError::NotHttps(host.to_owned()));
    let strangers = OutboundPolicy::strangers();
    let corporate = OutboundPolicy::trusting([&url("https://10.1.2.3/realms/a"), &url("https://id.corp.example")]);
    let local = OutboundPolicy::trusting([&url("http://127.0.0.1:8080")]);
    let private = OutboundPolicy::strangers().allow_private_network(true);
    let plain = OutboundPolicy::strangers().allow_http(true);
    let cases = [
        (&strangers, "https://idp.example/token", Ok(())),
        (&strangers, "http://idp.example/token", not_https("idp.example")),
        (&strangers, "https://10.1.2.3/", forbidden("10.1.2.3")),
        (&strangers, "https://0x7f.1/", forbidden("127.0.0.1")),
        (&strangers, "https://2852039166/", forbidden("169.254.169.254")),
        (&strangers, "https://[::ffff:10.0.0.1]/", forbidden("[::ffff:a00:1]")),
        (&strangers, "http://localhost/", forbidden("localhost")),
        (&strangers, "https://LOCALHOST./", forbidden("localhost.")),
        (&strangers, "https://a.localhost/", forbidden("a.localhost")),
        (&corporate, "https://10.1.2.3:9443/jwks", Ok(())),
        (&corporate, "https://10.1.2.4/jwks", forbidden("10.1.2.4")),
        (&corporate, "http://10.1.2.3/jwks", not_https("10.1.2.3")),
        (&corporate, "https://127.0.0.1/", forbidden("127.0.0.1")),
        (&local, "http://localhost:9/", Ok(())),
        (&local, "http://[::1]:9/", Ok(())),
        (&local, "https://10.1.2.3/", forbidden("10.1.2.3")),
        (&private, "https://10.1.2.3/", Ok(())),
        (&private, "http://10.1.2.3/", not_https("10.1.2.3")),
        (&plain, "http://idp.example/", Ok(())),
        (&plain, "http://10.1.2.3/", forbidden("10.1.2.3")),
    ];
    for (policy, text, expected) in cases {
        assert_eq!(policy.check(&url(text)), expected, "{text}");
    }
    for text in ["ftp://idp.example/", "file:///etc/passwd", "data:text/plain,x", "https://user@idp.example/"] {
        assert!(matches!(strangers.check(&url(text)), Err(OutboundError::InvalidUrl(_))), "{text}");
    }
}

#[test]
fn the_proxys_password_is_not_printed() {
    let policy = OutboundPolicy::strangers().with_proxy(Some(&url("http://user:hunter2@proxy.example:3128")));
    assert!(!format!("{policy:?}").contains("hunter2"));
}

/// A server that answers every request on every connection with the same bytes, and then does what [`Then`] says.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// Waits for the next request.
    Waits,
    Closes,
    /// Sends nothing more, and does not close.
    Hangs,
    /// Sends the same byte forever.
    Floods,
}

impl Server {
    async fn start<A: AsRef<[u8]> + ?Sized>(answer: &'static A, then: Then) -> Self {
        let answer = answer.as_ref();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server =
            Self { address: listener.local_addr().unwrap(), connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (Arc::clone(&server.connections), Arc::clone(&server.requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, answer, then, Arc::clone(&requests)));
            }
        });
        server
    }

    fn url(&self, host: &str) -> Url {
        url(&format!("http://{host}:{}/path?query=1", self.address.port()))
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, answer: &[u8], then: Then, requests: Arc<Mutex<Vec<String>>>) -> io::Result<()> {
    loop {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read(&mut byte).await? == 0 {
                return Ok(());
            }
            request.extend_from_slice(&byte);
        }
        requests.lock().unwrap().push(String::from_utf8(request).unwrap());
        stream.write_all(answer).await?;
        match then {
            Then::Waits => {}
            Then::Closes => return Ok(()),
            Then::Hangs => std::future::pending().await,
            Then::Floods => loop {
                stream.write_all(&[b'x'; 1024]).await?;
            },
        }
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/// A resolver that returns what the test sets: one answer per lookup, then the last one forever.
struct Names(Mutex<VecDeque<Vec<IpAddr>>>);

#[async_trait]
impl Lookup for Names {
    async fn lookup(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        answer.ok_or_else(|| io::Error::other("no such name"))
    }
}

/// A client for which every name resolves to these addresses in turn.
fn client(answers: &[&[&str]]) -> GuardedClient {
    let answers = answers.iter().map(|answer| answer.iter().map(|address| address.parse().unwrap()).collect());
    let limits = Limits { total: Duration::from_secs(5), body: 64 };
    GuardedClient::new(limits, Arc::new(Names(Mutex::new(answers.collect()))))
}

async fn get(
    client: &GuardedClient,
    url: &Url,
    policy: &OutboundPolicy,
) -> Result<http::Response<Vec<u8>>, OutboundError> {
    let request = http::Request::builder().uri(url.as_str()).header("authorization", "Bearer t").body(Vec::new());
    client.send(request.unwrap(), policy).await
}

#[tokio::test]
async fn an_answer_comes_back_whole_whatever_its_status() {
    let answer = "HTTP/1.1 503 Busy\r\nx-a: b\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let server = Server::start(answer, Then::Waits).await;
    let policy = OutboundPolicy::trusting([&server.url("127.0.0.1")]);
    let response = get(&client(&[]), &server.url("127.0.0.1"), &policy).await.unwrap();
    assert_eq!((response.status().as_u16(), response.body().as_slice()), (503, b"abcde".as_slice()));
    assert_eq!(response.headers().get("x-a").unwrap(), "b");
    let request = server.requests.lock().unwrap().concat().to_lowercase();
    assert!(request.starts_with("get /path?query=1 http/1.1\r\n"));
    assert!(request.contains("authorization: bearer t\r\n"));
    assert!(request.contains("accept-encoding: identity\r\n"));
    assert!(!request.contains("cookie") && !request.contains("referer"));
}

#[tokio::test]
async fn d24_the_address_that_is_connected_to_is_the_one_that_was_checked() {
    let server = Server::start(OK, Then::Waits).await;
    let name = server.url("idp.test");
    let strangers = OutboundPolicy::strangers().allow_http(true);
    for addresses in [&["127.0.0.1"][..], &["10.0.0.1"], &["169.254.169.254", "::1"], &["::ffff:127.0.0.1"]] {
        let outcome = get(&client(&[addresses]), &name, &strangers).await;
        assert_eq!(outcome.unwrap_err(), OutboundError::ForbiddenAddress("idp.test".to_owned()), "{addresses:?}");
    }
    assert_eq!(server.connections(), 0);
    // The operator configured the name, permits private addresses, or uses loopback.
    let permitting = [
        OutboundPolicy::trusting([&url("https://idp.test")]).allow_http(true),
        OutboundPolicy::strangers().allow_http(true).allow_private_network(true),
        OutboundPolicy::trusting([&url("http://localhost:1")]).allow_http(true),
    ];
    for policy in permitting {
        assert!(get(&client(&[&["127.0.0.1"]]), &name, &policy).await.is_ok());
    }
    // Forbidden addresses are skipped; the others are tried.
    let loopback = OutboundPolicy::trusting([&url("http://localhost:1")]).allow_http(true);
    assert!(get(&client(&[&["10.0.0.1", "127.0.0.1"]]), &name, &loopback).await.is_ok());
}

#[tokio::test]
async fn d24_a_name_that_moves_between_calls_is_checked_again() {
    let server = Server::start(OK, Then::Closes).await;
    let name = server.url("idp.test");
    let policy = OutboundPolicy::trusting([&url("http://localhost:1")]).allow_http(true);
    let client = client(&[&["127.0.0.1"], &["10.0.0.1"]]);
    assert!(get(&client, &name, &policy).await.is_ok());
    assert_eq!(get(&client, &name, &policy).await.unwrap_err(), OutboundError::ForbiddenAddress("idp.test".to_owned()));
}

#[tokio::test]
async fn d24_answers_are_bounded() {
    let redirect = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    let small =
        "HTTP/1.1 200 OK\r\ncontent-length: 64\r\n\r\n0123456789012345678901234567890123456789012345678901234567890123";
    let large = "HTTP/1.1 200 OK\r\ncontent-length: 65\r\n\r\n01234567890123456789012345678901234567890123456789012345678901234";
    let no_gzip = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}";
    let brotli = "HTTP/1.1 200 OK\r\ncontent-encoding: br\r\ncontent-length: 2\r\n\r\n{}";
    let endless = "HTTP/1.1 200 OK\r\n\r\n";
    let huge = "HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n";
    let cases = [
        (small, Then::Waits, None),
        (large, Then::Waits, Some(OutboundError::TooLarge(64))),
        (endless, Then::Floods, Some(OutboundError::TooLarge(64))),
        (huge, Then::Floods, Some(OutboundError::TooLarge(64))),
        (redirect, Then::Waits, Some(OutboundError::Redirect(302))),
        (no_gzip, Then::Waits, Some(OutboundError::Compressed)),
        (brotli, Then::Waits, Some(OutboundError::Compressed)),
    ];
    for (answer, then, error) in cases {
        let server = Server::start(answer, then).await;
        let policy = OutboundPolicy::trusting([&server.url("127.0.0.1")]);
        assert_eq!(get(&client(&[]), &server.url("127.0.0.1"), &policy).await.err(), error, "{answer}");
        assert_eq!(server.requests.lock().unwrap().len(), 1, "{answer}");
    }
}

/// A response with this gzipped body.
fn gzipped(encoding: &str, contents: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(contents).unwrap();
    let body = encoder.finish().unwrap();
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: {encoding}\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.into_bytes(), body].concat()
}

#[tokio::test]
async fn a_gzipped_answer_is_read_within_the_bounds() {
    for (encoding, contents, expected) in [
        ("gzip", b"{\"a\":1}".to_vec(), Ok(b"{\"a\":1}".to_vec())),
        ("x-gzip", b"{}".to_vec(), Ok(b"{}".to_vec())),
        ("GZIP", b"{}".to_vec(), Ok(b"{}".to_vec())),
        ("gzip", vec![b'x'; 64], Ok(vec![b'x'; 64])),
        ("gzip", vec![b'x'; 65], Err(OutboundError::TooLarge(64))),
        ("gzip", vec![b'x'; 5000], Err(OutboundError::TooLarge(64))),
        ("gzip, gzip", b"{}".to_vec(), Err(OutboundError::Compressed)),
    ] {
        let server = Server::start(gzipped(encoding, &contents).leak(), Then::Waits).await;
        let policy = OutboundPolicy::trusting([&server.url("127.0.0.1")]);
        let outcome = get(&client(&[]), &server.url("127.0.0.1"), &policy).await;
        let outcome = outcome.map(|response| {
            assert!(!response.headers().contains_key("content-encoding"));
            response.into_body()
        });
        assert_eq!(outcome, expected, "{encoding} {}", contents.len());
    }
}

#[tokio::test]
async fn d24_a_slow_answer_ends_in_time() {
    for answer in ["", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{"] {
        let server = Server::start(answer, Then::Hangs).await;
        let limits = Limits { total: Duration::from_millis(100), body: 64 };
        let client = GuardedClient::new(limits, Arc::new(SystemLookup));
        let policy = OutboundPolicy::trusting([&server.url("127.0.0.1")]);
        assert_eq!(get(&client, &server.url("127.0.0.1"), &policy).await.unwrap_err(), OutboundError::Timeout);
    }
}

#[tokio::test]
async fn what_is_no_answer_is_told_apart() {
    let policy = OutboundPolicy::trusting([&url("http://127.0.0.1")]).allow_http(true);
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = get(&client(&[]), &url(&format!("http://{closed}/")), &policy).await.unwrap_err();
    assert!(matches!(&refused, OutboundError::Connect(text) if text.contains("refused")), "{refused}");
    let unknown = get(&client(&[]), &url("http://nowhere.test/"), &policy).await.unwrap_err();
    assert_eq!(unknown, OutboundError::Connect("no such name".to_owned()));
    let server = Server::start("220 smtp ready\r\n", Then::Closes).await;
    let odd = get(&client(&[]), &server.url("127.0.0.1"), &policy).await.unwrap_err();
    assert!(matches!(odd, OutboundError::Failed(_)), "{odd}");
    let server = Server::start("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", Then::Closes).await;
    let cut = get(&client(&[]), &server.url("127.0.0.1"), &policy).await.unwrap_err();
    assert!(matches!(cut, OutboundError::Failed(_)), "{cut}");
}

#[tokio::test]
async fn connections_are_kept_and_never_shared_between_policies() {
    let server = Server::start(OK, Then::Waits).await;
    let name = server.url("idp.test");
    let trusting = OutboundPolicy::trusting([&url("https://idp.test")]).allow_http(true);
    let client = client(&[&["127.0.0.1"]]);
    for _ in 0..3 {
        get(&client, &name, &trusting).await.unwrap();
    }
    assert_eq!(server.connections(), 1);
    let strangers = OutboundPolicy::strangers().allow_http(true);
    assert!(get(&client, &name, &strangers).await.is_err());
    get(&client, &name, &strangers.allow_private_network(true)).await.unwrap();
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn calls_go_through_the_proxy_that_is_declared() {
    let proxy = Server::start(OK, Then::Waits).await;
    let address = url(&format!("http://127.0.0.1:{}", proxy.address.port()));
    let policy = OutboundPolicy::strangers().allow_http(true).with_proxy(Some(&address));
    get(&client(&[]), &url("http://idp.test/path"), &policy).await.unwrap();
    assert!(proxy.requests.lock().unwrap().concat().starts_with("GET http://idp.test/path HTTP/1.1\r\n"));
    // A forbidden address stays forbidden.
    assert!(get(&client(&[]), &url("http://169.254.169.254/"), &policy).await.is_err());
}

#[tokio::test]
async fn a_ca_file_without_a_certificate_is_told() {
    let policy = OutboundPolicy::trusting([&url("http://127.0.0.1")]).with_ca(Some(Arc::from(b"oops".as_slice())));
    let refusal = get(&client(&[]), &url("http://127.0.0.1:1/"), &policy).await.unwrap_err();
    assert_eq!(refusal, OutboundError::Connect("ca holds no certificate in PEM form".to_owned()));
}

#[tokio::test]
async fn a_redirect_is_an_answer_where_it_is_asked_for_and_is_not_followed() {
    let redirect = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n";
    let server = Server::start(redirect, Then::Waits).await;
    let address = server.url("127.0.0.1");
    let policy = OutboundPolicy::trusting([&address]);
    let call = http::Request::get(address.as_str()).extension(RedirectIsAnswer).body(Vec::new()).unwrap();
    let answer = client(&[]).send(call, &policy).await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (302, &"/elsewhere".parse().unwrap()));
    assert_eq!(server.requests.lock().unwrap().len(), 1);
}
