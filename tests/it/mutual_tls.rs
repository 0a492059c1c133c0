//! Apps with client certificates (RFC 8705): how they authenticate, and tokens that are bound to a certificate.

use http::Method;
use serde_json::{Value, json};

use crate::harness::certificates::{Leaf, alternatives, ca};
use crate::harness::{Answer, Authorize, Browser, IDP, Reply, TestApp, Tokens, VERIFIER, alice, claims_of};

const HEADER: &str = "x-client-cert";

const SECTION: &str = r#"
server.trusted_proxies = ["10.0.0.0/8"]
[certificates]
listen = ["127.0.0.1:8444"]
ca = "clients-ca.pem"
"#;

/// A client with the client credentials grant, and these lines.
fn robot(lines: &str) -> String {
    format!("{SECTION}\n[clients.robot]\ngrant_types = [\"client_credentials\"]\n{lines}\n")
}

async fn token(app: &TestApp, leaf: Option<&Leaf>, form: &[(&str, &str)]) -> Reply {
    let header = leaf.map(Leaf::escaped).unwrap_or_default();
    Browser::presenting(HEADER, &header).send(app, Method::POST, "/oauth2/token", Some(form), &[]).await
}

const CREDENTIALS: [(&str, &str); 2] = [("grant_type", "client_credentials"), ("client_id", "robot")];

#[tokio::test]
async fn tls_client_auth_by_each_kind_of_name() {
    let leaf = ca().issue("robot", |params| {
        let ip = "192.0.2.7".parse().unwrap();
        params.subject_alt_names = alternatives("robot.example", "spiffe://example/robot", "robot@corp.example", ip);
    });
    for (key, right, wrong) in [
        ("subject_dn", "CN=robot, O=Example", "CN=robot"),
        ("subject_dn", "cn=robot,o=Example", "O=Example,CN=robot"),
        ("subject_dn", "CN=ROBOT,O=  example ", "CN=ro bot,O=Example"),
        ("subject_dn", "CN=ｒobot,O=EXAMPLE", "CN=röbot,O=Example"),
        ("san_dns", "Robot.example", "other.example"),
        ("san_uri", "spiffe://example/robot", "spiffe://example/Robot"),
        ("san_ip", "192.0.2.7", "192.0.2.8"),
        ("san_email", "robot@corp.example", "root@corp.example"),
    ] {
        for (value, accepted) in [(right, true), (wrong, false)] {
            let text = robot(&format!(
                "token_endpoint_auth_method = \"tls_client_auth\"\ntls_client_auth_{key} = \"{value}\""
            ));
            let app = TestApp::with(&text).await;
            let reply = token(&app, Some(&leaf), &CREDENTIALS).await;
            if accepted {
                assert_eq!(reply.status, 200, "{key} {value}: {reply}");
            } else {
                reply.assert_json_error(401, "invalid_client");
            }
        }
    }
}

/// Attribute types that few programs have a keyword for, and values by their encoding (RFC 4514 §2.4), as the certificates of
/// open banking have them.
#[tokio::test]
async fn a_subject_with_rare_attributes() {
    let leaf = ca().issue("robot", |params| {
        let name = &mut params.distinguished_name;
        name.push(rcgen::DnType::CustomDnType(vec![2, 5, 4, 97]), "PSD-1");
        name.push(rcgen::DnType::OrganizationalUnitName, rcgen::DnValue::BmpString("Größe".try_into().unwrap()));
    });
    for (name, accepted) in [
        ("OU=Größe,organizationIdentifier=PSD-1,CN=robot,O=Example", true),
        ("OU=Gr\\C3\\B6\\C3\\9Fe,2.5.4.97=#0c055053442d31,CN=robot,O=Example", true),
        ("OU=Größe,OID.2.5.4.97=PSD-1,commonName=#1305726f626f74,O=Example", true),
        ("OU=Größe,2.5.4.97=#0c055053442d32,CN=robot,O=Example", false),
        ("OU=Größe,2.5.4.98=PSD-1,CN=robot,O=Example", false),
    ] {
        let text = robot(&format!("tls_client_auth_subject_dn = '{name}'"));
        let reply = token(&TestApp::with(&text).await, Some(&leaf), &CREDENTIALS).await;
        assert_eq!(reply.status, if accepted { 200 } else { 401 }, "{name}: {reply}");
    }
}

