//! GitHub: OAuth 2.0 without ID tokens, organisations and teams, both kinds of tokens, and all that an API can answer.

use std::sync::Arc;

use countersign::outbound::OutboundError;
use serde_json::{Value, json};

use crate::harness::compose::prepared;
use crate::harness::github::{Github, SECRET, team};
use crate::harness::{Answer, Authorize, BASE, Browser, Reply, TestApp, Tokens};

const API: &str = "https://api.github.com";

/// [`BASE`] with GitHub as its only provider, and these lines.
fn config(lines: &str) -> String {
    let apps = BASE.split_once("[clients.app]").unwrap().1;
    format!(
        "issuer = \"https://sso.example.com\"\nstore.url = \"sqlite::memory:\"\n[providers.github]\npreset = \"github\"\n\
         client_id = \"Ov23li\"\nclient_secret = \"{SECRET}\"\n{lines}\n[clients.app]{apps}"
    )
}

async fn with(lines: &str) -> (TestApp, Arc<Github>) {
    let app = TestApp::from(&config(lines)).await;
    let github = Github::at(&app, "https://github.com", API);
    (app, github)
}

async fn acme() -> (TestApp, Arc<Github>) {
    with(&format!("organizations = [\"acme\"]\n{UNKEPT}")).await
}

/// Nothing of what the API says is kept.
const UNKEPT: &str = "groups_from = { source = \"github\", max_age = \"0s\", unavailable = \"deny\" }";

/// A sign-in in this browser, up to the broker's last answer.
async fn attempt_in(browser: &mut Browser, app: &TestApp, github: &Github, request: &Authorize) -> Reply {
    let leaving = browser.open(app, &request.url(app)).await;
    let back = github.agree(&leaving);
    browser.open(app, &back).await
}

async fn attempt(app: &TestApp, github: &Github) -> Reply {
    attempt_in(&mut Browser::new(), app, github, &Authorize::of("app")).await
}

async fn signed_in(app: &TestApp, github: &Github) -> Tokens {
    let request = Authorize::of("app").set("scope", "openid profile email groups offline_access");
    let reply = attempt_in(&mut Browser::new(), app, github, &request).await;
    app.tokens("app", &reply).await
}

