//! A provider posts security events (Shared Signals): sessions and grants end, claims change, and nothing else moves either.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::harness::jwt::verified;
use crate::harness::keys::{header, sign};
use crate::harness::{
    Answer, Authorize, BASE, Browser, IDP, PARTNER, Receiver, Reply, Signing, TestApp, WITH_PARTNER, alice, bob, with,
};

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const SIGNALS: &str = "[providers.staff.signals]\n";

/// Tokens are verified each time; the next test's token is another one.
fn token_claims(app: &TestApp, uri: &str, about: &Value, details: &Value) -> Value {
    let now = app.now();
    json!({
        "iss": IDP, "aud": "countersign", "iat": now, "jti": format!("{uri} {about} {details} {now}"), "sub_id": about,
        "events": { uri: details },
    })
}

fn typed(signing: Signing) -> Value {
    with(header(signing), json!({ "typ": "secevent+jwt" }))
}

async fn post_to(app: &TestApp, path: &str, kind: &str, body: String) -> Reply {
    let request = Request::post(app.absolute(path)).header("content-type", kind).header("accept", "application/json");
    app.send(request.body(Body::from(body)).unwrap()).await
}

async fn post(app: &TestApp, claims: &Value) -> Reply {
    let token = sign(Signing::Rs256, &typed(Signing::Rs256), claims);
    post_to(app, "/signals/staff", "application/secevent+jwt", token).await
}

async fn event(app: &TestApp, uri: &str, about: &Value, details: &Value) {
    let reply = post(app, &token_claims(app, uri, about, details)).await;
    assert_eq!((reply.status.as_u16(), reply.text().as_str()), (202, ""), "{uri}: {reply}");
}

fn person(sub: &str) -> Value {
    json!({ "format": "iss_sub", "iss": IDP, "sub": sub })
}

async fn signed_in(app: &TestApp, browser: &mut Browser) -> bool {
    browser.open(app, &Authorize::of("other").set("prompt", "none").url(app)).await.location().contains("code=")
}

fn caep(name: &str) -> String {
    format!("{CAEP}{name}")
}

fn risc(name: &str) -> String {
    format!("{RISC}{name}")
}

async fn offline(app: &TestApp, who: &Value) -> (Browser, crate::harness::Tokens) {
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("scope", "openid profile groups offline_access");
    let tokens = app.sign_in_with(&mut browser, &request, who).await;
    (browser, tokens)
}

#[tokio::test]
async fn without_the_section_there_is_no_address() {
    let app = TestApp::base().await;
    assert_eq!(post(&app, &json!({})).await.status, 404);
    let app = TestApp::with("providers.staff.signals = { path = \"/ssf/receive\" }").await;
    let claims = token_claims(&app, &caep("session-revoked"), &person("1"), &json!({}));
    assert_eq!(post(&app, &claims).await.status, 404, "it is elsewhere");
    let token = sign(Signing::Rs256, &typed(Signing::Rs256), &claims);
    let kind = "application/secevent+jwt; charset=utf-8";
    assert_eq!(post_to(&app, "/ssf/receive", kind, format!("{token}\n")).await.status, 202);
    assert_eq!(app.get("/ssf/receive").await.status, 405);
}

#[tokio::test]
async fn a_revoked_session_ends_here_and_its_apps_are_told() {
    let receiver = Receiver::start().await;
    let told = format!("clients.app.backchannel_logout_uri = \"{}\"", receiver.url("app"));
    let app = TestApp::of(BASE, &[SIGNALS, &told]).await;
    let (mut first, tokens) = offline(&app, &alice()).await;
    let (mut bobs, _) = app.sign_in("app", &bob()).await;
    event(&app, &caep("session-revoked"), &person("1"), &json!({ "initiating_entity": "admin" })).await;
    assert!(!signed_in(&app, &mut first).await);
    assert!(signed_in(&app, &mut bobs).await, "another person");
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 200, "offline access outlives sessions");
    app.broker.apps_are_told().await;
    let received = receiver.received("app");
    assert_eq!(received.len(), 1);
    let told = verified(&app, received[0].logout_token(), "app").await;
    assert_eq!((&told["sub"], &told["sid"]), (&json!(tokens.sub()), &tokens.claims()["sid"]));
}

