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

#[tokio::test]
async fn d44_sweeping_goes_on_after_a_clock_that_jumped_ahead_and_back() {
    let app = TestApp::with("limits.per_address = { rate = \"1000/s\", burst = 10000 }").await;
    let url = Authorize::of("app").url(&app);
    // More rows than one sweep examines, all dated a year ahead.
    app.wait(365 * 86_400);
    for _ in 0..600 {
        Browser::new().open(&app, &url).await.location();
    }
    app.wait(-365 * 86_400);
    let mut left = Vec::new();
    for _ in 0..5 {
        left.push(app.at_provider(&mut Browser::new(), &Authorize::of("app"), &alice()).await);
    }
    app.wait(601);
    app.broker.housekeeping().await;
    app.wait(-601);
    // Expired data is deleted, not only refused, and does not return when the clock is set back.
    for callback in left {
        let state = callback.split("state=").nth(1).unwrap().split('&').next().unwrap();
        let login = app.broker.store.login(countersign::store::model::TokenHash::of(state), app.now()).await.unwrap();
        assert!(login.is_none());
    }
}

#[tokio::test]
async fn d44_an_app_without_refresh_tokens_leaves_nothing_beyond_the_session() {
    let app = TestApp::with("clients.app.grant_types = [\"authorization_code\"]").await;
    let mut browser = Browser::new();
    let answer = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    let tokens = app.tokens("app", &answer).await;
    let grant = grant_of(tokens.access());
    assert!(app.broker.store.grant(&grant).await.unwrap().is_some());
    app.wait(12 * 3600 + 1);
    app.broker.housekeeping().await;
    assert!(app.broker.store.grant(&grant).await.unwrap().is_none());
    let code = countersign::store::model::TokenHash::of(&answer.param("code"));
    assert!(app.broker.store.code(code).await.unwrap().is_none());
}

#[tokio::test]
async fn d44_a_code_that_nobody_redeems_is_gone_when_it_expires() {
    let app = TestApp::base().await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let answer = browser.open(&app, &Authorize::of("app").url(&app)).await;
    let code = countersign::store::model::TokenHash::of(&answer.param("code"));
    assert!(app.broker.store.code(code).await.unwrap().is_some());
    app.wait(60);
    app.broker.housekeeping().await;
    assert!(app.broker.store.code(code).await.unwrap().is_none());
}

#[tokio::test]
async fn d44_one_person_who_asks_for_codes_in_a_loop_is_bounded() {
    let app = TestApp::with("limits.per_address = { rate = \"1000/s\", burst = 10000 }").await;
    let (mut browser, _) = app.sign_in("spa", &alice()).await;
    let url = Authorize::of("spa").url(&app);
    let mut codes = Vec::new();
    for _ in 0..200 {
        codes.push(browser.open(&app, &url).await.param("code"));
    }
    let mut there = 0;
    for code in &codes {
        let hash = countersign::store::model::TokenHash::of(code);
        there += usize::from(app.broker.store.code(hash).await.unwrap().is_some());
    }
    assert!(there < 100, "{there}");
    assert_eq!(app.redeem("spa", &codes[0]).await.status, 400, "the oldest go first");
    assert_eq!(app.redeem("spa", codes.last().unwrap()).await.status, 200);

    // The same holds after redemption.
    let mut grants = Vec::new();
    for _ in 0..200 {
        let answer = browser.open(&app, &url).await;
        let tokens = app.tokens("spa", &answer).await;
        grants.push((grant_of(tokens.access()), tokens));
    }
    let mut there = 0;
    for (grant, _) in &grants {
        there += usize::from(app.broker.store.grant(grant).await.unwrap().is_some());
    }
    assert!(there < 100, "{there}");
    let (_, newest) = grants.last().unwrap();
    assert_eq!(app.refresh("spa", newest.refresh()).await.status, 200);
    app.refresh("spa", grants[0].1.refresh()).await.assert_json_error(400, "invalid_grant");
}

#[tokio::test]
async fn d44_what_was_revoked_goes_with_its_session() {
    let app = TestApp::base().await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let grant = grant_of(tokens.access());
    browser.open(&app, &format!("/oauth2/logout?id_token_hint={}", tokens.id())).await;
    app.wait(1);
    app.broker.housekeeping().await;
    assert!(app.broker.store.grant(&grant).await.unwrap().is_none());
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    app.wait(-3600);
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
}

fn grant_of(access_token: &str) -> countersign::store::ids::GrantId {
    let jti = crate::harness::claims_of(access_token)["jti"].as_str().unwrap().to_owned();
    countersign::store::ids::GrantId::new(jti.split('.').next().unwrap())
}
