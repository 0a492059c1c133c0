//! DPoP (RFC 9449): proofs at the token and userinfo endpoints, and tokens bound to their keys.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};

use crate::certificates::{CREATING, script};
use crate::harness::app::secret_of;
use crate::harness::certificates::Leaf;
use crate::harness::keys::{TestKey, encode};
use crate::harness::{Authorize, BASE, Browser, Reply, TestApp, Tokens, VERIFIER, alice, claims_of};

const TOKEN: &str = "https://sso.example.com/oauth2/token";
const PUSH: &str = "/oauth2/par";
const USERINFO: &str = "https://sso.example.com/oauth2/userinfo";

/// A client with the client credentials grant, which is the shortest way to a token.
const ROBOT: &str = r#"
[clients.robot]
client_secret = "secret-of-robot-0123456789abcdef"
grant_types = ["client_credentials"]
"#;

/// An app's key.
struct Key {
    key: TestKey,
    alg: &'static str,
    jwk: Value,
}

impl Key {
    fn new() -> Self {
        Self::of(TestKey::ec256())
    }

    fn of(key: TestKey) -> Self {
        let mut jwk = key.jwk();
        for member in ["kid", "use"] {
            set(&mut jwk, member, Value::Null);
        }
        Self { alg: key.alg, key, jwk }
    }

    /// The thumbprint, computed independently (RFC 7638 §3): members ordered by name.
    fn thumbprint(&self) -> String {
        let members: std::collections::BTreeMap<String, Value> = serde_json::from_value(self.jwk.clone()).unwrap();
        encode(digest(&SHA256, serde_json::to_string(&members).unwrap().as_bytes()).as_ref())
    }

    /// A proof for a call.
    fn proof(&self, app: &TestApp, method: &str, url: &str) -> Draft<'_> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let jti = format!("jti-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        Draft {
            key: self,
            header: json!({ "typ": "dpop+jwt", "alg": self.alg, "jwk": self.jwk }),
            claims: json!({ "jti": jti, "htm": method, "htu": url, "iat": app.now() }),
        }
    }

    /// A proof for a token request.
    fn for_token(&self, app: &TestApp) -> String {
        self.proof(app, "POST", TOKEN).sign()
    }

    /// A proof for userinfo with this access token.
    fn for_userinfo(&self, app: &TestApp, token: &str) -> String {
        self.proof(app, "GET", USERINFO).claim("ath", json!(hash(token))).sign()
    }
}

fn hash(token: &str) -> String {
    encode(digest(&SHA256, token.as_bytes()).as_ref())
}

/// A proof before signing. Null removes a member.
struct Draft<'k> {
    key: &'k Key,
    header: Value,
    claims: Value,
}

impl Draft<'_> {
    fn header(mut self, name: &str, value: Value) -> Self {
        set(&mut self.header, name, value);
        self
    }

    fn claim(mut self, name: &str, value: Value) -> Self {
        set(&mut self.claims, name, value);
        self
    }

    fn sign(&self) -> String {
        self.key.key.sign(&self.header, &self.claims)
    }
}

fn set(object: &mut Value, name: &str, value: Value) {
    let object = object.as_object_mut().unwrap();
    if value.is_null() {
        object.remove(name);
    } else {
        object.insert(name.to_owned(), value);
    }
}

/// A token request with these `DPoP` headers.
async fn token(app: &TestApp, client: &str, form: &[(&str, &str)], proofs: &[&str]) -> Reply {
    let mut form = form.to_vec();
    let mut headers: Vec<(&str, &str)> = proofs.iter().map(|proof| ("dpop", *proof)).collect();
    let basic = format!("Basic {}", STANDARD.encode(format!("{client}:{}", secret_of(client))));
    if client == "spa" {
        form.push(("client_id", client));
    } else {
        headers.push(("authorization", &basic));
    }
    Browser::new().send(app, Method::POST, "/oauth2/token", Some(&form), &headers).await
}

