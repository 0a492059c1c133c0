//! A complete sign-in, sessions that make one unnecessary, the sign-in page, and home realm discovery.

use serde_json::json;

use crate::harness::jwt::{header_of, verified};
use crate::harness::{
    Authorize, Browser, CHALLENGE, Form, IDP, ISSUER, PARTNER, START, TestApp, WITH_PARTNER, alice, bob, claims_of,
    keys,
};

#[tokio::test]
async fn a_sign_in_from_app_to_tokens() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let leaving = browser.open(&app, &Authorize::of("app").url(&app)).await;
    assert_eq!(leaving.status, 303);
    let url = leaving.location();
    assert!(url.starts_with("https://idp.example/authorize?"), "{url}");
    let callback = app.idp().authorize(&url, &alice());

    let request = app.idp().last_request();
    assert_eq!(request["client_id"], "countersign");
    assert_eq!(request["response_type"], "code");
    assert_eq!(request["redirect_uri"], "https://sso.example.com/callback/staff");
    assert_eq!(request["scope"], "openid profile email");
    assert_eq!(request["code_challenge_method"], "S256");
    assert_ne!(request["code_challenge"], CHALLENGE, "the broker's own challenge, not the app's");
    assert_ne!(request["state"], "state-of-the-app");
    assert_ne!(request["nonce"], "nonce-of-the-app");

    let answer = browser.open(&app, &callback).await;
    assert_eq!(answer.status, 303);
    assert!(answer.location().starts_with("https://app.example/cb?"), "{}", answer.location());
    let params = answer.params();
    assert_eq!(params["state"], "state-of-the-app");
    assert_eq!(params["iss"], ISSUER);
    assert_eq!(params.keys().collect::<Vec<_>>(), ["code", "iss", "state"]);
    assert_eq!(answer.header("cache-control"), "no-store");

    let tokens = app.tokens("app", &answer).await;
    assert_eq!(tokens.body["token_type"], "Bearer");
    assert_eq!(tokens.body["expires_in"], 3600);
    assert_eq!(tokens.body["scope"], "openid profile email groups");

    let id = verified(&app, tokens.id(), "app").await;
    assert_eq!(header_of(tokens.id())["alg"], "RS256");
    let sub = id["sub"].as_str().unwrap();
    assert!(sub.is_ascii() && !sub.is_empty() && sub.len() <= 255);
    assert_ne!(sub, "1", "the upstream subject is not the app's business");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, tokens.access().as_bytes());
    let expected = json!({
        "iss": ISSUER, "sub": sub, "aud": "app", "iat": START, "exp": START + 3600, "auth_time": START,
        "nonce": "nonce-of-the-app", "sid": id["sid"], "at_hash": keys::encode(&digest.as_ref()[..16]),
        "name": "Alice Example", "given_name": "Alice", "family_name": "Example", "preferred_username": "alice",
        "picture": "https://idp.example/alice.png", "email": "alice@corp.example", "email_verified": true,
        "groups": ["staff", "oncall"],
    });
    assert_eq!(serde_json::Value::from(id.clone()), expected);
    assert!(id["sid"].as_str().is_some_and(|sid| !sid.is_empty()));

    let access = verified(&app, tokens.access(), "app").await;
    assert_eq!(header_of(tokens.access())["typ"], "at+jwt");
    let expected = json!({
        "iss": ISSUER, "sub": sub, "aud": "app", "client_id": "app", "iat": START, "exp": START + 3600,
        "jti": access["jti"], "scope": "openid profile email groups", "auth_time": START, "groups": ["staff", "oncall"],
    });
    assert_eq!(serde_json::Value::from(access.clone()), expected);
    assert!(access["jti"].as_str().is_some_and(|jti| jti.len() > 20));

    let userinfo = app.userinfo(tokens.access()).await.json();
    let expected = json!({
        "sub": sub, "name": "Alice Example", "given_name": "Alice", "family_name": "Example",
        "preferred_username": "alice", "picture": "https://idp.example/alice.png", "email": "alice@corp.example",
        "email_verified": true, "groups": ["staff", "oncall"],
    });
    assert_eq!(userinfo, expected);
}

