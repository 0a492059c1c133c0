//! Authorization requests as request objects, by reference and pushed, through the real router to a code.

use serde_json::{Value, json};

use crate::harness::keys::{self, encode};
use crate::harness::{Answer, Auth, Authorize, Browser, IDP, Reply, Signing, TestApp, VERIFIER, alice};

/// A client that signs its requests, one that must push them.
fn overlay() -> String {
    format!(
        r#"
[clients.signer]
client_secret = "secret-of-signer-0123456789abcdef"
jwks_uri = "{IDP}/app-keys"
request_object_signing_alg = "RS256"
request_uris = ["{IDP}/request.jwt"]
redirect_uris = ["https://signer.example/cb"]

[clients.pusher]
client_secret = "secret-of-pusher-0123456789abcdef"
require_pushed_authorization_requests = true
redirect_uris = ["https://pusher.example/cb"]
"#
    )
}

async fn app() -> TestApp {
    let app = TestApp::with(&overlay()).await;
    app.idp().answer("/app-keys", Answer::json(200, &json!({ "keys": keys::jwks(false) })));
    app
}

fn signed(claims: &Value) -> String {
    keys::sign(Signing::Rs256, &json!({ "alg": "RS256", "kid": "rsa-1", "typ": "oauth-authz-req+jwt" }), claims)
}

