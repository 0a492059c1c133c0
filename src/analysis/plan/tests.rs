#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::convert::Infallible;

use serde_json::json;

use crate::analysis::known::KnownLink;
use crate::analysis::plan::difference::{Kind, Setting};
use crate::analysis::plan::*;
use crate::config::Config;
use crate::decision::account::{Account, AccountIds};
use crate::decision::policy::Policy;

const BASE: &str = r#"
issuer = "https://sso.example.com"
[providers.corp]
issuer = "https://login.example"
client_id = "c"
[providers.okta]
issuer = "https://okta.example"
client_id = "o"
[roles.admin]
[roles.viewer]
[[role_rules]]
when = "'sre' in groups"
roles = ["admin"]
[[role_rules]]
when = "'dev' in groups"
roles = ["viewer"]
[clients.grafana]
require = "'sre' in groups || 'dev' in groups"
[clients.grafana.claims]
level = "'admin' in roles ? 'A' : 'V'"
[clients.wiki]
"#;

/// Flattens TOML as the loader's list of origins does.
fn settings(text: &str) -> Vec<Setting> {
    fn walk(path: &str, value: &toml::Value, out: &mut Vec<Setting>) {
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    let key = crate::decision::policy::key_segment(key);
                    walk(&if path.is_empty() { key } else { format!("{path}.{key}") }, value, out);
                }
            }
            toml::Value::Array(items) if items.first().is_some_and(toml::Value::is_table) => {
                items.iter().enumerate().for_each(|(n, item)| walk(&format!("{path}[{n}]"), item, out));
            }
            other => {
                out.push(Setting { path: path.to_owned(), value: other.to_string(), place: Some("f:1".to_owned()) })
            }
        }
    }
    let mut out = Vec::new();
    walk("", &toml::from_str(text).unwrap(), &mut out);
    out
}

struct Compiled {
    config: Config,
    policy: Policy,
    settings: Vec<Setting>,
    subjects: Subjects,
}

fn compiled(text: &str) -> Compiled {
    let (config, policy) = crate::decision::testing::compiled(text);
    let subjects = config
        .clients
        .iter()
        .map(|(key, client)| {
            let pairwise = client.subject_type == Some(crate::protocol::SubjectType::Pairwise);
            (key.clone(), pairwise.then(|| key.clone()))
        })
        .collect();
    Compiled { config, policy, settings: settings(text), subjects }
}

impl Compiled {
    fn side(&self) -> Side<'_> {
        Side { config: &self.config, policy: &self.policy, settings: &self.settings, subjects: &self.subjects }
    }
}

fn person(name: &str, provider: &str, claims: serde_json::Value) -> Known {
    let issuer = if provider == "corp" { "https://login.example" } else { "https://okta.example" };
    let ids = AccountIds { id: format!("id-{name}"), sub: format!("sub-{name}") };
    let account = Account { username: name.to_owned(), ids, ..Account::default() };
    let link = KnownLink {
        provider: provider.to_owned(),
        issuer: issuer.to_owned(),
        subject: format!("up-{name}"),
        claims: claims.as_object().unwrap().clone(),
        claims_at: 1,
    };
    Known { account, links: vec![link] }
}

fn people() -> Vec<Known> {
    vec![
        person("alice", "corp", json!({ "sub": "1", "groups": ["sre"] })),
        person("bob", "corp", json!({ "sub": "2", "groups": ["dev"] })),
        person("carol", "okta", json!({ "sub": "3", "groups": ["sre"] })),
    ]
}

fn planned(old: &str, new: &str, people: Vec<Known>) -> Plan {
    let (old, new) = (compiled(old), compiled(new));
    let people = people.into_iter().map(Ok::<_, Infallible>);
    plan(old.side(), new.side(), Some(people)).unwrap_or_else(|never| match never {})
}

fn affected(plan: &Plan) -> Vec<String> {
    plan.people.as_ref().unwrap().affected.iter().map(|a| a.username.clone()).collect()
}

#[test]
fn nothing_changes_for_nobody() {
    let swapped = BASE
        .replace("'sre' in groups\"\nroles = [\"admin\"]", "X")
        .replace("'dev' in groups\"\nroles = [\"viewer\"]", "'sre' in groups\"\nroles = [\"admin\"]");
    let swapped = swapped.replace("\"X", "\"'dev' in groups\"\nroles = [\"viewer\"]");
    for new in [BASE, &swapped] {
        let plan = planned(BASE, new, people());
        assert_eq!(plan.changes, vec![], "{new}");
        assert!(!plan.has_impact() && !plan.is_refused());
        let text = plan.to_string();
        assert_eq!(text, "No setting differs.\n\nPeople: 3 known, nobody is affected\n");
    }
}

