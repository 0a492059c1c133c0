//! The implicit and hybrid flows (OIDC Core §3.2, §3.3) as apps see them: what the response contains, where, and how it can be
//! used.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{self, Algorithm};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::jwt::{header_of, verified};
use crate::harness::{Auth, Authorize, BASE, Browser, Form, IDP, ISSUER, Reply, TestApp, Tokens, alice, claims_of};

/// Clients that may use every flow, and a client without a secret that may only use the implicit flow.
const ALL: &str = r#"
[clients.app]
grant_types = ["authorization_code", "refresh_token", "implicit"]
response_types = ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"]
[clients.spa]
grant_types = ["authorization_code", "refresh_token", "implicit"]
response_types = ["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"]
[clients.page]
grant_types = ["implicit"]
response_types = ["id_token", "id_token token"]
redirect_uris = ["https://page.example/cb"]
scopes = ["openid", "profile", "email", "offline_access"]
"#;

const TYPES: [&str; 5] = ["id_token", "id_token token", "code id_token", "code token", "code id_token token"];

async fn all() -> TestApp {
    TestApp::with(ALL).await
}

fn asking(client: &str, response_type: &str) -> Authorize {
    Authorize::of(client).set("response_type", response_type)
}

async fn open(app: &TestApp, request: Authorize) -> Reply {
    Browser::new().open(app, &request.url(app)).await
}

/// The parameters of a response in the fragment of the app's redirect URI.
#[track_caller]
fn fragment(reply: &Reply, client: &str) -> BTreeMap<String, String> {
    let location = reply.location();
    assert!(location.starts_with(&format!("https://{client}.example/cb#")), "{location}");
    assert_eq!(reply.header("cache-control"), "no-store");
    let params = reply.params();
    assert_eq!(params["iss"], ISSUER);
    params
}

#[track_caller]
fn assert_fragment_error(reply: &Reply, client: &str, error: &str) {
    let params = fragment(reply, client);
    assert_eq!(params.get("error").map(String::as_str), Some(error), "{params:?}");
    assert_eq!(params["state"], "state-of-the-app");
    for absent in ["code", "id_token", "access_token"] {
        assert!(!params.contains_key(absent), "{absent}");
    }
}

/// `at_hash` and `c_hash`, computed like an app does (OIDC Core §3.3.2.11).
fn half(algorithm: &'static Algorithm, text: &str) -> Value {
    let hash = digest::digest(algorithm, text.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2]).into()
}

fn names(params: &BTreeMap<String, String>) -> Vec<&str> {
    params.keys().map(String::as_str).collect()
}

/// A sign-in with a new browser, and the parameters of its response.
async fn sign_in(app: &TestApp, client: &str, request: &Authorize) -> (Browser, BTreeMap<String, String>) {
    let mut browser = Browser::new();
    let reply = app.through_provider(&mut browser, request, &alice()).await;
    (browser, fragment(&reply, client))
}

#[tokio::test]
async fn each_response_type_gives_what_it_says_and_no_more() {
    let app = all().await;
    for response_type in TYPES {
        let (_, params) = sign_in(&app, "app", &asking("app", response_type)).await;
        let has = |word: &str| response_type.split(' ').any(|known| known == word);
        let mut expected = vec!["iss", "state"];
        expected.extend(["code"].into_iter().filter(|_| has("code")));
        expected.extend(["id_token"].into_iter().filter(|_| has("id_token")));
        expected.extend(["access_token", "token_type", "expires_in", "scope"].into_iter().filter(|_| has("token")));
        expected.sort_unstable();
        assert_eq!(names(&params), expected, "{response_type}");
        assert_eq!(params["state"], "state-of-the-app");

        if has("token") {
            assert_eq!((&*params["token_type"], &*params["expires_in"]), ("Bearer", "3600"));
            assert_eq!(params["scope"], "openid profile email groups");
            let claims = verified(&app, &params["access_token"], "app").await;
            assert_eq!(header_of(&params["access_token"])["typ"], "at+jwt");
            assert_eq!((&claims["client_id"], &claims["scope"]), (&json!("app"), &json!(params["scope"])));
        }
        if has("id_token") {
            let claims = verified(&app, &params["id_token"], "app").await;
            assert_eq!(claims["nonce"], "nonce-of-the-app");
            assert!(claims.contains_key("sid") && claims.contains_key("auth_time"), "{claims:?}");
            assert_eq!(claims["email"], "alice@corp.example");
            let hash = |name: &str| params.get(name).map(|text| half(&digest::SHA256, text));
            assert_eq!(claims.get("at_hash").cloned(), hash("access_token"), "{response_type}");
            assert_eq!(claims.get("c_hash").cloned(), hash("code"), "{response_type}");
        }
    }
}

