//! The authorization endpoint: what it refuses and how, prompts, ages, hints, claims, response modes.

use serde_json::json;

use crate::harness::jwt::claims_of;
use crate::harness::{Auth, Authorize, Browser, Form, IDP, ISSUER, Reply, START, TestApp, WITH_PARTNER, alice, bob};

async fn open(app: &TestApp, request: Authorize) -> Reply {
    Browser::new().open(app, &request.url(app)).await
}

#[tokio::test]
async fn nothing_redirects_before_client_and_redirect_uri_are_proven() {
    let app = TestApp::with("clients.other.enabled = false").await;
    for (request, status, reason) in [
        (Authorize::of("app").without("client_id"), 400, "invalid_client"),
        (Authorize::of("app").set("client_id", "unheard-of"), 400, "invalid_client"),
        (Authorize::of("app").set("client_id", ""), 400, "invalid_client"),
        (Authorize::of("other"), 403, "client_disabled"),
        (Authorize::of("app").without("redirect_uri"), 400, "invalid_redirect_uri"),
        (Authorize::of("app").set("redirect_uri", "https://evil.example/cb"), 400, "invalid_redirect_uri"),
        (Authorize::of("app").set("redirect_uri", "https://spa.example/cb"), 400, "invalid_redirect_uri"),
        (Authorize::of("app").add("client_id", "app"), 400, "invalid_request"),
        (Authorize::of("app").add("redirect_uri", "https://app.example/cb"), 400, "invalid_request"),
    ] {
        open(&app, request).await.assert_error_page(status, reason);
    }
}

#[tokio::test]
async fn every_other_error_goes_back_to_the_app() {
    let app = TestApp::base().await;
    let request = || Authorize::of("app");
    for (request, error) in [
        (request().without("response_type"), "invalid_request"),
        (request().set("response_type", "none"), "unsupported_response_type"),
        (request().set("response_type", "code code"), "unsupported_response_type"),
        (request().set("response_mode", "web_message"), "invalid_request"),
        (request().set("prompt", "none login"), "invalid_request"),
        (request().set("prompt", "create"), "invalid_request"),
        (request().set("max_age", "-1"), "invalid_request"),
        (request().set("max_age", "soon"), "invalid_request"),
        (request().set("claims", "[]"), "invalid_request"),
        (request().set("claims", "{"), "invalid_request"),
        (request().set("id_token_hint", "not-a-token"), "invalid_request"),
        (request().set("request", "eyJhbGciOiJub25lIn0"), "invalid_request_object"),
        (request().set("request_uri", "https://app.example/r"), "request_uri_not_supported"),
        (request().set("registration", "{}"), "registration_not_supported"),
        (request().set("resource", "https://api.example"), "invalid_target"),
        (request().set("code_challenge_method", "plain"), "invalid_request"),
        (request().without("code_challenge_method"), "invalid_request"),
        (request().without("code_challenge"), "invalid_request"),
        (request().set("code_challenge", "short"), "invalid_request"),
        (request().set("prompt", "none"), "login_required"),
    ] {
        let reply = open(&app, request).await;
        reply.assert_app_error("app", error);
        assert_eq!(reply.param("state"), "state-of-the-app");
    }
    assert_eq!(app.net.asked().len(), 0, "no provider is called for any of these");
}

#[tokio::test]
async fn errors_name_what_to_switch_on_in_the_app() {
    let app = TestApp::base().await;
    let reply = open(&app, Authorize::of("spa").without_pkce()).await;
    reply.assert_app_error("spa", "invalid_request");
    assert!(reply.param("error_description").contains("PKCE"), "{:?}", reply.params());
    let reply = open(&app, Authorize::of("app").set("code_challenge_method", "plain")).await;
    assert!(reply.param("error_description").contains("S256"));
}

