#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;
use crate::cli::ConfigArgs;
use crate::cli::audit::{self, AuditArgs, AuditCommand};
use crate::cli::plan::tests::folder;
use crate::config::load::files::Disk;

fn said(folder: &std::path::Path, command: KeysCommand, as_json: bool) -> (Exit, String, String) {
    let config = ConfigArgs { config: folder.join("broker.toml"), overlay: Vec::new() };
    let args = KeysArgs { command, broker: BrokerArgs { config, json: as_json } };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = run(&args, &Environment::new(), &Disk, &mut out, &mut err).unwrap();
    (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn listed(folder: &std::path::Path) -> Vec<(String, String, String)> {
    let (_, out, _) = said(folder, KeysCommand::List, true);
    let document: Value = serde_json::from_str(&out).unwrap();
    let keys = document.get("keys").unwrap().as_array().unwrap();
    keys.iter().map(|key| (text(key, "kid"), text(key, "alg"), text(key, "state"))).collect()
}

/// As [`folder`], with an admin listener that nothing listens at.
fn stopped() -> tempfile::TempDir {
    let folder = folder();
    let path = folder.path().join("broker.toml");
    let file = std::fs::read_to_string(&path).unwrap();
    let socket = folder.path().join("admin.sock");
    std::fs::write(&path, format!("{file}\n[admin]\nlisten = \"unix:{}\"\n", socket.display())).unwrap();
    folder
}

#[test]
fn the_keys_of_a_stopped_broker_are_listed_rotated_and_revoked_and_the_trail_has_it() {
    let folder = stopped();
    let (exit, out, err) = said(folder.path(), KeysCommand::List, false);
    assert_eq!(exit, Exit::Fine, "{err}");
    assert!(out.contains("no signing keys yet") && err.contains("the store itself is used"), "{out}{err}");
    let (exit, out, _) = said(folder.path(), KeysCommand::Rotate, false);
    assert!(exit == Exit::Fine && out.contains("Signing now: RS256 "), "{out}");
    let state = |keys: &[(String, String, String)], wanted: &str| {
        let found = keys.iter().find(|(_, alg, state)| alg == "RS256" && state == wanted);
        found.map(|(kid, ..)| kid.clone())
    };
    let before = listed(folder.path());
    let (current, next) = (state(&before, "current").unwrap(), state(&before, "next").unwrap());
    let (_, table, _) = said(folder.path(), KeysCommand::List, false);
    assert!(table.starts_with("KEY ") && table.contains(&current) && !table.contains("private"), "{table}");

    let (exit, out, err) = said(folder.path(), KeysCommand::Revoke { kid: current.clone() }, false);
    assert!(exit == Exit::Fine && out.contains("is revoked"), "{out}{err}");
    let after = listed(folder.path());
    assert!(after.iter().all(|(kid, ..)| *kid != current));
    assert_eq!(state(&after, "current"), Some(next), "the next key, which apps know already, signs");
    let (exit, _, err) = said(folder.path(), KeysCommand::Revoke { kid: current.clone() }, false);
    assert!(exit == Exit::Problem && err.contains("`countersign keys list` shows the ids"), "{err}");

    let config = ConfigArgs { config: folder.path().join("broker.toml"), overlay: Vec::new() };
    let args = AuditArgs { command: AuditCommand::Tail { lines: 5 }, broker: BrokerArgs { config, json: true } };
    let mut trail = Vec::new();
    audit::run(&args, &Environment::new(), &Disk, &mut trail, &mut Vec::new()).unwrap();
    let trail = String::from_utf8(trail).unwrap();
    assert!(trail.contains("keys_rotated") && trail.contains(&format!("{current} revoked")), "{trail}");
}