#[tokio::test]
async fn acr_and_amr_pass_through() {
    let app = TestApp::base().await;
    app.idp().edit_id_token(|claims| {
        claims.insert("acr".to_owned(), "urn:example:silver".into());
        claims.insert("amr".to_owned(), json!(["pwd", "mfa"]));
    });
    let (_, tokens) = app.sign_in("app", &alice()).await;
    assert_eq!(tokens.claims()["acr"], "urn:example:silver");
    assert_eq!(tokens.claims()["amr"], json!(["pwd", "mfa"]));
    let access = claims_of(tokens.access());
    assert_eq!(access["acr"], "urn:example:silver");
}

#[tokio::test]
async fn a_second_app_needs_no_second_sign_in() {
    let app = TestApp::base().await;
    let (mut browser, first) = app.sign_in("app", &alice()).await;
    app.wait(60);
    let answer = browser.open(&app, &Authorize::of("other").url(&app)).await;
    assert!(answer.location().starts_with("https://other.example/cb?code="), "{answer}");
    let second = app.tokens("other", &answer).await;
    assert_eq!(app.idp().count("token"), 1);
    assert_eq!(first.sub(), second.sub());
    assert_eq!(first.claims()["sid"], second.claims()["sid"]);
    assert_eq!(second.claims()["auth_time"], START, "the time of the sign-in, not of the request");
    assert_eq!(second.claims()["aud"], "other");
}

#[tokio::test]
async fn the_same_person_keeps_subject_and_account() {
    let app = TestApp::base().await;
    let (_, first) = app.sign_in("app", &alice()).await;
    let (_, second) =
        app.sign_in("app", &crate::harness::with(alice(), json!({ "preferred_username": "renamed" }))).await;
    assert_eq!(first.sub(), second.sub());
    let (_, other) = app.sign_in("app", &bob()).await;
    assert_ne!(first.sub(), other.sub());
}

#[tokio::test]
async fn pairwise_subjects_differ_by_app_and_stay() {
    let app = TestApp::with("subject.type = \"pairwise\"").await;
    let (mut browser, first) = app.sign_in("app", &alice()).await;
    let answer = browser.open(&app, &Authorize::of("other").url(&app)).await;
    let other = app.tokens("other", &answer).await;
    assert_ne!(first.sub(), other.sub());
    let (_, again) = app.sign_in("app", &alice()).await;
    assert_eq!(first.sub(), again.sub());
    assert_eq!(app.userinfo(first.access()).await.json()["sub"], first.sub());
    assert_eq!(claims_of(first.access())["sub"], first.sub());
}

#[tokio::test]
async fn apps_of_one_sector_know_a_person_by_one_subject() {
    let sector = "sector_identifier_uri = \"https://suite.example/apps.json\"";
    let overlay = format!("subject.type = \"pairwise\"\n[clients.app]\n{sector}\n[clients.other]\n{sector}\n");
    let app = TestApp::with(&overlay).await;
    let (mut browser, first) = app.sign_in("app", &alice()).await;
    let answer = browser.open(&app, &Authorize::of("other").url(&app)).await;
    let other = app.tokens("other", &answer).await;
    assert_eq!(first.sub(), other.sub());
    assert!(app.net.asked().iter().all(|url| !url.contains("suite.example")), "the file vouches, nothing is fetched");
}