#[tokio::test]
async fn d15_duplicate_parameters_are_refused() {
    let app = TestApp::base().await;
    for name in ["scope", "state", "nonce", "prompt", "response_type", "code_challenge", "unknown_twice", "max_age"] {
        let request = Authorize::of("app").without(name).add(name, "1").add(name, "1");
        open(&app, request).await.assert_app_error("app", "invalid_request");
    }
    let twice = [("grant_type", "refresh_token"), ("refresh_token", "x"), ("refresh_token", "y")];
    app.token(&Auth::of("app"), &twice).await.assert_json_error(400, "invalid_request");
    let twice = [("token", "x"), ("token", "x")];
    app.post("/oauth2/introspect", &Auth::of("app"), &twice).await.assert_json_error(400, "invalid_request");
    app.post("/oauth2/revoke", &Auth::of("app"), &twice).await.assert_json_error(400, "invalid_request");

    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    browser.open(&app, &format!("{callback}&code=another")).await.assert_error_page(400, "invalid_request");
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    browser.open(&app, &format!("{callback}&state=another")).await.assert_error_page(400, "login_not_found");
}

#[tokio::test]
async fn state_comes_back_as_sent_and_only_when_sent() {
    let app = TestApp::base().await;
    let odd = "a b+c&d=e;f/ü\"<>%20#";
    let mut browser = Browser::new();
    let answer = app.through_provider(&mut browser, &Authorize::of("app").set("state", odd), &alice()).await;
    assert_eq!(answer.param("state"), odd);
    let answer = browser.open(&app, &Authorize::of("app").without("state").url(&app)).await;
    assert_eq!(answer.params().keys().collect::<Vec<_>>(), ["code", "iss"]);
    let answer = open(&app, Authorize::of("app").set("state", odd).set("prompt", "none")).await;
    assert_eq!(answer.param("state"), odd);
}

#[tokio::test]
async fn unknown_parameters_are_ignored_and_empty_ones_count_as_absent() {
    let app = TestApp::base().await;
    let request = Authorize::of("app").set("utm_source", "mail").set("prompt", "").set("max_age", "").set("nonce", "");
    let mut browser = Browser::new();
    let tokens = app.sign_in_with(&mut browser, &request, &alice()).await;
    assert!(!tokens.claims().contains_key("nonce"));
}

#[tokio::test]
async fn post_works_as_get_and_brings_the_cookies_along() {
    let app = TestApp::base().await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let request = Authorize::of("other");
    let reply = browser.post_cross_site(&app, "/oauth2/authorize", &request.fields()).await;
    assert!(reply.location().starts_with("https://other.example/cb?code="), "{reply}");
}

#[tokio::test]
async fn response_modes() {
    let app = TestApp::base().await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let query = browser.open(&app, &Authorize::of("app").set("response_mode", "query").url(&app)).await;
    assert!(query.location().starts_with("https://app.example/cb?code="));

    let fragment = browser.open(&app, &Authorize::of("app").set("response_mode", "fragment").url(&app)).await;
    assert!(fragment.location().starts_with("https://app.example/cb#code="), "{}", fragment.location());
    assert_eq!(fragment.param("iss"), ISSUER);
    app.tokens("app", &fragment).await;

    let odd = "\"><script>alert(1)</script>&x=y";
    let page =
        browser.open(&app, &Authorize::of("app").set("response_mode", "form_post").set("state", odd).url(&app)).await;
    assert_eq!(page.status, 200);
    let form = &Form::all(&page.text())[0];
    assert_eq!(form.action, "https://app.example/cb");
    assert_eq!(form.field("state"), Some(odd));
    assert_eq!(form.field("iss"), Some(ISSUER));
    assert!(page.header("content-security-policy").contains("form-action 'self' https://app.example"), "{page}");
    assert!(!page.text().contains("<script>alert"));
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(app.redeem("app", form.field("code").unwrap()).await.status, 200);

    // Errors are returned in the same response mode.
    let request = Authorize::of("app").set("response_mode", "fragment").set("prompt", "none login");
    assert!(open(&app, request).await.location().starts_with("https://app.example/cb#error=invalid_request"));
    let request = Authorize::of("app").set("response_mode", "form_post").set("prompt", "none");
    let page = open(&app, request).await;
    assert_eq!(Form::all(&page.text())[0].field("error"), Some("login_required"));
}

#[tokio::test]
async fn a_redirect_uri_keeps_its_own_query() {
    let app = TestApp::with("clients.app.redirect_uris = [\"https://app.example/cb?tenant=1\"]").await;
    let request = Authorize::of("app").set("redirect_uri", "https://app.example/cb?tenant=1");
    let answer = app.through_provider(&mut Browser::new(), &request, &alice()).await;
    assert!(answer.location().starts_with("https://app.example/cb?tenant=1&code="), "{}", answer.location());
}

