//! `[limits]`: what strangers can make the broker do, while others are still served.

use axum::body::Body;
use http::{Method, Request};

use crate::harness::app::secret_of;
use crate::harness::{Auth, Authorize, BASE, Browser, ISSUER, Reply, TestApp, WITH_PARTNER, alice, log};

/// How many of this number of requests to this URL were refused, and the last response.
async fn flood(app: &TestApp, browser: &mut Browser, url: &str, requests: usize) -> (usize, Reply) {
    let (mut refused, mut last) = (0, None);
    for _ in 0..requests {
        browser.cookies.clear();
        let reply = browser.get(app, url).await;
        refused += usize::from(reply.status == 429);
        last = Some(reply);
    }
    (refused, last.unwrap())
}

#[tokio::test]
async fn d42_an_address_that_floods_is_refused_and_others_are_not() {
    log::capture();
    let app = TestApp::base().await;
    let url = Authorize::of("app").url(&app);
    let mut stranger = Browser::at("198.51.100.42");
    stranger.headers = vec![("accept-language", "de".to_owned())];
    let (refused, page) = flood(&app, &mut stranger, &url, 230).await;
    assert_eq!(refused, 30, "a burst of 200 passes");
    page.assert_error_page(429, "rate_limited");
    assert_eq!(page.header("retry-after"), "1");
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(page.text().contains("Zu viele Anfragen auf einmal"), "{page}");

    // Another user's complete sign-in at the same time.
    let mut other = Browser::at("198.51.100.45");
    app.sign_in_with(&mut other, &Authorize::of("app"), &alice()).await;
    // Requests that write nothing for strangers are served to the flooding address too.
    for path in ["/.well-known/openid-configuration", "/oauth2/jwks", "/", "/logout/done"] {
        assert_eq!(stranger.get(&app, path).await.status, 200, "{path}");
    }
    let auth = Auth::of("app");
    let reply = app.post_as(&mut stranger, "/oauth2/introspect", &auth, &[("token", "x")]).await;
    assert_eq!(reply.status, 200, "{reply}");

    app.wait(1);
    assert_eq!(flood(&app, &mut stranger, &url, 60).await.0, 10, "fifty a second");
    app.wait(60);
    assert_eq!(flood(&app, &mut stranger, &url, 201).await.0, 1, "after a rest the burst is whole again");
    let logged = log::lines(&["\"event\":\"rate_limited\"", "limits.per_address", "\"198.51.100.42\""]);
    assert_eq!(logged.len(), 2, "a line at the beginning of each burst: {logged:#?}");
}

#[tokio::test]
async fn d42_all_that_writes_for_strangers_is_counted_together() {
    let overlay = format!(
        "{WITH_PARTNER}[limits]\nper_address = {{ rate = \"1/h\", burst = 6 }}\n[clients.app]\nconsent = \"explicit\"\n"
    );
    let app = TestApp::with(&overlay).await;
    let mut stranger = Browser::at("198.51.100.1");
    // A posted request is counted when it returns by GET.
    let fields = Authorize::of("app");
    let url = format!("{}/oauth2/authorize", app.origin());
    let page = stranger.post_cross_site(&app, &url, &fields.fields()).await;
    assert_eq!(page.status, 200, "{page}");
    let pushed = Authorize::of("spa");
    let push = async |from: &mut Browser| app.post_as(from, "/oauth2/par", &Auth::Nothing, &pushed.fields()).await;
    assert_eq!(push(&mut stranger).await.status, 201);
    for _ in 0..2 {
        let chosen = stranger.submit(&app, &page, &[("provider", "staff")]).await;
        assert!(chosen.location().starts_with("https://idp.example"), "{chosen}");
    }
    for path in ["/consent", "/logout/confirm"] {
        let answer = stranger.send(&app, Method::POST, path, Some(&[("csrf", "x")]), &[]).await;
        assert!(matches!(answer.status.as_u16(), 400 | 404), "{path}: {answer}");
    }
    let refused = stranger.submit(&app, &page, &[("provider", "staff")]).await;
    assert!(matches!(refused.status.as_u16(), 303 | 429), "{refused}");
    let refused = stranger.submit(&app, &page, &[("provider", "staff")]).await;
    refused.assert_error_page(429, "rate_limited");
    assert_eq!(refused.header("retry-after"), "3600");
    for path in ["/consent", "/oauth2/logout", &fields.url(&app)] {
        let method = if path == "/consent" { Method::POST } else { Method::GET };
        let answer = stranger.send(&app, method, path, None, &[]).await;
        answer.assert_error_page(429, "rate_limited");
    }
    // An app receives JSON.
    let reply = push(&mut stranger).await;
    reply.assert_json_error(429, "temporarily_unavailable");
    assert_eq!(reply.header("retry-after"), "3600");
    assert_eq!(push(&mut Browser::at("198.51.100.2")).await.status, 201);
}

