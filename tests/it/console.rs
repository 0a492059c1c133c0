//! The console: who may open it, what it shows, what it takes away.

use http::Method;
use serde_json::{Value, json};

use countersign::env::ManualClock;

use crate::harness::browser::unescape;
use crate::harness::compose::Broker;
use crate::harness::{
    Authorize, BASE, Browser, Form, IDP, PARTNER, Reply, START, TestApp, WITH_PARTNER, alice, bob, with,
};

use crate::support::provider::Net;

/// Alice is on call, Bob is not.
const CONSOLE: &str = "[console]\nrequire = \"'oncall' in groups\"\n";

async fn with_console(more: &str) -> TestApp {
    TestApp::of(BASE, &[CONSOLE, more]).await
}

/// Opens a page as a person who signs in on the way.
async fn enter(app: &TestApp, browser: &mut Browser, path: &str, person: &Value) -> Reply {
    let leaving = browser.open(app, path).await.location();
    let callback = app.net.idp_of(&leaving).authorize(&leaving, person);
    browser.open(app, &callback).await
}

/// The browser of Alice, at the console's first page.
async fn operator(app: &TestApp) -> Browser {
    let mut browser = Browser::new();
    let page = enter(app, &mut browser, "/console", &alice()).await;
    assert_eq!(page.status, 200, "{page}");
    browser
}

/// A page that must be there.
async fn page(app: &TestApp, browser: &mut Browser, path: &str) -> String {
    let reply = browser.open(app, path).await;
    assert_eq!(reply.status, 200, "{path}: {reply}");
    reply.text()
}

/// The path of the first link to `part` on a page.
#[track_caller]
fn link(html: &str, part: &str) -> String {
    let links = regex::Regex::new("href=\"([^\"]*)\"").unwrap();
    let mut targets = links.captures_iter(html).map(|found| unescape(&found[1]));
    targets.find(|target| target.contains(part)).unwrap_or_else(|| panic!("no link to {part}: {html}"))
}

/// The path of a user's page.
async fn user(app: &TestApp, browser: &mut Browser, name: &str) -> String {
    link(&page(app, browser, &format!("/console/users?q={name}")).await, "/console/user?sub=")
}

async fn events(app: &TestApp, browser: &mut Browser, query: &str) -> String {
    page(app, browser, &format!("/console/audit?{query}")).await
}

#[tokio::test]
async fn there_is_no_console_unless_it_is_declared() {
    let app = TestApp::base().await;
    for path in ["/console", "/console/users", "/console/trace/x", "/console/user/disable?sub=1"] {
        app.get(path).await.assert_error_page(404, "not_found");
    }
    let app = with_console("").await;
    for path in ["/console/", "/console/nothing", "/consoles"] {
        app.get(path).await.assert_error_page(404, "not_found");
    }
}

#[tokio::test]
async fn an_operator_signs_in_on_the_way_and_comes_to_the_page_that_was_asked_for() {
    let app = with_console("").await;
    app.sign_in("app", &bob()).await;
    let found = enter(&app, &mut Browser::new(), "/console/users?q=bo", &alice()).await;
    assert_eq!(found.status, 200, "{found}");
    assert!(found.text().contains(">bob<") && !found.text().contains("<h1>Overview"), "{found}");
    assert!(found.header("content-security-policy").contains("form-action 'self'"), "{found}");
    assert_eq!(found.header("cache-control"), "no-store");
}

#[tokio::test]
async fn somebody_without_the_right_gets_a_clear_page_and_leaves_a_trace() {
    let app = with_console("").await;
    let mut stranger = Browser::new();
    let refused = enter(&app, &mut stranger, "/console/users", &bob()).await;
    refused.assert_error_page(403, "console_requirement_not_met");
    assert!(!refused.text().contains("/console/users"), "nothing of the console is shown: {refused}");
    for path in ["/console", "/console/providers", "/console/session/end?id=x", "/console/trace/x"] {
        stranger.open(&app, path).await.assert_error_page(403, "console_requirement_not_met");
    }
    let mut browser = operator(&app).await;
    let audit = events(&app, &mut browser, "kind=admin_action").await;
    assert!(audit.contains("console_refused") && audit.contains(">bob<"), "{audit}");
    let trace = page(&app, &mut browser, &link(&audit, "/console/trace/")).await;
    assert!(trace.contains("console.require does not hold") && trace.contains("overlay-0.toml:2"), "{trace}");
    assert!(trace.contains(">bob<"), "{trace}");
}

