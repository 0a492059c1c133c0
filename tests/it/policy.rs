//! The effects of the file's policy on people and apps.

use serde_json::{Value, json};

use crate::harness::browser::unescape;
use crate::harness::{Authorize, Browser, Reply, START, TestApp, alice, bob, claims_of, with};

async fn attempt(app: &TestApp, person: &Value) -> Reply {
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), person).await
}

#[tokio::test]
async fn d00_conditions_that_can_not_be_decided_refuse() {
    for allow in [
        "'banned' in claims.no_such_claim",
        "!('banned' in claims.no_such_claim)",
        "claims.no_such_claim != 'x'",
        "claims.name > 7",
        "!('lic' in claims.preferred_username)",
        "'lic' in claims.preferred_username",
        "claims.groups == 'staff'",
        "claims.name",
        "claims.groups[17] == 'staff'",
        "claims.email.domain() == 'evil.example'",
        "double(claims.name) > 0.0",
    ] {
        let app = TestApp::with(&format!("providers.staff.allow = \"{allow}\"")).await;
        attempt(&app, &alice()).await.assert_error_page(403, "not_allowed");
    }
    for require in [
        "'a' in user.teams",
        "!('x' in user.teams)",
        "user.teams",
        "user.level",
        "groups[9] == 'x'",
        "user.level == 'x' || 'a' in user.level",
    ] {
        let mapped = "providers.staff.claims = { teams = \"claims.no_such_claim\", level = \"7\" }";
        let app = TestApp::with(&format!("{mapped}\nclients.app.require = \"{require}\"")).await;
        attempt(&app, &alice()).await.assert_error_page(403, "client_requirement_not_met");
    }
}

#[tokio::test]
async fn allow_and_require_admit_who_they_name() {
    let app = TestApp::with("providers.staff.allow = \"'oncall' in claims.groups\"").await;
    assert!(attempt(&app, &alice()).await.location().contains("code="));
    let refused = attempt(&app, &bob()).await;
    refused.assert_error_page(403, "not_allowed");

    let app = TestApp::with("clients.app.require = \"'oncall' in groups\"").await;
    assert!(attempt(&app, &alice()).await.location().contains("code="));
    let mut browser = Browser::new();
    let refused = app.through_provider(&mut browser, &Authorize::of("app"), &bob()).await;
    refused.assert_error_page(403, "client_requirement_not_met");
    assert!(unescape(&refused.text()).contains("https://app.example/cb?error=access_denied"), "a way back: {refused}");
    let tokens = app.sign_in("other", &bob()).await.1;
    assert_eq!(tokens.claims()["aud"], "other", "other apps are open to him");
}

#[tokio::test]
async fn with_prompt_none_a_refusal_goes_to_the_app() {
    let app = TestApp::base().await;
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    app.reload(crate::harness::BASE, &["users.alice.enabled = false"]).await;
    let reply = browser.open(&app, &Authorize::of("other").set("prompt", "none").url(&app)).await;
    reply.assert_app_error("other", "access_denied");
}

#[tokio::test]
async fn a_refused_person_is_named_and_may_use_another_account() {
    for (overlay, reason) in [
        ("clients.app.require = \"'oncall' in groups\"", "client_requirement_not_met"),
        ("providers.staff.allow = \"'oncall' in claims.groups\"", "not_allowed"),
    ] {
        let app = TestApp::with(overlay).await;
        let mut browser = Browser::new();
        let request = Authorize::of("app").set("login_hint", "bob@corp.example");
        let refused = app.through_provider(&mut browser, &request, &bob()).await;
        refused.assert_error_page(403, reason);
        assert!(refused.text().contains("Signed in as <bdi>Bob</bdi>"), "{refused}");
        assert!(refused.text().contains("Use another account"), "{refused}");
        let leaving = browser.submit(&app, &refused, &[]).await.location();
        let callback = app.idp().authorize(&leaving, &alice());
        let sent = app.idp().last_request();
        assert_eq!(sent["prompt"], "select_account");
        assert!(!sent.contains_key("login_hint"), "the first account is not suggested again");
        let answer = browser.open(&app, &callback).await;
        assert_eq!(answer.param("state"), "state-of-the-app");
        assert_eq!(app.tokens("app", &answer).await.claims()["preferred_username"], "alice");
        // A known user is shown by the username here.
        let mut again = Browser::new();
        let leaving = again.open(&app, &Authorize::of("app").url(&app)).await.location();
        let renamed = with(alice(), json!({ "name": "Somebody", "groups": [] }));
        let refused = again.open(&app, &app.idp().authorize(&leaving, &renamed)).await;
        assert!(refused.text().contains("Signed in as <bdi>Alice Example</bdi>"), "{refused}");
    }
}

