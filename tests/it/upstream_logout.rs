//! A provider posts a logout token: the sessions that it identifies end (OIDC Back-Channel Logout 1.0 §2.5 to §2.8).

use http::Method;
use serde_json::{Map, Value, json};

use crate::harness::jwt::verified;
use crate::harness::keys::{header, sign};
use crate::harness::{
    Authorize, Browser, IDP, PARTNER, Receiver, Reply, Signing, TestApp, WITH_PARTNER, alice, bob, with,
};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A logout token of a provider with these claims.
fn claims(app: &TestApp, issuer: &str, about: Value) -> Map<String, Value> {
    let now = app.now();
    let claims = json!({
        "iss": issuer, "aud": "countersign", "iat": now, "exp": now + 120, "jti": format!("jti-{about}"),
        "events": { EVENT: {} },
    });
    with(claims, about).as_object().unwrap().clone()
}

async fn post(app: &TestApp, provider: &str, claims: &Map<String, Value>) -> Reply {
    let mut header = header(Signing::Rs256);
    header["typ"] = "logout+jwt".into();
    let token = sign(Signing::Rs256, &header, &Value::Object(claims.clone()));
    let url = format!("/backchannel-logout/{provider}");
    Browser::new().send(app, Method::POST, &url, Some(&[("logout_token", &token), ("other", "ignored")]), &[]).await
}

/// Whether the browser is still signed in.
async fn signed_in(app: &TestApp, browser: &mut Browser) -> bool {
    let reply = browser.open(app, &Authorize::of("other").set("prompt", "none").url(app)).await;
    reply.location().contains("code=")
}

/// Makes ID tokens of `staff` contain this `sid` from now on.
fn session_there(app: &TestApp, sid: &'static str) {
    app.idp().edit_id_token(move |claims| drop(claims.insert("sid".to_owned(), sid.into())));
}

