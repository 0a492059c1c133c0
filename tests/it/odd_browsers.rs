//! Browsers that send requests in parallel, twice, too late, by HEAD, or before the user asked for anything (D48).

use http::Method;

use crate::harness::browser::unescape;
use crate::harness::{Authorize, Browser, ISSUER, Reply, TestApp, Tokens, WITH_PARTNER, alice};

/// Asserts that the page has a link to this address.
#[track_caller]
fn assert_leads_to(page: &Reply, address: &str) {
    let html = unescape(&page.text());
    assert!(html.contains(&format!("href=\"{address}\"")), "no link to {address}: {html}");
}

#[tokio::test]
async fn two_tabs_that_ask_before_any_cookie_is_there_both_end_in_their_app() {
    let app = TestApp::base().await;
    // Both requests are sent without cookies; the browser keeps the cookies of both answers.
    let (mut one, mut two) = (Browser::new(), Browser::new());
    let first = app.at_provider(&mut one, &Authorize::of("app").set("state", "one"), &alice()).await;
    let second = app.at_provider(&mut two, &Authorize::of("other").set("state", "two"), &alice()).await;
    let mut browser = Browser::new();
    browser.cookies.extend(one.cookies);
    browser.cookies.extend(two.cookies);
    let to_app = browser.open(&app, &first).await;
    let to_other = browser.open(&app, &second).await;
    assert_eq!((to_app.param("state"), to_other.param("state")), ("one".to_owned(), "two".to_owned()));
    app.tokens("app", &to_app).await;
    app.tokens("other", &to_other).await;

    // The same with two sign-in pages.
    let app = TestApp::with(WITH_PARTNER).await;
    let (mut one, mut two) = (Browser::new(), Browser::new());
    let pages = [
        one.open(&app, &Authorize::of("app").url(&app)).await,
        two.open(&app, &Authorize::of("other").url(&app)).await,
    ];
    let mut browser = Browser::new();
    browser.cookies.extend(one.cookies);
    browser.cookies.extend(two.cookies);
    for page in pages {
        let leaving = browser.submit(&app, &page, &[("provider", "staff")]).await;
        assert!(leaving.location().starts_with("https://idp.example/"), "{leaving}");
    }
}

#[tokio::test]
async fn the_cookies_that_bind_sign_ins_stay_few_and_end() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    for _ in 0..20 {
        let reply = browser.open(&app, &Authorize::of("app").url(&app)).await;
        for cookie in reply.set_cookies() {
            assert!(cookie.contains("Max-Age=1200") && cookie.starts_with("__Host-"), "{cookie}");
        }
    }
    assert_eq!(browser.cookies.len(), 1, "{:?}", browser.cookies);
    // Even hundreds of planted cookies bind nothing.
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    let (name, secret) = browser.cookies.pop_first().unwrap();
    let mut stranger = Browser::new();
    stranger.cookies.extend((0..300).map(|n| (format!("{name}{n}"), secret.clone())));
    stranger.open(&app, &callback).await.assert_error_page(400, "login_other_browser");
}

#[tokio::test]
async fn d48_a_callback_that_a_stranger_opens_uses_nothing_up() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    for _ in 0..3 {
        let page = Browser::new().open(&app, &callback).await;
        page.assert_error_page(400, "login_other_browser");
        assert_leads_to(&page, "https://app.example/");
    }
    assert_eq!(app.idp().count("token"), 0);
    let answer = browser.open(&app, &callback).await;
    app.tokens("app", &answer).await;
}

#[tokio::test]
async fn d48_head_and_prefetching_use_nothing_up() {
    let app = TestApp::with("clients.app.consent = \"explicit\"").await;
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    let prefetch = [("sec-purpose", "prefetch;prerender")];
    for _ in 0..2 {
        let head = browser.send(&app, Method::HEAD, &callback, None, &[]).await;
        assert_eq!((head.status.as_u16(), head.header("content-length"), head.body.len()), (200, "", 0), "{head}");
        assert_eq!(head.set_cookies(), Vec::<String>::new());
        let early = browser.send(&app, Method::GET, &callback, None, &prefetch).await;
        assert_eq!((early.status.as_u16(), early.header("cache-control")), (503, "no-store"), "{early}");
    }
    assert_eq!(app.idp().count("token"), 0);
    let page = browser.open(&app, &callback).await;
    let answer = browser.submit(&app, &page, &[("decision", "allow")]).await;
    let tokens = app.tokens("app", &answer).await;

    // Requests by HEAD sign nobody out and begin nothing.
    let hint = format!("{ISSUER}/oauth2/logout?id_token_hint={}", tokens.id());
    for target in [hint.as_str(), "/logout/callback/staff?state=x", &Authorize::of("other").url(&app)] {
        for (method, headers) in [(Method::HEAD, &[][..]), (Method::GET, &prefetch[..])] {
            let reply = browser.send(&app, method, target, None, headers).await;
            assert_eq!((reply.header("location"), reply.set_cookies().len()), ("", 0), "{target}: {reply}");
        }
    }
    let silent = browser.open(&app, &Authorize::of("other").set("prompt", "none").url(&app)).await;
    assert!(silent.location().contains("code="), "still signed in: {silent}");
}

