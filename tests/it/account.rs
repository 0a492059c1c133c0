//! The pages below `/account`: the sign-in that leads to them, the forms that act, and what they show.

use serde_json::json;

use crate::harness::{Authorize, BASE, Browser, Form, PARTNER, Reply, TestApp, WITH_PARTNER, alice, bob, with};

const ACCOUNT: &str = "[account]\n";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";
const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";

async fn broker() -> TestApp {
    TestApp::with(ACCOUNT).await
}

fn browser_with(user_agent: &str, address: &str) -> Browser {
    Browser { headers: vec![("user-agent", user_agent.to_owned())], ..Browser::at(address) }
}

/// Signs in at the account pages, from a path there to the page that comes of it.
async fn enter(app: &TestApp, browser: &mut Browser, path: &str, person: &serde_json::Value) -> Reply {
    let mut leaving = browser.open(app, path).await;
    if leaving.status == 200 {
        leaving = browser.submit(app, &leaving, &[("provider", "staff")]).await;
    }
    let leaving = leaving.location();
    let callback = app.net.idp_of(&leaving).authorize(&leaving, person);
    browser.open(app, &callback).await
}

/// The paths that a page leads to and that begin so.
fn links(page: &Reply, begin: &str) -> Vec<String> {
    let found = regex::Regex::new(r#"href="([^"]*)""#).unwrap();
    let text = page.text();
    let all = found.captures_iter(&text).map(|found| found[1].replace("&#x2f;", "/").replace("&amp;", "&"));
    all.filter(|href| href.starts_with(begin)).collect()
}

#[track_caller]
fn shows(page: &Reply, words: &[&str]) {
    assert_eq!(page.status, 200, "{page}");
    for word in words {
        assert!(page.text().contains(word), "{word} is not on the page: {page}");
    }
}

#[tokio::test]
async fn without_the_table_there_are_no_account_pages() {
    let app = TestApp::base().await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    for path in ["/account", "/account/sessions", "/account/sessions/end?id=1"] {
        browser.get(&app, path).await.assert_error_page(404, "not_found");
    }
    assert!(!browser.get(&app, "/").await.text().contains("/account"), "no page leads there");
}

#[tokio::test]
async fn a_visitor_signs_in_and_comes_back_to_the_page() {
    let app = broker().await;
    let mut browser = Browser::new();
    let page = enter(&app, &mut browser, "/account/sessions?after=x&lang=de", &alice()).await;
    shows(&page, &["Sessions and devices", "Alice Example"]);
    assert!(page.header("content-security-policy").contains("form-action 'self'"), "{page}");
    assert_eq!(page.header("cache-control"), "no-store");
    let page = browser.get(&app, "/account").await;
    shows(&page, &["alice@corp.example", "oncall", "Staff accounts"]);
    // The same session serves apps.
    assert!(browser.open(&app, &Authorize::of("app").url(&app)).await.location().contains("code="));
}

#[tokio::test]
async fn the_sign_in_comes_back_to_our_own_paths_only() {
    let app = broker().await;
    let queries = ["?to=https://evil.example", "?//evil.example", "?%2f%2fevil.example", "?next=%0d%0aSet-Cookie:x"];
    for query in queries {
        let mut browser = Browser::new();
        let leaving = browser.open(&app, &format!("/account{query}")).await.location();
        let callback = app.idp().authorize(&leaving, &alice());
        let back = browser.get(&app, &callback).await;
        assert!(back.location().starts_with("https://sso.example.com/account?"), "{back}");
    }
    for path in ["//evil.example/account", "/account//evil.example", "/account/../admin", "/account/nowhere"] {
        Browser::new().get(&app, path).await.assert_error_page(404, "not_found");
    }
    let mut browser = Browser::new();
    let long = format!("/account?after={}", "x".repeat(5000));
    let leaving = browser.open(&app, &long).await.location();
    let back = browser.get(&app, &app.idp().authorize(&leaving, &alice())).await;
    assert_eq!(back.location(), "https://sso.example.com/account", "a long query is left out");
}

#[tokio::test]
async fn a_person_chooses_among_all_providers_that_are_not_hidden() {
    let hidden = "[providers.partner]\nhidden = true\n[clients.other]\nproviders = [\"staff\", \"partner\"]\n";
    let app = TestApp::of(BASE, &[ACCOUNT, WITH_PARTNER]).await;
    let mut browser = Browser::new();
    let page = browser.get(&app, "/account").await;
    shows(&page, &["Sign in to", "Countersign", "Staff accounts", "Partner accounts"]);
    let leaving = browser.submit(&app, &page, &[("provider", "partner")]).await.location();
    assert!(leaving.starts_with(PARTNER), "{leaving}");
    let page = browser.open(&app, &app.partner().authorize(&leaving, &bob())).await;
    shows(&page, &["Bob", "Partner accounts"]);

    // A session of a provider that is hidden serves only the clients that name it.
    app.reload(BASE, &[ACCOUNT, WITH_PARTNER, hidden]).await;
    let leaving = browser.open(&app, "/account").await.location();
    assert!(leaving.starts_with("https://idp.example/"), "{leaving}");
}

#[tokio::test]
async fn a_visit_counts_as_activity_and_an_expired_session_does_not_serve() {
    let app = broker().await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    for _ in 0..3 {
        app.wait(25 * 60);
        shows(&browser.get(&app, "/account").await, &["Alice Example"]);
    }
    app.wait(31 * 60);
    assert!(browser.get(&app, "/account").await.location().starts_with("https://idp.example/"));
}

#[tokio::test]
async fn whom_the_policy_refuses_sees_why_and_no_account_page() {
    let app = broker().await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    app.reload(BASE, &[ACCOUNT, "[users.\"alice\"]\nenabled = false\n"]).await;
    browser.get(&app, "/account").await.assert_error_page(403, "user_disabled");
    // Refused by what was known: the provider has the last word, here too.
    app.reload(BASE, &[ACCOUNT, "providers.staff.allow = \"'sre' in claims.groups\"\n"]).await;
    let leaving = browser.get(&app, "/account").await.location();
    let refused = browser.open(&app, &app.idp().authorize(&leaving, &alice())).await;
    refused.assert_error_page(403, "not_allowed");
    let leaving = browser.get(&app, "/account").await.location();
    let sre = with(alice(), json!({ "groups": ["sre"] }));
    shows(&browser.open(&app, &app.idp().authorize(&leaving, &sre)).await, &["Alice Example"]);
}

#[tokio::test]
async fn nobody_is_signed_in_by_a_prefetch_or_a_head_request() {
    let app = broker().await;
    let mut browser = Browser::new();
    let prefetch = [("sec-purpose", "prefetch")];
    let reply = browser.send(&app, http::Method::GET, "/account", None, &prefetch).await;
    assert_eq!(reply.status, 503);
    let reply = browser.send(&app, http::Method::HEAD, "/account", None, &[]).await;
    assert_eq!((reply.status.as_u16(), reply.set_cookies().len()), (200, 0));
}

/// A laptop and a phone of Alice, both signed in.
async fn two_devices(app: &TestApp) -> (Browser, Browser) {
    let mut laptop = browser_with(FIREFOX, "192.0.2.1");
    let mut phone = browser_with(PHONE, "198.51.100.7");
    app.sign_in_with(&mut laptop, &Authorize::of("app"), &alice()).await;
    app.sign_in_with(&mut phone, &Authorize::of("other"), &alice()).await;
    (laptop, phone)
}

/// The page that asks before the only other session ends.
async fn ask_to_end(app: &TestApp, browser: &mut Browser) -> Reply {
    let list = browser.get(app, "/account/sessions").await;
    let ends = links(&list, "/account/sessions/end?id=");
    assert_eq!(ends.len(), 1, "{list}");
    browser.get(app, &ends[0]).await
}

#[tokio::test]
async fn a_session_on_a_lost_phone_is_ended_with_all_that_apps_kept_from_it() {
    let app = broker().await;
    let mut laptop = browser_with(FIREFOX, "192.0.2.1");
    app.sign_in_with(&mut laptop, &Authorize::of("app"), &alice()).await;
    let mut phone = browser_with(PHONE, "198.51.100.7");
    let offline = Authorize::of("app").set("scope", "openid offline_access");
    let tokens = app.sign_in_with(&mut phone, &offline, &alice()).await;

    let list = laptop.get(&app, "/account/sessions").await;
    shows(&list, &["Firefox · Linux", "192.0.2.1", "This session", "Safari · iPhone", "198.51.100.7"]);
    let ask = ask_to_end(&app, &mut laptop).await;
    shows(&ask, &["End this session?", "Safari · iPhone"]);
    let after = laptop.submit(&app, &ask, &[]).await;
    shows(&after, &["The session was ended", "Safari · iPhone · 198.51.100.7", "You are signed in nowhere else"]);

    assert!(phone.get(&app, "/account").await.location().starts_with("https://idp.example/"), "signed out");
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400, "offline access ended");
    assert_eq!(app.userinfo(tokens.access()).await.status, 401);
    shows(&laptop.get(&app, "/account").await, &["Alice Example"]);
}

