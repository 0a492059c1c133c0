#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::cli::audit::{self, AuditArgs, AuditCommand};
use crate::cli::plan::tests::folder;
use crate::cli::plan::{self, PlanArgs};
use crate::config::load::files::Disk;

const KEY: &str = "a key of more than sixteen bytes";

fn source(folder: &Path) -> ConfigArgs {
    ConfigArgs { config: folder.join("broker.toml"), overlay: Vec::new() }
}

fn said(folder: &Path, command: PeopleCommand) -> (Exit, String, String) {
    let args = PeopleArgs { command, source: source(folder) };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = run(&args, &Environment::new(), &Disk, &mut out, &mut err).unwrap();
    (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// A folder whose people are exported to `people.sealed`.
fn exported() -> tempfile::TempDir {
    let folder = folder();
    let key = folder.path().join("people.key");
    std::fs::write(&key, format!("{KEY}\n")).unwrap();
    let sealed = key.display().to_string();
    let (exit, out, err) = said(folder.path(), PeopleCommand::Export { sealed, also: Vec::new() });
    assert_eq!(exit, Exit::Fine, "{err}");
    assert!(err.starts_with("2 people are exported"), "{err}");
    std::fs::write(folder.path().join("people.sealed"), out).unwrap();
    folder
}

/// A plan in a place that has the files and the people, and no store.
fn planned(folder: &Path, change: impl Fn(&str) -> String, key: &str) -> (Exit, String, String) {
    let file = std::fs::read_to_string(folder.join("broker.toml")).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::write(elsewhere.path().join("broker.toml"), &file).unwrap();
    std::fs::write(elsewhere.path().join("new.toml"), change(&file)).unwrap();
    let args = PlanArgs {
        new: elsewhere.path().join("new.toml"),
        source: source(elsewhere.path()),
        people: Some(folder.join("people.sealed")),
        without_secrets: true,
        json: true,
        ..PlanArgs::default()
    };
    let environment = Environment::from([("COUNTERSIGN_PEOPLE_KEY".to_owned(), key.to_owned())]);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = plan::run(&args, &environment, &Disk, &mut out, &mut err).unwrap();
    (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

#[test]
fn a_plan_elsewhere_says_whom_a_change_hits_by_pseudonym() {
    let folder = exported();
    let (exit, out, err) =
        planned(folder.path(), |file| file.replace("'sre' in groups\"\nroles", "'dev' in groups\"\nroles"), KEY);
    assert_eq!(exit, Exit::Fine, "{err}");
    let plan: Value = serde_json::from_str(&out).unwrap();
    let affected = plan["people"]["affected"].as_array().unwrap();
    assert_eq!((affected.len(), &plan["people"]["known"]), (2, &Value::from(2)));
    assert!(!out.contains("alice") && !out.contains("bob"), "{out}");
    let loses = affected.iter().find(|one| one["roles_lost"][0] == "admin").unwrap();
    let pseudonym = loses["username"].as_str().unwrap().to_owned();

    let name = |pseudonym: &str| PeopleCommand::Name {
        pseudonym: pseudonym.to_owned(),
        people: folder.path().join("people.sealed"),
        key: folder.path().join("people.key").display().to_string(),
    };
    assert_eq!(said(folder.path(), name(&pseudonym)).1, "alice\n", "who has the store and the key finds the person");
    let (exit, _, err) = said(folder.path(), name("p-0000000000000000"));
    assert!(exit == Exit::Problem && err.contains("nobody's pseudonym"), "{err}");
}

#[test]
fn who_loses_the_only_way_in_is_seen_and_a_name_of_the_new_file_is_used() {
    let folder = exported();
    let off = |file: &str| format!("{file}\n[users.bob]\nenabled = false\n");
    let (exit, out, _) = planned(folder.path(), off, KEY);
    let plan: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((exit, &plan["refused"]), (Exit::Problem, &Value::from(true)));
    assert_eq!(plan["notices"][0]["text"], "1 person loses their only way in: bob");
    let reads = |file: &str| {
        file.replace("require = \"'sre' in groups\"", "require = \"user.level == 'high'\"")
            .replace("[roles.admin]", "[providers.corp.claims]\nlevel = \"claims.level\"\n[roles.admin]")
    };
    let (_, out, _) = planned(folder.path(), reads, KEY);
    assert!(out.contains("claims_not_exported") && out.contains("corp: level"), "{out}");
}

#[test]
fn a_file_with_the_wrong_key_or_an_altered_line_is_refused() {
    let folder = exported();
    let same = |file: &str| file.to_owned();
    let (exit, _, err) = planned(folder.path(), same, "another key of more than sixteen bytes");
    assert!(exit == Exit::CouldNotRun && err.contains("sealed with another key, or altered"), "{err}");
    let (exit, _, err) = planned(folder.path(), same, "");
    assert!(exit == Exit::CouldNotRun && err.contains("COUNTERSIGN_PEOPLE_KEY has no key"), "{err}");
    let path = folder.path().join("people.sealed");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("sre") && !text.contains("sso.example.com"), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    // Without its people, without its end, and with its people twice.
    for altered in [vec![0, 1, 3], vec![0, 1, 2], vec![0, 1, 2, 2, 3]] {
        let altered: Vec<&str> = altered.into_iter().map(|line| lines[line]).collect();
        std::fs::write(&path, altered.join("\n")).unwrap();
        let (exit, _, err) = planned(folder.path(), same, KEY);
        assert!(exit == Exit::CouldNotRun && err.contains("its end is missing"), "{err}");
    }
    std::fs::write(&path, "something else").unwrap();
    assert!(planned(folder.path(), same, KEY).2.contains("was not written by `countersign people export`"));
    std::fs::write(&path, &text).unwrap();
    let (_, _, err) = planned(folder.path(), |file| file.replace("//sso.", "//other."), KEY);
    assert!(err.is_empty(), "only the old file says whose people they are: {err}");
}

#[test]
fn a_key_that_is_missing_or_short_is_named_and_an_export_is_in_the_trail() {
    let folder = exported();
    let missing = folder.path().join("none.key").display().to_string();
    let (exit, out, err) = said(folder.path(), PeopleCommand::Export { sealed: missing, also: Vec::new() });
    assert!(exit == Exit::CouldNotRun && out.is_empty() && err.contains("openssl rand -base64 32 > "), "{err}");
    let short = folder.path().join("short.key");
    std::fs::write(&short, "short").unwrap();
    let sealed = short.display().to_string();
    let (exit, out, err) = said(folder.path(), PeopleCommand::Export { sealed, also: Vec::new() });
    assert!(exit == Exit::CouldNotRun && out.is_empty() && err.contains("fewer than 16 bytes"), "{err}");

    let broker = crate::cli::admin::BrokerArgs { config: source(folder.path()), json: false };
    let args = AuditArgs { command: AuditCommand::Tail { lines: 5 }, broker };
    let mut trail = Vec::new();
    audit::run(&args, &Environment::new(), &Disk, &mut trail, &mut Vec::new()).unwrap();
    assert!(String::from_utf8(trail).unwrap().contains("people_read"));
}