#[tokio::test]
async fn scopes_are_granted_as_far_as_the_client_may_have_them() {
    let app = TestApp::with("clients.app.scopes = [\"openid\", \"email\"]").await;
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("scope", "openid groups email made-up email");
    let tokens = app.sign_in_with(&mut browser, &request, &alice()).await;
    assert_eq!(tokens.body["scope"], "openid email");
    let claims = tokens.claims();
    assert_eq!(claims["email"], "alice@corp.example");
    assert!(!claims.contains_key("groups") && !claims.contains_key("name"));
}

#[tokio::test]
async fn without_openid_it_is_plain_oauth() {
    let app = TestApp::base().await;
    let tokens =
        app.sign_in_with(&mut Browser::new(), &Authorize::of("app").set("scope", "email groups"), &alice()).await;
    assert_eq!(tokens.body["scope"], "email groups");
    assert!(tokens.body.get("id_token").is_none());
    app.userinfo(tokens.access()).await.assert_json_error(403, "insufficient_scope");
}

#[tokio::test]
async fn prompt_none_with_a_session_answers_at_once() {
    let app = TestApp::base().await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let reply = browser.open(&app, &Authorize::of("other").set("prompt", "none").url(&app)).await;
    app.tokens("other", &reply).await;
}

#[tokio::test]
async fn prompt_login_reaches_the_provider_and_its_answer_is_verified() {
    let app = TestApp::base().await;
    let (mut browser, first) = app.sign_in("app", &alice()).await;
    app.wait(600);
    let request = Authorize::of("app").set("prompt", "login");
    let leaving = browser.open(&app, &request.url(&app)).await.location();
    assert!(leaving.starts_with(IDP));
    let stale = app.idp().authorized_at(&leaving, &alice(), START);
    let sent = app.idp().last_request();
    assert_eq!(sent["prompt"], "login");
    assert_eq!(sent["max_age"], "0", "so that the provider must say auth_time");
    browser.open(&app, &stale).await.assert_app_error("app", "login_required");

    let tokens = app.sign_in_with(&mut browser, &request, &alice()).await;
    assert_eq!(tokens.claims()["auth_time"], START + 600);
    assert_eq!(tokens.sub(), first.sub());
}

#[tokio::test]
async fn prompt_select_account_offers_the_choice_again() {
    let app = TestApp::with(WITH_PARTNER).await;
    let mut browser = Browser::new();
    app.sign_in_with(&mut browser, &Authorize::of("app").set("provider", "staff"), &alice()).await;
    let page = browser.open(&app, &Authorize::of("app").set("prompt", "select_account").url(&app)).await;
    assert_eq!(page.status, 200, "{page}");
    let leaving = browser.submit(&app, &page, &[("provider", "staff")]).await.location();
    let callback = app.idp().authorize(&leaving, &bob());
    assert_eq!(app.idp().last_request()["prompt"], "select_account");
    let answer = browser.open(&app, &callback).await;
    assert_eq!(app.tokens("app", &answer).await.claims()["preferred_username"], "bob");
}

#[tokio::test]
async fn prompts_combine() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("prompt", "login consent select_account");
    let page = app.through_provider(&mut browser, &request, &alice()).await;
    let sent = app.idp().last_request()["prompt"].clone();
    assert!(sent.contains("login") && sent.contains("select_account"), "{sent}");
    assert_eq!(page.status, 200, "consent is asked for: {page}");
    let answer = browser.submit(&app, &page, &[("decision", "allow")]).await;
    app.tokens("app", &answer).await;
}