#[tokio::test]
async fn all_other_sessions_end_and_those_of_others_stay() {
    let app = broker().await;
    let (mut laptop, mut phone) = two_devices(&app).await;
    let (mut bobs, _) = app.sign_in("app", &bob()).await;
    let ask = laptop.get(&app, "/account/sessions/end-others").await;
    let after = laptop.submit(&app, &ask, &[]).await;
    shows(&after, &["Other sessions that were ended", "1"]);
    assert!(phone.get(&app, "/account").await.status.is_redirection());
    shows(&bobs.get(&app, "/account").await, &["Bob"]);
    let ask = laptop.get(&app, "/account/sessions/end-others").await;
    shows(&laptop.submit(&app, &ask, &[]).await, &["There was no other session to end"]);
}

#[tokio::test]
async fn the_second_of_two_tabs_is_told_that_the_session_had_ended() {
    let app = broker().await;
    let (mut laptop, _) = two_devices(&app).await;
    let first = ask_to_end(&app, &mut laptop).await;
    let second = ask_to_end(&app, &mut laptop).await;
    shows(&laptop.submit(&app, &first, &[]).await, &["The session was ended"]);
    shows(&laptop.submit(&app, &second, &[]).await, &["This session had already ended"]);
}

#[tokio::test]
async fn an_action_needs_a_recent_sign_in_of_the_same_person() {
    let app = broker().await;
    let (mut laptop, mut phone) = two_devices(&app).await;
    app.wait(601);
    let ask = ask_to_end(&app, &mut laptop).await;
    shows(&ask, &["Sign in again to continue"]);
    let leaving = laptop.submit(&app, &ask, &[]).await.location();
    assert!(leaving.contains("prompt=login"), "{leaving}");
    shows(&phone.get(&app, "/account").await, &["Alice Example"]);

    // Whoever else signs in does not act for her.
    let other = laptop.clone().open(&app, &app.idp().authorize(&leaving, &bob())).await;
    other.assert_error_page(403, "login_required");
    // An old sign-in at the provider is none.
    let leaving = laptop.submit(&app, &ask, &[]).await.location();
    let old = app.idp().authorized_at(&leaving, &alice(), app.now() - 601);
    laptop.clone().open(&app, &old).await.assert_error_page(403, "login_required");

    let leaving = laptop.submit(&app, &ask, &[]).await.location();
    let again = laptop.open(&app, &app.idp().authorize(&leaving, &alice())).await;
    shows(&again, &["End this session?", "End session now", "Safari · iPhone"]);
    shows(&laptop.submit(&app, &again, &[]).await, &["The session was ended"]);
    assert!(phone.get(&app, "/account").await.status.is_redirection());
}

