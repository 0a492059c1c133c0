//! TOML in, problems out: line, column, severity and text.

mod certificates;
mod clients;
mod keys;
mod messages;
mod policy;
mod providers;
mod server;
mod structure;
mod whole;

use std::path::PathBuf;

use crate::config::check::*;
use crate::config::diagnostics::problem::Problem;
use crate::config::load::files::Memory;
use crate::config::load::{Inputs, load};

/// A file without any problems, to which the cases add lines.
const BASE: &str = r#"issuer = "https://sso.example.com"
[providers.staff]
issuer = "https://id.example/realms/staff"
client_id = "countersign"
client_secret = { file = "staff" }
[clients.app]
client_secret = { file = "app" }
redirect_uris = ["https://app.example/cb"]
[roles.admin]
"#;

fn loaded(text: &str) -> Loaded {
    let inputs = Inputs { main: PathBuf::from("broker.toml"), ..Inputs::default() };
    load(&inputs, &Memory::of([("broker.toml", text)])).unwrap()
}

/// All problems, one line each: `line:column severity message [suggestion]`.
fn problems(text: &str) -> Vec<String> {
    let loaded = loaded(text);
    let mut problems = check(&loaded, &mut |_, _, _| Vec::new()).problems;
    problems.append(loaded.problems);
    problems.sort();
    let line = |p: &Problem| {
        let suggestion = p.suggestion.as_ref().map(|text| format!(" [{text}]")).unwrap_or_default();
        format!("{}:{} {} {}{suggestion}", p.line, p.column, p.severity, p.message)
    };
    problems.iter().map(line).collect()
}

/// Each expectation is a beginning (the place) and parts that the line must contain, separated by ` ~ `.
fn mismatch(text: &str, expected: &[&str]) -> Option<String> {
    let found = problems(text);
    let fits = |line: &str, expected: &str| {
        let mut parts = expected.split(" ~ ");
        line.starts_with(parts.next().unwrap()) && parts.all(|part| line.contains(part))
    };
    let all = found.len() == expected.len() && found.iter().zip(expected).all(|(line, expected)| fits(line, expected));
    (!all).then(|| format!("in\n{text}\nfound {found:#?}\nexpected {expected:#?}\n"))
}

fn assert_problems(text: &str, expected: &[&str]) {
    assert_all([mismatch(text, expected)]);
}

/// Reports every failed case at once.
fn assert_all(mismatches: impl IntoIterator<Item = Option<String>>) {
    let wrong: Vec<String> = mismatches.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The base file with additional lines; line numbers count from the first of these.
fn added(lines: &str, expected: &[&str]) -> Option<String> {
    let text = format!("{BASE}{lines}");
    let first = BASE.lines().count().cast_signed();
    let moved: Vec<String> = expected
        .iter()
        .map(|line| {
            let (number, rest) = line.split_once(':').unwrap();
            format!("{}:{rest}", number.parse::<isize>().unwrap() + first)
        })
        .collect();
    mismatch(&text, &moved.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn the_base_has_no_problem() {
    assert_problems(BASE, &[]);
}
