//! Refresh tokens: rotation, grace period, reuse, lifetimes, and renewing the provider's claims.

use std::sync::Arc;

use countersign::outbound::OutboundError;
use countersign::store::AccountQuery;
use countersign::store::model::{Link, LinkKey};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Answer, Auth, Authorize, BASE, Browser, IDP, START, TestApp, Tokens, alice, claims_of, with};

const OFFLINE: &str = "openid profile email groups offline_access";

/// Refreshes and returns the new tokens.
async fn next(app: &TestApp, token: &str) -> Tokens {
    Tokens::read(&app.refresh("app", token).await)
}

#[tokio::test]
async fn a_refresh_gives_new_tokens_of_the_same_sign_in() {
    let app = TestApp::base().await;
    let (_, first) = app.sign_in("app", &alice()).await;
    app.wait(100);
    let second = next(&app, first.refresh()).await;
    assert_ne!(second.refresh(), first.refresh());
    assert_ne!(second.access(), first.access());
    assert_eq!(second.body["scope"], first.body["scope"]);
    let (old, new) = (first.claims(), second.claims());
    for same in ["iss", "sub", "aud", "auth_time", "sid", "email"] {
        assert_eq!(old[same], new[same], "{same}");
    }
    assert_eq!(new["iat"], START + 100);
    assert!(!new.contains_key("nonce"), "OIDC Core 12.2");
    assert_ne!(claims_of(first.access())["jti"], claims_of(second.access())["jti"]);
    assert_eq!(app.userinfo(second.access()).await.status, 200);
    assert_eq!(app.idp().count("token"), 1, "the provider is not asked unless told so");
}

#[tokio::test]
async fn d13_the_parent_answers_within_the_grace_and_the_family_does_not_fork() {
    let app = TestApp::base().await;
    let (_, first) = app.sign_in("app", &alice()).await;
    let second = next(&app, first.refresh()).await;
    app.wait(9);
    let replayed = next(&app, first.refresh()).await;
    assert_eq!(replayed.refresh(), second.refresh(), "the same successor");
    let third = next(&app, second.refresh()).await;
    assert_ne!(third.refresh(), second.refresh());
    // Once the successor is used, the grace period ends early.
    app.refresh("app", first.refresh()).await.assert_json_error(400, "invalid_grant");
    app.refresh("app", third.refresh()).await.assert_json_error(400, "invalid_grant");
    app.userinfo(third.access()).await.assert_json_error(401, "invalid_token");
}

#[tokio::test]
async fn d13_reuse_after_the_grace_revokes_the_family() {
    let app = TestApp::base().await;
    let (_, first) = app.sign_in("app", &alice()).await;
    let second = next(&app, first.refresh()).await;
    app.wait(11);
    app.refresh("app", first.refresh()).await.assert_json_error(400, "invalid_grant");
    app.refresh("app", second.refresh()).await.assert_json_error(400, "invalid_grant");
    app.userinfo(second.access()).await.assert_json_error(401, "invalid_token");
    assert_eq!(app.introspect("app", second.access()).await.json(), json!({ "active": false }));
}

#[tokio::test]
async fn d13_parallel_refreshes_keep_one_lineage_and_reuse_revokes_after_a_restart_too() {
    let app = Arc::new(TestApp::base().await);
    let (_, first) = app.sign_in("app", &alice()).await;
    let mut tasks = JoinSet::new();
    for _ in 0..50 {
        let (app, token) = (Arc::clone(&app), first.refresh().to_owned());
        tasks.spawn(async move { app.refresh("app", &token).await });
    }
    let successors: Vec<Tokens> = tasks.join_all().await.iter().map(Tokens::read).collect();
    let second = successors[0].refresh().to_owned();
    assert!(successors.iter().all(|tokens| tokens.refresh() == second), "one lineage, no fork");
    let third = next(&app, &second).await;

    let app = app.restarted(BASE, &[]).await;
    app.wait(11);
    app.refresh("app", first.refresh()).await.assert_json_error(400, "invalid_grant");
    app.refresh("app", third.refresh()).await.assert_json_error(400, "invalid_grant");
}

