//! The break-glass account: who may try it, what it gets, and when that ends.

use axum::body::Body;
use countersign::web::listener::Peer;
use http::{Method, Request};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::harness::{
    Answer, Auth, Authorize, BASE, Browser, Form, ISSUER, Reply, TestApp, Tokens, WITH_PARTNER, alice, bob, compose,
    log, with,
};

const PAGE: &str = "/login?backup=1";
const PASSWORD: &str = "open sesame";
/// Hashes of "open sesame" and "another sesame".
const HASH: &str = "$argon2id$v=19$m=7168,t=5,p=1$c2FsdHNhbHRzYWx0c2FsdA$sfbllKb0/PvCHW5OLgyMVDs4DAWrHVn1jlnZATHp6rY";
const OTHER_HASH: &str =
    "$argon2id$v=19$m=7168,t=5,p=1$cGVwcGVycGVwcGVycGVwcA$MQBFnIL1MusSuMPNR10Za+CWhDnwqbC1T86rCdNHVjc";
/// An address that the account may be used from.
const INSIDE: &str = "192.0.2.7";

/// The section, with further lines.
fn section(more: &str) -> String {
    format!(
        "[break_glass]\nusername = \"root\"\npassword_hash = \"{HASH}\"\nallow_from = [\"192.0.2.0/24\"]\nclients = [\"app\"]\nroles = [\"admin\"]\ngroups = [\"operators\"]\n{more}\n[roles.admin]\npermissions = [\"users:write\"]\n"
    )
}

async fn broker(more: &str) -> TestApp {
    TestApp::with(&section(more)).await
}

/// Fills in the page's form.
async fn enter(app: &TestApp, browser: &mut Browser, username: &str, password: &str) -> Reply {
    let page = browser.get(app, PAGE).await;
    assert_eq!(page.status, 200, "{page}");
    let form = Form::all(&page.text()).remove(0);
    post(app, browser, &form, username, password).await
}

async fn post(app: &TestApp, browser: &mut Browser, form: &Form, username: &str, password: &str) -> Reply {
    let mut fields: Vec<(&str, &str)> =
        form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.retain(|(name, _)| !["username", "password"].contains(name));
    fields.extend([("username", username), ("password", password)]);
    browser.send(app, Method::POST, &form.action, Some(&fields), &[("origin", ISSUER)]).await
}

/// Signs in where nothing waits, so that the browser is sent to the start page.
async fn signed_in(app: &TestApp) -> Browser {
    let mut browser = Browser::at(INSIDE);
    let reply = enter(app, &mut browser, "root", PASSWORD).await;
    assert_eq!(reply.location(), format!("{ISSUER}/"));
    browser
}

/// An app that is opened in a session that serves it.
async fn open(app: &TestApp, browser: &mut Browser, request: &Authorize) -> Tokens {
    let reply = browser.open(app, &request.url(app)).await;
    app.tokens("app", &reply).await
}

fn request() -> Authorize {
    Authorize::of("app").set("scope", "openid profile groups roles")
}

#[tokio::test]
async fn it_is_not_there_unless_it_is_declared() {
    let app = TestApp::base().await;
    Browser::at(INSIDE).get(&app, PAGE).await.assert_error_page(404, "not_found");
    let app = broker("path = \"/rescue\"").await;
    for path in [PAGE, "/rescue", "/rescue?backup=0", "/rescue?backup=", "/rescue/?backup=1"] {
        Browser::at(INSIDE).get(&app, path).await.assert_error_page(404, "not_found");
    }
    assert_eq!(Browser::at(INSIDE).get(&app, "/rescue?backup=1").await.status, 200);
}

