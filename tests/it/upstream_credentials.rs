//! How the broker authenticates at a provider: by keys that it publishes, by its certificate, by a token of its workload.

use std::path::Path;
use std::sync::{Arc, Mutex};

use countersign::outbound::{GuardedClient, HttpClient as _, Identity, OutboundError, OutboundPolicy};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::{TlsAcceptor, rustls};

use crate::harness::certificates::{Leaf, brokers_own, ca};
use crate::harness::compose::prepared;
use crate::harness::tls::Pair;
use crate::harness::{Authorize, BASE, Browser, IDP, Reply, TestApp, alice};
use crate::support::provider::Call;

const KEYS: &str = "/oauth2/rp-jwks";
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// [`BASE`] with this in place of the provider's secret.
fn with(credentials: &str) -> String {
    BASE.replace("client_secret = \"the-brokers-secret-at-the-provider\"", credentials)
}

fn pem(key: &rcgen::KeyPair) -> String {
    format!("\"\"\"\n{}\"\"\"", key.serialize_pem())
}

async fn attempt(app: &TestApp) -> Reply {
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), &alice()).await
}

#[track_caller]
fn admitted(reply: &Reply) {
    assert!(reply.location().contains("code="), "{reply}");
}

/// The provider authenticates the broker as one with `jwks_uri` does: by these keys, for its own token endpoint, each
/// assertion once.
fn by_keys(app: &TestApp, keys: &Value) {
    let keys: JwkSet = serde_json::from_value(keys.clone()).unwrap();
    let seen = Mutex::new(Vec::new());
    app.idp().authenticate(move |call| {
        let (Some(assertion), Some(kind)) = (call.form.get("client_assertion"), call.form.get("client_assertion_type"))
        else {
            return false;
        };
        let kid = decode_header(assertion).unwrap().kid;
        let fitting = keys.keys.iter().filter(|key| kid.is_none() || key.common.key_id == kid);
        let claims = fitting.filter_map(|key| {
            let mut validation = Validation::new(Algorithm::ES256);
            validation.set_audience(&[format!("{IDP}/token")]);
            validation.set_issuer(&["countersign"]);
            validation.validate_exp = false;
            decode::<Value>(assertion, &DecodingKey::from_jwk(key).unwrap(), &validation).ok()
        });
        let Some(claims) = claims.map(|data| data.claims).next() else { return false };
        let mut seen = seen.lock().unwrap();
        let fresh = !seen.contains(&claims["jti"]);
        seen.push(claims["jti"].clone());
        let lived = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
        kind == TYPE
            && fresh
            && lived <= 60
            && claims["sub"] == "countersign"
            && !call.form.contains_key("client_secret")
    });
}

