//! One person signs in through several providers in one browser: a sign-out at any of them ends the session, and a sign-out
//! here goes to all of them.

use http::Method;
use serde_json::{Value, json};

use crate::harness::keys::{header, sign};
use crate::harness::{
    Authorize, BASE, Browser, IDP, ISSUER, PARTNER, Reply, Signing, TestApp, Tokens, WITH_PARTNER, alice, with,
};

/// Alice has an account at both providers.
const LINKED: &str = r#"
[users.alice]
links = [{ provider = "staff", sub = "1" }, { provider = "partner", sub = "p1" }]
"#;

async fn broker(more: &str) -> TestApp {
    let app = TestApp::of(BASE, &[&format!("{WITH_PARTNER}{LINKED}"), more]).await;
    app.idp().edit_id_token(|claims| drop(claims.insert("sid".to_owned(), "at-staff".into())));
    app.partner().edit_id_token(|claims| drop(claims.insert("sid".to_owned(), "at-partner".into())));
    app
}

fn at_partner() -> Value {
    with(alice(), json!({ "sub": "p1" }))
}

/// A browser in which Alice signed in through `staff`, and then through `partner`.
async fn signed_in_twice(app: &TestApp) -> (Browser, Tokens) {
    let mut browser = Browser::new();
    let first = Authorize::of("app").set("provider", "staff");
    app.sign_in_with(&mut browser, &first, &alice()).await;
    let second = Authorize::of("app").set("provider", "partner").set("prompt", "login");
    let tokens = app.sign_in_with(&mut browser, &second, &at_partner()).await;
    (browser, tokens)
}

async fn signed_in(app: &TestApp, browser: &mut Browser) -> bool {
    browser.open(app, &Authorize::of("other").set("prompt", "none").url(app)).await.location().contains("code=")
}

/// A provider posts a logout token.
async fn told_by(app: &TestApp, provider: &str, issuer: &str, about: Value, signing: Signing) -> Reply {
    let now = app.now();
    let claims = json!({
        "iss": issuer, "aud": "countersign", "iat": now, "exp": now + 120, "jti": format!("{provider}-{about}-{signing:?}"),
        "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
    });
    let token = sign(signing, &header(signing), &with(claims, about));
    let url = format!("/backchannel-logout/{provider}");
    Browser::new().send(app, Method::POST, &url, Some(&[("logout_token", &token)]), &[]).await
}

#[tokio::test]
async fn a_sign_out_at_the_first_provider_ends_the_session() {
    for about in [json!({ "sub": "1" }), json!({ "sid": "at-staff" }), json!({ "sub": "1", "sid": "at-staff" })] {
        let app = broker("").await;
        let (mut browser, tokens) = signed_in_twice(&app).await;
        for (of, other) in [("staff", json!({ "sid": "at-partner" })), ("staff", json!({ "sub": "p1" }))] {
            assert_eq!(told_by(&app, of, IDP, other, Signing::Rs256).await.status, 200);
            assert!(signed_in(&app, &mut browser).await, "another provider's session");
        }
        assert_eq!(told_by(&app, "staff", IDP, about, Signing::Rs256).await.status, 200);
        assert!(!signed_in(&app, &mut browser).await);
        app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    }
}

