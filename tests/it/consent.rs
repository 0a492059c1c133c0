//! Consent: asked, remembered, refused.

use serde_json::{Value, json};

use crate::harness::{Authorize, BASE, Browser, Form, TestApp, alice, with};

const EXPLICIT: &str = "clients.app.consent = \"explicit\"\n[scopes.groups]\nclaims = [\"groups\"]\ndescription = \"The teams that you are in\"\n";

#[tokio::test]
async fn an_explicit_client_asks_once_and_remembers() {
    let app = TestApp::with(EXPLICIT).await;
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("scope", "openid email");
    let page = app.through_provider(&mut browser, &request, &alice()).await;
    assert_eq!(page.status, 200, "{page}");
    assert!(page.text().contains("The App") && page.text().contains("Alice Example"), "{page}");
    assert!(page.header("content-security-policy").contains("form-action"), "{page}");
    let answer = browser.submit(&app, &page, &[("decision", "allow")]).await;
    app.tokens("app", &answer).await;

    let answer = browser.open(&app, &request.url(&app)).await;
    assert!(answer.location().contains("code="), "remembered: {answer}");
    let (mut elsewhere, _) = app.sign_in("other", &alice()).await;
    let answer = elsewhere.open(&app, &request.url(&app)).await;
    assert!(answer.location().contains("code="), "in every browser: {answer}");

    let more = Authorize::of("app").set("scope", "openid email groups");
    let page = browser.open(&app, &more.url(&app)).await;
    assert_eq!(page.status, 200, "a new scope asks again");
    assert!(page.text().contains("The teams that you are in"), "{page}");
}

#[tokio::test]
async fn consent_refused_returns_to_the_app_and_is_not_remembered() {
    let app = TestApp::with(EXPLICIT).await;
    let mut browser = Browser::new();
    let page = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    let reply = browser.submit(&app, &page, &[("decision", "deny")]).await;
    reply.assert_app_error("app", "access_denied");
    assert_eq!(reply.param("state"), "state-of-the-app");
    let page = browser.open(&app, &Authorize::of("app").url(&app)).await;
    assert_eq!(page.status, 200, "asked again: {page}");
}

#[tokio::test]
async fn silence_is_no_consent() {
    let app = TestApp::with(EXPLICIT).await;
    let mut browser = Browser::new();
    let page = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    browser.submit(&app, &page, &[]).await.assert_app_error("app", "access_denied");
    let silent = browser.open(&app, &Authorize::of("app").set("prompt", "none").url(&app)).await;
    silent.assert_app_error("app", "consent_required");
}

#[tokio::test]
async fn prompt_consent_asks_an_implicit_client_too() {
    let app = TestApp::base().await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let request = Authorize::of("app").set("prompt", "consent");
    for _ in 0..2 {
        let page = browser.open(&app, &request.url(&app)).await;
        assert_eq!(page.status, 200, "{page}");
        let answer = browser.submit(&app, &page, &[("decision", "allow")]).await;
        app.tokens("app", &answer).await;
    }
}

#[tokio::test]
async fn d02_an_interaction_is_of_one_browser_and_its_parameters_are_stored() {
    let app = TestApp::with(EXPLICIT).await;
    let mut attacker = Browser::new();
    let page = app.through_provider(&mut attacker, &Authorize::of("app").set("scope", "openid"), &alice()).await;
    let form = Form::all(&page.text()).remove(0);

    // Another browser, with and without a session of its own.
    Browser::new()
        .submit_form(&app, &form, &[("decision", "allow")])
        .await
        .assert_error_page(403, "login_other_browser");
    let (mut victim, _) =
        app.sign_in("other", &with(alice(), serde_json::json!({ "sub": "9", "preferred_username": "v" }))).await;
    victim.submit_form(&app, &form, &[("decision", "allow")]).await.assert_error_page(403, "login_other_browser");
    // Tokens that were made up, and none at all.
    let unknown = [("csrf", "made-up"), ("decision", "allow")];
    attacker.submit_form(&app, &form, &unknown).await.assert_error_page(400, "login_not_found");
    attacker.submit_form(&app, &form, &[("csrf", "")]).await.assert_error_page(400, "login_not_found");

    // Additional fields in the form are ignored.
    let added = [
        ("decision", "allow"),
        ("scope", "openid email groups"),
        ("redirect_uri", "https://evil.example/cb"),
        ("client_id", "other"),
    ];
    let answer = attacker.submit_form(&app, &form, &added).await;
    assert!(answer.location().starts_with("https://app.example/cb?code="), "{answer}");
    assert_eq!(app.tokens("app", &answer).await.body["scope"], "openid");
    // The form can only be submitted once.
    attacker.submit_form(&app, &form, &added).await.assert_error_page(400, "login_not_found");
}