async fn robot(app: &TestApp, proofs: &[&str]) -> Reply {
    token(app, "robot", &[("grant_type", "client_credentials")], proofs).await
}

async fn redeem(app: &TestApp, client: &str, code: &str, proofs: &[&str]) -> Reply {
    let redirect_uri = format!("https://{client}.example/cb");
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", VERIFIER),
    ];
    token(app, client, &form, proofs).await
}

async fn refresh(app: &TestApp, client: &str, refresh_token: &str, proofs: &[&str]) -> Reply {
    token(app, client, &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)], proofs).await
}

async fn code(app: &TestApp, request: &Authorize) -> String {
    app.through_provider(&mut Browser::new(), request, &alice()).await.param("code")
}

/// A sign-in whose code is redeemed with a proof by this key.
async fn bound(app: &TestApp, client: &str, key: &Key) -> Tokens {
    let code = code(app, &Authorize::of(client)).await;
    Tokens::read(&redeem(app, client, &code, &[&key.for_token(app)]).await)
}

/// Userinfo with the `DPoP` scheme.
async fn userinfo(app: &TestApp, token: &str, proofs: &[&str]) -> Reply {
    let authorization = format!("DPoP {token}");
    let mut headers: Vec<(&str, &str)> = proofs.iter().map(|proof| ("dpop", *proof)).collect();
    headers.push(("authorization", &authorization));
    Browser::new().send(app, Method::GET, "/oauth2/userinfo", None, &headers).await
}

