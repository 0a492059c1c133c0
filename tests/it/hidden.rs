//! A hidden provider can only be used by clients that name it.

use crate::harness::compose::prepared;
use crate::harness::{Authorize, BASE, Browser, PARTNER, Reply, TestApp, WITH_PARTNER, alice, bob};

const HIDDEN: &str = "[providers.partner]\nhidden = true\ndomains = [\"corp.example\"]\n[clients.other]\nproviders = [\"staff\", \"partner\"]\n";

async fn broker() -> TestApp {
    TestApp::of(BASE, &[WITH_PARTNER, HIDDEN]).await
}

#[track_caller]
fn leaves_for(reply: &Reply, issuer: &str) {
    let location = reply.location();
    assert!(location.starts_with(&format!("{issuer}/authorize?")), "{location}");
}

#[tokio::test]
async fn a_hidden_provider_is_reached_by_no_hint_and_no_domain_where_it_is_not_named() {
    let app = broker().await;
    for (name, value) in
        [("kc_idp_hint", "partner"), ("provider", "partner"), ("login_hint", "alice@corp.example"), ("state", "x")]
    {
        let request = Authorize::of("app").set(name, value);
        leaves_for(&Browser::new().open(&app, &request.url(&app)).await, "https://idp.example");
    }
}

#[tokio::test]
async fn its_session_serves_no_other_client_and_its_grants_stop() {
    let app = broker().await;
    let mut browser = Browser::new();
    let request = Authorize::of("other").set("kc_idp_hint", "partner");
    app.sign_in_with(&mut browser, &request, &alice()).await;
    leaves_for(&browser.open(&app, &Authorize::of("app").url(&app)).await, "https://idp.example");
    let silent = browser.open(&app, &Authorize::of("app").set("prompt", "none").url(&app)).await;
    silent.assert_app_error("app", "login_required");
    assert!(browser.open(&app, &Authorize::of("other").url(&app)).await.location().contains("code="));

    // A grant from the time when the provider was not hidden.
    let app = TestApp::with(WITH_PARTNER).await;
    let request = Authorize::of("app").set("provider", "partner").set("scope", "openid offline_access");
    let tokens = app.sign_in_with(&mut Browser::new(), &request, &bob()).await;
    app.reload(BASE, &[WITH_PARTNER, HIDDEN]).await;
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    app.reload(BASE, &[WITH_PARTNER]).await;
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
}

#[tokio::test]
async fn a_sign_in_under_way_there_ends_when_it_is_hidden() {
    let app = TestApp::with(WITH_PARTNER).await;
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("provider", "partner");
    let callback = app.at_provider(&mut browser, &request, &alice()).await;
    app.reload(BASE, &[WITH_PARTNER, HIDDEN]).await;
    browser.open(&app, &callback).await.assert_error_page(403, "client_provider_not_allowed");
}

#[tokio::test]
async fn clients_that_name_it_offer_it_and_reach_it_by_domain() {
    let app = broker().await;
    let page = Browser::new().open(&app, &Authorize::of("other").url(&app)).await;
    assert!(page.text().contains("Partner accounts") && page.text().contains("Staff accounts"), "{page}");
    let request = Authorize::of("other").set("login_hint", "alice@corp.example");
    leaves_for(&Browser::new().open(&app, &request.url(&app)).await, PARTNER);
}

#[test]
fn a_hidden_provider_that_no_client_names_is_warned_of() {
    for (overlay, warned) in [("[providers.partner]\nhidden = true\n", true), (HIDDEN, false)] {
        let file = prepared(BASE, &[WITH_PARTNER, overlay], 1);
        let text = file.problems.render(&file.layers, false);
        assert_eq!(text.contains("is hidden and no client names it"), warned, "{text}");
        assert!(file.snapshot.is_some(), "{text}");
    }
}
