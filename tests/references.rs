//! The references in `docs/operations.md` have everything that the code has, and nothing else: events of the log and of the
//! audit trail, actions, patterns and reason codes. That of the metrics is compared with the catalogue in
//! `tests/it/metrics.rs`.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use countersign::audit::{Action, Kind, Pattern};

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The names in the first column of the table below a heading, whose head begins with `column`.
fn documented(heading: &str, column: &str) -> BTreeSet<String> {
    let page = read("docs/operations.md");
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let (_, table) = section.split_once(&format!("\n| {column} |")).unwrap();
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let firsts = rows.map(|row| row.split('|').nth(1).unwrap().to_owned());
    firsts.flat_map(|first| quoted(&first)).collect()
}

/// The words in backticks.
fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The events that the sources log by a name of their own.
fn logged() -> BTreeSet<String> {
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut names = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let found = text.split("event = \"").skip(1).filter_map(|rest| rest.split('"').next());
                names.extend(found.map(str::to_owned));
            }
        }
    }
    names
}

fn names<T: Copy>(all: &[T], name: fn(T) -> &'static str) -> BTreeSet<String> {
    all.iter().map(|one| name(*one).to_owned()).collect()
}

#[test]
fn every_event_of_the_log_is_documented() {
    let audited = names(Kind::ALL, Kind::name);
    let own: BTreeSet<String> = logged().difference(&audited).cloned().collect();
    assert!(own.len() > 10, "{own:?}");
    assert_eq!(documented("Log", "event"), own);
}

#[test]
fn every_event_of_the_audit_trail_is_documented() {
    assert_eq!(documented("Audit trail", "event"), names(Kind::ALL, Kind::name));
    assert_eq!(documented("Audit trail", "pattern"), names(Pattern::ALL, Pattern::name));
    let page = read("docs/operations.md");
    let row = page.lines().find(|line| line.starts_with("| `admin_action`")).unwrap();
    let named: BTreeSet<String> = quoted(row).into_iter().collect();
    let missing: Vec<String> = names(Action::ALL, Action::name).difference(&named).cloned().collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_reason_code_is_documented() {
    let texts: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&read("templates/messages/en.json")).unwrap();
    let codes = texts.keys().filter_map(|key| key.strip_prefix("reason.")?.strip_suffix(".title"));
    let codes: BTreeSet<String> = codes.filter(|code| *code != "unknown").map(str::to_owned).collect();
    assert_eq!(documented("Why was somebody refused?", "code"), codes);
}
