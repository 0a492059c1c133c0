//! Actions that take access away need a recent sign-in, whatever way somebody signed in: where nobody can be asked again, they
//! say what to do.

use http::Method;

use crate::certificates::{CREATING, script};
use crate::harness::certificates::Leaf;
use crate::harness::{Authorize, BASE, Browser, Form, ISSUER, Reply, TestApp, alice};

const HASH: &str = "$argon2id$v=19$m=7168,t=5,p=1$c2FsdHNhbHRzYWx0c2FsdA$sfbllKb0/PvCHW5OLgyMVDs4DAWrHVn1jlnZATHp6rY";
const PASSWORD: &str = "open sesame";
const OTHERS: &str = "/account/sessions/end-others";

#[track_caller]
fn shows(page: &Reply, words: &[&str]) {
    assert_eq!(page.status, 200, "{page}");
    for word in words {
        assert!(page.text().contains(word), "{word} is not on the page: {page}");
    }
}

/// Fills in the break-glass page.
async fn password(app: &TestApp, browser: &mut Browser, username: &str, password: &str) -> Reply {
    let page = browser.get(app, "/login?backup=1").await;
    let form = Form::all(&page.text()).remove(0);
    let mut fields: Vec<(&str, &str)> =
        form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    fields.retain(|(name, _)| !["username", "password"].contains(name));
    fields.extend([("username", username), ("password", password)]);
    browser.send(app, Method::POST, &form.action, Some(&fields), &[("origin", ISSUER)]).await
}

/// Sends the form of a page that asks, without following where it leads.
async fn send(app: &TestApp, browser: &mut Browser, page: &Reply) -> Reply {
    let form = Form::all(&page.text()).remove(0);
    let fields: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.send(app, Method::POST, &form.action, Some(&fields), &[("origin", ISSUER)]).await
}

async fn with_break_glass() -> TestApp {
    let section = format!(
        "[account]\n[break_glass]\nusername = \"root\"\npassword_hash = \"{HASH}\"\nallow_from = [\"192.0.2.0/24\"]\n\
         clients = [\"app\"]\nsession = {{ max_lifetime = \"2h\" }}\n"
    );
    TestApp::of(BASE, &[&section]).await
}

#[tokio::test]
async fn the_break_glass_account_is_asked_for_its_password_again() {
    let app = with_break_glass().await;
    let [mut here, mut there] = [Browser::at("192.0.2.7"), Browser::at("192.0.2.8")];
    for browser in [&mut here, &mut there] {
        password(&app, browser, "root", PASSWORD).await;
    }
    app.wait(601);
    let ask = here.get(&app, OTHERS).await;
    shows(&ask, &["Sign in again to continue"]);
    let sent = send(&app, &mut here, &ask).await;
    assert_eq!(sent.location(), format!("{ISSUER}/login?backup=1"));
    shows(&there.get(&app, "/account").await, &["root"]);

    let wrong = password(&app, &mut here, "root", "guess").await;
    assert_eq!(wrong.status, 403, "{wrong}");
    shows(&here.get(&app, OTHERS).await, &["Sign in again to continue"]);
    // The page that asked is where the password leads.
    let back = password(&app, &mut here, "root", PASSWORD).await;
    assert_eq!(back.location(), format!("{ISSUER}{OTHERS}"));
    let again = here.get(&app, OTHERS).await;
    assert!(!again.text().contains("Sign in again"), "{again}");
    shows(&here.submit(&app, &again, &[]).await, &["Other sessions that were ended"]);
    assert!(there.get(&app, "/account").await.status.is_redirection(), "it has ended");
}

#[tokio::test]
async fn d27_its_username_is_taken_in_any_case_and_with_white_space() {
    let app = with_break_glass().await;
    for name in ["ROOT", " Root\u{3000}", "ｒｏｏｔ"] {
        let mut browser = Browser::at("192.0.2.7");
        assert_eq!(password(&app, &mut browser, name, PASSWORD).await.location(), format!("{ISSUER}/"), "{name}");
    }
    for name in ["r00t", "rооt", "ro ot", "r\u{200b}oot", ""] {
        let refused = password(&app, &mut Browser::at("192.0.2.9"), name, PASSWORD).await;
        assert_eq!(refused.status, 403, "{name}");
    }
}

#[tokio::test]
async fn a_certificate_is_presented_again() {
    let app = TestApp::of(BASE, &[CREATING, "[account]\n"]).await;
    let leaf = Leaf::named("dora");
    let mut presenting = script(&leaf);
    let signed_in = Authorize::of("app").url(&app);
    assert!(presenting.get(&app, &signed_in).await.location().contains("code="));
    let mut second = script(&leaf);
    second.get(&app, &signed_in).await;
    app.wait(601);

    // Where no certificate is read, the browser is sent to where it is.
    let mut bare = Browser { by_certificates: false, headers: Vec::new(), ..presenting.clone() };
    let ask = bare.get(&app, OTHERS).await;
    shows(&ask, &["Sign in again to continue"]);
    let sent = send(&app, &mut bare, &ask).await;
    assert_eq!(sent.location(), format!("https://sso.example.com:8444{OTHERS}"));
    // There, without one or with another one, nothing is done.
    let other = script(&Leaf::named("somebody"));
    for headers in [Vec::new(), other.headers] {
        let mut without = Browser { headers, ..presenting.clone() };
        let ask = without.get(&app, OTHERS).await;
        without.submit(&app, &ask, &[]).await.assert_error_page(403, "sign_in_too_old");
    }
    assert!(second.get(&app, "/account").await.text().contains("dora"));
    let ask = presenting.get(&app, OTHERS).await;
    assert!(!ask.text().contains("Sign in again"), "{ask}");
    shows(&presenting.submit(&app, &ask, &[]).await, &["Other sessions that were ended"]);
}

#[tokio::test]
async fn a_provider_that_cannot_be_asked_again_leaves_signing_out_and_in() {
    for auth_time in [true, false] {
        let app = TestApp::with("account = {}\nproviders.staff.reauth = \"unsupported\"").await;
        if !auth_time {
            app.idp().edit_id_token(|claims| drop(claims.remove("auth_time")));
        }
        let (mut browser, tokens) = app.sign_in("app", &alice()).await;
        let (mut other, _) = app.sign_in("app", &alice()).await;
        app.wait(601);
        let ask = browser.get(&app, OTHERS).await;
        shows(&ask, &["Sign in again to continue"]);
        let refused = browser.submit(&app, &ask, &[]).await;
        refused.assert_error_page(403, "sign_in_too_old");
        assert!(refused.text().contains("Sign out, sign in again"), "{refused}");
        shows(&other.get(&app, "/account").await, &["Alice Example"]);

        browser.open(&app, &format!("{ISSUER}/oauth2/logout?id_token_hint={}", tokens.id())).await;
        app.sign_in_with(&mut browser, &Authorize::of("app"), &alice()).await;
        let ask = browser.get(&app, OTHERS).await;
        shows(&browser.submit(&app, &ask, &[]).await, &["Other sessions that were ended"]);
        assert!(other.get(&app, "/account").await.status.is_redirection(), "it has ended");
    }
}
