//! The token endpoint: client authentication, codes, PKCE, client credentials. Refresh tokens are in `refresh`.

use std::sync::Arc;

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::harness::app::secret_of;
use crate::harness::{Auth, Authorize, BASE, Browser, Reply, TestApp, Tokens, VERIFIER, alice, claims_of};

/// A code for this client, with this request.
async fn code(app: &TestApp, request: &Authorize) -> String {
    app.through_provider(&mut Browser::new(), request, &alice()).await.param("code")
}

/// A token request for a code.
async fn redeem(app: &TestApp, auth: &Auth, code: &str, more: &[(&str, &str)]) -> Reply {
    let mut form = vec![("grant_type", "authorization_code"), ("code", code)];
    form.extend_from_slice(more);
    app.token(auth, &form).await
}

const CB: (&str, &str) = ("redirect_uri", "https://app.example/cb");
const PROOF: (&str, &str) = ("code_verifier", VERIFIER);

#[tokio::test]
async fn client_authentication_ways() {
    let app = TestApp::base().await;
    let secret = secret_of("app");
    let id = || "app".to_owned();
    let good = [Auth::Basic(id(), secret.clone()), Auth::Post(id(), secret.clone())];
    for auth in &good {
        let code = code(&app, &Authorize::of("app")).await;
        assert_eq!(redeem(&app, auth, &code, &[CB, PROOF]).await.status, 200, "{auth:?}");
    }
    let code = code(&app, &Authorize::of("app")).await;
    for (auth, challenged) in [
        (Auth::Basic(id(), "wrong".to_owned()), true),
        (Auth::Basic(id(), String::new()), true),
        (Auth::Basic("unheard-of".to_owned(), secret.clone()), true),
        (Auth::Basic("other".to_owned(), secret.clone()), true),
        (Auth::Post(id(), "wrong".to_owned()), false),
        (Auth::Post("unheard-of".to_owned(), secret.clone()), false),
        (Auth::Public(id()), false),
        (Auth::Public("unheard-of".to_owned()), false),
        (Auth::Nothing, false),
        (Auth::Basic("spa".to_owned(), "anything".to_owned()), true),
    ] {
        let reply = redeem(&app, &auth, &code, &[CB, PROOF]).await;
        reply.assert_json_error(401, "invalid_client");
        assert_eq!(reply.header("www-authenticate").starts_with("Basic "), challenged, "{auth:?}");
    }
    assert_eq!(redeem(&app, &good[0], &code, &[CB, PROOF]).await.status, 200, "refusals leave the code alone");
}

#[tokio::test]
async fn two_ways_at_once_are_refused() {
    let app = TestApp::base().await;
    let code = code(&app, &Authorize::of("app")).await;
    let secret = secret_of("app");
    let basic = Auth::of("app");
    let both = [CB, PROOF, ("client_id", "app"), ("client_secret", secret.as_str())];
    redeem(&app, &basic, &code, &both).await.assert_json_error(400, "invalid_request");
    let both = [CB, PROOF, ("client_secret", secret.as_str())];
    redeem(&app, &basic, &code, &both).await.assert_json_error(400, "invalid_request");
    let assertion = [CB, PROOF, ("client_assertion", "x"), ("client_assertion_type", "y")];
    redeem(&app, &basic, &code, &assertion).await.assert_json_error(400, "invalid_request");
    let another = [CB, PROOF, ("client_id", "other")];
    redeem(&app, &basic, &code, &another).await.assert_json_error(400, "invalid_request");
    let same = [CB, PROOF, ("client_id", "app")];
    assert_eq!(redeem(&app, &basic, &code, &same).await.status, 200, "the same client id again is no second way");
}

#[tokio::test]
async fn a_registered_method_is_the_only_one() {
    let app = TestApp::with("clients.app.token_endpoint_auth_method = \"client_secret_post\"").await;
    let code = code(&app, &Authorize::of("app")).await;
    redeem(&app, &Auth::of("app"), &code, &[CB, PROOF]).await.assert_json_error(401, "invalid_client");
    let post = Auth::Post("app".to_owned(), secret_of("app"));
    assert_eq!(redeem(&app, &post, &code, &[CB, PROOF]).await.status, 200);
}

