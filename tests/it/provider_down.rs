//! A provider that fails: nobody waits for it again and again, and the others are offered.

use countersign::outbound::OutboundError;
use serde_json::json;

use crate::harness::{Answer, Authorize, BASE, Browser, IDP, Reply, TestApp, WITH_PARTNER, alice, with};

fn request() -> Authorize {
    Authorize::of("app").set("provider", "staff")
}

fn at_partner() -> serde_json::Value {
    with(alice(), json!({ "sub": "p1", "preferred_username": "alice.p" }))
}

/// The page says that `staff` is down and offers `partner`, by which the request goes on.
async fn goes_on_at_partner(app: &TestApp, browser: &mut Browser, page: &Reply) {
    page.assert_error_page(502, "provider_unavailable");
    for shown in ["Or sign in another way", "Partner accounts", "The App"] {
        assert!(page.text().contains(shown), "{shown}: {page}");
    }
    assert!(!page.text().contains("value=\"staff\""), "not the one that is down: {page}");
    let leaving = browser.submit(app, page, &[("provider", "partner")]).await.location();
    let callback = app.partner().authorize(&leaving, &at_partner());
    let tokens = app.tokens("app", &browser.open(app, &callback).await).await;
    assert_eq!(tokens.claims()["preferred_username"], "alice.p");
}

#[tokio::test]
async fn the_page_of_a_provider_that_is_down_offers_the_others() {
    let app = TestApp::with(WITH_PARTNER).await;
    app.idp().answer("discovery", Answer::Fails(OutboundError::Timeout));
    let mut browser = Browser::new();
    let page = browser.open(&app, &request().url(&app)).await;
    goes_on_at_partner(&app, &mut browser, &page).await;
}

#[tokio::test]
async fn one_that_fails_when_the_browser_is_back_too() {
    let app = TestApp::with(WITH_PARTNER).await;
    app.idp().answer("token", Answer::json(503, &json!({})));
    let mut browser = Browser::new();
    let page = app.through_provider(&mut browser, &request(), &alice()).await;
    goes_on_at_partner(&app, &mut browser, &page).await;
}

#[tokio::test]
async fn only_providers_that_the_app_accepts_and_that_work_are_offered() {
    let third = "[providers.third]\nname = \"Third accounts\"\nissuer = \"https://third.example\"\nclient_id = \"countersign\"\nclient_secret = \"the-brokers-secret-at-the-provider\"\n";
    for (overlay, offered) in [
        ("clients.app.providers = [\"staff\"]", false),
        ("providers.partner.hidden = true", false),
        ("providers.partner.enabled = false", false),
        ("clients.app.providers = [\"staff\", \"partner\"]", true),
    ] {
        let more = format!("{third}enabled = false\n");
        let app = TestApp::of(BASE, &[&format!("{WITH_PARTNER}{more}"), overlay]).await;
        app.idp().answer("discovery", Answer::json(500, &json!({})));
        let page = Browser::new().open(&app, &request().url(&app)).await;
        page.assert_error_page(502, "provider_unavailable");
        assert_eq!(page.text().contains("Partner accounts"), offered, "{overlay}: {page}");
        assert!(!page.text().contains("Third accounts"), "{page}");
    }
    // Both are down: neither is a way on.
    let app = TestApp::with(WITH_PARTNER).await;
    for idp in [app.idp(), app.partner()] {
        idp.answer("discovery", Answer::json(500, &json!({})));
    }
    Browser::new().open(&app, &request().set("provider", "partner").url(&app)).await;
    let page = Browser::new().open(&app, &request().url(&app)).await;
    assert!(!page.text().contains("Or sign in another way"), "{page}");
}

#[tokio::test]
async fn d24_after_failures_in_a_row_nothing_is_sent_for_a_while_and_then_one_at_a_time() {
    let app = TestApp::with(WITH_PARTNER).await;
    app.sign_in_with(&mut Browser::new(), &request(), &alice()).await;
    app.idp().answer("token", Answer::json(500, &json!({})));
    for _ in 0..5 {
        let page = app.through_provider(&mut Browser::new(), &request(), &alice()).await;
        page.assert_error_page(502, "provider_unavailable");
    }
    let before = app.idp().count("token");
    // The browser does not even leave, and goes on elsewhere.
    let mut browser = Browser::new();
    let page = browser.open(&app, &request().url(&app)).await;
    goes_on_at_partner(&app, &mut browser, &page).await;
    assert_eq!(app.idp().count("token"), before);

    // Still down: one request finds out, and it is left alone for longer.
    app.wait(10);
    let mut two = [Browser::new(), Browser::new()];
    let mut callbacks = Vec::new();
    for browser in &mut two {
        callbacks.push(app.at_provider(browser, &request(), &alice()).await);
    }
    for (browser, callback) in two.iter_mut().zip(&callbacks) {
        browser.open(&app, callback).await.assert_error_page(502, "provider_unavailable");
    }
    assert_eq!(app.idp().count("token"), before + 1);
    app.wait(10);
    Browser::new().open(&app, &request().url(&app)).await.assert_error_page(502, "provider_unavailable");

    app.idp().behave();
    app.wait(10);
    app.sign_in_with(&mut Browser::new(), &request(), &alice()).await;
    app.sign_in_with(&mut Browser::new(), &request(), &alice()).await;
}

