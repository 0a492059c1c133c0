//! `countersign plan`: the effects of a changed configuration, and whom it affects.
//!
//! Exit code 0: the change may be made. 1: it is refused (a `sub` would change), the new configuration has problems or
//! failing tests, or `--fail-on-impact` is set and somebody is affected.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::analysis::mapping_test;
use crate::analysis::plan;
use crate::analysis::plan::Plan;
use crate::cli::check::Format;
use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit, broker};
use crate::config::load::files::Files;
use crate::snapshot::compared::Compared;

/// `countersign plan`
#[derive(Clone, Debug, Args)]
pub struct PlanArgs {
    /// The new configuration.
    pub new: PathBuf,
    /// The old configuration, whose store has the known users. Default: that of --config.
    #[arg(long, value_name = "OLD")]
    pub against: Option<PathBuf>,
    /// The old configuration.
    #[command(flatten)]
    pub source: ConfigArgs,
    /// Accept changes that are otherwise refused: subjects that change.
    #[arg(long)]
    pub force: bool,
    /// Exit with 1 when anybody is affected.
    #[arg(long)]
    pub fail_on_impact: bool,
    /// Do not read secret files and variables, for a pull request where they are not available.
    #[arg(long)]
    pub without_secrets: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Runs the command.
///
/// # Errors
/// When the writer fails.
pub fn run(args: &PlanArgs, environment: &Environment, files: &dyn Files, out: &mut dyn Write) -> io::Result<Exit> {
    let out = &mut Printable::new(out);
    let old = args.against.as_ref().unwrap_or(&args.source.config);
    let prepare = |config: &PathBuf, out: &mut dyn Write| {
        let source = ConfigArgs { config: config.clone(), overlay: args.source.overlay.clone() };
        broker::load(&source, environment, files, args.without_secrets, out)
    };
    let old = match prepare(old, out)? {
        Ok(broker) => broker,
        Err(_) => {
            writeln!(out, "error: the old configuration has problems, so nothing can be compared with it")?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let new = match prepare(&args.new, out)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    let failures = mapping_test::run_all(&new.snapshot.policy, &new.snapshot.config);
    let old_parts = Compared::of(&old.snapshot, &old.prepared.origins);
    let new_parts = Compared::of(&new.snapshot, &new.prepared.origins);
    let store = match old.store() {
        Ok(store) => store,
        Err(error) => {
            writeln!(out, "error: the store of the old configuration can't be opened: {error}")?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let people = store.as_ref().ok().map(broker::LocalStore::people);
    let plan = match plan::plan(old_parts.side(), new_parts.side(), people) {
        Ok(plan) => plan,
        Err(error) => {
            writeln!(out, "error: the users can't be read: {error}")?;
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

#[cfg(test)]
pub(crate) mod tests;
