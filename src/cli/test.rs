//! `countersign test`: runs the configuration's mapping tests. Prints a line for each test, and the differences for each
//! that fails. It needs no secrets.

use std::io::{self, Write};

use clap::Args;
use serde_json::json;

use crate::analysis::mapping_test::{Failure, run as run_test};
use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit, broker};
use crate::config::diagnostics::locate::Origin;
use crate::config::diagnostics::problem::{counted, list, nearest};
use crate::config::load::files::Files;

/// `countersign test`
#[derive(Clone, Debug, Args)]
pub struct TestArgs {
    /// Run only tests whose name contains this.
    pub name: Option<String>,
    /// The configuration.
    #[command(flatten)]
    pub source: ConfigArgs,
    /// Show the whole decision of each test that fails.
    #[arg(long)]
    pub trace: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the writer fails.
pub fn run(args: &TestArgs, environment: &Environment, files: &dyn Files, out: &mut dyn Write) -> io::Result<Exit> {
    let out = &mut Printable::new(out);
    if let Some(file) = args.name.as_ref().filter(|name| name.ends_with(".toml") && files.read(name.as_ref()).is_ok()) {
        // A configuration file, as with --config, rather than a part of a name.
        let source = match args.source.with_file(Some(&file.into()), environment) {
            Ok(source) => source,
            Err(why) => {
                writeln!(out, "error: {why}")?;
                return Ok(Exit::Usage);
            }
        };
        let args = TestArgs { name: None, source, ..args.clone() };
        return run(&args, environment, files, out);
    }
    let broker = match broker::load(&args.source, environment, files, true, out)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    let tests = broker.snapshot.config.tests.iter().enumerate();
    let chosen = tests.filter(|(_, test)| args.name.as_ref().is_none_or(|part| test.name.contains(part.as_str())));
    let results: Vec<(&str, String, Option<Failure>)> = chosen
        .map(|(index, test)| {
            let place = broker.prepared.layers.origin(&format!("tests[{index}]"));
            let failure = run_test(&broker.snapshot.policy, &broker.snapshot.config, index).err();
            (test.name.as_str(), describe(&place), failure)
        })
        .collect();
    if let (Some(part), true) = (&args.name, results.is_empty()) {
        let names: Vec<&str> = broker.snapshot.config.tests.iter().map(|test| test.name.as_str()).collect();
        writeln!(out, "error: no test has {part:?} in its name; {}", way_out(part, &names))?;
        return Ok(Exit::Problem);
    }
    let failed = results.iter().filter(|(.., failure)| failure.is_some()).count();
    if args.json {
        let tests: Vec<_> =
            results.iter().map(|(name, place, failure)| to_json(name, place, failure.as_ref())).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&json!({ "tests": tests, "failed": failed }))?)?;
    } else {
        for (name, place, failure) in &results {
            print(name, place, failure.as_ref(), args.trace, out)?;
        }
        match results.len() {
            0 => writeln!(out, "the file has no [[tests]]")?,
            count if failed == 0 => writeln!(out, "{} passed", counted(count, "test"))?,
            count if failed == count => writeln!(out, "{} failed", counted(count, "test"))?,
            count => writeln!(out, "{} failed, {} passed", counted(failed, "test"), count - failed)?,
        }
    }
    Ok(if failed > 0 { Exit::Problem } else { Exit::Fine })
}

/// What to do when no test has a name: a similar one, a few of them, or that the name is that of a file.
fn way_out(part: &str, names: &[&str]) -> String {
    const SHOWN: usize = 5;
    if part.ends_with(".toml") {
        return format!("name the configuration with --config {part}");
    }
    if names.is_empty() {
        return "the file has no [[tests]]".to_owned();
    }
    if let Some(near) = nearest(part, names.iter().copied()) {
        return format!("did you mean {near:?}?");
    }
    let more = if names.len() > SHOWN { format!(" and {} more", names.len() - SHOWN) } else { String::new() };
    format!("the file has {}{more}", list(names.iter().copied().take(SHOWN)))
}

/// `file:line`
fn describe(place: &Origin) -> String {
    match place {
        Origin::File { file, line, .. } => format!("{file}:{line}"),
        other => other.to_string(),
    }
}

fn print(name: &str, place: &str, failure: Option<&Failure>, trace: bool, out: &mut dyn Write) -> io::Result<()> {
    let Some(failure) = failure else { return writeln!(out, "ok    {name}") };
    writeln!(out, "FAIL  {name}  [{place}]")?;
    failure.differences.iter().try_for_each(|difference| write!(out, "{difference}"))?;
    if trace {
        writeln!(out, "  decision")?;
        failure.trace.to_string().lines().try_for_each(|line| writeln!(out, "    {line}"))?;
    }
    Ok(())
}

