//! The header by which a proxy forwards a client certificate: its forms, who is believed, and what is refused.

use http::Method;
use rcgen::{ExtendedKeyUsagePurpose, KeyUsagePurpose, date_time_ymd};

use crate::harness::app::secret_of;
use crate::harness::certificates::{Ca, Leaf, byte_sequence, ca, escaped};
use crate::harness::{Browser, Reply, TestApp, log};

const GRANT: &str = "urn:countersign:grant:certificate";
const HEADER: &str = "x-client-cert";

fn file(header: &str) -> String {
    format!(
        r#"
server.trusted_proxies = ["10.0.0.0/8"]
[certificates]
listen = ["127.0.0.1:8444"]
ca = "clients-ca.pem"
clients = ["app"]
create_users = true
header = "{header}"
"#
    )
}

async fn exchange(app: &TestApp, from: &mut Browser, headers: &[(&str, &str)]) -> Reply {
    let secret = secret_of("app");
    let form = [("grant_type", GRANT), ("scope", "openid"), ("client_id", "app"), ("client_secret", &secret)];
    from.send(app, Method::POST, "/oauth2/token", Some(&form), headers).await
}

fn proxy() -> Browser {
    Browser { by_certificates: true, ..Browser::at("10.0.0.1") }
}

/// Asserts that the certificate in these headers is refused, for this reason.
async fn assert_refused(app: &TestApp, headers: &[(&str, &str)], reason: &str) {
    let reply = exchange(app, &mut proxy(), headers).await;
    assert_eq!(reply.status, 400, "{reason}: {reply}");
    let body = reply.json();
    assert_eq!(body["error"], "invalid_grant");
    let text = body["error_description"].as_str().unwrap();
    assert!(text.contains(reason), "{reason}: {text}");
}

async fn assert_accepted(app: &TestApp, headers: &[(&str, &str)]) {
    let reply = exchange(app, &mut proxy(), headers).await;
    assert_eq!(reply.status, 200, "{reply}");
}

#[tokio::test]
async fn d16_the_header_counts_on_its_listener_from_trusted_proxies_only() {
    log::capture();
    let app = TestApp::with(&file("X-Client-Cert")).await;
    let header = Leaf::named("mallory").escaped();
    let headers = [(HEADER, header.as_str())];
    for (name, mut from) in [
        ("the public listener", Browser::at("10.0.0.1")),
        ("a stranger at the listener", Browser { by_certificates: true, ..Browser::at("192.0.2.66") }),
        (
            "a stranger who says that he is a proxy",
            Browser {
                by_certificates: true,
                headers: vec![("x-forwarded-for", "10.0.0.1".to_owned())],
                ..Browser::at("192.0.2.67")
            },
        ),
        ("nobody knows whom", Browser { by_certificates: true, ..Browser::new() }),
    ] {
        let reply = exchange(&app, &mut from, &headers).await;
        reply.assert_json_error(400, "invalid_grant");
        assert!(reply.text().contains("no certificate is read here"), "{name}: {reply}");
        let url = crate::harness::Authorize::of("app").url(&app);
        let answer = from.send(&app, Method::GET, &url, None, &headers).await;
        assert!(answer.location().starts_with("https://idp.example/"), "{name}: {answer}");
    }
    assert!(app.broker.store.user("mallory").await.unwrap().is_none());
    for address in ["10.0.0.1", "192.0.2.66", "192.0.2.67"] {
        let lines = log::lines(&["certificate_ignored", address]);
        assert!(!lines.is_empty(), "{address}");
        assert!(lines.iter().all(|line| !line.contains("BEGIN")), "{lines:?}");
        let events = app.broker.store.events_after(0, u32::MAX).await.unwrap();
        let audited = |line: &String| line.contains("\"event\":\"certificate_ignored\"") && line.contains(address);
        assert!(events.iter().any(audited), "{address}: {events:?}");
    }
    assert_accepted(&app, &headers).await;
}