#[tokio::test]
async fn several_providers_are_offered_and_the_last_used_stands_first() {
    let app = TestApp::with(WITH_PARTNER).await;
    let mut browser = Browser::new();
    let page = browser.open(&app, &Authorize::of("app").url(&app)).await;
    assert_eq!(page.status, 200, "{page}");
    let html = page.text();
    assert!(html.contains("The App") && html.contains("Staff accounts") && html.contains("Partner accounts"), "{html}");
    let leaving = browser.submit(&app, &page, &[("provider", "partner")]).await;
    assert!(leaving.location().starts_with(&format!("{PARTNER}/authorize?")), "{leaving}");
    let callback = app.partner().authorize(&leaving.location(), &alice());
    let answer = browser.open(&app, &callback).await;
    app.tokens("app", &answer).await;

    let page = browser.open(&app, &Authorize::of("app").set("prompt", "login").url(&app)).await;
    let offered: Vec<String> = Form::all(&page.text())
        .iter()
        .flat_map(|form| form.buttons.iter().chain(&form.fields).cloned().collect::<Vec<_>>())
        .filter(|(name, _)| name == "provider")
        .map(|(_, id)| id)
        .collect();
    assert_eq!(offered, ["partner", "staff"]);
}

#[tokio::test]
async fn one_provider_is_gone_to_at_once_and_none_is_said_clearly() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    assert!(browser.open(&app, &Authorize::of("app").url(&app)).await.location().starts_with(IDP));
    app.reload(crate::harness::BASE, &["providers.staff.enabled = false"]).await;
    let page = browser.open(&app, &Authorize::of("app").url(&app)).await;
    page.assert_error_page(503, "sign_in_unavailable");
    assert!(page.text().contains("administrator"), "{page}");
}

#[tokio::test]
async fn the_app_may_name_a_provider_also_a_hidden_one_that_its_entry_names() {
    let hidden = format!(
        "{WITH_PARTNER}hidden = true\ndomains = [\"partner.example\"]\n[clients.app]\nproviders = [\"staff\", \"partner\"]\n"
    );
    let app = TestApp::with(&hidden).await;
    let open = async |request: Authorize| Browser::new().open(&app, &request.url(&app)).await;
    let leads_to = async |request: Authorize| open(request).await.location();
    assert!(leads_to(Authorize::of("other")).await.starts_with(IDP), "the only one that it has");
    assert!(leads_to(Authorize::of("app").set("provider", "partner")).await.starts_with(PARTNER));
    assert!(leads_to(Authorize::of("app").set("kc_idp_hint", "partner")).await.starts_with(PARTNER));
    assert!(leads_to(Authorize::of("app").set("login_hint", "zoe@PARTNER.example")).await.starts_with(PARTNER));
    for (name, value) in [("login_hint", "zoe@elsewhere.example"), ("provider", "unheard-of")] {
        assert_eq!(open(Authorize::of("app").set(name, value)).await.status, 200, "{value}: the person chooses");
    }
}

#[tokio::test]
async fn an_address_on_the_sign_in_page_leads_to_its_provider() {
    let app = TestApp::with(&format!("{WITH_PARTNER}domains = [\"partner.example\"]\n")).await;
    let mut browser = Browser::new();
    let page = browser.open(&app, &Authorize::of("app").url(&app)).await;
    let forms = Form::all(&page.text());
    let form = forms.iter().find(|form| form.field("email").is_some()).expect("an address field");
    let unknown = browser.submit_form(&app, form, &[("email", "zoe@elsewhere.example")]).await;
    assert_eq!(unknown.status, 200, "{unknown}");
    let forms = Form::all(&unknown.text());
    let form = forms.iter().find(|form| form.field("email").is_some()).expect("an address field");
    let leaving = browser.submit_form(&app, form, &[("email", "zoe@partner.example")]).await;
    assert!(leaving.location().starts_with(PARTNER), "{leaving}");
    app.partner().authorize(&leaving.location(), &alice());
    assert_eq!(app.partner().last_request()["login_hint"], "zoe@partner.example");
}