#[tokio::test]
async fn whoever_loses_the_right_loses_the_console_with_the_next_page() {
    let app = with_console("").await;
    let mut browser = operator(&app).await;
    app.reload(BASE, &["[console]\nrequire = \"'auditors' in groups\"\n"]).await;
    browser.open(&app, "/console").await.assert_error_page(403, "console_requirement_not_met");
    app.reload(BASE, &[CONSOLE, "users.alice.enabled = false"]).await;
    browser.open(&app, "/console").await.assert_error_page(403, "user_disabled");
    app.reload(BASE, &[]).await;
    browser.open(&app, "/console").await.assert_error_page(404, "not_found");
}

#[tokio::test]
async fn the_condition_may_ask_for_a_second_factor_and_counts_for_every_provider() {
    let strong = "[console]\nrequire = \"'mfa' in amr && client == 'console' && size(scopes) == 0\"\n[clients.console]\nclient_secret = \"secret-of-console-0123456789\"\ngrant_types = []\n";
    let app = TestApp::of(BASE, &[strong, WITH_PARTNER]).await;
    let chosen = |provider: &'static str| [("provider", provider)];
    for provider in ["staff", "partner"] {
        for (amr, status) in [(json!(["pwd"]), 403), (json!(["pwd", "mfa"]), 200)] {
            let mut browser = Browser::new();
            let choose = browser.open(&app, "/console").await;
            let leaving = browser.submit(&app, &choose, &chosen(provider)).await.location();
            let person = with(alice(), json!({ "amr": amr, "preferred_username": format!("alice-{provider}") }));
            let callback = app.net.idp_of(&leaving).authorize(&leaving, &person);
            assert_eq!(browser.open(&app, &callback).await.status, status, "{provider} {amr}");
        }
    }
}

#[tokio::test]
async fn d40_no_page_of_the_console_shows_a_secret() {
    let app = with_console("").await;
    let mut browser = operator(&app).await;
    app.sign_in("app", &bob()).await;
    let mut all = String::new();
    for path in [
        "/console",
        "/console/providers",
        "/console/provider?id=staff",
        "/console/clients",
        "/console/client?id=app",
        "/console/client?id=spa",
        "/console/configuration",
        "/console/audit",
    ] {
        all.push_str(&page(&app, &mut browser, path).await);
    }
    let bobs = user(&app, &mut browser, "bob").await;
    all.push_str(&page(&app, &mut browser, &bobs).await);
    let all = unescape(&all);
    assert!(!all.contains("secret-of-") && !all.contains("the-brokers-secret"), "{all}");
    for shown in
        ["https://sso.example.com/callback/staff", "https://idp.example", "create_users", "https://app.example/cb"]
    {
        assert!(all.contains(shown), "{shown}");
    }
    assert!(all.contains("***") && all.contains("broker.toml:"), "settings have their places");
}

#[tokio::test]
async fn a_provider_that_fails_is_seen_on_the_first_page() {
    let app = with_console("").await;
    let mut browser = operator(&app).await;
    assert!(page(&app, &mut browser, "/console").await.contains("No provider is known to fail"));
    app.idp().status("token", 401, json!({ "error": "invalid_client" }));
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), &bob()).await;
    let first = page(&app, &mut browser, "/console").await;
    assert!(first.contains("Last call failed") && first.contains("invalid_client"), "{first}");
    assert!(!first.contains("No provider is known to fail"), "{first}");
    let provider = page(&app, &mut browser, "/console/provider?id=staff").await;
    assert!(provider.contains("Last success") && provider.contains("Last call failed"), "{provider}");
}

