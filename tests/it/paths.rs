//! The paths of a configuration, through the router: a path that `check` accepts is served.

use http::Method;

use crate::harness::{Auth, Authorize, BASE, Browser, Form, IDP, TestApp, alice};

#[tokio::test]
async fn paths_that_differ_in_case_only_lead_to_different_places() {
    let app = TestApp::with("endpoints.token = \"/Sign-In\"").await;
    let reply = app.post("/Sign-In", &Auth::of("app"), &[("grant_type", "authorization_code"), ("code", "x")]).await;
    assert_eq!(reply.json()["error"], "invalid_grant", "{reply}");
    let page = Browser::new().send(&app, Method::POST, "/sign-in", Some(&[("csrf", "x")]), &[]).await;
    page.assert_error_page(400, "login_not_found");
}

#[tokio::test]
async fn an_endpoint_stands_next_to_our_pages() {
    let app = TestApp::with("endpoints.end_session = \"/logout\"").await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let page = browser.open(&app, "/logout").await;
    assert_eq!(Form::all(&page.text()).remove(0).action, "/logout/confirm", "{page}");
    let leaving = browser.submit(&app, &page, &[("decision", "sign_out")]).await.location();
    assert!(leaving.starts_with(&format!("{IDP}/logout?")), "{leaving}");
    let leaving = url::Url::parse(&leaving).unwrap();
    let param = |name: &str| leaving.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    let back = param("post_logout_redirect_uri");
    assert_eq!(back, "https://sso.example.com/logout/callback/staff");
    let done = browser.open(&app, &format!("{back}?state={}", param("state"))).await;
    assert!(done.text().contains("You are signed out"), "{done}");
}

#[tokio::test]
async fn a_callback_is_where_it_is_registered() {
    let broker = BASE.replace("https://sso.example.com", "https://sso.example.com/broker");
    for (issuer, key, uri) in [
        (BASE, "redirect_path = \"/callback\"", "https://sso.example.com/callback"),
        (BASE, "redirect_path = \"/login/cb\"", "https://sso.example.com/login/cb"),
        (BASE, "redirect_uri = \"https://sso.example.com/old/c%62\"", "https://sso.example.com/old/c%62"),
        // Outside of the issuer's path, to which the proxy in front of the broker still routes it.
        (&broker, "redirect_uri = \"https://sso.example.com/old/cb\"", "https://sso.example.com/old/cb"),
        (&broker, "redirect_path = \"/old/cb\"", "https://sso.example.com/broker/old/cb"),
    ] {
        let app = TestApp::of(issuer, &[&format!("providers.staff.{key}")]).await;
        let path = if issuer == BASE { "" } else { "/broker" };
        let request = Authorize::of("app").url(&app).replace("/oauth2/", &format!("{path}/oauth2/"));
        let mut browser = Browser::new();
        let leaving = browser.open(&app, &request).await.location();
        assert!(leaving.starts_with(IDP), "{leaving}");
        let back = app.idp().authorize(&leaving, &alice());
        assert_eq!(app.idp().last_request()["redirect_uri"], uri, "{key}");
        let answer = browser.open(&app, &back).await;
        assert!(answer.location().contains("code="), "{key}: {answer}");
    }
}