#[tokio::test]
async fn max_age_measures_the_sign_in_not_the_request() {
    let app = TestApp::base().await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let young = Authorize::of("app").set("max_age", "300");
    app.wait(300);
    let reply = browser.open(&app, &young.url(&app)).await;
    assert_eq!(app.tokens("app", &reply).await.claims()["auth_time"], START);
    app.wait(1);
    let silent = browser.open(&app, &young.clone().set("prompt", "none").url(&app)).await;
    silent.assert_app_error("app", "login_required");

    let leaving = browser.open(&app, &young.url(&app)).await.location();
    let stale = app.idp().authorized_at(&leaving, &alice(), START - 100);
    assert_eq!(app.idp().last_request()["max_age"], "300");
    browser.open(&app, &stale).await.assert_app_error("app", "login_required");
    let leaving = browser.open(&app, &young.url(&app)).await.location();
    let fresh = app.idp().authorize(&leaving, &alice());
    let reply = browser.open(&app, &fresh).await;
    assert_eq!(app.tokens("app", &reply).await.claims()["auth_time"], START + 301);
}

#[tokio::test]
async fn max_age_zero_always_asks_again() {
    let app = TestApp::base().await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let request = Authorize::of("app").set("max_age", "0");
    let leaving = browser.open(&app, &request.url(&app)).await.location();
    assert!(leaving.starts_with(IDP));
    app.idp().authorize(&leaving, &alice());
    let sent = app.idp().last_request();
    assert_eq!((sent["prompt"].as_str(), sent["max_age"].as_str()), ("login", "0"), "Keycloak takes 0 for this second");
    browser.open(&app, &request.set("prompt", "none").url(&app)).await.assert_app_error("app", "login_required");
}

#[tokio::test]
async fn a_clients_default_max_age_counts_where_it_sends_none() {
    let app = TestApp::with("clients.other.default_max_age = \"5m\"").await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    app.wait(301);
    assert!(browser.open(&app, &Authorize::of("other").url(&app)).await.location().starts_with(IDP));
    let own = Authorize::of("other").set("max_age", "1000");
    assert!(browser.open(&app, &own.url(&app)).await.location().contains("code="));
}

#[tokio::test]
async fn what_re_authentication_rests_on() {
    let silent = |app: &TestApp| app.idp().edit_id_token(|claims| drop(claims.remove("auth_time")));
    let request = Authorize::of("app").set("prompt", "login");

    let app = TestApp::base().await;
    silent(&app);
    let reply = app.through_provider(&mut Browser::new(), &request, &alice()).await;
    reply.assert_app_error("app", "login_required");

    let app = TestApp::with("providers.staff.reauth = \"trust\"").await;
    silent(&app);
    app.sign_in_with(&mut Browser::new(), &request, &alice()).await;

    let app = TestApp::with("providers.staff.reauth = \"unsupported\"").await;
    open(&app, request).await.assert_app_error("app", "login_required");
    open(&app, Authorize::of("app").set("max_age", "60")).await.assert_app_error("app", "login_required");
    app.sign_in("app", &alice()).await;
}

#[tokio::test]
async fn an_unknown_authentication_time_is_never_made_up() {
    let app = TestApp::base().await;
    app.idp().edit_id_token(|claims| drop(claims.remove("auth_time")));
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    assert!(!tokens.claims().contains_key("auth_time"), "the provider did not say when: {:?}", tokens.claims());
    let leaving = browser.open(&app, &Authorize::of("app").set("max_age", "300").url(&app)).await.location();
    assert!(leaving.starts_with(IDP), "only the provider knows: {leaving}");
}

#[tokio::test]
async fn an_id_token_hint_must_name_the_user_of_the_answer() {
    let app = TestApp::base().await;
    let (mut browser, first) = app.sign_in("app", &alice()).await;
    let (_, other) = app.sign_in("app", &bob()).await;
    let hinted = |token: &str| Authorize::of("app").set("id_token_hint", token);

    app.wait(1801);
    let (mut fresh, _) = app.sign_in("app", &alice()).await;
    app.wait(1799);
    let reply = fresh.open(&app, &hinted(first.id()).set("prompt", "none").url(&app)).await;
    assert!(reply.location().contains("code="), "an expired hint is fine: {reply}");
    let reply = fresh.open(&app, &hinted(other.id()).set("prompt", "none").url(&app)).await;
    reply.assert_app_error("app", "login_required");

    // Another user than hinted signs in: the app gets no code for them.
    let reply = app.through_provider(&mut browser, &hinted(first.id()), &bob()).await;
    reply.assert_app_error("app", "login_required");
    // A token of another issuer is not a valid hint.
    let foreign = crate::harness::keys::sign(
        crate::harness::Signing::Rs256,
        &crate::harness::keys::header(crate::harness::Signing::Rs256),
        &json!({ "iss": ISSUER, "sub": first.sub() }),
    );
    open(&app, hinted(&foreign)).await.assert_app_error("app", "invalid_request");
}