#[tokio::test]
async fn without_any_provider_the_operator_enters_an_app_with_the_declared_rights() {
    let providers = BASE.find("[providers.staff]").unwrap()..BASE.find("[clients.app]").unwrap();
    let mut file = BASE.to_owned();
    file.replace_range(providers, "");
    let overlay = format!(
        "{}[clients.app]\nrequire = \"'nobody' in groups\"\n[clients.app.claims]\nwho = \"user.username + ' by ' + provider\"\n",
        section("")
    );
    let app = TestApp::of(&file, &[&overlay]).await;
    let mut browser = Browser::at(INSIDE);
    browser.open(&app, &request().url(&app)).await.assert_error_page(503, "sign_in_unavailable");
    let page = browser.get(&app, PAGE).await;
    assert!(page.text().contains("The App"), "the app that waits is named: {page}");
    let reply = enter(&app, &mut browser, "root", PASSWORD).await;
    assert_eq!(reply.params()["state"], "state-of-the-app");
    let tokens = app.tokens("app", &reply).await;
    let claims = tokens.claims();
    assert_eq!(claims["preferred_username"], "root");
    assert_eq!(claims["who"], "root by break_glass");
    assert_eq!((&claims["groups"], &claims["roles"]), (&json!(["operators"]), &json!(["admin"])));
    assert_eq!(claims["auth_time"], json!(app.now()));
    assert_eq!(claims["amr"], json!(["pwd"]));
    assert!(!claims.contains_key("email"));
    assert_eq!(app.userinfo(tokens.access()).await.json()["groups"], json!(["operators"]));
    assert_eq!(app.introspect("app", tokens.access()).await.json()["active"], json!(true));
}

#[tokio::test]
async fn with_every_provider_down_the_pending_sign_in_is_resumed() {
    let app = TestApp::with(&format!("{WITH_PARTNER}{}", section(""))).await;
    app.idp().answer("discovery", Answer::Hangs);
    app.partner().answer("discovery", Answer::json(500, &json!({})));
    let mut browser = Browser::at(INSIDE);
    let choose = browser.open(&app, &request().url(&app)).await;
    let failed = browser.submit(&app, &choose, &[("provider", "partner")]).await;
    failed.assert_error_page(502, "provider_unavailable");
    assert!(failed.text().contains("/login?backup=1") || failed.text().contains("&#x2f;login?backup=1"), "{failed}");
    let reply = enter(&app, &mut browser, "root", PASSWORD).await;
    assert_eq!(app.tokens("app", &reply).await.claims()["groups"], json!(["operators"]));
}

#[tokio::test]
async fn a_browser_that_left_for_a_provider_that_never_answers_resumes_too() {
    let app = broker("").await;
    let mut browser = Browser::at(INSIDE);
    let leaving = browser.open(&app, &request().url(&app)).await.location();
    assert!(leaving.starts_with("https://idp.example/"), "{leaving}");
    let reply = enter(&app, &mut browser, "root", PASSWORD).await;
    assert_eq!(app.tokens("app", &reply).await.claims()["preferred_username"], "root");

    // Another browser's request is not there to be taken over.
    let mut other = Browser::at(INSIDE);
    let waiting = browser.cookies.iter().find(|(name, _)| name.contains("-waiting-")).unwrap();
    other.cookies.insert(waiting.0.clone(), waiting.1.clone());
    assert_eq!(enter(&app, &mut other, "root", PASSWORD).await.location(), format!("{ISSUER}/"));
}

#[tokio::test]
async fn a_provider_that_is_misconfigured_leads_there_and_outsiders_see_nothing_of_it() {
    let app = broker("").await;
    app.idp().edit_id_token(|token| drop(token.insert("aud".to_owned(), json!("somebody-else"))));
    for (address, offered) in [(Some(INSIDE), true), (Some("198.51.100.7"), false), (None, false)] {
        let mut browser = address.map(Browser::at).unwrap_or_default();
        let page = app.through_provider(&mut browser, &request(), &alice()).await;
        page.assert_error_page(400, "token_invalid");
        assert_eq!(page.text().contains("backup=1"), offered, "{address:?}: {page}");
        assert_eq!(browser.cookies.keys().any(|name| name.contains("-waiting-")), offered, "{address:?}");
    }
    let mut browser = Browser::at(INSIDE);
    app.through_provider(&mut browser, &request(), &alice()).await;
    let reply = enter(&app, &mut browser, "root", PASSWORD).await;
    app.tokens("app", &reply).await;
}

