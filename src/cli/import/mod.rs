//! `countersign import`: a `broker.toml` from the configuration of Dex or the export of a Keycloak realm.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::cli::Exit;
use crate::cli::printable::Printable;
use crate::config::check::urls::{Http, issuer as issuer_problem};
use crate::config::diagnostics::problem::Severity;
use crate::config::load::Inputs;
use crate::config::load::encoding::decode;
use crate::config::load::files::{Memory, why};
use crate::import::document::{Counts, Document, Mark, Table};
use crate::import::{dex, keycloak};
use crate::snapshot::generation::{Options, prepare};

/// `countersign import`
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// What to import.
    #[command(subcommand)]
    pub source: ImportSource,
}

/// The product whose configuration is imported.
#[derive(Clone, Debug, Subcommand)]
pub enum ImportSource {
    /// Dex: its `config.yaml`.
    Dex(ImportFile),
    /// Keycloak: the export of one realm, `realm.json`.
    Keycloak(ImportFile),
}

/// The input and the output.
#[derive(Clone, Debug, Args)]
pub struct ImportFile {
    /// The file to read.
    pub file: PathBuf,
    /// Write to this file instead of standard output. An existing file is not overwritten.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The issuer to write. Needed when it changes, or when the imported file does not name it.
    #[arg(long, value_name = "URL")]
    pub issuer: Option<String>,
}

/// Converts the text of a configuration, with the issuer from the command line. The error states what the text is instead.
type Importer = fn(&str, Option<&str>) -> Result<Document, String>;

/// Runs the command. The file goes to `out` or `--out`, the summary and errors to `messages`.
///
/// # Errors
/// When a writer fails.
pub fn run(args: &ImportArgs, out: &mut dyn Write, messages: &mut dyn Write) -> io::Result<Exit> {
    let (out, messages) = (&mut Printable::new(out), &mut Printable::new(messages));
    let (file, import): (_, Importer) = match &args.source {
        ImportSource::Dex(file) => (file, dex::import),
        ImportSource::Keycloak(file) => (file, keycloak::import),
    };
    if let Some(issuer) = &file.issuer
        && let Err(expected) = issuer_problem(issuer, Http::Loopback)
    {
        writeln!(messages, "error: --issuer must be {expected}")?;
        return Ok(Exit::Usage);
    }
    let shown = file.file.display();
    let text = match std::fs::read(&file.file).map(decode) {
        Ok(Ok(text)) => text,
        Ok(Err(reason)) => {
            writeln!(messages, "error: {shown} can't be read: {reason}")?;
            return Ok(Exit::Problem);
        }
        Err(error) => {
            writeln!(messages, "error: {shown} can't be read: {}", why(&error))?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let document = match import(&text, file.issuer.as_deref()) {
        Ok(document) => document,
        Err(problem) => {
            writeln!(messages, "error: {shown}: {problem}")?;
            return Ok(Exit::Problem);
        }
    };
    let (toml, problems) = finish(&document);
    match &file.out {
        Some(path) => {
            if let Err(error) = write_new(path, &toml) {
                writeln!(messages, "error: {} can't be written: {error}", path.display())?;
                return Ok(Exit::CouldNotRun);
            }
        }
        None => out.write_all(toml.as_bytes())?,
    }
    summary(&document, file.out.as_deref(), &problems, messages)?;
    Ok(if problems.is_empty() { Exit::Fine } else { Exit::Problem })
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    std::fs::OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

/// The file's text, and the problems that `check --without-secrets` finds, which are also written at the head of the file.
fn finish(document: &Document) -> (String, Vec<String>) {
    let text = document.render();
    let problems = problems(&text);
    if problems.is_empty() {
        return (text, problems);
    }
    let mut head = Table::new(&[]);
    head.above(Mark::Plain, "`countersign check` does not accept this file yet:");
    problems.iter().for_each(|problem| head.above(Mark::ToDo, problem));
    let mut comments = Document::default();
    comments.push(head);
    (format!("{}\n{text}", comments.render()), problems)
}

/// The errors in a file that `check --without-secrets` finds.
fn problems(text: &str) -> Vec<String> {
    const NAME: &str = "broker.toml";
    let inputs = Inputs { main: PathBuf::from(NAME), ..Inputs::default() };
    match prepare(&inputs, &Memory::of([(NAME, text)]), Options { number: 1, without_secrets: true, now: 0 }) {
        Ok(prepared) if prepared.problems.has_errors() => {
            let errors = prepared.problems.iter().filter(|problem| problem.severity == Severity::Error);
            errors.map(ToString::to_string).collect()
        }
        Ok(_) => Vec::new(),
        Err(error) => vec![error.to_string()],
    }
}

fn summary(document: &Document, to: Option<&Path>, problems: &[String], messages: &mut dyn Write) -> io::Result<()> {
    let Counts { not_supported, not_built, changed, to_do } = document.counts();
    let of = |section: &str| {
        let (all, off) = document.entries(section);
        if off == 0 { format!("{all}") } else { format!("{} and {off} commented out", all - off) }
    };
    writeln!(messages, "providers: {}; clients: {}", of("providers"), of("clients"))?;
    let marks = format!("{to_do} to do, {changed} changed, {not_supported} not supported, {not_built} not built yet");
    writeln!(messages, "comments to read: {marks}")?;
    for problem in problems {
        writeln!(messages, "{problem}")?;
    }
    let file = to.map_or_else(|| "broker.toml".to_owned(), |path| path.display().to_string());
    writeln!(messages, "next: put the secrets where the file says, then countersign check --config {file}")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
mod tests;