#[tokio::test]
async fn somebody_signs_in_with_organisations_and_teams() {
    let (app, github) = acme().await;
    let leaving = Browser::new().open(&app, &Authorize::of("app").url(&app)).await.location();
    assert!(
        leaving.contains("scope=read%3Auser+user%3Aemail+read%3Aorg") && leaving.contains("code_challenge="),
        "{leaving}"
    );
    assert!(!leaving.contains("nonce="), "{leaving}");
    let claims = Value::from(signed_in(&app, &github).await.claims());
    for (name, value) in [
        ("preferred_username", json!("octocat")),
        ("name", json!("The Octocat")),
        ("email", json!("octocat@acme.example")),
        ("email_verified", json!(true)),
        ("picture", json!("https://avatars.example/1")),
        ("groups", json!(["Acme", "Acme/sre", "octo-org/admins"])),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
}

#[tokio::test]
async fn people_are_known_by_their_number() {
    let (app, github) = acme().await;
    let first = signed_in(&app, &github).await.sub();
    github.is_used_by(583_231, "renamed");
    assert_eq!(signed_in(&app, &github).await.sub(), first, "the same person under another login");
    github.is_used_by(7, "octocat");
    attempt(&app, &github).await.assert_error_page(403, "username_taken");
    for id in [json!(null), json!(""), json!({}), json!([583_231]), json!("x".repeat(256))] {
        github.says("id", id.clone());
        attempt(&app, &github).await.assert_error_page(400, "token_invalid");
    }
}

#[tokio::test]
async fn only_members_of_the_organizations_enter() {
    let (app, github) = acme().await;
    assert!(attempt(&app, &github).await.location().contains("code="), "Acme is acme");
    for orgs in
        [vec![], vec![json!({ "login": "acme-fans" })], vec![json!({ "login": ["acme"] }), json!("acme"), json!(null)]]
    {
        github.list("orgs", orgs);
        attempt(&app, &github).await.assert_error_page(403, "not_allowed");
    }
    // One that enforces single sign-on is not told until the person has signed in there.
    github.hides("1,2");
    attempt(&app, &github).await.assert_error_page(403, "not_allowed");
}

#[tokio::test]
async fn an_organisation_that_anybody_can_found_is_no_group() {
    let (app, github) = acme().await;
    github.list("orgs", vec![json!({ "login": "acme" }), json!({ "login": "admin" })]);
    github.list("teams", vec![team("admin", "all")]);
    let claims = Value::from(signed_in(&app, &github).await.claims());
    assert_eq!(claims["groups"], json!(["acme", "admin/all"]));
}

#[tokio::test]
async fn all_pages_are_read() {
    let (app, github) = acme().await;
    github.list("teams", (0..250).map(|n| team("acme", &format!("t{n}"))).collect());
    let groups = Value::from(signed_in(&app, &github).await.claims())["groups"].clone();
    assert_eq!(groups.as_array().unwrap().len(), 251);
    assert_eq!((github.calls("/user/teams").len(), github.calls("/user/orgs").len()), (3, 1));
    let calls = app.net.authorized();
    assert!(calls.len() >= 5 && calls.iter().all(|(_, marked)| *marked), "{calls:?}");
}

#[tokio::test]
async fn d24_pages_without_end_and_pages_elsewhere_admit_nobody() {
    let (app, github) = acme().await;
    for next in [
        "https://evil.example/user/orgs",
        "https://api.github.com/user/keys",
        "https://api.github.com@evil.example/user/orgs",
        "http://api.github.com/user/orgs",
        "//evil.example/user/orgs",
        "https://[bad",
    ] {
        github.next_page(next);
        attempt(&app, &github).await.assert_error_page(502, "provider_unavailable");
        // After a failure nothing is asked about this person for a moment.
        app.wait(10);
    }
    assert!(app.net.asked().iter().all(|url| !url.contains("evil")), "the token goes nowhere else");
    let calls = || ["", "/emails", "/orgs", "/teams"].map(|list| github.calls(&format!("/user{list}")).len());
    let before: usize = calls().iter().sum();
    github.next_page("https://api.github.com/user/orgs?page=2");
    github.answer("/user/emails", Answer::json(200, &json!([])));
    github.answer("/user/teams", Answer::json(200, &json!([])));
    attempt(&app, &github).await.assert_error_page(502, "provider_unavailable");
    assert_eq!(calls().iter().sum::<usize>() - before, 64, "all calls of a sign-in are bounded together");
    assert!(app.broker.status().await.contains("its list does not end"));
}

#[tokio::test]
async fn d24_whatever_the_api_answers_nobody_enters_on_half_of_it() {
    let answers = || {
        vec![
            Answer::Fails(OutboundError::Timeout),
            Answer::Fails(OutboundError::TooLarge(1 << 20)),
            Answer::Fails(OutboundError::Redirect(301)),
            Answer::json(401, &json!({ "message": "Bad credentials" })),
            Answer::json(403, &json!({ "message": "Resource not accessible by integration" })),
            Answer::json(404, &json!({ "message": "Not Found" })),
            Answer::json(429, &json!({ "message": "API rate limit exceeded" })),
            Answer::json(500, &json!({})),
            Answer::Raw(200, "text/html", b"<html>Unicorn!</html>".to_vec()),
            Answer::Raw(200, "application/json", b"[{\"login\":\"acme\"".to_vec()),
            Answer::Raw(200, "application/json", vec![0xff; 64]),
            Answer::json(200, &json!("acme")),
            Answer::json(200, &json!(7)),
            Answer::Raw(204, "application/json", Vec::new()),
        ]
    };
    for path in ["/user", "/user/orgs", "/user/teams", "/user/emails", "/login/oauth/access_token"] {
        for answer in answers() {
            let (app, github) = acme().await;
            github.answer(path, answer.clone());
            let mut browser = Browser::new();
            let reply = attempt_in(&mut browser, &app, &github, &Authorize::of("app")).await;
            // An address is not what a policy of organisations rests on: a token that may not read it leaves it out.
            let tolerated = path == "/user/emails" && matches!(answer, Answer::Raw(403 | 404, ..));
            assert_eq!(browser.session().is_some(), tolerated, "{path} {answer:?}: {reply}");
            let refused = matches!(reply.status.as_u16(), 400 | 502);
            assert!(tolerated || refused, "{path} {answer:?}: {reply}");
        }
    }
}

#[tokio::test]
async fn what_the_token_may_not_read_is_told_with_the_way_out() {
    let (app, github) = acme().await;
    github.answer("/user/teams", Answer::json(403, &json!({ "message": "Resource not accessible by integration" })));
    attempt(&app, &github).await.assert_error_page(502, "provider_unavailable");
    let status = app.broker.status().await;
    assert!(status.contains("https://api.github.com/user/teams"), "{status}");
    assert!(status.contains("it needs the scope read:org"), "{status}");
    // Without read:org they are not asked for.
    let (app, github) = with("scopes = [\"read:user\"]\nallow = \"claims.login == 'octocat'\"").await;
    let claims = Value::from(signed_in(&app, &github).await.claims());
    assert!(claims["groups"].as_array().is_none_or(Vec::is_empty) && claims.get("email").is_none(), "{claims}");
    assert!(github.calls("/user/orgs").is_empty() && github.calls("/user/emails").is_empty());
}

#[tokio::test]
async fn d47_an_address_counts_as_verified_only_if_github_says_so() {
    let (app, github) = acme().await;
    for (entry, verified) in [
        (json!({ "email": "a@acme.example", "primary": true, "verified": true }), json!(true)),
        (json!({ "email": "a@acme.example", "primary": true, "verified": false }), json!(false)),
        (json!({ "email": "a@acme.example", "primary": true, "verified": "true" }), json!(false)),
        (json!({ "email": "a@acme.example", "primary": true }), json!(false)),
        (json!({ "email": "a@acme.example", "primary": "true", "verified": true }), Value::Null),
        (json!({ "email": 7, "primary": true, "verified": true }), Value::Null),
        (json!(null), Value::Null),
    ] {
        github.list("emails", vec![entry.clone()]);
        let claims = Value::from(signed_in(&app, &github).await.claims());
        assert_eq!(claims["email_verified"], verified, "{entry}");
    }
}

#[tokio::test]
async fn claims_of_a_protocol_that_github_does_not_speak_mean_nothing() {
    let (app, github) = acme().await;
    let first = signed_in(&app, &github).await.sub();
    for (name, value) in
        [("sub", json!("1")), ("iss", json!("https://evil.example")), ("acr", json!("gold")), ("amr", json!(["mfa"]))]
    {
        github.says(name, value);
    }
    github.says("auth_time", json!(app.now()));
    let claims = signed_in(&app, &github).await.claims();
    assert_eq!(claims["sub"], first.as_str());
    assert!(claims.get("acr").is_none() && claims.get("amr").is_none(), "{claims:?}");
}

const FRESH: &str = "organizations = [\"acme\"]\non_refresh = { claims = \"upstream\", max_age = \"0s\", unavailable = \"deny\" }\n\
                     groups_from = { source = \"github\", max_age = \"0s\", unavailable = \"deny\" }";

#[tokio::test]
async fn a_token_of_an_oauth_app_is_asked_again_until_it_is_revoked() {
    let (app, github) = with(FRESH).await;
    let tokens = signed_in(&app, &github).await;
    app.wait(60);
    github.list("teams", vec![team("acme", "night")]);
    let tokens = Tokens::read(&app.refresh("app", tokens.refresh()).await);
    assert_eq!(tokens.claims()["groups"], json!(["Acme", "acme/night"]));
    assert_eq!(github.calls("/login/oauth/access_token").len(), 1, "it does not expire");
    app.wait(60);
    github.is_used_by(7, "octocat");
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400, "somebody else's answer");
    let (app, github) = with(FRESH).await;
    let tokens = signed_in(&app, &github).await;
    app.wait(60);
    github.list("orgs", vec![]);
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400, "who left the organisation is out");
    let (app, github) = with(FRESH).await;
    let tokens = signed_in(&app, &github).await;
    app.wait(60);
    github.revokes();
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400);
}

