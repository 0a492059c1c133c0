//! `countersign clients` and `countersign consents`: revoke what apps were granted by a running broker.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::admin::{AdminListener, BrokerArgs};
use crate::cli::printable::Printable;
use crate::cli::{Environment, Exit, sessions};
use crate::config::load::files::Files;

/// Arguments of `clients`.
#[derive(Debug, Args)]
pub struct ClientsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ClientsCommand,
    /// Which broker, and how to print.
    #[command(flatten)]
    pub broker: BrokerArgs,
}

/// What `clients` can do.
#[derive(Debug, Subcommand)]
pub enum ClientsCommand {
    /// Revoke all grants of a client, with their refresh tokens. Its users sign in again.
    Revoke {
        /// The client's key in the file.
        id: String,
    },
}

/// Arguments of `consents`.
#[derive(Debug, Args)]
pub struct ConsentsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConsentsCommand,
    /// Which broker, and how to print.
    #[command(flatten)]
    pub broker: BrokerArgs,
}

/// What `consents` can do. `users show` lists a user's consents.
#[derive(Debug, Subcommand)]
pub enum ConsentsCommand {
    /// Forget a user's consent for a client, and revoke the grants that rest on it.
    Revoke {
        /// The user: a username, a `sub` or a verified address.
        user: String,
        /// The client's key in the file.
        client: String,
    },
}

impl ClientsArgs {
    fn request(&self) -> (&'static str, Value) {
        let ClientsCommand::Revoke { id } = &self.command;
        ("/clients/revoke", json!({ "client": id }))
    }
}

impl ConsentsArgs {
    fn request(&self) -> (&'static str, Value) {
        let ConsentsCommand::Revoke { user, client } = &self.command;
        ("/consents/revoke", json!({ "user": user, "client": client }))
    }
}

/// A command that revokes something.
#[derive(Clone, Copy, Debug)]
pub enum Revocation<'a> {
    /// `clients revoke`
    Clients(&'a ClientsArgs),
    /// `consents revoke`
    Consents(&'a ConsentsArgs),
}

/// Runs the command. Data goes to `out`, errors to `err`.
///
/// # Errors
/// When a writer fails.
pub fn run(
    revocation: Revocation<'_>,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let (args, (path, body)) = match revocation {
        Revocation::Clients(args) => (&args.broker, args.request()),
        Revocation::Consents(args) => (&args.broker, args.request()),
    };
    let (out, err) = (&mut Printable::new(out), &mut Printable::new(err));
    let broker = match AdminListener::of(&args.config, environment, files, err)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    match broker.act(path, &body, err)? {
        Err(exit) => return Ok(exit),
        Ok(answer) if args.json => writeln!(out, "{answer:#}")?,
        Ok(answer) => sessions::report("Done.", &answer, out)?,
    }
    Ok(Exit::Fine)
}
