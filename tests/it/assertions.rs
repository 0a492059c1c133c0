//! Client authentication by a signed assertion, as apps and attackers send it.

use serde_json::{Map, Value, json};

use crate::harness::keys::{self, hmac};
use crate::harness::{Answer, Auth, Authorize, Browser, IDP, Reply, Signing, TestApp, VERIFIER, alice};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const SECRET: &str = "secret-of-signed-0123456789abcdef0123456";

/// A client with its keys in the file, one with its keys at a URL, and one that signs with its secret.
fn overlay() -> String {
    let jwks = json!({ "keys": keys::jwks(false) });
    let keys: Vec<String> = jwks["keys"].as_array().unwrap().iter().map(toml).collect();
    let client = |id: &str, how: &str| {
        format!(
            "[clients.{id}]\n{how}\nredirect_uris = [\"https://{id}.example/cb\"]\nscopes = [\"openid\", \"groups\"]\n"
        )
    };
    [
        client("inline", &format!("jwks = {{ keys = [{}] }}", keys.join(", "))),
        client("remote", &format!("token_endpoint_auth_method = \"private_key_jwt\"\njwks_uri = \"{IDP}/app-keys\"")),
        client("signed", &format!("token_endpoint_auth_method = \"client_secret_jwt\"\nclient_secret = \"{SECRET}\"")),
    ]
    .concat()
}

fn toml(object: &Value) -> String {
    let pairs = object.as_object().unwrap().iter().map(|(name, value)| format!("{name} = {value}"));
    format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
}

/// The claims of a well-behaved client.
fn claims(app: &TestApp, client: &str) -> Map<String, Value> {
    let claims = json!({
        "iss": client, "sub": client, "aud": "https://sso.example.com", "jti": format!("jti-of-{client}"),
        "iat": app.now(), "exp": app.now() + 60,
    });
    claims.as_object().unwrap().clone()
}

fn assertion(claims: &Map<String, Value>) -> String {
    keys::sign(Signing::Rs256, &keys::header(Signing::Rs256), &Value::Object(claims.clone()))
}

/// A token request with an unknown code: `invalid_grant` shows that the client was authenticated.
async fn present(app: &TestApp, assertion: &str) -> Reply {
    let form = [
        ("grant_type", "authorization_code"),
        ("code", "unknown"),
        ("client_assertion_type", TYPE),
        ("client_assertion", assertion),
    ];
    app.token(&Auth::Nothing, &form).await
}

#[track_caller]
fn authenticated(reply: &Reply) {
    assert_eq!(reply.json()["error"], "invalid_grant", "{reply}");
}

#[track_caller]
fn refused(reply: &Reply) {
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (401, &json!("invalid_client")), "{reply}");
}

async fn app() -> TestApp {
    let app = TestApp::with(&overlay()).await;
    app.idp().answer("/app-keys", Answer::json(200, &json!({ "keys": keys::jwks(false) })));
    app
}

#[tokio::test]
async fn a_code_is_redeemed_with_an_assertion() {
    let app = app().await;
    for client in ["inline", "remote", "signed"] {
        let mut browser = Browser::new();
        let request = Authorize::of(client).set("scope", "openid groups");
        let answer = app.through_provider(&mut browser, &request, &alice()).await;
        let claims = Value::Object(claims(&app, client));
        let assertion = match client {
            "signed" => hmac(SECRET, &json!({ "alg": "HS256" }), &claims),
            _ => keys::sign(Signing::Es256, &keys::header(Signing::Es256), &claims),
        };
        let form = [
            ("grant_type", "authorization_code"),
            ("code", &answer.param("code")),
            ("redirect_uri", &format!("https://{client}.example/cb")),
            ("code_verifier", VERIFIER),
            ("client_assertion_type", TYPE),
            ("client_assertion", &assertion),
        ];
        let reply = app.token(&Auth::Nothing, &form).await;
        assert_eq!(reply.status, 200, "{client}: {reply}");
        // The same assertion again, as a thief would replay it.
        refused(&app.token(&Auth::Nothing, &form).await);
    }
    assert_eq!(app.idp().count("/app-keys"), 1, "key sets are kept");
}

