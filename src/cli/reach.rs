//! `countersign reach`: what leads to a role.

use std::io::{self, Write};

use clap::Args;

use crate::analysis::reach::reach;
use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit, broker};
use crate::config::diagnostics::problem::nearest;
use crate::config::load::files::Files;

/// `countersign reach`
#[derive(Clone, Debug, Args)]
pub struct ReachArgs {
    /// The role.
    pub role: String,
    /// The configuration.
    #[command(flatten)]
    pub source: ConfigArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command. Exit code 1 when nothing leads to the role.
///
/// # Errors
/// When the writer fails.
pub fn run(args: &ReachArgs, environment: &Environment, files: &dyn Files, out: &mut dyn Write) -> io::Result<Exit> {
    let out = &mut Printable::new(out);
    let broker = match broker::load(&args.source, environment, files, true, out)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    let reach = reach(&broker.snapshot.config, &broker.snapshot.policy, &args.role);
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&reach)?)?;
    } else {
        write!(out, "{reach}")?;
        let known = broker.snapshot.policy.roles.keys().map(String::as_str);
        if let Some(near) = nearest(&args.role, known).filter(|_| reach.ways.is_empty() && reach.declared.is_none()) {
            writeln!(out, "  did you mean {near}?")?;
        }
    }
    Ok(if reach.ways.is_empty() { Exit::Problem } else { Exit::Fine })
}
