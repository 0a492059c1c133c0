//! `countersign plan`: what a changed configuration changes, and for whom.
//!
//! Exit code 0: planned, and nothing forbids it. 1: refused (a `sub` would change), the new configuration has problems or
//! failing tests, or `--fail-on-impact` and somebody is affected.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::check::Format;
use super::{ConfigArgs, Environment, Exit, broker};
use crate::config::files::Files;
use crate::config::lifetimes::SubjectType;
use crate::config::locate::Origin;
use crate::core::mapping_test;
use crate::core::plan::difference::Setting;
use crate::core::plan::{self, Plan, Side, Subjects};

/// `countersign plan`
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// The new configuration.
    pub new: PathBuf,
    /// The old configuration, whose store knows the people. Default: that of --config.
    #[arg(long, value_name = "OLD")]
    pub against: Option<PathBuf>,
    /// The old configuration.
    #[command(flatten)]
    pub source: ConfigArgs,
    /// Accept changes that would be refused: subjects that change.
    #[arg(long)]
    pub force: bool,
    /// Exit with 1 when anybody is affected.
    #[arg(long)]
    pub fail_on_impact: bool,
    /// Do not look for secret files and variables, as in a pull request.
    #[arg(long)]
    pub without_secrets: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Runs the command.
///
/// # Errors
/// When the writer fails.
pub fn run(args: &PlanArgs, environment: &Environment, files: &dyn Files, out: &mut dyn Write) -> io::Result<Exit> {
    let old = args.against.as_ref().unwrap_or(&args.source.config);
    let prepare = |config: &PathBuf, out: &mut dyn Write| {
        let source = ConfigArgs { config: config.clone(), overlay: args.source.overlay.clone() };
        broker::load(&source, environment, files, args.without_secrets, out)
    };
    let old = match prepare(old, out)? {
        Ok(broker) => broker,
        Err(_) => {
            writeln!(out, "error: the old configuration must check before anything can be compared with it")?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let new = match prepare(&args.new, out)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    let failures = mapping_test::run_all(&new.snapshot.policy, &new.snapshot.config);
    let (old_parts, new_parts) = (Parts::of(&old), Parts::of(&new));
    let store = match old.store() {
        Ok(store) => store,
        Err(error) => {
            writeln!(out, "error: the store of the old configuration can't be opened: {error}")?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let people = store.as_ref().ok().map(broker::LocalStore::people);
    let plan = match plan::plan(old_parts.side(&old), new_parts.side(&new), people) {
        Ok(plan) => plan,
        Err(error) => {
            writeln!(out, "error: the people can't be read: {error}")?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let nobody = store.err();
    match args.format {
        Format::Human => {
            write!(out, "{plan}")?;
            if let Some(why) = &nobody {
                writeln!(out, "  {why}")?;
            }
            for failure in &failures {
                write!(out, "\nFAIL  {failure}")?;
            }
        }
        Format::Json => {
            let failed: Vec<&str> = failures.iter().map(|failure| failure.name.as_str()).collect();
            let mut document = serde_json::to_value(&plan)?;
            if let Some(object) = document.as_object_mut() {
                object.insert("nobody_asked".to_owned(), json!(nobody));
                object.insert("failed_tests".to_owned(), json!(failed));
                object.insert("refused".to_owned(), json!(plan.is_refused() && !args.force));
            }
            writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        }
    }
    Ok(exit(args, &plan, failures.is_empty()))
}

fn exit(args: &PlanArgs, plan: &Plan, tests_hold: bool) -> Exit {
    let refused = plan.is_refused() && !args.force;
    let unwanted = args.fail_on_impact && plan.has_impact();
    if refused || unwanted || !tests_hold { Exit::Problem } else { Exit::Fine }
}

/// What the core compares of a configuration.
struct Parts {
    settings: Vec<Setting>,
    subjects: Subjects,
}

impl Parts {
    fn of(broker: &broker::Broker) -> Self {
        let settings = broker.prepared.origins.iter().map(|row| {
            let place = match &row.origin {
                Origin::File { file, line, .. } => Some(format!("{file}:{line}")),
                Origin::Environment(name) => Some(format!("${name}")),
                Origin::Default => None,
            };
            Setting { path: row.path.clone(), value: row.value.clone(), place }
        });
        let subjects = broker.snapshot.clients.iter().map(|(key, client)| {
            let pairwise = client.subject_type == SubjectType::Pairwise;
            (key.clone(), pairwise.then(|| client.sector.clone()))
        });
        Self { settings: settings.collect(), subjects: subjects.collect() }
    }

    fn side<'a>(&'a self, broker: &'a broker::Broker) -> Side<'a> {
        let snapshot = &broker.snapshot;
        Side { config: &snapshot.config, policy: &snapshot.policy, settings: &self.settings, subjects: &self.subjects }
    }
}