#[tokio::test]
async fn another_account_may_be_another_providers() {
    let overlay = format!("{}[clients.app]\nrequire = \"'oncall' in groups\"\n", crate::harness::WITH_PARTNER);
    let app = TestApp::with(&overlay).await;
    app.idp().edit_discovery(|document| drop(document.insert("prompt_values_supported".to_owned(), json!(["login"]))));
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("login_hint", "bob");
    let page = browser.open(&app, &request.url(&app)).await;
    let leaving = browser.submit(&app, &page, &[("provider", "staff")]).await.location();
    let refused = browser.open(&app, &app.idp().authorize(&leaving, &bob())).await;
    let page = browser.submit(&app, &refused, &[]).await;
    assert!(page.text().contains("Partner accounts") && page.text().contains("Staff accounts"), "{page}");
    let leaving = browser.submit(&app, &page, &[("provider", "staff")]).await.location();
    app.idp().authorize(&leaving, &alice());
    assert_eq!(app.idp().last_request()["prompt"], "login", "this provider has no page that shows accounts");
    // The page belongs to this browser.
    let form = crate::harness::Form::all(&refused.text()).remove(0);
    Browser::new().submit_form(&app, &form, &[]).await.assert_error_page(403, "login_other_browser");
}

#[tokio::test]
async fn who_lacks_a_second_factor_gets_in_by_signing_in_again_with_one() {
    let app = TestApp::with("clients.app.require = \"'mfa' in amr\"").await;
    attempt(&app, &alice()).await.assert_error_page(403, "client_requirement_not_met");

    let (mut browser, without) = app.sign_in("other", &alice()).await;
    app.wait(60);
    app.idp().edit_id_token(|claims| drop(claims.insert("amr".to_owned(), json!(["pwd", "mfa"]))));
    let again = Authorize::of("app").set("prompt", "login").set("acr_values", "urn:example:mfa");
    let stepped_up = app.sign_in_with(&mut browser, &again, &alice()).await;
    assert_eq!(app.idp().last_request()["acr_values"], "urn:example:mfa", "the provider is asked for it");
    let claims = stepped_up.claims();
    assert_eq!((&claims["amr"], &claims["auth_time"]), (&json!(["pwd", "mfa"]), &json!(START + 60)));
    assert_eq!(stepped_up.sub(), without.sub());
    let reply = browser.open(&app, &Authorize::of("app").set("prompt", "none").url(&app)).await;
    assert!(reply.location().contains("code="), "from now on the session has it: {reply}");
}

const ROLES: &str = r#"
[policy]
default_roles = ["untrusted"]
default_roles_when = "no_roles"
ignore_case = ["groups"]
[roles.admin]
permissions = ["users:write"]
[roles.viewer]
[roles.untrusted]
[[role_rules]]
when = "'sre' in groups"
roles = ["admin"]
[[role_rules]]
provider = "staff"
each = "groups"
matches = '^app-(?<app>[a-z]+)-(?<level>admin|viewer)$'
roles = ["{app}:{level}"]
[clients.app.claims]
grafana_role = "'admin' in roles ? 'Admin' : 'Viewer'"
email = "null"
"https://acme.example/tier" = "'gold'"
may = "permissions"
"#;

