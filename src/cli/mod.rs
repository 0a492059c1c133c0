//! The command line: one file a command. Exit codes: 0 fine, 1 problem found, 2 wrong usage, 3 could not run.

pub mod check;
pub mod client;
pub mod dev;
pub mod healthcheck;
pub mod schema;
pub mod serve;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::load::Inputs;

/// Fine.
pub const FINE: u8 = 0;
/// A problem was found.
pub const PROBLEM: u8 = 1;
/// The command could not run.
pub const COULD_NOT_RUN: u8 = 3;

/// A declarative OpenID Connect federation broker.
#[derive(Debug, Parser)]
#[command(name = "countersign", version, about, after_help = "Exit codes: 0 fine, 1 problem found, 2 wrong usage, 3 could not run.")]
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
    /// Print the JSON Schema of the configuration.
    Schema(schema::SchemaArgs),
    /// Things about clients: make a secret, print a start link.
    Client(client::ClientArgs),
    /// Ask a running broker whether it is ready; for containers.
    Healthcheck(healthcheck::HealthcheckArgs),
}

/// Which configuration a command is about.
#[derive(Clone, Debug, Args)]
pub struct ConfigArgs {
    /// The configuration file.
    #[arg(long, env = "COUNTERSIGN_CONFIG", default_value = "broker.toml", value_name = "FILE")]
    pub config: PathBuf,
    /// A file whose keys replace those of the configuration; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub overlay: Vec<PathBuf>,
}

impl ConfigArgs {
    /// What to load.
    #[must_use]
    pub fn inputs(&self) -> Inputs {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Inputs { main: self.config.clone(), overlays: self.overlay.clone(), environment }
    }
}
