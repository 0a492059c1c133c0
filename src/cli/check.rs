//! `countersign check`: every problem of a configuration, with file, line, column, snippet and suggestion.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::{ConfigArgs, Exit, expression_check};
use crate::config::check::check;
use crate::config::files::Files;
use crate::config::load::{Loaded, load};
use crate::config::origins::OriginRow;
use crate::config::problem::{Problems, Severity};
use crate::config::secrets::{read_secrets, read_tables};
use crate::core::expression::Compiler;

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

/// Loads and checks: structure, values, expressions, table files, and secrets unless left out.
///
/// # Errors
/// When the configuration can't be read at all.
pub fn all_problems(
    args: &CheckArgs,
    environment: &BTreeMap<String, String>,
    files: &dyn Files,
) -> Result<(Loaded, Problems), crate::config::load::Unreadable> {
    let mut loaded = load(&args.source.inputs(environment), files)?;
    let mut problems = std::mem::take(&mut loaded.problems);
    let (tables, of_tables) = read_tables(&loaded, files);
    problems.append(of_tables);
    let mut compiler = Compiler::new(tables);
    problems.append(check(&loaded, &mut expression_check(&mut compiler)));
    if !args.without_secrets {
        problems.append(read_secrets(&loaded, environment, files).1);
    }
    problems.sort();
    Ok((loaded, problems))
}

/// Runs the command. `colour`: the writer is a terminal.
///
/// # Errors
/// When the writer fails.
pub fn run(
    args: &CheckArgs,
    environment: &BTreeMap<String, String>,
    files: &dyn Files,
    out: &mut dyn Write,
    colour: bool,
) -> io::Result<Exit> {
    let (loaded, problems) = match all_problems(args, environment, files) {
        Ok(found) => found,
        Err(unreadable) => {
            match args.format {
                Format::Human => writeln!(out, "error: {unreadable}")?,
                Format::Json => writeln!(out, "{}", json!({ "problems": [], "error": unreadable.to_string() }))?,
            }
            return Ok(Exit::CouldNotRun);
        }
    };
    let origins = if args.origins { loaded.origins() } else { Vec::new() };
    match args.format {
        Format::Human => {
            print_origins(&origins, out)?;
            write!(out, "{}", problems.render(&loaded.layers, colour))?;
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