#[tokio::test]
async fn d20_a_form_serves_its_own_session_and_its_own_action_only() {
    let app = broker().await;
    let (mut laptop, mut phone) = two_devices(&app).await;
    let ask = ask_to_end(&app, &mut laptop).await;
    let form = Form::all(&ask.text()).remove(0);

    // Another person's session, and another session of the same person.
    let (mut bobs, _) = app.sign_in("app", &bob()).await;
    bobs.submit_form(&app, &form, &[]).await.assert_error_page(403, "csrf_failed");
    phone.submit_form(&app, &form, &[]).await.assert_error_page(403, "csrf_failed");
    // Another action, no token, a made-up token.
    let others = Form { action: "/account/sessions/end-others".to_owned(), ..form.clone() };
    laptop.submit_form(&app, &others, &[]).await.assert_error_page(403, "csrf_failed");
    for token in ["", "x", "AAAAAAAAAAAAAAAAAAAAAA"] {
        laptop.submit_form(&app, &form, &[("csrf", token)]).await.assert_error_page(403, "csrf_failed");
    }
    // Another site.
    let fields: Vec<(&str, &str)> = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let headers = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let reply = laptop.send(&app, http::Method::POST, &form.action, Some(&fields), &headers).await;
    reply.assert_error_page(403, "csrf_failed");
    shows(&phone.get(&app, "/account").await, &["Alice Example"]);
}

