//! Clocks that jump, forwards and backwards.

use crate::harness::{Authorize, Browser, TestApp, alice};

#[tokio::test]
async fn a_step_back_brings_nothing_used_or_revoked_to_life() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let answer = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    let first = app.tokens("app", &answer).await;
    let second = crate::harness::Tokens::read(&app.refresh("app", first.refresh()).await);
    let (mut gone, revoked) = app.sign_in("app", &alice()).await;
    gone.open(&app, &format!("/oauth2/logout?id_token_hint={}", revoked.id())).await;
    app.wait(11);
    app.refresh("app", first.refresh()).await.assert_json_error(400, "invalid_grant");
    app.wait(-3600);
    app.redeem("app", &answer.param("code")).await.assert_json_error(400, "invalid_grant");
    for tokens in [&first, &second, &revoked] {
        app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
        app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    }
    let reply = gone.open(&app, &Authorize::of("app").set("prompt", "none").url(&app)).await;
    reply.assert_app_error("app", "login_required");
}

#[tokio::test]
async fn nobody_is_locked_out_by_a_step() {
    let app = TestApp::base().await;
    app.sign_in("app", &alice()).await;
    for step in [-3600, 7200, -3600, 3600] {
        app.wait(step);
        app.broker.housekeeping().await;
        let (mut browser, tokens) = app.sign_in("app", &alice()).await;
        assert_eq!(app.userinfo(tokens.access()).await.status, 200);
        assert_eq!(app.refresh("app", tokens.refresh()).await.status, 200);
        assert!(browser.open(&app, &Authorize::of("other").url(&app)).await.location().contains("code="));
    }
}

#[tokio::test]
async fn a_failure_that_was_seen_before_a_step_back_is_no_lasting_one() {
    let app = TestApp::base().await;
    app.idp().answer("discovery", crate::harness::Answer::json(500, &serde_json::json!({})));
    Browser::new().open(&app, &Authorize::of("app").url(&app)).await.assert_error_page(502, "provider_unavailable");
    app.idp().behave();
    app.wait(-3600);
    app.sign_in("app", &alice()).await;
}

#[tokio::test]
async fn d44_housekeeping_sweeps_what_expired_and_nothing_else() {
    let app = TestApp::base().await;
    let request = Authorize::of("app").set("scope", "openid offline_access");
    let offline = app.sign_in_with(&mut Browser::new(), &request, &alice()).await;
    app.wait(13 * 3600);
    app.broker.housekeeping().await;
    assert!(app.broker.store.sessions(None, 10).await.unwrap().is_empty());
    assert_eq!(app.refresh("app", offline.refresh()).await.status, 200);
    let (_, tokens) = app.sign_in("app", &alice()).await;
    assert_eq!(tokens.sub(), offline.sub());
}