#[tokio::test]
async fn an_assertion_names_its_client_this_issuer_and_its_time() {
    let app = app().await;
    let issuer = "https://sso.example.com";
    let token = "https://sso.example.com/oauth2/token";
    let edit = |name: &str, value: Value| {
        let mut claims = claims(&app, "inline");
        claims.insert("jti".to_owned(), json!(format!("{name} {value}")));
        if value.is_null() {
            claims.remove(name)
        } else {
            claims.insert(name.to_owned(), value)
        };
        assertion(&claims)
    };
    for (name, value) in [
        ("aud", json!(issuer)),
        ("aud", json!([issuer])),
        ("aud", json!(token)),
        ("iat", Value::Null),
        ("exp", json!(app.now() + 3600)),
    ] {
        authenticated(&present(&app, &edit(name, value)).await);
    }
    for (name, value) in [
        ("aud", Value::Null),
        ("aud", json!("https://other.example")),
        ("aud", json!([issuer, "https://other.example"])),
        ("aud", json!(format!("{issuer}/"))),
        ("iss", json!("app")),
        ("iss", Value::Null),
        ("sub", json!("app")),
        ("sub", Value::Null),
        ("exp", Value::Null),
        ("exp", json!(app.now() - 61)),
        ("exp", json!(app.now() + 3601)),
        ("exp", json!("soon")),
        ("nbf", json!(app.now() + 120)),
        ("iat", json!(app.now() + 120)),
        ("jti", Value::Null),
        ("jti", json!("")),
    ] {
        refused(&present(&app, &edit(name, value)).await);
    }
}

#[tokio::test]
async fn an_assertion_is_signed_by_its_client() {
    let app = app().await;
    let claims_value = Value::Object(claims(&app, "inline"));
    for signing in [Signing::None, Signing::HmacOfPublicKey, Signing::ForeignKey, Signing::Broken, Signing::Rotated] {
        refused(&present(&app, &keys::sign(signing, &keys::header(signing), &claims_value)).await);
    }
    // Another client's key, another client's secret, the method of another client.
    let signed = Value::Object(claims(&app, "signed"));
    refused(&present(&app, &keys::sign(Signing::Rs256, &keys::header(Signing::Rs256), &signed)).await);
    refused(&present(&app, &hmac("another secret", &json!({ "alg": "HS256" }), &signed)).await);
    refused(&present(&app, &hmac(SECRET, &json!({ "alg": "HS256" }), &claims_value)).await);
    let app_claims = Value::Object(claims(&app, "app"));
    refused(&present(&app, &keys::sign(Signing::Rs256, &keys::header(Signing::Rs256), &app_claims)).await);
    for text in ["", "a.b.c", "not an assertion", &"a".repeat(10_000)] {
        let reply = present(&app, text).await;
        assert_eq!(reply.status, 401, "{reply}");
    }
    authenticated(&present(&app, &assertion(&claims(&app, "inline"))).await);
}

#[tokio::test]
async fn an_assertion_stands_alone() {
    let app = app().await;
    let assertion = assertion(&claims(&app, "inline"));
    let form =
        [("grant_type", "authorization_code"), ("client_assertion_type", TYPE), ("client_assertion", &assertion)];
    let reply = app.token(&Auth::of("app"), &form).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (400, &json!("invalid_request")), "{reply}");
    refused(&app.token(&Auth::Public("app".to_owned()), &form).await);
    let other_type =
        [("grant_type", "authorization_code"), ("client_assertion_type", "saml"), ("client_assertion", &*assertion)];
    refused(&app.token(&Auth::Nothing, &other_type).await);
    // A client that signs assertions can't authenticate with a secret or without authentication.
    refused(&app.token(&Auth::Public("inline".to_owned()), &[("grant_type", "authorization_code")]).await);
    refused(&app.token(&Auth::Post("signed".to_owned(), SECRET.to_owned()), &[("grant_type", "x")]).await);
    authenticated(&present(&app, &assertion).await);
}