#[tokio::test]
async fn the_form_of_a_session_that_has_ended_does_nothing() {
    let app = broker().await;
    let (mut laptop, mut phone) = two_devices(&app).await;
    let ask = ask_to_end(&app, &mut laptop).await;
    let revoke = phone.get(&app, "/account/sessions/end-others").await;
    shows(&phone.submit(&app, &revoke, &[]).await, &["Other sessions that were ended"]);
    let refused = laptop.submit(&app, &ask, &[]).await;
    refused.assert_error_page(403, "session_expired");
    assert!(!links(&refused, "/account").is_empty(), "and leads to a new sign-in: {refused}");
    shows(&phone.get(&app, "/account").await, &["Alice Example"]);
}

#[tokio::test]
async fn nobody_sees_or_ends_a_session_of_somebody_else() {
    let app = broker().await;
    let (_, tokens) = app.sign_in("app", &bob()).await;
    let (mut laptop, _) = app.sign_in("app", &alice()).await;
    let sid = tokens.claims()["sid"].as_str().unwrap().to_owned();
    for id in [sid.as_str(), "nothing", "%00", "' OR 1=1"] {
        let id: String = url::form_urlencoded::byte_serialize(id.as_bytes()).collect();
        let page = laptop.open(&app, &format!("/account/sessions/end?id={id}")).await;
        shows(&page, &["This session had already ended"]);
        assert!(!page.text().contains("Bob"), "{page}");
    }
    laptop.open(&app, "/account/sessions/end").await.assert_error_page(400, "invalid_request");
    // Nor by the form for a session of one's own.
    app.sign_in_with(&mut browser_with(PHONE, "198.51.100.7"), &Authorize::of("app"), &alice()).await;
    let form = Form::all(&ask_to_end(&app, &mut laptop).await.text()).remove(0);
    let forged = Form { action: format!("/account/sessions/end?id={sid}"), ..form };
    laptop.submit_form(&app, &forged, &[]).await.assert_error_page(403, "csrf_failed");
    assert_eq!(app.userinfo(tokens.access()).await.status, 200, "Bob's session lives");
}

#[tokio::test]
async fn a_notice_is_the_brokers_own() {
    let app = broker().await;
    let (mut laptop, _) = two_devices(&app).await;
    for query in ["notice=session_ended&about=Call+0900", "notice=session_ended&about=x&proof=AAAAAAAAAAAAAAAAAAAAAA"] {
        let page = laptop.get(&app, &format!("/account/sessions?{query}")).await;
        shows(&page, &["Sessions and devices"]);
        assert!(!page.text().contains("was ended") && !page.text().contains("0900"), "{page}");
    }
}

