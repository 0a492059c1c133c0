//! The `countersign` command: parses the arguments, runs the command and returns its exit code.

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser as _};
use countersign::cli::revocations::Revocation;
use countersign::cli::{
    Cli, Command, Environment, Exit, audit, break_glass, capture, check, client, completions, dev, explain,
    healthcheck, init, plan, providers, reach, revocations, schema, serve, sessions, test, users,
};
use countersign::config::load::files::Disk;
use countersign::env::{Clock as _, SystemClock};
use countersign::outbound::GuardedClient;

fn main() -> ExitCode {
    let environment: Environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let mut out = io::stdout();
    let colour = out.is_terminal();
    let ended = match Cli::parse().command {
        Command::Serve(args) => Ok(serve::run(&args, &environment)),
        Command::Init(args) => {
            let interactive = io::stdin().is_terminal();
            let mut console = init::Console { input: &mut io::stdin().lock(), interactive };
            init::run(&args, &environment, &Disk, &mut console, &mut out, &mut io::stderr())
        }
        Command::Completions(args) => completions::run(&args, Cli::command(), &mut out),
        Command::Man => completions::man(Cli::command(), &mut out),
        Command::Dev(args) => dev::run(&args, &mut out),
        Command::Check(args) => check::run(&args, &environment, &Disk, SystemClock.now(), &mut out, colour),
        Command::Test(args) => test::run(&args, &environment, &Disk, &mut out),
        Command::Plan(args) => plan::run(&args, &environment, &Disk, &mut out),
        Command::Reach(args) => reach::run(&args, &environment, &Disk, &mut out),
        Command::Explain(args) => explain::run(&args, &environment, &Disk, &mut out),
        Command::Capture(args) => capture::run(&args, &environment, &Disk, &mut out),
        Command::Providers(args) => {
            providers::run(&args, &environment, &Disk, Arc::new(GuardedClient::default()), &mut out)
        }
        Command::Schema(args) => schema::run(&args, &mut out),
        Command::Client(args) => client::run(&args, &environment, &Disk, &mut out, &mut io::stderr()),
        Command::BreakGlass(args) => break_glass::run(&args, &mut break_glass::Input, &mut out, &mut io::stderr()),
        Command::Users(args) => users::run(&args, &environment, &Disk, &mut out, &mut io::stderr()),
        Command::Sessions(args) => sessions::run(&args, &environment, &Disk, &mut out, &mut io::stderr()),
        Command::Audit(args) => audit::run(&args, &environment, &Disk, &mut out, &mut io::stderr()),
        Command::Clients(args) => {
            revocations::run(Revocation::Clients(&args), &environment, &Disk, &mut out, &mut io::stderr())
        }
        Command::Consents(args) => {
            revocations::run(Revocation::Consents(&args), &environment, &Disk, &mut out, &mut io::stderr())
        }
        Command::Import(args) => countersign::cli::import::run(&args, &mut out, &mut io::stderr()),
        Command::Healthcheck(args) => healthcheck::run(&args, &environment, &mut out),
    };
    ended.unwrap_or(Exit::CouldNotRun).into()
}