#[tokio::test]
async fn an_assertion_serves_once_also_after_a_restart() {
    let app = app().await;
    let assertion = assertion(&claims(&app, "inline"));
    authenticated(&present(&app, &assertion).await);
    let again = app.restarted(crate::harness::BASE, &[&overlay()]).await;
    refused(&present(&again, &assertion).await);
}

#[tokio::test]
async fn d25_a_clients_new_key_is_found_and_a_flood_of_unknown_ones_costs_one_fetch() {
    let app = app().await;
    let patient = "limits.failed_authentication.burst = 100";
    app.reload(crate::harness::BASE, &[&overlay(), patient]).await;
    let with_kid = |kid: &str, jti: &str| {
        let mut claims = claims(&app, "remote");
        claims.insert("jti".to_owned(), json!(jti));
        keys::sign(Signing::Rotated, &json!({ "alg": "RS256", "kid": kid }), &Value::Object(claims))
    };
    refused(&present(&app, &with_kid("rsa-2", "1")).await);
    let fetched = app.idp().count("/app-keys");
    for n in 0..50 {
        refused(&present(&app, &with_kid(&format!("unknown-{n}"), "2")).await);
    }
    assert_eq!(app.idp().count("/app-keys"), fetched, "within the cooldown nothing is fetched");
    app.idp().answer("/app-keys", Answer::json(200, &json!({ "keys": keys::jwks(true) })));
    app.wait(11);
    authenticated(&present(&app, &with_kid("rsa-2", "3")).await);
}

#[tokio::test]
async fn a_key_set_that_is_away_is_no_fault_of_the_clients() {
    let app = TestApp::with(&overlay()).await;
    app.idp().answer("/app-keys", Answer::json(500, &json!({})));
    let reply = present(&app, &assertion(&claims(&app, "remote"))).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (503, &json!("temporarily_unavailable")), "{reply}");
    assert!(reply.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn discovery_says_what_clients_may_sign_with() {
    let document = app().await.get("/.well-known/openid-configuration").await.json();
    let methods = document["token_endpoint_auth_methods_supported"].as_array().unwrap();
    assert!(methods.contains(&json!("private_key_jwt")) && methods.contains(&json!("client_secret_jwt")));
    let algorithms = document["token_endpoint_auth_signing_alg_values_supported"].as_array().unwrap();
    assert!(algorithms.contains(&json!("ES256")) && !algorithms.contains(&json!("none")));
}

/// At the proxy that forwards certificates, the token endpoint's URL is its alias (RFC 7523 §3, RFC 8705 §5).
#[tokio::test]
async fn an_assertion_may_name_the_alias_that_was_called() {
    let section = "server.trusted_proxies = [\"10.0.0.0/8\"]\n[certificates]\nlisten = [\"127.0.0.1:8444\"]\n";
    let app = TestApp::with(&format!("{section}{}", overlay())).await;
    for (by_certificates, jti) in [(true, "there"), (false, "here")] {
        let mut claims = claims(&app, "inline");
        claims.insert("jti".to_owned(), json!(jti));
        claims.insert("aud".to_owned(), json!("https://sso.example.com:8444/oauth2/token"));
        let assertion = assertion(&claims);
        let form = [
            ("grant_type", "authorization_code"),
            ("code", "unknown"),
            ("client_assertion_type", TYPE),
            ("client_assertion", assertion.as_str()),
        ];
        let mut browser = Browser { by_certificates, ..Browser::at("10.0.0.1") };
        let reply = browser.send(&app, http::Method::POST, "/oauth2/token", Some(&form), &[]).await;
        if by_certificates {
            authenticated(&reply);
        } else {
            refused(&reply);
        }
    }
}
