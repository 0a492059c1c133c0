//! Client certificates on the account pages: which are listed, attaching the one that the browser presents, and detaching it.

use crate::certificates::{exchange, script};
use crate::harness::certificates::{Ca, Leaf};
use crate::harness::{BASE, Browser, Form, Reply, TestApp, Tokens, alice, bob};

/// People attach certificates themselves.
const SELF_SERVICE: &str = r#"
server.trusted_proxies = ["10.0.0.0/8"]
account.self_service_certificates = true
[certificates]
listen = ["127.0.0.1:8444"]
ca = "clients-ca.pem"
clients = ["app"]
"#;

const ATTACH: &str = "/account/certificates/attach";

/// The same browser at the listener for certificates, where it presents this one.
fn presents(browser: &Browser, leaf: &Leaf) -> Browser {
    Browser { cookies: browser.cookies.clone(), ..script(leaf) }
}

#[track_caller]
fn shows(page: &Reply, words: &[&str]) {
    assert_eq!(page.status, 200, "{page}");
    for word in words {
        assert!(page.text().contains(word), "{word} is not on the page: {page}");
    }
}

/// Attaches a certificate to whoever is signed in in this browser.
async fn attach(app: &TestApp, browser: &Browser, leaf: &Leaf) -> Reply {
    let mut presenting = presents(browser, leaf);
    let ask = presenting.get(app, ATTACH).await;
    shows(&ask, &["Attach this certificate to your account?", &leaf.fingerprint()]);
    presenting.submit(app, &ask, &[]).await
}

#[tokio::test]
async fn a_person_attaches_the_certificate_of_her_browser_and_detaches_it() {
    let app = TestApp::with(SELF_SERVICE).await;
    let (mut browser, by_provider) = app.sign_in("app", &alice()).await;
    let leaf = Leaf::named("alice-laptop");
    exchange(&app, &leaf, "openid").await.assert_json_error(400, "invalid_grant");

    let list = browser.get(&app, "/account/certificates").await;
    shows(&list, &["No certificate is attached to your account.", "Attach the certificate of this browser"]);
    let sent = browser.get(&app, ATTACH).await;
    assert_eq!(sent.location(), "https://sso.example.com:8444/account/certificates/attach?sent=1");
    let done = attach(&app, &browser, &leaf).await;
    shows(&done, &["The certificate was attached", "alice-laptop", &leaf.fingerprint(), "Attached by you"]);

    let tokens = Tokens::read(&exchange(&app, &leaf, "openid").await);
    assert_eq!(tokens.sub(), by_provider.sub(), "the certificate is hers");
    shows(&browser.get(&app, "/account").await, &["Client certificate"]);
    shows(&browser.get(&app, "/account/activity").await, &["You attached a certificate"]);

    let path = format!("/account/certificates/detach?certificate={}", leaf.fingerprint());
    let ask = browser.get(&app, &path).await;
    shows(&ask, &["Detach this certificate?", "alice-laptop"]);
    let second = ask.clone();
    shows(&browser.submit(&app, &ask, &[]).await, &["The certificate was detached", "No certificate is attached"]);
    assert_eq!(app.introspect("app", tokens.access()).await.json()["active"], false, "what it got has ended");
    exchange(&app, &leaf, "openid").await.assert_json_error(400, "invalid_grant");
    shows(&browser.submit(&app, &second, &[]).await, &["There is no such certificate that you could detach."]);
    shows(&browser.get(&app, "/account/activity").await, &["You detached a certificate"]);
}

#[tokio::test]
async fn a_certificate_of_somebody_is_nobody_elses() {
    let (bobs, declared) = (Leaf::named("bob-laptop"), Leaf::named("declared"));
    let file = format!("[users.carol]\ncertificates = [\"{}\"]\n", declared.fingerprint());
    let app = TestApp::of(BASE, &[SELF_SERVICE, &file]).await;
    let (bob, _) = app.sign_in("app", &bob()).await;
    shows(&attach(&app, &bob, &bobs).await, &["The certificate was attached"]);
    shows(&attach(&app, &bob, &bobs).await, &["This certificate was yours already"]);
    let (mut alice, by_provider) = app.sign_in("app", &alice()).await;
    for leaf in [&bobs, &declared] {
        let refused = attach(&app, &alice, leaf).await;
        shows(&refused, &["belongs to another account", "No certificate is attached to your account."]);
    }
    assert_ne!(Tokens::read(&exchange(&app, &bobs, "openid").await).sub(), by_provider.sub());
    let path = format!("/account/certificates/detach?certificate={}", bobs.fingerprint());
    shows(&alice.open(&app, &path).await, &["There is no such certificate that you could detach."]);
}