#[tokio::test]
async fn it_enters_the_apps_that_are_listed_and_no_other() {
    let app = broker("").await;
    let mut browser = signed_in(&app).await;
    open(&app, &mut browser, &request()).await;
    // For any other app there is a provider, or nothing.
    let leaving = browser.open(&app, &Authorize::of("other").url(&app)).await;
    assert!(leaving.location().starts_with("https://idp.example/"), "{leaving}");
    browser
        .open(&app, &Authorize::of("other").set("prompt", "none").url(&app))
        .await
        .assert_app_error("other", "login_required");
    // The start page leads on to those that are listed.
    let home = browser.get(&app, "/").await.text();
    assert!(home.contains("The App") && !home.contains("other.example"), "{home}");
    // Taken off the list, the app is out at once.
    let tokens = open(&app, &mut browser, &request()).await;
    app.reload(BASE, &[&section("").replace("clients = [\"app\"]", "clients = [\"other\"]")]).await;
    assert_eq!(app.userinfo(tokens.access()).await.status, 401);
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    assert_eq!(app.introspect("app", tokens.access()).await.json(), json!({ "active": false }));
}

#[tokio::test]
async fn a_request_that_asks_for_somebody_else_is_not_answered_with_the_account() {
    let app = broker("").await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    let mut browser = Browser::at(INSIDE);
    browser.open(&app, &request().set("id_token_hint", tokens.id()).url(&app)).await;
    enter(&app, &mut browser, "root", PASSWORD).await.assert_app_error("app", "login_required");
    let mut browser = Browser::at(INSIDE);
    let claims = json!({ "id_token": { "acr": { "essential": true, "values": ["mfa"] } } }).to_string();
    browser.open(&app, &request().set("claims", &claims).url(&app)).await;
    enter(&app, &mut browser, "root", PASSWORD).await.assert_app_error("app", "login_required");
    // A voluntary one is voluntary, in a live session too.
    open(&app, &mut browser, &request().set("acr_values", "mfa")).await;
}

