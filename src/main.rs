//! The `countersign` command: parses the arguments, runs the command and returns its exit code.

use std::io::{self, IsTerminal as _, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::CommandFactory as _;
use countersign::cli::revocations::Revocation;
use countersign::cli::{
    Cli, Command, Environment, Exit, audit, backup, break_glass, capture, check, client, completions, dev, environment,
    explain, healthcheck, init, keys, output, parse, people, plan, providers, reach, revocations, schema, serve,
    sessions, store_copy, test, users,
};
use countersign::config::load::files::Disk;
use countersign::env::{Clock as _, SystemClock};
use countersign::outbound::GuardedClient;

fn main() -> ExitCode {
    let environment = environment();
    let colour = output::colour(&environment, io::stdout().is_terminal());
    let mut out = output::Output::new(io::stdout());
    let command = parse(&std::env::args_os().collect::<Vec<_>>()).unwrap_or_else(|error| error.exit()).command;
    let ended = run(command, &environment, &mut out, colour);
    let ended = ended.and_then(|exit| out.flush().map(|()| exit));
    ended
        .unwrap_or_else(|error| {
            // Standard error may be closed too; the exit code remains.
            let _ = writeln!(io::stderr(), "error: the output can't be written: {error}");
            Exit::CouldNotRun
        })
        .into()
}

fn run(command: Command, environment: &Environment, out: &mut dyn Write, colour: bool) -> io::Result<Exit> {
    match command {
        Command::Serve(args) => Ok(serve::run(&args, environment)),
        Command::Init(args) => {
            let interactive = io::stdin().is_terminal();
            let mut console = init::Console { input: &mut io::stdin().lock(), interactive };
            init::run(&args, environment, &Disk, &mut console, out, &mut io::stderr())
        }
        Command::Completions(args) => completions::run(&args, Cli::command(), out),
        Command::Man => completions::man(Cli::command(), out),
        Command::Dev(args) => dev::run(&args, environment, out),
        Command::Check(args) => check::run(&args, environment, &Disk, SystemClock.now(), out, colour),
        Command::Test(args) => test::run(&args, environment, &Disk, out),
        Command::Plan(args) => plan::run(&args, environment, &Disk, out, &mut io::stderr()),
        Command::People(args) => people::run(&args, environment, &Disk, out, &mut io::stderr()),
        Command::Reach(args) => reach::run(&args, environment, &Disk, out),
        Command::Explain(args) => explain::run(&args, environment, &Disk, out),
        Command::Capture(args) => capture::run(&args, environment, &Disk, out),
        Command::Providers(args) => providers::run(&args, environment, &Disk, Arc::new(GuardedClient::default()), out),
        Command::Schema(args) => schema::run(&args, out),
        Command::Client(args) => client::run(&args, environment, &Disk, out, &mut io::stderr()),
        Command::BreakGlass(args) => break_glass::run(&args, &mut break_glass::Input, out, &mut io::stderr()),
        Command::Users(args) => users::run(&args, environment, &Disk, out, &mut io::stderr()),
        Command::Sessions(args) => sessions::run(&args, environment, &Disk, out, &mut io::stderr()),
        Command::Audit(args) => audit::run(&args, environment, &Disk, out, &mut io::stderr()),
        Command::Keys(args) => keys::run(&args, environment, &Disk, out, &mut io::stderr()),
        Command::Backup(args) => backup::run(&args, environment, &Disk, out, &mut io::stderr()),
        Command::Store(args) => store_copy::run(&args, environment, &Disk, out, &mut io::stderr()),
        Command::Clients(args) => {
            revocations::run(Revocation::Clients(&args), environment, &Disk, out, &mut io::stderr())
        }
        Command::Consents(args) => {
            revocations::run(Revocation::Consents(&args), environment, &Disk, out, &mut io::stderr())
        }
        Command::Import(args) => countersign::cli::import::run(&args, out, &mut io::stderr()),
        Command::Healthcheck(args) => healthcheck::run(&args, environment, out),
    }
}
