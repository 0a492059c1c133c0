//! Reloads and restarts: what continues and what ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use tokio::runtime::Handle;

use crate::harness::{Auth, Authorize, BASE, Browser, TestApp, Tokens, alice};

#[tokio::test]
async fn a_sign_in_under_way_survives_a_reload() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    app.reload(BASE, &["[clients.app.claims]\ntier = \"'gold'\""]).await;
    let answer = browser.open(&app, &callback).await;
    assert_eq!(app.tokens("app", &answer).await.claims()["tier"], "gold", "the current policy decides");
}

#[tokio::test]
async fn a_code_and_a_consent_page_survive_a_reload() {
    let app = TestApp::with("clients.app.consent = \"explicit\"").await;
    let mut browser = Browser::new();
    let page = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    app.reload(BASE, &["clients.app.consent = \"explicit\"", "clients.app.client_name = \"Renamed\""]).await;
    let answer = browser.submit(&app, &page, &[("decision", "allow")]).await;
    app.reload(BASE, &[]).await;
    app.tokens("app", &answer).await;
}

#[tokio::test]
async fn lifetimes_bind_what_is_new() {
    let app = TestApp::base().await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let answer = browser.open(&app, &Authorize::of("app").url(&app)).await;
    app.reload(
        BASE,
        &["tokens.authorization_code = \"10s\"\nsession.max_lifetime = \"10m\"\nsession.max_inactive = \"10m\""],
    )
    .await;
    app.wait(50);
    assert_eq!(app.redeem("app", &answer.param("code")).await.status, 200, "the code lives as long as it was made for");
    app.wait(900);
    assert!(
        browser.open(&app, &Authorize::of("app").url(&app)).await.location().contains("code="),
        "so does the session"
    );
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 200);
}

#[tokio::test]
async fn new_clients_and_providers_are_there_at_once_and_old_ones_gone() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    let new = "[clients.new]\nclient_secret = \"secret-of-new-0123456789abcdef\"\nredirect_uris = [\"https://new.example/cb\"]\n";
    let reply = Browser::new().open(&app, &Authorize::of("new").url(&app)).await;
    reply.assert_error_page(400, "invalid_client");
    app.reload(BASE, &[new]).await;
    app.sign_in("new", &alice()).await;
    let without_app = BASE.replace("[clients.app]", "[clients.renamed]");
    app.reload(&without_app, &[]).await;
    app.refresh("app", tokens.refresh()).await.assert_json_error(401, "invalid_client");
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    let renamed = Auth::Basic("renamed".to_owned(), crate::harness::app::secret_of("app"));
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())];
    app.token(&renamed, &form).await.assert_json_error(400, "invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_sees_one_generation() {
    let app = Arc::new(TestApp::base().await);
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    // While the callback waits for the provider's tokens, a configuration that refuses everybody is applied.
    let (reloading, reloaded) = (Arc::downgrade(&app), Arc::new(AtomicBool::new(false)));
    let done = Arc::clone(&reloaded);
    app.idp().edit_token_response(move |_| {
        let app = reloading.upgrade().unwrap();
        let closed = app.reload(BASE, &["providers.staff.allow = \"false\""]);
        tokio::task::block_in_place(|| Handle::current().block_on(closed));
        done.store(true, Ordering::SeqCst);
    });
    let answer = browser.open(&app, &callback).await;
    assert!(reloaded.load(Ordering::SeqCst), "the file changed in the middle of the request");
    assert!(answer.location().contains("code="), "the request began with the file that lets her in: {answer}");
    app.idp().behave();
    let next = app.through_provider(&mut Browser::new(), &Authorize::of("app"), &alice()).await;
    next.assert_error_page(403, "not_allowed");
}

#[tokio::test]
async fn a_restart_keeps_sessions_codes_tokens_and_sign_ins_under_way() {
    let app = TestApp::base().await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let offline = Authorize::of("app").set("scope", "openid offline_access");
    let offline = app.sign_in_with(&mut Browser::new(), &offline, &alice()).await;
    let answer = browser.open(&app, &Authorize::of("other").url(&app)).await;
    let mut away = Browser::new();
    let callback = app.at_provider(&mut away, &Authorize::of("app"), &alice()).await;

    let app = app.restarted(BASE, &[]).await;
    let other = app.tokens("other", &answer).await;
    crate::harness::jwt::verified(&app, tokens.id(), "app").await;
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
    assert_eq!(app.userinfo(other.access()).await.status, 200);
    assert_eq!(Tokens::read(&app.refresh("app", offline.refresh()).await).sub(), tokens.sub());
    let refreshed = Tokens::read(&app.refresh("app", tokens.refresh()).await);
    assert_eq!(refreshed.sub(), tokens.sub());
    assert!(browser.open(&app, &Authorize::of("app").url(&app)).await.location().contains("code="));
    let answer = away.open(&app, &callback).await;
    assert_eq!(app.tokens("app", &answer).await.sub(), tokens.sub());
    app.redeem("app", &answer.param("code")).await.assert_json_error(400, "invalid_grant");
}

#[tokio::test]
async fn a_restart_keeps_consent_and_what_was_revoked() {
    let explicit = "clients.app.consent = \"explicit\"";
    let app = TestApp::with(explicit).await;
    let mut browser = Browser::new();
    let page = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    let answer = browser.submit(&app, &page, &[("decision", "allow")]).await;
    let tokens = app.tokens("app", &answer).await;
    app.revoke("app", tokens.refresh()).await;
    let app = app.restarted(BASE, &[explicit]).await;
    assert!(browser.open(&app, &Authorize::of("app").url(&app)).await.location().contains("code="));
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    assert_eq!(app.introspect("app", tokens.access()).await.json(), json!({ "active": false }));
}

#[tokio::test]
async fn two_processes_on_one_store_share_everything() {
    let one = TestApp::base().await;
    let two = one.restarted(BASE, &[]).await;
    let mut browser = Browser::new();
    let leaving = browser.open(&one, &Authorize::of("app").url(&one)).await.location();
    let callback = one.idp().authorize(&leaving, &alice());
    let answer = browser.open(&two, &callback).await;
    let tokens = Tokens::read(&one.redeem("app", &answer.param("code")).await);
    assert_eq!(two.userinfo(tokens.access()).await.status, 200);
    let next = Tokens::read(&two.refresh("app", tokens.refresh()).await);
    one.revoke("app", next.refresh()).await;
    two.userinfo(next.access()).await.assert_json_error(401, "invalid_token");
}
