//! The command line. Each command has a file of its own, with a function that takes the arguments and a writer and returns the
//! exit code.

pub mod admin;
mod args;
pub mod audit;
pub mod backup;
pub mod break_glass;
mod broker;
pub mod capture;
pub mod check;
pub mod client;
pub mod completions;
pub mod dev;
mod exit;
pub mod explain;
pub mod healthcheck;
pub mod import;
pub mod init;
pub mod keys;
mod otel;
pub mod output;
mod parse;
pub mod people;
pub mod plan;
mod printable;
mod probe;
pub mod providers;
pub mod reach;
pub mod revocations;
pub mod schema;
pub mod serve;
mod service_manager;
pub mod sessions;
pub mod store;
pub mod store_copy;
mod table;
pub mod test;
pub mod users;

use clap::{Parser, Subcommand};

pub use args::{ConfigArgs, Environment, environment};
pub use exit::Exit;
pub use parse::parse;

/// A declarative OpenID Connect federation broker.
#[derive(Debug, Parser)]
#[command(
    name = "countersign",
    version,
    about,
    after_help = "Exit codes: 0 success, 1 problem found, 2 wrong usage, 3 could not run."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a first configuration from three answers.
    Init(init::InitArgs),
    /// Run the broker.
    Serve(serve::ServeArgs),
    /// Try the broker: in memory, with simulated identity providers and a demo app that shows its tokens.
    Dev(dev::DevArgs),
    /// Report every problem of a configuration, and run its tests.
    Check(check::CheckArgs),
    /// Run the configuration's mapping tests, with a diff for each failure.
    Test(test::TestArgs),
    /// Show what a changed configuration changes, and for which users.
    Plan(plan::PlanArgs),
    /// Export the known users, sealed and under pseudonyms, for a plan where the store can't be read.
    People(people::PeopleArgs),
    /// Show what leads to a role: groups, claims and rules, with their lines.
    Reach(reach::ReachArgs),
    /// Explain, rule by rule, what a user may do and what an app would receive.
    Explain(explain::ExplainArgs),
    /// Turn a real sign-in into a mapping test without personal data.
    Capture(capture::CaptureArgs),
    /// List or show the providers of a configuration, or probe one before people depend on it.
    Providers(providers::ProvidersArgs),
    /// Print the JSON Schema of the configuration language.
    Schema(schema::SchemaArgs),
    /// Make a client secret, or print the link that starts a sign-in.
    Client(client::ClientArgs),
    /// Make the password hash of the break-glass account.
    BreakGlass(break_glass::BreakGlassArgs),
    /// List, show, disable, enable or rename the users of a running broker.
    Users(users::UsersArgs),
    /// List or end the sessions of a running broker.
    Sessions(sessions::SessionsArgs),
    /// Read the audit trail, or verify that it is whole.
    Audit(audit::AuditArgs),
    /// List, rotate or revoke the signing keys of a broker.
    Keys(keys::KeysArgs),
    /// Make a consistent copy of a SQLite store, while a broker uses it or not.
    Backup(backup::BackupArgs),
    /// Copy a store to another place or another database.
    Store(store_copy::StoreArgs),
    /// Revoke all grants of a client of a running broker.
    Clients(revocations::ClientsArgs),
    /// Revoke the consents of users of a running broker.
    Consents(revocations::ConsentsArgs),
    /// Write a broker.toml from the configuration of Dex or the export of a Keycloak realm.
    Import(import::ImportArgs),
    /// Print the completions of a shell.
    Completions(completions::CompletionsArgs),
    /// Print the manual page.
    Man,
    /// Ask a running broker whether it is ready, as a container's health check.
    Healthcheck(healthcheck::HealthcheckArgs),
}

#[cfg(test)]
mod tests;