#[tokio::test]
async fn secrets_rotate_are_form_decoded_and_may_be_hashed() {
    let odd = "s e+c%r:e&t=ü-0123456789-abcdef-0123456789";
    let old = "the-old-secret-0123456789abcdef0123456789";
    let app = TestApp::with(&format!("clients.app.client_secret = [\"{odd}\", \"{old}\"]")).await;
    for secret in [odd, old] {
        let code = code(&app, &Authorize::of("app")).await;
        let auth = Auth::Basic("app".to_owned(), secret.to_owned());
        assert_eq!(redeem(&app, &auth, &code, &[CB, PROOF]).await.status, 200, "{secret}");
    }

    let hashed = "the-hashed-secret-0123456789abcdef0123456789";
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, hashed.as_bytes());
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let secret = format!("client_secret = \"{}\"", secret_of("app"));
    let toml = BASE.replace(&secret, &format!("client_secret_hashes = [\"sha256:{hex}\"]"));
    let app = TestApp::from(&toml).await;
    let code = code(&app, &Authorize::of("app")).await;
    let auth = Auth::Basic("app".to_owned(), hex);
    redeem(&app, &auth, &code, &[CB, PROOF]).await.assert_json_error(401, "invalid_client");
    let auth = Auth::Basic("app".to_owned(), hashed.to_owned());
    assert_eq!(redeem(&app, &auth, &code, &[CB, PROOF]).await.status, 200);
}

#[tokio::test]
async fn a_disabled_client_can_not_authenticate() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    let code = code(&app, &Authorize::of("app")).await;
    app.reload(BASE, &["clients.app.enabled = false"]).await;
    redeem(&app, &Auth::of("app"), &code, &[CB, PROOF]).await.assert_json_error(401, "invalid_client");
    app.refresh("app", tokens.refresh()).await.assert_json_error(401, "invalid_client");
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    assert_eq!(app.introspect("other", tokens.access()).await.json(), json!({ "active": false }));
}

#[tokio::test]
async fn requests_that_are_none() {
    let app = TestApp::base().await;
    let auth = Auth::of("app");
    app.token(&auth, &[]).await.assert_json_error(400, "invalid_request");
    app.token(&auth, &[("grant_type", "password")]).await.assert_json_error(400, "unsupported_grant_type");
    app.token(&auth, &[("grant_type", "authorization_code")]).await.assert_json_error(400, "invalid_request");
    app.token(&auth, &[("grant_type", "refresh_token")]).await.assert_json_error(400, "invalid_request");
    app.token(&auth, &[("grant_type", "client_credentials")]).await.assert_json_error(400, "unauthorized_client");
    let form = [("grant_type", "authorization_code"), ("code", "made-up"), CB];
    app.token(&auth, &form).await.assert_json_error(400, "invalid_grant");
    assert_eq!(app.get("/oauth2/token").await.status, 405);
    let query =
        format!("/oauth2/token?grant_type=authorization_code&code=x&client_id=app&client_secret={}", secret_of("app"));
    let reply = Browser::new().send(&app, Method::POST, &query, Some(&[]), &[]).await;
    assert_ne!(reply.status, 200, "parameters in the URL do not count");
    assert_eq!(reply.json()["error"], "invalid_client");
}

#[tokio::test]
async fn d10_pkce() {
    let app = TestApp::base().await;
    let auth = Auth::of("app");
    let with_challenge = Authorize::of("app");
    let without = Authorize::of("app").without_pkce();
    let wrong = "x".repeat(43);
    let challenge_as_verifier = crate::harness::CHALLENGE;
    for (request, verifier) in [
        (&with_challenge, None),
        (&with_challenge, Some("")),
        (&with_challenge, Some(wrong.as_str())),
        (&with_challenge, Some(challenge_as_verifier)),
        (&with_challenge, Some("short")),
        (&without, Some(VERIFIER)),
    ] {
        let code = code(&app, request).await;
        let mut more = vec![CB];
        more.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        redeem(&app, &auth, &code, &more).await.assert_json_error(400, "invalid_grant");
    }
    let plain = code(&app, &without).await;
    assert_eq!(redeem(&app, &auth, &plain, &[CB]).await.status, 200, "a confidential client may do without");

    let app = TestApp::with("clients.app.pkce = \"required\"").await;
    let reply = Browser::new().open(&app, &without.url(&app)).await;
    reply.assert_app_error("app", "invalid_request");
}

