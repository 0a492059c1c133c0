//! What people and providers put into names is shown by every command, and controls no terminal.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::audit::{Event, Identify, Kind, Person};
use crate::cli::plan::tests::{folder, sign_in};
use crate::config::load::files::Disk;
use crate::env::{Clock as _, ManualClock, SystemClock, SystemRandomness};
use crate::store::sqlite::{Location, SqliteStore};
use crate::store::{Audit as _, Sessions as _};
use crate::support::provider::Idp;

const ODD: &str = "e\u{1b}[2J\u{9b}31m\u{202e}vil";

/// What a command writes to both outputs.
fn said(folder: &Path, line: &[&str]) -> String {
    let config = folder.join("broker.toml").display().to_string();
    let args = [&["countersign"], line, &["--config", config.as_str()]].concat();
    let args: Vec<OsString> = args.into_iter().map(OsString::from).collect();
    let environment = Environment::new();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    match parse(&args).unwrap().command {
        Command::Explain(args) => explain::run(&args, &environment, &Disk, &mut out),
        Command::Capture(args) => capture::run(&args, &environment, &Disk, &mut out),
        Command::Plan(args) => plan::run(&args, &environment, &Disk, &mut out, &mut err),
        Command::Audit(args) => audit::run(&args, &environment, &Disk, &mut out, &mut err),
        Command::Users(args) => users::run(&args, &environment, &Disk, &mut out, &mut err),
        Command::Sessions(args) => sessions::run(&args, &environment, &Disk, &mut out, &mut err),
        Command::Keys(args) => keys::run(&args, &environment, &Disk, &mut out, &mut err),
        Command::Providers(args) => {
            let idp = Idp::new("https://login.example", ManualClock::at(0));
            providers::run(&args, &environment, &Disk, Arc::new(idp), &mut out)
        }
        other => unreachable!("{other:?}"),
    }
    .unwrap();
    out.extend(err);
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn assert_harmless(line: &[&str], text: &str) {
    assert!(text.contains("vil"), "{line:?} shows the name: {text}");
    assert!(!text.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{line:?}: {text:?}");
}

#[test]
fn names_control_no_terminal_where_the_store_is_read() {
    let folder = folder();
    let location = Location::File(folder.path().join("broker.db"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = SqliteStore::open(&location, &[], Arc::new(SystemRandomness::default())).unwrap();
    runtime.block_on(store.finish_sign_in(sign_in(ODD, &["sre", ODD]), 1)).unwrap();
    let about = Person { account: &format!("id-{ODD}"), username: ODD, sub: ODD };
    let event = Event::new(Kind::Refusal, SystemClock.now(), Identify::Username).about(about).client(ODD).reason(ODD);
    runtime.block_on(store.record(vec![event])).unwrap();
    drop(store);
    let text = std::fs::read_to_string(folder.path().join("broker.toml")).unwrap();
    let new = folder.path().join("new.toml").display().to_string();
    std::fs::write(&new, text.replace("'sre' in groups", "'other' in groups")).unwrap();
    for line in [
        &["explain", ODD][..],
        &["explain", ODD, "--json"],
        &["explain", "--last"],
        &["explain", "--refused"],
        &["capture", ODD, "--client", "grafana"],
        &["audit", "tail"],
        &["audit", "tail", "--json"],
        &["audit", "query", "--user", ODD],
        &["plan", &new],
        &["plan", &new, "--json"],
        &["plan", &new, "--format", "markdown"],
    ] {
        assert_harmless(line, &said(folder.path(), line));
    }
}

#[test]
fn a_list_of_no_rows_is_not_asked_for() {
    for line in [
        &["countersign", "explain", "--last", "0"][..],
        &["countersign", "audit", "tail", "0"],
        &["countersign", "audit", "query", "--limit", "0"],
        &["countersign", "sessions", "list", "--limit", "0"],
    ] {
        let args: Vec<OsString> = line.iter().map(OsString::from).collect();
        let told = parse(&args).unwrap_err().to_string();
        assert!(told.contains("0 is not in 1..=1000"), "{line:?}: {told}");
    }
}

#[test]
fn a_probe_reads_what_the_provider_sent_when_a_person_last_signed_in() {
    let folder = folder();
    let probe =
        |person: &str| said(folder.path(), &["providers", "probe", "corp", "--without-secrets", "--person", person]);
    let text = probe("bob");
    assert!(text.contains("It sent") && text.contains("groups: a list of 1, the first a text"), "{text}");
    assert!(!text.contains("dev") && !text.contains("A Person"), "values are not shown: {text}");
    assert!(probe("nobody").starts_with("error: "), "{}", probe("nobody"));
}

#[test]
fn names_control_no_terminal_where_the_running_broker_is_asked() {
    let folder = folder();
    let path = folder.path().join("broker.toml");
    let (file, socket) = (std::fs::read_to_string(&path).unwrap(), folder.path().join("admin.sock"));
    std::fs::write(&path, format!("{file}\n[admin]\nlisten = \"unix:{}\"\n", socket.display())).unwrap();
    let user = json!({ "username": ODD, "sub": ODD, "access": "enabled", "providers": [ODD], "created_at": 1 });
    let session = json!({ "id": ODD, "username": ODD, "provider": ODD, "created_at": 1 });
    let answer = json!({
        "users": [user], "sessions": [session], "username": ODD, "sub": ODD, "access": "enabled", "providers": [ODD],
        "links": [{ "provider": ODD, "issuer": ODD, "subject": ODD }], "consents": [{ "client": ODD, "scopes": [ODD] }],
        "keys": [{ "kid": ODD, "alg": ODD, "state": ODD }], "apps_notified": [ODD],
    });
    let body = answer.to_string();
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    for line in [
        &["users", "list"][..],
        &["users", "list", "--json"],
        &["users", "show", ODD],
        &["users", "rename", ODD, ODD],
        &["users", "disable", ODD],
        &["sessions", "list"],
        &["sessions", "revoke", "--user", ODD],
        &["keys", "list"],
    ] {
        assert_harmless(line, &said(folder.path(), line));
    }
}