#[tokio::test]
async fn users_are_found_by_name_address_and_sub_and_paged() {
    let app = with_console("").await;
    let mut browser = operator(&app).await;
    for n in 0..60 {
        let person = json!({
            "sub": format!("u{n}"), "preferred_username": format!("clerk{n:02}"), "email_verified": true,
            "email": format!("Mail{n:02}@corp.example"), "groups": ["staff"],
        });
        app.sign_in("app", &person).await;
    }
    let (mut seen, mut path, mut pages) = (Vec::new(), "/console/users?q=clerk".to_owned(), 0);
    let name = regex::Regex::new("clerk[0-9]{2}").unwrap();
    loop {
        let html = page(&app, &mut browser, &path).await;
        let rows = html.split("<ul class=\"rows\">").nth(1).unwrap();
        seen.extend(name.find_iter(rows).map(|found| found.as_str().to_owned()));
        pages += 1;
        if !html.contains("rel=\"next\"") {
            break;
        }
        path = link(&html, "page=");
    }
    seen.dedup();
    assert_eq!(seen, (0..60).map(|n| format!("clerk{n:02}")).collect::<Vec<_>>());
    assert_eq!(pages, 3);

    let by_address = page(&app, &mut browser, "/console/users?q=MAIL07@").await;
    assert!(by_address.contains("clerk07") && by_address.contains("mail07@corp.example"), "{by_address}");
    let sub = user(&app, &mut browser, "clerk33").await.split_once("sub=").unwrap().1.to_owned();
    let by_sub = page(&app, &mut browser, &format!("/console/users?q={}", &sub[..8])).await;
    assert!(by_sub.contains("clerk33"), "{by_sub}");
    assert!(page(&app, &mut browser, "/console/users?q=nobody").await.contains("No user is found"));
    let everybody = page(&app, &mut browser, "/console/users").await;
    assert!(everybody.contains(">alice<") && everybody.contains("rel=\"next\""), "{everybody}");
}

#[tokio::test]
async fn what_does_not_exist_is_a_clear_error() {
    let app = with_console("").await;
    let mut browser = operator(&app).await;
    for path in [
        "/console/user?sub=nobody",
        "/console/user/disable?sub=nobody",
        "/console/user/why?sub=nobody&provider=staff&subject=1",
        "/console/sessions?sub=nobody",
        "/console/provider?id=nobody",
        "/console/client?id=nobody",
        "/console/client/revoke?id=nobody",
        "/console/role?name=nobody",
        "/console/trace/nobody",
        "/console/trace/",
    ] {
        browser.open(&app, path).await.assert_error_page(404, "not_found");
    }
    for path in [
        "/console/user",
        "/console/user?sub=",
        "/console/users?page=x",
        "/console/sessions?before=x",
        "/console/audit?before=x",
        "/console/audit?kind=no",
    ] {
        browser.open(&app, path).await.assert_error_page(400, "invalid_request");
    }
    assert!(events(&app, &mut browser, "user=nobody").await.contains("No user is found"));
    assert!(events(&app, &mut browser, "client=unheard-of").await.contains("Nothing matches"));
    let bare = browser.send(&app, Method::POST, "/console/users", Some(&[("x", "y")]), &[]).await;
    bare.assert_error_page(405, "method_not_allowed");
}

#[tokio::test]
async fn d19_markup_and_long_names_stay_text_in_the_console() {
    let app = with_console("").await;
    let mut browser = operator(&app).await;
    let odd = format!("<script>alert(1)</script>{}", "x".repeat(200));
    let long = format!("<img src=x onerror=alert(2)>{}", "y".repeat(1000));
    let person = json!({
        "sub": "<b>9", "preferred_username": odd, "name": long, "email": "<i>@corp.example", "email_verified": true,
        "groups": [long],
    });
    app.sign_in("app", &person).await;
    let found = page(&app, &mut browser, "/console/users?q=%3Cscript").await;
    let own = link(&found, "/console/user?sub=");
    let shown = page(&app, &mut browser, &own).await;
    let why = page(&app, &mut browser, &link(&shown, "/console/user/why")).await;
    let sessions = page(&app, &mut browser, "/console/sessions").await;
    let searched = page(&app, &mut browser, "/console/users?q=%22%3E%3Cb%3E").await;
    let audit = events(&app, &mut browser, "").await;
    let filters = "user=%3Cscript%3Ealert(1)&client=%3Cimg%20src=x&address=%22%3E%3Cb%3E";
    let filtered = events(&app, &mut browser, filters).await;
    for html in [found, shown, why, sessions, searched, audit, filtered] {
        for markup in ["<script>alert", "<img src=x", "<b>9", "<i>@", "\"><b>"] {
            assert!(!html.contains(markup), "{markup}: {html}");
        }
    }
    let long_query = format!("/console/users?q={}", "z".repeat(5000));
    assert_eq!(browser.open(&app, &long_query).await.status, 200);
}