fn unsigned(claims: &Value) -> String {
    format!("{}.{}.", encode(br#"{"alg":"none"}"#), encode(claims.to_string().as_bytes()))
}

/// The parameters of a typical request, as the claims of an object.
fn object(client: &str) -> Value {
    let fields = Authorize::of(client);
    let claims = fields.fields().into_iter().map(|(name, value)| (name.to_owned(), json!(value)));
    Value::Object(claims.collect())
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

/// A request with an object, and only the other parameters that OIDC Core §6.1 requires.
fn short(client: &str, object: &str) -> Authorize {
    let all = Authorize::of(client);
    let needed = ["response_type", "client_id", "redirect_uri", "state"];
    let names: Vec<String> = all.fields().iter().map(|(name, _)| (*name).to_owned()).collect();
    let extra = names.into_iter().filter(|name| !needed.contains(&name.as_str()));
    extra.fold(all.clone(), |request, name| request.without(&name)).set("request", object)
}

async fn open(app: &TestApp, request: &Authorize) -> Reply {
    Browser::new().open(app, &request.url(app)).await
}

/// From the provider to tokens, with the verifier that matches every challenge here.
async fn tokens_of(app: &TestApp, client: &str, request: &Authorize) -> Value {
    let mut browser = Browser::new();
    let answer = app.through_provider(&mut browser, request, &alice()).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", &*answer.param("code")),
        ("redirect_uri", &format!("https://{client}.example/cb")),
        ("code_verifier", VERIFIER),
    ];
    let reply = app.token(&Auth::of(client), &form).await;
    assert_eq!(reply.status, 200, "{reply}");
    reply.json()
}

#[tokio::test]
async fn what_the_object_says_goes_before_what_stands_beside_it() {
    let app = app().await;
    for nonce in ["nonce-of-the-app", "another"] {
        let object = signed(&with(object("signer"), "nonce", json!(nonce)));
        let request = short("signer", &object).set("nonce", "beside");
        let tokens = tokens_of(&app, "signer", &request).await;
        let claims = crate::harness::claims_of(tokens["id_token"].as_str().unwrap());
        assert_eq!(claims["nonce"], nonce);
    }
    // A client without a configured algorithm may send it unsigned, in which case it proves no more than plain parameters.
    tokens_of(&app, "app", &short("app", &unsigned(&object("app")))).await;
}

#[tokio::test]
async fn members_of_objects_become_parameters_as_the_specification_types_them() {
    let app = app().await;
    let claims = json!({ "id_token": { "name": { "essential": true } } });
    let object = with(with(object("app"), "max_age", json!(0)), "claims", claims);
    let mut browser = Browser::new();
    let leaving = browser.open(&app, &short("app", &unsigned(&object)).url(&app)).await;
    assert!(leaving.location().contains("max_age=0"), "{}", leaving.location());
}

#[tokio::test]
async fn a_bad_object_goes_back_to_the_app_and_calls_no_provider() {
    let app = app().await;
    let good = object("signer");
    let now = app.now();
    for object in [
        unsigned(&good),
        keys::sign(Signing::Es256, &keys::header(Signing::Es256), &good),
        keys::sign(Signing::ForeignKey, &keys::header(Signing::ForeignKey), &good),
        keys::sign(Signing::Broken, &keys::header(Signing::Broken), &good),
        keys::sign(Signing::HmacOfPublicKey, &keys::header(Signing::HmacOfPublicKey), &good),
        keys::sign(Signing::Rs256, &json!({ "alg": "RS256", "typ": "at+jwt" }), &good),
        signed(&with(good.clone(), "iss", json!("app"))),
        signed(&with(good.clone(), "aud", json!("https://other.example"))),
        signed(&with(good.clone(), "exp", json!(now - 61))),
        signed(&with(good.clone(), "nbf", json!(now + 120))),
        signed(&with(good.clone(), "client_id", json!("app"))),
        signed(&with(good.clone(), "client_id", json!(["app"]))),
        signed(&with(good.clone(), "client_id", json!(1))),
        signed(&with(good.clone(), "response_type", json!(["code"]))),
        signed(&with(good.clone(), "scope", json!(["openid"]))),
        signed(&with(good.clone(), "response_type", json!("code token"))),
        signed(&with(good.clone(), "request", json!("x"))),
        signed(&with(good.clone(), "request_uri", json!("https://signer.example/r"))),
        "x".repeat(10_000),
        "a.b.c".to_owned(),
    ] {
        let reply = open(&app, &short("signer", &object)).await;
        reply.assert_app_error("signer", "invalid_request_object");
        assert_eq!(reply.param("state"), "state-of-the-app");
    }
    let long = short("signer", &signed(&with(good, "padding", json!("x".repeat(32 * 1024)))));
    push(&app, "signer", &long).await.assert_json_error(400, "invalid_request_object");
    assert!(!app.net.asked().iter().any(|url| url.ends_with("/openid-configuration")));
}

#[tokio::test]
async fn d14_an_object_proves_no_redirect_uri_that_is_not_registered() {
    let app = app().await;
    let object = signed(&with(object("signer"), "redirect_uri", json!("https://evil.example/cb")));
    open(&app, &short("signer", &object)).await.assert_error_page(400, "invalid_redirect_uri");
    let bare = short("signer", &signed(&self::object("signer"))).without("redirect_uri");
    assert_eq!(open(&app, &bare).await.status, 303, "the object has the registered one");
    let broken = short("signer", "a.b.c").without("redirect_uri");
    open(&app, &broken).await.assert_error_page(400, "invalid_request");
}

#[tokio::test]
async fn objects_are_fetched_only_from_where_the_file_says() {
    let app = app().await;
    app.idp().answer("/request.jwt", Answer::Raw(200, "application/jwt", signed(&object("signer")).into_bytes()));
    let by = |uri: &str| short("signer", "").without("request").set("request_uri", uri);
    tokens_of(&app, "signer", &by(&format!("{IDP}/request.jwt"))).await;
    for (client, uri, error) in [
        ("signer", format!("{IDP}/other.jwt"), "invalid_request_uri"),
        ("signer", format!("{IDP}/request.jwt?x"), "invalid_request_uri"),
        ("signer", "http://169.254.169.254/".to_owned(), "invalid_request_uri"),
        ("app", format!("{IDP}/request.jwt"), "request_uri_not_supported"),
    ] {
        let asked = app.net.asked().len();
        let request = short(client, "").without("request").set("request_uri", &uri);
        open(&app, &request).await.assert_app_error(client, error);
        assert_eq!(app.net.asked().len(), asked, "{uri}");
    }
    app.idp().answer("/request.jwt", Answer::json(500, &json!({})));
    // A fetched object is cached for a few seconds.
    app.wait(6);
    open(&app, &by(&format!("{IDP}/request.jwt"))).await.assert_app_error("signer", "invalid_request_uri");
    let both = by(&format!("{IDP}/request.jwt")).set("request", &signed(&object("signer")));
    open(&app, &both).await.assert_app_error("signer", "invalid_request");
}

#[tokio::test]
async fn d42_a_crowd_causes_one_fetch_of_a_request_object() {
    let app = app().await;
    let uri = format!("{IDP}/request.jwt");
    let request = short("signer", "").without("request").set("request_uri", &uri);
    let fetched = || app.net.asked().iter().filter(|asked| asked.contains("/request.jwt")).count();
    let crowd = async |expected: bool| {
        for _ in 0..20 {
            let reply = open(&app, &request).await;
            assert_eq!(reply.location().starts_with(IDP), expected, "{reply}");
        }
    };
    app.idp().answer("/request.jwt", Answer::Raw(200, "application/jwt", signed(&object("signer")).into_bytes()));
    crowd(true).await;
    assert_eq!(fetched(), 1);
    app.wait(6);
    crowd(true).await;
    assert_eq!(fetched(), 2, "a change counts after seconds");
    // An object that does not exist is not requested repeatedly either.
    app.idp().answer("/request.jwt", Answer::json(500, &json!({})));
    app.wait(6);
    crowd(false).await;
    app.wait(10);
    crowd(false).await;
    assert_eq!(fetched(), 3);
    app.idp().answer("/request.jwt", Answer::Raw(200, "application/jwt", signed(&object("signer")).into_bytes()));
    app.wait(6);
    crowd(true).await;
    assert_eq!(fetched(), 4);
}

#[tokio::test]
async fn an_object_with_its_hash_in_the_uri_is_kept_and_no_other_is_taken() {
    let app = app().await;
    let (right, wrong) = (signed(&object("signer")), signed(&with(object("signer"), "max_age", json!(1))));
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, right.as_bytes());
    let uri = format!("{IDP}/hashed.jwt#{}", encode(digest.as_ref()));
    let hashed = format!("[clients.signer]\nrequest_uris = [\"{uri}\"]\n");
    app.reload(crate::harness::BASE, &[&overlay(), &hashed]).await;
    let request = short("signer", "").without("request").set("request_uri", &uri);
    let serve = |object: &str| {
        app.idp().answer("/hashed.jwt", Answer::Raw(200, "application/jwt", object.as_bytes().to_vec()));
    };
    let fetched = || app.net.asked().iter().filter(|asked| asked.contains("/hashed.jwt")).count();
    serve(&wrong);
    for _ in 0..10 {
        open(&app, &request).await.assert_app_error("signer", "invalid_request_uri");
    }
    assert_eq!(fetched(), 2, "once, and once more because it was another one");
    serve(&right);
    app.wait(11);
    for _ in 0..10 {
        assert!(open(&app, &request).await.location().starts_with(IDP));
    }
    serve(&wrong);
    app.wait(3000);
    assert!(open(&app, &request).await.location().starts_with(IDP));
    assert_eq!(fetched(), 3);
}

async fn push(app: &TestApp, client: &str, request: &Authorize) -> Reply {
    let without_id = request.clone().without("client_id");
    app.post("/oauth2/par", &Auth::of(client), &without_id.fields()).await
}

fn by_reference(client: &str, uri: &str) -> Authorize {
    let all = Authorize::of(client);
    let names: Vec<String> = all.fields().iter().map(|(name, _)| (*name).to_owned()).collect();
    let others = names.into_iter().filter(|name| name != "client_id");
    others.fold(all.clone(), |request, name| request.without(&name)).set("request_uri", uri)
}

#[tokio::test]
async fn a_pushed_request_leads_to_tokens_and_serves_once() {
    let app = app().await;
    let reply = push(&app, "pusher", &Authorize::of("pusher")).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["expires_in"]), (201, &json!(60)), "{reply}");
    assert_eq!(reply.header("cache-control"), "no-store");
    let uri = reply.json()["request_uri"].as_str().unwrap().to_owned();
    assert!(uri.starts_with("urn:ietf:params:oauth:request_uri:"));
    // Parameters outside of the object are ignored.
    let request = by_reference("pusher", &uri).set("scope", "openid offline_access").set("prompt", "none");
    let tokens = tokens_of(&app, "pusher", &request).await;
    assert!(!tokens["scope"].as_str().unwrap().contains("offline_access"));
    open(&app, &by_reference("pusher", &uri)).await.assert_error_page(400, "invalid_request");
}