#[tokio::test]
async fn names_and_browsers_are_shown_as_text() {
    let app = broker().await;
    let markup = "<script>alert(1)</script>";
    let long = "x".repeat(1000);
    let person = with(alice(), json!({ "name": format!("{markup}{long}"), "groups": [markup, long] }));
    let mut browser = browser_with(&format!("{markup}{long}"), "192.0.2.1");
    let page = enter(&app, &mut browser, "/account", &person).await;
    shows(&page, &["&lt;script&gt;", &long]);
    assert!(!page.text().contains("<script>"), "{page}");
    let page = browser.get(&app, "/account/sessions").await;
    shows(&page, &["&lt;script&gt;"]);
    assert!(!page.text().contains("<script>") && !page.text().contains(&"x".repeat(1100)), "{page}");
}

#[tokio::test]
async fn many_sessions_are_shown_page_by_page() {
    let app = broker().await;
    let mut first = browser_with(FIREFOX, "192.0.2.1");
    app.sign_in_with(&mut first, &Authorize::of("app"), &alice()).await;
    for index in 0..45 {
        let mut more = browser_with(PHONE, &format!("198.51.100.{index}"));
        app.sign_in_with(&mut more, &Authorize::of("app"), &alice()).await;
    }
    let (mut path, mut seen) = ("/account/sessions".to_owned(), Vec::new());
    for _ in 0..5 {
        let page = first.get(&app, &path).await;
        assert!(page.body.len() < 32 * 1024, "{} bytes", page.body.len());
        seen.extend(links(&page, "/account/sessions/end?id="));
        match links(&page, "/account/sessions?after=").first() {
            Some(next) => path.clone_from(next),
            None => break,
        }
    }
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!((seen.len(), all), (45, 45), "each session once");
}

#[tokio::test]
async fn a_refusal_by_an_app_leads_to_the_account_page() {
    let app = TestApp::of(BASE, &[ACCOUNT, "clients.other.require = \"'sre' in groups\"\n"]).await;
    let mut browser = Browser::new();
    let refused = app.through_provider(&mut browser, &Authorize::of("other"), &alice()).await;
    refused.assert_error_page(403, "client_requirement_not_met");
    assert!(links(&refused, "/account").len() == 1, "{refused}");
    assert_eq!(links(&browser.get(&app, "/").await, "/account").len(), 1);
}

/// A file in which much can be seen of a person.
const RICH: &str = r#"
policy.default_roles = ["reader"]
policy.default_roles_when = "no_roles"
providers.staff.claims.department = "claims.dep"
providers.staff.create_roles = true
roles.reader.permissions = ["read"]
roles.admin.permissions = ["write"]
roles.auditor = {}
[[role_rules]]
when = "'oncall' in groups"
roles = ["admin"]
[users."alice"]
groups = ["local-choir"]
roles = ["auditor"]
[scopes.tenant]
description = "Your organisation"
claims = ["department"]
"#;