/// Roles from patterns that can't be split at their brackets and bars.
const PATTERNS: &str = r#"
[[role_rules]]
each = "groups"
matches = 'x[a(]|y'
roles = ["bracket"]
[[role_rules]]
each = "groups"
matches = '(?x) commented-(?<name> [a-z]+ ) # the name'
roles = ["{name}:commented"]
[[role_rules]]
each = "groups"
matches = 'large-(?<name>\w{1,200})'
roles = ["{name}:large"]
[roles.bracket]
"#;

#[tokio::test]
async fn patterns_give_their_roles_whatever_brackets_comments_and_size_they_have() {
    let app = TestApp::with(PATTERNS).await;
    let request = Authorize::of("app").set("scope", "openid roles");
    for (group, role) in
        [("y", "bracket"), ("x(", "bracket"), ("commented-red", "red:commented"), ("large-red", "red:large")]
    {
        let person = with(alice(), json!({ "groups": [group] }));
        let tokens = app.sign_in_with(&mut Browser::new(), &request, &person).await;
        assert_eq!(tokens.claims()["roles"], json!([role]), "{group}");
    }
    let person = with(alice(), json!({ "groups": ["xy", "x", "y)", "commented-red # the name", "a large-red"] }));
    let tokens = app.sign_in_with(&mut Browser::new(), &request, &person).await;
    assert_eq!(tokens.claims()["roles"], json!([]), "none of them matches as a whole");
}

#[tokio::test]
async fn groups_become_roles_and_roles_become_app_claims() {
    let app = TestApp::with(ROLES).await;
    let request = Authorize::of("app").set("scope", "openid email groups roles");
    let person = with(alice(), json!({ "groups": ["SRE", "app-red-admin", "xapp-red-admin", "app-red-adminx"] }));
    let tokens = app.sign_in_with(&mut Browser::new(), &request, &person).await;
    let claims = tokens.claims();
    assert_eq!(claims["groups"], json!(["sre", "app-red-admin", "xapp-red-admin", "app-red-adminx"]));
    assert_eq!(claims["roles"], json!(["admin", "red:admin"]));
    assert_eq!(claims["grafana_role"], "Admin");
    assert_eq!(claims["https://acme.example/tier"], "gold");
    assert_eq!(claims["may"], json!(["users:write"]));
    assert!(!claims.contains_key("email"), "an absent app claim removes the scope's");
    assert_eq!(claims_of(tokens.access())["roles"], json!(["admin", "red:admin"]));
    let userinfo = app.userinfo(tokens.access()).await.json();
    assert_eq!(userinfo["grafana_role"], "Admin");
    assert!(userinfo.get("email").is_none());

    let nobody = app.sign_in_with(&mut Browser::new(), &request, &with(bob(), json!({ "groups": null }))).await;
    assert_eq!(nobody.claims()["roles"], json!(["untrusted"]));
    assert_eq!(nobody.claims()["grafana_role"], "Viewer");
}

#[tokio::test]
async fn protocol_claims_can_not_be_set_from_upstream_or_by_attributes() {
    let mapped = "[providers.staff.claims]\nsub = \"'admin'\"\n";
    let file = crate::harness::compose::prepared(crate::harness::BASE, &[mapped], 1);
    assert!(file.snapshot.is_none() && file.problems.has_errors(), "a mapping of `sub` is refused at load");

    let app = TestApp::with(
        "[scopes.profile]\nclaims = [\"tenant\", \"name\"]\n[providers.staff.claims]\ntenant = \"claims.tenant\"\n",
    )
    .await;
    let upstream =
        json!({ "tenant": "t1", "sid": "theirs", "client_id": "theirs", "jti": "theirs", "scope": "theirs" });
    let (_, tokens) = app.sign_in("app", &with(alice(), upstream)).await;
    assert_eq!(tokens.claims()["tenant"], "t1");
    for claims in [tokens.claims(), claims_of(tokens.access())] {
        assert!(!serde_json::to_string(&claims).unwrap().contains("theirs"), "{claims:?}");
    }
}