#[test]
fn a_rule_that_changes_shows_whom_it_takes_what() {
    let new = BASE.replace("when = \"'sre' in groups\"", "when = \"'sre' in groups && provider == 'okta'\"");
    let plan = planned(BASE, &new, people());
    assert_eq!(plan.changes.len(), 1);
    assert_eq!((plan.changes[0].entry.as_str(), plan.changes[0].kind), ("role_rules[0]", Kind::Changed));
    assert_eq!(affected(&plan), ["alice"]);
    let alice = &plan.people.as_ref().unwrap().affected[0];
    assert_eq!(alice.roles_lost, ["admin"]);
    assert_eq!(alice.claims["grafana"].changed, ["level"]);
    assert!(alice.apps_lost.is_empty());
    let text = plan.to_string();
    assert!(text.contains("  lose role admin: 1 (alice)\n  change claim level at grafana: 1 (alice)\n"), "{text}");
}

#[test]
fn apps_that_come_and_go_are_named_with_the_reason() {
    let new = BASE
        .replace("'sre' in groups || 'dev' in groups", "'sre' in groups")
        .replace("[clients.wiki]", "[clients.chat]");
    let plan = planned(BASE, &new, people());
    let entries: Vec<(&str, Kind)> = plan.changes.iter().map(|c| (c.entry.as_str(), c.kind)).collect();
    // A client without any setting has no row of its own in this list.
    assert_eq!(entries, [("clients.grafana", Kind::Changed)]);
    let new = BASE
        .replace("'sre' in groups || 'dev' in groups", "'sre' in groups")
        .replace("[clients.wiki]", "[clients.chat]\nclient_name = \"Chat\"");
    let old = BASE.replace("[clients.wiki]", "[clients.wiki]\nclient_name = \"Wiki\"");
    let plan = planned(&old, &new, people());
    let people = plan.people.as_ref().unwrap();
    let bob = people.affected.iter().find(|a| a.username == "bob").unwrap();
    assert_eq!(bob.apps_gained, ["chat"]);
    assert_eq!(
        bob.apps_lost["grafana"],
        impact::Why { reason: "client_requirement_not_met", place: "broker.toml:18".to_owned() }
    );
    assert_eq!(bob.apps_lost["wiki"].reason, "client_disabled");
    let alice = people.affected.iter().find(|a| a.username == "alice").unwrap();
    assert_eq!(alice.apps_lost.keys().collect::<Vec<_>>(), ["wiki"]);
}

#[test]
fn shutting_out_and_letting_in() {
    let new = BASE.replace("client_id = \"c\"", "client_id = \"c\"\nallow = \"'sre' in claims.groups\"");
    let plan = planned(BASE, &new, people());
    let bob = &plan.people.as_ref().unwrap().affected[0];
    assert_eq!(bob.username, "bob");
    assert_eq!(bob.shut_out.as_ref().unwrap().reason, "not_allowed");
    assert!(bob.locked_out);
    assert!(plan.notices.iter().any(|n| n.kind == "locked_out" && n.text == "1 person loses their only way in: bob"));
    let back = planned(&new, BASE, people());
    assert!(back.people.as_ref().unwrap().affected[0].let_in);
    // With a second link that still works, nobody is locked out.
    let mut both = people();
    let okta = person("bob", "okta", json!({ "sub": "9", "groups": ["dev"] })).links;
    both[1].links.extend(okta);
    let plan = planned(BASE, &new, both);
    assert!(!plan.people.as_ref().unwrap().affected[0].locked_out);
    assert!(plan.notices.is_empty(), "{:?}", plan.notices);
}

#[test]
fn providers_that_go_or_move() {
    let moved = BASE.replace("https://login.example", "https://login2.example");
    let plan = planned(BASE, &moved, people());
    assert!(
        plan.notices
            .iter()
            .any(|n| n.kind == "provider_repointed" && n.text.contains("2 accounts can no longer sign in through it"))
    );
    assert_eq!(affected(&plan), ["alice", "bob"]);
    let start = BASE.find("[providers.corp]").unwrap();
    let end = BASE.find("[roles.admin]").unwrap();
    let none = format!("{}{}", &BASE[..start], &BASE[end..]);
    let plan = planned(BASE, &none, people());
    assert!(plan.notices.iter().any(|n| n.text == "no enabled provider is left: nobody can sign in"));
    assert!(plan.notices.iter().any(|n| n.kind == "provider_removed" && n.text.contains("provider okta is removed")));
    assert_eq!(affected(&plan), ["alice", "bob", "carol"]);
}