#[tokio::test]
async fn a_pushed_request_is_its_clients_and_lives_a_minute() {
    let app = app().await;
    let uri = async || {
        let reply = push(&app, "pusher", &Authorize::of("pusher")).await;
        reply.json()["request_uri"].as_str().unwrap().to_owned()
    };
    let pushed = uri().await;
    // Another client that obtains the URI gets nothing from it, and does not invalidate it.
    let stolen = by_reference("app", &pushed).set("redirect_uri", "https://app.example/cb");
    open(&app, &stolen).await.assert_app_error("app", "invalid_request_uri");
    assert_eq!(open(&app, &by_reference("pusher", &pushed)).await.status, 303);
    let late = uri().await;
    app.wait(61);
    let request = by_reference("pusher", &late).set("redirect_uri", "https://pusher.example/cb");
    open(&app, &request).await.assert_app_error("pusher", "invalid_request_uri");
}

#[tokio::test]
async fn no_object_makes_one_clients_request_anothers() {
    let app = app().await;
    for id in [json!(["pusher"]), json!("pusher"), json!({ "id": "pusher" })] {
        let theirs = unsigned(&with(object("pusher"), "client_id", id));
        let request = Authorize::of("app").set("request", &theirs);
        open(&app, &request).await.assert_app_error("app", "invalid_request_object");
        let reply = push(&app, "spa", &Authorize::of("spa").set("request", &theirs)).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (400, &json!("invalid_request_object")), "{reply}");
    }
}

