//! `countersign check`: every problem of a configuration, with file, line, column, snippet and suggestion.

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{ConfigArgs, Environment, Exit};
use crate::config::files::Files;
use crate::config::origins::OriginRow;
use crate::config::problem::Severity;
use crate::generation::{Options, prepare};

/// How `check` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// `{"problems": [...]}`
    Json,
}

/// `countersign check`
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// The configuration.
    #[command(flatten)]
    pub source: ConfigArgs,
    /// Show where each value came from.
    #[arg(long)]
    pub origins: bool,
    /// Do not look for secret files and variables, as in a pull request.
    #[arg(long)]
    pub without_secrets: bool,
    /// Warnings fail too.
    #[arg(long)]
    pub strict: bool,
    /// How to print.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
}

/// Runs the command. `colour`: the writer is a terminal.
///
/// # Errors
/// When the writer fails.
pub fn run(
    args: &CheckArgs,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
    colour: bool,
) -> io::Result<Exit> {
    let options = Options { number: 1, without_secrets: args.without_secrets };
    let prepared = match prepare(&args.source.inputs(environment), files, options) {
        Ok(prepared) => prepared,
        Err(unreadable) => {
            match args.format {
                Format::Human => writeln!(out, "error: {unreadable}")?,
                Format::Json => writeln!(out, "{}", json!({ "problems": [], "error": unreadable.to_string() }))?,
            }
            return Ok(Exit::CouldNotRun);
        }
    };
    let problems = &prepared.problems;
    let origins = if args.origins { prepared.origins.clone() } else { Vec::new() };
    match args.format {
        Format::Human => {
            print_origins(&origins, out)?;
            write!(out, "{}", problems.render(&prepared.layers, colour))?;
            let fine = problems.iter().next().is_none();
            let summary = if fine { "no problems".to_owned() } else { problems.summary() };
            writeln!(out, "{}: {summary}", args.source.config.display())?;
        }
        Format::Json if args.origins => {
            let rows: Vec<_> = origins.iter().map(origin_json).collect();
            let problems: Vec<_> = problems.iter().collect();
            let document = json!({ "problems": problems, "origins": rows });
            writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        }
        Format::Json => writeln!(out, "{}", problems.json())?,
    }
    let warned = args.strict && problems.count(Severity::Warning) > 0;
    Ok(if problems.has_errors() || warned { Exit::Problem } else { Exit::Fine })
}

fn print_origins(rows: &[OriginRow], out: &mut dyn Write) -> io::Result<()> {
    const WIDEST: usize = 60;
    let width = |text: &str| text.chars().count();
    let paths = rows.iter().map(|row| width(&row.path)).max().unwrap_or(0).min(WIDEST);
    let values = rows.iter().map(|row| width(&row.value)).max().unwrap_or(0).min(WIDEST);
    for row in rows {
        let value: String = if width(&row.value) > WIDEST {
            row.value.chars().take(WIDEST - 3).chain("...".chars()).collect()
        } else {
            row.value.clone()
        };
        writeln!(out, "{:paths$}  {value:values$}  {}", row.path, row.origin)?;
    }
    if rows.is_empty() { Ok(()) } else { writeln!(out) }
}

fn origin_json(row: &OriginRow) -> serde_json::Value {
    json!({ "path": row.path, "value": row.value, "origin": row.origin.to_string() })
}
