//! The command line: one file a command, each a plain function that takes its arguments and a writer and returns how it
//! ended.

mod args;
mod broker;
pub mod capture;
pub mod check;
pub mod client;
pub mod dev;
mod exit;
pub mod explain;
pub mod healthcheck;
pub mod plan;
pub mod reach;
pub mod schema;
pub mod serve;
pub mod test;

use clap::{Parser, Subcommand};

pub use args::{ConfigArgs, Environment};
pub use exit::Exit;

/// A declarative OpenID Connect federation broker.
#[derive(Debug, Parser)]
#[command(
    name = "countersign",
    version,
    about,
    after_help = "Exit codes: 0 fine, 1 problem found, 2 wrong usage, 3 could not run."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the broker.
    Serve(serve::ServeArgs),
    /// Try it: a broker in memory, a simulated provider with a few people, and an app that shows what it gets.
    Dev(dev::DevArgs),
    /// Report every problem of a configuration, and run its tests.
    Check(check::CheckArgs),
    /// Run the configuration's mapping tests, with a diff for each failure.
    Test(test::TestArgs),
    /// What a changed configuration changes, and for whom.
    Plan(plan::PlanArgs),
    /// What leads to a role: groups, claims, rules, with their lines.
    Reach(reach::ReachArgs),
    /// Why a user may what, rule by rule, and what an app would get.
    Explain(explain::ExplainArgs),
    /// Turn a real sign-in into a redacted mapping test.
    Capture(capture::CaptureArgs),
    /// Print the JSON Schema of the configuration language.
    Schema,
    /// Things about clients: make a secret, print a start link.
    Client(client::ClientArgs),
    /// Make a broker.toml from the configuration of Dex or a Keycloak realm.
    Import(crate::import::ImportArgs),
    /// Ask a running broker whether it is ready; for containers.
    Healthcheck(healthcheck::HealthcheckArgs),
}
