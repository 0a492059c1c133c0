//! Runs every example in the tables of `docs/expressions.md`.

use crate::expression::tests::*;
use crate::protocol::ClaimType;

const PAGE: &str = include_str!("../../../docs/expressions.md");

/// The cells of a table row; `\|` is a bar.
fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|').trim_end_matches('|').replace("\\|", "\u{0}");
    line.split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect()
}

fn code(cell: &str) -> Option<&str> {
    cell.strip_prefix('`')?.strip_suffix('`')
}

/// (example, what it gives), from every table that has these two columns.
fn examples() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut columns = None;
    for line in PAGE.lines() {
        if !line.starts_with('|') {
            columns = None;
            continue;
        }
        let cells = cells(line);
        match columns {
            None => {
                let column = |name: &str| cells.iter().position(|cell| cell == name);
                columns = Some(column("Example").zip(column("Gives")));
            }
            Some(Some((example, gives))) if !cells[example].starts_with("---") => {
                let example = code(&cells[example]).unwrap_or_else(|| panic!("no example in {line}"));
                found.push((example.to_owned(), cells[gives].clone()));
            }
            Some(_) => {}
        }
    }
    found
}

fn sample() -> Value {
    let (_, rest) = PAGE.split_once("```json").unwrap();
    serde_json::from_str(rest.split_once("```").unwrap().0).unwrap()
}

fn given(source: &str, claims: &Value) -> String {
    let mut compiler = Compiler::new(tables());
    let compiled = match compiler.compile_claim(Place::Claims, ClaimType::Any, source) {
        Ok(compiled) => compiled,
        Err(problems) => {
            let suggestion = problems[0].suggestion.as_ref().map(|name| format!(" ({name})"));
            return format!("refused: {}{}", problems[0].message, suggestion.unwrap_or_default());
        }
    };
    let engine = compiler.engine();
    let bindings = Bindings::new(&engine).with("claims", Variable::json(claims));
    match compiled.eval(&bindings) {
        Ok(Outcome::Present(value)) => format!("`{value}`"),
        Ok(Outcome::Absent) => "absent".to_owned(),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn every_example_gives_what_the_page_says() {
    let claims = sample();
    let examples = examples();
    assert!(examples.len() > 130, "{} examples found", examples.len());
    let mut wrong = Vec::new();
    for (example, gives) in &examples {
        let same = match code(gives) {
            Some(json) => match serde_json::from_str::<Value>(json) {
                Ok(expected) => eval(example, &claims) == Ok(Outcome::Present(expected)),
                Err(error) => panic!("{gives}: {error}"),
            },
            None => given(example, &claims) == *gives,
        };
        if !same {
            wrong.push(format!("{example}\n  the page says {gives}\n  it gives      {}", given(example, &claims)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_page_names_the_variables_of_every_place() {
    for (place, written) in [
        (Place::Claims, "`providers.X.claims`"),
        (Place::Allow, "`providers.X.allow`"),
        (Place::When, "`role_rules` `when`"),
        (Place::Certificate, "`certificates.username`"),
        (Place::App, "`clients.Y.require`, `clients.Y.claims`"),
    ] {
        let variables: Vec<String> = place.variables().iter().map(|name| format!("`{name}`")).collect();
        let row = format!("| {written} | {} |", variables.join(", "));
        assert!(PAGE.lines().any(|line| line == row), "{row}");
    }
}

#[test]
fn the_page_has_the_limits() {
    for (text, limit) in [
        ("length of an expression", Limit::SOURCE_BYTES as u64),
        ("nesting: brackets", Limit::NESTING as u64),
        ("nesting after macros", Limit::DEPTH as u64),
        ("cost of one evaluation", Limit::BUDGET),
        ("values in a result", Limit::RESULT_VALUES as u64),
        ("text in a result", Limit::RESULT_BYTES as u64),
        ("nesting of a value", Limit::VALUE_DEPTH as u64),
        ("a pattern that is not written literally", Limit::PATTERN_BYTES as u64),
        ("a text that `matches()` looks at", Limit::MATCHED_BYTES as u64),
    ] {
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| {text}"))).unwrap_or_else(|| panic!("{text}"));
        let value = cells(row)[1].trim_end_matches(" bytes").to_owned();
        assert_eq!(value, limit.to_string(), "{text}");
    }
}

/// Every function that the loader knows is on the page.
#[test]
fn the_page_has_every_function() {
    for name in catalogue::known() {
        assert!(PAGE.contains(&format!("{name}(")), "{name} is not on the page");
    }
}