#[tokio::test]
async fn a_unix_peer_is_a_proxy_where_the_file_says_so() {
    use countersign::web::listener::Peer;
    use tower::ServiceExt as _;
    let header = Leaf::named("runner").escaped();
    for (proxies, status) in [("[\"unix:\"]", 200), ("[\"0.0.0.0/8\"]", 400)] {
        let text = file("X-Client-Cert").replace("[\"10.0.0.0/8\"]", proxies);
        let app = TestApp::with(&text).await;
        let body = format!("grant_type={GRANT}&client_id=app&client_secret={}", secret_of("app"));
        let request = http::Request::post("/oauth2/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .header(HEADER, &header)
            .extension(Peer::Unix)
            .body(axum::body::Body::from(body))
            .unwrap();
        let response = app.broker.certificates_router().oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{proxies}");
    }
}

#[tokio::test]
async fn the_url_encoded_form() {
    let app = TestApp::with(&file("X-Client-Cert")).await;
    let leaf = Leaf::named("runner");
    let lower = leaf.escaped().to_lowercase();
    for value in [
        leaf.escaped(),
        // nginx escapes less than it may.
        leaf.pem.replace('\n', "%0A").replace('+', "%2B").replace(' ', "%20"),
        format!("{}{}", leaf.escaped(), escaped(&ca().pem)),
    ] {
        assert_accepted(&app, &[(HEADER, &value)]).await;
    }
    assert_refused(&app, &[], "without a client certificate").await;
    assert_refused(&app, &[(HEADER, "")], "without a client certificate").await;
    let half = &leaf.escaped()[..400];
    let bad_der = escaped("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let key = escaped("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    for (value, reason) in [
        ("(null)", "not a URL-encoded PEM"),
        ("NONE", "not a URL-encoded PEM"),
        (half, "not a URL-encoded PEM"),
        (lower.as_str(), "not a URL-encoded PEM"),
        (bad_der.as_str(), "can't be read"),
        (key.as_str(), "not a URL-encoded PEM"),
        (leaf.byte_sequence().as_str(), "not a URL-encoded PEM"),
        ("%", "not a URL-encoded PEM"),
        ("%00%FF", "not a URL-encoded PEM"),
    ] {
        assert_refused(&app, &[(HEADER, value)], reason).await;
    }
    // Two certificates in one DER, and bytes after it.
    let doubled = byte_sequence(&[leaf.der.as_slice(), b"\0"].concat());
    let other = TestApp::with(&file("Client-Cert")).await;
    assert_refused(&other, &[("client-cert", &doubled)], "can't be read").await;
}

#[tokio::test]
async fn the_form_of_rfc_9440() {
    let app = TestApp::with(&file("Client-Cert")).await;
    let middle = ca().intermediate("Issuing CA", |_| {});
    let leaf = middle.issue("runner", |_| {});
    let own = leaf.byte_sequence();
    let (between, root) = (byte_sequence(middle.der()), byte_sequence(ca().der()));
    let whole = format!("{between}, {root}");
    assert_accepted(&app, &[("client-cert", &own), ("client-cert-chain", &between)]).await;
    assert_accepted(&app, &[("client-cert", &own), ("client-cert-chain", &whole)]).await;
    assert_accepted(&app, &[("client-cert", &Leaf::named("direct").byte_sequence())]).await;
    assert_accepted(&app, &[("client-cert", &Leaf::named("unpadded").byte_sequence().replace('=', ""))]).await;
    assert_refused(&app, &[("client-cert", &own)], "not issued by an authority").await;
    assert_refused(&app, &[("client-cert-chain", &own)], "without Client-Cert").await;
    for value in [own.trim_matches(':'), &own[1..], &format!("{own};a=b"), &format!("{own},{own}"), "::", ":*:", "?1"] {
        let reply = exchange(&app, &mut proxy(), &[("client-cert", value)]).await;
        reply.assert_json_error(400, "invalid_grant");
    }
    let twice = [("client-cert", own.as_str()), ("client-cert-chain", &between), ("client-cert-chain", &root)];
    assert_refused(&app, &twice, "more than once").await;
    assert_refused(&app, &[("client-cert", &own), ("client_cert-chain", &root)], "underscores").await;
}

/// `Cert` and `Chain` as Envoy writes them: quoted, URL-encoded PEM; the nearest proxy's element is the last.
#[tokio::test]
async fn the_form_of_envoy() {
    let app = TestApp::with(&file("X-Forwarded-Client-Cert")).await;
    let name = "x-forwarded-client-cert";
    let middle = ca().intermediate("Issuing CA", |_| {});
    let (leaf, below) = (Leaf::named("runner"), middle.issue("below", |_| {}));
    let hash = leaf.fingerprint().replace("sha256:", "");
    let element = |leaf: &Leaf| {
        format!("By=spiffe://x/a;Hash={hash};Cert=\"{}\";Subject=\"CN=a\\\"b,O=x;y\";URI=spiffe://x/b", leaf.escaped())
    };
    let chain = format!("{}{}", below.escaped(), escaped(&middle.pem));
    let forged = Leaf::self_signed("forged");
    for value in [
        element(&leaf),
        format!("cert={}", leaf.escaped()),
        format!("Hash={hash};Chain=\"{chain}\""),
        format!("Cert=\"{}\";Chain=\"{chain}\"", below.escaped()),
        format!("{},{}", element(&forged), element(&leaf)),
        format!("Hash=x, {}", element(&leaf)),
    ] {
        assert_accepted(&app, &[(name, &value)]).await;
    }
    for (value, reason) in [
        (format!("{},{}", element(&leaf), element(&forged)), "not issued by an authority"),
        (format!("{},Hash={hash};Subject=\"CN=admin\"", element(&leaf)), "neither Cert nor Chain"),
        (format!("{},", element(&leaf)), "last element is empty"),
        (format!("Hash={hash};Subject=\"CN=runner\""), "neither Cert nor Chain"),
        (format!("Cert=\"{}", leaf.escaped()), "quote is not closed"),
        (format!("Cert=\"{}\";Cert=\"{}\"", leaf.escaped(), forged.escaped()), "twice"),
        (format!("Cert=\"{}\";Chain=\"{chain}\"", leaf.escaped()), "not the first of its Chain"),
        (format!("Subject=\",Cert={}\"", leaf.escaped()), "neither Cert nor Chain"),
        ("Cert".to_owned(), "no value"),
        ("Cert=".to_owned(), "Cert or Chain is empty"),
    ] {
        let reply = exchange(&app, &mut proxy(), &[(name, &value)]).await;
        let text = reply.json()["error_description"].as_str().unwrap_or_default().to_owned();
        assert!(reply.status == 400 && text.contains(reason), "{reason}: {reply}");
    }
}

/// PEM without its frame and line ends, the chain separated by commas.
#[tokio::test]
async fn the_form_of_traefik() {
    let app = TestApp::with(&file("X-Forwarded-Tls-Client-Cert")).await;
    let name = "x-forwarded-tls-client-cert";
    let middle = ca().intermediate("Issuing CA", |_| {});
    let leaf = middle.issue("runner", |_| {});
    let bare = |der: &[u8]| byte_sequence(der).trim_matches(':').to_owned();
    let (own, between) = (bare(&leaf.der), bare(middle.der()));
    assert_accepted(&app, &[(name, &format!("{own},{between}"))]).await;
    assert_accepted(&app, &[(name, &bare(&Leaf::named("direct").der))]).await;
    assert_refused(&app, &[(name, &own)], "not issued by an authority").await;
    assert_refused(&app, &[(name, "")], "without a client certificate").await;
    assert_refused(&app, &[(name, &own), (name, &between)], "more than once").await;
    assert_refused(&app, &[("x_forwarded_tls_client_cert", &own)], "underscores").await;
    for value in [format!("{own},"), format!(",{own}"), format!(":{own}:"), leaf.escaped(), "AAAA".to_owned()] {
        let reply = exchange(&app, &mut proxy(), &[(name, &value)]).await;
        reply.assert_json_error(400, "invalid_grant");
    }
}

/// Where Envoy appends to what the client sent, the client's part must not change how Envoy's is read. Mallory has a
/// certificate of the authority, with a quote in its subject, and puts another user's before it, in an element whose quote is
/// left open.
#[tokio::test]
async fn d17_an_open_quote_before_the_proxys_element_does_not_hide_it() {
    let app = TestApp::with(&file("x-forwarded-client-cert")).await;
    let (victim, own) = (Leaf::named("victim"), Leaf::named("mallory"));
    for subject in ["CN=a\\\"b,O=x;y", "CN=a\\\"", "\\\";CN=a", "CN=a"] {
        let appended = format!("Hash=1;Cert=\"{}\";Subject=\"{subject}\"", own.escaped());
        for before in ["X=\"", "X=\"\\", "X=\"\\\"", "X=a\"", "\""] {
            let value = format!("Hash=1;Cert=\"{}\";{before},{appended}", victim.escaped());
            assert_refused(&app, &[("x-forwarded-client-cert", &value)], "a quote").await;
        }
        assert_accepted(&app, &[("x-forwarded-client-cert", &format!("X=a,{appended}"))]).await;
    }
    assert!(app.broker.store.user("victim").await.unwrap().is_none());
}

#[tokio::test]
async fn d17_surprises_in_the_header_are_refused() {
    let app = TestApp::with(&file("X-Client-Cert")).await;
    let leaf = Leaf::named("runner");
    let value = leaf.escaped();
    assert_refused(&app, &[(HEADER, &value), (HEADER, &value)], "more than once").await;
    assert_refused(&app, &[(HEADER, &value), (HEADER, "")], "more than once").await;
    for disguise in ["x_client_cert", "x-client_cert", "X_Client-Cert"] {
        assert_refused(&app, &[(HEADER, &value), (disguise, &value)], "underscores").await;
        assert_refused(&app, &[(disguise, &value)], "underscores").await;
    }
    // A proxy may join a header of the client with its own: the first certificate would be the client's choice.
    let other = Leaf::named("other").escaped();
    let form = "not a URL-encoded PEM";
    for joined in [
        format!("{value}, {other}"),
        format!("{value},{other}"),
        format!("{value}%2C{other}"),
        format!("{value};x"),
        format!("{value}x"),
        format!("x{value}"),
        format!("{value}%00{other}"),
        format!("{value}{}", other.replace("-----END", "-----end")),
    ] {
        assert_refused(&app, &[(HEADER, &joined)], form).await;
    }
    let long = "A".repeat(100_000);
    assert_refused(&app, &[(HEADER, &long)], "too long").await;
    let ten = value.repeat(10);
    assert_refused(&app, &[(HEADER, &ten)], "too long").await;
}

/// Each with its reason; the certificates are valid but for one thing.
#[tokio::test]
async fn d17_certificates_that_are_not_valid_here_are_refused() {
    let app = TestApp::with(&file("X-Client-Cert")).await;
    let stranger = Ca::root("Clients CA", |_| {});
    let good = ca().intermediate("Good CA", |_| {});
    let cases: Vec<(&str, Leaf, Vec<&Ca>, &str)> = vec![
        ("expired", ca().issue("a", |p| p.not_after = date_time_ymd(2026, 10, 31)), vec![], "has expired"),
        ("not yet", ca().issue("a", |p| p.not_before = date_time_ymd(2026, 11, 2)), vec![], "not valid yet"),
        ("another CA of the same name", stranger.issue("a", |_| {}), vec![], "not issued by an authority"),
        ("which comes along", stranger.issue("a", |_| {}), vec![&stranger], "not issued by an authority"),
        ("self-signed", Leaf::self_signed("a"), vec![], "not issued by an authority"),
        ("key usage", ca().issue("a", |p| p.key_usages = vec![KeyUsagePurpose::KeyEncipherment]), vec![], "key usage"),
        (
            "a server's",
            ca().issue("a", |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
            vec![],
            "extended key usage",
        ),
        (
            "for any purpose",
            ca().issue("a", |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]),
            vec![],
            "extended key usage",
        ),
        (
            "an authority's",
            ca().issue("a", |p| p.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained)),
            vec![],
            "chain is not valid",
        ),
        ("without its issuer", good.issue("a", |_| {}), vec![], "not issued by an authority"),
    ];
    for (what, leaf, chain, reason) in &cases {
        let mut value = leaf.escaped();
        chain.iter().for_each(|ca| value.push_str(&escaped(&ca.pem)));
        let reply = exchange(&app, &mut proxy(), &[(HEADER, &value)]).await;
        let text = reply.json()["error_description"].as_str().unwrap_or_default().to_owned();
        assert!(reply.status == 400 && text.contains(reason), "{what}: {reply}");
    }
    // A leaf that signs another, an authority below it that may not sign, and one that has expired.
    let fake = leaf_as_authority();
    let mute = ca().intermediate("Mute CA", |p| p.key_usages = vec![KeyUsagePurpose::DigitalSignature]);
    let old = ca().intermediate("Old CA", |p| p.not_after = date_time_ymd(2026, 10, 2));
    for (what, middle) in [("a leaf as authority", &fake), ("a mute authority", &mute), ("an old authority", &old)] {
        let value = format!("{}{}", middle.issue("a", |_| {}).escaped(), escaped(&middle.pem));
        let reply = exchange(&app, &mut proxy(), &[(HEADER, &value)]).await;
        reply.assert_json_error(400, "invalid_grant");
        assert!(reply.text().contains("chain") || reply.text().contains("authority"), "{what}: {reply}");
    }
    let chained = format!("{}{}", good.issue("a", |_| {}).escaped(), escaped(&good.pem));
    assert_accepted(&app, &[(HEADER, &chained)]).await;
    let any = ca().issue("b", |p| (p.key_usages, p.extended_key_usages) = (Vec::new(), Vec::new()));
    assert_accepted(&app, &[(HEADER, &any.escaped())]).await;
}

/// A certificate without basic constraints whose key certifies others.
fn leaf_as_authority() -> Ca {
    ca().intermediate("Not a CA", |p| {
        p.is_ca = rcgen::IsCa::NoCa;
        p.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    })
}

#[tokio::test]
async fn d17_a_chain_of_ten_is_refused_and_costs_little() {
    let app = TestApp::with(&file("Client-Cert")).await;
    let mut authorities = vec![ca().intermediate("CA 0", |_| {})];
    for n in 1..9 {
        let next = authorities[n - 1].intermediate(&format!("CA {n}"), |_| {});
        authorities.push(next);
    }
    let send = async |depth: usize| {
        let leaf = authorities[depth - 1].issue("deep", |_| {}).byte_sequence();
        let chain: Vec<String> = authorities[..depth].iter().rev().map(|ca| byte_sequence(ca.der())).collect();
        exchange(&app, &mut proxy(), &[("client-cert", &leaf), ("client-cert-chain", &chain.join(","))]).await
    };
    assert_eq!(send(3).await.status, 200);
    let ten = send(9).await;
    ten.assert_json_error(400, "invalid_grant");
    assert!(ten.text().contains("chain is too long"), "{ten}");
}

#[tokio::test]
async fn d17_an_authority_that_has_expired_issues_nothing() {
    let app = TestApp::with(&file("X-Client-Cert")).await;
    let leaf = ca().issue("runner", |p| p.not_after = date_time_ymd(2030, 1, 1));
    assert_accepted(&app, &[(HEADER, &leaf.escaped())]).await;
    // The authority's last day is 2027-10-01.
    app.wait(340 * 86_400);
    assert_refused(&app, &[(HEADER, &leaf.escaped())], "authority that issued the certificate has expired").await;
}
