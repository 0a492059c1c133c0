//! Headers of every page, forged headers and unusual paths, markup, framing, cookies, and size limits.

use axum::body::Body;
use http::{Method, Request};
use serde_json::json;

use crate::harness::{Authorize, Browser, Form, IDP, ISSUER, Reply, TestApp, WITH_PARTNER, alice, with};

const SCRIPT: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>";

#[track_caller]
fn assert_inert(page: &Reply) {
    let html = page.text();
    for live in ["<script>alert", "<img src=x", "onerror=alert(2)>", "javascript:alert"] {
        assert!(!html.contains(live), "{live} in {html}");
    }
}

#[track_caller]
fn assert_page_headers(page: &Reply) {
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8", "{page}");
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    // The origin alone: without any, browsers would send `Origin: null` with the broker's own forms.
    assert_eq!(page.header("referrer-policy"), "strict-origin");
    assert_eq!(page.header("x-frame-options"), "DENY");
    let policy = page.header("content-security-policy");
    for directive in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
        assert!(policy.contains(directive), "{directive} not in {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
}

#[tokio::test]
async fn d20_every_page_forbids_framing_caching_and_inline_script() {
    let app = TestApp::with(&format!("{WITH_PARTNER}[clients.app]\nconsent = \"explicit\"\n")).await;
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("provider", "staff");
    let consent = app.through_provider(&mut browser, &request, &alice()).await;
    let form_post = {
        let allowed = browser.submit(&app, &consent, &[("decision", "allow")]).await;
        app.tokens("app", &allowed).await;
        browser.open(&app, &request.clone().set("response_mode", "form_post").url(&app)).await
    };
    let pages = [
        Browser::new().open(&app, &Authorize::of("app").url(&app)).await,
        consent,
        form_post,
        browser.open(&app, "/oauth2/logout").await,
        Browser::new().open(&app, "/oauth2/logout").await,
        browser.open(&app, "/logout/done").await,
        browser.open(&app, "/").await,
        browser.open(&app, "/nowhere").await,
        browser.open(&app, "/oauth2/authorize").await,
        browser.open(&app, "/callback/staff?state=x").await,
        browser.get(&app, "/oauth2/token").await,
    ];
    for page in &pages {
        assert_page_headers(page);
        for line in page.text().lines() {
            assert!(!line.contains("<script>") && !line.contains("<style"), "inline: {line}");
            assert!(!line.contains(" style=\"") && !line.contains(" onclick="), "inline: {line}");
        }
    }
}

#[tokio::test]
async fn d20_a_form_of_ours_posted_from_elsewhere_is_refused() {
    let app = TestApp::with("clients.app.consent = \"explicit\"").await;
    let mut browser = Browser::new();
    let page = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
    let form = Form::all(&page.text()).remove(0);
    let fields: Vec<(&str, &str)> = form
        .fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .chain([("decision", "allow")])
        .collect();
    let url = app.absolute(&form.action);
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", "https://other.example.com")],
        &[("origin", "https://sso.example.com.evil.example"), ("sec-fetch-site", "same-origin")],
    ] {
        let reply = browser.send(&app, Method::POST, &url, Some(&fields), headers).await;
        reply.assert_error_page(403, "csrf_failed");
    }
    // Without its token the form is refused, no matter who posts it.
    let reply = browser.send(&app, Method::POST, &url, Some(&[("decision", "allow")]), &[("origin", ISSUER)]).await;
    reply.assert_error_page(400, "login_not_found");
    let answer = browser.submit_form(&app, &form, &[("decision", "allow")]).await;
    assert!(answer.location().contains("code="), "the person's own answer still counts: {answer}");
}

