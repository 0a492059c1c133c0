//! RP-Initiated Logout: the broker's session, the provider's session, and the redirect back to the app.

use serde_json::json;

use crate::harness::keys::{header, sign};
use crate::harness::{Authorize, BASE, Browser, Form, IDP, ISSUER, Reply, Signing, TestApp, Tokens, alice, bob};

const BYE: &str = "https://app.example/bye";

/// The logout URL with these parameters.
fn logout(params: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    format!("{ISSUER}/oauth2/logout?{query}")
}

async fn signed_in(app: &TestApp, browser: &mut Browser) -> bool {
    let reply = browser.open(app, &Authorize::of("other").set("prompt", "none").url(app)).await;
    reply.location().contains("code=")
}

/// Comes back from the provider's logout page.
async fn return_from_provider(app: &TestApp, browser: &mut Browser, leaving: &Reply) -> Reply {
    let url = url::Url::parse(&leaving.location()).unwrap();
    assert!(url.as_str().starts_with("https://idp.example/logout?"), "{url}");
    let param = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    let back = param("post_logout_redirect_uri").unwrap();
    let state = param("state").map(|state| format!("?state={state}")).unwrap_or_default();
    browser.open(app, &format!("{back}{state}")).await
}

#[tokio::test]
async fn a_sign_out_ends_session_and_providers_session_and_returns_to_the_app() {
    let app = TestApp::base().await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let url = logout(&[("id_token_hint", tokens.id()), ("post_logout_redirect_uri", BYE), ("state", "st ate&")]);
    let leaving = browser.open(&app, &url).await;
    let upstream = url::Url::parse(&leaving.location()).unwrap();
    let params: std::collections::HashMap<String, String> = upstream.query_pairs().into_owned().collect();
    assert_eq!(params["client_id"], "countersign");
    assert_eq!(params["post_logout_redirect_uri"], "https://sso.example.com/logout/callback/staff");
    assert_ne!(params["state"], "st ate&", "the app's state is not the provider's business");
    assert_eq!(crate::harness::claims_of(&params["id_token_hint"])["iss"], IDP);
    assert!(browser.session().is_none(), "the cookie is gone already");
    assert!(!signed_in(&app, &mut browser).await);

    let done = return_from_provider(&app, &mut browser, &leaving).await;
    assert_eq!(done.location(), "https://app.example/bye?state=st+ate%26");
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
}