#[tokio::test]
async fn a_sign_out_at_the_second_provider_ends_it_too() {
    let app = broker("").await;
    let (mut browser, _) = signed_in_twice(&app).await;
    let told = told_by(&app, "partner", PARTNER, json!({ "sid": "at-partner" }), Signing::Rs256).await;
    assert_eq!(told.status, 200, "{told}");
    assert!(!signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn a_frame_of_the_first_provider_ends_it() {
    let app = broker("").await;
    let (mut browser, _) = signed_in_twice(&app).await;
    let frame = app.get("/frontchannel-logout/staff?iss=https%3A%2F%2Fidp.example&sid=at-staff").await;
    assert_eq!(frame.status, 200, "{frame}");
    assert!(!signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn each_providers_logout_token_is_signed_as_its_own_id_token_was() {
    let app = broker("").await;
    app.partner().script(|script| script.signing = Signing::Es256);
    let (mut browser, _) = signed_in_twice(&app).await;
    let wrong = told_by(&app, "staff", IDP, json!({ "sub": "1" }), Signing::Es256).await;
    wrong.assert_json_error(400, "invalid_request");
    assert!(signed_in(&app, &mut browser).await);
    assert_eq!(told_by(&app, "staff", IDP, json!({ "sub": "1" }), Signing::Rs256).await.status, 200);
    assert!(!signed_in(&app, &mut browser).await);
}

/// The parameters of a redirect to the logout of a provider.
fn logout_at(leaving: &Reply, issuer: &str) -> std::collections::HashMap<String, String> {
    let url = url::Url::parse(&leaving.location()).unwrap();
    assert!(url.as_str().starts_with(&format!("{issuer}/logout?")), "{url}");
    url.query_pairs().into_owned().collect()
}

async fn back(app: &TestApp, browser: &mut Browser, sent: &std::collections::HashMap<String, String>) -> Reply {
    let (uri, state) = (&sent["post_logout_redirect_uri"], sent.get("state"));
    let query = state.map(|state| format!("?state={state}")).unwrap_or_default();
    browser.open(app, &format!("{uri}{query}")).await
}

fn leave(tokens: &Tokens, more: &str) -> String {
    format!("{ISSUER}/oauth2/logout?id_token_hint={}{more}", tokens.id())
}

#[tokio::test]
async fn a_sign_out_here_goes_to_the_latest_provider_then_to_the_first_then_to_the_app() {
    let app = broker("").await;
    let (mut browser, tokens) = signed_in_twice(&app).await;
    let bye = "&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye&state=s";
    let leaving = browser.open(&app, &leave(&tokens, bye)).await;
    let sent = logout_at(&leaving, PARTNER);
    assert_eq!(sent["post_logout_redirect_uri"], format!("{ISSUER}/logout/callback/partner"));
    assert_eq!(crate::harness::claims_of(&sent["id_token_hint"])["iss"], PARTNER);
    assert!(!signed_in(&app, &mut browser).await);

    let next = back(&app, &mut browser, &sent).await;
    let first = logout_at(&next, IDP);
    assert_eq!(first["post_logout_redirect_uri"], format!("{ISSUER}/logout/callback/staff"));
    assert_eq!(crate::harness::claims_of(&first["id_token_hint"])["iss"], IDP, "each gets its own ID token");
    assert_ne!(first["state"], sent["state"]);

    // Another browser that comes with this state gets nowhere, and a double click gets where the first went.
    let strange = back(&app, &mut Browser::new(), &first).await;
    assert_eq!(strange.status, 200, "{strange}");
    assert_eq!(back(&app, &mut browser, &first).await.location(), "https://app.example/bye?state=s");
    assert_eq!(back(&app, &mut browser, &first).await.location(), "https://app.example/bye?state=s");
}

#[tokio::test]
async fn a_provider_without_logout_is_left_out_of_the_chain() {
    let bye = "&post_logout_redirect_uri=https%3A%2F%2Fapp.example%2Fbye";
    for (without, to) in [("staff", PARTNER), ("partner", IDP)] {
        let app = broker(&format!("providers.{without}.logout = false")).await;
        let (mut browser, tokens) = signed_in_twice(&app).await;
        let sent = logout_at(&browser.open(&app, &leave(&tokens, bye)).await, to);
        assert_eq!(back(&app, &mut browser, &sent).await.location(), "https://app.example/bye", "{without}");
    }
}

#[tokio::test]
async fn only_the_last_provider_returns_to_the_address_for_sign_outs_that_name_none() {
    let app = broker(
        "providers.staff.post_logout_redirect_uri = \"https://portal.example/staff\"\n\
         providers.partner.post_logout_redirect_uri = \"https://portal.example/partner\"",
    )
    .await;
    let (mut browser, tokens) = signed_in_twice(&app).await;
    let sent = logout_at(&browser.open(&app, &leave(&tokens, "")).await, PARTNER);
    assert_eq!(sent["post_logout_redirect_uri"], format!("{ISSUER}/logout/callback/partner"));
    let first = logout_at(&back(&app, &mut browser, &sent).await, IDP);
    assert_eq!(first["post_logout_redirect_uri"], "https://portal.example/staff");
}
