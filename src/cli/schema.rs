//! `countersign schema`: the JSON Schema of the configuration language, of an audit event, or of a plan.

use std::io::{self, Write};

use clap::Args;

use crate::analysis::plan::document;
use crate::audit;
use crate::cli::Exit;
use crate::config::schema::text;

/// Arguments of `schema`.
#[derive(Clone, Copy, Debug, Args)]
pub struct SchemaArgs {
    /// The schema of a line of the audit trail.
    #[arg(long)]
    pub audit: bool,
    /// The schema of what `plan --json` prints.
    #[arg(long, conflicts_with = "audit")]
    pub plan: bool,
}

/// Runs the command.
///
/// # Errors
/// When the writer fails.
pub fn run(args: &SchemaArgs, out: &mut dyn Write) -> io::Result<Exit> {
    let schema = match (args.audit, args.plan) {
        (true, _) => audit::schema(),
        (_, true) => document::schema(),
        _ => text(),
    };
    write!(out, "{schema}")?;
    Ok(Exit::Fine)
}