/// The same, with what the API says kept for five minutes.
const KEPT: &str =
    "organizations = [\"acme\"]\non_refresh = { claims = \"upstream\", max_age = \"0s\", unavailable = \"deny\" }";

/// Calls to the API, by what they ask for.
fn calls(github: &Github) -> [usize; 4] {
    ["", "/emails", "/orgs", "/teams"].map(|list| github.calls(&format!("/user{list}")).len())
}

#[tokio::test]
async fn what_the_api_said_serves_sign_ins_and_refreshes_while_it_is_young() {
    let (app, github) = with(KEPT).await;
    let tokens = signed_in(&app, &github).await;
    assert_eq!(calls(&github), [1, 1, 1, 1]);
    github.list("teams", vec![team("acme", "night")]);
    github.says("name", json!("Renamed"));
    // A sign-in asks whose token it is, and nothing more.
    let claims = Value::from(signed_in(&app, &github).await.claims());
    assert_eq!(calls(&github), [2, 1, 1, 1]);
    assert_eq!(claims["groups"], json!(["Acme", "Acme/sre", "octo-org/admins"]));
    assert_eq!((&claims["name"], &claims["email"]), (&json!("Renamed"), &json!("octocat@acme.example")));
    // A refresh asks nothing.
    app.wait(299);
    let tokens = Tokens::read(&app.refresh("app", tokens.refresh()).await);
    assert_eq!((calls(&github), &tokens.claims()["groups"]), ([2, 1, 1, 1], &claims["groups"]));
    app.wait(1);
    let tokens = Tokens::read(&app.refresh("app", tokens.refresh()).await);
    assert_eq!((calls(&github), &tokens.claims()["groups"]), ([3, 2, 2, 2], &json!(["Acme", "acme/night"])));
    // Another person's are another's.
    github.is_used_by(7, "hubot");
    github.list("teams", vec![]);
    assert_eq!(signed_in(&app, &github).await.claims()["groups"], json!(["Acme"]));
    assert_eq!(calls(&github), [4, 3, 3, 3]);
    app.wait(300);
    github.is_used_by(583_231, "octocat");
    github.revokes();
    assert_eq!(
        app.refresh("app", tokens.refresh()).await.status,
        400,
        "a revoked token is found out when they are old"
    );
}

