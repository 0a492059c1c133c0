#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::audit::{Event, Identify, Kind};
use crate::cli::{audit, capture, explain, reach};
use crate::config::load::files::Disk;
use crate::env::{Clock as _, SystemClock, SystemRandomness};
use crate::store::ids::{SessionId, UserId};
use crate::store::model::{Device, Link, LinkKey, Session, StoredTrace, TokenHash, User};
use crate::store::sqlite::{Location, SqliteStore};
use crate::store::{AccountWrite, Audit as _, Sessions as _, SignIn, Tell, Traces as _};

const FILE: &str = r#"issuer = "https://sso.example.com"
[store]
url = "sqlite:broker.db"
[providers.corp]
issuer = "https://login.example"
client_id = "c"
client_secret = "long enough for a test"
[roles.admin]
[[role_rules]]
when = "'sre' in groups"
roles = ["admin"]
[clients.grafana]
client_secret_hashes = ["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"]
redirect_uris = ["https://grafana.example.com/cb"]
require = "'sre' in groups"
[clients.grafana.claims]
level = "'admin' in roles ? 'A' : 'V'"
"#;

pub(crate) fn sign_in(name: &str, groups: &[&str]) -> SignIn {
    let key =
        LinkKey { provider: "corp".into(), issuer: "https://login.example".into(), subject: format!("up-{name}") };
    let claims = json!({ "sub": key.subject, "preferred_username": name, "name": "A Person", "groups": groups });
    let user = User {
        id: UserId::new(format!("id-{name}")),
        username: name.to_owned(),
        username_key: name.to_owned(),
        sub: format!("sub-{name}"),
        profile: serde_json::Map::new(),
        disabled: false,
        created_at: 1,
    };
    let session = Session {
        id: SessionId::new(format!("session-{name}")),
        user_id: user.id.clone(),
        link: key.clone(),
        auth_time: Some(1),
        acr: None,
        amr: Vec::new(),
        upstream_id_token: None,
        upstream_sid: None,
        device: Device::default(),
        created_at: 1,
        last_active: 1,
        max_inactive: 60,
        expires_at: 100,
    };
    let link = Link {
        key,
        user_id: user.id.clone(),
        claims: claims.as_object().unwrap().clone(),
        claims_at: 1,
        verified_email: None,
        refresh_token: None,
        created_at: 1,
    };
    let data = json!({ "steps": [{ "stage": "allow", "text": "allow holds", "path": "p", "file": "b.toml", "line": 3 }],
            "refused": "not_allowed", "provider": "corp", "generation": 2 });
    let (at, expires_at) = (1, i64::MAX);
    let trace = StoredTrace {
        id: format!("trace-{name}"),
        names: Vec::new(),
        user_id: None,
        client: Some("grafana".into()),
        data: data.to_string(),
        at,
        expires_at,
    };
    SignIn {
        account: AccountWrite::Create(user),
        only_here: false,
        link,
        system_roles: Vec::new(),
        session,
        session_secret: TokenHash::of(name),
        replaces: None,
        code: None,
        tell: Tell::default(),
        trace,
        events: Vec::new(),
    }
}

