//! A captured test passes, and contains no personal data.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::json;

use crate::analysis::capture::*;
use crate::analysis::known::{Known, KnownLink};
use crate::decision::account::{Account, AccountIds};
use crate::decision::testing::compiled;

const FILE: &str = r#"
issuer = "https://sso.example.com"
[providers.corp]
issuer = "https://login.example"
client_id = "c"
create_users = false
allow = "claims.tid == '9f3c' && claims.email.domain() == 'corp.example'"
[providers.corp.claims]
username = "claims.preferred_username.before('@')"
department = "claims.department"
[roles.admin]
[[role_rules]]
when = "'sre' in groups"
roles = ["admin"]
[clients.grafana]
require = "'sre' in groups || 'dev' in groups"
[clients.grafana.claims]
level = "'admin' in roles ? 'A' : 'V'"
tier = "user.department == 'Board' ? 'gold' : 'basic'"
nick = "user.nickname"
who = "user.username"
"#;

fn person() -> Known {
    let claims = json!({
        "iss": "https://login.example", "sub": "u-4711", "aud": "c", "exp": 1_800_000_000, "tid": "9f3c",
        "name": "Alice Liddell", "given_name": "Alice", "email": "alice.liddell@corp.example", "email_verified": true,
        "preferred_username": "alice.liddell@corp.example", "phone_number": "+44 1632 960001", "department": "Board",
        "groups": ["sre", "secret-project"], "odd \"name\"": {"x": ["y", null, 1.0]}, "picture": "https://img.example/alice.png",
        "birthdate": "1852-05-04", "gender": "female", "updated_at": 1_834_000_000,
        "address": { "locality": "Daresbury", "country": "GB" }
    });
    let ids = AccountIds { id: "i".into(), sub: "s".into() };
    let account = Account { username: "alice.liddell".into(), ids, ..Account::default() };
    let link = KnownLink {
        provider: "corp".into(),
        issuer: "https://login.example".into(),
        subject: "u-4711".into(),
        claims: claims.as_object().unwrap().clone(),
        claims_at: 1,
    };
    Known { account, links: vec![link] }
}

fn captured(client: Option<&str>, redact_groups: bool) -> (String, Vec<String>) {
    let (config, policy) = compiled(FILE);
    let known = person();
    let wanted = Wanted { known: &known, link: &known.links[0], client, redact_groups };
    let captured = capture(&policy, &config, &wanted, &[]).unwrap();
    let text = to_toml(&captured.test);
    // It passes as part of the file.
    let (config, policy) = compiled(&format!("{FILE}\n{text}"));
    let failures = mapping_test::run_all(&policy, &config);
    assert!(failures.is_empty(), "{text}\n{}", failures[0]);
    (text, captured.kept)
}

#[test]
fn a_captured_test_holds_and_has_nobody_in_it() {
    let (text, kept) = captured(Some("grafana"), false);
    for personal in
        ["liddell", "alice", "4711", "960001", "img.example", "1800000000", "1852", "female", "1834", "daresbury"]
    {
        assert!(!text.to_lowercase().contains(personal), "{personal}: {text}");
    }
    assert_eq!(kept, ["tid", "department", "groups"]);
    assert!(text.contains("email = \"person@corp.example\""), "{text}");
    assert!(text.contains("groups = [\"sre\", \"secret-project\"]"), "{text}");
    assert!(text.contains("level = \"A\""), "{text}");
    assert!(text.contains("tier = \"gold\""), "{text}");
    assert!(text.contains("absent = [\"nick\"]"), "{text}");
}

#[test]
fn groups_can_be_hidden_too_and_refusals_are_captured() {
    let (text, _) = captured(None, true);
    assert!(!text.contains("sre") && !text.contains("secret-project"), "{text}");
    let (config, policy) = compiled(FILE);
    let mut known = person();
    known.links[0].claims.insert("tid".to_owned(), "other".into());
    let wanted = Wanted { known: &known, link: &known.links[0], client: None, redact_groups: false };
    let text = to_toml(&capture(&policy, &config, &wanted, &[]).unwrap().test);
    assert!(text.contains("expect = { refused = \"not_allowed\" }"), "{text}");
    assert!(!text.contains("alice") && !text.contains("other"), "{text}");
}

#[test]
fn a_group_that_an_app_requires_is_kept_and_the_others_are_hidden() {
    let (text, kept) = captured(Some("grafana"), true);
    assert!(text.contains("\"sre\"") && !text.contains("secret-project"), "{text}");
    assert!(kept.contains(&"groups".to_owned()), "{kept:?}");
}

#[test]
fn sign_ins_can_be_captured_one_after_the_other() {
    let known = person();
    let wanted = Wanted { known: &known, link: &known.links[0], client: None, redact_groups: false };
    let mut file = FILE.to_owned();
    let mut names = Vec::new();
    for _ in 0..3 {
        let (config, policy) = compiled(&file);
        let test = capture(&policy, &config, &wanted, &[]).unwrap().test;
        file.push_str(&to_toml(&test));
        names.push(test.name);
    }
    let (config, policy) = compiled(FILE);
    let again = capture(&policy, &config, &wanted, &names).unwrap().test.name;
    assert_eq!(names, ["", " (2)", " (3)"].map(|end| format!("captured: a sign-in through corp{end}")));
    assert_eq!(again, "captured: a sign-in through corp (4)");
}
