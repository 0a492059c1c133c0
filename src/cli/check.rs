//! `countersign check`: every problem of a configuration, with file, line, column, snippet and suggestion.

mod derived;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use crate::cli::{ConfigArgs, Environment, Exit};
use crate::config::check::is_refused;
use crate::config::diagnostics::locate::{Layers, Origin};
use crate::config::diagnostics::problem::{Severity, counted};
use crate::config::load::files::Files;
use crate::config::load::origins::OriginRow;
use crate::snapshot::generation::{Options, Prepared, prepare};

/// How `check` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Text with snippets.
    #[default]
    Human,
    /// `{"problems": [...]}`
    Json,
}

/// `countersign check`
#[derive(Clone, Debug, Default, Args)]
pub struct CheckArgs {
    /// The configuration file, as with --config.
    pub file: Option<PathBuf>,
    /// The configuration.
    #[command(flatten)]
    pub source: ConfigArgs,
    /// Show where each value comes from.
    #[arg(long)]
    pub origins: bool,
    /// Do not read secrets and certificates, for a pull request where they are not available.
    #[arg(long)]
    pub without_secrets: bool,
    /// Fail on warnings too.
    #[arg(long)]
    pub strict: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Print JSON, as with `--format json`.
    #[arg(long, conflicts_with = "format")]
    pub json: bool,
}

/// Runs the command. The validity of certificates is checked at `now`; `colour` is set if the writer is a terminal.
///
/// # Errors
/// When the writer fails.
pub fn run(
    args: &CheckArgs,
    environment: &Environment,
    files: &dyn Files,
    now: i64,
    out: &mut dyn Write,
    colour: bool,
) -> io::Result<Exit> {
    let source = match args.source.with_file(args.file.as_ref(), environment) {
        Ok(source) => source,
        Err(why) => {
            writeln!(out, "error: {why}")?;
            return Ok(Exit::Usage);
        }
    };
    let format = if args.json { Format::Json } else { args.format };
    let options = Options { number: 1, without_secrets: args.without_secrets, now };
    let prepared = match prepare(&source.inputs(environment), files, options) {
        Ok(prepared) => prepared,
        Err(unreadable) => {
            match format {
                Format::Human => writeln!(out, "error: {}", unreadable.with_way_out())?,
                Format::Json => writeln!(out, "{}", json!({ "problems": [], "error": unreadable.to_string() }))?,
            }
            return Ok(Exit::CouldNotRun);
        }
    };
    let problems = &prepared.problems;
    let origins = if args.origins { origins(&prepared) } else { Vec::new() };
    match format {
        Format::Human => {
            print_origins(&origins, out)?;
            write!(out, "{}", problems.render(&prepared.layers, colour))?;
            let fine = problems.iter().next().is_none();
            let summary = if fine { "no problems".to_owned() } else { problems.summary() };
            let done = done(&prepared.layers, args.without_secrets);
            writeln!(out, "{}: {summary}; checked {done}", source.config.display())?;
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

/// Every value and every default with its origin, except those of keys that are not built.
fn origins(prepared: &Prepared) -> Vec<OriginRow> {
    let rows = prepared.origins.iter();
    let rows = rows.filter(|row| row.origin != Origin::Default || !is_refused(&row.path)).cloned().collect();
    match &prepared.snapshot {
        Some(snapshot) => derived::with_derived(rows, snapshot),
        None => rows,
    }
}

/// What was checked, as far as the files could be read: "1 file, 2 providers, 1 app, 3 tests".
fn done(layers: &Layers, without_secrets: bool) -> String {
    let counts = [
        (layers.files(), "file"),
        (layers.count("providers"), "provider"),
        (layers.count("clients"), "app"),
        (layers.count("tests"), "test"),
    ];
    let counts: Vec<String> = counts.iter().map(|(count, word)| counted(*count, word)).collect();
    let secrets = if without_secrets { ", without secrets" } else { "" };
    format!("{}{secrets}", counts.join(", "))
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

#[cfg(test)]
mod tests;