#[tokio::test]
async fn d02_the_sign_in_page_too_is_of_one_browser() {
    let app = TestApp::with(crate::harness::WITH_PARTNER).await;
    let mut attacker = Browser::new();
    let page = attacker.open(&app, &Authorize::of("app").url(&app)).await;
    let form = Form::all(&page.text()).remove(0);
    let reply = Browser::new().submit_form(&app, &form, &[("provider", "staff")]).await;
    reply.assert_error_page(403, "login_other_browser");
    let reply = attacker.submit_form(&app, &form, &[("provider", "unheard-of")]).await;
    reply.assert_error_page(403, "provider_removed");
}

#[tokio::test]
async fn a_session_that_ends_while_the_page_is_open_gives_nothing() {
    let app = TestApp::with(EXPLICIT).await;
    let mut browser = Browser::new();
    let page = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    let (name, _) = browser.session().unwrap();
    browser.cookies.remove(&name);
    browser.submit(&app, &page, &[("decision", "allow")]).await.assert_error_page(403, "session_expired");

    let mut browser = Browser::new();
    let page = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    app.wait(601);
    browser.submit(&app, &page, &[("decision", "allow")]).await.assert_error_page(400, "login_not_found");
}

#[tokio::test]
async fn policy_is_asked_again_when_consent_is_given() {
    let app = TestApp::with(EXPLICIT).await;
    let mut browser = Browser::new();
    let page = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    app.reload(BASE, &[EXPLICIT, "clients.app.require = \"'admins' in groups\""]).await;
    let reply = browser.submit(&app, &page, &[("decision", "allow")]).await;
    reply.assert_error_page(403, "client_requirement_not_met");
}

/// A request for `openid` with single claims.
fn asking_for(claims: &Value) -> Authorize {
    Authorize::of("app").set("scope", "openid").set("claims", &claims.to_string())
}

#[tokio::test]
async fn d46_a_consent_covers_what_its_page_named_and_no_more() {
    let app = TestApp::with("clients.app.consent = \"explicit\"").await;
    let mut browser = Browser::new();
    let plain = Authorize::of("app").set("scope", "openid");
    let page = app.through_provider(&mut browser, &plain, &alice()).await;
    assert!(!page.text().contains("see your email address"), "{page}");
    browser.submit(&app, &page, &[("decision", "allow")]).await;

    for (claims, named) in [
        (json!({ "userinfo": { "email": null } }), &["see your email address"][..]),
        (json!({ "id_token": { "name": null } }), &["<bdi>name</bdi>"]),
        (json!({ "id_token": { "groups": { "essential": true } } }), &["see the groups you belong to"]),
        (
            json!({ "id_token": { "birthdate": null }, "userinfo": { "email_verified": null, "locale": null } }),
            &["<bdi>birthdate</bdi>", "<bdi>locale</bdi>", "see your email address"],
        ),
    ] {
        let request = asking_for(&claims);
        let silent = browser.open(&app, &request.clone().set("prompt", "none").url(&app)).await;
        silent.assert_app_error("app", "consent_required");
        let page = browser.open(&app, &request.url(&app)).await;
        assert_eq!(page.status, 200, "{claims}: {page}");
        for named in named {
            assert!(page.text().contains(named), "{claims}: {named} is not on the page: {page}");
        }
        let refused = browser.submit(&app, &page, &[("decision", "deny")]).await;
        refused.assert_app_error("app", "access_denied");
    }

    // The consent is remembered by claim name, and covers requests for the same claims or fewer.
    let request = asking_for(&json!({ "userinfo": { "email": null, "name": null } }));
    let page = browser.open(&app, &request.url(&app)).await;
    let answer = browser.submit(&app, &page, &[("decision", "allow")]).await;
    let tokens = app.tokens("app", &answer).await;
    assert_eq!(app.userinfo(tokens.access()).await.json()["email"], "alice@corp.example");
    for claims in
        [json!({ "id_token": { "name": null } }), json!({ "userinfo": { "email": null, "name": null } }), json!({})]
    {
        let answer = browser.open(&app, &asking_for(&claims).url(&app)).await;
        assert!(answer.location().contains("code="), "{claims}: {answer}");
    }
    let more = browser.open(&app, &asking_for(&json!({ "userinfo": { "groups": null } })).url(&app)).await;
    assert_eq!(more.status, 200, "{more}");
}