#[tokio::test]
async fn a_session_is_found_by_its_id_in_every_form() {
    let sid = |id: &str| json!({ "format": "opaque", "id": id });
    for (about, ends) in [
        (json!({ "format": "complex", "user": person("1"), "session": sid("there-1") }), true),
        (json!({ "format": "complex", "session": sid("there-1") }), true),
        (json!({ "format": "complex", "user": person("2"), "session": sid("there-1") }), false),
        (json!({ "format": "complex", "user": person("1"), "session": sid("there-2") }), false),
        (json!({ "format": "opaque", "id": "1" }), true),
        (json!({ "subject_type": "email", "email": "Alice@corp.example" }), true),
        (json!({ "format": "email", "email": "bob@corp.example" }), false),
        (json!({ "format": "iss_sub", "iss": PARTNER, "sub": "1" }), false),
        (json!({ "format": "account", "uri": "acct:alice@corp.example" }), false),
        (json!({ "format": "aliases", "identifiers": [person("7"), person("1")] }), true),
    ] {
        let app = TestApp::with(SIGNALS).await;
        app.idp().edit_id_token(|claims| drop(claims.insert("sid".to_owned(), "there-1".into())));
        let (mut browser, _) = app.sign_in("app", &alice()).await;
        event(&app, &caep("session-revoked"), &about, &json!({})).await;
        assert_eq!(!signed_in(&app, &mut browser).await, ends, "{about}");
    }
}

#[tokio::test]
async fn what_takes_the_account_or_a_credential_away_ends_grants_too() {
    for (uri, details, ends) in [
        (risc("account-disabled"), json!({ "reason": "hijacking" }), true),
        (risc("account-purged"), json!({}), true),
        (risc("credential-compromise"), json!({ "credential_type": "password" }), true),
        (caep("credential-change"), json!({ "credential_type": "password", "change_type": "update" }), true),
        (caep("credential-change"), json!({ "credential_type": "fido2-platform", "change_type": "revoke" }), true),
        (caep("credential-change"), json!({ "credential_type": "fido2-platform", "change_type": "create" }), false),
        ("https://schemas.openid.net/secevent/oauth/event-type/tokens-revoked".to_owned(), json!({}), true),
        (risc("account-enabled"), json!({}), false),
        (risc("recovery-activated"), json!({}), false),
    ] {
        let app = TestApp::with(SIGNALS).await;
        let (mut browser, tokens) = offline(&app, &alice()).await;
        let (_, bobs) = offline(&app, &bob()).await;
        event(&app, &uri, &person("1"), &details).await;
        assert_eq!(signed_in(&app, &mut browser).await, !ends, "{uri} {details}");
        assert_eq!(app.userinfo(tokens.access()).await.status.is_success(), !ends, "{uri}");
        assert_eq!(app.refresh("app", tokens.refresh()).await.status.is_success(), !ends, "{uri} {details}");
        assert_eq!(app.refresh("app", bobs.refresh()).await.status, 200, "another person");
    }
}

#[tokio::test]
async fn changed_claims_count_at_once() {
    let app = TestApp::of(BASE, &[SIGNALS, "clients.app.require = \"'oncall' in groups\""]).await;
    let (mut browser, tokens) = offline(&app, &alice()).await;
    let changed = json!({ "claims": { "groups": ["staff"], "nickname": "al", "sub": "2", "picture": null } });
    event(&app, &caep("token-claims-change"), &person("1"), &changed).await;
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    assert_eq!(app.userinfo(tokens.access()).await.status, 401);
    assert!(signed_in(&app, &mut browser).await, "the session goes on, for what she may still do");
    let other = browser.open(&app, &Authorize::of("other").url(&app)).await;
    let claims = app.tokens("other", &other).await.claims();
    assert_eq!((&claims["groups"], &claims["nickname"]), (&json!(["staff"]), &json!("al")));
    assert!(!claims.contains_key("picture"), "what is gone there is gone here");
    assert_eq!(claims["sub"], json!(tokens.sub()), "no event makes her somebody else");
}