fn to_json(name: &str, place: &str, failure: Option<&Failure>) -> serde_json::Value {
    let differences: Vec<_> = failure
        .iter()
        .flat_map(|failure| &failure.differences)
        .map(|d| json!({ "what": d.what, "expected": d.expected, "got": d.got, "because": d.because }))
        .collect();
    let trace = failure.map(|failure| &failure.trace);
    json!({ "name": name, "place": place, "ok": failure.is_none(), "differences": differences, "trace": trace })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::config::load::files::{Disk, Memory};

    fn test(files: &dyn Files, config: &Path, name: Option<&str>) -> (Exit, String) {
        let source = ConfigArgs { config: config.to_path_buf(), overlay: Vec::new() };
        let args = TestArgs { name: name.map(str::to_owned), source, trace: true, json: false };
        let mut out = Vec::new();
        let exit = run(&args, &Environment::new(), files, &mut out).unwrap();
        (exit, String::from_utf8(out).unwrap())
    }

    #[test]
    fn the_worked_examples_hold() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies");
        let examples: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(examples.len() >= 5);
        for example in examples {
            let (exit, text) = test(&Disk, &example, None);
            assert_eq!(exit, Exit::Fine, "{}\n{text}", example.display());
            assert!(text.ends_with(" tests passed\n"), "{text}");
        }
    }

    const FILE: &str = r#"issuer = "https://sso.example.com"
[providers.corp]
issuer = "https://id.example"
client_id = "c"
client_secret = { file = "missing" }
[roles.admin]
[[role_rules]]
when = "'sre' in groups"
roles = ["admin"]
[[tests]]
name = "an SRE is admin"
provider = "corp"
claims = { sub = "1", preferred_username = "a", groups = ["sre"] }
expect = { roles = ["admin"] }
[[tests]]
name = "so is a developer"
provider = "corp"
claims = { sub = "1", preferred_username = "a", groups = ["dev"] }
expect = { roles = ["admin"] }
"#;

    #[test]
    fn a_failure_shows_the_difference_and_the_decision_with_its_lines() {
        let (exit, text) = test(&Memory::of([("b.toml", FILE)]), Path::new("b.toml"), None);
        assert_eq!(exit, Exit::Problem);
        assert_eq!(
            text,
            "ok    an SRE is admin
FAIL  so is a developer  [b.toml:15]
  roles
    expected  admin
    got       none
    because   admin is missing
    because   the rule at b.toml:7 gives it, but does not match
  decision
    claims   groups: 1 mapped  [providers.corp.claims.groups (default)]
    account  created  [providers.corp.create_users (default)]
1 test failed, 1 passed
"
        );
    }

    #[test]
    fn tests_can_be_chosen_and_files_can_be_wrong() {
        let files = Memory::of([("b.toml", FILE), ("bad.toml", "issuer = 1")]);
        let (exit, text) = test(&files, Path::new("b.toml"), Some("SRE"));
        assert_eq!((exit, text.as_str()), (Exit::Fine, "ok    an SRE is admin\n1 test passed\n"));
        assert_eq!(test(&files, Path::new("bad.toml"), None).0, Exit::Problem);
        assert_eq!(test(&files, Path::new("none.toml"), None).0, Exit::CouldNotRun);
        let (exit, text) = test(&files, Path::new("b.toml"), Some("nothing like it"));
        let names = "\"an SRE is admin\", \"so is a developer\"";
        let said = format!("error: no test has \"nothing like it\" in its name; the file has {names}\n");
        assert_eq!((exit, text), (Exit::Problem, said));
        let (_, text) = test(&files, Path::new("b.toml"), Some("so is a develper"));
        assert!(text.ends_with("did you mean \"so is a developer\"?\n"), "{text}");
        let (_, text) = test(&files, Path::new("b.toml"), Some("c.toml"));
        assert!(text.ends_with("name the configuration with --config c.toml\n"), "{text}");
        let (exit, text) = test(&files, Path::new("broker.toml"), Some("b.toml"));
        assert!(exit == Exit::Problem && text.ends_with("1 test failed, 1 passed\n"), "{text}");
    }

    #[test]
    fn check_reports_a_failing_test_at_its_place() {
        use crate::snapshot::generation::{Options, prepare};
        let inputs = crate::config::load::Inputs { main: "b.toml".into(), ..Default::default() };
        let options = Options { number: 1, without_secrets: true, now: 0 };
        let prepared = prepare(&inputs, &Memory::of([("b.toml", FILE)]), options).unwrap_or_else(|e| panic!("{e}"));
        assert!(prepared.snapshot.is_none());
        let problem = prepared.problems.iter().find(|problem| problem.path == "tests[1].expect.roles").unwrap();
        assert_eq!((problem.line, problem.found.as_deref()), (19, Some("none")));
    }
}
