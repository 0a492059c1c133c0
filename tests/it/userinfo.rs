//! Userinfo, and the rules for bearer tokens.

use http::Method;
use serde_json::json;

use crate::harness::{Authorize, BASE, Browser, ISSUER, TestApp, alice};

const URL: &str = "/oauth2/userinfo";

#[tokio::test]
async fn the_three_ways_to_send_the_token() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    let bearer = format!("Bearer {}", tokens.access());
    let lower = format!("bearer {}", tokens.access());
    let body = [("access_token", tokens.access())];
    let mut browser = Browser::new();
    let replies = [
        browser.send(&app, Method::GET, URL, None, &[("authorization", &bearer)]).await,
        browser.send(&app, Method::GET, URL, None, &[("authorization", &lower)]).await,
        browser.send(&app, Method::POST, URL, None, &[("authorization", &bearer)]).await,
        browser.send(&app, Method::POST, URL, Some(&[]), &[("authorization", &bearer)]).await,
        browser.send(&app, Method::POST, URL, Some(&body), &[]).await,
    ];
    for reply in &replies {
        assert_eq!(reply.status, 200, "{reply}");
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.json()["sub"], tokens.sub());
        assert_eq!(reply.json(), replies[0].json());
    }
}

#[tokio::test]
async fn errors_are_challenges() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    let mut browser = Browser::new();

    let none = browser.get(&app, URL).await;
    assert_eq!(none.status, 401);
    assert_eq!(none.header("www-authenticate"), format!("Bearer realm=\"{ISSUER}\""), "no error code (RFC 6750 3.1)");
    let in_query = browser.get(&app, &format!("{URL}?access_token={}", tokens.access())).await;
    assert_eq!(in_query.status, 401, "a token in the URL is none");

    let bearer = format!("Bearer {}", tokens.access());
    let twice = [("access_token", tokens.access())];
    let reply = browser.send(&app, Method::POST, URL, Some(&twice), &[("authorization", &bearer)]).await;
    reply.assert_json_error(400, "invalid_request");

    let (head, _) = tokens.access().rsplit_once('.').unwrap();
    for token in ["x", "..", tokens.id(), tokens.refresh(), head, &format!("{head}."), &format!("{head}.AAAA")] {
        let reply = app.userinfo(token).await;
        reply.assert_json_error(401, "invalid_token");
        assert!(reply.header("www-authenticate").contains("error=\"invalid_token\""), "{reply}");
    }
    let reply = browser.send(&app, Method::GET, URL, None, &[("authorization", "Basic YXBwOng=")]).await;
    assert_eq!(reply.status, 401);
}

#[tokio::test]
async fn a_token_lives_until_its_expiry() {
    let app = TestApp::with("clients.app.tokens = { access_token = \"20m\" }").await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    app.wait(1199);
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
    app.wait(1);
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
}

#[tokio::test]
async fn the_policy_of_the_moment_speaks() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    app.reload(BASE, &["[clients.app.claims]\ntier = \"'gold'\""]).await;
    assert_eq!(app.userinfo(tokens.access()).await.json()["tier"], "gold");
    app.reload(BASE, &["[providers.staff]\nallow = \"'admins' in claims.groups\""]).await;
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    app.reload(BASE, &["[users.alice]\nenabled = false"]).await;
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    app.reload(BASE, &[]).await;
    assert_eq!(app.userinfo(tokens.access()).await.status, 200, "what was not revoked is good again");
}

#[tokio::test]
async fn only_what_the_scopes_release() {
    let app = TestApp::base().await;
    let request = Authorize::of("app").set("scope", "openid email");
    let tokens = app.sign_in_with(&mut Browser::new(), &request, &alice()).await;
    let expected = json!({ "sub": tokens.sub(), "email": "alice@corp.example", "email_verified": true });
    assert_eq!(app.userinfo(tokens.access()).await.json(), expected);
}
