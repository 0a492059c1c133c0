//! A new authorization in a live session: how old its facts may be, when the provider is asked again, and when it is asked for
//! a stronger authentication.

use std::sync::Arc;

use countersign::outbound::OutboundError;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::{Answer, Authorize, BASE, Browser, IDP, Reply, START, TestApp, WITH_PARTNER, alice, bob, with};

const STAFF_ONLY: &str = "clients.other.require = \"'staff' in groups\"\n";

/// Alice, as a member of these groups.
fn in_groups(groups: Value) -> Value {
    with(alice(), json!({ "groups": groups }))
}

/// Opens an app in a browser.
async fn open(app: &TestApp, browser: &mut Browser, client: &str) -> Reply {
    browser.open(app, &Authorize::of(client).url(app)).await
}

/// Whether the broker sends the browser to the provider.
#[track_caller]
fn leaves(reply: &Reply) -> String {
    let location = reply.location();
    assert!(location.starts_with(&format!("{IDP}/authorize?")), "{location}");
    location
}

#[tokio::test]
async fn who_was_granted_access_enters_without_signing_out() {
    for (overlay, left) in
        [(STAFF_ONLY, json!([])), ("[clients.other.claims]\ntier = \"groups[0] + user.name\"\n", json!([]))]
    {
        let app = TestApp::with(overlay).await;
        let (mut browser, first) = app.sign_in("app", &in_groups(left)).await;
        app.wait(60);
        // Her groups are unchanged: the provider is asked once, and its answer decides.
        let leaving = leaves(&open(&app, &mut browser, "other").await);
        let callback = app.idp().authorize(&leaving, &in_groups(json!([])));
        let refused = browser.open(&app, &callback).await;
        assert_eq!(refused.status, 403, "{refused}");
        assert!(browser.open(&app, &Authorize::of("app").url(&app)).await.location().contains("code="), "app is open");
        // She has been added to the group in the meantime.
        let leaving = leaves(&open(&app, &mut browser, "other").await);
        let callback = app.idp().authorize(&leaving, &in_groups(json!(["staff"])));
        let answer = browser.open(&app, &callback).await;
        let tokens = app.tokens("other", &answer).await;
        assert_eq!(tokens.sub(), first.sub());
        // After that, the provider is not asked again.
        let asked = app.idp().count("token");
        assert!(open(&app, &mut browser, "other").await.location().contains("code="));
        assert_eq!(app.idp().count("token"), asked);
    }
}

#[tokio::test]
async fn a_refusal_by_allow_asks_the_provider_first() {
    let app = TestApp::base().await;
    let (mut browser, _) = app.sign_in("app", &in_groups(json!([]))).await;
    app.reload(BASE, &["providers.staff.allow = \"'staff' in claims.groups\""]).await;
    let leaving = leaves(&open(&app, &mut browser, "app").await);
    let callback = app.idp().authorize(&leaving, &in_groups(json!([])));
    browser.open(&app, &callback).await.assert_error_page(403, "not_allowed");
    let leaving = leaves(&open(&app, &mut browser, "app").await);
    let callback = app.idp().authorize(&leaving, &in_groups(json!(["staff"])));
    assert!(browser.open(&app, &callback).await.location().contains("code="));
}

#[tokio::test]
async fn a_refusal_that_no_claims_change_asks_nobody() {
    let app = TestApp::base().await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    app.reload(BASE, &["users.alice.enabled = false"]).await;
    open(&app, &mut browser, "app").await.assert_error_page(403, "user_disabled");
}

#[tokio::test]
async fn a_client_that_takes_another_provider_leads_there() {
    let app = TestApp::of(BASE, &[WITH_PARTNER, "clients.other.providers = [\"partner\"]"]).await;
    let mut browser = Browser::new();
    app.sign_in_with(&mut browser, &Authorize::of("app").set("provider", "staff"), &alice()).await;
    let leaving = open(&app, &mut browser, "other").await.location();
    assert!(leaving.starts_with("https://partner.example/realms/main/authorize?"), "{leaving}");
}