#[tokio::test]
async fn an_old_event_does_not_undo_what_is_newer() {
    let app = TestApp::with(SIGNALS).await;
    let late = |uri: String, details: Value, age: i64| {
        let claims = token_claims(&app, &uri, &person("1"), &details);
        with(claims, json!({ "iat": app.now() - age, "jti": uri }))
    };
    app.wait(100_000);
    let (mut browser, tokens) = offline(&app, &alice()).await;
    for claims in [
        late(caep("session-revoked"), json!({}), 3600),
        late(risc("account-disabled"), json!({}), 3600),
        late(caep("credential-change"), json!({ "event_timestamp": app.now() - 3600 }), 0),
        late(caep("token-claims-change"), json!({ "claims": { "groups": ["old"] } }), 3600),
    ] {
        assert_eq!(post(&app, &claims).await.status, 202, "{claims}");
    }
    assert!(signed_in(&app, &mut browser).await, "she has signed in since");
    let again = app.refresh("app", tokens.refresh()).await;
    assert_eq!(again.status, 200, "{again}");
    assert_eq!(app.userinfo(tokens.access()).await.json()["groups"], json!(["staff", "oncall"]));
}

#[tokio::test]
async fn a_token_counts_once_and_is_acknowledged_again() {
    let app = TestApp::with(SIGNALS).await;
    let (_, first) = offline(&app, &alice()).await;
    let claims = token_claims(&app, &risc("account-disabled"), &person("1"), &json!({}));
    assert_eq!(post(&app, &claims).await.status, 202);
    app.refresh("app", first.refresh()).await.assert_json_error(400, "invalid_grant");
    // Within the tolerance for clocks, the same token would end the next session too.
    let (mut browser, tokens) = offline(&app, &alice()).await;
    assert_eq!(post(&app, &claims).await.status, 202);
    assert!(signed_in(&app, &mut browser).await);
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 200);
    let metrics = app.broker.metrics().await;
    for outcome in ["applied", "duplicate"] {
        let line = format!(
            "countersign_signals_total{{provider=\"staff\",event=\"account-disabled\",outcome=\"{outcome}\"}} 1\n"
        );
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
}