#[tokio::test]
async fn d42_addresses_are_those_behind_trusted_proxies_and_ipv6_counts_by_subscriber() {
    let overlay = "server.trusted_proxies = [\"10.0.0.0/8\"]\nlimits.per_address = { rate = \"1/h\", burst = 3 }\n";
    let app = TestApp::with(overlay).await;
    let url = Authorize::of("app").url(&app);
    let behind = |proxy: &str, header: &str| {
        let mut browser = Browser::at(proxy);
        browser.headers = vec![("x-forwarded-for", header.to_owned())];
        browser
    };
    for (proxy, header, refused) in [
        ("10.0.0.1", "203.0.113.1", 2),
        ("10.0.0.2", "203.0.113.2", 2),
        // The same user through another proxy. Addresses that the user's request already contained are ignored.
        ("10.0.0.2", "8.8.8.8, 203.0.113.1", 5),
        // This proxy is not trusted.
        ("192.0.2.1", "203.0.113.3", 2),
        ("192.0.2.1", "203.0.113.4", 5),
        ("10.0.0.1", "2001:db8:0:1::1", 2),
        ("10.0.0.1", "2001:db8:0:1:ffff::2", 5),
        ("10.0.0.1", "2001:db8:0:2::1", 2),
        ("10.0.0.1", "::ffff:203.0.113.2", 5),
    ] {
        assert_eq!(flood(&app, &mut behind(proxy, header), &url, 5).await.0, refused, "{proxy} {header}");
    }
}

#[tokio::test]
async fn limits_hold_from_the_reload_on() {
    let app = TestApp::base().await;
    let url = Authorize::of("app").url(&app);
    let mut stranger = Browser::at("198.51.100.1");
    assert_eq!(flood(&app, &mut stranger, &url, 10).await.0, 0);
    app.reload(BASE, &["[limits]\nper_address = { rate = \"1/h\", burst = 2 }\nquery = \"200B\"\nbody = \"400B\"\n"])
        .await;
    let short = "/oauth2/authorize?client_id=app";
    assert_eq!(flood(&app, &mut stranger, short, 5).await.0, 3);
    assert_eq!(stranger.get(&app, &url).await.status, 414);
    let form = [("grant_type", "x".repeat(400))].map(|(name, value)| (name, value));
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(app.token(&Auth::of("app"), &form).await.status, 413);
    app.reload(BASE, &[]).await;
    assert_eq!(flood(&app, &mut stranger, &url, 201).await.0, 1);
}

#[tokio::test]
async fn d43_guessing_a_secret_is_slowed_logged_and_counted() {
    log::capture();
    let app = TestApp::base().await;
    let wrong = |client: &str| Auth::Basic(client.to_owned(), "wrong-4711".to_owned());
    let guess = async |from: &str, auth: &Auth, path: &str| {
        app.post_as(&mut Browser::at(from), path, auth, &[("token", "x"), ("grant_type", "authorization_code")]).await
    };
    let paths = ["/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"];
    let mut statuses = Vec::new();
    for n in 0..1000 {
        statuses.push(guess("198.51.100.43", &wrong("app"), paths[n % 3]).await.status.as_u16());
    }
    let refused = statuses.iter().filter(|status| **status == 429).count();
    assert_eq!((refused, statuses[..20] == [401; 20]), (980, true), "{:?}", &statuses[..40]);
    let last = guess("198.51.100.43", &Auth::Post("app".to_owned(), "wrong-4711".to_owned()), "/oauth2/token").await;
    last.assert_json_error(429, "temporarily_unavailable");
    assert_eq!(last.header("retry-after"), "6");

    // Correct secrets are not delayed, from that address or from others. Other clients are not affected either.
    for from in ["198.51.100.43", "198.51.100.44"] {
        assert_eq!(guess(from, &Auth::of("app"), "/oauth2/introspect").await.status, 200, "{from}");
    }
    assert_eq!(guess("198.51.100.44", &wrong("app"), "/oauth2/token").await.status, 401);
    assert_eq!(guess("198.51.100.43", &wrong("other"), "/oauth2/token").await.status, 401);
    app.wait(60);
    let mut allowed = 0;
    for _ in 0..20 {
        allowed += usize::from(guess("198.51.100.43", &wrong("app"), "/oauth2/token").await.status == 401);
    }
    assert_eq!(allowed, 10, "ten a minute");

    let of_this = ["\"198.51.100.43\"", "\"client\":\"app\""];
    let failures = log::lines(&[&["\"event\":\"authentication_failed\""][..], &of_this].concat());
    let bursts = log::lines(&["\"event\":\"rate_limited\"", "limits.failed_authentication", "198.51.100.43", "app"]);
    assert_eq!((failures.len(), bursts.len()), (30, 1), "{bursts:#?}");
    assert!(!log::captured().contains("wrong-4711"), "what was guessed is in no line");
    let metrics = app.broker.metrics().await;
    for line in [
        "countersign_authentication_failures_total 1023\n",
        "countersign_limit_refusals_total{limit=\"failed_authentication\"} 991\n",
        "countersign_limit_bursts_total{limit=\"failed_authentication\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{line} not in {metrics}");
    }
}