#[tokio::test]
async fn a_subject_ends_all_its_sessions_and_no_others() {
    let app = TestApp::base().await;
    let (mut first, tokens) = app.sign_in("app", &alice()).await;
    let (mut second, _) = app.sign_in("app", &alice()).await;
    let (mut bobs, _) = app.sign_in("app", &bob()).await;
    let reply = post(&app, "staff", &claims(&app, IDP, json!({ "sub": "1" }))).await;
    assert_eq!((reply.status.as_u16(), reply.header("cache-control")), (200, "no-store"), "{reply}");
    assert!(!signed_in(&app, &mut first).await);
    assert!(!signed_in(&app, &mut second).await);
    assert!(signed_in(&app, &mut bobs).await);
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    // A second one, for a person who is not signed in, is accepted too.
    let again = with(Value::Object(claims(&app, IDP, json!({ "sub": "1" }))), json!({ "jti": "another" }));
    assert_eq!(post(&app, "staff", again.as_object().unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_session_there_ends_the_one_here() {
    let app = TestApp::base().await;
    session_there(&app, "there-1");
    let (mut first, _) = app.sign_in("app", &alice()).await;
    session_there(&app, "there-2");
    let (mut second, _) = app.sign_in("app", &alice()).await;
    let (mut third, _) = app.sign_in("app", &alice()).await;
    assert_eq!(post(&app, "staff", &claims(&app, IDP, json!({ "sid": "there-1" }))).await.status, 200);
    assert!(!signed_in(&app, &mut first).await);
    assert!(signed_in(&app, &mut second).await);
    assert_eq!(post(&app, "staff", &claims(&app, IDP, json!({ "sub": "2", "sid": "there-2" }))).await.status, 200);
    assert!(signed_in(&app, &mut second).await, "another account's session of that name");
    assert_eq!(post(&app, "staff", &claims(&app, IDP, json!({ "sub": "1", "sid": "there-2" }))).await.status, 200);
    assert!(!signed_in(&app, &mut second).await);
    assert!(!signed_in(&app, &mut third).await);
}

#[tokio::test]
async fn the_apps_are_told() {
    let receiver = Receiver::start().await;
    let app = TestApp::with(&format!("clients.app.backchannel_logout_uri = \"{}\"", receiver.url("app"))).await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    post(&app, "staff", &claims(&app, IDP, json!({ "sub": "1" }))).await;
    app.broker.apps_are_told().await;
    let received = receiver.received("app");
    assert_eq!(received.len(), 1);
    let told = verified(&app, received[0].logout_token(), "app").await;
    assert_eq!((&told["sub"], &told["sid"]), (&json!(tokens.sub()), &tokens.claims()["sid"]));
    assert_ne!(told["sub"], "1", "the broker's subject, not the provider's");
}

#[tokio::test]
async fn another_provider_ends_nothing() {
    let app = TestApp::with(WITH_PARTNER).await;
    let request = Authorize::of("app").set("kc_idp_hint", "staff");
    let mut browser = Browser::new();
    app.sign_in_with(&mut browser, &request, &alice()).await;
    // The same subject, from the partner, on the partner's path.
    assert_eq!(post(&app, "partner", &claims(&app, PARTNER, json!({ "sub": "1" }))).await.status, 200);
    assert!(signed_in(&app, &mut browser).await);
    // The partner's token on another provider's path.
    let crossed = claims(&app, PARTNER, json!({ "sub": "1", "jti": "crossed" }));
    post(&app, "staff", &crossed).await.assert_json_error(400, "invalid_request");
    assert!(signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn what_is_no_logout_token_ends_nothing() {
    let app = TestApp::base().await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let good = Value::Object(claims(&app, IDP, json!({ "sub": "1" })));
    for change in [
        json!({ "iss": PARTNER }),
        json!({ "aud": "somebody-else" }),
        json!({ "exp": app.now() - 3600 }),
        json!({ "iat": app.now() + 3600 }),
        json!({ "iat": null }),
        json!({ "events": null }),
        json!({ "events": { "http://schemas.openid.net/event/other": {} } }),
        json!({ "nonce": "n" }),
        json!({ "jti": null }),
        json!({ "sub": null }),
    ] {
        let bad = with(good.clone(), change.clone());
        let reply = post(&app, "staff", bad.as_object().unwrap()).await;
        reply.assert_json_error(400, "invalid_request");
        assert!(signed_in(&app, &mut browser).await, "{change}");
    }
    for signing in [Signing::None, Signing::HmacOfPublicKey, Signing::ForeignKey, Signing::Broken] {
        let token = sign(signing, &header(signing), &good);
        let form = [("logout_token", token.as_str())];
        let reply = Browser::new().send(&app, Method::POST, "/backchannel-logout/staff", Some(&form), &[]).await;
        reply.assert_json_error(400, "invalid_request");
    }
    for form in [&[][..], &[("logout_token", "x")], &[("logout_token", "x"), ("logout_token", "x")]] {
        let reply = Browser::new().send(&app, Method::POST, "/backchannel-logout/staff", Some(form), &[]).await;
        reply.assert_json_error(400, "invalid_request");
    }
    assert!(signed_in(&app, &mut browser).await);
    assert_eq!(app.get("/backchannel-logout/staff").await.status, 405);
    assert_eq!(app.get("/backchannel-logout/nobody").await.status, 404);
}

#[tokio::test]
async fn a_logout_token_is_signed_as_the_id_token_of_its_session_was() {
    let app = TestApp::base().await;
    let (mut rsa, _) = app.sign_in("app", &alice()).await;
    let by_ec = async |claims: &Map<String, Value>| {
        let token = sign(Signing::Es256, &header(Signing::Es256), &Value::Object(claims.clone()));
        let form = [("logout_token", token.as_str())];
        Browser::new().send(&app, Method::POST, "/backchannel-logout/staff", Some(&form), &[]).await
    };
    let token = claims(&app, IDP, json!({ "sub": "1" }));
    by_ec(&token).await.assert_json_error(400, "invalid_request");
    assert!(signed_in(&app, &mut rsa).await);
    // The provider changed its algorithm: sessions that began after the change end with the new one.
    app.idp().script(|script| script.signing = Signing::Es256);
    let (mut ec, _) = app.sign_in("app", &alice()).await;
    assert_eq!(by_ec(&token).await.status, 200, "what was refused was not used");
    assert!(!signed_in(&app, &mut ec).await);
    assert!(signed_in(&app, &mut rsa).await);
    assert_eq!(post(&app, "staff", &claims(&app, IDP, json!({ "sub": "1", "jti": "rsa" }))).await.status, 200);
    assert!(!signed_in(&app, &mut rsa).await);
}

#[tokio::test]
async fn a_logout_token_is_used_once() {
    let app = TestApp::base().await;
    let token = claims(&app, IDP, json!({ "sub": "1" }));
    assert_eq!(post(&app, "staff", &token).await.status, 200);
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    for seconds in [0, 100, 75] {
        app.wait(seconds);
        post(&app, "staff", &token).await.assert_json_error(400, "invalid_request");
    }
    assert!(signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn a_provider_whose_keys_cannot_be_had_is_asked_to_try_again() {
    let app = TestApp::base().await;
    app.idp().answer("jwks", crate::harness::Answer::json(500, &json!({})));
    let reply = post(&app, "staff", &claims(&app, IDP, json!({ "sub": "1" }))).await;
    reply.assert_json_error(503, "temporarily_unavailable");
}