#[tokio::test]
async fn the_code_of_a_hybrid_answer_makes_tokens_of_its_own() {
    let app = all().await;
    for response_type in ["code id_token", "code token", "code id_token token"] {
        let (_, params) = sign_in(&app, "app", &asking("app", response_type)).await;
        let tokens = Tokens::read(&app.redeem("app", &params["code"]).await);
        let later = verified(&app, tokens.id(), "app").await;
        assert_eq!(later["at_hash"], half(&digest::SHA256, tokens.access()));
        assert!(!later.contains_key("c_hash"));
        if let Some(first) = params.get("id_token").map(|token| claims_of(token)) {
            for name in ["iss", "sub", "aud", "nonce", "sid", "auth_time", "email", "groups"] {
                assert_eq!(first.get(name), later.get(name), "{response_type} {name}");
            }
        }
        assert_ne!(params.get("access_token").map(String::as_str), Some(tokens.access()));
        assert_eq!(app.refresh("app", tokens.refresh()).await.status, 200);
        app.redeem("app", &params["code"]).await.assert_json_error(400, "invalid_grant");
    }
}

#[tokio::test]
async fn the_hashes_are_those_of_the_id_tokens_algorithm() {
    let app = TestApp::of(
        BASE,
        &[ALL, "keys.algorithms = [\"RS256\", \"EdDSA\"]\nclients.app.id_token_signed_response_alg = \"EdDSA\""],
    )
    .await;
    let (_, params) = sign_in(&app, "app", &asking("app", "code id_token token")).await;
    assert_eq!(header_of(&params["id_token"])["alg"], "EdDSA");
    let claims = claims_of(&params["id_token"]);
    assert_eq!(claims["c_hash"], half(&digest::SHA512, &params["code"]));
    assert_eq!(claims["at_hash"], half(&digest::SHA512, &params["access_token"]));
}

#[tokio::test]
async fn the_order_of_the_words_does_not_matter() {
    let app = all().await;
    let (mut browser, _) = sign_in(&app, "app", &asking("app", "token code id_token")).await;
    for (asked, given) in [("token id_token", "access_token"), ("id_token code", "code"), ("token code", "code")] {
        let reply = browser.open(&app, &asking("app", asked).url(&app)).await;
        assert!(fragment(&reply, "app").contains_key(given), "{asked}");
    }
}

#[tokio::test]
async fn form_post_works_with_each_and_for_errors() {
    let app = all().await;
    let (mut browser, _) = sign_in(&app, "app", &asking("app", "id_token")).await;
    for response_type in TYPES {
        let request = asking("app", response_type).set("response_mode", "form_post");
        let page = browser.open(&app, &request.url(&app)).await;
        assert_eq!(page.status, 200);
        assert_eq!(page.header("cache-control"), "no-store");
        let form = &Form::all(&page.text())[0];
        assert_eq!(form.action, "https://app.example/cb");
        for word in response_type.split(' ') {
            let name = if word == "token" { "access_token" } else { word };
            assert!(form.field(name).is_some_and(|value| !value.is_empty()), "{response_type}: {name}");
        }
        assert_eq!((form.field("state"), form.field("iss")), (Some("state-of-the-app"), Some(ISSUER)));

        let page = open(&app, request.set("prompt", "none")).await;
        assert_eq!(Form::all(&page.text())[0].field("error"), Some("login_required"));
    }
}

#[tokio::test]
async fn nothing_but_a_code_goes_into_the_query() {
    let app = all().await;
    for response_type in TYPES {
        let request = asking("app", response_type).set("response_mode", "query");
        assert_fragment_error(&open(&app, request).await, "app", "invalid_request");
    }
    let (mut browser, params) = sign_in(&app, "app", &asking("app", "code").set("response_mode", "fragment")).await;
    assert_eq!(names(&params), ["code", "iss", "state"]);
    let reply = browser.open(&app, &asking("app", "code").url(&app)).await;
    assert!(reply.location().starts_with("https://app.example/cb?code="));
}