#[tokio::test]
async fn d43_clients_that_are_none_share_one_allowance() {
    let app = TestApp::with("limits.failed_authentication = { rate = \"1/h\", burst = 3 }").await;
    let mut stranger = Browser::at("198.51.100.1");
    for (n, auth) in [
        Auth::Basic("nobody".to_owned(), "x".to_owned()),
        Auth::Post("no-one".to_owned(), "x".to_owned()),
        Auth::Nothing,
        Auth::Public("ghost".to_owned()),
        Auth::Basic("x".repeat(10_000), "x".to_owned()),
    ]
    .into_iter()
    .enumerate()
    {
        let reply = app.post_as(&mut stranger, "/oauth2/token", &auth, &[]).await;
        assert_eq!(reply.status, if n < 3 { 401 } else { 429 }, "{auth:?}: {reply}");
    }
    // A known public client proves nothing, and therefore can't fail.
    let reply = app.post_as(&mut stranger, "/oauth2/token", &Auth::of("spa"), &[("grant_type", "refresh_token")]).await;
    assert_eq!(reply.status, 400, "{reply}");
}

#[tokio::test]
async fn d43_the_admin_token_is_no_better_to_guess() {
    let app = TestApp::with("admin.token = \"the-admin-token\"").await;
    let asked = async |token: &str| app.broker.ask_admin("/status", token).await;
    let mut refused = 0;
    for _ in 0..50 {
        refused += usize::from(asked("guessed").await == 429);
    }
    assert_eq!(refused, 30);
    assert_eq!(asked("the-admin-token").await, 200);
}

#[tokio::test]
async fn d42_what_a_stranger_sends_is_cut_in_the_log() {
    log::capture();
    let app = TestApp::base().await;
    let long = "stranger".repeat(1500);
    let mut stranger = Browser::at("198.51.100.77");
    let request = Authorize::of("app");
    for changed in [
        request.clone().set("client_id", &long),
        request.clone().set("redirect_uri", &format!("https://app.example/{long}")),
        request.clone().set("request_uri", &long),
        request.clone().add(&long, "1").add(&long, "2").without("redirect_uri"),
        request.clone().set("state", &long),
    ] {
        stranger.get(&app, &changed.url(&app)).await;
    }
    for auth in [Auth::Basic(long.clone(), long.clone()), Auth::Post(long.clone(), long.clone())] {
        app.post_as(&mut stranger, "/oauth2/token", &auth, &[("grant_type", &long)]).await;
    }
    app.post_as(&mut stranger, "/oauth2/token", &Auth::of("app"), &[("grant_type", &long)]).await;
    app.post_as(&mut stranger, "/backchannel-logout/staff", &Auth::Nothing, &[("logout_token", &long)]).await;
    let callback = format!("/callback/staff?state=x&error={long}&error_description={long}");
    stranger.get(&app, &callback).await;
    let lines = log::lines(&["198.51.100.77"]);
    assert!(lines.len() >= 6, "{lines:#?}");
    assert!(lines.iter().any(|line| line.contains("12000 bytes in all")), "{lines:#?}");
    for line in lines {
        assert!(line.len() < 2200, "{} bytes: {line}", line.len());
        assert!(!line.contains(&"stranger".repeat(129)), "{line}");
    }
}

#[tokio::test]
async fn d42_an_address_does_not_flood_the_log_either() {
    log::capture();
    let app = TestApp::base().await;
    let mut stranger = Browser::at("198.51.100.78");
    for _ in 0..500 {
        stranger.get(&app, "/callback/staff?state=unknown").await.assert_error_page(400, "login_not_found");
    }
    let shown = log::lines(&["198.51.100.78", "\"event\":\"error_page\""]);
    assert_eq!(shown.len(), 200);
    assert_eq!(log::lines(&["198.51.100.78", "\"event\":\"log_limited\""]).len(), 1);
    assert!(app.broker.metrics().await.contains("countersign_log_lines_left_out_total 300\n"));
}