#[tokio::test]
async fn another_clients_token_is_refused_and_stays_good() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    app.refresh("other", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    app.refresh("spa", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    next(&app, tokens.refresh()).await;
    for made_up in ["x", "made-up-made-up-made-up-made-up-made-up-made", tokens.access()] {
        app.refresh("app", made_up).await.assert_json_error(400, "invalid_grant");
    }
}

#[tokio::test]
async fn scope_may_narrow_for_one_answer_and_never_widens() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    let ask = async |token: &str, scope: &str| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token), ("scope", scope)];
        app.token(&Auth::of("app"), &form).await
    };
    ask(tokens.refresh(), "openid roles").await.assert_json_error(400, "invalid_scope");
    ask(tokens.refresh(), "openid offline_access").await.assert_json_error(400, "invalid_scope");
    let narrow = Tokens::read(&ask(tokens.refresh(), "openid email").await);
    assert_eq!(narrow.body["scope"], "openid email");
    assert!(!narrow.claims().contains_key("groups"));
    assert_eq!(claims_of(narrow.access())["scope"], "openid email");
    let userinfo = app.userinfo(narrow.access()).await.json();
    assert!(userinfo.get("groups").is_none() && userinfo["email"] == "alice@corp.example");
    let whole = next(&app, narrow.refresh()).await;
    assert_eq!(whole.body["scope"], "openid profile email groups", "what was granted, not what was asked last");
}

#[tokio::test]
async fn a_refresh_token_dies_unused_and_with_its_family() {
    let overlay = "clients.app.tokens.refresh_token = { max_inactive = \"1h\", max_lifetime = \"2h\" }\nsession = { max_inactive = \"10h\", max_lifetime = \"10h\" }";
    let app = TestApp::with(overlay).await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    app.wait(3600);
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");

    let (_, tokens) = app.sign_in("app", &alice()).await;
    app.wait(3599);
    let tokens = next(&app, tokens.refresh()).await;
    app.wait(3599);
    let tokens = next(&app, tokens.refresh()).await;
    app.wait(2);
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
}

#[tokio::test]
async fn without_offline_access_it_dies_with_the_session() {
    let app = TestApp::base().await;
    // Each refresh counts as activity of the session.
    let (_, mut tokens) = app.sign_in("app", &alice()).await;
    for _ in 0..3 {
        app.wait(29 * 60);
        tokens = next(&app, tokens.refresh()).await;
    }
    app.wait(31 * 60);
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");

    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    browser.open(&app, &format!("/oauth2/logout?id_token_hint={}", tokens.id())).await;
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
}

#[tokio::test]
async fn with_offline_access_it_outlives_the_session_and_the_sign_out() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("scope", OFFLINE);
    let tokens = app.sign_in_with(&mut browser, &request, &alice()).await;
    browser.open(&app, &format!("/oauth2/logout?id_token_hint={}", tokens.id())).await;
    let tokens = next(&app, tokens.refresh()).await;
    app.wait(29 * 86_400);
    let tokens = next(&app, tokens.refresh()).await;
    assert_eq!(tokens.claims()["auth_time"], START);
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
    app.wait(30 * 86_400);
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
}

#[tokio::test]
async fn rotation_may_be_switched_off_for_confidential_clients() {
    let app = TestApp::with("clients.app.tokens.refresh_token = { rotate = false }").await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    for _ in 0..3 {
        app.wait(1200);
        assert_eq!(next(&app, tokens.refresh()).await.refresh(), tokens.refresh());
    }
    let public = "clients.spa.tokens.refresh_token = { rotate = false }";
    assert!(crate::harness::compose::prepared(BASE, &[public], 2).snapshot.is_none(), "not for public ones");
}

#[tokio::test]
async fn policy_is_asked_again_at_every_refresh() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    app.reload(BASE, &["clients.app.require = \"'admins' in groups\""]).await;
    let reply = app.refresh("app", tokens.refresh()).await;
    reply.assert_json_error(400, "invalid_grant");
    assert!(reply.json()["error_description"].as_str().unwrap().contains("client_requirement_not_met"));
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    assert_eq!(app.introspect("app", tokens.access()).await.json(), json!({ "active": false }));

    app.reload(BASE, &["[clients.app.claims]\nteam = \"groups[0]\""]).await;
    let tokens = next(&app, tokens.refresh()).await;
    assert_eq!(tokens.claims()["team"], "staff", "the claims are those of the file of the moment");
}