#[tokio::test]
async fn hints_are_passed_on() {
    let app = TestApp::base().await;
    let request = Authorize::of("app")
        .set("login_hint", "alice@corp.example")
        .set("ui_locales", "de en")
        .set("acr_values", "urn:example:gold")
        .set("display", "popup");
    app.at_provider(&mut Browser::new(), &request, &alice()).await;
    let sent = app.idp().last_request();
    assert_eq!(sent["login_hint"], "alice@corp.example");
    assert_eq!(sent["ui_locales"], "de en");
    assert_eq!(sent["acr_values"], "urn:example:gold");

    let app = TestApp::with("providers.staff.forward = []").await;
    app.at_provider(&mut Browser::new(), &request, &alice()).await;
    let sent = app.idp().last_request();
    for name in ["login_hint", "ui_locales", "acr_values", "max_age", "prompt"] {
        assert!(!sent.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn the_claims_parameter_asks_for_single_claims() {
    let app = TestApp::base().await;
    let claims = json!({
        "id_token": { "email": null, "auth_time": { "essential": true }, "phone_number": null },
        "userinfo": { "name": { "essential": true }, "iss": null },
    });
    let request = Authorize::of("app").set("scope", "openid").set("claims", &claims.to_string());
    let tokens = app.sign_in_with(&mut Browser::new(), &request, &alice()).await;
    let id = tokens.claims();
    assert_eq!(id["email"], "alice@corp.example");
    assert!(id.contains_key("auth_time"));
    for absent in ["name", "email_verified", "phone_number", "groups"] {
        assert!(!id.contains_key(absent), "{absent}");
    }
    let userinfo = app.userinfo(tokens.access()).await.json();
    assert_eq!(userinfo, json!({ "sub": tokens.sub(), "name": "Alice Example" }));
    let refreshed = app.refresh("app", tokens.refresh()).await.json();
    assert_eq!(claims_of(refreshed["id_token"].as_str().unwrap())["email"], "alice@corp.example");
}

#[tokio::test]
async fn the_claims_parameter_releases_nothing_beyond_the_clients_scopes() {
    let app = TestApp::with("clients.app.scopes = [\"openid\"]").await;
    let claims =
        json!({ "id_token": { "email": null, "groups": null }, "userinfo": { "email": { "essential": true } } });
    let request = Authorize::of("app").set("claims", &claims.to_string());
    let tokens = app.sign_in_with(&mut Browser::new(), &request, &alice()).await;
    assert!(!tokens.claims().contains_key("email") && !tokens.claims().contains_key("groups"));
    assert_eq!(app.userinfo(tokens.access()).await.json(), json!({ "sub": tokens.sub() }));
}

#[tokio::test]
async fn a_requested_subject_must_be_the_one_that_signs_in() {
    let app = TestApp::base().await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let asking =
        |sub: &str| Authorize::of("app").set("claims", &json!({ "id_token": { "sub": { "value": sub } } }).to_string());
    let reply = browser.open(&app, &asking(&tokens.sub()).set("prompt", "none").url(&app)).await;
    app.tokens("app", &reply).await;
    let reply = browser.open(&app, &asking("somebody-else").set("prompt", "none").url(&app)).await;
    reply.assert_app_error("app", "login_required");
    let reply = app.through_provider(&mut Browser::new(), &asking("somebody-else"), &alice()).await;
    reply.assert_app_error("app", "login_required");
}

#[tokio::test]
async fn an_essential_acr_must_be_met() {
    let app = TestApp::base().await;
    let claims = json!({ "id_token": { "acr": { "essential": true, "values": ["gold"] } } }).to_string();
    let request = Authorize::of("app").set("claims", &claims);
    let mut browser = Browser::new();
    app.through_provider(&mut browser, &request, &alice()).await.assert_app_error("app", "login_required");
    app.idp().edit_id_token(|claims| drop(claims.insert("acr".to_owned(), "gold".into())));
    let tokens = app.sign_in_with(&mut browser, &request, &alice()).await;
    assert_eq!(tokens.claims()["acr"], "gold");
    let reply = browser.open(&app, &request.url(&app)).await;
    assert!(reply.location().contains("code="), "the session meets it: {reply}");
}

#[tokio::test]
async fn id_token_claims_may_be_minimal() {
    let app = TestApp::with("clients.app.id_token_claims = \"minimal\"").await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    let id = tokens.claims();
    for absent in ["email", "name", "groups", "preferred_username"] {
        assert!(!id.contains_key(absent), "{absent}");
    }
    assert_eq!(app.userinfo(tokens.access()).await.json()["email"], "alice@corp.example");
}

#[tokio::test]
async fn an_app_may_choose_its_id_token_algorithm() {
    let app = TestApp::with("clients.app.id_token_signed_response_alg = \"ES256\"").await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    assert_eq!(crate::harness::jwt::header_of(tokens.id())["alg"], "ES256");
    crate::harness::jwt::verified(&app, tokens.id(), "app").await;
    crate::harness::jwt::verified(&app, tokens.access(), "app").await;
}

#[tokio::test]
async fn resource_indicators_set_the_audience() {
    let resources = r#"
[resources.orders]
uri = "https://api.example.com/orders"
scopes = ["orders:read"]
clients = ["app"]
access_token = "10m"
[resources.bills]
uri = "https://api.example.com/bills"
clients = ["app"]
[clients.app]
scopes = ["openid", "orders:read"]
"#;
    let app = TestApp::with(resources).await;
    let orders = "https://api.example.com/orders";
    let request = Authorize::of("app").set("scope", "openid orders:read").add("resource", orders);
    let mut browser = Browser::new();
    let tokens = app.sign_in_with(&mut browser, &request, &alice()).await;
    let access = claims_of(tokens.access());
    assert_eq!(access["aud"], orders);
    assert_eq!(access["scope"], "openid orders:read");
    assert_eq!(tokens.body["expires_in"], 600, "the resource's own lifetime");
    assert_eq!(tokens.claims()["aud"], "app", "an ID token is for the app");
    assert_eq!(app.userinfo(tokens.access()).await.status, 200, "userinfo takes any token with openid");

    let both = request.clone().add("resource", "https://api.example.com/bills");
    let answer = browser.open(&app, &both.url(&app)).await;
    let tokens = app.tokens("app", &answer).await;
    assert_eq!(claims_of(tokens.access())["aud"], json!([orders, "https://api.example.com/bills"]));
    let narrowed = app
        .token(
            &Auth::of("app"),
            &[("grant_type", "refresh_token"), ("refresh_token", tokens.refresh()), ("resource", orders)],
        )
        .await;
    assert_eq!(claims_of(narrowed.json()["access_token"].as_str().unwrap())["aud"], orders);
    let next = narrowed.json()["refresh_token"].as_str().unwrap().to_owned();
    let widened =
        [("grant_type", "refresh_token"), ("refresh_token", &next), ("resource", "https://elsewhere.example")];
    app.token(&Auth::of("app"), &widened).await.assert_json_error(400, "invalid_target");

    open(&app, Authorize::of("other").set("resource", orders)).await.assert_app_error("other", "invalid_target");
}

#[tokio::test]
async fn the_providers_errors_reach_the_app() {
    let app = TestApp::base().await;
    for (error, expected) in [
        ("access_denied", "access_denied"),
        ("login_required", "login_required"),
        ("temporarily_unavailable", "temporarily_unavailable"),
        ("server_error", "server_error"),
        ("invalid_scope", "server_error"),
        ("<b>odd</b>", "server_error"),
    ] {
        let mut browser = Browser::new();
        let leaving = browser.open(&app, &Authorize::of("app").url(&app)).await.location();
        let callback = app.idp().refuse(&leaving, error, "<script>alert(1)</script> secret detail");
        let reply = browser.open(&app, &callback).await;
        reply.assert_app_error("app", expected);
        assert_eq!(reply.param("state"), "state-of-the-app");
        assert!(!reply.param("error_description").contains("script"));
        assert_eq!(app.idp().count("token"), 0);
    }
}