#[tokio::test]
async fn errors_are_where_the_answer_would_be() {
    let app = all().await;
    let request = || asking("app", "code id_token");
    for (request, error) in [
        (request().set("response_mode", "web_message"), "invalid_request"),
        (request().set("prompt", "none login"), "invalid_request"),
        (request().set("prompt", "none"), "login_required"),
        (request().set("max_age", "soon"), "invalid_request"),
        (request().set("request", "eyJhbGciOiJub25lIn0"), "invalid_request_object"),
        (request().set("resource", "https://api.example"), "invalid_target"),
        (request().without("nonce"), "invalid_request"),
        (request().set("nonce", ""), "invalid_request"),
        (request().set("scope", "email"), "invalid_scope"),
        (request().set("code_challenge_method", "plain"), "invalid_request"),
        (request().add("scope", "email"), "invalid_request"),
    ] {
        assert_fragment_error(&open(&app, request).await, "app", error);
    }
    assert_eq!(app.net.asked().len(), 0, "no provider is called for any of these");

    let mut browser = Browser::new();
    let leaving = browser.open(&app, &request().url(&app)).await.location();
    let callback = app.idp().refuse(&leaving, "access_denied", "");
    assert_fragment_error(&browser.open(&app, &callback).await, "app", "access_denied");
    open(&app, request().set("redirect_uri", "https://evil.example/cb"))
        .await
        .assert_error_page(400, "invalid_redirect_uri");
}

#[tokio::test]
async fn what_a_client_does_not_declare_it_does_not_get() {
    let app = TestApp::base().await;
    for response_type in TYPES {
        assert_fragment_error(&open(&app, asking("app", response_type)).await, "app", "unauthorized_client");
    }
    for none in ["token", "id_token id_token", "code id_token token token", "code  token"] {
        assert_fragment_error(&open(&app, asking("app", none)).await, "app", "unsupported_response_type");
    }
    let page = open(&app, asking("app", "id_token").set("response_mode", "form_post")).await;
    assert_eq!(Form::all(&page.text())[0].field("error"), Some("unauthorized_client"));

    let app = all().await;
    open(&app, asking("page", "code")).await.assert_app_error("page", "unauthorized_client");
    assert_fragment_error(&open(&app, asking("page", "code id_token")).await, "page", "unauthorized_client");
}

#[tokio::test]
async fn a_nonce_is_needed_where_an_id_token_comes() {
    let app = all().await;
    for response_type in ["id_token", "id_token token", "code id_token", "code id_token token"] {
        let request = asking("app", response_type).without("nonce");
        assert_fragment_error(&open(&app, request).await, "app", "invalid_request");
    }
    sign_in(&app, "app", &asking("app", "code token").without("nonce")).await;
}

#[tokio::test]
async fn prompt_none_answers_from_the_session_and_max_age_counts() {
    let app = all().await;
    let silent = |response_type: &str| asking("app", response_type).set("prompt", "none");
    let (mut browser, first) = sign_in(&app, "app", &asking("app", "code id_token token")).await;
    app.wait(120);
    for response_type in TYPES {
        let reply = browser.open(&app, &silent(response_type).url(&app)).await;
        let params = fragment(&reply, "app");
        if let Some(again) = params.get("id_token").map(|token| claims_of(token)) {
            let before = claims_of(&first["id_token"]);
            for name in ["sub", "sid", "auth_time"] {
                assert_eq!(again[name], before[name], "{name}");
            }
        }
        let reply = browser.open(&app, &silent(response_type).set("max_age", "60").url(&app)).await;
        assert_fragment_error(&reply, "app", "login_required");
        let hinted = silent(response_type).set("id_token_hint", &first["id_token"]);
        fragment(&browser.open(&app, &hinted.url(&app)).await, "app");
    }
    let again = browser.open(&app, &asking("app", "id_token").set("max_age", "60").url(&app)).await;
    assert!(again.location().starts_with(IDP), "the provider is asked: {again}");
}

#[tokio::test]
async fn consent_is_asked_remembered_and_refused() {
    let app = TestApp::of(BASE, &[ALL, "clients.app.consent = \"explicit\""]).await;
    for response_type in ["id_token", "code id_token token"] {
        let scope = if response_type == "id_token" { "openid" } else { "openid email" };
        let request = asking("app", response_type).set("scope", scope);
        let mut browser = Browser::new();
        let page = app.through_provider(&mut browser, &request, &alice()).await;
        assert_eq!(page.status, 200, "{page}");
        let reply = browser.submit(&app, &page, &[("decision", "deny")]).await;
        assert_fragment_error(&reply, "app", "access_denied");
        let reply = browser.open(&app, &request.clone().set("prompt", "none").url(&app)).await;
        assert_fragment_error(&reply, "app", "consent_required");

        let page = browser.open(&app, &request.url(&app)).await;
        let reply = browser.submit(&app, &page, &[("decision", "allow")]).await;
        verified(&app, &fragment(&reply, "app")["id_token"], "app").await;
        let reply = browser.open(&app, &request.clone().set("prompt", "none").url(&app)).await;
        fragment(&reply, "app");
    }
}