#[test]
fn subjects_do_not_change_unasked() {
    let pairwise = BASE.replace("[clients.wiki]", "[clients.wiki]\nsubject_type = \"pairwise\"");
    let plan = planned(BASE, &pairwise, people());
    assert!(plan.is_refused());
    assert!(plan.to_string().contains("every user's sub at client wiki changes from public to pairwise for wiki"));
    let imported = format!("{BASE}\n[users.alice]\nsub = \"legacy\"");
    let plan = planned(BASE, &imported, people());
    assert!(plan.is_refused(), "{:?}", plan.notices);
    assert!(!planned(&imported, &imported, people()).is_refused());
    assert!(!planned(BASE, &format!("{BASE}\n[users.alice]\nsub = \"sub-alice\""), people()).is_refused());
}

#[test]
fn a_declared_name_that_somebody_else_has_is_seen() {
    let theirs =
        format!("{BASE}\n[users.alice]\nroles = [\"admin\"]\nlinks = [{{ provider = \"okta\", sub = \"77\" }}]");
    let plan = planned(BASE, &theirs, people());
    assert!(plan.notices.iter().any(|n| n.kind == "name_in_use"), "{:?}", plan.notices);
    let hers = theirs.replace("provider = \"okta\", sub = \"77\"", "provider = \"corp\", sub = \"up-alice\"");
    assert!(planned(BASE, &hers, people()).notices.is_empty());
}

#[test]
fn the_break_glass_account_is_a_way_in_and_its_removal_is_seen() {
    let with = format!("{BASE}\n[break_glass]\nusername = \"root\"\nroles = [\"admin\"]\n");
    let plan = planned(&with, BASE, people());
    assert!(plan.notices.iter().any(|n| n.kind == "break_glass_removed"), "{:?}", plan.notices);
    let off = with.replace("client_id", "enabled = false\nclient_id");
    let plan = planned(&with, &off, people());
    let left = "no enabled provider is left: only the break-glass account root can sign in";
    assert!(plan.notices.iter().any(|n| n.text == left), "{:?}", plan.notices);
}

#[test]
fn everybody_of_a_large_store_is_replayed_once() {
    let (old, new) =
        (compiled(BASE), compiled(&BASE.replace("'sre' in groups\"\nroles", "'leads' in groups\"\nroles")));
    let mut read = 0_usize;
    let people = (0..10_000).map(|n: usize| {
        read += 1;
        let group = if n.is_multiple_of(4) { "sre" } else { "others" };
        let claims = json!({ "sub": n.to_string(), "groups": [group, format!("group-{n}")] });
        Ok::<_, Infallible>(person(&format!("person-{n}"), "corp", claims))
    });
    let plan = plan(old.side(), new.side(), Some(people)).unwrap_or_else(|never| match never {});
    let people = plan.people.as_ref().unwrap();
    assert_eq!((read, people.known, people.replayed, people.affected.len()), (10_000, 10_000, 10_000, 2_500));
    assert!(people.affected.iter().all(|affected| affected.roles_lost == ["admin"]));
    let text = plan.to_string();
    assert!(text.contains("People: 10000 known, 2500 affected\n"), "{text}");
    assert!(text.contains("  lose role admin: 2500 (person-0, person-100, "), "{text}");
    assert!(text.contains(", and 2490 more)\n"), "{text}");
}

#[test]
fn restarts_are_named_and_no_store_is_said() {
    let new = format!("{BASE}\n[server]\nlisten = [\"127.0.0.1:9\"]\n[store]\nurl = \"sqlite:other.db\"");
    let (old, new) = (compiled(BASE), compiled(&new));
    let none: Option<std::iter::Empty<Result<Known, Infallible>>> = None;
    let plan = plan(old.side(), new.side(), none).unwrap_or_else(|never| match never {});
    assert_eq!(plan.restart, ["server.listen", "store.url"]);
    let text = plan.to_string();
    assert!(text.contains("Needs a restart: server.listen, store.url"), "{text}");
    assert!(text.contains("People: not known"), "{text}");
    let json = serde_json::to_value(&plan).unwrap();
    assert_eq!(json["people"], json!(null));
    assert_eq!(json["changes"][0]["kind"], "added");
}