/// All challenges of a response.
fn challenges(reply: &Reply) -> Vec<String> {
    reply.headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_challenge(reply: &Reply, error: &str) {
    reply.assert_json_error(401, error);
    let challenges = challenges(reply);
    let [challenge] = challenges.as_slice() else { panic!("{challenges:?}") };
    assert!(challenge.starts_with("DPoP "), "{challenge}");
    assert!(challenge.contains(&format!("error=\"{error}\"")), "{challenge}");
    assert!(challenge.contains("algs=\"ES256 ES384 PS256 RS256 EdDSA Ed25519\""), "{challenge}");
}

#[tokio::test]
async fn a_token_is_bound_to_the_key_of_its_proof() {
    let app = TestApp::base().await;
    for key in [
        Key::new(),
        Key::of(TestKey::ec384()),
        Key::of(TestKey::ed25519()),
        Key::of(TestKey::rsa().with_alg("PS256")),
        Key::of(TestKey::rsa()),
    ] {
        let tokens = bound(&app, "app", &key).await;
        assert_eq!(tokens.body["token_type"], "DPoP");
        assert_eq!(claims_of(tokens.access())["cnf"], json!({ "jkt": key.thumbprint() }), "{}", key.alg);
        assert!(!tokens.claims().contains_key("cnf"), "the ID token is bound to nothing");

        let reply = userinfo(&app, tokens.access(), &[&key.for_userinfo(&app, tokens.access())]).await;
        assert_eq!(reply.status, 200, "{reply}");
        assert_eq!(reply.json()["sub"], tokens.sub());
        assert!(!reply.header("dpop-nonce").is_empty());

        let state = app.introspect("app", tokens.access()).await.json();
        assert_eq!(state["active"], true);
        assert_eq!(state["token_type"], "DPoP");
        assert_eq!(state["cnf"], json!({ "jkt": key.thumbprint() }));
    }
    let (_, plain) = app.sign_in("app", &alice()).await;
    assert_eq!(plain.body["token_type"], "Bearer");
    assert!(!claims_of(plain.access()).contains_key("cnf"));
    assert_eq!(app.introspect("app", plain.access()).await.json()["token_type"], "Bearer");
}

#[tokio::test]
async fn clients_bind_their_own_tokens_too() {
    let app = TestApp::with(ROBOT).await;
    let key = Key::new();
    let tokens = Tokens::read(&robot(&app, &[&key.for_token(&app)]).await);
    assert_eq!(tokens.body["token_type"], "DPoP");
    assert_eq!(claims_of(tokens.access())["cnf"]["jkt"], key.thumbprint());
    assert_eq!(Tokens::read(&robot(&app, &[]).await).body["token_type"], "Bearer");
}

/// RFC 9449 §4.3, check by check.
#[tokio::test]
async fn every_flaw_of_a_proof_is_refused() {
    let app = TestApp::with(ROBOT).await;
    let key = Key::new();
    let other = Key::new();
    let draft = || key.proof(&app, "POST", TOKEN);
    let private = crate::harness::with(key.jwk.clone(), json!({ "d": "AAAA" }));
    let symmetric = json!({ "kty": "oct", "k": "AAAA" });
    let good = draft().sign();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let now = app.now();
    for (flaw, proof) in [
        ("not a JWT", "x".to_owned()),
        ("empty", String::new()),
        ("no signature", format!("{signed}.")),
        ("two parts", signed.to_owned()),
        ("five parts", format!("{good}.x.y")),
        ("padding", format!("{good}=")),
        ("two in one", format!("{good}, {good}")),
        ("payload no object", format!("{header}.{}.{signature}", encode(b"[]"))),
        ("too long", draft().claim("pad", json!("x".repeat(8192))).sign()),
        ("no typ", draft().header("typ", Value::Null).sign()),
        ("another typ", draft().header("typ", json!("JWT")).sign()),
        ("no alg", draft().header("alg", Value::Null).sign()),
        ("alg none", draft().header("alg", json!("none")).sign()),
        ("symmetric alg", draft().header("alg", json!("HS256")).sign()),
        ("symmetric key", draft().header("alg", json!("HS256")).header("jwk", symmetric).sign()),
        ("an alg that is not offered", draft().header("alg", json!("ES512")).sign()),
        ("an alg that is not the key's", draft().header("alg", json!("RS256")).sign()),
        ("no jwk", draft().header("jwk", Value::Null).sign()),
        ("jwk no object", draft().header("jwk", json!("x")).sign()),
        ("private jwk", draft().header("jwk", private).sign()),
        (
            "point not on the curve",
            draft().header("jwk", json!({"kty":"EC","crv":"P-256","x":encode(&[1; 32]),"y":encode(&[1; 32])})).sign(),
        ),
        ("another key's signature", draft().header("jwk", other.jwk.clone()).sign()),
        ("signature cut", good[..good.len() - 4].to_owned()),
        ("payload changed", format!("{header}.{}{signature}", payload.replacen('a', "b", 1))),
        ("critical extension", draft().header("crit", json!(["x"])).sign()),
        ("no htm", draft().claim("htm", Value::Null).sign()),
        ("another method", draft().claim("htm", json!("GET")).sign()),
        ("method in lower case", draft().claim("htm", json!("post")).sign()),
        ("no htu", draft().claim("htu", Value::Null).sign()),
        ("another endpoint", draft().claim("htu", json!(USERINFO)).sign()),
        ("another host", draft().claim("htu", json!("https://evil.example/oauth2/token")).sign()),
        ("another scheme", draft().claim("htu", json!("http://sso.example.com/oauth2/token")).sign()),
        ("htu no text", draft().claim("htu", json!([TOKEN])).sign()),
        ("no iat", draft().claim("iat", Value::Null).sign()),
        ("iat text", draft().claim("iat", json!(now.to_string())).sign()),
        ("too old", draft().claim("iat", json!(now - 61)).sign()),
        ("of the future", draft().claim("iat", json!(now + 16)).sign()),
        ("no jti", draft().claim("jti", Value::Null).sign()),
        ("empty jti", draft().claim("jti", json!("")).sign()),
        ("jti no text", draft().claim("jti", json!(1)).sign()),
        ("nonce no text", draft().claim("nonce", json!(1)).sign()),
    ] {
        let reply = robot(&app, &[&proof]).await;
        assert_eq!(reply.json()["error"], "invalid_dpop_proof", "{flaw}: {reply}");
        reply.assert_json_error(400, "invalid_dpop_proof");
        assert!(!reply.header("dpop-nonce").is_empty(), "{flaw}");
    }
    let twice = [draft().sign(), draft().sign()];
    robot(&app, &[&twice[0], &twice[1]]).await.assert_json_error(400, "invalid_dpop_proof");
    assert_eq!(robot(&app, &[&good]).await.status, 200, "and without a flaw it is good");
}

#[tokio::test]
async fn what_may_vary_in_a_proof() {
    let app = TestApp::with(ROBOT).await;
    let key = Key::new();
    let draft = || key.proof(&app, "POST", TOKEN);
    let now = app.now();
    for proof in [
        draft().header("typ", json!("application/DPoP+JWT")).sign(),
        draft().header("kid", json!("any")).sign(),
        draft().claim("htu", json!("HTTPS://SSO.example.com:443/oauth2/./token?query#fragment")).sign(),
        draft().claim("iat", json!(now - 60)).sign(),
        draft().claim("iat", json!(now + 15)).sign(),
        draft().claim("iat", json!(now as f64 + 0.5)).sign(),
        draft().claim("exp", json!(now + 5)).claim("more", json!({ "x": 1 })).sign(),
    ] {
        assert_eq!(robot(&app, &[&proof]).await.status, 200, "{:?}", claims_of(&proof));
    }
}

#[tokio::test]
async fn d18_the_host_header_says_nothing_about_the_endpoint() {
    let app = TestApp::with(ROBOT).await;
    let key = Key::new();
    let basic = format!("Basic {}", STANDARD.encode(format!("robot:{}", secret_of("robot"))));
    let forged = key.proof(&app, "POST", "https://evil.example/oauth2/token").sign();
    for (proof, status) in [(forged, 400), (key.for_token(&app), 200)] {
        let headers = [
            ("authorization", basic.as_str()),
            ("host", "evil.example"),
            ("x-forwarded-host", "evil.example"),
            ("dpop", &proof),
        ];
        let form = [("grant_type", "client_credentials")];
        let reply = Browser::new().send(&app, Method::POST, "/oauth2/token", Some(&form), &headers).await;
        assert_eq!(reply.status, status, "{reply}");
    }
}

#[tokio::test]
async fn a_proof_is_used_once() {
    let app = TestApp::with(ROBOT).await;
    let key = Key::new();
    let proof = key.proof(&app, "POST", TOKEN).claim("jti", json!("the-same")).sign();
    assert_eq!(robot(&app, &[&proof]).await.status, 200);
    robot(&app, &[&proof]).await.assert_json_error(400, "invalid_dpop_proof");
    app.wait(59);
    robot(&app.restarted(BASE, &[ROBOT]).await, &[&proof]).await.assert_json_error(400, "invalid_dpop_proof");
    app.wait(1);
    app.broker.housekeeping().await;
    robot(&app, &[&proof]).await.assert_json_error(400, "invalid_dpop_proof");
    let others = Key::new().proof(&app, "POST", TOKEN).claim("jti", json!("the-same")).sign();
    assert_eq!(robot(&app, &[&others]).await.status, 200, "nobody uses up another key's identifiers");

    let tokens = bound(&app, "app", &key).await;
    let proof = key.for_userinfo(&app, tokens.access());
    assert_eq!(userinfo(&app, tokens.access(), &[&proof]).await.status, 200);
    assert_challenge(&userinfo(&app, tokens.access(), &[&proof]).await, "invalid_dpop_proof");
}

#[tokio::test]
async fn parallel_uses_of_one_proof_give_one_token() {
    let app = TestApp::with(ROBOT).await;
    let proof = Key::new().for_token(&app);
    let proofs = [proof.as_str()];
    let (a, b, c, d) =
        tokio::join!(robot(&app, &proofs), robot(&app, &proofs), robot(&app, &proofs), robot(&app, &proofs));
    let good = [a, b, c, d].iter().filter(|reply| reply.status == 200).count();
    assert_eq!(good, 1);
}

#[tokio::test]
async fn a_public_clients_refresh_tokens_are_bound() {
    let app = TestApp::base().await;
    let (key, stolen_by) = (Key::new(), Key::new());
    let tokens = bound(&app, "spa", &key).await;
    refresh(&app, "spa", tokens.refresh(), &[]).await.assert_json_error(400, "invalid_grant");
    let foreign = stolen_by.for_token(&app);
    refresh(&app, "spa", tokens.refresh(), &[&foreign]).await.assert_json_error(400, "invalid_grant");

    let next = Tokens::read(&refresh(&app, "spa", tokens.refresh(), &[&key.for_token(&app)]).await);
    assert_eq!(next.body["token_type"], "DPoP");
    assert_eq!(claims_of(next.access())["cnf"]["jkt"], key.thumbprint());
    let foreign = stolen_by.for_token(&app);
    let later = app.restarted(BASE, &[]).await;
    refresh(&later, "spa", next.refresh(), &[&foreign]).await.assert_json_error(400, "invalid_grant");
    assert_eq!(refresh(&later, "spa", next.refresh(), &[&key.for_token(&app)]).await.status, 200);
}

#[tokio::test]
async fn a_public_client_that_begins_to_prove_is_bound_from_then_on() {
    let app = TestApp::base().await;
    let (_, plain) = app.sign_in("spa", &alice()).await;
    let (key, other) = (Key::new(), Key::new());
    let first = Tokens::read(&refresh(&app, "spa", plain.refresh(), &[&key.for_token(&app)]).await);
    assert_eq!(first.body["token_type"], "DPoP");
    refresh(&app, "spa", first.refresh(), &[]).await.assert_json_error(400, "invalid_grant");
    let foreign = other.for_token(&app);
    refresh(&app, "spa", first.refresh(), &[&foreign]).await.assert_json_error(400, "invalid_grant");
    assert_eq!(refresh(&app, "spa", first.refresh(), &[&key.for_token(&app)]).await.status, 200);
}

#[tokio::test]
async fn a_confidential_clients_refresh_tokens_are_bound_to_the_client_alone() {
    let app = TestApp::base().await;
    let tokens = bound(&app, "app", &Key::new()).await;
    assert!(app.introspect("app", tokens.refresh()).await.json().get("cnf").is_none());
    let other = Key::new();
    let next = Tokens::read(&refresh(&app, "app", tokens.refresh(), &[&other.for_token(&app)]).await);
    assert_eq!(claims_of(next.access())["cnf"]["jkt"], other.thumbprint());
    let last = Tokens::read(&refresh(&app, "app", next.refresh(), &[]).await);
    assert_eq!(last.body["token_type"], "Bearer");
}

#[tokio::test]
async fn a_bound_token_needs_its_key() {
    let app = TestApp::base().await;
    let key = Key::new();
    let tokens = bound(&app, "app", &key).await;
    let access = tokens.access();

    let as_bearer = app.userinfo(access).await;
    as_bearer.assert_json_error(401, "invalid_token");
    let named = challenges(&as_bearer);
    assert!(named[0].starts_with("Bearer ") && named[1].starts_with("DPoP "), "{named:?}");
    let body = [("access_token", access)];
    let in_body = Browser::new().send(&app, Method::POST, "/oauth2/userinfo", Some(&body), &[]).await;
    in_body.assert_json_error(401, "invalid_token");
    let bearer = format!("Bearer {access}");
    let proof = key.for_userinfo(&app, access);
    let headers = [("authorization", bearer.as_str()), ("dpop", &proof)];
    let reply = Browser::new().send(&app, Method::GET, "/oauth2/userinfo", None, &headers).await;
    reply.assert_json_error(401, "invalid_token");

    assert_challenge(&userinfo(&app, access, &[]).await, "invalid_dpop_proof");
    let foreign = Key::new().for_userinfo(&app, access);
    assert_challenge(&userinfo(&app, access, &[&foreign]).await, "invalid_token");
    let other = bound(&app, "app", &key).await;
    let draft = || key.proof(&app, "GET", USERINFO).claim("ath", json!(hash(access)));
    for proof in [
        draft().claim("ath", Value::Null).sign(),
        draft().claim("ath", json!(hash(other.access()))).sign(),
        draft().claim("htm", json!("POST")).sign(),
        draft().claim("htu", json!(TOKEN)).sign(),
        draft().claim("iat", json!(app.now() - 61)).sign(),
    ] {
        assert_challenge(&userinfo(&app, access, &[&proof]).await, "invalid_dpop_proof");
    }
    let twice = [draft().sign(), draft().sign()];
    assert_challenge(&userinfo(&app, access, &[&twice[0], &twice[1]]).await, "invalid_dpop_proof");

    let by_dpop = format!("dpop {access}");
    let proof = draft().claim("htm", json!("POST")).sign();
    let headers = [("authorization", by_dpop.as_str()), ("dpop", &proof)];
    let reply = Browser::new().send(&app, Method::POST, "/oauth2/userinfo", Some(&[]), &headers).await;
    assert_eq!(reply.status, 200, "{reply}");
}

#[tokio::test]
async fn an_unbound_token_is_a_bearer_token() {
    let app = TestApp::base().await;
    let (_, plain) = app.sign_in("app", &alice()).await;
    let proof = Key::new().for_userinfo(&app, plain.access());
    assert_challenge(&userinfo(&app, plain.access(), &[&proof]).await, "invalid_token");
    assert_eq!(app.userinfo(plain.access()).await.status, 200);
    let none = app.get("/oauth2/userinfo").await;
    assert_eq!(challenges(&none).len(), 2);
    assert!(challenges(&none).iter().all(|challenge| !challenge.contains("error")), "{none}");
}

#[tokio::test]
async fn a_code_may_be_bound_before_it_is_issued() {
    let app = TestApp::base().await;
    let key = Key::new();
    for client in ["app", "spa"] {
        let request = Authorize::of(client).set("dpop_jkt", &key.thumbprint());
        let code = code(&app, &request).await;
        redeem(&app, client, &code, &[]).await.assert_json_error(400, "invalid_grant");
        let foreign = Key::new().for_token(&app);
        redeem(&app, client, &code, &[&foreign]).await.assert_json_error(400, "invalid_grant");
        let tokens = Tokens::read(&redeem(&app, client, &code, &[&key.for_token(&app)]).await);
        assert_eq!(claims_of(tokens.access())["cnf"]["jkt"], key.thumbprint());
    }
    for malformed in ["short", &"=".repeat(43), &"a".repeat(44)] {
        let reply = app.get(&Authorize::of("app").set("dpop_jkt", malformed).url(&app)).await;
        reply.assert_app_error("app", "invalid_request");
    }
}

#[tokio::test]
async fn a_request_pushed_with_a_proof_binds_its_code() {
    let app = TestApp::base().await;
    let (key, other) = (Key::new(), Key::new());
    let push = async |request: &Authorize, proof: String| {
        let basic = format!("Basic {}", STANDARD.encode(format!("app:{}", secret_of("app"))));
        let headers = [("authorization", basic.as_str()), ("dpop", &proof)];
        Browser::new().send(&app, Method::POST, PUSH, Some(&request.fields()), &headers).await
    };
    let proof = || key.proof(&app, "POST", &app.absolute(PUSH)).sign();
    let plain = Authorize::of("app");
    push(&plain, key.for_token(&app)).await.assert_json_error(400, "invalid_dpop_proof");
    let named = plain.clone().set("dpop_jkt", &other.thumbprint());
    push(&named, proof()).await.assert_json_error(400, "invalid_request");
    let used = proof();
    let agreeing = plain.clone().set("dpop_jkt", &key.thumbprint());
    for (request, proof) in [(&plain, used.clone()), (&agreeing, proof())] {
        let pushed = push(request, proof).await;
        assert_eq!(pushed.status, 201, "{pushed}");
        assert!(!pushed.header("dpop-nonce").is_empty());
        let uri = pushed.json()["request_uri"].as_str().unwrap().to_owned();
        let url = url::Url::parse_with_params(
            &app.absolute("/oauth2/authorize"),
            [("client_id", "app"), ("request_uri", &uri)],
        );
        let mut browser = Browser::new();
        let leaving = browser.open(&app, url.unwrap().as_str()).await.location();
        let callback = app.idp().authorize(&leaving, &alice());
        let code = browser.open(&app, &callback).await.param("code");
        redeem(&app, "app", &code, &[&other.for_token(&app)]).await.assert_json_error(400, "invalid_grant");
        assert_eq!(redeem(&app, "app", &code, &[&key.for_token(&app)]).await.status, 200);
    }
    push(&plain, used).await.assert_json_error(400, "invalid_dpop_proof");
}

#[tokio::test]
async fn a_client_may_be_held_to_it() {
    let app = TestApp::with("[clients.app]\ndpop_bound_access_tokens = true").await;
    let key = Key::new();
    let code = code(&app, &Authorize::of("app")).await;
    redeem(&app, "app", &code, &[]).await.assert_json_error(400, "invalid_request");
    let tokens = Tokens::read(&redeem(&app, "app", &code, &[&key.for_token(&app)]).await);
    refresh(&app, "app", tokens.refresh(), &[]).await.assert_json_error(400, "invalid_request");
    assert_eq!(refresh(&app, "app", tokens.refresh(), &[&key.for_token(&app)]).await.status, 200);
}

#[tokio::test]
async fn nonces_are_handed_out_and_checked_when_sent() {
    let app = TestApp::with(ROBOT).await;
    let key = Key::new();
    let with = |nonce: &str| key.proof(&app, "POST", TOKEN).claim("nonce", json!(nonce)).sign();
    assert_eq!(robot(&app, &[]).await.header("dpop-nonce"), "", "who sends no proof needs none");
    let nonce = robot(&app, &[&key.for_token(&app)]).await.header("dpop-nonce").to_owned();
    assert!(!nonce.is_empty());

    assert_eq!(robot(&app, &[&with(&nonce)]).await.status, 200);
    app.wait(299);
    let replica = app.restarted(BASE, &[ROBOT]).await;
    assert_eq!(robot(&replica, &[&with(&nonce)]).await.status, 200, "good at another process");
    app.wait(1);
    let stale = robot(&app, &[&with(&nonce)]).await;
    stale.assert_json_error(400, "use_dpop_nonce");
    let fresh = stale.header("dpop-nonce").to_owned();
    assert_ne!(fresh, nonce);
    assert_eq!(robot(&app, &[&with(&fresh)]).await.status, 200);

    let altered = format!("{}{}", if fresh.starts_with('B') { "C" } else { "B" }, &fresh[1..]);
    for wrong in ["", "x", "a nonce of another server", &fresh[..fresh.len() - 2], &altered] {
        robot(&app, &[&with(wrong)]).await.assert_json_error(400, "use_dpop_nonce");
    }

    let tokens = bound(&app, "app", &key).await;
    let draft = || key.proof(&app, "GET", USERINFO).claim("ath", json!(hash(tokens.access())));
    let stale = userinfo(&app, tokens.access(), &[&draft().claim("nonce", json!(nonce)).sign()]).await;
    assert_challenge(&stale, "use_dpop_nonce");
    let proof = draft().claim("nonce", json!(stale.header("dpop-nonce"))).sign();
    assert_eq!(userinfo(&app, tokens.access(), &[&proof]).await.status, 200);
}

#[tokio::test]
async fn nonces_outlive_a_rotation_of_the_signing_keys() {
    let app = TestApp::with("keys.rotate_every = \"30d\"").await;
    let key = Key::new();
    app.broker.housekeeping().await;
    app.wait(30 * 86_400 - 60);
    let code = code(&app, &Authorize::of("app")).await;
    let nonce = redeem(&app, "app", &code, &[&key.for_token(&app)]).await.header("dpop-nonce").to_owned();
    let keys = app.get("/oauth2/jwks").await.json();
    app.wait(60);
    app.broker.housekeeping().await;
    assert_ne!(app.get("/oauth2/jwks").await.json(), keys, "rotated");
    let tokens = bound(&app, "app", &key).await;
    let draft = key.proof(&app, "GET", USERINFO).claim("ath", json!(hash(tokens.access())));
    let proof = draft.claim("nonce", json!(nonce)).sign();
    assert_eq!(userinfo(&app, tokens.access(), &[&proof]).await.status, 200);
}

#[tokio::test]
async fn browsers_and_libraries_learn_of_it() {
    let app = TestApp::base().await;
    let document = app.get("/.well-known/openid-configuration").await.json();
    let algorithms = json!(["ES256", "ES384", "PS256", "RS256", "EdDSA", "Ed25519"]);
    assert_eq!(document["dpop_signing_alg_values_supported"], algorithms);

    let proof = Key::new().for_token(&app);
    let headers = [("origin", "https://spa.example"), ("dpop", proof.as_str())];
    let form = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", "spa")];
    let reply = Browser::new().send(&app, Method::POST, "/oauth2/token", Some(&form), &headers).await;
    let exposed = reply.header("access-control-expose-headers");
    assert!(exposed.contains("DPoP-Nonce") && exposed.contains("WWW-Authenticate"), "{exposed}");
    assert!(!reply.header("dpop-nonce").is_empty());
}

/// At the proxy that forwards certificates, the target of a request is the endpoint's alias (RFC 9449 §4.2, RFC 8705 §5).
#[tokio::test]
async fn a_proof_may_name_the_alias_that_was_called() {
    let app = TestApp::with(CREATING).await;
    let (leaf, key, secret) = (Leaf::named("ci-runner"), Key::new(), secret_of("app"));
    let form = [
        ("grant_type", "urn:countersign:grant:certificate"),
        ("scope", "openid"),
        ("client_id", "app"),
        ("client_secret", secret.as_str()),
    ];
    let alias = |url: &str| url.replace("sso.example.com", "sso.example.com:8444");
    let post = async |url: &str, by_certificates: bool| {
        let proof = key.proof(&app, "POST", url).sign();
        let mut browser = Browser { by_certificates, ..script(&leaf) };
        browser.send(&app, Method::POST, "/oauth2/token", Some(&form), &[("dpop", proof.as_str())]).await
    };
    for url in [alias(TOKEN), TOKEN.to_owned()] {
        let tokens = Tokens::read(&post(&url, true).await);
        assert_eq!((&tokens.body["token_type"], tokens.sub().is_empty()), (&json!("DPoP"), false));
        assert_eq!(claims_of(tokens.access())["cnf"], json!({ "jkt": key.thumbprint() }));
        let proof = key.proof(&app, "GET", &alias(USERINFO)).claim("ath", json!(hash(tokens.access()))).sign();
        let authorization = format!("DPoP {}", tokens.access());
        let headers = [("authorization", authorization.as_str()), ("dpop", proof.as_str())];
        let reply = script(&leaf).send(&app, Method::GET, "/oauth2/userinfo", None, &headers).await;
        assert_eq!(reply.json()["sub"], tokens.sub(), "{reply}");
    }
    let elsewhere = post(&alias(USERINFO), true).await;
    elsewhere.assert_json_error(400, "invalid_dpop_proof");
    assert!(elsewhere.text().contains(&alias(TOKEN)), "{elsewhere}");
    post(&alias(TOKEN), false).await.assert_json_error(400, "invalid_dpop_proof");
}