#[tokio::test]
async fn head_has_the_length_of_get_or_none() {
    let app = TestApp::base().await;
    for path in [
        "/.well-known/openid-configuration",
        "/oauth2/jwks",
        "/",
        "/static/style.css",
        "/nowhere",
        "/oauth2/token",
        "/oauth2/userinfo",
        "/oauth2/authorize",
        "/oauth2/logout",
        "/callback/staff",
        "/consent",
        "/logout/done",
    ] {
        let get = app.get(path).await;
        let head = Browser::new().send(&app, Method::HEAD, path, None, &[]).await;
        assert!(head.body.is_empty());
        let length = head.header("content-length");
        assert!(length.is_empty() || length == get.body.len().to_string(), "{path}: {length} of {}", get.body.len());
    }
    let reply = Browser::new().send(&app, Method::HEAD, "/oauth2/jwks", None, &[]).await;
    assert_ne!(reply.header("content-length"), "");
}

#[tokio::test]
async fn d48_a_doubled_callback_ends_where_the_first_one_went() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    // Both are sent before either is answered.
    let (mut first, mut second) = (browser.clone(), browser.clone());
    let (one, two) = tokio::join!(first.open(&app, &callback), second.open(&app, &callback));
    assert_eq!(
        (one.param("state"), two.param("state")),
        ("state-of-the-app".to_owned(), "state-of-the-app".to_owned())
    );
    assert_eq!(app.idp().count("token"), 1);
    // The browser keeps the second response.
    app.tokens("app", &two).await;
    let silent = second.open(&app, &Authorize::of("other").set("prompt", "none").url(&app)).await;
    assert!(silent.location().contains("code="), "{silent}");

    // After the response was delivered, and in any other browser, there is no second one (D01).
    second.open(&app, &callback).await.assert_error_page(400, "login_not_found");
    Browser::new().open(&app, &callback).await.assert_error_page(400, "login_not_found");
    // A code that was redeemed, or issued some time ago, is not delivered again either.
    browser.clone().open(&app, &callback).await.assert_error_page(400, "login_not_found");
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    browser.clone().open(&app, &callback).await;
    app.wait(11);
    browser.open(&app, &callback).await.assert_error_page(400, "login_not_found");
}

#[tokio::test]
async fn d48_a_first_click_that_breaks_off_is_finished_for_the_second() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    {
        let mut gone = browser.clone();
        let mut first = Box::pin(gone.open(&app, &callback));
        // Runs until it first waits for the provider; then the connection is closed.
        let waiting = std::future::poll_fn(|context| std::task::Poll::Ready(first.as_mut().poll(context).is_pending()));
        assert!(waiting.await);
    }
    let answer = browser.open(&app, &callback).await;
    app.tokens("app", &answer).await;
    assert_eq!(app.idp().count("token"), 1);
}

#[tokio::test]
async fn d48_a_doubled_click_on_a_form_ends_where_the_first_one_went() {
    let app = TestApp::with("clients.app.consent = \"explicit\"\nproviders.staff.logout = false").await;
    for (decision, parameter) in [("allow", "code"), ("deny", "error")] {
        let mut browser = Browser::new();
        let request = Authorize::of("app").set("prompt", "consent");
        let page = app.through_provider(&mut browser, &request, &alice()).await;
        let mut twin = browser.clone();
        let one = browser.submit(&app, &page, &[("decision", decision)]).await;
        let two = twin.submit(&app, &page, &[("decision", decision)]).await;
        for reply in [&one, &two] {
            assert!(reply.location().starts_with("https://app.example/cb?"), "{reply}");
            assert!(reply.params().contains_key(parameter), "{reply}");
        }
        if decision == "allow" {
            app.tokens("app", &two).await;
            // The code has been used, so that a third response would be a replay.
            let three = browser.submit(&app, &page, &[("decision", decision)]).await;
            three.assert_error_page(400, "login_not_found");
            assert_leads_to(&three, "https://app.example/");
        }
    }
    let (mut browser, _) = app.sign_in("other", &alice()).await;
    let url = format!("{ISSUER}/oauth2/logout?client_id=app&post_logout_redirect_uri=https://app.example/bye&state=s");
    let page = browser.open(&app, &url).await;
    let mut twin = browser.clone();
    for browser in [&mut browser, &mut twin] {
        let reply = browser.submit(&app, &page, &[("decision", "sign_out")]).await;
        assert_eq!(reply.location(), "https://app.example/bye?state=s");
        assert!(browser.session().is_none());
    }
}