#[tokio::test]
async fn only_a_valid_certificate_is_attached_and_only_the_one_that_was_asked_about() {
    let app = TestApp::with(SELF_SERVICE).await;
    let (browser, _) = app.sign_in("app", &alice()).await;
    let stranger = Ca::root("Another CA", |_| {}).issue("alice-laptop", |_| {});
    let refused = presents(&browser, &stranger).open(&app, ATTACH).await;
    shows(&refused, &["The certificate is not valid here", "No certificate is attached to your account."]);
    let mut none = Browser { headers: Vec::new(), ..presents(&browser, &stranger) };
    shows(&none.open(&app, ATTACH).await, &["Your browser presented no certificate"]);
    // Sent to the listener already, and still nothing is read: no endless redirects.
    let sent = browser.clone().open(&app, &format!("{ATTACH}?sent=1")).await;
    shows(&sent, &["Your browser presented no certificate"]);

    let (first, second) = (Leaf::named("first"), Leaf::named("second"));
    let mut presenting = presents(&browser, &first);
    let ask = presenting.get(&app, ATTACH).await;
    let other = presents(&browser, &second).submit(&app, &ask, &[]).await;
    shows(&other, &["or another one than before", "No certificate is attached to your account."]);
}

#[tokio::test]
async fn d20_a_certificate_is_attached_by_the_persons_own_form_after_a_recent_sign_in_only() {
    let app = TestApp::with(SELF_SERVICE).await;
    let (browser, _) = app.sign_in("app", &alice()).await;
    let leaf = Leaf::named("evil");
    let ask = presents(&browser, &leaf).get(&app, ATTACH).await;
    let form = Form::all(&ask.text()).remove(0);
    let (bobs, _) = app.sign_in("app", &bob()).await;
    presents(&bobs, &leaf).submit_form(&app, &form, &[]).await.assert_error_page(403, "csrf_failed");
    presents(&browser, &leaf).submit_form(&app, &form, &[("csrf", "x")]).await.assert_error_page(403, "csrf_failed");
    app.wait(601);
    let leaving = presents(&browser, &leaf).submit_form(&app, &form, &[]).await;
    assert!(leaving.location().contains("prompt=login"), "{leaving}");
    exchange(&app, &leaf, "openid").await.assert_json_error(400, "invalid_grant");
}

#[tokio::test]
async fn nobody_signs_in_where_a_certificate_is_to_be_attached() {
    let app = TestApp::of(BASE, &[SELF_SERVICE, "certificates.create_users = true\n"]).await;
    let leaf = Leaf::named("alice-laptop");
    let sent = script(&leaf).get(&app, ATTACH).await;
    assert_eq!(sent.location(), "https://sso.example.com/account/certificates");
    assert!(app.broker.store.user("alice-laptop").await.unwrap().is_none(), "no account was made");
}

#[tokio::test]
async fn without_self_service_the_file_says_whose_certificates_are() {
    let leaf = Leaf::named("whatever");
    let file = format!("[users.alice]\ncertificates = [\"{}\"]\n", leaf.fingerprint());
    let off = SELF_SERVICE.replace("self_service_certificates = true", "self_service_certificates = false");
    let app = TestApp::of(BASE, &[&off, &file, "users.alice.links = [{ provider = \"staff\", sub = \"1\" }]\n"]).await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let list = browser.get(&app, "/account/certificates").await;
    shows(&list, &["Not used yet", &leaf.fingerprint(), "Set by your administrator"]);
    assert!(!list.text().contains("/account/certificates/attach") && !list.text().contains("Detach"), "{list}");
    presents(&browser, &leaf).get(&app, ATTACH).await.assert_error_page(404, "not_found");
    exchange(&app, &leaf, "openid").await;
    shows(&browser.get(&app, "/account/certificates").await, &["whatever", "Set by your administrator"]);
    let path = format!("/account/certificates/detach?certificate={}", leaf.fingerprint());
    shows(&browser.open(&app, &path).await, &["There is no such certificate that you could detach."]);
}
