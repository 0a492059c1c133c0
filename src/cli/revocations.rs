//! `countersign clients` and `countersign consents`: revoke what apps were granted by a running broker.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::admin::AdminListener;
use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit, sessions};
use crate::config::load::files::Files;

/// Arguments of `clients`.
#[derive(Debug, Args)]
pub struct ClientsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ClientsCommand,
    /// The configuration of the running broker.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
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
    /// The configuration of the running broker.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
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

/// Runs `clients`. Data goes to `out`, errors to `err`.
///
/// # Errors
/// When a writer fails.
pub fn clients(
    args: &ClientsArgs,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let (out, err) = (&mut Printable::new(out), &mut Printable::new(err));
    let broker = match AdminListener::of(&args.config, environment, files, err)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    let ClientsCommand::Revoke { id } = &args.command;
    let answer = broker.act("/clients/revoke", &json!({ "client": id }), err)?;
    finish(answer, args.json, out)
}

/// Runs `consents`. Data goes to `out`, errors to `err`.
///
/// # Errors
/// When a writer fails.
pub fn consents(
    args: &ConsentsArgs,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let (out, err) = (&mut Printable::new(out), &mut Printable::new(err));
    let broker = match AdminListener::of(&args.config, environment, files, err)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    let ConsentsCommand::Revoke { user, client } = &args.command;
    let answer = broker.act("/consents/revoke", &json!({ "user": user, "client": client }), err)?;
    finish(answer, args.json, out)
}

fn finish(answer: Result<Value, Exit>, as_json: bool, out: &mut dyn Write) -> io::Result<Exit> {
    match answer {
        Err(exit) => return Ok(exit),
        Ok(answer) if as_json => writeln!(out, "{answer:#}")?,
        Ok(answer) => sessions::report("Done.", &answer, out)?,
    }
    Ok(Exit::Fine)
}
