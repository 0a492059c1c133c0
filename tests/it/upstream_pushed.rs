//! Pushed authorization requests to a provider (RFC 9126).

use countersign::outbound::OutboundError;
use serde_json::{Value, json};

use crate::harness::{Answer, Authorize, BASE, Browser, Reply, TestApp, alice};

async fn attempt(app: &TestApp) -> Reply {
    app.through_provider(&mut Browser::new(), &Authorize::of("app").set("login_hint", "alice"), &alice()).await
}

async fn leave(app: &TestApp) -> Reply {
    Browser::new().open(app, &Authorize::of("app").url(app)).await
}

#[tokio::test]
async fn a_provider_that_requires_it_gets_the_request_from_the_broker() {
    let app = TestApp::base().await;
    app.idp().script(|script| script.pushed_requests = true);
    let left = leave(&app).await.location();
    for private in ["state", "nonce", "redirect_uri", "code_challenge", "scope"] {
        assert!(!left.contains(&format!("{private}=")), "{left}");
    }
    let reply = attempt(&app).await;
    assert!(reply.location().contains("code="), "{reply}");
    let pushed = app.idp().calls("/par").pop().unwrap();
    assert!(pushed.authorization.is_some(), "the broker authenticates (RFC 9126 §2)");
    for (name, value) in [("client_id", "countersign"), ("response_type", "code"), ("login_hint", "alice")] {
        assert_eq!(pushed.form[name], value);
    }
}

#[tokio::test]
async fn where_it_is_only_offered_the_file_decides() {
    let offered = |app: &TestApp| {
        app.idp().script(|script| script.pushed_requests = true);
        app.idp().edit_discovery(|document| drop(document.remove("require_pushed_authorization_requests")));
    };
    let app = TestApp::base().await;
    offered(&app);
    assert!(leave(&app).await.location().contains("redirect_uri="));
    assert_eq!(app.idp().count("/par"), 0);
    let wanted = BASE.replace("[clients.app]", "require_pushed_authorization_requests = true\n[clients.app]");
    let app = TestApp::from(&wanted).await;
    offered(&app);
    assert!(attempt(&app).await.location().contains("code="));
    // A provider without the endpoint can't do what the file asks for, and says so before anybody leaves.
    let app = TestApp::from(&wanted).await;
    leave(&app).await.assert_error_page(502, "provider_unavailable");
}

#[tokio::test]
async fn d24_a_push_that_fails_is_a_clear_page_and_nobody_leaves() {
    let refusal = |error: &str| Answer::json(400, &json!({ "error": error, "error_description": "<b>why</b>" }));
    for (answer, status, reason) in [
        (Answer::Fails(OutboundError::Timeout), 502, "provider_unavailable"),
        (Answer::Fails(OutboundError::TooLarge(1 << 20)), 502, "provider_unavailable"),
        (Answer::Fails(OutboundError::Redirect(302)), 502, "provider_unavailable"),
        (Answer::json(500, &json!({})), 502, "provider_unavailable"),
        (Answer::json(429, &json!({})), 502, "provider_unavailable"),
        (Answer::json(404, &json!({})), 502, "provider_unavailable"),
        (Answer::json(403, &Value::Null), 502, "provider_unavailable"),
        (refusal("temporarily_unavailable"), 502, "provider_unavailable"),
        (Answer::Raw(201, "text/html", b"<html>".to_vec()), 400, "token_invalid"),
        (Answer::json(201, &json!({})), 400, "token_invalid"),
        (Answer::json(201, &json!({ "request_uri": 7 })), 400, "token_invalid"),
        (Answer::json(201, &json!({ "request_uri": "" })), 400, "token_invalid"),
        (Answer::json(201, &json!(["request_uri"])), 400, "token_invalid"),
    ] {
        let app = TestApp::base().await;
        app.idp().script(|script| script.pushed_requests = true);
        app.idp().answer("/par", answer.clone());
        let reply = leave(&app).await;
        reply.assert_error_page(status, reason);
        assert!(!reply.to_string().contains("<b>why"), "{answer:?}: {reply}");
    }
    for error in ["invalid_request", "invalid_client", "access_denied"] {
        let app = TestApp::base().await;
        app.idp().script(|script| script.pushed_requests = true);
        app.idp().answer("/par", refusal(error));
        leave(&app).await.assert_app_error("app", "server_error");
        let refused = app.broker.status().await.contains("it refuses our credentials");
        assert_eq!(refused, error == "invalid_client");
    }
}
