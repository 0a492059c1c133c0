//! The `countersign` command: parse, call, exit code.

use std::process::ExitCode;

use clap::Parser as _;
use countersign::cli::{Cli, Command, check, client, dev, healthcheck, schema, serve};

fn main() -> ExitCode {
    let mut out = std::io::stdout();
    let code = match Cli::parse().command {
        Command::Serve(args) => serve::run(&args),
        Command::Dev(args) => dev::run(&args, &mut out),
        Command::Check(args) => check::run(&args, &mut out),
        Command::Schema(args) => schema::run(&args, &mut out),
        Command::Client(args) => client::run(&args, &mut out),
        Command::Healthcheck(args) => healthcheck::run(&args, &mut out),
    };
    ExitCode::from(code)
}