#[tokio::test]
async fn of_a_pushed_request_only_what_means_something_is_kept() {
    let app = app().await;
    let reply = push(&app, "spa", &Authorize::of("spa").set("padding", &"x".repeat(30_000))).await;
    assert_eq!(reply.status, 201, "{reply}");
    let reply = push(&app, "spa", &Authorize::of("spa").set("state", &"x".repeat(30_000))).await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (400, &json!("invalid_request")), "{reply}");
}

#[tokio::test]
async fn who_must_push_does_not_get_through_otherwise() {
    let app = app().await;
    open(&app, &Authorize::of("pusher")).await.assert_app_error("pusher", "invalid_request");
    open(&app, &short("pusher", &unsigned(&object("pusher")))).await.assert_app_error("pusher", "invalid_request");
}

#[tokio::test]
async fn what_is_pushed_is_checked_at_once() {
    let app = app().await;
    let good = || Authorize::of("pusher");
    for (request, error) in [
        (good().set("redirect_uri", "https://evil.example/cb"), "invalid_request"),
        (good().without("redirect_uri"), "invalid_request"),
        (good().set("response_type", "token"), "unsupported_response_type"),
        (good().set("prompt", "none login"), "invalid_request"),
        (good().set("request_uri", "urn:ietf:params:oauth:request_uri:x"), "invalid_request"),
        (good().set("request", "a.b.c"), "invalid_request_object"),
        (good().add("scope", "openid"), "invalid_request"),
    ] {
        let reply = push(&app, "pusher", &request).await;
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]), (400, &json!(error)), "{reply}");
    }
    let wrong = Auth::Basic("pusher".to_owned(), "wrong".to_owned());
    let reply = app.post("/oauth2/par", &wrong, &good().without("client_id").fields()).await;
    assert_eq!(reply.status, 401, "{reply}");
    // A public client can push requests too, and the pushed request may be a signed object.
    let reply = push(&app, "spa", &Authorize::of("spa")).await;
    assert_eq!(reply.status, 201, "{reply}");
    let request = short("signer", &signed(&object("signer"))).without("redirect_uri").without("state");
    let reply = push(&app, "signer", &request).await;
    assert_eq!(reply.status, 201, "{reply}");
    let uri = reply.json()["request_uri"].as_str().unwrap().to_owned();
    tokens_of(&app, "signer", &by_reference("signer", &uri)).await;
}