#[tokio::test]
async fn a_key_is_rotated_by_naming_both_while_the_provider_learns_the_new_one() {
    let [old, new] = [rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap()];
    let app = TestApp::from(&with(&format!("client_key = {}", pem(&old)))).await;
    let first = app.get(KEYS).await.json();
    by_keys(&app, &first);
    admitted(&attempt(&app).await);
    // The new one is published before it signs.
    app.reload(&with(&format!("client_key = [{}, {}]", pem(&old), pem(&new))), &[]).await;
    admitted(&attempt(&app).await);
    let both = app.get(KEYS).await.json();
    assert_eq!(both["keys"].as_array().unwrap().len(), 2);
    assert_eq!(both["keys"][0], first["keys"][0]);
    app.reload(&with(&format!("client_key = [{}, {}]", pem(&new), pem(&old))), &[]).await;
    assert!(!attempt(&app).await.location().contains("code="), "the provider does not know the new key yet");
    by_keys(&app, &both);
    admitted(&attempt(&app).await);
    let call = app.idp().calls("token").pop().unwrap();
    let kid = decode_header(&call.form["client_assertion"]).unwrap().kid.unwrap();
    assert_eq!(json!(kid), both["keys"][1]["kid"], "the first one signs, and says so");
    app.reload(&with(&format!("client_key = {}", pem(&new))), &[]).await;
    admitted(&attempt(&app).await);
    assert_eq!(app.get(KEYS).await.json()["keys"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_published_keys_are_public_ones_and_each_is_there_once() {
    let key = rcgen::KeyPair::generate().unwrap();
    let config = with(&format!("client_key = {}", pem(&key)));
    let partner = format!(
        "[providers.partner]\nname = \"Partner\"\nissuer = \"https://partner.example/realms/main\"\nclient_id = \"x\"\n\
         client_key = {}\nclient_certificate = \"broker-client.pem\"",
        format_args!("[{{ file = \"broker-client.key\" }}, {}]", pem(&key)),
    );
    let app = TestApp::of(&config, &[&partner]).await;
    let reply = app.get(KEYS).await;
    assert_eq!(reply.header("content-type"), "application/jwk-set+json");
    let keys = reply.json();
    let keys = keys["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 2, "{keys:?}");
    for key in keys {
        let members: Vec<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(["crv", "kid", "kty", "use", "x", "y"].iter().all(|name| members.contains(name)), "{members:?}");
        assert!(!["d", "k", "p", "q", "oth"].iter().any(|name| members.contains(name)), "{members:?}");
    }
    let certified = keys.iter().find(|key| key.get("x5c").is_some()).unwrap();
    use base64::Engine as _;
    let der = base64::engine::general_purpose::STANDARD.decode(certified["x5c"][0].as_str().unwrap()).unwrap();
    assert_eq!(der, brokers_own().der, "RFC 8705 §2.2: the certificate is registered by its JWK");
    // Without keys there is an empty set, at the same address.
    let none = TestApp::base().await;
    assert_eq!(none.get(KEYS).await.json(), json!({ "keys": [] }));
    assert_eq!(none.post(KEYS, &crate::harness::Auth::Nothing, &[]).await.status, 405);
}

#[tokio::test]
async fn with_a_certificate_the_assertion_names_it() {
    let credentials = "client_key = { file = \"broker-client.key\" }\nclient_certificate = \"broker-client.pem\"";
    let app = TestApp::from(&with(credentials)).await;
    by_keys(&app, &app.get(KEYS).await.json());
    admitted(&attempt(&app).await);
    let call = app.idp().calls("token").pop().unwrap();
    let header = call.form["client_assertion"].split('.').next().unwrap().to_owned();
    use base64::Engine as _;
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header["x5t#S256"], brokers_own().thumbprint());
    assert_eq!(header["x5t"].as_str().unwrap().len(), 27, "SHA-1, base64url");
    assert_eq!(call.certificate, None, "the connection is authenticated by nothing");
}

/// The provider authenticates the broker by its certificate.
fn by_certificate(app: &TestApp) {
    app.idp().authenticate(|call: &Call| {
        let known = call.certificate.as_deref() == Some(brokers_own().der.as_slice());
        let alone = !call.form.contains_key("client_assertion") && call.authorization.is_none();
        known && alone && call.form["client_id"] == "countersign"
    });
}

const CERTIFICATE: &str = "client_key = { file = \"broker-client.key\" }\nclient_certificate = \"broker-client.pem\"\n";

#[tokio::test]
async fn a_certificate_is_presented_where_the_broker_authenticates_and_nowhere_else() {
    for method in ["tls_client_auth", "self_signed_tls_client_auth"] {
        let app = TestApp::from(&with(&format!("{CERTIFICATE}token_endpoint_auth_method = \"{method}\""))).await;
        by_certificate(&app);
        admitted(&attempt(&app).await);
        let presented = |endpoint: &str| app.idp().calls(endpoint).pop().unwrap().certificate.is_some();
        assert!(presented("token") && presented("userinfo"), "tokens may be bound to it (RFC 8705 §3)");
        assert!(!presented("discovery") && !presented("jwks"));
    }
}

#[tokio::test]
async fn the_method_is_what_the_provider_lists() {
    for (listed, presents) in [
        (json!(["tls_client_auth"]), true),
        (json!(["client_secret_basic", "self_signed_tls_client_auth"]), true),
        (json!(["tls_client_auth", "private_key_jwt"]), false),
        (json!(["client_secret_basic"]), false),
    ] {
        let app = TestApp::from(&with(CERTIFICATE)).await;
        let methods = listed.clone();
        app.idp().edit_discovery(move |document| {
            document.insert("token_endpoint_auth_methods_supported".to_owned(), methods.clone());
        });
        app.idp().authenticate(|_| true);
        admitted(&attempt(&app).await);
        let call = app.idp().calls("token").pop().unwrap();
        assert_eq!(
            (call.certificate.is_some(), call.form.contains_key("client_assertion")),
            (presents, !presents),
            "{listed}"
        );
    }
}

#[tokio::test]
async fn aliases_take_the_calls_that_present_a_certificate() {
    let tls = with(&format!("{CERTIFICATE}token_endpoint_auth_method = \"tls_client_auth\""));
    let aliases =
        json!({ "token_endpoint": format!("{IDP}/mtls/token"), "userinfo_endpoint": format!("{IDP}/mtls/userinfo") });
    for (config, aliased) in [(tls.as_str(), true), (BASE, false)] {
        let app = TestApp::from(config).await;
        let named = aliases.clone();
        app.idp()
            .edit_discovery(move |document| drop(document.insert("mtls_endpoint_aliases".to_owned(), named.clone())));
        app.idp().authenticate(|_| true);
        // The fake serves the endpoints at their own paths alone.
        let reply = attempt(&app).await;
        assert_eq!(app.net.asked().iter().any(|url| url.ends_with("/mtls/token")), aliased, "{reply}");
        assert_eq!(reply.status == 303, !aliased, "{reply}");
    }
    // An alias that may not be called is told, and not called.
    let app = TestApp::from(&tls).await;
    app.idp().edit_discovery(|document| {
        let alias = json!({ "token_endpoint": "https://127.0.0.1/token", "userinfo_endpoint": 7 });
        document.insert("mtls_endpoint_aliases".to_owned(), alias);
    });
    by_certificate(&app);
    admitted(&attempt(&app).await);
    let status = app.broker.status().await;
    assert!(
        status.contains("mtls_endpoint_aliases.token_endpoint\":\"127.0.0.1")
            && status.contains("aliases.userinfo_endpoint"),
        "{status}"
    );
    assert!(app.net.asked().iter().all(|url| !url.contains("127.0.0.1")));
}

/// A server that asks for a client's certificate and says whose it got.
async fn server(requires: bool) -> (u16, Pair) {
    let pair = Pair::new();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca().pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = if requires { verifier } else { verifier.allow_unauthenticated() }.build().unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![pair.der()], PrivateKeyDer::from_pem_slice(&pair.key).unwrap())
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 1024];
            let _ = stream.read(&mut head).await;
            let own = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
            let body = if own.is_some_and(|own| own.as_ref() == brokers_own().der) { "broker" } else { "nobody" };
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n{body}");
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (port, pair)
}

#[tokio::test]
async fn a_real_handshake_presents_the_certificate_to_those_who_may_see_it() {
    let own = brokers_own();
    let identity = Arc::new(Identity::read(own.pem.as_bytes(), own.key_pem().as_bytes()).unwrap());
    let client = GuardedClient::default();
    for requires in [false, true] {
        let (port, pair) = server(requires).await;
        let url = url::Url::parse(&format!("https://localhost:{port}/token")).unwrap();
        let plain = OutboundPolicy::trusting([&url]).with_ca(Some(pair.cert.as_slice().into()));
        let presenting = plain.clone().with_identity(Some(Arc::clone(&identity)));
        let ask = async |policy: &OutboundPolicy| {
            let request = http::Request::get(url.as_str()).body(Vec::new()).unwrap();
            client.send(request, policy).await.map(|response| String::from_utf8(response.into_body()).unwrap())
        };
        // In both orders: neither a kept connection nor a resumed session carries the certificate over, or leaves it out.
        for _ in 0..2 {
            assert_eq!(ask(&presenting).await.as_deref(), Ok("broker"));
            match ask(&plain).await {
                Ok(body) => assert_eq!((body.as_str(), requires), ("nobody", false)),
                Err(error) => {
                    assert!(requires && matches!(error, OutboundError::Failed(_) | OutboundError::Connect(_)))
                }
            }
        }
    }
}

/// A broker on disk whose assertion is in `token`.
async fn with_workload_token(folder: &Path) -> TestApp {
    std::fs::write(folder.join("broker.toml"), with("client_assertion = { file = \"token\" }")).unwrap();
    std::fs::write(folder.join("token"), "token-1\n").unwrap();
    let app = TestApp::on_disk(&folder.join("broker.toml")).await;
    app.idp().authenticate(|call| {
        let typed = call.form.get("client_assertion_type").is_some_and(|kind| kind == TYPE);
        let known = call.form.get("client_assertion").is_some_and(|token| token == "token-1" || token == "token-2");
        typed && known && call.form["client_id"] == "countersign" && call.authorization.is_none()
    });
    app
}

#[tokio::test]
async fn a_workload_token_is_read_at_each_use() {
    let folder = tempfile::tempdir().unwrap();
    let app = with_workload_token(folder.path()).await;
    admitted(&attempt(&app).await);
    std::fs::write(folder.path().join("token"), "token-2").unwrap();
    admitted(&attempt(&app).await);
    let sent = app.idp().calls("token").pop().unwrap().form["client_assertion"].clone();
    assert_eq!(sent, "token-2");
    // A new token is not a new configuration.
    let mut reloader = app.broker.reloader(&folder.path().join("broker.toml"));
    std::fs::write(folder.path().join("token"), "token-1").unwrap();
    assert_eq!(reloader.reload().await, countersign::snapshot::reload::Reloaded::Unchanged);
}

#[tokio::test]
async fn a_workload_token_that_can_not_be_read_is_told_and_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let app = with_workload_token(folder.path()).await;
    let file = folder.path().join("token");
    for content in ["", "\n", "two\nlines", "t\u{f6}ken", &"x".repeat(70_000)] {
        std::fs::write(&file, content).unwrap();
        attempt(&app).await.assert_error_page(502, "provider_unavailable");
    }
    std::fs::write(&file, [0xff, 0xfe, 0x41, 0]).unwrap();
    attempt(&app).await.assert_error_page(502, "provider_unavailable");
    std::fs::remove_file(&file).unwrap();
    let reply = attempt(&app).await;
    reply.assert_error_page(502, "provider_unavailable");
    assert!(!reply.to_string().contains(folder.path().to_str().unwrap()), "the page does not show paths: {reply}");
    assert_eq!(app.idp().count("token"), 0);
    let status = app.broker.status().await;
    assert!(status.contains("client_assertion: the file") && status.contains("No such file"), "{status}");
    std::fs::write(&file, "token-2").unwrap();
    admitted(&attempt(&app).await);
}