#[tokio::test]
async fn a_users_page_says_which_apps_may_be_entered_and_why_not() {
    let app = with_console("clients.other.require = \"'admins' in groups\"").await;
    let mut browser = operator(&app).await;
    app.sign_in("app", &bob()).await;
    let path = user(&app, &mut browser, "bob").await;
    let bobs = page(&app, &mut browser, &path).await;
    for shown in ["bob", "https://idp.example", "Staff accounts", "End session"] {
        assert!(unescape(&bobs).contains(shown), "{shown}: {bobs}");
    }
    let why = page(&app, &mut browser, &link(&bobs, "/console/user/why")).await;
    assert!(why.contains("May sign in") && why.contains("client_requirement_not_met"), "{why}");
    let other = page(&app, &mut browser, &link(&why, "app=other")).await;
    assert!(other.contains("require does not hold") && other.contains("overlay-1.toml:1"), "{other}");
    assert!(other.contains("You don’t have access to this app"), "{other}");
    let said = unescape(&other);
    assert!(
        said.contains("'admins' in groups</code>") && said.contains("[\"staff\"]"),
        "what the condition read: {said}"
    );
    let entered = page(&app, &mut browser, &link(&why, "app=app")).await;
    assert!(entered.contains("What") && entered.contains("bob@corp.example"), "{entered}");
}

/// Posts the form of the page that asks before an action.
async fn confirm(app: &TestApp, browser: &mut Browser, path: &str) -> Reply {
    let asks = browser.open(app, path).await;
    assert_eq!(asks.status, 200, "{asks}");
    browser.submit(app, &asks, &[]).await
}

#[tokio::test]
async fn a_user_is_disabled_once_and_the_second_tab_is_told() {
    let app = with_console("").await;
    let mut browser = operator(&app).await;
    let (mut bobs, tokens) = app.sign_in("app", &bob()).await;
    let own = user(&app, &mut browser, "bob").await;
    let disable = link(&page(&app, &mut browser, &own).await, "/console/user/disable");
    let (one, two) = (browser.open(&app, &disable).await, browser.open(&app, &disable).await);
    assert!(one.text().contains("every sign-in is refused"), "{one}");
    let done = browser.submit(&app, &one, &[]).await;
    assert!(done.text().contains("is disabled now") && done.text().contains("Enable user"), "{done}");
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400);
    let silent = Authorize::of("app").set("prompt", "none").url(&app);
    bobs.open(&app, &silent).await.assert_app_error("app", "login_required");
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), &bob())
        .await
        .assert_error_page(403, "user_disabled");

    let told = browser.submit(&app, &two, &[]).await;
    assert!(told.text().contains("Somebody else had disabled"), "{told}");

    let audit = events(&app, &mut browser, "kind=admin_action").await;
    assert_eq!(audit.matches("<span class=\"tag\">user_disabled</span>").count(), 1, "{audit}");
    assert!(audit.contains("by <bdi>alice</bdi>"), "{audit}");

    let enable = link(&page(&app, &mut browser, &own).await, "/console/user/enable");
    let enabled = confirm(&app, &mut browser, &enable).await;
    assert!(enabled.text().contains("is enabled again"), "{enabled}");
    app.sign_in("app", &bob()).await;
    let again = confirm(&app, &mut browser, &enable).await;
    assert!(again.text().contains("was enabled already"), "{again}");
}