#[tokio::test]
async fn refusals_lead_back_in_the_fragment() {
    let app = TestApp::of(BASE, &[ALL, "clients.app.require = \"'admins' in groups\""]).await;
    let mut browser = Browser::new();
    let page = app.through_provider(&mut browser, &asking("app", "id_token token"), &alice()).await;
    page.assert_error_page(403, "client_requirement_not_met");
    let text = crate::harness::browser::unescape(&page.text());
    assert!(text.contains("https://app.example/cb#error=access_denied"), "{text}");

    let (mut browser, _) = app.sign_in("other", &alice()).await;
    let reply = browser.open(&app, &asking("app", "id_token token").set("prompt", "none").url(&app)).await;
    assert_fragment_error(&reply, "app", "login_required");
}

#[tokio::test]
async fn an_access_token_of_the_fragment_is_worth_as_much_as_any() {
    let app = all().await;
    for response_type in ["id_token token", "code token", "code id_token token"] {
        let (mut browser, params) = sign_in(&app, "app", &asking("app", response_type)).await;
        let token = &params["access_token"];
        assert_eq!(app.userinfo(token).await.json()["email"], "alice@corp.example");
        let seen = app.introspect("app", token).await.json();
        assert_eq!((&seen["active"], &seen["username"]), (&json!(true), &json!("alice")));

        // The token ends with the session.
        let other = browser.open(&app, &asking("app", response_type).url(&app)).await.param("access_token");
        let out = format!("{ISSUER}/oauth2/logout?client_id=app");
        let page = browser.open(&app, &out).await;
        browser.submit(&app, &page, &[("decision", "sign_out")]).await;
        for token in [token, &other] {
            app.userinfo(token).await.assert_json_error(401, "invalid_token");
            assert_eq!(app.introspect("app", token).await.json(), json!({ "active": false }));
        }
    }
}

#[tokio::test]
async fn offline_access_is_for_codes_only() {
    let app = all().await;
    let offline = |response_type: &str| {
        asking("app", response_type).set("scope", "openid offline_access").set("prompt", "consent")
    };
    let mut browser = Browser::new();
    let page = app.through_provider(&mut browser, &offline("id_token token"), &alice()).await;
    let reply = browser.submit(&app, &page, &[("decision", "allow")]).await;
    assert_eq!(fragment(&reply, "app")["scope"], "openid");

    let page = browser.open(&app, &offline("code token").url(&app)).await;
    let params = fragment(&browser.submit(&app, &page, &[("decision", "allow")]).await, "app");
    let tokens = Tokens::read(&app.redeem("app", &params["code"]).await);
    let page = browser.open(&app, &format!("{ISSUER}/oauth2/logout?client_id=app")).await;
    browser.submit(&app, &page, &[("decision", "sign_out")]).await;
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 200, "the refresh token outlives the session");
    app.userinfo(&params["access_token"]).await.assert_json_error(401, "invalid_token");
}

#[tokio::test]
async fn revocation_and_the_policy_of_the_moment_reach_tokens_of_the_fragment() {
    let app = all().await;
    let (mut browser, params) = sign_in(&app, "app", &asking("app", "code id_token token")).await;
    app.revoke("other", &params["access_token"]).await;
    assert_eq!(app.userinfo(&params["access_token"]).await.status, 200, "another client's request changes nothing");
    app.revoke("app", &params["access_token"]).await;
    app.userinfo(&params["access_token"]).await.assert_json_error(401, "invalid_token");
    assert_eq!(app.redeem("app", &params["code"]).await.status, 200, "the code is a grant of its own");

    let token = browser.open(&app, &asking("app", "id_token token").url(&app)).await.param("access_token");
    app.reload(BASE, &[ALL, "clients.app.require = \"'admins' in groups\""]).await;
    app.userinfo(&token).await.assert_json_error(401, "invalid_token");
    app.reload(BASE, &[ALL]).await;
    assert_eq!(app.userinfo(&token).await.status, 200);
    app.wait(3601);
    app.userinfo(&token).await.assert_json_error(401, "invalid_token");
}