#[tokio::test]
async fn simultaneous_sign_ins_of_a_person_share_the_calls() {
    let (app, github) = with(KEPT).await;
    tokio::join!(signed_in(&app, &github), signed_in(&app, &github));
    assert_eq!(calls(&github), [2, 1, 1, 1]);
}

#[tokio::test]
async fn what_keeps_somebody_out_is_not_kept() {
    let (app, github) = with(KEPT).await;
    github.list("orgs", vec![json!({ "login": "octo-org" })]);
    attempt(&app, &github).await.assert_error_page(403, "not_allowed");
    github.list("orgs", vec![json!({ "login": "acme" })]);
    github.hides("2");
    assert!(attempt(&app, &github).await.location().contains("code="), "who has become a member enters at once");
    let before = calls(&github);
    attempt(&app, &github).await;
    assert_eq!(calls(&github), before.map(|count| count + 1), "what single sign-on hides may be seen the next time");
}

#[tokio::test]
async fn d24_memberships_of_before_serve_while_the_api_is_unavailable_and_not_when_it_refuses() {
    let lines =
        "organizations = [\"acme\"]\ngroups_from = { source = \"github\", max_age = \"1m\", max_stale = \"10m\" }";
    let (app, github) = with(lines).await;
    attempt(&app, &github).await;
    app.wait(60);
    github.answer("/user/orgs", Answer::json(503, &json!({})));
    assert!(attempt(&app, &github).await.location().contains("code="));
    let asked = github.calls("/user/orgs").len();
    attempt(&app, &github).await;
    assert_eq!(github.calls("/user/orgs").len(), asked, "it is left alone for a moment");
    app.wait(541);
    attempt(&app, &github).await.assert_error_page(502, "provider_unavailable");
    app.wait(10);
    github.answer("/user/orgs", Answer::json(200, &json!([{ "login": "acme" }])));
    assert!(attempt(&app, &github).await.location().contains("code="));
    app.wait(60);
    github.answer("/user/orgs", Answer::json(403, &json!({})));
    attempt(&app, &github).await.assert_error_page(502, "provider_unavailable");
    let most = "organizations = [\"acme\"]\ngroups_from = { source = \"github\", max_groups = 3 }";
    let (app, github) = with(most).await;
    attempt(&app, &github).await.assert_error_page(502, "provider_unavailable");
    assert!(app.broker.status().await.contains("more than 3 groups"));
}