#[tokio::test]
async fn an_expired_hint_is_fine() {
    let app = TestApp::with("session = { max_inactive = \"10h\", max_lifetime = \"10h\" }").await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    app.wait(2 * 3600);
    browser.open(&app, &logout(&[("id_token_hint", tokens.id())])).await;
    assert!(!signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn without_a_hint_the_person_is_asked() {
    let app = TestApp::base().await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let page = browser.open(&app, &logout(&[])).await;
    assert_eq!(page.status, 200, "{page}");
    assert!(signed_in(&app, &mut browser).await, "a link alone signs nobody out");
    let stay = browser.submit(&app, &page, &[("decision", "stay")]).await;
    assert!(signed_in(&app, &mut browser).await, "they may stay: {stay}");

    let page = browser.open(&app, &logout(&[("client_id", "app"), ("post_logout_redirect_uri", BYE)])).await;
    assert!(page.text().contains("The App"), "{page}");
    let leaving = browser.submit(&app, &page, &[("decision", "sign_out")]).await;
    assert!(!signed_in(&app, &mut browser).await);
    assert_eq!(return_from_provider(&app, &mut browser, &leaving).await.location(), BYE);
}

#[tokio::test]
async fn another_users_hint_is_no_consent() {
    let app = TestApp::base().await;
    let (_, others) = app.sign_in("app", &bob()).await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    let page = browser.open(&app, &logout(&[("id_token_hint", others.id())])).await;
    assert_eq!(page.status, 200, "{page}");
    assert!(signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn post_works_as_get() {
    let app = TestApp::base().await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let fields = [("id_token_hint", tokens.id()), ("post_logout_redirect_uri", BYE)];
    let leaving = browser.post_cross_site(&app, "/oauth2/logout", &fields).await;
    assert_eq!(return_from_provider(&app, &mut browser, &leaving).await.location(), BYE);
    assert!(!signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn d29_bad_hints_and_unregistered_addresses_are_pages() {
    let app = TestApp::base().await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let foreign =
        sign(Signing::Rs256, &header(Signing::Rs256), &json!({ "iss": ISSUER, "sub": tokens.sub(), "aud": "app" }));
    let (head, _) = tokens.id().rsplit_once('.').unwrap();
    for hint in ["x", &foreign, &format!("{head}."), &format!("{head}.AAAA")] {
        let reply = browser.open(&app, &logout(&[("id_token_hint", hint), ("post_logout_redirect_uri", BYE)])).await;
        reply.assert_error_page(400, "invalid_request");
    }
    for uri in [
        "https://evil.example/",
        "https://app.example/bye/",
        "https://app.example/bye?x=1",
        "https://app.example/cb",
        "HTTPS://app.example/bye",
        "https://app.example.evil.example/bye",
        "javascript:alert(1)",
    ] {
        for more in [("id_token_hint", tokens.id()), ("client_id", "app")] {
            let reply = browser.open(&app, &logout(&[more, ("post_logout_redirect_uri", uri)])).await;
            reply.assert_error_page(400, "invalid_redirect_uri");
        }
    }
    browser.open(&app, &logout(&[("post_logout_redirect_uri", BYE)])).await.assert_error_page(400, "invalid_request");
    let mismatch = logout(&[("id_token_hint", tokens.id()), ("client_id", "other")]);
    browser.open(&app, &mismatch).await.assert_error_page(400, "invalid_request");
    browser.open(&app, &logout(&[("client_id", "unheard-of")])).await.assert_error_page(400, "invalid_client");
    let twice = logout(&[("state", "1"), ("state", "2")]);
    browser.open(&app, &twice).await.assert_error_page(400, "invalid_request");
    assert!(signed_in(&app, &mut browser).await, "none of these signed anybody out");
}

#[tokio::test]
async fn an_access_token_is_no_hint() {
    let app = TestApp::base().await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    browser.open(&app, &logout(&[("id_token_hint", tokens.access())])).await.assert_error_page(400, "invalid_request");
    let hinted = Authorize::of("app").set("id_token_hint", tokens.access());
    browser.open(&app, &hinted.url(&app)).await.assert_app_error("app", "invalid_request");
}

#[tokio::test]
async fn without_a_session_it_goes_straight_back() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    let mut elsewhere = Browser::new();
    let url = logout(&[("id_token_hint", tokens.id()), ("post_logout_redirect_uri", BYE), ("state", "x")]);
    assert_eq!(elsewhere.open(&app, &url).await.location(), "https://app.example/bye?state=x");
    let page = elsewhere.open(&app, &logout(&[])).await;
    assert_eq!(page.status, 200);
    assert!(Form::all(&page.text()).is_empty(), "nothing to confirm: {page}");
}

const ENDED: &str = "Your session here has ended";

#[tokio::test]
async fn an_apps_server_ends_the_session_that_its_id_token_names() {
    let app = TestApp::base().await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let (mut second, others) = app.sign_in("app", &alice()).await;
    let page = app.get(&logout(&[("id_token_hint", tokens.id())])).await;
    assert_eq!((page.status.as_u16(), page.text().contains(ENDED)), (200, true), "{page}");
    assert!(!signed_in(&app, &mut browser).await, "the browser is signed out");
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    assert!(signed_in(&app, &mut second).await, "and no other");
    assert_eq!(app.refresh("app", others.refresh()).await.status, 200);
    // A second sign-out: nothing is left that could end, and the page says so.
    let page = app.get(&logout(&[("id_token_hint", tokens.id())])).await;
    assert!(page.text().contains("You are not signed in here") && !page.text().contains(ENDED), "{page}");
    // The provider's ID token is given only to the browser.
    assert!(!page.text().contains("id_token_hint"), "{page}");
}

#[tokio::test]
async fn a_cookie_of_another_session_contradicts_a_hint() {
    let app = TestApp::base().await;
    let (mut first, tokens) = app.sign_in("app", &alice()).await;
    for person in [alice(), bob()] {
        let (mut other, _) = app.sign_in("app", &person).await;
        let page = other.open(&app, &logout(&[("id_token_hint", tokens.id())])).await;
        assert!(page.text().contains("Do you want to sign out?"), "{page}");
        assert!(signed_in(&app, &mut first).await && signed_in(&app, &mut other).await);
    }
}

#[tokio::test]
async fn the_id_token_of_a_session_that_was_renewed_is_a_hint_for_it() {
    let app = TestApp::base().await;
    let (mut browser, first) = app.sign_in("app", &alice()).await;
    let request = Authorize::of("other").set("prompt", "login");
    let second = app.sign_in_with(&mut browser, &request, &alice()).await;
    assert_ne!(first.claims()["sid"], second.claims()["sid"]);
    browser.open(&app, &logout(&[("id_token_hint", first.id())])).await;
    assert!(!signed_in(&app, &mut browser).await);

    // The same without the browser, and after several renewals.
    let (mut browser, first) = app.sign_in("app", &alice()).await;
    for _ in 0..2 {
        app.sign_in_with(&mut browser, &request, &alice()).await;
    }
    let page = app.get(&logout(&[("id_token_hint", first.id())])).await;
    assert!(page.text().contains(ENDED), "{page}");
    assert!(!signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn no_page_says_that_a_session_ended_unless_one_did() {
    let app = TestApp::base().await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    for path in ["/logout/done", "/logout/callback/staff", "/oauth2/logout", "/oauth2/logout?client_id=app"] {
        let page = app.get(path).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(page.text().contains("You are not signed in here") && !page.text().contains(ENDED), "{path}: {page}");
    }
    for path in ["/logout/done", "/logout/callback/staff"] {
        let page = browser.open(&app, path).await;
        assert!(page.text().contains("Signed in as") && !page.text().contains(ENDED), "{path}: {page}");
    }
    let leaving = browser.open(&app, &logout(&[("id_token_hint", tokens.id())])).await;
    let done = return_from_provider(&app, &mut browser, &leaving).await;
    assert!(done.text().contains(ENDED), "{done}");
}

#[tokio::test]
async fn id_tokens_of_a_session_are_good_hints_however_often_keys_rotate() {
    let overlay = "session = { max_inactive = \"12h\", max_lifetime = \"12h\" }\nkeys.rotate_every = \"2h\"\n";
    let app = TestApp::with(overlay).await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    for _ in 0..11 * 6 {
        app.wait(600);
        app.broker.housekeeping().await;
    }
    let kid = crate::harness::jwt::header_of(tokens.id())["kid"].clone();
    let published = app.get("/oauth2/jwks").await.json();
    let published = published["keys"].as_array().unwrap();
    assert!(published.iter().all(|key| key["kid"] != kid), "apps do not need the key any more: {published:?}");
    browser.open(&app, &logout(&[("id_token_hint", tokens.id())])).await;
    assert!(!signed_in(&app, &mut browser).await);
}

#[tokio::test]
async fn a_provider_may_be_left_out_or_have_no_logout() {
    let app = TestApp::with("providers.staff.logout = false").await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let url = logout(&[("id_token_hint", tokens.id()), ("post_logout_redirect_uri", BYE)]);
    assert_eq!(browser.open(&app, &url).await.location(), BYE);
    assert!(!signed_in(&app, &mut browser).await);

    let app = TestApp::base().await;
    app.idp().edit_discovery(|document| drop(document.remove("end_session_endpoint")));
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let url = logout(&[("id_token_hint", tokens.id()), ("post_logout_redirect_uri", BYE)]);
    assert_eq!(browser.open(&app, &url).await.location(), BYE);
}

#[tokio::test]
async fn a_return_without_its_state_still_ends_signed_out() {
    let app = TestApp::base().await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let url = logout(&[("id_token_hint", tokens.id()), ("post_logout_redirect_uri", BYE)]);
    let leaving = browser.open(&app, &url).await;
    for path in ["/logout/callback/staff", "/logout/callback/staff?state=made-up"] {
        let page = browser.open(&app, path).await;
        assert_eq!((page.status.as_u16(), page.header("location")), (200, ""), "{page}");
    }
    // The state belongs to this browser: another browser is not redirected to the app.
    let state = leaving.param("state");
    let page = Browser::new().open(&app, &format!("/logout/callback/staff?state={state}")).await;
    assert_eq!(page.header("location"), "", "{page}");
}

#[tokio::test]
async fn the_providers_own_return_address_serves_sign_outs_that_name_none() {
    let app = TestApp::with("providers.staff.post_logout_redirect_uri = \"https://portal.example/\"").await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    let leaving = browser.open(&app, &logout(&[("id_token_hint", tokens.id())])).await;
    assert_eq!(leaving.param("post_logout_redirect_uri"), "https://portal.example/");
    let tokens: Tokens = app.sign_in_with(&mut browser, &Authorize::of("app"), &alice()).await;
    let url = logout(&[("id_token_hint", tokens.id()), ("post_logout_redirect_uri", BYE)]);
    let leaving = browser.open(&app, &url).await;
    assert_eq!(return_from_provider(&app, &mut browser, &leaving).await.location(), BYE);
}

#[tokio::test]
async fn signing_out_at_one_browser_leaves_the_others() {
    let app = TestApp::base().await;
    let (mut first, tokens) = app.sign_in("app", &alice()).await;
    let (mut second, kept) = app.sign_in("app", &alice()).await;
    first.open(&app, &logout(&[("id_token_hint", tokens.id())])).await;
    assert!(!signed_in(&app, &mut first).await);
    assert!(signed_in(&app, &mut second).await);
    assert_eq!(app.refresh("app", kept.refresh()).await.status, 200);
}

#[tokio::test]
async fn a_sign_out_while_the_provider_is_disabled_is_for_good() {
    for hinted in [true, false] {
        let app = TestApp::base().await;
        let (mut browser, tokens) = app.sign_in("app", &alice()).await;
        app.reload(BASE, &["providers.staff.enabled = false"]).await;
        if hinted {
            browser.open(&app, &format!("/oauth2/logout?id_token_hint={}", tokens.id())).await;
        } else {
            let page = browser.open(&app, "/oauth2/logout").await;
            browser.submit(&app, &page, &[("decision", "sign_out")]).await;
        }
        app.reload(BASE, &[]).await;
        app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
        app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    }
}

#[tokio::test]
async fn a_posted_sign_out_with_a_long_hint_needs_no_long_url() {
    for (groups, by_form) in [(2, false), (400, true)] {
        let app = TestApp::with("providers.staff.logout = false").await;
        let names: Vec<String> = (0..groups).map(|n| format!("cn=group-{n:04},ou=groups,dc=corp,dc=example")).collect();
        let person = crate::harness::with(alice(), json!({ "groups": names }));
        let (mut browser, tokens) = app.sign_in("app", &person).await;
        let form = [("id_token_hint", tokens.id()), ("post_logout_redirect_uri", BYE), ("state", "s<&\"")];
        let headers = [("origin", "https://app.example"), ("sec-fetch-site", "cross-site")];
        // Like a request from another site: without cookies.
        let reply = Browser::new().send(&app, http::Method::POST, "/oauth2/logout", Some(&form), &headers).await;
        let left = if by_form {
            assert_eq!((reply.status.as_u16(), reply.header("location")), (200, ""), "{reply}");
            assert!(reply.header("content-security-policy").contains("form-action 'self'"), "{reply}");
            browser.submit(&app, &reply, &[]).await
        } else {
            browser.open(&app, &reply.location()).await
        };
        assert_eq!(left.location(), format!("{BYE}?state=s%3C%26%22"));
        assert!(browser.session().is_none() && !signed_in(&app, &mut browser).await);
    }
}