#[tokio::test]
async fn d12_a_code_is_bound_to_client_redirect_uri_and_time() {
    let app =
        TestApp::with("clients.app.redirect_uris = [\"https://app.example/cb\", \"https://app.example/two\"]").await;
    let request = Authorize::of("app");
    let fresh = async || code(&app, &request).await;

    redeem(&app, &Auth::of("other"), &fresh().await, &[CB, PROOF]).await.assert_json_error(400, "invalid_grant");
    redeem(&app, &Auth::of("spa"), &fresh().await, &[CB, PROOF]).await.assert_json_error(400, "invalid_grant");
    let two = ("redirect_uri", "https://app.example/two");
    redeem(&app, &Auth::of("app"), &fresh().await, &[two, PROOF]).await.assert_json_error(400, "invalid_grant");
    redeem(&app, &Auth::of("app"), &fresh().await, &[PROOF]).await.assert_json_error(400, "invalid_grant");

    let late = fresh().await;
    app.wait(60);
    redeem(&app, &Auth::of("app"), &late, &[CB, PROOF]).await.assert_json_error(400, "invalid_grant");
    let timely = fresh().await;
    app.wait(59);
    assert_eq!(redeem(&app, &Auth::of("app"), &timely, &[CB, PROOF]).await.status, 200);

    let app = TestApp::with("clients.app.tokens = { authorization_code = \"5m\", access_token = \"90s\" }").await;
    let code = code(&app, &request).await;
    app.wait(299);
    let tokens = Tokens::read(&redeem(&app, &Auth::of("app"), &code, &[CB, PROOF]).await);
    assert_eq!(tokens.body["expires_in"], 90);
}

#[tokio::test]
async fn d11_a_used_code_revokes_what_it_gave() {
    let app = TestApp::base().await;
    let code = code(&app, &Authorize::of("app")).await;
    let tokens = Tokens::read(&app.redeem("app", &code).await);
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
    app.redeem("app", &code).await.assert_json_error(400, "invalid_grant");
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
}

#[tokio::test]
async fn d11_a_used_code_revokes_what_it_gave_after_its_own_lifetime_too() {
    let app = TestApp::base().await;
    let code = code(&app, &Authorize::of("app")).await;
    let tokens = Tokens::read(&app.redeem("app", &code).await);
    app.wait(600);
    app.broker.housekeeping().await;
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
    app.redeem("app", &code).await.assert_json_error(400, "invalid_grant");
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_used_code_in_another_clients_hands_revokes_nothing() {
    let app = TestApp::base().await;
    let code = code(&app, &Authorize::of("app")).await;
    let tokens = Tokens::read(&app.redeem("app", &code).await);
    redeem(&app, &Auth::of("other"), &code, &[CB, PROOF]).await.assert_json_error(400, "invalid_grant");
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
}

#[tokio::test]
async fn d11_parallel_redemptions_of_one_code() {
    let app = Arc::new(TestApp::base().await);
    let code = code(&app, &Authorize::of("app")).await;
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let (app, code) = (Arc::clone(&app), code.clone());
        tasks.spawn(async move { app.redeem("app", &code).await });
    }
    let replies = tasks.join_all().await;
    let won: Vec<&Reply> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(won.len(), 1, "one success");
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        reply.assert_json_error(400, "invalid_grant");
    }
    let tokens = Tokens::read(won[0]);
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_code_dies_with_its_session() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let answer = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    let page = browser.open(&app, "/oauth2/logout").await;
    browser.submit(&app, &page, &[("decision", "sign_out")]).await;
    app.redeem("app", &answer.param("code")).await.assert_json_error(400, "invalid_grant");
}

#[tokio::test]
async fn policy_decides_when_a_code_is_redeemed() {
    let app = TestApp::base().await;
    let code = code(&app, &Authorize::of("app")).await;
    app.reload(BASE, &["clients.app.require = \"'admins' in groups\""]).await;
    let reply = app.redeem("app", &code).await;
    reply.assert_json_error(400, "invalid_grant");
    assert!(reply.json()["error_description"].as_str().unwrap().contains("client_requirement_not_met"), "{reply}");
}