#[tokio::test]
async fn the_overview_says_what_each_part_rests_on() {
    let app = TestApp::of(BASE, &[ACCOUNT, RICH]).await;
    let person = with(alice(), json!({ "dep": "Harbour", "roles": ["helper"] }));
    let mut browser = Browser::new();
    let page = enter(&app, &mut browser, "/account", &person).await;
    shows(&page, &["Harbour", "claims.dep", "local-choir", "It is given to you by name.", "auditor"]);
    shows(
        &page,
        &["A rule gives it to you:", "&#x27;oncall&#x27; in groups", "helper", "The role is not declared here"],
    );
    let places = regex::Regex::new(r#"class="place"[^>]*>[^<]*:\d+</code>"#).unwrap();
    assert!(places.find_iter(&page.text()).count() >= 4, "each with its line: {page}");
    assert!(!page.text().contains("by default"), "{page}");

    // Somebody without anything of that.
    let nobody = json!({ "sub": "9", "preferred_username": "carol" });
    let page = enter(&app, &mut Browser::new(), "/account", &nobody).await;
    shows(&page, &["You are in no group.", "reader", "You get it by default."]);
}

#[tokio::test]
async fn the_folders_of_the_server_are_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let main = folder.path().join("broker.toml");
    let base = BASE.replace("[clients.other]\n", "[clients.other]\nrequire = \"'sre' in groups\"\n");
    let more = "[roles.auditor]\n[users.alice]\ngroups = [\"local-choir\"]\nroles = [\"auditor\"]\n";
    std::fs::write(&main, format!("{base}\n{ACCOUNT}{more}")).unwrap();
    let app = TestApp::on_disk(&main).await;
    let mut browser = Browser::new();
    let overview = enter(&app, &mut browser, "/account", &alice()).await;
    shows(&overview, &["local-choir", ">broker.toml:"]);
    let apps = browser.get(&app, "/account/apps").await;
    shows(&apps, &["No access", ">broker.toml:"]);
    let folder = folder.path().file_name().unwrap().to_str().unwrap();
    for page in [overview, apps] {
        assert!(!page.text().contains(folder), "{page}");
    }
}

#[tokio::test]
async fn what_an_earlier_sign_in_left_is_not_said_to_be_the_providers_word() {
    let app = TestApp::of(BASE, &[ACCOUNT, "providers.staff.sync = [\"email\"]\n"]).await;
    let mut browser = Browser::new();
    enter(&app, &mut browser, "/account", &alice()).await;
    let renamed = with(alice(), json!({ "name": "Alice Renamed" }));
    let page = enter(&app, &mut Browser::new(), "/account", &renamed).await;
    shows(&page, &["Alice Example", "Kept from an earlier sign-in."]);
}

#[tokio::test]
async fn a_person_finds_out_alone_why_she_may_not_enter_an_app() {
    let changes = r#"
[roles.admin]
[clients.other]
client_name = "Treasury"
require = "'sre' in groups && 'admin' in roles || user.email == 'boss@corp.example'"
contacts = ["treasury@corp.example"]
[clients.spa]
client_name = "Partners only"
providers = ["partner"]
"#;
    let app = TestApp::of(
        BASE,
        &[ACCOUNT, WITH_PARTNER, changes, "clients.app.client_uri = \"https://app.example/start\"\n"],
    )
    .await;
    let mut browser = Browser::new();
    app.sign_in_with(&mut browser, &Authorize::of("app").set("kc_idp_hint", "staff"), &alice()).await;
    let refused = browser.open(&app, &Authorize::of("other").url(&app)).await;
    let refused = browser.open(&app, &app.idp().authorize(&refused.location(), &alice())).await;
    let page = browser.get(&app, &links(&refused, "/account")[0]).await;
    let page = browser.get(&app, &links(&page, "/account/apps")[0]).await;
    shows(&page, &["The App", "You may enter", "https:&#x2f;&#x2f;app.example&#x2f;start"]);
    shows(
        &page,
        &["Treasury", "No access", "It asks for the group <bdi>sre</bdi>.", "It asks for the role <bdi>admin</bdi>."],
    );
    shows(&page, &["You don’t have it", "staff, oncall", "alice@corp.example", "treasury@corp.example"]);
    shows(&page, &["Partners only", "It accepts accounts of:", "Partner accounts"]);

    // What she is given shows at once.
    let sre = with(alice(), json!({ "groups": ["sre"], "roles": ["admin"] }));
    let page = enter(&app, &mut Browser::new(), "/account/apps?after=app", &sre).await;
    assert!(!page.text().contains("It asks for"), "{page}");
}

#[tokio::test]
async fn a_hidden_provider_is_not_named_to_those_without_an_account_there() {
    let hidden = "[providers.partner]\nhidden = true\n[clients.other]\nproviders = [\"partner\"]\n";
    let app = TestApp::of(BASE, &[ACCOUNT, WITH_PARTNER, hidden]).await;
    let page = enter(&app, &mut Browser::new(), "/account/apps", &alice()).await;
    shows(&page, &["No access"]);
    assert!(!page.text().contains("Partner accounts"), "{page}");
}

