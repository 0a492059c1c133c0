//! The command line: parse, call, exit code.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use countersign::cli;
use countersign::config::files::Disk;

#[derive(Parser)]
#[command(name = "countersign", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check a configuration.
    Check(cli::check::CheckArgs),
    /// Print the JSON Schema of the configuration language.
    Schema,
}

fn main() -> ExitCode {
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let mut out = io::stdout().lock();
    let colour = out.is_terminal();
    let ended = match Cli::parse().command {
        Command::Check(args) => cli::check::run(&args, &environment, &Disk, &mut out, colour),
        Command::Schema => cli::schema::run(&mut out),
    };
    ended.unwrap_or(cli::Exit::CouldNotRun).into()
}
