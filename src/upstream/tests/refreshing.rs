//! Asking again with a refresh token.

use crate::outbound::OutboundError;
use crate::upstream::RefreshError;
use crate::upstream::refresh::{FailedRefresh, Refreshed};
use crate::upstream::tests::*;

impl World {
    async fn refresh(&self) -> Result<Refreshed, RefreshError> {
        self.attempt().await.map_err(|failed| failed.error)
    }

    async fn attempt(&self) -> Result<Refreshed, FailedRefresh> {
        let token = SecretValue::new("refresh-1".to_owned());
        self.rp.refresh(&self.settings, &token, "alice", NOW).await
    }

    /// The answer to a refresh, with an ID token of these claims.
    fn refreshes(&self, change: impl FnOnce(&mut Value)) {
        let mut claims = claims();
        unset(&mut claims, "nonce");
        change(&mut claims);
        let mut response = token_response(&TestKey::rsa().sign(&TestKey::rsa().header(), &claims));
        set(&mut response, "refresh_token", json!("refresh-2"));
        self.idp.json("/token", response);
    }
}

#[tokio::test]
async fn a_refresh_brings_the_claims_of_now() {
    let world = World::new("");
    world.refreshes(|claims| set(claims, "groups", json!(["new"])));
    let refreshed = world.refresh().await.unwrap();
    assert_eq!(refreshed.claims.get("groups"), Some(&json!(["new"])));
    assert_eq!(refreshed.claims.get("email"), Some(&json!("alice@idp.example")));
    assert_eq!(refreshed.refresh_token, Some(SecretValue::new("refresh-2".to_owned())));
    assert_eq!(refreshed.access_token_expires_at, Some(NOW + 300));
    assert!(refreshed.id_token.is_some());
    let call = world.idp.calls("/token").pop().unwrap();
    assert_eq!(call.form.get("grant_type").map(String::as_str), Some("refresh_token"));
    assert_eq!(call.form.get("refresh_token").map(String::as_str), Some("refresh-1"));
    let printed = format!("{refreshed:?}");
    assert!(!printed.contains("refresh-2") && !printed.contains("new"));
}

#[tokio::test]
async fn d49_a_refreshed_id_token_must_be_of_the_same_issuer_client_and_subject() {
    let cases = [
        ("sub", json!("bob"), true),
        ("sub", Value::Null, true),
        ("iss", json!("https://evil.example"), true),
        ("aud", json!("other"), true),
        ("azp", json!("other"), true),
        ("exp", json!(NOW - 100), false),
        ("iat", Value::Null, false),
    ];
    for (name, value, about_another) in cases {
        let world = World::new("");
        world.refreshes(|claims| set(claims, name, value));
        let refusal = world.refresh().await.unwrap_err();
        assert_eq!(matches!(refusal, RefreshError::SomebodyElse(_)), about_another, "{name}");
        assert_eq!(matches!(refusal, RefreshError::Invalid(_)), !about_another, "{name}");
        assert_eq!(refusal.reason(), "token_invalid");
        assert_eq!(world.idp.count("/userinfo"), 0, "{name}");
    }
}

#[tokio::test]
async fn d49_a_refreshed_id_token_that_another_issuer_signed_is_about_somebody_else() {
    let world = World::new("");
    let mut claims = claims();
    unset(&mut claims, "nonce");
    set(&mut claims, "iss", json!("https://evil.example"));
    let key = TestKey::other_rsa("theirs");
    world.idp.json("/token", token_response(&key.sign(&key.header(), &claims)));
    assert!(matches!(world.refresh().await, Err(RefreshError::SomebodyElse(_))));
}

#[tokio::test]
async fn without_an_id_token_userinfo_vouches() {
    let answer = json!({ "access_token": ACCESS_TOKEN, "token_type": "bearer", "expires_in": "300" });
    let world = World::new("");
    world.idp.json("/token", answer.clone());
    let refreshed = world.refresh().await.unwrap();
    assert_eq!(refreshed.claims.get("sub"), Some(&json!("alice")));
    assert_eq!(refreshed.claims.get("iss"), Some(&json!(ISSUER)));
    assert_eq!((refreshed.id_token, refreshed.refresh_token), (None, None));
    assert_eq!(refreshed.access_token_expires_at, Some(NOW + 300));
    world.idp.json("/userinfo", json!({ "sub": "bob" }));
    assert!(matches!(world.refresh().await, Err(RefreshError::SomebodyElse(_))));
    // With neither of them, there is no proof of the subject.
    let world = World::new("");
    world.discovery(|document| unset(document, "userinfo_endpoint"));
    world.idp.json("/token", answer);
    assert!(matches!(world.refresh().await, Err(RefreshError::Invalid(_))));
}

#[tokio::test]
async fn refusals_are_told_from_troubles() {
    let cases = [
        (400, "invalid_grant", "provider_denied"),
        (400, "interaction_required", "provider_denied"),
        (401, "invalid_client", "provider_error"),
        (400, "unauthorized_client", "provider_error"),
        (400, "temporarily_unavailable", "provider_unavailable"),
        (500, "invalid_grant", "provider_unavailable"),
        (429, "slow_down", "provider_unavailable"),
    ];
    for (status, error, reason) in cases {
        let world = World::new("");
        world.idp.status("/token", status, json!({ "error": error }));
        assert_eq!(world.refresh().await.unwrap_err().reason(), reason, "{status} {error}");
    }
    for path in ["/token", "/.well-known/openid-configuration", "/userinfo", "/jwks"] {
        let world = World::new("");
        world.refreshes(|_| {});
        world.idp.answer(path, Answer::Fails(OutboundError::Timeout));
        assert!(matches!(world.refresh().await, Err(RefreshError::Unavailable(_))), "{path}");
    }
}

#[tokio::test]
async fn a_refresh_token_that_changed_is_not_lost_when_the_rest_fails() {
    let world = World::new("");
    world.refreshes(|_| {});
    world.idp.answer("/userinfo", Answer::Fails(OutboundError::Timeout));
    let failed = world.attempt().await.unwrap_err();
    assert!(matches!(failed.error, RefreshError::Unavailable(_)));
    assert_eq!(failed.refresh_token, Some(SecretValue::new("refresh-2".to_owned())));
    assert!(!format!("{failed:?}").contains("refresh-2"));
    world.idp.answer("/token", Answer::Fails(OutboundError::Timeout));
    assert_eq!(world.attempt().await.unwrap_err().refresh_token, None);
}

#[test]
fn every_way_through_may_move_between_threads() {
    fn sends<T: Send>(_: &T) {}
    let world = World::new("");
    let secret = SecretValue::new(VERIFIER.to_owned());
    let (rp, settings) = (&world.rp, &world.settings);
    let expected =
        Expected { nonce: NONCE, code_verifier: &secret, redirect_uri: "https://a", authenticated_after: None };
    sends(&rp.begin(settings, &params(&secret, "https://a"), NOW));
    sends(&rp.finish(settings, &CallbackParams::default(), &expected, NOW));
    sends(&rp.refresh(settings, &secret, "alice", NOW));
    sends(&rp.end_session_url(settings, None, None, NOW));
    sends(&rp.logout_token(settings, "", NOW));
    sends(&rp.probe(settings, NOW));
}