#[tokio::test]
async fn a_client_with_its_own_providers_takes_no_session_of_another() {
    let app = TestApp::with(&format!("{WITH_PARTNER}[clients.other]\nproviders = [\"partner\"]\n")).await;
    let mut browser = Browser::new();
    app.sign_in_with(&mut browser, &Authorize::of("app").set("provider", "staff"), &alice()).await;
    let leaving = browser.open(&app, &Authorize::of("other").url(&app)).await;
    assert!(leaving.location().starts_with(PARTNER), "{leaving}");
}

#[tokio::test]
async fn parallel_sign_ins_in_two_tabs_stay_apart() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let first = app.at_provider(&mut browser, &Authorize::of("app").set("state", "one"), &alice()).await;
    let second = app.at_provider(&mut browser, &Authorize::of("other").set("state", "two"), &alice()).await;
    let one = browser.open(&app, &first).await;
    let two = browser.open(&app, &second).await;
    assert_eq!((one.param("state"), two.param("state")), ("one".to_owned(), "two".to_owned()));
    app.tokens("app", &one).await;
    app.tokens("other", &two).await;
}

#[tokio::test]
async fn a_session_ends_by_inactivity_and_by_age() {
    let app = TestApp::base().await;
    let again = async |browser: &mut Browser| {
        let reply = browser.open(&app, &Authorize::of("other").url(&app)).await;
        reply.location().starts_with("https://other.example/cb?code=")
    };
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    app.wait(29 * 60);
    assert!(again(&mut browser).await, "used within 30 minutes");
    app.wait(29 * 60);
    assert!(again(&mut browser).await, "each use counts");
    app.wait(31 * 60);
    assert!(!again(&mut browser).await, "unused for 31 minutes");

    let (mut browser, _) = app.sign_in("app", &alice()).await;
    for _ in 0..35 {
        app.wait(20 * 60);
        assert!(again(&mut browser).await);
    }
    app.wait(20 * 60);
    assert!(!again(&mut browser).await, "12 hours are over, however much it was used");
}

#[tokio::test]
async fn a_session_may_follow_the_upstream_access_token() {
    let app = TestApp::with("[providers.staff.session]\nfollow_upstream_expiry = true").await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    app.wait(299);
    assert!(browser.open(&app, &Authorize::of("app").url(&app)).await.location().contains("code="));
    app.wait(1);
    assert!(browser.open(&app, &Authorize::of("app").url(&app)).await.location().starts_with(IDP));
}

#[tokio::test]
async fn a_provider_narrows_the_session() {
    let app = TestApp::with("[providers.staff.session]\nmax_lifetime = \"10m\"").await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    app.wait(599);
    assert!(browser.open(&app, &Authorize::of("app").url(&app)).await.location().contains("code="));
    app.wait(1);
    assert!(browser.open(&app, &Authorize::of("app").url(&app)).await.location().starts_with(IDP));
}

#[tokio::test]
async fn an_issuer_with_a_path_serves_below_it() {
    let toml = crate::harness::BASE
        .replace("issuer = \"https://sso.example.com\"", "issuer = \"https://sso.example.com/broker\"")
        + "\n[endpoints]\nauthorization = \"/login/authorize\"\n";
    let app = TestApp::from(&toml).await;
    let mut browser = Browser::new();
    let query = Authorize::of("app").url(&app);
    let query = query.split('?').nth(1).unwrap();
    let leaving = browser.open(&app, &format!("{ISSUER}/broker/login/authorize?{query}")).await.location();
    let callback = app.idp().authorize(&leaving, &alice());
    assert!(callback.starts_with("https://sso.example.com/broker/callback/staff?"), "{callback}");
    let answer = browser.open(&app, &callback).await;
    assert_eq!(answer.param("iss"), "https://sso.example.com/broker");
    let document = app.get("/broker/.well-known/openid-configuration").await.json();
    assert_eq!(document["issuer"], "https://sso.example.com/broker");
    assert_eq!(document["authorization_endpoint"], "https://sso.example.com/broker/login/authorize");
    assert_eq!(app.get("/oauth2/authorize").await.status, 404);
}
