//! Pages that wait for the user: the forms for sign-in, consent and sign-out, each submitted with another form's token.

use countersign::store::PendingBound;
use countersign::store::model::{Interaction, Login, TokenHash};

use crate::harness::{Authorize, Browser, Form, ISSUER, Reply, TestApp, WITH_PARTNER, alice};

/// Two providers, so that the user chooses, and a client that asks for consent.
async fn app() -> TestApp {
    TestApp::of(crate::harness::BASE, &[WITH_PARTNER, "clients.other.consent = \"explicit\"\n"]).await
}

fn form_of(page: &Reply) -> Form {
    Form::all(&page.text()).remove(0)
}

/// A browser with all three pages open, in this order: sign-in, consent, sign-out.
async fn three_pages(app: &TestApp) -> (Browser, [Form; 3]) {
    let mut browser = Browser::new();
    let staff = |client: &str| Authorize::of(client).set("provider", "staff");
    app.sign_in_with(&mut browser, &staff("app"), &alice()).await;
    let sign_in = browser.open(app, &Authorize::of("app").set("prompt", "select_account").url(app)).await;
    let consent = browser.open(app, &staff("other").url(app)).await;
    let sign_out = browser.open(app, &format!("{ISSUER}/oauth2/logout")).await;
    let forms = [&sign_in, &consent, &sign_out].map(form_of);
    for (form, path) in forms.iter().zip(["/sign-in", "/consent", "/logout/confirm"]) {
        assert!(form.action.ends_with(path), "{}", form.action);
    }
    (browser, forms)
}

#[tokio::test]
async fn a_form_with_another_forms_token_is_refused_and_takes_nothing() {
    let app = app().await;
    let (mut browser, forms) = three_pages(&app).await;
    for (i, form) in forms.iter().enumerate() {
        for other in forms.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, other)| other) {
            let values = [("csrf", other.field("csrf").unwrap()), ("provider", "staff"), ("decision", "allow")];
            browser.submit_form(&app, form, &values).await.assert_error_page(400, "invalid_request");
        }
    }
    // Each of them still works with its own token.
    let [sign_in, consent, sign_out] = forms;
    let leaving = browser.submit_form(&app, &sign_in, &[("provider", "staff")]).await;
    assert!(leaving.location().starts_with("https://idp.example/"), "{leaving}");
    let answer = browser.submit_form(&app, &consent, &[("decision", "allow")]).await;
    app.tokens("other", &answer).await;
    browser.submit_form(&app, &sign_out, &[("decision", "sign_out")]).await;
    assert_eq!(browser.session(), None);
}

#[tokio::test]
async fn what_another_version_stored_counts_as_expired() {
    let app = app().await;
    let (mut browser, forms) = three_pages(&app).await;
    let (_, binding) = browser.cookies.iter().find(|(name, _)| name.contains("-browser-")).unwrap();
    let (owner, expires_at) = (TokenHash::of(binding), app.now() + 60);
    for (i, data) in [r#"{"waits_for":"choice","request":{}}"#, "", "null"].into_iter().enumerate() {
        let id = format!("old-{i}");
        let (hash, data) = (TokenHash::of(&id), data.to_owned());
        let row = Interaction { id: hash, browser: owner, data: data.clone(), expires_at };
        app.broker.store.save_interaction(row, PendingBound::default()).await.unwrap();
        let login = Login { state: hash, browser: owner, data, expires_at };
        app.broker.store.save_login(login, PendingBound::default()).await.unwrap();
        for form in &forms {
            browser.submit_form(&app, form, &[("csrf", &id)]).await.assert_error_page(400, "login_not_found");
        }
        let callback = format!("{ISSUER}/callback/staff?code=x&state={id}");
        browser.open(&app, &callback).await.assert_error_page(400, "login_not_found");
    }
}