#[tokio::test]
async fn d24_a_provider_that_cannot_be_reached_is_left_alone_as_a_whole() {
    let app = TestApp::with("[providers.staff.on_refresh]\nclaims = \"upstream\"\nmax_age = \"1m\"\n[providers.staff]\nscopes = [\"openid\", \"profile\", \"offline_access\"]\n").await;
    let offline = request().set("scope", "openid offline_access");
    let mut tokens = Vec::new();
    for _ in 0..6 {
        tokens.push(app.sign_in_with(&mut Browser::new(), &offline, &alice()).await);
        app.wait(70);
    }
    app.idp().answer("token", Answer::Fails(OutboundError::Timeout));
    let before = app.idp().count("token");
    for tokens in &tokens {
        // What was known serves, as `on_refresh` says.
        assert_eq!(app.refresh("app", tokens.refresh()).await.status, 200);
        app.wait(1);
    }
    assert!(app.idp().count("token") <= before + 3, "{}", app.idp().count("token") - before);
}

#[tokio::test]
async fn addresses_of_sub_domains_lead_to_their_provider() {
    let domains = "providers.staff.domains = [\"*.corp.example\", \"corp.example\"]\n";
    let more = "domains = [\"labs.corp.example\", \"*.x.labs.corp.example\"]\n";
    let app = TestApp::of(BASE, &[&format!("{WITH_PARTNER}{more}"), domains]).await;
    for (address, to) in [
        ("a@corp.example", Some(IDP)),
        ("a@eu.corp.example", Some(IDP)),
        ("a@a.b.EU.Corp.example", Some(IDP)),
        ("a@labs.corp.example", Some(crate::harness::PARTNER)),
        ("a@x.labs.corp.example", Some(IDP)),
        ("a@y.x.labs.corp.example", Some(crate::harness::PARTNER)),
        ("a@evilcorp.example", None),
        ("a@.corp.example", None),
        ("a@corp.example.evil.example", None),
    ] {
        let mut browser = Browser::new();
        let hinted = browser.open(&app, &Authorize::of("app").set("login_hint", address).url(&app)).await;
        match to {
            Some(to) => assert!(hinted.location().starts_with(to), "{address}: {hinted}"),
            None => {
                let typed = browser.submit(&app, &hinted, &[("email", address)]).await;
                assert!(typed.text().contains("No sign-in for that address"), "{address}: {typed}");
            }
        }
    }
}

/// The provider that a sign-in page offers first.
async fn first(app: &TestApp, browser: &mut Browser, client: &str) -> String {
    let page = browser.open(app, &Authorize::of(client).set("prompt", "login").url(app)).await.text();
    let names = ["Staff accounts", "Partner accounts"];
    let found = names.into_iter().min_by_key(|name| page.find(&format!(">{name}<")).unwrap()).unwrap();
    assert!(page.contains("Last used"), "{page}");
    found.to_owned()
}

#[tokio::test]
async fn the_choice_is_remembered_for_each_app() {
    let app = TestApp::with(WITH_PARTNER).await;
    let mut browser = Browser::new();
    app.sign_in_with(&mut browser, &request(), &alice()).await;
    let partner = Authorize::of("other").set("provider", "partner").set("prompt", "login");
    app.sign_in_with(&mut browser, &partner, &at_partner()).await;
    assert_eq!(first(&app, &mut browser, "app").await, "Staff accounts");
    assert_eq!(first(&app, &mut browser, "other").await, "Partner accounts");
    assert_eq!(first(&app, &mut browser, "spa").await, "Partner accounts", "the last of all");
}

#[tokio::test]
async fn whoever_is_asked_for_somebody_elses_consent_uses_another_account() {
    let app = TestApp::with("clients.app.consent = \"explicit\"").await;
    let mut browser = Browser::new();
    let page = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    assert!(page.text().contains("Not you?"), "{page}");
    let leaving = browser.submit(&app, &page, &[("decision", "another_account")]).await.location();
    assert!(leaving.contains("prompt=select_account"), "{leaving}");
    let bobs = browser.open(&app, &app.idp().authorize(&leaving, &crate::harness::bob())).await;
    assert!(bobs.text().contains("Signed in as <bdi>Bob</bdi>") || bobs.text().contains("Bob"), "{bobs}");
    let answer = browser.submit(&app, &bobs, &[("decision", "allow")]).await;
    assert_eq!(app.tokens("app", &answer).await.claims()["preferred_username"], "bob");
}

#[tokio::test]
async fn d24_codes_that_no_server_gives_do_not_have_a_provider_left_alone() {
    let app = TestApp::base().await;
    app.idp().answer("token", Answer::json(500, &json!({})));
    for made_up in ["%00", "a%0A", "%7F", "caf%C3%A9", "%E2%80%AE", "%F0%9F%98%80"] {
        let mut stranger = Browser::new();
        let callback = app.at_provider(&mut stranger, &Authorize::of("app"), &alice()).await;
        let (head, rest) = callback.split_once("code=").unwrap();
        let rest = rest.split_once('&').unwrap().1;
        let page = stranger.open(&app, &format!("{head}code={made_up}&{rest}")).await;
        page.assert_error_page(400, "response_invalid");
        assert!(stranger.session().is_none(), "{made_up}");
    }
    assert_eq!(app.idp().count("token"), 0, "nothing that makes a server fail is sent to it");
    app.idp().behave();
    app.sign_in("app", &alice()).await;
}