#[tokio::test]
async fn d38_a_refresh_of_a_provider_that_is_gone_is_refused_and_revives_with_it() {
    let app = TestApp::base().await;
    let request = Authorize::of("app").set("scope", OFFLINE);
    let offline = app.sign_in_with(&mut Browser::new(), &request, &alice()).await;
    let (mut browser, bound) = app.sign_in("app", &alice()).await;
    app.reload(BASE, &["providers.staff.enabled = false"]).await;
    for tokens in [&offline, &bound] {
        app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
        app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    }
    browser
        .open(&app, &Authorize::of("app").set("prompt", "none").url(&app))
        .await
        .assert_app_error("app", "login_required");
    app.reload(BASE, &[]).await;
    next(&app, offline.refresh()).await;
    next(&app, bound.refresh()).await;
    assert!(browser.open(&app, &Authorize::of("app").url(&app)).await.location().contains("code="));
}

/// A broker that asks the provider again on refreshes, with an offline sign-in of Alice.
async fn asking(settings: &str) -> (TestApp, Tokens) {
    let overlay = format!(
        "[providers.staff]\nscopes = [\"openid\", \"profile\", \"email\", \"offline_access\"]\non_refresh = {{ claims = \"upstream\", max_age = \"15m\", {settings} }}\n"
    );
    let app = TestApp::with(&overlay).await;
    let request = Authorize::of("app").set("scope", OFFLINE);
    let tokens = app.sign_in_with(&mut Browser::new(), &request, &alice()).await;
    (app, tokens)
}

fn groups(tokens: &Tokens) -> Value {
    tokens.claims()["groups"].clone()
}

#[tokio::test]
async fn the_provider_is_asked_when_its_answer_is_old() {
    let (app, tokens) = asking("").await;
    app.idp().knows(&with(alice(), json!({ "groups": ["leavers"] })));
    app.wait(899);
    let tokens = next(&app, tokens.refresh()).await;
    assert_eq!(groups(&tokens), json!(["staff", "oncall"]));
    app.wait(1);
    let tokens = next(&app, tokens.refresh()).await;
    assert_eq!(groups(&tokens), json!(["leavers"]));
    assert_eq!(app.idp().count("token"), 2);
    assert_eq!(app.userinfo(tokens.access()).await.json()["groups"], json!(["leavers"]));
    // Its refresh token rotated too, and the new one is used.
    app.wait(900);
    app.idp().knows(&with(alice(), json!({ "groups": ["back"] })));
    assert_eq!(groups(&next(&app, tokens.refresh()).await), json!(["back"]));
}

#[tokio::test]
async fn parallel_refreshes_ask_the_provider_once() {
    let (app, tokens) = asking("").await;
    let app = Arc::new(app);
    app.wait(900);
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let (app, token) = (Arc::clone(&app), tokens.refresh().to_owned());
        tasks.spawn(async move { app.refresh("app", &token).await });
    }
    assert!(tasks.join_all().await.iter().all(|reply| reply.status == 200));
    assert_eq!(app.idp().count("token"), 2);
}

/// Makes the provider hold back its answers to refreshes until the sender is dropped.
fn held_back(app: &TestApp) -> std::sync::mpsc::Sender<()> {
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    app.idp().edit_token_response(move |_| gate.lock().unwrap().recv().unwrap_or_default());
    release
}