#[tokio::test]
async fn tls_client_auth_needs_a_valid_certificate_on_its_listener() {
    let app = TestApp::with(&robot("tls_client_auth_subject_dn = \"CN=robot,O=Example\"")).await;
    let leaf = Leaf::named("robot");
    assert_eq!(token(&app, Some(&leaf), &CREDENTIALS).await.status, 200, "the method follows from the key");
    token(&app, None, &CREDENTIALS).await.assert_json_error(401, "invalid_client");
    token(&app, Some(&Leaf::self_signed("robot")), &CREDENTIALS).await.assert_json_error(401, "invalid_client");
    let expired = ca().issue("robot", |params| params.not_after = rcgen::date_time_ymd(2026, 10, 2));
    token(&app, Some(&expired), &CREDENTIALS).await.assert_json_error(401, "invalid_client");
    let mut public = Browser { by_certificates: false, ..Browser::presenting(HEADER, &leaf.escaped()) };
    let reply = public.send(&app, Method::POST, "/oauth2/token", Some(&CREDENTIALS), &[]).await;
    reply.assert_json_error(401, "invalid_client");
    let with_secret = [CREDENTIALS[0], CREDENTIALS[1], ("client_secret", "guess")];
    token(&app, Some(&leaf), &with_secret).await.assert_json_error(401, "invalid_client");
    // Introspection and revocation authenticate in the same way.
    let form = [("client_id", "robot"), ("token", "x")];
    let mut browser = Browser::presenting(HEADER, &leaf.escaped());
    let reply = browser.send(&app, Method::POST, "/oauth2/introspect", Some(&form), &[]).await;
    assert_eq!(reply.json(), json!({ "active": false }));
    let document = app.get("/.well-known/openid-configuration").await.json();
    assert!(document["token_endpoint_auth_methods_supported"].as_array().unwrap().contains(&json!("tls_client_auth")));
    assert_eq!(document["tls_client_certificate_bound_access_tokens"], true);
}

#[tokio::test]
async fn self_signed_certificates_are_known_by_their_key() {
    let (leaf, other) = (Leaf::self_signed("robot"), Leaf::self_signed("robot"));
    let jwk = leaf.jwk();
    let text = robot(&format!(
        "token_endpoint_auth_method = \"self_signed_tls_client_auth\"\njwks = {{ keys = [{{ kty = \"EC\", crv = \"P-256\", x = {}, y = {} }}] }}",
        jwk["x"], jwk["y"]
    ));
    let app = TestApp::with(&text.replace("ca = \"clients-ca.pem\"\n", "")).await;
    assert_eq!(token(&app, Some(&leaf), &CREDENTIALS).await.status, 200);
    token(&app, Some(&other), &CREDENTIALS).await.assert_json_error(401, "invalid_client");
    token(&app, Some(&Leaf::named("robot")), &CREDENTIALS).await.assert_json_error(401, "invalid_client");
    token(&app, None, &CREDENTIALS).await.assert_json_error(401, "invalid_client");
    app.wait(365 * 86_400);
    let reply = token(&app, Some(&leaf), &CREDENTIALS).await;
    reply.assert_json_error(401, "invalid_client");
    assert!(reply.text().contains("expired"), "{reply}");
}

/// A key with `x5c` registers that certificate and no other (RFC 8705 §2.2.2), not even another one with the same key.
#[tokio::test]
async fn a_registered_certificate_is_that_one_and_no_other() {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let app = TestApp::with(&robot(&format!(
        "token_endpoint_auth_method = \"self_signed_tls_client_auth\"\njwks_uri = \"{IDP}/app-keys\""
    )))
    .await;
    let leaf = Leaf::self_signed("robot");
    let (renewed, other) = (leaf.renewed(), Leaf::self_signed("robot"));
    assert_eq!(renewed.jwk(), leaf.jwk());
    let with = |x5c: Value| {
        let mut jwk = leaf.jwk();
        jwk["x5c"] = x5c;
        jwk
    };
    let der = STANDARD.encode(&leaf.der);
    let next = STANDARD.encode(&renewed.der);
    for (keys, own, of_renewed) in [
        (json!([leaf.jwk()]), true, true),
        (json!([with(json!([der]))]), true, false),
        (json!([with(json!([der, next]))]), true, false),
        (json!([with(json!([next]))]), false, true),
        (json!([with(json!([der])), with(json!([next]))]), true, true),
        (json!([with(json!([STANDARD.encode(&other.der)]))]), false, false),
        (json!([with(json!([URL_SAFE_NO_PAD.encode(&leaf.der)]))]), false, false),
        (json!([with(json!([]))]), false, false),
        (json!([with(json!("x"))]), false, false),
        (json!([with(Value::Null)]), true, true),
    ] {
        app.idp().answer("/app-keys", Answer::json(200, &json!({ "keys": keys })));
        app.wait(86_400);
        for (leaf, accepted) in [(&leaf, own), (&renewed, of_renewed), (&other, false)] {
            let reply = token(&app, Some(leaf), &CREDENTIALS).await;
            assert_eq!(reply.status == 200, accepted, "{keys}: {reply}");
        }
    }
}

