//! A provider loads an address of the broker in a frame when somebody signs out there (OIDC Front-Channel Logout 1.0 §2).

use http::Method;
use serde_json::json;

use crate::harness::jwt::verified;
use crate::harness::{Authorize, Browser, IDP, PARTNER, Receiver, Reply, TestApp, WITH_PARTNER, alice, bob};

/// From now on, ID tokens of `staff` have this `sid`.
fn session_there(app: &TestApp, sid: &'static str) {
    app.idp().edit_id_token(move |claims| drop(claims.insert("sid".to_owned(), sid.into())));
}

/// The frame's address with these parameters.
fn frame(provider: &str, params: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    format!("/frontchannel-logout/{provider}?{query}")
}

/// What a browser without our cookies gets, as in a frame of another site.
async fn load(app: &TestApp, provider: &str, params: &[(&str, &str)]) -> Reply {
    app.get(&frame(provider, params)).await
}

/// Whether the browser is still signed in.
async fn signed_in(app: &TestApp, browser: &mut Browser) -> bool {
    browser.open(app, &Authorize::of("app").set("prompt", "none").url(app)).await.location().contains("code=")
}

#[tokio::test]
async fn the_session_ends_and_its_apps_are_told_over_both_channels() {
    let receiver = Receiver::start().await;
    let app = TestApp::with(&format!(
        "clients.app.backchannel_logout_uri = \"{}\"\nclients.other.frontchannel_logout_uri = \"https://other.example/out\"\n",
        receiver.url("app")
    ))
    .await;
    session_there(&app, "there-1");
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let second = browser.open(&app, &Authorize::of("other").url(&app)).await;
    app.tokens("other", &second).await;
    session_there(&app, "there-2");
    let (mut elsewhere, _) = app.sign_in("app", &alice()).await;

    let page = load(&app, "staff", &[("iss", IDP), ("sid", "there-1")]).await;
    assert_eq!((page.status.as_u16(), page.header("cache-control")), (200, "no-store"), "{page}");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("frame-ancestors https://idp.example;"), "only the provider may frame it: {policy}");
    assert!(policy.contains("frame-src https://other.example"), "{policy}");
    assert_eq!(page.header("x-frame-options"), "", "it would forbid the provider too");
    let sid = tokens.claims()["sid"].as_str().unwrap().to_owned();
    assert!(
        page.text().contains("https:&#x2f;&#x2f;other.example&#x2f;out?iss=") && page.text().contains(&sid),
        "{page}"
    );
    assert!(page.set_cookies().is_empty(), "{page}");

    assert!(!signed_in(&app, &mut browser).await);
    assert!(signed_in(&app, &mut elsewhere).await, "another session there");
    assert_eq!(app.userinfo(tokens.access()).await.status, 401);
    app.broker.apps_are_told().await;
    let told = receiver.received("app");
    assert_eq!(told.len(), 1);
    assert_eq!(verified(&app, told[0].logout_token(), "app").await["sid"], json!(sid));
    // A second time there is nothing left to end, which is no error.
    assert_eq!(load(&app, "staff", &[("iss", IDP), ("sid", "there-1")]).await.status, 200);
}