/// Everything of a page but the token of its form.
fn shown(page: &Reply) -> String {
    let token = regex::Regex::new(r#"name="csrf" value="[^"]*""#).unwrap();
    token.replace_all(&page.text(), "").into_owned()
}

#[tokio::test]
async fn d27_every_spelling_shares_one_bucket_that_delays_and_never_locks() {
    log::capture();
    let app = broker("[limits]\nfailed_authentication = { rate = \"6/m\", burst = 4 }").await;
    let mut browser = Browser::at(INSIDE);
    let page = browser.get(&app, PAGE).await;
    let form = Form::all(&page.text()).remove(0);
    let mut pages = Vec::new();
    for name in ["root", "ROOT", " rооt ", "nobody"] {
        let refused = post(&app, &mut browser, &form, name, "guess").await;
        assert_eq!(refused.status, 403, "{name}: {refused}");
        pages.push(shown(&refused));
    }
    pages.dedup();
    assert_eq!(pages.len(), 1, "nothing says which of them exists");
    for name in ["ｒｏｏｔ", "r\u{200b}oot", "root\u{3000}", "root"] {
        let delayed = post(&app, &mut browser, &form, name, PASSWORD).await;
        assert_eq!((delayed.status.as_u16(), delayed.header("retry-after")), (429, "10"), "{name}: {delayed}");
        assert!(delayed.text().contains("Wait <bdi>10</bdi> s"), "{delayed}");
        assert!(browser.session().is_none());
    }
    let metrics = app.broker.metrics().await;
    for (outcome, count) in [("refused", 4), ("delayed", 4), ("signed_in", 0)] {
        let line = format!("countersign_break_glass_attempts_total{{outcome=\"{outcome}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line} {metrics}");
    }
    // Another address is not held up.
    let mut elsewhere = Browser::at("192.0.2.99");
    assert_eq!(enter(&app, &mut elsewhere, "root", PASSWORD).await.location(), format!("{ISSUER}/"));
}

#[tokio::test]
async fn d27_the_work_is_the_same_for_known_and_unknown_names_and_none_when_delayed() {
    let app = broker("[limits]\nfailed_authentication = { rate = \"6/m\", burst = 3 }").await;
    let mut browser = Browser::at(INSIDE);
    let page = browser.get(&app, PAGE).await;
    let form = Form::all(&page.text()).remove(0);
    let mut hashed = Vec::new();
    for name in ["root", "nobody", "", "root"] {
        post(&app, &mut browser, &form, name, "guess").await;
        hashed.push(app.broker.passwords_hashed());
    }
    assert_eq!(hashed, [1, 2, 3, 3], "one for each attempt that is looked at");
}

#[tokio::test]
async fn d27_a_delayed_address_enters_after_the_pause() {
    let app = broker("[limits]\nfailed_authentication = { rate = \"6/m\", burst = 1 }").await;
    let mut browser = Browser::at(INSIDE);
    assert_eq!(enter(&app, &mut browser, "root", "guess").await.status, 403);
    assert_eq!(enter(&app, &mut browser, "root", PASSWORD).await.status, 429);
    app.wait(10);
    assert_eq!(enter(&app, &mut browser, "root", PASSWORD).await.location(), format!("{ISSUER}/"));
}

#[tokio::test]
async fn only_the_named_networks_may_try_it() {
    let app = TestApp::with(&format!("server.trusted_proxies = [\"10.0.0.1\"]\n{}", section(""))).await;
    for (peer, forwarded, allowed) in [
        (Some("192.0.2.7"), None, true),
        (Some("198.51.100.7"), None, false),
        (Some("198.51.100.7"), Some("192.0.2.7"), false),
        (Some("10.0.0.1"), Some("192.0.2.7"), true),
        (Some("10.0.0.1"), Some("192.0.2.7, 198.51.100.7"), false),
        (Some("::ffff:192.0.2.7"), None, true),
        (None, None, false),
    ] {
        let mut browser = peer.map(Browser::at).unwrap_or_default();
        browser.headers = forwarded.map(|text| ("x-forwarded-for", text.to_owned())).into_iter().collect();
        let page = browser.get(&app, PAGE).await;
        if allowed {
            assert_eq!(page.status, 200, "{peer:?} {forwarded:?}: {page}");
        } else {
            page.assert_error_page(403, "break_glass_address");
        }
    }
    // A form from inside, sent from outside.
    let mut browser = Browser::at(INSIDE);
    let page = browser.get(&app, PAGE).await;
    let form = Form::all(&page.text()).remove(0);
    browser.address = Some("198.51.100.7".parse().unwrap());
    post(&app, &mut browser, &form, "root", PASSWORD).await.assert_error_page(403, "break_glass_address");
}

#[tokio::test]
async fn the_form_is_taken_from_its_own_browser_only() {
    let app = broker("").await;
    let mut browser = Browser::at(INSIDE);
    let page = browser.get(&app, PAGE).await;
    let form = Form::all(&page.text()).remove(0);
    let mut other = Browser::at(INSIDE);
    other.get(&app, PAGE).await;
    post(&app, &mut other, &form, "root", PASSWORD).await.assert_error_page(403, "csrf_failed");
    let without = Form { fields: Vec::new(), ..form.clone() };
    post(&app, &mut browser, &without, "root", PASSWORD).await.assert_error_page(403, "csrf_failed");
    let fields = [("csrf", form.field("csrf").unwrap()), ("username", "root"), ("password", PASSWORD)];
    let foreign = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let reply = browser.send(&app, Method::POST, PAGE, Some(&fields), &foreign).await;
    reply.assert_error_page(403, "csrf_failed");
    assert!(browser.session().is_none() && other.session().is_none());
}

#[tokio::test]
async fn d21_a_preset_session_cookie_is_replaced_by_the_account_s_own() {
    let app = broker("").await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    browser.address = Some(INSIDE.parse().unwrap());
    let before = browser.session();
    enter(&app, &mut browser, "root", PASSWORD).await;
    assert_ne!(browser.session(), before);
    assert_eq!(app.userinfo(tokens.access()).await.status, 401, "Alice's session in this browser has ended");
    assert_eq!(open(&app, &mut browser, &request()).await.claims()["preferred_username"], "root");
}

#[tokio::test]
async fn activity_does_not_make_it_longer_and_no_token_outlives_it() {
    let app = broker("").await;
    let mut browser = signed_in(&app).await;
    let first = open(&app, &mut browser, &request()).await;
    assert_eq!(first.body["expires_in"], json!(900), "not the usual hour");
    app.wait(600);
    let later = Tokens::read(&app.refresh("app", first.refresh()).await);
    assert_eq!(later.body["expires_in"], json!(300));
    assert_eq!(later.claims()["exp"], json!(app.now() + 300));
    open(&app, &mut browser, &request()).await;
    app.wait(299);
    assert_eq!(app.userinfo(later.access()).await.status, 200);
    app.wait(1);
    assert_eq!(app.userinfo(later.access()).await.status, 401);
    assert_eq!(app.introspect("app", later.access()).await.json(), json!({ "active": false }));
    app.refresh("app", later.refresh()).await.assert_json_error(400, "invalid_grant");
    browser.open(&app, &request().set("prompt", "none").url(&app)).await.assert_app_error("app", "login_required");
}

#[tokio::test]
async fn offline_access_is_left_out_and_consent_is_asked_for_as_usual() {
    let app = broker("[clients.app]\nconsent = \"explicit\"").await;
    let mut browser = Browser::at(INSIDE);
    let wanted = request().set("scope", "openid roles offline_access").set("prompt", "consent");
    browser.open(&app, &wanted.url(&app)).await;
    let page = enter(&app, &mut browser, "root", PASSWORD).await;
    assert_eq!(page.status, 200, "{page}");
    assert!(page.text().contains("emergency account until"), "the banner is on the first page too: {page}");
    let reply = browser.submit(&app, &page, &[("decision", "allow")]).await;
    let tokens = app.tokens("app", &reply).await;
    assert_eq!(tokens.body["scope"], "openid roles");
    app.wait(901);
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_changed_password_or_a_removed_section_ends_its_rights_at_once() {
    let with_hash = |hashes: &str| section("").replace(&format!("\"{HASH}\""), hashes);
    for overlay in
        [String::new(), with_hash(&format!("\"{OTHER_HASH}\"")), section("").replace("\"root\"", "\"rescue\"")]
    {
        let app = broker("").await;
        let mut browser = signed_in(&app).await;
        let tokens = open(&app, &mut browser, &request()).await;
        app.reload(BASE, &[&overlay]).await;
        assert_eq!(app.userinfo(tokens.access()).await.status, 401, "{overlay}");
        app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
        browser.open(&app, &request().set("prompt", "none").url(&app)).await.assert_app_error("app", "login_required");
        assert!(!browser.get(&app, "/").await.text().contains("emergency"), "{overlay}");
    }
    // During a rotation both passwords count, and the session of the one that stays goes on.
    let both = with_hash(&format!("[\"{OTHER_HASH}\", \"{HASH}\"]"));
    let app = TestApp::with(&both).await;
    let mut browser = signed_in(&app).await;
    let mut second = Browser::at(INSIDE);
    assert_eq!(enter(&app, &mut second, "root", "another sesame").await.location(), format!("{ISSUER}/"));
    let (old, new) = (open(&app, &mut browser, &request()).await, open(&app, &mut second, &request()).await);
    assert_eq!(old.sub(), new.sub(), "one account");
    app.reload(BASE, &[&with_hash(&format!("\"{OTHER_HASH}\""))]).await;
    assert_eq!(app.userinfo(old.access()).await.status, 401);
    assert_eq!(app.userinfo(new.access()).await.status, 200);
}

#[tokio::test]
async fn nobody_from_a_provider_can_have_its_name() {
    // Before the account was declared, somebody had the name.
    let app = TestApp::base().await;
    let known = with(bob(), json!({ "preferred_username": "Root" }));
    app.sign_in("app", &known).await;
    app.reload(BASE, &[&section("")]).await;
    for person in [
        known,
        with(alice(), json!({ "preferred_username": "rооt" })),
        with(alice(), json!({ "preferred_username": "root" })),
    ] {
        let page = app.through_provider(&mut Browser::new(), &request(), &person).await;
        page.assert_error_page(403, "username_reserved");
    }
    // The account itself is another one, and works.
    let mut browser = signed_in(&app).await;
    assert_eq!(open(&app, &mut browser, &request()).await.claims()["preferred_username"], "root");
}

#[tokio::test]
async fn every_page_has_the_banner_while_the_session_lasts() {
    let app = broker("[clients.app]\nconsent = \"explicit\"").await;
    let mut browser = signed_in(&app).await;
    browser.headers = vec![("accept-language", "de".to_owned())];
    for path in ["/", "/no-such-path", "/logout/done", &request().url(&app), PAGE] {
        let page = browser.open(&app, path).await;
        assert!(
            page.text().contains("Sie sind bis <bdi>00:15</bdi> (UTC) mit dem Notfallkonto angemeldet"),
            "{path}: {page}"
        );
    }
    let mut stranger = Browser::at(INSIDE);
    assert!(!stranger.get(&app, "/").await.text().contains("emergency"));
    // The sign-out page that ends the session is the first without it.
    let confirm = browser.open(&app, "/oauth2/logout").await;
    assert!(confirm.text().contains("Notfallkonto"), "{confirm}");
    let done = browser.submit(&app, &confirm, &[("decision", "sign_out")]).await;
    assert_eq!(done.status, 200, "{done}");
    assert!(!done.text().contains("emergency"), "{done}");
    assert!(browser.session().is_none());
    browser.open(&app, &request().set("prompt", "none").url(&app)).await.assert_app_error("app", "login_required");
}

#[tokio::test]
async fn an_app_signs_it_out_like_anybody() {
    let app = broker("").await;
    let mut browser = signed_in(&app).await;
    let tokens = open(&app, &mut browser, &request()).await;
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("id_token_hint", tokens.id())
        .append_pair("post_logout_redirect_uri", "https://app.example/bye")
        .finish();
    let reply = browser.open(&app, &format!("/oauth2/logout?{query}")).await;
    assert_eq!(reply.location(), "https://app.example/bye");
    assert_eq!(app.userinfo(tokens.access()).await.status, 401);
}

async fn admin(app: &TestApp, path: &str, body: Value) -> (u16, Value) {
    let request = Request::post(format!("/api{path}")).header("content-type", "application/json");
    let response =
        app.broker.admin_router().oneshot(request.body(Body::from(body.to_string())).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

#[tokio::test]
async fn an_administrator_can_take_it_away_and_not_rename_it() {
    let app = broker("").await;
    let mut browser = signed_in(&app).await;
    let tokens = open(&app, &mut browser, &request()).await;
    let (status, answer) = admin(&app, "/users/rename", json!({ "user": "root", "username": "rescue" })).await;
    assert_eq!(status, 409, "{answer}");
    assert_eq!(admin(&app, "/users/disable", json!({ "user": "root" })).await.0, 200);
    assert_eq!(app.userinfo(tokens.access()).await.status, 401);
    enter(&app, &mut browser, "root", PASSWORD).await.assert_error_page(403, "user_disabled");
    assert_eq!(admin(&app, "/users/enable", json!({ "user": "root" })).await.0, 200);
    assert_eq!(enter(&app, &mut browser, "root", PASSWORD).await.location(), format!("{ISSUER}/"));
}

#[tokio::test]
async fn each_use_is_logged_and_the_password_is_not() {
    log::capture();
    let app = broker("").await;
    let mut browser = Browser::at("192.0.2.211");
    enter(&app, &mut browser, "canary-of-the-username-field", "canary-of-the-password-field").await;
    enter(&app, &mut browser, "root", PASSWORD).await;
    let lines = log::lines(&["\"event\":\"break_glass\"", "192.0.2.211"]);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0].contains("\"level\":\"WARN\"") && lines[0].contains("wrong_credentials"), "{lines:#?}");
    assert!(lines[1].contains("\"level\":\"WARN\"") && lines[1].contains("signed in"), "{lines:#?}");
    let all = log::captured();
    assert!(!all.contains("canary-of-the") && !all.contains(PASSWORD) && !all.contains("sfbllKb0"));
}

#[tokio::test]
async fn its_page_is_safe_and_heavy_input_is_refused_calmly() {
    let app = broker("").await;
    let mut browser = Browser::at(INSIDE);
    let page = browser.get(&app, PAGE).await;
    assert_eq!(page.header("cache-control"), "no-store");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("form-action 'self'"), "{policy}");
    let form = Form::all(&page.text()).remove(0);
    let long = "x".repeat(30_000);
    for (name, password) in [(long.as_str(), "x"), ("root", long.as_str()), ("<b>root</b>", "\u{0}\u{202e}")] {
        let refused = post(&app, &mut browser, &form, name, password).await;
        assert_eq!(refused.status, 403, "{name:.20}");
        assert!(!refused.text().contains("<b>root"));
    }
    let twice =
        [("csrf", form.field("csrf").unwrap()), ("username", "root"), ("username", "x"), ("password", PASSWORD)];
    let headers = [("origin", ISSUER), ("sec-fetch-site", "same-origin")];
    browser.send(&app, Method::POST, PAGE, Some(&twice), &headers).await.assert_error_page(400, "invalid_request");
    let odd = browser.send(&app, Method::PUT, PAGE, None, &[]).await;
    odd.assert_error_page(405, "method_not_allowed");
    assert_eq!(browser.send(&app, Method::HEAD, PAGE, None, &[]).await.status, 200);
}

#[test]
fn what_can_not_work_is_refused_at_its_place() {
    for (from, to, place, part) in [
        (format!("\"{HASH}\""), "\"open sesame\"".to_owned(), "break_glass.password_hash", "no password hash"),
        (
            format!("\"{HASH}\""),
            HASH.replace("m=7168,t=5", "m=4096,t=3").clone(),
            "break_glass.password_hash",
            "too weak",
        ),
        (format!("\"{HASH}\""), format!("[\"{HASH}\", \"$2b$12$x\"]"), "break_glass.password_hash[1]", "a bcrypt hash"),
        ("[\"app\"]".to_owned(), "[\"ap\"]".to_owned(), "break_glass.clients[0]", "declared client"),
        ("[\"192.0.2.0/24\"]".to_owned(), "[]".to_owned(), "break_glass.allow_from", "at least one network"),
        ("[\"192.0.2.0/24\"]".to_owned(), "[\"vpn\"]".to_owned(), "break_glass.allow_from[0]", "a network such as"),
        ("[\"admin\"]".to_owned(), "[\"chief\"]".to_owned(), "break_glass.roles[0]", "declared role"),
        ("\"root\"".to_owned(), "\" \"".to_owned(), "break_glass.username", "a username"),
        ("groups =".to_owned(), "path = \"/oauth2/token\"\ngroups =".to_owned(), "break_glass.path", "no endpoint"),
        ("groups =".to_owned(), "path = \"/account\"\ngroups =".to_owned(), "break_glass.path", "does not use itself"),
        ("groups =".to_owned(), "path = \"/consent\"\ngroups =".to_owned(), "break_glass.path", "does not use itself"),
        (
            "groups =".to_owned(),
            "session = { max_lifetime = \"0s\" }\ngroups =".to_owned(),
            "break_glass.session.max_lifetime",
            "longer than zero",
        ),
        (
            "groups =".to_owned(),
            "session = { max_inactive = \"20m\" }\ngroups =".to_owned(),
            "break_glass.session.max_inactive",
            "at most `max_lifetime`",
        ),
    ] {
        let to = if to.starts_with('$') { format!("\"{to}\"") } else { to };
        let overlay = section("").replacen(&from, &to, 1);
        let prepared = compose::prepared(BASE, &[&overlay], 1);
        assert!(prepared.snapshot.is_none(), "{overlay}");
        let errors: Vec<_> = prepared.problems.iter().filter(|problem| problem.path == place).collect();
        assert!(errors.iter().any(|problem| problem.message.contains(part)), "{place}: {:#?}", prepared.problems);
        let all = prepared.problems.json();
        assert!(!all.contains("sfbllKb0"), "the hash is never shown");
    }
    let declared = format!("{}[users.Root]\n", section(""));
    let problems = compose::prepared(BASE, &[&declared], 1).problems;
    assert!(problems.iter().any(|problem| problem.path == "break_glass.username"), "{problems:#?}");
}

#[test]
fn check_knows_it_as_a_way_in() {
    let without = "issuer = \"https://sso.example.com\"\nstore.url = \"sqlite::memory:\"\n";
    for (overlay, left) in [
        (String::new(), "nobody can sign in"),
        (section("").replace("clients = [\"app\"]\n", ""), "only the break-glass account \"root\" can sign in"),
    ] {
        let problems = compose::prepared(without, &[&overlay], 1).problems;
        assert!(problems.iter().any(|problem| problem.message.contains(left)), "{problems:#?}");
    }
    let anywhere = section("").replace("allow_from = [\"192.0.2.0/24\"]\n", "");
    let problems = compose::prepared(BASE, &[&anywhere], 1).problems;
    assert!(problems.iter().any(|problem| problem.message.contains("from any address")), "{problems:#?}");
}

#[tokio::test]
async fn d34_with_every_provider_down_at_start_the_account_works() {
    let app = broker("").await;
    app.idp().answer("discovery", Answer::Hangs);
    let (ready, _) = app.broker.ready().await;
    assert_eq!(ready, 200);
    let mut browser = signed_in(&app).await;
    open(&app, &mut browser, &request()).await;
    let reply = app.post("/oauth2/introspect", &Auth::of("app"), &[("token", "x")]).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn many_attempts_at_once_are_hashed_one_after_the_other_and_the_rest_is_told_to_wait() {
    let app = broker("[limits]\nfailed_authentication = { rate = \"1000/s\", burst = 1000 }").await;
    let mut browser = Browser::at(INSIDE);
    let page = browser.get(&app, PAGE).await;
    let form = Form::all(&page.text()).remove(0);
    let cookies: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("csrf", form.field("csrf").unwrap()), ("username", "root"), ("password", "guess")])
        .finish();
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..60 {
        let request = Request::post(PAGE)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", cookies.join("; "))
            .header("origin", ISSUER)
            .extension(Peer::Address(format!("{INSIDE}:50000").parse().unwrap()))
            .body(Body::from(body.clone()))
            .unwrap();
        attempts.spawn(app.broker.router().oneshot(request));
    }
    let mut statuses = Vec::new();
    while let Some(reply) = attempts.join_next().await {
        statuses.push(reply.unwrap().unwrap().status().as_u16());
    }
    let (looked_at, busy) =
        (statuses.iter().filter(|s| **s == 403).count(), statuses.iter().filter(|s| **s == 503).count());
    assert_eq!(looked_at + busy, 60, "{statuses:?}");
    assert!(busy > 0 && looked_at >= 32, "{looked_at} were looked at, {busy} told to wait");
    assert_eq!(app.broker.passwords_hashed(), looked_at as u64);
}
