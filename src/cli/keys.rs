//! `countersign keys`: list, rotate or revoke the signing keys of a running broker, or those in its store when it is stopped.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::audit::{Event, Kind};
use crate::cli::admin::{AdminListener, BrokerArgs};
use crate::cli::broker::{self, Broker, LocalStore};
use crate::cli::printable::Printable;
use crate::cli::table::{self, list, text, time};
use crate::cli::{Environment, Exit};
use crate::config::load::files::Files;
use crate::env::{Clock as _, SystemClock};
use crate::keys::{Keys, summaries};
use crate::op::administration::{Failure, keys};

/// Arguments of `keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: KeysCommand,
    /// Which broker, and how to print.
    #[command(flatten)]
    pub broker: BrokerArgs,
}

/// What `keys` can do.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// List the signing keys: those that sign, the next ones, and those that only verify.
    List,
    /// Rotate all signing keys now. Tokens that the old ones signed stay valid until they expire.
    Rotate,
    /// Remove a signing key at once and replace it, because somebody else may have it. Tokens that it signed are refused.
    Revoke {
        /// The key's id, as `keys list` shows it.
        kid: String,
    },
}

/// Runs the command. Data goes to `out`, errors to `err`.
///
/// # Errors
/// When a writer fails.
pub fn run(
    args: &KeysArgs,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let (out, err) = (&mut Printable::new(out), &mut Printable::new(err));
    let listener = match AdminListener::of(&args.broker.config, environment, files, err)? {
        Ok(listener) => listener,
        Err(exit) => return Ok(exit),
    };
    let answer = if listener.is_there() {
        match &args.command {
            KeysCommand::List => listener.read("/keys", &[], err)?,
            KeysCommand::Rotate => listener.act("/keys/rotate", &json!({}), err)?,
            KeysCommand::Revoke { kid } => listener.act("/keys/revoke", &json!({ "kid": kid }), err)?,
        }
    } else {
        writeln!(err, "No broker answers at {}: the store itself is used.", listener.name())?;
        match broker::load_with_store(&args.broker.config, environment, files, err)? {
            Ok((broker, store)) => match store.block_on(act(&broker, &store, &args.command)) {
                Ok(answer) => Ok(answer),
                Err(failure) => Err(broker::failed(&failure, err)?),
            },
            Err(exit) => Err(exit),
        }
    };
    match answer {
        Err(exit) => return Ok(exit),
        Ok(answer) if args.broker.json => writeln!(out, "{answer:#}")?,
        Ok(answer) => print(&args.command, &answer, out)?,
    }
    Ok(Exit::Fine)
}

/// Does on the store what the running broker would do.
async fn act(broker: &Broker, store: &LocalStore, command: &KeysCommand) -> Result<Value, Failure> {
    let (snapshot, now) = (&broker.snapshot, SystemClock.now());
    let policy = snapshot.key_policy();
    if matches!(command, KeysCommand::List) {
        return Ok(json!({ "keys": summaries(store.store(), &policy, now).await? }));
    }
    let held = Keys::open(store.shared(), &policy, now).await?;
    let event = Event::new(Kind::AdminAction, now, snapshot.resolved.audit.identify);
    let (changed, event) = match command {
        KeysCommand::Revoke { kid } => keys::revoke(&held, snapshot, now, kid, event).await?,
        _ => keys::rotate(&held, snapshot, now, event).await?,
    };
    store.store().record(vec![event]).await?;
    Ok(json!(changed))
}

fn print(command: &KeysCommand, answer: &Value, out: &mut dyn Write) -> io::Result<()> {
    match command {
        KeysCommand::List => return table(answer, out),
        KeysCommand::Rotate => {
            writeln!(
                out,
                "The signing keys are rotated. Tokens that the old ones signed are valid until they expire."
            )?;
        }
        KeysCommand::Revoke { kid } => writeln!(
            out,
            "{kid} is revoked: the broker accepts nothing that it signed. Apps that have cached the key set accept its tokens \
             until they fetch the set again or the tokens expire."
        )?,
    }
    writeln!(out, "Signing now: {}.", list(answer, "signing"))
}

fn table(answer: &Value, out: &mut dyn Write) -> io::Result<()> {
    let keys = answer.get("keys").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if keys.is_empty() {
        return writeln!(out, "There are no signing keys yet: the broker makes them when it starts.");
    }
    let published = |key: &Value| key.get("published").and_then(Value::as_bool) == Some(true);
    let row = |key: &Value| {
        vec![
            text(key, "kid"),
            text(key, "alg"),
            text(key, "state"),
            if published(key) { "yes".to_owned() } else { "no".to_owned() },
            time(key, "created_at"),
            time(key, "activated_at"),
            time(key, "rotation_due_at"),
        ]
    };
    let rows: Vec<Vec<String>> = keys.iter().map(row).collect();
    table::write(out, &["KEY", "ALG", "STATE", "PUBLISHED", "MADE", "SIGNS SINCE", "ROTATION DUE"], &rows)
}

#[cfg(test)]
mod tests;
