//! Providers with faults: unreachable, slow, with huge responses, redirects or wrong documents, or rotating their keys.

use countersign::outbound::OutboundError;
use serde_json::json;

use crate::harness::{Answer, Authorize, Browser, IDP, Reply, Signing, TestApp, WITH_PARTNER, alice};

async fn open(app: &TestApp) -> Reply {
    Browser::new().open(app, &Authorize::of("app").url(app)).await
}

async fn attempt(app: &TestApp) -> Reply {
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), &alice()).await
}

fn troubles() -> Vec<Answer> {
    vec![
        Answer::Fails(OutboundError::Timeout),
        Answer::Fails(OutboundError::TooLarge(1 << 20)),
        Answer::Fails(OutboundError::Redirect(302)),
        Answer::Fails(OutboundError::Connect("refused".to_owned())),
        Answer::json(500, &json!({})),
        Answer::json(404, &json!({})),
        Answer::json(429, &json!({})),
        Answer::Raw(200, "text/html", b"<html>captive portal</html>".to_vec()),
        Answer::Raw(200, "application/json", b"[]".to_vec()),
        Answer::Raw(200, "application/json", b"{".to_vec()),
        Answer::Raw(200, "application/json", vec![0xff; 100]),
    ]
}

#[tokio::test]
async fn d24_a_provider_whose_discovery_fails_is_a_clear_page_and_recovers_by_itself() {
    for trouble in troubles() {
        let app = TestApp::with(WITH_PARTNER).await;
        app.idp().answer("discovery", trouble.clone());
        let to = |provider: &str| Authorize::of("app").set("provider", provider).url(&app);
        let page = Browser::new().open(&app, &to("staff")).await;
        page.assert_error_page(502, "provider_unavailable");
        assert!(
            crate::harness::browser::unescape(&page.text())
                .contains("https://app.example/cb?error=temporarily_unavailable"),
            "{trouble:?}: {page}"
        );
        assert_eq!(Browser::new().open(&app, &to("partner")).await.status, 303, "others are unaffected");
        app.idp().behave();
        app.wait(60);
        assert_eq!(Browser::new().open(&app, &to("staff")).await.status, 303, "{trouble:?}");
    }
}

#[tokio::test]
async fn d24_a_failing_provider_is_not_asked_at_every_request() {
    let app = TestApp::base().await;
    app.idp().answer("discovery", Answer::json(500, &json!({})));
    for _ in 0..20 {
        open(&app).await.assert_error_page(502, "provider_unavailable");
    }
    assert_eq!(app.idp().count("discovery"), 1);
}

#[tokio::test]
async fn d24_a_discovery_document_of_another_issuer_is_refused() {
    for issuer in ["https://evil.example", "https://idp.example/", "HTTPS://idp.example", ""] {
        let app = TestApp::base().await;
        app.idp().edit_discovery(move |document| drop(document.insert("issuer".to_owned(), issuer.into())));
        open(&app).await.assert_error_page(502, "provider_unavailable");
    }
}

#[tokio::test]
async fn d24_discovered_endpoints_may_not_lead_inside() {
    for url in [
        "http://idp.example/token",
        "http://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/token",
        "https://[::1]/token",
        "https://10.0.0.1/token",
        "https://localhost/token",
        "file:///etc/passwd",
        "https://user:pass@idp.example/token",
        "not a url",
    ] {
        for endpoint in ["token_endpoint", "jwks_uri", "userinfo_endpoint"] {
            let app = TestApp::base().await;
            app.idp().edit_discovery(move |document| drop(document.insert(endpoint.to_owned(), url.into())));
            open(&app).await.assert_error_page(502, "provider_unavailable");
            assert!(app.net.asked().iter().all(|asked| asked.starts_with(IDP)), "{url}");
        }
    }
}

#[tokio::test]
async fn d24_a_failing_token_endpoint_or_userinfo_admits_nobody() {
    for trouble in troubles() {
        for endpoint in ["token", "userinfo", "jwks"] {
            let app = TestApp::base().await;
            app.idp().answer(endpoint, trouble.clone());
            let mut browser = Browser::new();
            let reply = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
            let refused = reply.status == 502 || reply.status == 400;
            assert!(refused, "{endpoint} {trouble:?}: {reply}");
            assert!(browser.session().is_none(), "{endpoint} {trouble:?}");
        }
    }
}