#[tokio::test]
async fn d42_long_values_are_refused_before_they_are_stored() {
    let app = TestApp::base().await;
    let request = Authorize::of("app");
    for (name, length) in [
        ("state", 4097),
        ("claims", 4097),
        ("nonce", 1025),
        ("login_hint", 1025),
        ("ui_locales", 1025),
        ("acr_values", 1025),
        ("provider", 1025),
        ("kc_idp_hint", 1025),
    ] {
        let long = request.clone().set(name, &"x".repeat(length));
        Browser::new().get(&app, &long.url(&app)).await.assert_app_error("app", "invalid_request");
        let pushed = long.without("client_id");
        app.post("/oauth2/par", &Auth::of("app"), &pushed.fields()).await.assert_json_error(400, "invalid_request");
    }
    // Values as real apps send them are accepted, and are returned unchanged.
    let state = "s".repeat(4096);
    let long = request.clone().set("state", &state).set("nonce", &"n".repeat(1024));
    let answer = app.through_provider(&mut Browser::new(), &long, &alice()).await;
    assert_eq!(answer.param("state"), state);

    // The limit of the whole query.
    let query = format!("/oauth2/authorize?state={}", "x".repeat(60_000));
    assert_eq!(Browser::new().get(&app, &query).await.status, 414);
    let edge = "x".repeat(16 * 1024 - "state=".len());
    assert_eq!(app.get(&format!("/oauth2/authorize?state={edge}")).await.status, 400);
    assert_eq!(app.get(&format!("/oauth2/authorize?state={edge}x")).await.status, 414);
    let form = [("state", "x".repeat(60_000))];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // A posted form that would become a longer query is posted again by a page of the broker; its values have limits too.
    for path in ["/oauth2/authorize", "/oauth2/logout", "/callback/staff"] {
        let mut browser = Browser::new();
        let page = browser.send(&app, Method::POST, path, Some(&form), &[]).await;
        assert_eq!(page.status, 200, "{path}: {page}");
        assert_eq!(browser.submit(&app, &page, &[]).await.status, 400, "{path}");
    }
    let logout = format!("/oauth2/logout?state={}", "x".repeat(4097));
    app.get(&logout).await.assert_error_page(400, "invalid_request");
}

#[tokio::test]
async fn d42_the_sign_in_page_takes_no_endless_address() {
    let app = TestApp::with(&format!("{WITH_PARTNER}domains = [\"partner.example\"]\n")).await;
    let mut browser = Browser::new();
    let page = browser.open(&app, &Authorize::of("app").url(&app)).await;
    let endless = format!("{}@partner.example", "x".repeat(50_000));
    browser.submit(&app, &page, &[("email", &endless)]).await.assert_error_page(400, "invalid_request");
    let sent = browser.submit(&app, &page, &[("email", "ann@partner.example")]).await;
    assert!(sent.location().starts_with("https://partner.example"), "{sent}");
}

#[tokio::test]
async fn browsers_are_told_to_use_https_where_the_issuer_does() {
    const HEADER: &str = "strict-transport-security";
    let app = TestApp::base().await;
    assert!(app.origin() == ISSUER && secret_of("app").len() > 20);
    let (long, huge) = ("x".repeat(30_000), "x".repeat(70_000));
    for reply in [
        app.get("/").await,
        app.get("/nowhere").await,
        app.get("/.well-known/openid-configuration").await,
        app.get(&Authorize::of("app").url(&app)).await,
        app.get("/oauth2/token").await,
        app.token(&Auth::Nothing, &[]).await,
        app.token(&Auth::Nothing, &[("grant_type", &huge)]).await,
        app.get(&format!("/?{long}")).await,
        Browser::new().send(&app, Method::OPTIONS, "/oauth2/token", None, &[]).await,
    ] {
        assert_eq!(reply.header(HEADER), "max-age=31536000", "{reply}");
    }
    // The host is shared with other services under development.
    for (local, expected) in [
        ("http://localhost:8080", ""),
        ("https://localhost:8443", "max-age=300"),
        ("https://127.0.0.1:8443", "max-age=300"),
    ] {
        let app = TestApp::from(&BASE.replace("https://sso.example.com", local)).await;
        let reply = app.send(Request::get("/").body(Body::empty()).unwrap()).await;
        assert_eq!(reply.header(HEADER), expected, "{local}");
    }
}