#[tokio::test]
async fn without_pages_the_app_is_told_to_sign_in_and_nothing_loops() {
    let app = TestApp::with(STAFF_ONLY).await;
    let (mut browser, _) = app.sign_in("app", &in_groups(json!([]))).await;
    for _ in 0..2 {
        let reply = browser.open(&app, &Authorize::of("other").set("prompt", "none").url(&app)).await;
        reply.assert_app_error("other", "login_required");
    }
    assert_eq!(app.idp().count("token"), 1);
}

#[tokio::test]
async fn who_lost_access_at_one_app_does_not_enter_another_by_what_was_known() {
    let both = "clients.other.require = \"'staff' in groups\"\nclients.spa.require = \"'staff' in groups\"\nclients.app.require = \"'oncall' in groups\"\n";
    let app = TestApp::with(both).await;
    let (mut browser, tokens) = app.sign_in("other", &in_groups(json!(["staff"]))).await;
    // At `app`, the provider is asked, and answers that she is not in `staff` any more.
    let leaving = leaves(&open(&app, &mut browser, "app").await);
    let callback = app.idp().authorize(&leaving, &in_groups(json!([])));
    browser.open(&app, &callback).await.assert_error_page(403, "client_requirement_not_met");
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    app.refresh("other", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    leaves(&open(&app, &mut browser, "spa").await);
}

/// A broker whose provider is asked again when its answer is older than 15 minutes.
fn asking(scopes: &str, more: &str) -> String {
    format!(
        "{STAFF_ONLY}[providers.staff]\nscopes = [\"openid\", \"profile\", \"email\"{scopes}]\non_refresh = {{ claims = \"upstream\", max_age = \"15m\"{more} }}\n"
    )
}

#[tokio::test]
async fn old_facts_are_asked_for_over_the_back_channel() {
    let app = TestApp::with(&asking(", \"offline_access\"", "")).await;
    let (mut browser, first) = app.sign_in("app", &in_groups(json!(["staff"]))).await;
    app.idp().knows(&in_groups(json!(["staff", "new"])));
    app.wait(899);
    let answer = open(&app, &mut browser, "other").await;
    assert_eq!(app.tokens("other", &answer).await.claims()["groups"], json!(["staff"]), "young enough");
    app.wait(1);
    let answer = browser.open(&app, &Authorize::of("other").set("prompt", "none").url(&app)).await;
    let tokens = app.tokens("other", &answer).await;
    assert_eq!(tokens.claims()["groups"], json!(["staff", "new"]));
    assert_eq!(tokens.claims()["sid"], first.claims()["sid"], "the same session");
    assert_eq!(app.idp().count("token"), 2);

    // A user who has lost the group does not enter, because the provider's current answer decides.
    app.wait(900);
    app.idp().knows(&in_groups(json!([])));
    let silent = browser.open(&app, &Authorize::of("other").set("prompt", "none").url(&app)).await;
    silent.assert_app_error("other", "login_required");
    let leaving = leaves(&open(&app, &mut browser, "other").await);
    let callback = app.idp().authorize(&leaving, &in_groups(json!([])));
    browser.open(&app, &callback).await.assert_error_page(403, "client_requirement_not_met");
}

#[tokio::test]
async fn old_facts_without_a_refresh_token_are_asked_for_through_the_browser() {
    let app = TestApp::with(&asking("", "")).await;
    let (mut browser, first) = app.sign_in("app", &in_groups(json!(["staff"]))).await;
    app.wait(900);
    browser
        .open(&app, &Authorize::of("other").set("prompt", "none").url(&app))
        .await
        .assert_app_error("other", "login_required");
    let leaving = leaves(&open(&app, &mut browser, "other").await);
    assert_eq!(app.idp().count("token"), 1);
    let callback = app.idp().authorize(&leaving, &in_groups(json!(["staff", "new"])));
    assert!(!app.idp().last_request().contains_key("prompt"), "single sign-on there will do");
    let answer = browser.open(&app, &callback).await;
    let tokens = app.tokens("other", &answer).await;
    assert_eq!((tokens.sub(), &tokens.claims()["groups"]), (first.sub(), &json!(["staff", "new"])));
    assert!(open(&app, &mut browser, "app").await.location().contains("code="), "young again");
    // The app's earlier tokens stay valid.
    assert_eq!(app.refresh("app", first.refresh()).await.status, 200);
}

#[tokio::test]
async fn a_provider_that_denies_the_refresh_is_asked_through_the_browser() {
    let app = TestApp::with(&asking(", \"offline_access\"", "")).await;
    let (mut browser, _) = app.sign_in("app", &in_groups(json!(["staff"]))).await;
    app.wait(900);
    app.idp().answer("token", Answer::json(400, &json!({ "error": "invalid_grant" })));
    leaves(&open(&app, &mut browser, "other").await);
    let silent = browser.open(&app, &Authorize::of("other").set("prompt", "none").url(&app)).await;
    silent.assert_app_error("other", "login_required");
}

#[tokio::test]
async fn a_provider_that_is_away_is_waited_for_as_long_as_the_file_says() {
    let app = TestApp::with(&asking(", \"offline_access\"", ", max_stale = \"1h\"")).await;
    let (mut browser, _) = app.sign_in("app", &in_groups(json!(["staff"]))).await;
    app.idp().answer("token", Answer::Fails(OutboundError::Timeout));
    app.wait(900);
    for _ in 0..3 {
        assert!(open(&app, &mut browser, "other").await.location().contains("code="), "its last answer will do");
    }
    assert_eq!(app.idp().count("token"), 2, "it is left alone for a moment after a failure");
    app.wait(10);
    open(&app, &mut browser, "other").await;
    assert_eq!(app.idp().count("token"), 3);
    for _ in 0..2 {
        app.wait(1346);
        open(&app, &mut browser, "app").await;
    }
    // Nobody is sent to a provider that could not be reached time and again: whoever comes back from it could not be signed in.
    open(&app, &mut browser, "other").await.assert_error_page(502, "provider_unavailable");
    app.idp().behave();
    app.wait(31);
    assert!(open(&app, &mut browser, "other").await.location().contains("code="), "it is there again");
}

#[tokio::test]
async fn parallel_authorizations_share_one_question_also_when_it_fails() {
    let app = Arc::new(TestApp::with(&asking(", \"offline_access\"", "")).await);
    let (browser, _) = app.sign_in("app", &in_groups(json!(["staff"]))).await;
    app.wait(900);
    app.idp().answer("token", Answer::Fails(OutboundError::Timeout));
    let mut tasks = JoinSet::new();
    for client in ["app", "other", "spa", "app", "other", "spa"] {
        let (app, mut browser) = (Arc::clone(&app), browser.clone());
        tasks.spawn(async move { open(&app, &mut browser, client).await });
    }
    assert!(tasks.join_all().await.iter().all(|reply| reply.location().contains("code=")));
    assert_eq!(app.idp().count("token"), 2);
}

#[tokio::test]
async fn cached_facts_serve_where_the_file_says_so() {
    for claims in ["cached", "deny"] {
        let app = TestApp::with(&format!("[providers.staff.on_refresh]\nclaims = \"{claims}\"\n")).await;
        let (mut browser, _) = app.sign_in("app", &alice()).await;
        app.wait(1700);
        assert!(open(&app, &mut browser, "other").await.location().contains("code="), "{claims}");
        assert_eq!(app.idp().count("token"), 1);
    }
}

/// From now on the provider asserts this `acr`.
fn asserts(app: &TestApp, acr: &'static str) {
    app.idp().edit_id_token(move |claims| drop(claims.insert("acr".to_owned(), acr.into())));
}

#[tokio::test]
async fn a_session_without_the_acr_that_is_asked_for_goes_to_the_provider_once() {
    let by_default = "clients.other.default_acr_values = [\"mfa\", \"hwk\"]";
    let claims = json!({ "id_token": { "acr": { "values": ["mfa", "hwk"] } } }).to_string();
    for (overlay, request) in [
        ("", Authorize::of("other").set("acr_values", "mfa hwk")),
        (by_default, Authorize::of("other")),
        ("", Authorize::of("other").set("claims", &claims)),
        (by_default, Authorize::of("other").set("acr_values", "mfa").set("claims", &claims)),
    ] {
        let app = TestApp::with(overlay).await;
        asserts(&app, "pwd");
        let (mut browser, first) = app.sign_in("app", &alice()).await;
        app.wait(60);
        let silent = browser.open(&app, &request.clone().set("prompt", "none").url(&app)).await;
        silent.assert_app_error("other", "login_required");
        let leaving = leaves(&browser.open(&app, &request.url(&app)).await);
        asserts(&app, "hwk");
        let callback = app.idp().authorize(&leaving, &alice());
        assert_eq!(app.idp().last_request()["acr_values"], "mfa hwk", "{request:?}");
        let answer = browser.open(&app, &callback).await;
        let tokens = app.tokens("other", &answer).await;
        assert_eq!((&tokens.claims()["acr"], tokens.sub()), (&json!("hwk"), first.sub()));
        assert_eq!(tokens.claims()["auth_time"], START + 60);
        let asked = app.idp().count("token");
        assert!(browser.open(&app, &request.url(&app)).await.location().contains("code="), "the session has it now");
        assert_eq!(app.idp().count("token"), asked);
    }
}

#[tokio::test]
async fn what_comes_back_counts_since_it_is_voluntary() {
    let app = TestApp::base().await;
    asserts(&app, "pwd");
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let request = Authorize::of("other").set("acr_values", "mfa");
    let leaving = leaves(&browser.open(&app, &request.url(&app)).await);
    let answer = browser.open(&app, &app.idp().authorize(&leaving, &alice())).await;
    assert_eq!(app.tokens("other", &answer).await.claims()["acr"], "pwd");
}

#[tokio::test]
async fn require_has_the_word_after_a_step_up() {
    let overlay = "[clients.other]\ndefault_acr_values = [\"mfa\"]\nrequire = \"acr == 'mfa'\"\n";
    let app = TestApp::with(overlay).await;
    asserts(&app, "pwd");
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let leaving = leaves(&open(&app, &mut browser, "other").await);
    let callback = app.idp().authorize(&leaving, &alice());
    assert_eq!(app.idp().last_request()["acr_values"], "mfa");
    browser.open(&app, &callback).await.assert_error_page(403, "client_requirement_not_met");
    let leaving = leaves(&open(&app, &mut browser, "other").await);
    asserts(&app, "mfa");
    let answer = browser.open(&app, &app.idp().authorize(&leaving, &alice())).await;
    assert_eq!(app.tokens("other", &answer).await.claims()["acr"], "mfa");
}

#[tokio::test]
async fn an_essential_acr_that_still_does_not_hold_refuses() {
    let app = TestApp::base().await;
    asserts(&app, "pwd");
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let claims = json!({ "id_token": { "acr": { "essential": true, "value": "mfa" } } }).to_string();
    let request = Authorize::of("other").set("claims", &claims).set("acr_values", "pwd");
    let leaving = leaves(&browser.open(&app, &request.url(&app)).await);
    let callback = app.idp().authorize(&leaving, &alice());
    assert_eq!(app.idp().last_request()["acr_values"], "mfa pwd", "the essential one first");
    browser.open(&app, &callback).await.assert_app_error("other", "login_required");
    let leaving = leaves(&browser.open(&app, &request.url(&app)).await);
    asserts(&app, "mfa");
    let answer = browser.open(&app, &app.idp().authorize(&leaving, &alice())).await;
    assert_eq!(app.tokens("other", &answer).await.claims()["acr"], "mfa");
}

#[tokio::test]
async fn a_step_up_goes_to_the_provider_of_the_session() {
    let app = TestApp::with(WITH_PARTNER).await;
    asserts(&app, "pwd");
    let mut browser = Browser::new();
    app.sign_in_with(&mut browser, &Authorize::of("app").set("provider", "staff"), &alice()).await;
    leaves(&browser.open(&app, &Authorize::of("other").set("acr_values", "mfa").url(&app)).await);
}

#[tokio::test]
async fn another_person_who_signs_in_at_the_provider_is_another_session() {
    let app = TestApp::with(STAFF_ONLY).await;
    let (mut browser, first) = app.sign_in("app", &in_groups(json!([]))).await;
    let leaving = leaves(&open(&app, &mut browser, "other").await);
    let answer = browser.open(&app, &app.idp().authorize(&leaving, &bob())).await;
    assert_ne!(app.tokens("other", &answer).await.sub(), first.sub());
    app.refresh("app", first.refresh()).await.assert_json_error(400, "invalid_grant");
}
