//! Apps are told that a session ended, whatever happens to the process that ended it (OIDC Back-Channel Logout 1.0 §2.5).

use serde_json::json;

use crate::harness::jwt::verified;
use crate::harness::{BASE, Browser, ISSUER, Receiver, TestApp, alice, log};

/// Longer than a process holds a notice that it does not go on with.
const HELD: i64 = 61;

fn overlay(receiver: &Receiver) -> String {
    format!("providers.staff.logout = false\nclients.app.backchannel_logout_uri = \"{}\"", receiver.url("app"))
}

async fn sign_out(app: &TestApp, browser: &mut Browser, id_token: &str) {
    let reply = browser.open(app, &format!("{ISSUER}/oauth2/logout?id_token_hint={id_token}")).await;
    assert_eq!(reply.status, 200, "{reply}");
}

/// A broker whose process is killed while the app has not answered yet; the `sub` and the `sid` that the app knows.
async fn killed(overlay: String, receiver: &Receiver) -> (TestApp, String, String) {
    receiver.hang("app");
    let process = tokio::runtime::Runtime::new().unwrap();
    let ended = process.spawn(async move {
        let app = TestApp::with(&overlay).await;
        let (mut browser, tokens) = app.sign_in("app", &alice()).await;
        sign_out(&app, &mut browser, tokens.id()).await;
        let sid = tokens.claims()["sid"].as_str().unwrap().to_owned();
        (app, tokens.sub(), sid)
    });
    let ended = ended.await.unwrap();
    receiver.first("app").await;
    process.shutdown_background();
    receiver.answer("app");
    ended
}

#[tokio::test]
async fn d31_what_a_killed_process_did_not_send_is_sent_by_the_next_one() {
    let receiver = Receiver::start().await;
    let (app, sub, sid) = killed(overlay(&receiver), &receiver).await;
    let next = app.restarted(BASE, &[&overlay(&receiver)]).await;
    next.broker.tell_apps().await;
    next.broker.apps_are_told().await;
    assert_eq!(receiver.received("app").len(), 1, "the process might still live");
    next.wait(HELD);
    next.broker.tell_apps().await;
    next.broker.apps_are_told().await;
    let received = receiver.received("app");
    assert_eq!(received.len(), 2);
    let claims = verified(&next, received[1].logout_token(), "app").await;
    assert_eq!((&claims["sub"], &claims["sid"]), (&json!(sub), &json!(sid)));
    assert_eq!(claims["iat"], json!(next.now()), "the token is made when it is sent");
    for _ in 0..3 {
        next.wait(HELD);
        next.broker.tell_apps().await;
        next.broker.apps_are_told().await;
    }
    assert_eq!(receiver.received("app").len(), 2, "once it is delivered, that is all");
}

#[tokio::test]
async fn what_a_stopped_process_did_not_send_is_sent_by_another_one_at_once() {
    let receiver = Receiver::start().await;
    receiver.hang("app");
    let app = TestApp::with(&overlay(&receiver)).await;
    let other = app.restarted(BASE, &[&overlay(&receiver)]).await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    sign_out(&app, &mut browser, tokens.id()).await;
    receiver.first("app").await;
    other.broker.tell_apps().await;
    other.broker.apps_are_told().await;
    assert_eq!(receiver.received("app").len(), 1, "the first one still tries");
    receiver.answer("app");
    app.broker.hand_over().await;
    other.broker.tell_apps().await;
    other.broker.apps_are_told().await;
    let received = receiver.received("app");
    assert_eq!(received.len(), 2);
    let claims = verified(&other, received[1].logout_token(), "app").await;
    assert_eq!((&claims["sub"], &claims["sid"]), (&json!(tokens.sub()), &tokens.claims()["sid"]));
    app.wait(HELD);
    for broker in [&app.broker, &other.broker] {
        broker.tell_apps().await;
        broker.apps_are_told().await;
    }
    assert_eq!(receiver.received("app").len(), 2, "once it is delivered, that is all");
}

#[tokio::test]
async fn of_two_brokers_on_one_store_one_tells_the_app() {
    let receiver = Receiver::start().await;
    let app = TestApp::with(&overlay(&receiver)).await;
    let other = app.restarted(BASE, &[&overlay(&receiver)]).await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    sign_out(&app, &mut browser, tokens.id()).await;
    other.broker.tell_apps().await;
    for broker in [&app.broker, &other.broker] {
        broker.apps_are_told().await;
    }
    app.wait(HELD);
    tokio::join!(app.broker.tell_apps(), other.broker.tell_apps());
    for broker in [&app.broker, &other.broker] {
        broker.apps_are_told().await;
    }
    assert_eq!(receiver.received("app").len(), 1);
}

#[tokio::test]
async fn of_two_brokers_that_find_a_notice_one_tells_the_app() {
    let receiver = Receiver::start().await;
    let (app, ..) = killed(overlay(&receiver), &receiver).await;
    let one = app.restarted(BASE, &[&overlay(&receiver)]).await;
    let other = app.restarted(BASE, &[&overlay(&receiver)]).await;
    app.wait(HELD);
    tokio::join!(one.broker.tell_apps(), other.broker.tell_apps());
    for broker in [&one.broker, &other.broker] {
        broker.apps_are_told().await;
    }
    assert_eq!(receiver.received("app").len(), 2, "the first one was the killed process");
}

#[tokio::test]
async fn an_app_that_is_no_longer_declared_is_told_nothing_and_the_log_says_so() {
    log::capture();
    for (gone, why) in
        [("clients.app.enabled = false", "disabled"), ("providers.staff.logout = false", "without an address")]
    {
        let receiver = Receiver::start().await;
        let (app, ..) = killed(overlay(&receiver), &receiver).await;
        let next = app.restarted(BASE, &[gone]).await;
        next.wait(HELD);
        next.broker.tell_apps().await;
        next.broker.apps_are_told().await;
        assert_eq!(receiver.received("app").len(), 1, "{why}");
        // With the address back, nothing is left to be sent.
        next.reload(BASE, &[&overlay(&receiver)]).await;
        next.wait(HELD);
        next.broker.tell_apps().await;
        next.broker.apps_are_told().await;
        assert_eq!(receiver.received("app").len(), 1, "{why}");
    }
    let dropped = ["\"outcome\":\"dropped\",\"client\":\"app\"", "no longer says where"];
    assert!(log::lines(&dropped).len() >= 2);
}

#[tokio::test]
async fn after_a_day_nobody_is_told() {
    let receiver = Receiver::start().await;
    let (app, ..) = killed(overlay(&receiver), &receiver).await;
    let next = app.restarted(BASE, &[&overlay(&receiver)]).await;
    next.wait(86_400);
    next.broker.tell_apps().await;
    next.broker.apps_are_told().await;
    assert_eq!(receiver.received("app").len(), 1);
}
