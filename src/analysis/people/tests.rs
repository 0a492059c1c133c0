#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::{Value, json};

use super::*;
use crate::analysis::known::{Known, KnownLink};
use crate::decision::account::{Account, AccountIds};
use crate::decision::policy::Policy;
use crate::decision::testing::compiled;

const FILE: &str = r#"
issuer = "https://sso.example.com"
[providers.corp]
issuer = "https://login.example"
client_id = "c"
allow = "claims.tid == 't1' && claims.email.endsWith('@corp.example')"
[providers.corp.claims]
username = "claims.upn.before('@')"
[roles.admin]
[[role_rules]]
when = "'sre@corp.example' in groups || user.department == 'it'"
roles = ["admin"]
[clients.app]
[users.bob]
roles = ["admin"]
"#;

fn policy(file: &str) -> Policy {
    compiled(file).1
}

fn person(name: &str, department: &str) -> Known {
    let ids = AccountIds { id: format!("secret-id-{name}"), sub: format!("sub-{name}") };
    let claims = json!({
        "tid": "t1", "upn": format!("{name}@corp.example"), "email": format!("{name}@corp.example"),
        "name": "A Person", "family_name": "Person", "groups": ["sre@corp.example"], "department": department,
        "employee_number": 4711, "ssn": "123-45", "email_verified": true, "nickname": "",
    });
    let link = KnownLink {
        provider: "corp".to_owned(),
        issuer: "https://login.example".to_owned(),
        subject: format!("up-{name}"),
        claims: claims.as_object().unwrap().clone(),
        claims_at: 1,
    };
    let account = Account { username: name.to_owned(), ids, ..Account::default() };
    Known { account, links: vec![link] }
}

#[test]
fn only_what_expressions_read_leaves_and_it_names_nobody() {
    let file = FILE.replace("[roles.admin]", "department = \"claims.department\"\n[roles.admin]");
    let policy = policy(&file);
    let wanted = Wanted::by(&policy);
    let corp = &wanted.0["corp"];
    assert_eq!(corp.groups.iter().collect::<Vec<_>>(), ["groups", "roles"]);
    assert_eq!(corp.read.iter().collect::<Vec<_>>(), ["department", "email", "tid", "upn"]);
    assert!(corp.passed_on.contains("name") && !corp.all);

    let pseudonyms = Pseudonyms::new(b"salt");
    let (alice, whole) = pseudonyms.person(&policy, &person("alice", "it"), &wanted);
    assert!(whole);
    let claims = &alice.links[0].claims;
    assert_eq!((&claims["tid"], &claims["department"]), (&json!("t1"), &json!("it")));
    assert_eq!(claims["groups"], json!(["sre@corp.example"]));
    assert_eq!(
        (&claims["name"], &claims["nickname"], &claims["email_verified"]),
        (&json!("x"), &json!(""), &json!(true))
    );
    assert!(claims["email"].as_str().unwrap().ends_with("@corp.example"));
    let all = serde_json::to_string(&alice).unwrap();
    for secret in ["alice", "Person", "4711", "123-45", "secret-id"] {
        assert!(!all.contains(secret), "{secret}: {all}");
    }
    let other = Pseudonyms::new(b"another salt").person(&policy, &person("alice", "it"), &wanted).0;
    assert_ne!(other.username, alice.username, "two exports can't be compared");
}

#[test]
fn d40_an_account_that_is_a_number_is_under_a_pseudonym_too() {
    let read = "claims.tid == 't1' && has(claims.id) && has(claims.phone_number) && has(claims.level)";
    let policy = policy(&FILE.replace("claims.tid == 't1'", read));
    let mut known = person("alice", "it");
    let link = &mut known.links[0];
    link.subject = "5832310".to_owned();
    for (name, number) in [("id", 5_832_310), ("phone_number", 4_930_123), ("level", 3)] {
        link.claims.insert(name.to_owned(), number.into());
    }
    let (alice, whole) = Pseudonyms::new(b"salt").person(&policy, &known, &Wanted::by(&policy));
    let claims = &alice.links[0].claims;
    assert!(whole && claims["id"] == alice.links[0].subject, "the same account has the same pseudonym");
    assert_eq!(claims["level"], json!(3));
    let all = serde_json::to_string(&alice).unwrap();
    assert!(!all.contains("5832310") && !all.contains("4930123"), "{all}");
}

#[test]
fn names_that_the_files_have_are_put_back() {
    let new = FILE.replace("claims.tid == 't1'", "claims.email != 'mallory@corp.example'");
    let (old, new) = (policy(FILE), policy(&new));
    let wanted = Wanted::by(&old);
    let pseudonyms = Pseudonyms::new(b"salt");
    let restored = Restored::from(&pseudonyms, &[&old, &new]);
    let back = |name: &str| restored.person(pseudonyms.person(&old, &person(name, "it"), &wanted).0);
    assert_eq!(back("bob").username, "bob", "[users] has the name");
    assert!(back("alice").username.starts_with("p-"));
    let mallory = back("mallory");
    assert_eq!(mallory.links[0].claims["email"], json!("mallory@corp.example"), "the new condition has the address");
    let mallory = mallory.into_known();
    assert!(mallory.decide(&old, &mallory.links[0], None).is_ok());
    assert!(mallory.decide(&new, &mallory.links[0], None).is_err());
}

#[test]
fn claims_stay_as_sent_where_a_condition_depends_on_how_they_are_written() {
    let policy = policy(&FILE.replace("claims.tid == 't1'", "claims.upn.startsWith('ali')"));
    let wanted = Wanted::by(&policy);
    let (alice, whole) = Pseudonyms::new(b"salt").person(&policy, &person("alice", "it"), &wanted);
    assert!(!whole);
    assert_eq!(alice.links[0].claims["upn"], json!("alice@corp.example"));
    assert_eq!(alice.links[0].claims["name"], json!("x"));
    assert!(alice.username.starts_with("p-"));
}

#[test]
fn what_a_new_file_reads_beyond_an_export_is_named() {
    let there = Wanted::by(&policy(FILE));
    let new = policy(&FILE.replace("claims.tid == 't1'", "claims.level == 'high'"));
    assert_eq!(Wanted::by(&new).beyond(&there), ["corp: level"]);
    assert_eq!(there.beyond(&there), [""; 0]);
    let all = policy(&FILE.replace("claims.tid == 't1'", "size(claims) > 2"));
    assert_eq!(Wanted::by(&all).beyond(&there), ["corp: all claims"]);
    let (everything, _) = (Exported::of(&person("alice", "it"), &Wanted::by(&all)), 0);
    assert_eq!(everything.links[0].claims["ssn"], Value::from("123-45"));
}