#[tokio::test]
async fn only_the_events_that_are_listed_count() {
    let app = TestApp::with("providers.staff.signals.events = [\"account-disabled\"]").await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    event(&app, &caep("session-revoked"), &person("1"), &json!({})).await;
    event(
        &app,
        "https://schemas.openid.net/secevent/ssf/event-type/verification",
        &person("1"),
        &json!({ "state": "x" }),
    )
    .await;
    event(
        &app,
        "https://schemas.openid.net/secevent/ssf/event-type/stream-updated",
        &person("1"),
        &json!({ "status": "paused" }),
    )
    .await;
    event(&app, "urn:unheard-of", &person("1"), &json!({})).await;
    assert!(signed_in(&app, &mut browser).await);
    event(&app, &risc("account-disabled"), &person("1"), &json!({})).await;
    assert!(!signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn several_events_of_one_token_all_count() {
    let app = TestApp::with(SIGNALS).await;
    let (mut alices, _) = app.sign_in("app", &alice()).await;
    let claims = with(
        token_claims(&app, &caep("session-revoked"), &person("1"), &json!({})),
        json!({ "sub_id": null, "events": {
            caep("session-revoked"): { "subject": { "user": person("1") } },
            risc("account-disabled"): { "subject": { "subject_type": "iss-sub", "iss": IDP, "sub": "2" } },
        } }),
    );
    let (mut bobs, _) = app.sign_in("app", &bob()).await;
    assert_eq!(post(&app, &claims).await.status, 202);
    assert!(!signed_in(&app, &mut alices).await && !signed_in(&app, &mut bobs).await);
}

#[tokio::test]
async fn a_session_of_two_providers_ends_by_an_event_of_either() {
    let linked = format!(
        "{WITH_PARTNER}[users.alice]\nlinks = [{{ provider = \"staff\", sub = \"1\" }}, {{ provider = \"partner\", sub = \"p1\" }}]\n"
    );
    let app = TestApp::of(BASE, &[SIGNALS, &linked]).await;
    let mut browser = Browser::new();
    app.sign_in_with(&mut browser, &Authorize::of("app").set("provider", "staff"), &alice()).await;
    let second = Authorize::of("app").set("provider", "partner").set("prompt", "login");
    app.sign_in_with(&mut browser, &second, &with(alice(), json!({ "sub": "p1" }))).await;
    event(&app, &caep("session-revoked"), &person("1"), &json!({})).await;
    assert!(!signed_in(&app, &mut browser).await);
}

#[track_caller]
fn assert_refused(reply: &Reply, code: &str, what: &str) {
    assert_eq!(reply.status, 400, "{what}: {reply}");
    let body = reply.json();
    assert_eq!(body["err"], code, "{what}: {reply}");
    assert!(body["description"].as_str().is_some_and(|text| !text.is_empty()), "{reply}");
    assert_eq!((reply.header("content-type"), reply.header("content-language")), ("application/json", "en"));
}

#[tokio::test]
async fn d08_what_is_no_security_event_of_this_provider_ends_nothing() {
    let app = TestApp::with(SIGNALS).await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let good = token_claims(&app, &risc("account-disabled"), &person("1"), &json!({}));
    for (change, code) in [
        (json!({ "iss": PARTNER }), "invalid_issuer"),
        (json!({ "iss": null }), "invalid_issuer"),
        (json!({ "aud": "somebody-else" }), "invalid_audience"),
        (json!({ "aud": ["a", "b"] }), "invalid_audience"),
        (json!({ "aud": null }), "invalid_audience"),
        (json!({ "iat": null }), "invalid_request"),
        (json!({ "iat": "1" }), "invalid_request"),
        (json!({ "iat": app.now() + 3600 }), "invalid_request"),
        (json!({ "iat": app.now() - 8 * 86_400 }), "invalid_request"),
        (json!({ "exp": app.now() - 3600 }), "invalid_request"),
        (json!({ "jti": null }), "invalid_request"),
        (json!({ "events": null }), "invalid_request"),
        (json!({ "events": {} }), "invalid_request"),
        (json!({ "events": { risc("account-disabled"): "x" } }), "invalid_request"),
    ] {
        let bad = with(good.clone(), change.clone());
        assert_refused(&post(&app, &bad).await, code, &change.to_string());
    }
    let send = async |kind: &str, body: &str| post_to(&app, "/signals/staff", kind, body.to_owned()).await;
    let token = sign(Signing::Rs256, &typed(Signing::Rs256), &good);
    for kind in ["application/jwt", "text/plain", "application/x-www-form-urlencoded"] {
        assert_refused(&send(kind, &token).await, "invalid_request", kind);
    }
    for body in ["", "x", "a.b.c", &token[..token.len() / 2], &format!("{token}.x"), "\u{0}"] {
        assert_refused(&send("application/secevent+jwt", body).await, "invalid_request", body);
    }
    // A token for another purpose does not pass for one, whoever signed it.
    for typ in [json!({ "typ": "JWT" }), json!({ "typ": "logout+jwt" }), json!({ "typ": null })] {
        let token = sign(Signing::Rs256, &with(header(Signing::Rs256), typ.clone()), &good);
        assert_refused(&send("application/secevent+jwt", &token).await, "invalid_request", &typ.to_string());
    }
    let large = with(good.clone(), json!({ "txn": "x".repeat(70_000) }));
    assert_eq!(post(&app, &large).await.status, 413);
    assert!(signed_in(&app, &mut browser).await);
    assert_eq!(post(&app, &good).await.status, 202);
    assert!(!signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn d06_a_security_event_is_signed_by_a_key_of_the_provider() {
    let app = TestApp::with(SIGNALS).await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let good = token_claims(&app, &risc("account-disabled"), &person("1"), &json!({}));
    for signing in [Signing::None, Signing::HmacOfPublicKey, Signing::ForeignKey, Signing::Broken, Signing::Rotated] {
        let token = sign(signing, &typed(signing), &good);
        let reply = post_to(&app, "/signals/staff", "application/secevent+jwt", token).await;
        assert_refused(&reply, "invalid_key", &format!("{signing:?}"));
    }
    assert!(signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn a_transmitter_may_have_a_name_keys_and_audience_of_its_own() {
    let own = "[providers.staff.signals]\nissuer = \"https://ssf.idp.example/\"\njwks_uri = \"https://idp.example/ssf/jwks\"\naudience = [\"https://sso.example.com/ssf\", \"other\"]\n";
    let app = TestApp::with(own).await;
    app.idp().json("https://idp.example/ssf/jwks", json!({ "keys": crate::harness::keys::jwks(true) }));
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let claims = with(
        token_claims(&app, &caep("session-revoked"), &person("1"), &json!({})),
        json!({ "iss": "https://ssf.idp.example/", "aud": "other" }),
    );
    let send = async |signing: Signing, claims: &Value| {
        post_to(&app, "/signals/staff", "application/secevent+jwt", sign(signing, &typed(signing), claims)).await
    };
    assert_refused(&send(Signing::Rs256, &claims).await, "invalid_key", "the key of its ID tokens");
    let by_provider = with(claims.clone(), json!({ "iss": IDP }));
    assert_refused(&send(Signing::Rotated, &by_provider).await, "invalid_issuer", "the provider's own name");
    let for_broker = with(claims.clone(), json!({ "aud": "countersign" }));
    assert_refused(&send(Signing::Rotated, &for_broker).await, "invalid_audience", "the client id");
    assert!(signed_in(&app, &mut browser).await);
    assert_eq!(send(Signing::Rotated, &claims).await.status, 202);
    assert!(!signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn without_keys_the_transmitter_is_asked_to_try_again() {
    let app = TestApp::with(SIGNALS).await;
    app.idp().answer("jwks", Answer::json(500, &json!({})));
    let reply = post(&app, &token_claims(&app, &caep("session-revoked"), &person("1"), &json!({}))).await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, "30"), "{reply}");
}

#[tokio::test]
async fn d25_many_unknown_keys_cost_one_fetch() {
    let app = TestApp::with(SIGNALS).await;
    app.sign_in("app", &alice()).await;
    let before = app.idp().count("jwks");
    for n in 0..50 {
        let claims = token_claims(&app, &caep("session-revoked"), &person("1"), &json!({}));
        let header = with(typed(Signing::ForeignKey), json!({ "kid": format!("unknown-{n}") }));
        let token = sign(Signing::ForeignKey, &header, &claims);
        let reply = post_to(&app, "/signals/staff", "application/secevent+jwt", token).await;
        assert_refused(&reply, "invalid_key", "an unknown key");
    }
    assert!(app.idp().count("jwks") <= before + 1, "{}", app.idp().count("jwks"));
}

#[tokio::test]
async fn each_event_is_in_the_audit_trail_of_the_person() {
    let app = TestApp::of(BASE, &[SIGNALS, "[console]\nrequire = \"'oncall' in groups\"\n"]).await;
    app.sign_in("app", &bob()).await;
    event(&app, &risc("account-disabled"), &person("2"), &json!({})).await;
    let mut operator = Browser::new();
    let leaving = operator.open(&app, "/console/audit?user=bob").await.location();
    let callback = app.idp().authorize(&leaving, &alice());
    let page = operator.open(&app, &callback).await;
    for shown in ["account-disabled", ">signal<", ">logout<", "by a security event of the provider"] {
        assert!(page.text().contains(shown), "{shown}: {page}");
    }
}
