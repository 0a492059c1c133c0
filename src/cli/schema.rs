//! `countersign schema`: the JSON Schema of the configuration language, or of an audit event.

use std::io::{self, Write};

use clap::Args;

use crate::audit;
use crate::cli::Exit;
use crate::config::schema::text;

/// Arguments of `schema`.
#[derive(Clone, Copy, Debug, Args)]
pub struct SchemaArgs {
    /// The schema of a line of the audit trail.
    #[arg(long)]
    pub audit: bool,
}

/// Runs the command.
///
/// # Errors
/// When the writer fails.
pub fn run(args: &SchemaArgs, out: &mut dyn Write) -> io::Result<Exit> {
    write!(out, "{}", if args.audit { audit::schema() } else { text() })?;
    Ok(Exit::Fine)
}