#[tokio::test]
async fn d18_forged_hosts_and_forwarding_headers_change_nothing() {
    let app = TestApp::base().await;
    let plain = app.get("/.well-known/openid-configuration").await;
    for (name, value) in [
        ("host", "evil.example"),
        ("host", "SSO.EXAMPLE.COM:1"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-prefix", "/evil"),
        ("x-forwarded-for", "127.0.0.1"),
        ("forwarded", "host=evil.example;proto=http"),
        ("x-original-url", "/oauth2/token"),
        ("x-rewrite-url", "/oauth2/token"),
        ("x-http-method-override", "POST"),
    ] {
        let mut browser = Browser { headers: vec![(name, value.to_owned())], ..Browser::default() };
        let reply = browser.get(&app, "/.well-known/openid-configuration").await;
        assert_eq!(reply.body, plain.body, "{name}");
        let answer = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
        assert_eq!(app.idp().last_request()["redirect_uri"], "https://sso.example.com/callback/staff", "{name}");
        assert_eq!(answer.param("iss"), ISSUER);
        for cookie in answer.set_cookies() {
            assert!(cookie.contains("Secure") && !cookie.to_lowercase().contains("domain="), "{cookie}");
        }
        let page = browser.open(&app, "/oauth2/logout").await;
        assert!(!page.text().contains("evil.example"), "{name}: {page}");
    }
}

#[tokio::test]
async fn d18_odd_paths_lead_nowhere() {
    let app = TestApp::base().await;
    let query = Authorize::of("app").url(&app).split('?').nth(1).unwrap().to_owned();
    for path in [
        "//oauth2/authorize",
        "/oauth2//authorize",
        "/oauth2/authorize/",
        "/oauth2/authorize;x=1",
        "/oauth2/./authorize",
        "/x/../oauth2/authorize",
        "/OAUTH2/authorize",
        "/oauth2/%61uthorize",
        "/oauth2/authorize%00",
        "/oauth2%2fauthorize",
        "/callback/staff/",
        "/callback/STAFF",
        "/static/../Cargo.toml",
        "/static/..%2f..%2fCargo.toml",
        "/static//etc/passwd",
    ] {
        let reply = app.get(&format!("{path}?{query}")).await;
        assert_eq!(reply.status, 404, "{path}: {reply}");
        assert_eq!(reply.header("location"), "");
    }
}

#[tokio::test]
async fn d19_markup_is_inert_in_every_page() {
    let overlay = format!(
        r#"
[clients.app]
client_name = """{SCRIPT}"""
consent = "explicit"
[providers.staff]
name = """{SCRIPT}"""
domains = ["corp.example"]
{WITH_PARTNER}
"#
    );
    let app = TestApp::with(&overlay).await;
    let request = Authorize::of("app").set("login_hint", SCRIPT).set("state", SCRIPT).set("ui_locales", SCRIPT);
    let mut browser = Browser::new();
    let sign_in = browser.open(&app, &request.url(&app)).await;
    assert_eq!(sign_in.status, 200);
    assert_inert(&sign_in);

    let person = with(alice(), json!({ "name": SCRIPT, "preferred_username": "x<script>alert(1)</script>" }));
    let consent = app.through_provider(&mut browser, &request.clone().set("provider", "staff"), &person).await;
    assert_eq!(consent.status, 200);
    assert_inert(&consent);
    let answer = browser.submit(&app, &consent, &[("decision", "allow")]).await;
    assert_eq!(answer.param("state"), SCRIPT);
    for target in ["/", "/oauth2/logout", "/logout/done", "/oauth2/logout?client_id=app"] {
        assert_inert(&browser.open(&app, target).await);
    }
    assert_inert(&browser.open(&app, &request.clone().set("response_mode", "form_post").url(&app)).await);
    assert_inert(&browser.open(&app, &request.clone().set("redirect_uri", SCRIPT).url(&app)).await);
    assert_inert(&browser.open(&app, &request.clone().set("client_id", SCRIPT).url(&app)).await);
    let odd: String = url::form_urlencoded::byte_serialize(SCRIPT.as_bytes()).collect();
    assert_inert(&app.get(&format!("/{odd}")).await);
    assert_inert(&app.get(&format!("/oauth2/authorize?{odd}={odd}&{odd}={odd}")).await);

    // Values from a provider are not markup either.
    app.idp().edit_id_token(|claims| drop(claims.insert("preferred_username".to_owned(), json!([SCRIPT]))));
    let mut other = Browser::new();
    let refused = app
        .through_provider(&mut other, &request.set("provider", "staff"), &with(person, json!({ "sub": "77" })))
        .await;
    refused.assert_error_page(403, "claim_mapping_failed");
    assert_inert(&refused);
}

#[tokio::test]
async fn d21_a_preset_session_cookie_is_replaced_at_sign_in() {
    let app = TestApp::base().await;
    let (attacker, _) =
        app.sign_in("app", &with(alice(), json!({ "sub": "666", "preferred_username": "mallory" }))).await;
    let (name, planted) = attacker.session().unwrap();
    let mut victim = Browser::new();
    victim.cookies.insert(name.clone(), planted.clone());
    let tokens = app.sign_in_with(&mut victim, &Authorize::of("app").set("prompt", "login"), &alice()).await;
    assert_eq!(tokens.claims()["preferred_username"], "alice");
    let (_, new) = victim.session().unwrap();
    assert_ne!(new, planted);
    let mut thief = Browser::new();
    thief.cookies.insert(name.clone(), planted);
    let reply = thief.open(&app, &Authorize::of("app").set("prompt", "none").url(&app)).await;
    reply.assert_app_error("app", "login_required");

    // A made-up cookie never becomes a session.
    let mut victim = Browser::new();
    let made_up = "A".repeat(43);
    victim.cookies.insert(name.clone(), made_up.clone());
    app.sign_in_with(&mut victim, &Authorize::of("app"), &alice()).await;
    assert_ne!(victim.session().unwrap().1, made_up);
    let mut thief = Browser::new();
    thief.cookies.insert(name, made_up);
    let reply = thief.open(&app, &Authorize::of("app").set("prompt", "none").url(&app)).await;
    reply.assert_app_error("app", "login_required");
}

#[tokio::test]
async fn cookies_are_host_only_lax_and_out_of_scripts_reach() {
    let app = TestApp::base().await;
    let mut browser = Browser::new();
    let leaving = browser.open(&app, &Authorize::of("app").url(&app)).await;
    let callback = app.idp().authorize(&leaving.location(), &alice());
    let answer = browser.open(&app, &callback).await;
    let cookies: Vec<String> = leaving.set_cookies().into_iter().chain(answer.set_cookies()).collect();
    assert!(cookies.len() >= 2, "{cookies:?}");
    for cookie in cookies {
        assert!(cookie.starts_with("__Host-"), "{cookie}");
        for attribute in ["; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"] {
            assert!(cookie.contains(attribute), "{attribute} not in {cookie}");
        }
        assert!(!cookie.to_lowercase().contains("domain="), "{cookie}");
        assert!(!cookie.contains("alice") && !cookie.contains("corp.example"), "{cookie}");
    }
}

#[tokio::test]
async fn plain_http_on_loopback_has_cookies_that_browsers_take() {
    let app = TestApp::from(&crate::harness::BASE.replace("https://sso.example.com", "http://localhost:8080")).await;
    let leaving = Browser::new().open(&app, &Authorize::of("app").url(&app)).await;
    assert!(leaving.location().starts_with(IDP), "{leaving}");
    for cookie in leaving.set_cookies() {
        assert!(!cookie.contains("Secure") && !cookie.starts_with("__"), "{cookie}");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"));
    }
}

#[tokio::test]
async fn what_a_stranger_sends_is_bounded() {
    let app = TestApp::base().await;
    let post = async |path: &str, size: usize| {
        let body = format!("grant_type={}", "x".repeat(size));
        let request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        app.send(request.body(Body::from(body)).unwrap()).await.status.as_u16()
    };
    for path in ["/oauth2/token", "/oauth2/authorize", "/oauth2/introspect", "/callback/staff", "/consent"] {
        assert_eq!(post(path, 65 * 1024).await, 413, "{path}");
        assert_ne!(post(path, 10 * 1024).await, 413, "{path}");
    }
    let many = "a=1&".repeat(5000);
    let reply = app.get(&format!("/oauth2/authorize?{many}")).await;
    assert!(reply.status.is_client_error(), "{}", reply.status);
    let cookies = vec![format!("x={}", "y".repeat(100)); 2000].join("; ");
    let mut browser = Browser { headers: vec![("cookie", cookies)], ..Browser::default() };
    assert!(browser.get(&app, &Authorize::of("app").url(&app)).await.location().starts_with(IDP));
}

/// RFC 9110 §15.5.6.
#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_refused_with_those_that_it_has() {
    let sections = "[account]\n[console]\nrequire = \"'admin' in roles\"\n[roles.admin]\n[providers.staff.signals]";
    let app = TestApp::with(sections).await;
    for path in [
        "/",
        "/.well-known/openid-configuration",
        "/oauth2/rp-jwks",
        "/oauth2/jwks",
        "/oauth2/authorize",
        "/oauth2/token",
        "/oauth2/userinfo",
        "/oauth2/logout",
        "/oauth2/introspect",
        "/oauth2/revoke",
        "/oauth2/par",
        "/sign-in",
        "/consent",
        "/logout/confirm",
        "/logout/done",
        "/callback/staff",
        "/logout/callback/staff",
        "/backchannel-logout/staff",
        "/frontchannel-logout/staff",
        "/signals/staff",
        "/static/page.js",
        "/account",
        "/account/sessions/end",
        "/console",
        "/console/users",
        "/console/user/disable",
        "/console/draft/client",
    ] {
        let send = async |method| Browser::new().send(&app, method, path, None, &[]).await;
        let put = send(Method::PUT).await;
        put.assert_error_page(405, "method_not_allowed");
        let allow: Vec<&str> = put.header("allow").split(", ").collect();
        for method in [Method::GET, Method::HEAD, Method::POST, Method::OPTIONS] {
            let reply = send(method.clone()).await;
            assert_ne!(reply.status, 404, "{path}");
            assert_eq!(reply.status != 405, allow.contains(&method.as_str()), "{method} {path}: {allow:?}");
            if reply.status == 405 {
                assert_eq!(reply.header("allow"), put.header("allow"), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn odd_requests_are_errors_of_the_client_never_of_the_server() {
    let app = TestApp::base().await;
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::from_bytes(b"PROPFIND").unwrap()] {
        for path in ["/oauth2/authorize", "/oauth2/token", "/oauth2/userinfo", "/oauth2/jwks", "/"] {
            let status = Browser::new().send(&app, method.clone(), path, None, &[]).await.status;
            assert_eq!(status, 405, "{method} {path}");
        }
    }
    for query in ["%", "%%", "%ff=%fe", "=&=&==", "client_id=%00", "client_id[]=app", "client_id=app&client_id"] {
        let status = app.get(&format!("/oauth2/authorize?{query}")).await.status;
        assert!(status.is_client_error(), "{query}: {status}");
    }
    for kind in ["application/json", "multipart/form-data; boundary=x", "text/plain", ""] {
        let request = Request::post("/oauth2/token").header("content-type", kind);
        let reply = app.send(request.body(Body::from("{\"grant_type\":\"x\"}")).unwrap()).await;
        assert!(reply.status.is_client_error(), "{kind}: {reply}");
    }
    for authorization in [&b"Basic"[..], b"Basic ", b"Basic %%%", b"Basic OnB3", b"Bearer", b"Digest x", b"basic \xff"]
    {
        let request = Request::post("/oauth2/token")
            .header("authorization", authorization)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from("grant_type=authorization_code&code=x"));
        let reply = app.send(request.unwrap()).await;
        assert!(reply.status.is_client_error(), "{authorization:?}: {reply}");
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let app = TestApp::base().await;
    for path in ["/.well-known/openid-configuration", "/oauth2/jwks", "/"] {
        let reply = Browser::new().send(&app, Method::HEAD, path, None, &[]).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0), "{path}");
    }
}

#[tokio::test]
async fn assets_are_served_with_their_types() {
    let app = TestApp::base().await;
    let page = crate::harness::browser::unescape(&app.get("/").await.text());
    let links = regex::Regex::new(r#"(?:href|src)="(/static/[^"]+)""#).unwrap();
    let assets: Vec<String> = links.captures_iter(&page).map(|found| found[1].to_owned()).collect();
    assert!(assets.iter().any(|path| path.contains(".css")), "{page}");
    for path in assets {
        let reply = app.get(&path).await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert!(reply.header("cache-control").contains("max-age="), "{reply}");
    }
}

#[tokio::test]
async fn a_cookie_of_another_app_on_the_domain_hides_none_of_ours() {
    let app = TestApp::base().await;
    let (browser, _) = app.sign_in("app", &alice()).await;
    let ours: Vec<String> = browser.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    for theirs in [&b"name=J\xfcrgen"[..], "name=Jürgen".as_bytes(), b"\xff\xfe=", b"=;;;=", b"a=\"b\tc\""] {
        let header = [theirs, b"; ", ours.join("; ").as_bytes(), b"; ", theirs].concat();
        let request = Request::get("/").header("cookie", header.as_slice()).body(Body::empty()).unwrap();
        let page = app.send(request).await;
        assert!(page.text().contains("Alice"), "{theirs:?}: {page}");
    }
}

#[tokio::test]
async fn a_cookie_whose_name_browsers_do_not_protect_is_not_taken_for_ours() {
    let app = TestApp::base().await;
    let (browser, _) = app.sign_in("app", &alice()).await;
    let (name, value) = browser.session().unwrap();
    // Browsers limit `__Host-` cookies to one host, unless a character that some parsers trim precedes the prefix.
    for disguise in
        [format!("\u{2000}{name}={value}"), format!("{name}\u{a0}={value}"), format!("\u{85}{name}={value}")]
    {
        let request = Request::get("/").header("cookie", disguise.as_bytes()).body(Body::empty()).unwrap();
        let page = app.send(request).await;
        assert!(!page.text().contains("Alice"), "{disguise:?}: {page}");
    }
}
