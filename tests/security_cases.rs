//! Compares `docs/security-cases.md` with the tests: every case is on the page, every test that it names exists, and every
//! test that is named after a case is listed with it.
#![expect(clippy::unwrap_used, reason = "tests say what they expect by failing")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;

/// The numbers of the catalogue: D00 to D49.
const CASES: std::ops::RangeInclusive<u8> = 0..=49;

/// Where tests of a suite are: `it::NAME` is a function somewhere below `tests/it`.
const SUITES: [(&str, &str); 3] = [("it", "tests/it"), ("store", "tests/store"), ("src", "src")];

/// A case of the page.
#[derive(Default)]
struct Case {
    /// Suite and function of each test.
    tests: BTreeSet<(String, String)>,
    /// Whether the page says that there is no test, or that something is missing.
    not_built: bool,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/security-cases.md")).unwrap()
}

/// The cases of the page by number: `**D07. Title.**` begins one, an empty line ends it.
fn cases() -> BTreeMap<u8, Case> {
    let title = Regex::new(r"^\*\*D(\d\d)\. ").unwrap();
    let test = Regex::new(r"`(it|store|src)::(\w+)`").unwrap();
    let mut cases = BTreeMap::new();
    for paragraph in page().split("\n\n") {
        let Some(number) = title.captures(paragraph.trim_start()) else { continue };
        let tests = test.captures_iter(paragraph).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
        let case = Case { tests, not_built: paragraph.contains("Not built yet") };
        let number: u8 = number[1].parse().unwrap();
        assert!(cases.insert(number, case).is_none(), "D{number:02} is there twice");
    }
    cases
}

/// The names of all test functions of a suite.
fn functions(folder: &str) -> BTreeSet<String> {
    let function = Regex::new(r"(?m)^\s*(?:pub\(crate\) )?(?:async )?fn (\w+)\(").unwrap();
    let mut found = BTreeSet::new();
    for file in rust_files(&root().join(folder)) {
        let text = std::fs::read_to_string(file).unwrap();
        found.extend(function.captures_iter(&text).map(|function| function[1].to_owned()));
    }
    found
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_case_is_on_the_page_with_its_tests_or_as_not_built() {
    let cases = cases();
    assert_eq!(cases.keys().copied().collect::<Vec<_>>(), CASES.collect::<Vec<_>>());
    for (number, case) in cases {
        assert!(
            !case.tests.is_empty() || case.not_built,
            "D{number:02} has no test and does not say \"Not built yet\""
        );
    }
}

#[test]
fn every_test_that_the_page_names_exists() {
    let anywhere = Regex::new(r"`(it|store|src)::(\w+)`").unwrap();
    let suites = SUITES.map(|(suite, folder)| (suite, functions(folder)));
    let page = page();
    let named: Vec<_> = anywhere.captures_iter(&page).map(|found| (found[1].to_owned(), found[2].to_owned())).collect();
    assert!(!named.is_empty());
    for (suite, name) in named {
        let (_, functions) = suites.iter().find(|(known, _)| *known == suite).unwrap();
        assert!(functions.contains(&name), "docs/security-cases.md names {suite}::{name}, which does not exist");
    }
    let file = Regex::new(r"`(tests/[\w./-]+)`").unwrap();
    for file in file.captures_iter(&page) {
        assert!(root().join(&file[1]).exists(), "docs/security-cases.md names {}, which does not exist", &file[1]);
    }
}

#[test]
fn every_test_that_is_named_after_a_case_is_listed_with_it() {
    let numbered = Regex::new(r"^((?:d\d\d_)+)").unwrap();
    let cases = cases();
    let mut missing = Vec::new();
    for (suite, folder) in SUITES {
        for name in functions(folder) {
            let Some(prefix) = numbered.captures(&name) else { continue };
            for number in prefix[1].split_terminator('_') {
                let case = number[1..].parse().ok().and_then(|number: u8| cases.get(&number));
                if !case.is_some_and(|case| case.tests.contains(&(suite.to_owned(), name.clone()))) {
                    missing.push(format!("{suite}::{name} under {}", number.to_uppercase()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "docs/security-cases.md does not list:\n{}", missing.join("\n"));
}