const ASKS: &str = "clients.app.consent = \"explicit\"\n";

#[tokio::test]
async fn a_consent_is_taken_back_with_the_access_that_rests_on_it() {
    let app = TestApp::of(BASE, &[ACCOUNT, ASKS]).await;
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("scope", "openid email offline_access");
    let page = app.through_provider(&mut browser, &request, &alice()).await;
    let answer = browser.submit(&app, &page, &[("decision", "allow")]).await;
    let tokens = app.tokens("app", &answer).await;

    let list = browser.get(&app, "/account/consents").await;
    shows(&list, &["The App", "see your email address", "keep this access while you are away"]);
    let ask = browser.get(&app, &links(&list, "/account/consents/revoke")[0]).await;
    shows(&ask, &["Take back your consent for", "The App"]);
    let second = ask.clone();
    let done = browser.submit(&app, &ask, &[]).await;
    shows(&done, &["was taken back", "No app has asked you for consent."]);
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400);
    assert_eq!(browser.open(&app, &request.url(&app)).await.status, 200, "asked again");
    shows(&browser.submit(&app, &second, &[]).await, &["There is no such consent any more."]);
    let other = browser.open(&app, "/account/consents/revoke?app=nothing").await;
    shows(&other, &["There is no such consent any more."]);
    browser.open(&app, "/account/consents/revoke").await.assert_error_page(400, "invalid_request");
}

#[tokio::test]
async fn recent_sign_ins_and_refusals_are_ones_own() {
    let app = TestApp::of(BASE, &[ACCOUNT, "clients.other.require = \"'sre' in groups\"\n"]).await;
    let mut browser = browser_with(FIREFOX, "192.0.2.1");
    let refused = app.through_provider(&mut browser, &Authorize::of("other"), &alice()).await;
    refused.assert_error_page(403, "client_requirement_not_met");
    app.sign_in_with(&mut browser, &Authorize::of("app"), &alice()).await;
    let mut bobs = browser_with(PHONE, "198.51.100.7");
    app.sign_in_with(&mut bobs, &Authorize::of("app"), &bob()).await;
    app.through_provider(&mut browser, &Authorize::of("other"), &alice()).await;

    let page = browser.get(&app, "/account/activity").await;
    shows(&page, &["Signed in", "The App", "192.0.2.1", "Refused", "your account lacks something", "Trace"]);
    assert!(!page.text().contains("198.51.100.7"), "Bob's: {page}");

    for _ in 0..30 {
        app.sign_in_with(&mut Browser::at("192.0.2.9"), &Authorize::of("app"), &alice()).await;
    }
    let (mut path, mut seen) = ("/account/activity".to_owned(), 0);
    for _ in 0..4 {
        let page = browser.get(&app, &path).await;
        seen += page.text().matches("<strong>Signed in</strong>").count();
        match links(&page, "/account/activity?after=").first() {
            Some(next) => path.clone_from(next),
            None => break,
        }
    }
    assert_eq!(seen, 31);
}

#[tokio::test]
async fn each_page_of_the_account_is_small_and_in_every_language() {
    let app = TestApp::of(BASE, &[ACCOUNT, RICH]).await;
    let (browser, _) = app.sign_in("app", &alice()).await;
    let style = app.get("/static/style.css").await.body.len();
    for lang in ["en", "de", "fr", "es", "ja", "zh-Hans"] {
        let mut browser = Browser { headers: vec![("accept-language", lang.to_owned())], ..browser.clone() };
        for path in ["/account", "/account/apps", "/account/consents", "/account/activity", "/account/sessions"] {
            let page = browser.get(&app, path).await;
            shows(&page, &[&format!("<html lang=\"{lang}\"")]);
            assert!(page.body.len() + style < 40 * 1024, "{path}: {} + {style} bytes", page.body.len());
            assert!(!page.text().contains("<script"), "{page}");
        }
    }
}