#[tokio::test]
async fn a_reload_that_lists_an_organisation_makes_it_a_group_at_once() {
    let (app, github) = with(KEPT).await;
    signed_in(&app, &github).await;
    app.reload(&config(&KEPT.replace("[\"acme\"]", "[\"acme\", \"octo-org\"]")), &[]).await;
    let claims = signed_in(&app, &github).await.claims();
    assert_eq!(claims["groups"], json!(["Acme", "octo-org", "Acme/sre", "octo-org/admins"]));
    assert_eq!(calls(&github), [2, 1, 1, 1]);
}

#[tokio::test]
async fn a_token_of_a_github_app_is_refreshed() {
    let (app, github) = with(FRESH).await;
    github.as_github_app();
    let mut tokens = signed_in(&app, &github).await;
    for n in 1..3 {
        app.wait(60);
        tokens = Tokens::read(&app.refresh("app", tokens.refresh()).await);
        assert_eq!(github.calls("/login/oauth/access_token").len(), n + 1);
    }
    app.wait(60);
    github.answer("/login/oauth/access_token", Answer::json(200, &json!({ "error": "bad_refresh_token" })));
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400);
}

#[tokio::test]
async fn an_enterprise_server_is_asked_at_its_own_address() {
    for (base, api) in [
        ("https://github.corp.example", "https://github.corp.example/api/v3"),
        ("https://acme.ghe.com", "https://api.acme.ghe.com"),
    ] {
        let app = TestApp::from(&config(&format!("base_url = \"{base}/\"\norganizations = [\"acme\"]"))).await;
        let github = Github::at(&app, base, api);
        assert!(attempt(&app, &github).await.location().contains("code="));
        assert!(
            app.net.asked().iter().all(|url| url.starts_with(base) || url.starts_with(api)),
            "{:?}",
            app.net.asked()
        );
    }
}

#[tokio::test]
async fn errors_that_come_with_success_are_errors() {
    for (error, refuses_us) in
        [("bad_verification_code", false), ("incorrect_client_credentials", true), ("redirect_uri_mismatch", false)]
    {
        let (app, github) = acme().await;
        github.answer("/login/oauth/access_token", Answer::json(200, &json!({ "error": error })));
        attempt(&app, &github).await.assert_app_error("app", "server_error");
        assert_eq!(app.broker.status().await.contains("it refuses our credentials"), refuses_us, "{error}");
    }
}

#[tokio::test]
async fn a_fresh_authentication_can_not_be_proven_there() {
    let (app, _github) = acme().await;
    for (name, value) in [("prompt", "login"), ("max_age", "60")] {
        let request = Authorize::of("app").set(name, value);
        Browser::new().open(&app, &request.url(&app)).await.assert_app_error("app", "login_required");
    }
}

#[test]
fn settings_that_can_not_work_are_refused_with_the_way_out() {
    for (lines, part) in [
        ("", "would admit everyone in the world"),
        ("", "organizations = [\"acme\"]"),
        ("organizations = [\"acme\", \"acme\"]", "twice"),
        ("organizations = [\"\"]", "must be the name of one that may sign in"),
        (
            "organizations = [\"acme\"]\nclaims_from = [\"id_token\"]",
            "`claims_from` has no effect with preset = \"github\"",
        ),
        (
            "organizations = [\"acme\"]\nissuer = \"https://github.corp.example\"",
            "base_url = \"https://github.corp.example\"",
        ),
        (
            "organizations = [\"acme\"]\nsubject = \"claims.login\"",
            "`subject` has no effect without preset = \"oauth2\"",
        ),
        ("organizations = [\"acme\"]\nintrospect = true", "`introspect` has no effect"),
    ] {
        let prepared = prepared(&config(lines), &[], 1);
        let told = prepared.problems.render(&prepared.layers, false);
        assert!(told.contains(part), "{lines}\n{told}");
    }
}