#[tokio::test]
async fn d46_a_scope_that_was_agreed_to_covers_its_claims() {
    let app = TestApp::with("clients.app.consent = \"explicit\"").await;
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("scope", "openid email");
    let page = app.through_provider(&mut browser, &request, &alice()).await;
    assert_eq!(page.text().matches("see your email address").count(), 1, "{page}");
    browser.submit(&app, &page, &[("decision", "allow")]).await;
    let answer = browser.open(&app, &asking_for(&json!({ "userinfo": { "email": null } })).url(&app)).await;
    assert!(answer.location().contains("code="), "{answer}");
}

#[tokio::test]
async fn d46_what_the_file_gives_an_app_beyond_scopes_is_named_too() {
    let explicit = "clients.app.consent = \"explicit\"\n";
    let own = format!(
        "{explicit}clients.app.access_token_claims = [\"department\"]\n[clients.app.claims]\ntier = \"'gold'\"\n[providers.staff.claims]\ndepartment = \"claims.department\"\n"
    );
    let app = TestApp::with(explicit).await;
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("scope", "openid");
    let page = app.through_provider(&mut browser, &request, &alice()).await;
    browser.submit(&app, &page, &[("decision", "allow")]).await;
    app.reload(BASE, &[&own]).await;
    let page = browser.open(&app, &request.url(&app)).await;
    assert!(page.text().contains("<bdi>tier</bdi>") && page.text().contains("<bdi>department</bdi>"), "{page}");
    let answer = browser.submit(&app, &page, &[("decision", "allow")]).await;
    assert_eq!(app.tokens("app", &answer).await.claims()["tier"], "gold");
    assert!(browser.open(&app, &request.url(&app)).await.location().contains("code="), "remembered");
}

#[tokio::test]
async fn the_addresses_of_an_app_are_those_of_the_person_s_language() {
    let overlay = format!(
        r#"clients.app.logo_uri = "https://app.example/logo.png"
clients.app."logo_uri#de" = "https://de.app.example/logo.png"
clients.app.policy_uri = "https://app.example/privacy"
clients.app."policy_uri#de" = "https://app.example/datenschutz"
clients.app."tos_uri#DE" = "https://app.example/agb"
clients.app.client_uri = "https://app.example/home"
clients.app."client_uri#de" = "https://app.example/start"
{EXPLICIT}"#
    );
    let app = TestApp::with(&overlay).await;
    let texts = |page: &crate::harness::Reply| page.text().replace("&#x2f;", "/");
    let german = Authorize::of("app").set("ui_locales", "de-AT");
    let page = texts(&app.through_provider(&mut Browser::new(), &german, &alice()).await);
    for part in ["https://de.app.example/logo.png", "https://app.example/datenschutz", "https://app.example/agb"] {
        assert!(page.contains(part), "{part} is not on\n{page}");
    }
    assert!(!page.contains("https://app.example/privacy"), "{page}");
    let french = Authorize::of("app").set("ui_locales", "fr");
    let answer = app.through_provider(&mut Browser::new(), &french, &alice()).await;
    let policy = answer.header("content-security-policy").to_owned();
    let page = texts(&answer);
    assert!(page.contains("https://app.example/logo.png") && page.contains("https://app.example/privacy"), "{page}");
    assert!(!page.contains("agb") && !page.contains("datenschutz"), "{page}");
    assert!(policy.contains("https://app.example") && !policy.contains("https://de.app.example"), "{policy}");
}
