//! D40: secrets appear only where they are meant to be sent.

use crate::harness::app::secret_of;
use crate::harness::log;
use crate::harness::{Answer, Authorize, BASE, Browser, Receiver, Reply, TestApp, alice, with};
use crate::support::provider::IDP_SECRET;

/// Asserts that none of these were logged or are part of a response.
#[track_caller]
fn assert_unseen(secrets: &[(&str, String)], replies: &[Reply]) {
    let logged = log::captured();
    assert!(logged.contains("\"event\":\"sign_in\""), "the log was captured");
    for (name, secret) in secrets {
        assert!(!logged.contains(secret), "{name} is in the log");
        for reply in replies {
            assert!(!reply.to_string().contains(secret), "{name} is in {reply}");
        }
    }
}

#[tokio::test]
async fn d40_canaries_are_in_no_log_page_cookie_or_url() {
    log::capture();
    let overlay = "[providers.staff]\nscopes = [\"openid\", \"offline_access\"]\non_refresh = { claims = \"upstream\", max_age = \"1s\" }\n";
    let app = TestApp::with(overlay).await;
    let person = with(
        alice(),
        serde_json::json!({ "sub": "canary-upstream-subject", "preferred_username": "canary-name", "email": "canary@address.example", "ssn": "canary-claim" }),
    );
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("state", "canary-state").set("nonce", "canary-nonce");
    let callback = app.at_provider(&mut browser, &request, &person).await;
    let sent = app.idp().last_request();
    let answer = browser.open(&app, &callback).await;
    let code = answer.param("code");
    let tokens = app.tokens("app", &answer).await;
    let upstream_code =
        url::Url::parse(&callback).unwrap().query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let verifier = app.idp().calls("token")[0].form["code_verifier"].clone();

    let mut secrets = vec![
        ("client secret", secret_of("app")),
        ("the broker's secret at the provider", IDP_SECRET.to_owned()),
        ("code", code.clone()),
        ("access token", tokens.access().to_owned()),
        ("ID token", tokens.id().to_owned()),
        ("refresh token", tokens.refresh().to_owned()),
        ("session cookie", browser.session().unwrap().1),
        ("upstream code", upstream_code),
        ("upstream state", sent["state"].clone()),
        ("upstream nonce", sent["nonce"].clone()),
        ("upstream PKCE verifier", verifier),
        ("upstream access token", "idp-access-".to_owned()),
        ("upstream refresh token", "idp-refresh-".to_owned()),
        ("a claim", "canary-claim".to_owned()),
        ("the address", "canary@address.example".to_owned()),
        ("the app's nonce", "canary-nonce".to_owned()),
    ];
    secrets.extend(browser.cookies.values().filter(|value| value.len() == 43).map(|value| ("cookie", value.clone())));

    // Every path that can fail, with the secrets in the wrong places.
    app.wait(5);
    let mut replies = vec![
        app.redeem("app", &code).await,
        app.redeem("other", &code).await,
        app.refresh("app", tokens.access()).await,
        app.refresh("other", tokens.refresh()).await,
        app.userinfo(tokens.refresh()).await,
        app.userinfo(tokens.id()).await,
        app.get(&format!("/oauth2/authorize?client_id=app&client_secret={}", secret_of("app"))).await,
        app.get(&format!("/oauth2/logout?id_token_hint={}", tokens.access())).await,
        app.get(&format!("/{code}")).await,
        browser.open(&app, &callback).await,
        app.get(&callback).await,
    ];
    let (mut browser, tokens) = app.sign_in("app", &person).await;
    for answer in [
        Answer::json(400, &serde_json::json!({ "error": "invalid_grant", "error_description": "refused" })),
        Answer::json(500, &serde_json::json!({})),
    ] {
        app.wait(5);
        app.idp().answer("token", answer);
        replies.push(app.refresh("app", tokens.refresh()).await);
        replies.push(app.through_provider(&mut Browser::new(), &Authorize::of("app"), &person).await);
    }
    app.idp().behave();
    app.reload(BASE, &["clients.app.require = \"false\""]).await;
    replies.push(browser.open(&app, &Authorize::of("app").url(&app)).await);
    replies.push(app.refresh("app", tokens.refresh()).await);
    replies.push(app.through_provider(&mut Browser::new(), &Authorize::of("app"), &person).await);
    app.reload(BASE, &["providers.staff.allow = \"claims.ssn == 'x'\""]).await;
    replies.push(app.through_provider(&mut Browser::new(), &Authorize::of("app"), &person).await);
    replies.iter_mut().for_each(|reply| drop(reply.headers.remove("set-cookie")));
    assert_unseen(&secrets, &[]);
    let recorded = app.broker.store.events_after(0, u32::MAX).await.unwrap().join("\n");
    assert!(recorded.contains("\"event\":\"refusal\"") && recorded.contains("canary-name"));
    for (name, secret) in &secrets {
        assert!(!recorded.contains(secret), "{name} is in an audit event");
    }
    // A response that redirects to the provider contains the state and the nonce of that sign-in.
    let belongs = |name: &str| ["upstream state", "upstream nonce"].contains(&name);
    let shown: Vec<(&str, String)> = secrets.iter().filter(|(name, _)| !belongs(name)).cloned().collect();
    assert_unseen(&shown, &replies);
}

#[tokio::test]
async fn d40_secrets_print_as_stars() {
    let snapshot = crate::harness::compose::prepared(BASE, &[], 1).snapshot.expect("the file is fine");
    let printed = format!("{:?} {snapshot:?}", snapshot.config);
    assert!(printed.contains("***"), "{printed}");
    for secret in [secret_of("app"), secret_of("other"), IDP_SECRET.to_owned()] {
        assert!(!printed.contains(&secret), "a secret in Debug output");
    }
}

#[tokio::test]
async fn d40_logout_tokens_are_in_no_log() {
    log::capture();
    let receiver = Receiver::start().await;
    let app = TestApp::with(&format!("clients.app.backchannel_logout_uri = \"{}\"", receiver.url("app"))).await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let left = browser.open(&app, &format!("/oauth2/logout?id_token_hint={}", tokens.id())).await;
    app.broker.apps_are_told().await;
    let token = receiver.received("app")[0].logout_token().to_owned();
    assert_unseen(&[("a logout token", token)], &[left]);
    let logged = log::captured();
    assert!(
        logged.contains("\"event\":\"backchannel_logout\",\"outcome\":\"delivered\",\"client\":\"app\""),
        "{logged}"
    );
}