#[tokio::test]
async fn a_failing_app_claim_refuses_with_its_reason() {
    let app = TestApp::with("[clients.app.claims]\nbroken = \"int(user.name)\"").await;
    attempt(&app, &alice()).await.assert_error_page(403, "app_claim_failed");
}

#[tokio::test]
async fn a_failing_mapping_refuses_with_its_reason() {
    let app = TestApp::with("[providers.staff.claims]\nusername = \"claims.preferred_username.domain()\"").await;
    let refused = attempt(&app, &alice()).await;
    refused.assert_error_page(403, "claim_mapping_failed");
    assert!(!refused.text().contains("alice"), "claim values are not shown");
}

#[tokio::test]
async fn ten_thousand_groups_are_bounded_work() {
    let app = TestApp::with(ROLES).await;
    let groups: Vec<String> = (0..10_000).map(|n| format!("group-{n:05}")).collect();
    let person = with(alice(), json!({ "groups": groups }));
    let tokens =
        app.sign_in_with(&mut Browser::new(), &Authorize::of("app").set("scope", "openid groups"), &person).await;
    assert_eq!(tokens.claims()["groups"].as_array().unwrap().len(), 10_000);
    assert_eq!(app.userinfo(tokens.access()).await.json()["groups"].as_array().unwrap().len(), 10_000);
}

#[tokio::test]
async fn expressions_over_huge_claims_stay_bounded() {
    let explosive = "claims.groups.all(a, claims.groups.all(b, claims.groups.all(c, a != '' && b != '' && c != '')))";
    let app = TestApp::with(&format!("providers.staff.allow = \"{explosive}\"")).await;
    let groups: Vec<String> = (0..2_000).map(|n| n.to_string()).collect();
    attempt(&app, &with(alice(), json!({ "groups": groups }))).await.assert_error_page(403, "not_allowed");
}

#[tokio::test]
async fn deep_documents_are_refused_not_followed() {
    let app = TestApp::base().await;
    let deep = |levels: usize| {
        let mut value = json!("x");
        for _ in 0..levels {
            value = json!([value]);
        }
        value
    };
    let reply = attempt(&app, &with(alice(), json!({ "nested": deep(100) }))).await;
    assert!(reply.location().contains("code="), "a hundred levels can be followed: {reply}");
    let text = format!("{{\"sub\":\"1\",\"x\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    app.idp().answer("userinfo", crate::harness::Answer::Raw(200, "application/json", text.into_bytes()));
    attempt(&app, &alice()).await.assert_error_page(400, "token_invalid");
}

#[tokio::test]
async fn a_provider_gives_only_the_roles_that_it_may_assert() {
    let overlay = r#"
[providers.staff]
asserted_roles = ["viewer"]
[roles.admin]
[roles.viewer]
"#;
    let request = Authorize::of("app").set("scope", "openid roles");
    let app = TestApp::with(overlay).await;
    let person = with(alice(), json!({ "roles": ["admin", "viewer", "unheard-of"] }));
    let tokens = app.sign_in_with(&mut Browser::new(), &request, &person).await;
    assert_eq!(tokens.claims()["roles"], json!(["viewer"]));

    let app = TestApp::with("[providers.staff]\ncreate_roles = true\n[roles.admin]\npermissions = [\"all\"]\n").await;
    let tokens = app.sign_in_with(&mut Browser::new(), &request, &person).await;
    assert_eq!(tokens.claims()["roles"], json!(["admin", "unheard-of", "viewer"]));
    let mut made = app.broker.store.system_roles().await.unwrap();
    made.sort();
    assert_eq!(made, ["unheard-of", "viewer"], "names that the file does not declare");
}

#[tokio::test]
async fn tables_translate_groups() {
    let overlay = r#"
[tables.entra]
entries = { "1b2c" = "sre", "9f3c" = "dev" }
[providers.staff.claims]
groups = "claims.groups.lookup('entra')"
"#;
    let app = TestApp::with(overlay).await;
    let (_, tokens) = app.sign_in("app", &with(alice(), json!({ "groups": ["1b2c", "unknown", "9f3c"] }))).await;
    assert_eq!(tokens.claims()["groups"], json!(["sre", "dev"]));
}

#[tokio::test]
async fn d44_a_decision_about_thousands_of_roles_is_kept_short() {
    let overlay = "providers.staff.create_roles = true\nclients.app.require = \"'admins' in groups\"";
    let app = TestApp::with(overlay).await;
    let roles: Vec<String> = (0..10_000).map(|n| format!("department-of-number-{n}")).collect();
    let refused = attempt(&app, &with(alice(), json!({ "roles": roles }))).await;
    refused.assert_error_page(403, "client_requirement_not_met");
    let page = refused.text();
    let mut kept = None;
    for word in page.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_') {
        kept = kept.or(app.broker.store.trace(word, app.now()).await.unwrap());
    }
    let kept = kept.expect("the page names its trace");
    assert!(kept.data.len() < 40_000, "{}", kept.data.len());
    let decision: Value = serde_json::from_str(&kept.data).unwrap();
    assert_eq!(decision["refused"], "client_requirement_not_met");
    let texts: Vec<&str> =
        decision["steps"].as_array().unwrap().iter().map(|step| step["text"].as_str().unwrap()).collect();
    assert!(texts.iter().any(|text| text.contains("steps are left out here")), "what is missing is said");
    assert!(texts.last().unwrap().contains("require"), "how it ended is there: {:?}", texts.last());
}