/// The provider's new refresh token would be lost with the request.
#[tokio::test]
async fn a_refresh_that_the_app_breaks_off_is_finished() {
    let (app, tokens) = asking("unavailable = \"deny\"").await;
    app.wait(900);
    app.idp().knows(&with(alice(), json!({ "groups": ["new"] })));
    let asked = app.idp().count("token");
    {
        let mut first = Box::pin(app.refresh("app", tokens.refresh()));
        while app.idp().count("token") == asked {
            let waiting =
                std::future::poll_fn(|context| std::task::Poll::Ready(first.as_mut().poll(context).is_pending()));
            assert!(waiting.await, "it was answered before it could be broken off");
            tokio::task::yield_now().await;
        }
    }
    let tokens = next(&app, tokens.refresh()).await;
    assert_eq!(groups(&tokens), json!(["new"]));
    assert_eq!(app.idp().count("token"), asked + 1);
    app.wait(900);
    assert_eq!(groups(&next(&app, tokens.refresh()).await), json!(["new"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn two_brokers_on_one_store_use_the_providers_refresh_token_once() {
    let (app, tokens) = asking("unavailable = \"deny\"").await;
    let elsewhere =
        app.sign_in_with(&mut Browser::new(), &Authorize::of("other").set("scope", OFFLINE), &alice()).await;
    let overlay = "[providers.staff]\nscopes = [\"openid\", \"profile\", \"email\", \"offline_access\"]\non_refresh = { claims = \"upstream\", max_age = \"15m\", unavailable = \"deny\" }\n";
    let (other, app) = (app.restarted(BASE, &[overlay]).await, Arc::new(app));
    app.wait(900);
    app.idp().knows(&with(alice(), json!({ "groups": ["new"] })));
    let (asked, release) = (app.idp().count("token"), held_back(&app));
    let mut tasks = JoinSet::new();
    let first = Arc::clone(&app);
    tasks.spawn(async move { first.refresh("app", tokens.refresh()).await });
    while app.idp().count("token") == asked {
        tokio::task::yield_now().await;
    }
    // The first one waits for the provider, which would refuse a second use of the token.
    tasks.spawn(async move { other.refresh("other", elsewhere.refresh()).await });
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    drop(release);
    for reply in tasks.join_all().await {
        assert_eq!(reply.status, 200, "{reply}");
        assert_eq!(groups(&Tokens::read(&reply)), json!(["new"]));
    }
    assert_eq!(app.idp().count("token"), asked + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_sign_in_while_the_provider_is_asked_counts_more_than_its_answer() {
    let (app, tokens) = asking("unavailable = \"deny\"").await;
    let app = Arc::new(app);
    app.wait(900);
    let (asked, release) = (app.idp().count("token"), held_back(&app));
    let first = Arc::clone(&app);
    let refresh = tokio::spawn(async move { first.refresh("app", tokens.refresh()).await });
    while app.idp().count("token") == asked {
        tokio::task::yield_now().await;
    }
    let key = LinkKey { provider: "staff".to_owned(), issuer: IDP.to_owned(), subject: "1".to_owned() };
    let query = || AccountQuery { key: Some(key.clone()), ..AccountQuery::default() };
    let link = app.broker.store.accounts(query()).await.unwrap().linked.unwrap().1;
    let newer = Link { refresh_token: Some("of-the-sign-in".to_owned()), claims_at: app.now(), ..link };
    app.broker.store.save_link(newer).await.unwrap();
    drop(release);
    assert_eq!(refresh.await.unwrap().status, 200);
    let link = app.broker.store.accounts(query()).await.unwrap().linked.unwrap().1;
    assert_eq!(link.refresh_token.as_deref(), Some("of-the-sign-in"));
}

#[tokio::test]
async fn refreshes_that_wait_share_the_failure_and_the_next_ones_come_at_once() {
    let (app, tokens) = asking("unavailable = \"cached\", max_stale = \"1h\"").await;
    let app = Arc::new(app);
    app.wait(900);
    app.idp().answer("token", Answer::Fails(OutboundError::Timeout));
    let mut tasks = JoinSet::new();
    for _ in 0..6 {
        let (app, token) = (Arc::clone(&app), tokens.refresh().to_owned());
        tasks.spawn(async move { app.refresh("app", &token).await });
    }
    let replies = tasks.join_all().await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert_eq!(app.idp().count("token"), 2, "one attempt for all who waited");
    app.wait(9);
    let tokens = next(&app, Tokens::read(&replies[0]).refresh()).await;
    assert_eq!(app.idp().count("token"), 2, "and none while it has just failed");
    app.wait(1);
    app.idp().behave();
    app.idp().knows(&with(alice(), json!({ "groups": ["back"] })));
    assert_eq!(groups(&next(&app, tokens.refresh()).await), json!(["back"]));
}

#[tokio::test]
async fn a_provider_that_fails_half_way_is_asked_with_its_new_token() {
    let (app, tokens) = asking("unavailable = \"cached\", max_stale = \"1h\"").await;
    app.wait(900);
    app.idp().answer("userinfo", Answer::Fails(OutboundError::Timeout));
    let tokens = next(&app, tokens.refresh()).await;
    assert_eq!(groups(&tokens), json!(["staff", "oncall"]));
    app.wait(10);
    app.idp().behave();
    app.idp().knows(&with(alice(), json!({ "groups": ["new"] })));
    assert_eq!(groups(&next(&app, tokens.refresh()).await), json!(["new"]), "the token of before was used up");
}

#[tokio::test]
async fn a_provider_that_denies_ends_it() {
    let (app, tokens) = asking("").await;
    app.wait(900);
    app.idp().answer("token", Answer::json(400, &json!({ "error": "invalid_grant" })));
    let reply = app.refresh("app", tokens.refresh()).await;
    reply.assert_json_error(400, "invalid_grant");
    assert!(reply.json()["error_description"].as_str().unwrap().contains("refresh_denied"), "{reply}");
}

#[tokio::test]
async fn a_provider_that_is_away_is_waited_for_as_long_as_the_file_says() {
    let (app, tokens) = asking("unavailable = \"cached\", max_stale = \"1h\"").await;
    app.idp().answer("token", Answer::Fails(OutboundError::Timeout));
    app.wait(3600);
    let tokens = next(&app, tokens.refresh()).await;
    assert_eq!(groups(&tokens), json!(["staff", "oncall"]));
    app.wait(1);
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    app.idp().behave();
    app.wait(60);
    next(&app, tokens.refresh()).await;

    let (app, tokens) = asking("unavailable = \"deny\"").await;
    app.wait(900);
    app.idp().answer("token", Answer::json(503, &json!({})));
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
}

#[tokio::test]
async fn d49_a_refreshed_id_token_about_somebody_else_is_not_taken() {
    for settings in ["unavailable = \"deny\"", "unavailable = \"cached\", max_stale = \"1h\""] {
        for (name, value) in [("sub", "2"), ("iss", "https://evil.example"), ("aud", "somebody-else")] {
            let (app, tokens) = asking(settings).await;
            app.wait(900);
            app.idp().edit_id_token(move |claims| drop(claims.insert(name.to_owned(), value.into())));
            let reply = app.refresh("app", tokens.refresh()).await;
            reply.assert_json_error(400, "invalid_grant");
            assert!(reply.text().contains("refresh_denied"), "{name}: {reply}");
        }
        let (app, tokens) = asking(settings).await;
        app.wait(900);
        app.idp().edit_userinfo(|claims| drop(claims.insert("sub".to_owned(), "2".into())));
        app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    }
}

#[tokio::test]
async fn new_claims_meet_the_policy() {
    let (app, tokens) = asking("").await;
    let more = "providers.staff.allow = \"'staff' in claims.groups\"";
    let overlay = format!("{more}\n[providers.staff.on_refresh]\nclaims = \"upstream\"\nmax_age = \"15m\"\n");
    app.reload(BASE, &[&overlay]).await;
    app.idp().knows(&with(alice(), json!({ "groups": ["leavers"] })));
    app.wait(900);
    let reply = app.refresh("app", tokens.refresh()).await;
    reply.assert_json_error(400, "invalid_grant");
    assert!(reply.json()["error_description"].as_str().unwrap().contains("not_allowed"), "{reply}");
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
}

#[tokio::test]
async fn refreshes_may_be_denied_altogether() {
    let app = TestApp::with("[providers.staff.on_refresh]\nclaims = \"deny\"").await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    let reply = app.refresh("app", tokens.refresh()).await;
    reply.assert_json_error(400, "invalid_grant");
    assert!(reply.json()["error_description"].as_str().unwrap().contains("refresh_denied"), "{reply}");
}
