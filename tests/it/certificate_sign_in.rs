//! Sign-in by client certificate in a browser, without a page.

use crate::certificates::{CREATING, exchange, script};
use crate::harness::app::secret_of;
use crate::harness::certificates::{Leaf, ca};
use crate::harness::{Authorize, BASE, Browser, Reply, TestApp, Tokens};

/// An authorization request from this browser.
async fn authorize(app: &TestApp, browser: &mut Browser, request: &Authorize) -> Reply {
    let url = request.url(app);
    browser.get(app, &url).await
}

#[tokio::test]
async fn a_client_that_asks_for_consent_needs_it_from_before() {
    let explicit = format!("{CREATING}\n[clients.app]\nconsent = \"explicit\"");
    let app = TestApp::with(&explicit).await;
    let leaf = Leaf::named("ci-runner");
    exchange(&app, &leaf, "openid").await.assert_json_error(400, "consent_required");
    let mut browser = script(&leaf);
    let page = authorize(&app, &mut browser, &Authorize::of("app").set("scope", "openid profile")).await;
    assert_eq!(page.status, 200, "{page}");
    let answer = browser.submit(&app, &page, &[("decision", "allow")]).await;
    assert!(answer.location().starts_with("https://app.example/cb?code="), "{answer}");
    assert_eq!(exchange(&app, &leaf, "openid profile").await.status, 200);
    exchange(&app, &leaf, "openid email").await.assert_json_error(400, "consent_required");
}

#[tokio::test]
async fn a_browser_signs_in_without_a_page() {
    let app = TestApp::with(CREATING).await;
    let leaf = Leaf::named("dora");
    let mut browser = script(&leaf);
    let answer = authorize(&app, &mut browser, &Authorize::of("app")).await;
    assert!(answer.location().starts_with("https://app.example/cb?code="), "{answer}");
    assert!(browser.session().is_some());
    let tokens = app.tokens("app", &answer).await;
    assert_eq!(tokens.claims()["preferred_username"], "dora");
    // The session serves the same browser where no certificate comes along.
    let mut elsewhere = Browser { by_certificates: false, headers: Vec::new(), ..browser.clone() };
    let answer = authorize(&app, &mut elsewhere, &Authorize::of("other").set("prompt", "none")).await;
    assert!(answer.location().contains("code="), "{answer}");
    // Signing in anew, here by the certificate; at the other listener by a provider.
    let fresh = Authorize::of("app").set("prompt", "login");
    assert!(authorize(&app, &mut browser, &fresh).await.location().starts_with("https://app.example/cb?code="));
    assert!(authorize(&app, &mut elsewhere, &fresh).await.location().starts_with("https://idp.example/"));
    let again = app.refresh("app", tokens.refresh()).await;
    assert_eq!(again.status, 200, "{again}");
    let out = browser.get(&app, &format!("/oauth2/logout?id_token_hint={}", tokens.id())).await;
    assert_eq!(out.status, 200, "{out}");
    assert!(browser.session().is_none());
}

#[tokio::test]
async fn without_a_certificate_that_listener_is_like_any_other() {
    let app = TestApp::with(CREATING).await;
    let mut browser = Browser { headers: Vec::new(), ..script(&Leaf::named("x")) };
    assert!(authorize(&app, &mut browser, &Authorize::of("app")).await.location().starts_with("https://idp.example/"));
    let mut dora = script(&Leaf::named("dora"));
    for asking in [("provider", "staff"), ("prompt", "select_account")] {
        let request = Authorize::of("app").set(asking.0, asking.1);
        let answer = authorize(&app, &mut dora, &request).await;
        assert!(answer.location().starts_with("https://idp.example/"), "{asking:?}: {answer}");
    }
    let only = format!("{CREATING}\n[clients.other]\nproviders = [\"staff\"]");
    app.reload(BASE, &[&only]).await;
    let answer = authorize(&app, &mut dora, &Authorize::of("other")).await;
    assert!(answer.location().starts_with("https://idp.example/"), "{answer}");
    let expired = ca().issue("late", |params| params.not_after = rcgen::date_time_ymd(2026, 10, 2));
    authorize(&app, &mut script(&expired), &Authorize::of("app")).await.assert_error_page(403, "certificate_invalid");
}

#[tokio::test]
async fn where_nobody_else_vouches_a_certificate_is_the_way_in() {
    let file = format!(
        "issuer = \"https://sso.example.com\"\nstore.url = \"sqlite::memory:\"\n{CREATING}\n[clients.app]\nclient_secret = \"{}\"\nredirect_uris = [\"https://app.example/cb\"]\nproviders = [\"certificate\"]\n",
        secret_of("app")
    );
    let app = TestApp::from(&file).await;
    let answer = authorize(&app, &mut script(&Leaf::named("dora")), &Authorize::of("app")).await;
    assert!(answer.location().contains("code="), "{answer}");
    app.get(&Authorize::of("app").url(&app)).await.assert_error_page(503, "sign_in_unavailable");
}

#[tokio::test]
async fn what_a_certificate_made_ends_with_it() {
    let app = TestApp::with(&format!(
        "{CREATING}\n[session]\nmax_lifetime = \"400d\"\nmax_inactive = \"400d\"\n[tokens]\naccess_token = \"400d\""
    ))
    .await;
    let leaf = ca().issue("brief", |params| params.not_after = rcgen::date_time_ymd(2026, 11, 3));
    let mut browser = script(&leaf);
    let answer = authorize(
        &app,
        &mut browser,
        &Authorize::of("app").set("scope", "openid offline_access").set("prompt", "consent"),
    )
    .await;
    let page = browser.submit(&app, &answer, &[("decision", "allow")]).await;
    let tokens = app.tokens("app", &page).await;
    let granted = Tokens::read(&exchange(&app, &leaf, "openid").await);
    app.wait(86_400);
    let tokens = Tokens::read(&app.refresh("app", tokens.refresh()).await);
    app.wait(86_401);
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    assert_eq!(app.introspect("app", granted.access()).await.json()["active"], false);
    let mut later = Browser { by_certificates: false, headers: Vec::new(), ..browser };
    let answer = authorize(&app, &mut later, &Authorize::of("app").set("prompt", "none")).await;
    answer.assert_app_error("app", "login_required");
}