#[tokio::test]
async fn the_console_does_not_overrule_the_file() {
    let app = with_console("").await;
    let mut browser = operator(&app).await;
    app.sign_in("app", &bob()).await;
    let own = user(&app, &mut browser, "bob").await;
    let sub = own.split_once("sub=").unwrap().1.to_owned();
    app.reload(BASE, &[CONSOLE, "users.bob.enabled = false"]).await;
    let shown = page(&app, &mut browser, &own).await;
    assert!(shown.contains("Disabled in the file") && !shown.contains("/console/user/enable"), "{shown}");
    let refused = confirm(&app, &mut browser, &format!("/console/user/enable?sub={sub}")).await;
    refused.assert_error_page(409, "invalid_request");
}

#[tokio::test]
async fn sessions_end_one_by_one_and_all_at_once() {
    let app = with_console("").await;
    let mut browser = operator(&app).await;
    let (mut lost, tokens) = app.sign_in("app", &bob()).await;
    app.sign_in("app", &bob()).await;
    let sid = tokens.claims()["sid"].as_str().unwrap().to_owned();
    let all = page(&app, &mut browser, "/console/sessions").await;
    assert!(all.contains(&sid) && all.contains("Yours"), "{all}");
    let end = format!("/console/session/end?id={sid}");
    let (one, two) = (browser.open(&app, &end).await, browser.open(&app, &end).await);
    let done = browser.submit(&app, &one, &[]).await;
    assert!(done.text().contains("A session of") && !done.text().contains(&sid), "{done}");
    let silent = Authorize::of("app").set("prompt", "none").url(&app);
    lost.open(&app, &silent).await.assert_app_error("app", "login_required");
    let told = browser.submit(&app, &two, &[]).await;
    assert!(told.text().contains("had already ended"), "{told}");

    let own = user(&app, &mut browser, "bob").await;
    let all_of_bob = link(&page(&app, &mut browser, &own).await, "/console/user/sessions/end");
    let done = confirm(&app, &mut browser, &all_of_bob).await;
    assert!(done.text().contains("Sessions that were ended") && done.text().contains("No session is open"), "{done}");
}

#[tokio::test]
async fn consents_and_the_grants_of_an_app_are_revoked() {
    let app = with_console("clients.app.consent = \"explicit\"").await;
    let mut browser = operator(&app).await;
    let mut bobs = Browser::new();
    let asked = app.through_provider(&mut bobs, &Authorize::of("app"), &bob()).await;
    let answer = bobs.submit(&app, &asked, &[("decision", "allow")]).await;
    let tokens = app.tokens("app", &answer).await;
    let own = user(&app, &mut browser, "bob").await;
    let revoke = link(&page(&app, &mut browser, &own).await, "/console/consent/revoke");
    let (one, two) = (browser.open(&app, &revoke).await, browser.open(&app, &revoke).await);
    let done = browser.submit(&app, &one, &[]).await;
    assert!(done.text().contains("The consent was revoked"), "{done}");
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400);
    let told = browser.submit(&app, &two, &[]).await;
    assert!(told.text().contains("no consent to revoke any more"), "{told}");

    let (_, tokens) = app.sign_in("other", &bob()).await;
    let done = confirm(&app, &mut browser, "/console/client/revoke?id=other").await;
    assert!(done.text().contains("Grants that were revoked: <bdi>1</bdi>"), "{done}");
    assert_eq!(app.refresh("other", tokens.refresh()).await.status, 400);
}