#[tokio::test]
async fn d48_a_doubled_return_from_the_providers_logout_goes_back_to_the_app_twice() {
    let app = TestApp::base().await;
    let (mut browser, tokens): (Browser, Tokens) = app.sign_in("app", &alice()).await;
    let hint = tokens.id();
    let url = format!("{ISSUER}/oauth2/logout?id_token_hint={hint}&post_logout_redirect_uri=https://app.example/bye");
    let leaving = url::Url::parse(&browser.open(&app, &url).await.location()).unwrap();
    let state = leaving.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    for _ in 0..2 {
        let reply = browser.open(&app, &format!("/logout/callback/staff?state={state}")).await;
        assert_eq!(reply.location(), "https://app.example/bye");
    }
}

#[tokio::test]
async fn d48_a_page_that_ends_a_sign_in_leads_back_to_the_app() {
    let entries = [
        ("", "https://app.example/"),
        ("client_uri = \"https://portal.example/the-app\"\n", "https://portal.example/the-app"),
        (
            "client_uri = \"https://portal.example/the-app\"\ninitiate_login_uri = \"https://app.example/login?x=1\"\n",
            "https://app.example/login?x=1&iss=https%3A%2F%2Fsso.example.com",
        ),
    ];
    for (entry, address) in entries {
        let app = TestApp::with(&format!("{WITH_PARTNER}[clients.app]\nconsent = \"explicit\"\n{entry}")).await;
        let staff = Authorize::of("app").set("provider", "staff");
        let mut browser = Browser::new();

        // A callback, a sign-in page and a consent page that are submitted after eleven minutes.
        let callback = app.at_provider(&mut browser, &staff, &alice()).await;
        let sign_in = browser.open(&app, &Authorize::of("app").url(&app)).await;
        let consent = app.through_provider(&mut browser, &staff, &alice()).await;
        app.wait(660);
        let late = browser.open(&app, &callback).await;
        late.assert_error_page(400, "login_not_found");
        assert_leads_to(&late, address);
        for (page, values) in [(&sign_in, ("provider", "staff")), (&consent, ("decision", "allow"))] {
            let late = browser.submit(&app, page, &[values]).await;
            late.assert_error_page(400, "login_not_found");
            assert_leads_to(&late, address);
        }
        // A callback that is repeated.
        let callback = app.at_provider(&mut browser, &staff.set("prompt", "login"), &alice()).await;
        browser.open(&app, &callback).await;
        let again = browser.open(&app, &callback).await;
        again.assert_error_page(400, "login_not_found");
        assert_leads_to(&again, address);
    }
}

#[tokio::test]
async fn an_id_that_was_not_made_here_leads_nowhere() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    app.wait(660);
    let (address, state) = callback.rsplit_once("state=").unwrap();
    let other = app.at_provider(&mut browser, &Authorize::of("other"), &alice()).await;
    let (_, other) = other.rsplit_once("state=").unwrap();
    app.wait(660);
    let (id, mark) = state.split_at(43);
    let (other_id, other_mark) = other.split_at(43);
    for made_up in [
        format!("{id}{other_mark}"),
        format!("{other_id}{mark}"),
        format!("{id}x{}", &mark[1..]),
        format!("{id}{}", "A".repeat(mark.len())),
        id.to_owned(),
        mark.to_owned(),
        String::new(),
        "é".repeat(60),
    ] {
        let encoded: String = url::form_urlencoded::byte_serialize(made_up.as_bytes()).collect();
        let page = browser.open(&app, &format!("{address}state={encoded}")).await;
        page.assert_error_page(400, "login_not_found");
        let html = unescape(&page.text());
        assert!(!html.contains("https://app.example") && !html.contains("https://other.example"), "{made_up}");
    }
}