/// What `check` says of these credentials.
fn problems(credentials: &str) -> String {
    let prepared = prepared(&with(credentials), &[], 1);
    prepared.problems.render(&prepared.layers, false)
}

#[test]
fn credentials_that_can_not_work_are_refused_with_the_way_out() {
    let stranger = Leaf::named("someone-else").key_pem();
    for (credentials, part) in [
        ("", "add client_secret = { file = \"...\" }, client_key, client_assertion, or"),
        (
            "client_secret = \"x\"\nclient_assertion = { file = \"t\" }",
            "`client_secret` and `client_assertion` must not both",
        ),
        ("client_assertion = { file = \"nowhere/token\" }", "`client_assertion`: the file nowhere/token can't be read"),
        ("client_assertion = { file = \"\" }", "must be the path of a file"),
        ("client_assertion = { env = \"TOKEN\" }", "client_assertion"),
        (
            "client_assertion = { file = \"t\" }\ntoken_endpoint_auth_method = \"client_secret_basic\"",
            "`client_secret` must be set",
        ),
        ("client_certificate = \"broker-client.pem\"\nclient_secret = \"x\"", "`client_key` must be set"),
        (
            "token_endpoint_auth_method = \"tls_client_auth\"\nclient_key = { file = \"broker-client.key\" }",
            "add client_certificate = \"client.pem\"",
        ),
        (
            "client_certificate = \"missing.pem\"\nclient_key = { file = \"broker-client.key\" }",
            "`client_certificate`: the file missing.pem",
        ),
        (
            "client_certificate = \"broker-client.key\"\nclient_key = { file = \"broker-client.key\" }",
            "holds no certificate in PEM form",
        ),
        (
            &format!("client_certificate = \"broker-client.pem\"\nclient_key = \"\"\"\n{stranger}\"\"\""),
            "does not belong to the key",
        ),
        ("client_key = [{ file = \"broker-client.key\" }, \"no key\"]", "key 2: it is not a PEM file"),
    ] {
        let told = problems(credentials);
        assert!(told.contains(part) && told.contains("error"), "{credentials}\n{told}");
    }
    let fine = problems("client_key = { file = \"broker-client.key\" }\nclient_certificate = \"broker-client.pem\"");
    assert!(!fine.contains("error"), "{fine}");
}

#[test]
fn a_certificate_that_providers_will_refuse_is_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let expired = ca().issue("old", |params| params.not_after = rcgen::date_time_ymd(2026, 10, 5));
    std::fs::write(folder.path().join("c.pem"), &expired.pem).unwrap();
    std::fs::write(folder.path().join("c.key"), expired.key_pem()).unwrap();
    let config = with("client_certificate = \"c.pem\"\nclient_key = { file = \"c.key\" }");
    std::fs::write(folder.path().join("broker.toml"), config).unwrap();
    let prepared =
        crate::harness::compose::prepared_from(&folder.path().join("broker.toml"), false, crate::harness::START);
    let told = prepared.problems.render(&prepared.layers, false);
    assert!(told.contains("`client_certificate`: it expired on 2026-10-05") && prepared.snapshot.is_some(), "{told}");
}