#[tokio::test]
async fn who_is_refused_sees_whom_to_ask_about_the_app() {
    let app = TestApp::with(
        "clients.app.require = \"'admins' in groups\"\nclients.app.contacts = [\"helpdesk@app.example\", \"+1 555 <0100>\"]",
    )
    .await;
    let refused = attempt(&app, &alice()).await;
    refused.assert_error_page(403, "client_requirement_not_met");
    let text = refused.text();
    assert!(text.contains("helpdesk@app.example") && text.contains("+1 555 &lt;0100&gt;"), "{text}");
    let page = app.get("/no/such/page").await.text();
    assert!(!page.contains("helpdesk"), "{page}");
}

#[tokio::test]
async fn a_clients_expressions_read_the_subject_that_it_sees() {
    let app = TestApp::with(
        "clients.app.claims = { me = \"sub\" }\nclients.other = { subject_type = \"pairwise\", claims = { me = \"sub\" } }\n",
    )
    .await;
    let mut subjects = Vec::new();
    // The first sign-in creates the account; the others find it.
    for client in ["app", "other", "app", "other"] {
        let tokens = app.sign_in(client, &alice()).await.1;
        assert_eq!(tokens.claims()["me"], tokens.sub(), "{client}");
        assert_eq!(app.userinfo(tokens.access()).await.json()["me"], tokens.sub(), "{client}");
        assert!(app.refresh(client, tokens.refresh()).await.json()["access_token"].is_string());
        subjects.push(tokens.sub().to_owned());
    }
    assert_eq!(subjects[0], subjects[2]);
    assert_eq!(subjects[1], subjects[3]);
    assert_ne!(subjects[0], subjects[1]);
}

#[tokio::test]
async fn a_requirement_can_name_a_subject_that_the_file_imports() {
    let users = "[users.alice]\nlinks = [{ provider = \"staff\", sub = \"1\" }]\nsub = \"legacy-4711\"\n";
    let app = TestApp::with(&format!("clients.app.require = \"sub == 'legacy-4711'\"\n{users}")).await;
    for _ in 0..2 {
        assert!(attempt(&app, &alice()).await.location().contains("code="));
    }
    attempt(&app, &bob()).await.assert_error_page(403, "client_requirement_not_met");
}