/// A client changes its certificate by adding the new key to its set, without a change here (RFC 8705 §2.2.2, §6.3).
#[tokio::test]
async fn self_signed_certificates_follow_the_client_s_key_set() {
    let app = TestApp::with(&robot(&format!(
        "token_endpoint_auth_method = \"self_signed_tls_client_auth\"\njwks_uri = \"{IDP}/app-keys\""
    )))
    .await;
    let (old, new) = (Leaf::self_signed("robot"), Leaf::self_signed("robot"));
    let publish = |keys: Value| app.idp().answer("/app-keys", Answer::json(200, &json!({ "keys": keys })));
    publish(json!([old.jwk()]));
    assert_eq!(token(&app, Some(&old), &CREDENTIALS).await.status, 200);
    token(&app, Some(&new), &CREDENTIALS).await.assert_json_error(401, "invalid_client");
    publish(json!([new.jwk(), old.jwk()]));
    app.wait(120);
    for leaf in [&new, &old] {
        assert_eq!(token(&app, Some(leaf), &CREDENTIALS).await.status, 200);
    }
    publish(json!([new.jwk()]));
    app.wait(86_400);
    assert_eq!(token(&app, Some(&new), &CREDENTIALS).await.status, 200);
    token(&app, Some(&old), &CREDENTIALS).await.assert_json_error(401, "invalid_client");
}

#[tokio::test]
async fn a_client_s_tokens_are_bound_to_its_certificate() {
    let text = robot(
        "client_secret = \"secret-of-robot-0123456789abcdef\"\ntls_client_certificate_bound_access_tokens = true",
    );
    let app = TestApp::with(&text).await;
    let form = [CREDENTIALS[0], CREDENTIALS[1], ("client_secret", "secret-of-robot-0123456789abcdef")];
    let leaf = Leaf::self_signed("any");
    let tokens = Tokens::read(&token(&app, Some(&leaf), &form).await);
    assert_eq!(tokens.body["token_type"], "Bearer");
    assert_eq!(claims_of(tokens.access())["cnf"], json!({ "x5t#S256": leaf.thumbprint() }));
    let state = app.introspect("robot", tokens.access()).await.json();
    assert_eq!(state["cnf"], json!({ "x5t#S256": leaf.thumbprint() }));
    token(&app, None, &form).await.assert_json_error(400, "invalid_request");
    let mut public = Browser { by_certificates: false, ..Browser::presenting(HEADER, &leaf.escaped()) };
    let reply = public.send(&app, Method::POST, "/oauth2/token", Some(&form), &[]).await;
    reply.assert_json_error(400, "invalid_request");
}

async fn userinfo(app: &TestApp, leaf: Option<&Leaf>, token: &str) -> Reply {
    let header = leaf.map(Leaf::escaped).unwrap_or_default();
    let authorization = format!("Bearer {token}");
    let headers = [("authorization", authorization.as_str())];
    Browser::presenting(HEADER, &header).send(app, Method::GET, "/oauth2/userinfo", None, &headers).await
}

/// The token request of the public client for a code.
fn redemption(code: &str) -> [(&'static str, &str); 5] {
    [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", "https://spa.example/cb"),
        ("code_verifier", VERIFIER),
        ("client_id", "spa"),
    ]
}

#[tokio::test]
async fn a_bound_token_is_good_for_its_holder_alone() {
    let text = format!("{SECTION}\n[clients.spa]\ntls_client_certificate_bound_access_tokens = true");
    let app = TestApp::with(&text).await;
    let (leaf, thief) = (Leaf::named("spa"), Leaf::named("spa"));
    let code = app.through_provider(&mut Browser::new(), &Authorize::of("spa"), &alice()).await.param("code");
    let form = redemption(&code);
    token(&app, None, &form).await.assert_json_error(400, "invalid_request");
    let tokens = Tokens::read(&token(&app, Some(&leaf), &form).await);
    assert_eq!(claims_of(tokens.access())["cnf"], json!({ "x5t#S256": leaf.thumbprint() }));
    assert!(!tokens.claims().contains_key("cnf"));
    assert_eq!(userinfo(&app, Some(&leaf), tokens.access()).await.json()["sub"], tokens.sub());
    for holder in [None, Some(&thief)] {
        userinfo(&app, holder, tokens.access()).await.assert_json_error(401, "invalid_token");
    }
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");

    // A public client's refresh tokens are bound too (RFC 8705 §4), across restarts.
    let refresh = |token: &str| {
        vec![
            ("grant_type", "refresh_token".to_owned()),
            ("refresh_token", token.to_owned()),
            ("client_id", "spa".to_owned()),
        ]
    };
    let fields = refresh(tokens.refresh());
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    token(&app, Some(&thief), &fields).await.assert_json_error(400, "invalid_grant");
    let later = app.restarted(crate::harness::BASE, &[&text]).await;
    token(&later, Some(&thief), &fields).await.assert_json_error(400, "invalid_grant");
    let next = Tokens::read(&token(&later, Some(&leaf), &fields).await);
    assert_eq!(claims_of(next.access())["cnf"], json!({ "x5t#S256": leaf.thumbprint() }));
}

#[tokio::test]
async fn a_client_that_binds_nothing_gets_plain_tokens_whatever_it_presents() {
    let app = TestApp::with(SECTION).await;
    let code = app.through_provider(&mut Browser::new(), &Authorize::of("spa"), &alice()).await.param("code");
    let form = redemption(&code);
    let tokens = Tokens::read(&token(&app, Some(&Leaf::named("x")), &form).await);
    assert!(!claims_of(tokens.access()).contains_key("cnf"));
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
}