#[tokio::test]
async fn client_credentials_speak_for_the_client() {
    let overlay = r#"
[clients.robot]
client_secret = "secret-of-robot-0123456789abcdef"
grant_types = ["client_credentials"]
scopes = ["orders:read", "openid"]
[resources.orders]
uri = "https://api.example.com/orders"
scopes = ["orders:read"]
clients = ["robot"]
"#;
    let app = TestApp::with(overlay).await;
    let resource = ("resource", "https://api.example.com/orders");
    let form = [("grant_type", "client_credentials"), ("scope", "orders:read openid offline_access"), resource];
    let reply = app.token(&Auth::of("robot"), &form).await;
    assert_eq!(reply.status, 200, "{reply}");
    let body = reply.json();
    assert_eq!(body["scope"], "orders:read");
    assert!(body.get("refresh_token").is_none() && body.get("id_token").is_none());
    let claims = claims_of(body["access_token"].as_str().unwrap());
    assert_eq!(claims["sub"], "robot");
    assert_eq!(claims["client_id"], "robot");
    assert_eq!(claims["aud"], "https://api.example.com/orders");
    assert!(!claims.contains_key("auth_time"));
    app.userinfo(body["access_token"].as_str().unwrap()).await.assert_json_error(403, "insufficient_scope");

    let other = [("grant_type", "client_credentials"), ("resource", "https://elsewhere.example")];
    app.token(&Auth::of("robot"), &other).await.assert_json_error(400, "invalid_target");
    app.token(&Auth::of("robot"), &[("grant_type", "refresh_token"), ("refresh_token", "x")])
        .await
        .assert_json_error(400, "unauthorized_client");
    let reply = Browser::new().open(&app, &Authorize::of("robot").url(&app)).await;
    reply.assert_error_page(400, "invalid_redirect_uri");
}

#[tokio::test]
async fn a_client_without_the_refresh_grant_gets_no_refresh_token() {
    let app = TestApp::with("clients.app.grant_types = [\"authorization_code\"]").await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    assert!(tokens.body.get("refresh_token").is_none());
}

#[tokio::test]
async fn public_clients_authenticate_by_name_and_prove_by_pkce() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("spa", &alice()).await;
    assert_eq!(tokens.claims()["aud"], "spa");
    let code = code(&app, &Authorize::of("spa")).await;
    let with_secret = Auth::Post("spa".to_owned(), "anything".to_owned());
    let cb = ("redirect_uri", "https://spa.example/cb");
    redeem(&app, &with_secret, &code, &[cb, PROOF]).await.assert_json_error(401, "invalid_client");
}

#[tokio::test]
async fn access_tokens_have_the_typ_that_their_client_is_registered_for() {
    let typ = "clients.app.access_token_typ = \"JWT\"";
    let app = TestApp::with(typ).await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    assert_eq!(crate::harness::jwt::header_of(tokens.access())["typ"], "JWT");
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
    assert_eq!(app.introspect("app", tokens.access()).await.json()["active"], true);
    // A token of one kind is refused as the other.
    app.userinfo(tokens.id()).await.assert_json_error(401, "invalid_token");
    assert_eq!(app.introspect("app", tokens.id()).await.json()["active"], false);
    let url = |hint: &str| format!("https://sso.example.com/oauth2/logout?id_token_hint={hint}");
    browser.open(&app, &url(tokens.access())).await.assert_error_page(400, "invalid_request");
    let hinted = Authorize::of("app").set("prompt", "none").set("id_token_hint", tokens.access());
    assert!(!browser.open(&app, &hinted.url(&app)).await.location().contains("code="));

    // A change applies to new tokens; issued ones remain valid.
    app.reload(crate::harness::BASE, &["clients.app.access_token_typ = \"at+jwt\""]).await;
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
    let refreshed = app.refresh("app", tokens.refresh()).await.json();
    let access = refreshed["access_token"].as_str().unwrap();
    assert_eq!(crate::harness::jwt::header_of(access)["typ"], "at+jwt");
    app.reload(crate::harness::BASE, &[typ]).await;
    assert_eq!(app.userinfo(access).await.status, 200);
    app.revoke("app", tokens.access()).await;
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
}