#[test]
fn entries_are_split_by_meaning() {
    let old = settings(
        "issuer = \"a\"\n[users.\"a.b\"]\nroles = [\"x\"]\n[session]\nmax_lifetime = \"1h\"\n[[tests]]\nname = \"one\"\nclient = \"x\"\n[[tests]]\nname = \"two\"",
    );
    let new = settings(
        "issuer = \"b\"\n[users.\"a.b\"]\nroles = [\"y\"]\n[session]\nmax_lifetime = \"1h\"\n[[tests]]\nname = \"zero\"\n[[tests]]\nname = \"one\"\nclient = \"y\"",
    );
    let changes = difference::differences(&old, &new);
    let shown: Vec<String> =
        changes.iter().map(|c| format!("{c}").lines().map(str::trim).collect::<Vec<_>>().join(" | ")).collect();
    assert_eq!(
        shown,
        [
            "~ issuer  [f:1] | value: \"a\" -> \"b\"",
            "~ users.\"a.b\"  [f:1] | roles: [\"x\"] -> [\"y\"]",
            "~ tests[1]  [f:1] | client: \"x\" -> \"y\"",
            "- tests[1]  [f:1]",
            "+ tests[0]  [f:1] | name = \"zero\"",
        ]
    );
}

#[test]
fn a_provider_with_another_id_is_renamed_and_its_people_would_not_be_found() {
    let new = BASE.replace("[providers.corp]", "[providers.staff]\nname = \"Staff\"");
    let plan = planned(BASE, &new, people());
    let change = plan.changes.iter().find(|change| change.entry == "providers.staff").unwrap();
    let keys: Vec<&str> = change.keys.iter().map(|key| key.key.as_str()).collect();
    assert_eq!((change.kind, keys), (Kind::Renamed, vec!["id", "name"]));
    assert!(!plan.changes.iter().any(|change| change.entry == "providers.corp"));
    assert!(plan.to_string().contains("  ~ providers.staff  [f:1]\n      id: corp -> staff\n"), "{plan}");
    let text = |kind: &str| plan.notices.iter().find(|notice| notice.kind == kind).map(|notice| notice.text.as_str());
    assert!(text("provider_renamed").unwrap().contains("renamed to staff") && text("provider_removed").is_none());
    assert!(text("provider_renamed").unwrap().contains("2 accounts that it links would not be found"));
    assert_eq!(affected(&plan), ["alice", "bob"]);
    assert!(plan.people.as_ref().unwrap().affected.iter().all(|affected| affected.locked_out));
    assert!(plan.locks_out());

    // A link that the file declares finds the account under the new id too.
    let declared = format!("{new}\n[users.alice]\nlinks = [{{ provider = \"staff\", sub = \"up-alice\" }}]\n");
    let plan = planned(BASE, &declared, people());
    assert_eq!(affected(&plan), ["bob"]);
    // Another client at the same issuer is another provider.
    let other = new.replace("client_id = \"c\"", "client_id = \"other\"");
    let plan = planned(BASE, &other, people());
    assert!(plan.notices.iter().any(|notice| notice.kind == "provider_removed"));
}

#[test]
fn a_comment_shows_names_without_their_effects() {
    let new = BASE.replace("client_id = \"c\"", "client_id = \"c\"\nallow = \"'sre' in claims.groups\"");
    let mut people = people();
    people[1].account.username = "<img src=x> @team `|\u{1b}[2J".to_owned();
    let plan = planned(BASE, &new, people);
    let comment = markdown::Comment { plan: &plan, nobody_asked: None, failed_tests: &["a *test*"], refused: true };
    let text = comment.to_string();
    assert!(
        text.starts_with("### Countersign plan: refused\n\n- **Refused without --accept**: 1 person loses"),
        "{text}"
    );
    assert!(text.contains("&lt;img src=x> @<!-- -->team \\`\\|\u{fffd}\\[2J"), "{text}");
    assert!(text.contains("``<img src=x> @team `|\u{fffd}[2J``"), "{text}");
    assert!(text.contains("- **Test fails**: `a *test*`\n"), "{text}");
    assert!(text.contains("**1 of 3 people affected**"), "{text}");
    assert!(text.contains("<details><summary>1 entry differs</summary>\n\n      ~ providers.corp"), "{text}");

    let many =
        (0..10_000).map(|n| person(&format!("person-{n}"), "corp", json!({ "sub": n.to_string(), "groups": ["dev"] })));
    let plan = planned(BASE, &new, many.collect());
    let comment = markdown::Comment { plan: &plan, nobody_asked: None, failed_tests: &[], refused: false };
    assert!(comment.to_string().len() < 65_000);
}