/// A folder with a configuration whose store has two users.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broker.toml"), FILE).unwrap();
    let location = Location::File(folder.path().join("broker.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = SqliteStore::open(&location, &[], Arc::new(SystemRandomness::default())).unwrap();
    for (name, groups) in [("alice", &["sre"][..]), ("bob", &["dev"][..])] {
        runtime.block_on(store.finish_sign_in(sign_in(name, groups), 1)).unwrap();
    }
    folder
}

fn source(folder: &Path) -> ConfigArgs {
    // A relative store path is relative to the folder of the configuration file.
    ConfigArgs { config: folder.join("broker.toml"), overlay: Vec::new() }
}

fn planned(folder: &Path, new: &str, change: impl FnOnce(&mut PlanArgs)) -> (Exit, String) {
    std::fs::write(folder.join("new.toml"), new).unwrap();
    let mut args = PlanArgs { new: folder.join("new.toml"), source: source(folder), ..PlanArgs::default() };
    change(&mut args);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = run(&args, &Environment::new(), &Disk, &mut out, &mut err).unwrap();
    out.extend(err);
    (exit, String::from_utf8(out).unwrap().replace(&format!("{}/", folder.display()), ""))
}

#[test]
fn a_plan_replays_the_people_of_the_store() {
    let folder = folder();
    let new = FILE.replace("when = \"'sre' in groups\"", "when = \"'dev' in groups\"");
    let (exit, text) = planned(folder.path(), &new, |_| {});
    assert_eq!(exit, Exit::Fine, "{text}");
    assert_eq!(
        text,
        "Settings
  ~ role_rules[0]  [new.toml:10]
      when: \"'sre' in groups\" -> \"'dev' in groups\"

People: 2 known, 2 affected
  lose role admin: 1 (alice)
  gain role admin: 1 (bob)
  change claim level at grafana: 1 (alice)
"
    );
    assert_eq!(planned(folder.path(), &new, |args| args.fail_on_impact = true).0, Exit::Problem);
    let (_, json) = planned(folder.path(), &new, |args| args.format = Format::Json);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["people"]["affected"][0]["roles_lost"], json!(["admin"]));
    assert_eq!(json["refused"], json!(false));
    let (exit, text) = planned(folder.path(), FILE, |args| args.fail_on_impact = true);
    assert_eq!((exit, text.as_str()), (Exit::Fine, "No setting differs.\n\nPeople: 2 known, nobody is affected\n"));
}

#[test]
fn a_table_that_sets_nothing_is_planned_too() {
    let folder = folder();
    let more = format!("{FILE}[account]\n[roles.guest]\n");
    let (_, text) = planned(folder.path(), &more, |_| {});
    assert!(text.contains("  + account  [new.toml:") && text.contains("  + roles.guest  [new.toml:"), "{text}");
    let old = folder.path().join("old.toml");
    std::fs::write(&old, more).unwrap();
    let (_, text) = planned(folder.path(), FILE, |args| args.against = Some(old));
    assert!(text.contains("  - account  [old.toml:") && text.contains("  - roles.guest  [old.toml:"), "{text}");
}

#[test]
fn what_a_plan_refuses() {
    let folder = folder();
    let imported = format!("{FILE}[users.alice]\nsub = \"legacy\"\n");
    let (exit, text) = planned(folder.path(), &imported, |_| {});
    assert_eq!(exit, Exit::Problem);
    assert!(text.contains("Refused without --force\n  users.alice imports a sub"), "{text}");
    assert_eq!(planned(folder.path(), &imported, |args| args.force = true).0, Exit::Fine);
    assert_eq!(planned(folder.path(), "issuer = 1", |_| {}).0, Exit::Problem);
    let secret = FILE.replace("long enough for a test", "another that is long");
    let (_, text) = planned(folder.path(), &secret, |_| {});
    assert!(text.contains("client_secret: *** -> ***") && !text.contains("long"), "{text}");
}

#[test]
fn who_loses_the_only_way_in_is_accepted_or_the_change_is_refused() {
    let folder = folder();
    let narrow = FILE.replace("client_id = \"c\"", "client_id = \"c\"\nallow = \"'sre' in claims.groups\"");
    let (exit, text) = planned(folder.path(), &narrow, |_| {});
    assert_eq!(exit, Exit::Problem);
    assert!(text.contains("Refused without --accept\n  1 person loses their only way in: bob\n"), "{text}");
    assert_eq!(planned(folder.path(), &narrow, |args| args.force = true).0, Exit::Problem);
    assert_eq!(planned(folder.path(), &narrow, |args| args.accept = true).0, Exit::Fine);
    let (exit, json) = planned(folder.path(), &narrow, |args| (args.json, args.accept) = (true, true));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((exit, &json["refused"], &json["notices"][0]["weight"]), (Exit::Fine, &json!(false), &json!("lockout")));
    let (_, text) = planned(folder.path(), &narrow, |args| args.format = Format::Markdown);
    assert!(text.starts_with("### Countersign plan: refused\n"), "{text}");
    let (exit, text) = planned(folder.path(), FILE, |args| args.new = "none.toml".into());
    assert_eq!((exit, text.as_str()), (Exit::CouldNotRun, "error: NEW: none.toml can't be read: it does not exist\n"));
    let (exit, text) = planned(folder.path(), FILE, |args| args.against = Some("none.toml".into()));
    assert!(exit == Exit::CouldNotRun && text.starts_with("error: --against: none.toml can't be read"), "{text}");
    let (exit, text) = planned(folder.path(), FILE, |args| args.people = Some("none.sealed".into()));
    assert!(exit == Exit::CouldNotRun && text.contains("COUNTERSIGN_PEOPLE_KEY has no key; set it, or name"), "{text}");
    let (exit, text) = planned(folder.path(), FILE, |args| args.server = Some("nowhere".to_owned()));
    assert!(exit == Exit::Usage && text.contains("--server nowhere: write http://HOST:PORT"), "{text}");
}