#[tokio::test]
async fn without_both_names_of_the_session_nothing_ends() {
    let app = TestApp::with(WITH_PARTNER).await;
    session_there(&app, "there-1");
    let mut browser = Browser::new();
    app.sign_in_with(&mut browser, &Authorize::of("app").set("provider", "staff"), &alice()).await;
    for (params, reason) in [
        (&[][..], "invalid_request"),
        (&[("iss", IDP)], "invalid_request"),
        (&[("sid", "there-1")], "invalid_request"),
        (&[("iss", ""), ("sid", "there-1")], "invalid_request"),
        (&[("iss", PARTNER), ("sid", "there-1")], "invalid_request"),
        (&[("iss", "https://idp.example/"), ("sid", "there-1")], "invalid_request"),
        (&[("iss", IDP), ("sid", "there-1"), ("sid", "there-2")], "invalid_request"),
    ] {
        let page = load(&app, "staff", params).await;
        page.assert_error_page(400, reason);
        assert!(page.header("content-security-policy").contains("frame-ancestors 'none'"), "{page}");
    }
    // The session of that name at another provider, one of no provider, and one that never was.
    assert_eq!(load(&app, "partner", &[("iss", PARTNER), ("sid", "there-1")]).await.status, 200);
    load(&app, "nobody", &[("iss", IDP), ("sid", "there-1")]).await.assert_error_page(404, "not_found");
    assert_eq!(load(&app, "staff", &[("iss", IDP), ("sid", "there-9")]).await.status, 200);
    // What only looks, or comes before anybody asked, ends nothing.
    let url = frame("staff", &[("iss", IDP), ("sid", "there-1")]);
    assert_eq!(Browser::new().send(&app, Method::HEAD, &url, None, &[]).await.status, 200);
    let prefetch = [("sec-purpose", "prefetch")];
    assert_eq!(Browser::new().send(&app, Method::GET, &url, None, &prefetch).await.status, 503);
    assert_eq!(Browser::new().send(&app, Method::POST, &url, Some(&[]), &[]).await.status, 405);
    assert!(signed_in(&app, &mut browser).await);
    assert_eq!(load(&app, "staff", &[("iss", IDP), ("sid", "there-1")]).await.status, 200);
    assert!(!signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn the_pages_that_show_the_frame_may_be_elsewhere_than_the_issuer() {
    let app = TestApp::base().await;
    app.idp().edit_discovery(|document| {
        document.insert("end_session_endpoint".to_owned(), json!("https://login.idp.example:8443/out"));
    });
    let page = load(&app, "staff", &[("iss", IDP), ("sid", "x")]).await;
    let policy = page.header("content-security-policy");
    assert!(policy.contains("frame-ancestors https://idp.example https://login.idp.example:8443;"), "{policy}");
}

#[tokio::test]
async fn d42_a_stranger_who_loads_it_again_and_again_is_slowed_down() {
    let app = TestApp::with("[limits]\nper_address = { rate = \"1/h\", burst = 3 }").await;
    let mut stranger = Browser::at("198.51.100.9");
    let url = frame("staff", &[("iss", IDP), ("sid", "guess")]);
    for _ in 0..3 {
        assert_eq!(stranger.get(&app, &url).await.status, 200);
    }
    stranger.get(&app, &url).await.assert_error_page(429, "rate_limited");
}

#[tokio::test]
async fn select_account_offers_the_account_that_is_signed_in_and_others() {
    let app = TestApp::base().await;
    let (mut browser, first) = app.sign_in("app", &alice()).await;
    app.wait(60);
    let request = Authorize::of("app").set("prompt", "select_account");
    let page = browser.open(&app, &request.url(&app)).await;
    assert_eq!(page.status, 200, "{page}");
    assert!(page.text().contains("Alice Example") && page.text().contains("Staff accounts"), "{page}");
    assert!(page.text().contains("Use another account"), "{page}");

    // The same account: at once, by the sign-in of before.
    let sid = first.claims()["sid"].as_str().unwrap().to_owned();
    let answer = browser.submit(&app, &page, &[("account", &sid)]).await;
    let again = app.tokens("app", &answer).await;
    assert_eq!((again.sub(), &again.claims()["auth_time"]), (first.sub(), &first.claims()["auth_time"]));
    assert_eq!(answer.param("state"), "state-of-the-app");

    // Another one: by the provider, which is told to ask.
    let page = browser.open(&app, &request.url(&app)).await;
    let leaving = browser.submit(&app, &page, &[("provider", "staff")]).await.location();
    let callback = app.idp().authorize(&leaving, &bob());
    assert_eq!(app.idp().last_request()["prompt"], "select_account");
    let answer = browser.open(&app, &callback).await;
    assert_eq!(app.tokens("app", &answer).await.claims()["preferred_username"], "bob");
    assert_eq!(app.userinfo(first.access()).await.status, 401, "the session of before is replaced");
}

#[tokio::test]
async fn an_account_that_another_tab_replaced_is_not_taken_for_the_one_that_was_chosen() {
    let app = TestApp::base().await;
    let (mut browser, first) = app.sign_in("app", &alice()).await;
    let request = Authorize::of("app").set("prompt", "select_account");
    let page = browser.open(&app, &request.url(&app)).await;
    app.sign_in_with(&mut browser, &Authorize::of("app").set("prompt", "login"), &bob()).await;
    let sid = first.claims()["sid"].as_str().unwrap().to_owned();
    let again = browser.submit(&app, &page, &[("account", &sid)]).await;
    assert_eq!(again.status, 200, "the choice is offered anew: {again}");
    assert!(again.text().contains("Bob") && !again.text().contains("Alice"), "{again}");
    // Without any session left, the person signs in.
    browser.cookies.retain(|name, _| !name.contains("-session-"));
    let leaving = browser.submit(&app, &again, &[("account", &sid)]).await;
    assert!(leaving.location().starts_with("https://idp.example/"), "{leaving}");
}

#[tokio::test]
async fn only_an_account_that_serves_the_request_is_offered() {
    let app = TestApp::with(&format!("{WITH_PARTNER}[clients.other]\nproviders = [\"partner\"]\n")).await;
    let mut browser = Browser::new();
    app.sign_in_with(&mut browser, &Authorize::of("app").set("provider", "staff"), &alice()).await;
    // An app that does not accept the session's provider; a sign-in that is too old; nobody signed in.
    let at_partner = browser.open(&app, &Authorize::of("other").set("prompt", "select_account").url(&app)).await;
    assert!(at_partner.location().starts_with("https://partner.example/"), "{at_partner}");
    app.wait(600);
    let old = Authorize::of("app").set("prompt", "select_account").set("max_age", "300");
    let page = browser.open(&app, &old.url(&app)).await;
    assert!(page.status == 200 && !page.text().contains("Alice Example"), "{page}");
    let page = Browser::new().open(&app, &Authorize::of("app").set("prompt", "select_account").url(&app)).await;
    assert!(page.status == 200 && !page.text().contains("Choose an account"), "{page}");
    let none = browser.open(&app, &Authorize::of("app").set("prompt", "none select_account").url(&app)).await;
    none.assert_app_error("app", "invalid_request");
}

#[tokio::test]
async fn two_tabs_that_sign_in_at_two_providers_stay_apart() {
    let app = TestApp::with(WITH_PARTNER).await;
    let mut browser = Browser::new();
    let staff = Authorize::of("app").set("provider", "staff").set("state", "first-tab");
    let partner = Authorize::of("other").set("provider", "partner").set("state", "second-tab");
    let first = app.at_provider(&mut browser, &staff, &alice()).await;
    let second = app.at_provider(&mut browser, &partner, &bob()).await;
    let second = browser.open(&app, &second).await;
    let first = browser.open(&app, &first).await;
    assert_eq!((first.param("state").as_str(), second.param("state").as_str()), ("first-tab", "second-tab"));
    let tokens = app.tokens("app", &first).await;
    assert_eq!(tokens.claims()["preferred_username"], "alice");
    // The browser has one session, that of the last sign-in; each app's tokens name the session that they came from.
    let reply = app.redeem("other", &second.param("code")).await;
    reply.assert_json_error(400, "invalid_grant");
}