#[tokio::test]
async fn d20_an_action_of_the_console_wants_a_recent_sign_in_and_its_own_form() {
    let app = with_console("session.max_inactive = \"2h\"").await;
    let mut browser = operator(&app).await;
    let (_, tokens) = app.sign_in("app", &bob()).await;
    let own = user(&app, &mut browser, "bob").await;
    let disable = link(&page(&app, &mut browser, &own).await, "/console/user/disable");
    let form = Form::all(&browser.open(&app, &disable).await.text()).remove(0);
    let silent = |reply: &Reply| assert!(!reply.text().contains("is disabled now"), "{reply}");

    // Without the form's token, with that of another action, and with that of another operator's session.
    let headers = [("origin", app.origin()), ("sec-fetch-site", "same-origin")];
    let bare = browser.send(&app, Method::POST, &disable, Some(&[]), &headers).await;
    bare.assert_error_page(403, "csrf_failed");
    let csrf = form.field("csrf").unwrap().to_owned();
    let sub = own.split_once("sub=").unwrap().1.to_owned();
    let elsewhere = format!("/console/user/sessions/end?sub={sub}");
    let other = browser.send(&app, Method::POST, &elsewhere, Some(&[("csrf", &csrf)]), &headers).await;
    other.assert_error_page(403, "csrf_failed");
    let mut another = operator(&app).await;
    another.submit_form(&app, &form, &[]).await.assert_error_page(403, "csrf_failed");
    let cross = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let foreign = browser.send(&app, Method::POST, &disable, Some(&[("csrf", &csrf)]), &cross).await;
    foreign.assert_error_page(403, "csrf_failed");

    // After a while the person signs in again first, and is asked again.
    app.wait(1200);
    let asks = browser.open(&app, &disable).await;
    assert!(asks.text().contains("Sign in again"), "{asks}");
    let leaving = browser.submit(&app, &asks, &[]).await.location();
    assert!(leaving.contains("prompt=login"), "{leaving}");
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 200, "nothing has happened yet");
    let callback = app.net.idp_of(&leaving).authorize(&leaving, &alice());
    let back = browser.open(&app, &callback).await;
    silent(&back);
    let done = browser.submit(&app, &back, &[]).await;
    assert!(done.text().contains("is disabled now"), "{done}");
}

#[tokio::test]
async fn refusals_are_counted_filtered_and_lead_to_their_decision() {
    let app = with_console("clients.other.require = \"'admins' in groups\"").await;
    let mut browser = operator(&app).await;
    app.sign_in("app", &bob()).await;
    for _ in 0..2 {
        let refused = app.through_provider(&mut Browser::new(), &Authorize::of("other"), &bob()).await;
        refused.assert_error_page(403, "client_requirement_not_met");
    }
    let first = page(&app, &mut browser, "/console").await;
    for parameter in ["client=other", "provider=staff"] {
        let of = link(&first, &format!("/console/refusals?{parameter}"));
        assert!(first.contains(&format!("{}</code> <b>2</b>", parameter.split('=').nth(1).unwrap())), "{first}");
        assert!(page(&app, &mut browser, &of).await.contains(">bob<"), "{parameter}");
    }
    let list = page(&app, &mut browser, &link(&first, "/console/refusals?reason=client_requirement_not_met")).await;
    assert!(list.contains(">bob<") && list.contains(">other<"), "{list}");
    let trace = page(&app, &mut browser, &link(&list, "/console/trace/")).await;
    assert!(trace.contains("require does not hold") && trace.contains("overlay-1.toml:1"), "{trace}");
    assert!(trace.contains(">bob<"), "{trace}");
    for (filter, found) in [
        ("client=other", true),
        ("client=app", false),
        ("provider=staff", true),
        ("user=bob", true),
        ("user=alice", false),
    ] {
        let list = page(&app, &mut browser, &format!("/console/refusals?{filter}")).await;
        assert_eq!(list.replace("&#x2f;", "/").contains("/console/trace/"), found, "{filter}: {list}");
    }
}

#[tokio::test]
async fn roles_say_whether_a_provider_made_them_and_what_leads_to_them() {
    let roles = r#"
providers.staff.create_roles = true
[roles.admin]
description = "May change anything"
permissions = ["users:write"]
[[role_rules]]
when = "'oncall' in groups"
roles = ["admin"]
"#;
    let app = with_console(roles).await;
    let mut browser = operator(&app).await;
    app.sign_in("app", &with(bob(), json!({ "roles": ["<made-up>"] }))).await;
    let list = page(&app, &mut browser, "/console/roles").await;
    for shown in ["admin", "users:write", "May change anything", "&lt;made-up&gt;", ">System<", "No permissions"] {
        assert!(list.contains(shown), "{shown}: {list}");
    }
    let admin = page(&app, &mut browser, "/console/role?name=admin").await;
    assert!(admin.contains("oncall") && admin.contains("overlay-1.toml:6") && !admin.contains(">System<"), "{admin}");
    let made = page(&app, &mut browser, "/console/role?name=%3Cmade-up%3E").await;
    assert!(made.contains("no permissions until the file declares it"), "{made}");
}