#[test]
fn who_cannot_get_in_is_explained_from_the_name_alone() {
    let folder = folder();
    let location = Location::File(folder.path().join("broker.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = SqliteStore::open(&location, &[], Arc::new(SystemRandomness::default())).unwrap();
    let at = SystemClock.now();
    let refusal = |account: Option<&str>| {
        let event = Event::new(Kind::Refusal, at, Identify::Username).reason("not_allowed").client("grafana");
        let event = event.provider("corp").trace_id("1234567890").address("192.0.2.1".parse().ok());
        account.into_iter().fold(event, |event, name| {
            event.about(crate::audit::Person { account: &format!("id-{name}"), username: name, sub: "s" })
        })
    };
    runtime.block_on(store.record(vec![refusal(Some("alice"))])).unwrap();
    let stranger = StoredTrace {
        id: "01ABCDEFGH".to_owned(),
        names: vec!["mallory".to_owned()],
        user_id: None,
        client: Some("grafana".to_owned()),
        data: json!({ "steps": [], "refused": "not_allowed", "provider": "corp", "generation": 1,
                "refused_by": { "expression": "'sre' in claims.groups", "near_misses": ["'/sre' is not 'sre'"],
                "values": [{ "name": "claims.groups", "value": ["/sre"], "left_out": 0 }] } })
        .to_string(),
        at,
        expires_at: at + 1000,
    };
    runtime.block_on(store.save_trace(stranger, vec![refusal(None)])).unwrap();
    drop(store);
    let run = |change: &dyn Fn(&mut explain::ExplainArgs)| {
        let mut args = explain::ExplainArgs {
            user: None,
            client: None,
            scope: Vec::new(),
            trace: None,
            last: None,
            refused: false,
            source: source(folder.path()),
            json: false,
        };
        change(&mut args);
        let mut out = Vec::new();
        let exit = explain::run(&args, &Environment::new(), &Disk, &mut out).unwrap();
        (exit, String::from_utf8(out).unwrap())
    };
    let (_, text) = run(&|args| args.user = Some("alice".into()));
    let expected = "refused (not_allowed), app grafana, through corp, from 192.0.2.1, trace 1234567890\n";
    assert!(text.starts_with("last: ") && text.contains(expected), "{text}");
    assert!(text.contains("grafana gets"), "explained for the app that refused: {text}");
    let (exit, text) = run(&|args| args.user = Some("Mallory".into()));
    assert_eq!(exit, Exit::Problem);
    for part in ["has no account", "trace 01ABCDEFGH", "'/sre' is not 'sre'", "claims.groups = [\"/sre\"]"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let (exit, text) = run(&|args| (args.last, args.refused) = (Some(10), true));
    assert_eq!((exit, text.lines().count()), (Exit::Fine, 2), "{text}");
    assert_eq!(run(&|args| args.refused = true).1.lines().count(), 2);
    // As it is read out over the telephone.
    for typed in ["01ABCDEFGH", "oi-abcde-fgh", "OLABC DEFGH"] {
        assert!(run(&|args| args.trace = Some(typed.into())).1.contains("refused  not_allowed"), "{typed}");
    }
    let (exit, text) = run(&|args| args.trace = Some("01ABCDEFG".into()));
    assert!(exit == Exit::Problem && text.contains("an id has ten letters and digits"), "{text}");

    let audit = |command: audit::AuditCommand, json: bool| {
        let broker = crate::cli::admin::BrokerArgs { config: source(folder.path()), json };
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let args = audit::AuditArgs { command, broker };
        let exit = audit::run(&args, &Environment::new(), &Disk, &mut out, &mut err).unwrap();
        (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
    };
    let query = |change: &dyn Fn(&mut audit::QueryArgs)| {
        let mut query = audit::QueryArgs { limit: 100, ..audit::QueryArgs::default() };
        change(&mut query);
        audit::AuditCommand::Query(query)
    };
    let (_, text, _) = audit(query(&|query| query.user = Some("alice".into())), false);
    assert!(text.starts_with("TIME") && text.lines().count() == 2, "{text}");
    assert!(text.contains("refusal not_allowed  alice  grafana  corp"), "{text}");
    let (_, text, _) = audit(audit::AuditCommand::Tail { lines: 20 }, true);
    let file = folder.path().join("audit.jsonl");
    std::fs::write(&file, &text).unwrap();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert_eq!(audit(query(&|query| query.from = Some("1h".into())), true).1.lines().count(), 2);
    assert_eq!(audit(query(&|query| query.to = Some("1h".into())), true).1, "");
    let (exit, _, err) = audit(query(&|query| query.to = Some("soon".into())), true);
    assert!(exit == Exit::Usage && err.contains("soon is not a time"), "{err}");
    let (exit, text, _) = audit(audit::AuditCommand::Verify { file: None }, false);
    assert!(exit == Exit::Fine && text.contains("The chain is whole: 2 events"), "{text}");
    let (exit, text, _) = audit(audit::AuditCommand::Verify { file: Some(file.clone()) }, false);
    assert!(exit == Exit::Fine && text.contains("2 events"), "{text}");
    let altered = std::fs::read_to_string(&file).unwrap().replace("192.0.2.1", "192.0.2.2");
    std::fs::write(&file, altered).unwrap();
    let (exit, text, _) = audit(audit::AuditCommand::Verify { file: Some(file) }, false);
    assert!(exit == Exit::Problem && text.contains("line 1: event 1 was altered"), "{text}");
}

#[test]
fn explain_capture_and_reach_read_the_same_store() {
    let folder = folder();
    let environment = Environment::new();
    let mut out = Vec::new();
    let mut args = explain::ExplainArgs {
        user: Some("Alice".into()),
        client: Some("grafana".into()),
        scope: Vec::new(),
        trace: None,
        last: None,
        refused: false,
        source: source(folder.path()),
        json: false,
    };
    assert_eq!(explain::run(&args, &environment, &Disk, &mut out).unwrap(), Exit::Fine);
    let text = String::from_utf8(std::mem::take(&mut out)).unwrap();
    assert!(text.contains("roles    role admin: by rule  ["), "{text}");
    assert!(text.contains("broker.toml:9]") && text.contains("    sub = \"sub-alice\""), "{text}");
    assert!(text.contains("      level = \"A\""), "{text}");
    args.client = Some("grafna".into());
    assert_eq!(explain::run(&args, &environment, &Disk, &mut out).unwrap(), Exit::Problem);
    let text = String::from_utf8(std::mem::take(&mut out)).unwrap();
    assert_eq!(text, "error: there is no client grafna; did you mean grafana?\n");
    args.client = None;
    args.user = Some("nobody".into());
    assert_eq!(explain::run(&args, &environment, &Disk, &mut out).unwrap(), Exit::Problem);
    (args.user, args.client, args.trace) = (None, None, Some("trace-bob".into()));
    out.clear();
    assert_eq!(explain::run(&args, &environment, &Disk, &mut out).unwrap(), Exit::Problem);
    let text = String::from_utf8(std::mem::take(&mut out)).unwrap();
    assert!(text.contains("allow    allow holds  [b.toml:3]\n  refused  not_allowed"), "{text}");

    let args = capture::CaptureArgs {
        user: "alice".into(),
        client: Some("grafana".into()),
        provider: None,
        redact_groups: false,
        source: source(folder.path()),
    };
    assert_eq!(capture::run(&args, &environment, &Disk, &mut out).unwrap(), Exit::Fine);
    let text = String::from_utf8(std::mem::take(&mut out)).unwrap();
    assert!(text.contains("claims = { level = \"A\" }") && !text.contains("alice"), "{text}");

    let args = reach::ReachArgs { role: "admin".into(), source: source(folder.path()), json: false };
    assert_eq!(reach::run(&args, &environment, &Disk, &mut out).unwrap(), Exit::Fine);
    assert!(String::from_utf8(out).unwrap().contains("      group sre\n          corp: claims.groups"));
}