#[tokio::test]
async fn errors_of_the_token_endpoint_show_nothing_of_the_provider() {
    let app = TestApp::base().await;
    let body = json!({ "error": "invalid_client", "error_description": "<b>detail</b> of the provider" });
    app.idp().answer("token", Answer::json(400, &body));
    let reply = attempt(&app).await;
    reply.assert_app_error("app", "server_error");
    assert!(!reply.to_string().contains("detail"), "{reply}");
}

#[tokio::test]
async fn odd_keys_in_a_key_set_are_skipped_by_themselves() {
    let app = TestApp::base().await;
    app.idp().script(|script| {
        script.odd_keys = vec![
            json!({ "kty": "unheard-of", "kid": "rsa-1" }),
            json!({ "kty": "EC", "crv": "secp256k1", "kid": "k", "x": "AA", "y": "AA" }),
            json!({ "kty": "OKP", "crv": "X25519", "x": "AA" }),
            json!({ "kty": "RSA", "kid": "rsa-1", "n": "AQAB", "e": "AQAB" }),
            json!({ "kty": "RSA", "kid": "enc", "use": "enc", "n": "AQAB", "e": "AQAB" }),
            json!({ "kty": "oct", "kid": "rsa-1", "k": "c2VjcmV0" }),
            json!({ "kid": 7 }),
            json!("not a key"),
            json!(null),
        ];
    });
    assert!(attempt(&app).await.location().contains("code="));
}

#[tokio::test]
async fn d25_unknown_kids_cost_one_fetch_a_cooldown() {
    let app = TestApp::base().await;
    attempt(&app).await;
    let before = app.idp().count("jwks");
    for n in 0..50 {
        app.idp().script(|script| {
            script.signing = Signing::ForeignKey;
            script.header = json!({ "kid": format!("made-up-{n}") }).as_object().unwrap().clone();
        });
        attempt(&app).await.assert_error_page(400, "token_invalid");
    }
    assert_eq!(app.idp().count("jwks"), before + 1);
    app.idp().behave();
    assert!(attempt(&app).await.location().contains("code="), "the keys are kept");
}

#[tokio::test]
async fn d25_a_broken_key_set_does_not_replace_a_good_one() {
    let app = TestApp::base().await;
    attempt(&app).await;
    let before = app.idp().count("jwks");
    app.idp().answer("jwks", Answer::json(200, &json!({ "keys": [] })));
    app.wait(400);
    assert!(attempt(&app).await.location().contains("code="));
    tokio::task::yield_now().await;
    app.wait(30);
    assert!(attempt(&app).await.location().contains("code="));
    assert!(app.idp().count("jwks") > before, "the broken set was fetched");
}

#[tokio::test]
async fn d26_a_rotated_key_works_at_once_and_the_old_one_dies_with_the_cache() {
    let app = TestApp::base().await;
    attempt(&app).await;
    app.idp().script(|script| (script.signing, script.rotated) = (Signing::Rotated, true));
    assert!(attempt(&app).await.location().contains("code="), "the new key is fetched when it is met");
    app.idp().script(|script| script.signing = Signing::Rs256);
    app.wait(601);
    attempt(&app).await.assert_error_page(400, "token_invalid");
}

#[tokio::test]
async fn tokens_without_kid_are_tried_with_all_keys() {
    let app = TestApp::base().await;
    for signing in [Signing::Rs256, Signing::Es256] {
        app.idp().script(|script| (script.signing, script.without_kid) = (signing, true));
        assert!(attempt(&app).await.location().contains("code="), "{signing:?}");
    }
}

#[tokio::test]
async fn a_back_channel_takes_the_brokers_calls_and_the_browser_goes_to_the_issuer() {
    let overlay = r#"
[providers.partner]
name = "Partner accounts"
issuer = "https://partner.example/realms/main"
backchannel_url = "https://idp.example"
client_id = "countersign"
client_secret = "the-brokers-secret-at-the-provider"
"#;
    let app = TestApp::with(overlay).await;
    app.idp().edit_discovery(|document| {
        for (name, value) in document.iter_mut() {
            let moved =
                value.as_str().map(|url| url.replace("https://idp.example", "https://partner.example/realms/main"));
            if let Some(moved) = moved.filter(|_| name != "scopes") {
                *value = moved.into();
            }
        }
    });
    let request = Authorize::of("app").set("provider", "partner");
    let leaving = Browser::new().open(&app, &request.url(&app)).await.location();
    assert!(leaving.starts_with("https://partner.example/realms/main/authorize?"), "{leaving}");
    assert!(app.net.asked().iter().all(|url| url.starts_with("https://idp.example/")), "{:?}", app.net.asked());
}