#[tokio::test]
async fn an_id_token_that_comes_alone_carries_the_claims() {
    let app = TestApp::of(BASE, &[ALL, "clients.app.id_token_claims = \"minimal\""]).await;
    for response_type in TYPES.into_iter().filter(|response_type| response_type.contains("id_token")) {
        let (_, params) = sign_in(&app, "app", &asking("app", response_type)).await;
        let claims = claims_of(&params["id_token"]);
        for name in ["email", "name", "groups"] {
            assert_eq!(claims.contains_key(name), response_type == "id_token", "{response_type} {name}");
        }
    }
}

#[tokio::test]
async fn pkce_is_for_codes() {
    let app = all().await;
    for response_type in ["code id_token", "code token", "code id_token token"] {
        let request = asking("spa", response_type).without_pkce();
        assert_fragment_error(&open(&app, request).await, "spa", "invalid_request");
        let (_, params) = sign_in(&app, "spa", &asking("spa", response_type)).await;
        let without = [
            ("grant_type", "authorization_code"),
            ("code", &*params["code"]),
            ("redirect_uri", "https://spa.example/cb"),
        ];
        app.token(&Auth::of("spa"), &without).await.assert_json_error(400, "invalid_grant");
        assert_eq!(app.redeem("spa", &params["code"]).await.status, 200);
    }
    for response_type in ["id_token", "id_token token"] {
        sign_in(&app, "spa", &asking("spa", response_type).without_pkce()).await;
    }
}

#[tokio::test]
async fn a_client_of_the_implicit_flow_alone_needs_no_secret() {
    let app = all().await;
    let request = asking("page", "id_token token").without_pkce();
    let (_, params) = sign_in(&app, "page", &request).await;
    verified(&app, &params["id_token"], "page").await;
    let public = Auth::Public("page".to_owned());
    for grant_type in ["authorization_code", "refresh_token"] {
        let form = [("grant_type", grant_type), ("code", "x"), ("refresh_token", "x")];
        app.token(&public, &form).await.assert_json_error(400, "unauthorized_client");
    }
    app.post("/oauth2/revoke", &public, &[("token", &params["access_token"])]).await;
    app.userinfo(&params["access_token"]).await.assert_json_error(401, "invalid_token");
}

#[tokio::test]
async fn a_reload_takes_a_response_type_away_from_a_sign_in_under_way() {
    let app = all().await;
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &asking("app", "code id_token"), &alice()).await;
    app.reload(BASE, &[]).await;
    assert_fragment_error(&browser.open(&app, &callback).await, "app", "unauthorized_client");
}

#[tokio::test]
async fn a_sign_in_under_way_survives_a_restart() {
    let app = all().await;
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &asking("app", "id_token token"), &alice()).await;
    let app = app.restarted(BASE, &[ALL]).await;
    let params = fragment(&browser.open(&app, &callback).await, "app");
    assert_eq!(app.userinfo(&params["access_token"]).await.status, 200);
}

#[tokio::test]
async fn an_app_that_can_not_be_posted_to_gets_the_fragment() {
    let native = r#"
[clients.native]
token_endpoint_auth_method = "none"
application_type = "native"
grant_types = ["authorization_code", "implicit"]
response_types = ["code", "code id_token"]
redirect_uris = ["com.example.native:/cb"]
"#;
    let app = TestApp::with(native).await;
    let request = asking("native", "code id_token")
        .set("redirect_uri", "com.example.native:/cb")
        .set("response_mode", "form_post");
    let reply = app.through_provider(&mut Browser::new(), &request, &alice()).await;
    assert!(reply.location().starts_with("com.example.native:/cb#code="), "{reply}");
}

#[tokio::test]
async fn discovery_lists_what_the_clients_may_ask_for() {
    let app = all().await;
    let document = |path: &'static str| app.get(path);
    let read = document("/.well-known/openid-configuration").await.json();
    let types = json!(["code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"]);
    assert_eq!(read["response_types_supported"], types);
    assert_eq!(read["grant_types_supported"], json!(["authorization_code", "implicit", "refresh_token"]));
    assert_eq!(read["response_modes_supported"], json!(["query", "fragment", "form_post"]));
    assert!(read["claims_supported"].as_array().unwrap().contains(&json!("c_hash")));

    app.reload(BASE, &[ALL, "clients.app.enabled = false\nclients.spa.enabled = false"]).await;
    let read = document("/.well-known/openid-configuration").await.json();
    assert_eq!(read["response_types_supported"], json!(["code", "id_token", "id_token token"]));
    assert!(!read["claims_supported"].as_array().unwrap().contains(&json!("c_hash")));
}