#[tokio::test]
async fn generations_show_what_changed_and_what_each_process_runs() {
    let app = with_console("").await;
    let mut browser = operator(&app).await;
    let started = page(&app, &mut browser, "/console/configuration").await;
    assert!(started.contains(">Started<") && started.contains("This one"), "{started}");
    app.reload(
        BASE,
        &[
            CONSOLE,
            "clients.app.client_name = \"Another <name>\"\nclients.app.client_secret = \"another-secret-0123456789\"",
        ],
    )
    .await;
    let applied = page(&app, &mut browser, "/console/configuration").await;
    for shown in [">Applied<", "clients.app.client_name", "The App", "Another &lt;name&gt;"] {
        assert!(applied.contains(shown), "{shown}: {applied}");
    }
    assert!(!applied.contains("another-secret") && !applied.contains("secret-of-app"), "{applied}");
    assert!(!applied.contains("They run different configurations"), "{applied}");

    // Another process on the same store, with another file.
    let other = app.restarted(BASE, &[CONSOLE, "clients.app.client_name = \"Third\""]).await;
    let both = page(&other, &mut browser, "/console/configuration").await;
    assert!(both.contains("They run different configurations"), "{both}");
    app.wait(3600);
    other.broker.housekeeping().await;
    let mut browser = operator(&other).await;
    let alone = page(&other, &mut browser, "/console/configuration").await;
    assert!(!alone.contains("They run different configurations"), "the first process is gone: {alone}");
}

#[tokio::test]
async fn lists_of_the_configuration_are_paged() {
    let clients: String = (0..120)
        .map(|n| {
            format!("[clients.many-{n:03}]\nclient_secret = \"secret-of-many-{n}-0123456789\"\ngrant_types = []\n")
        })
        .collect();
    let app = with_console(&clients).await;
    let mut browser = operator(&app).await;
    let (mut path, mut pages, mut seen) = ("/console/clients".to_owned(), 0, 0);
    let key = regex::Regex::new(">many-[0-9]{3}</code>").unwrap();
    loop {
        let html = page(&app, &mut browser, &path).await;
        seen += key.find_iter(&html).count();
        pages += 1;
        if !html.contains("rel=\"next\"") {
            break;
        }
        path = link(&html, "after=");
    }
    assert_eq!((seen, pages), (120, 3));
}

#[tokio::test]
async fn a_refused_reload_is_remembered_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.toml");
    std::fs::write(&file, format!("{BASE}{CONSOLE}")).unwrap();
    let clock = ManualClock::at(START);
    let net = Net::of(&[IDP, PARTNER], &clock);
    let broker = Broker::on_disk(&file, &clock, &net).await;
    let mut reloader = broker.reloader(&file);
    std::fs::write(&file, format!("{BASE}{CONSOLE}[clients.app.claims]\nx = \"(\"\n")).unwrap();
    reloader.reload().await;
    reloader.reload().await;
    let generations = broker.store.generations(10).await.unwrap();
    let told: Vec<bool> = generations.iter().map(|generation| generation.applied).collect();
    assert_eq!(told, [false, true], "the refused one, and the one that serves");
}

#[tokio::test]
async fn a_search_that_finds_nobody_names_those_who_may_be_meant() {
    let app = with_console("").await;
    let mut browser = operator(&app).await;
    let html = page(&app, &mut browser, "/console/users?q=alcie").await;
    assert!(html.contains("No user is found.") && html.contains("Did you mean:"), "{html}");
    let found = page(&app, &mut browser, &link(&html, "/console/users?q=alice")).await;
    assert!(link(&found, "/console/user?sub=").len() > 20, "{found}");
    for query in ["alice", "zebra", ""] {
        let html = page(&app, &mut browser, &format!("/console/users?q={query}")).await;
        assert!(!html.contains("Did you mean:"), "{query}: {html}");
    }
}
