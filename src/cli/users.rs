//! `countersign users`: list, show, disable, enable and rename the users of a running broker.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::admin::{AdminListener, BrokerArgs};
use crate::cli::printable::Printable;
use crate::cli::table::{self, list, text, time};
use crate::cli::{Environment, Exit, sessions};
use crate::config::load::files::Files;

/// How many users are requested at a time.
const PAGE: &str = "500";

/// Arguments of `users`.
#[derive(Debug, Args)]
pub struct UsersArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: UsersCommand,
    /// Which broker, and how to print.
    #[command(flatten)]
    pub broker: BrokerArgs,
}

/// What `users` can do. USER is a username, a `sub`, or an address that a provider verified.
#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// List all users, in order of their names.
    List,
    /// Show a user with upstream accounts, sessions and consents.
    Show {
        /// The user.
        user: String,
    },
    /// Take a user's access away: end all sessions, revoke all grants, refuse every sign-in.
    Disable {
        /// The user.
        user: String,
    },
    /// Let a user sign in again who was disabled by `users disable`.
    Enable {
        /// The user.
        user: String,
    },
    /// Give a user another name. The `sub`, the sessions and the grants stay.
    Rename {
        /// The user.
        user: String,
        /// The new username.
        username: String,
    },
}

/// Runs the command. Data goes to `out`, errors to `err`.
///
/// # Errors
/// When a writer fails.
pub fn run(
    args: &UsersArgs,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let (out, err) = (&mut Printable::new(out), &mut Printable::new(err));
    let broker = match AdminListener::of(&args.broker.config, environment, files, err)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    let (path, body) = match &args.command {
        UsersCommand::List => return all(&broker, args.broker.json, out, err),
        UsersCommand::Show { user } => return show(&broker, user, args.broker.json, out, err),
        UsersCommand::Disable { user } => ("/users/disable", json!({ "user": user })),
        UsersCommand::Enable { user } => ("/users/enable", json!({ "user": user })),
        UsersCommand::Rename { user, username } => ("/users/rename", json!({ "user": user, "username": username })),
    };
    let answer = match broker.act(path, &body, err)? {
        Ok(answer) => answer,
        Err(exit) => return Ok(exit),
    };
    if args.broker.json {
        writeln!(out, "{answer:#}")?;
        return Ok(Exit::Fine);
    }
    match &args.command {
        UsersCommand::Disable { user } => sessions::report(&format!("{user} is disabled."), &answer, out)?,
        UsersCommand::Rename { user, .. } => {
            writeln!(out, "{} is now {}.", user, text(&answer, "username"))?;
        }
        _ => writeln!(out, "The user can sign in again.")?,
    }
    Ok(Exit::Fine)
}

fn all(broker: &AdminListener, as_json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let mut users: Vec<Value> = Vec::new();
    let mut after = String::new();
    loop {
        let mut page = match broker.read("/users", &[("after", &after), ("limit", PAGE)], err)? {
            Ok(page) => page,
            Err(exit) => return Ok(exit),
        };
        if let Some(found) = page.get_mut("users").and_then(Value::as_array_mut) {
            users.append(found);
        }
        match page.get("next").and_then(Value::as_str) {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    if as_json {
        writeln!(out, "{:#}", json!({ "users": users }))?;
        return Ok(Exit::Fine);
    }
    let rows: Vec<Vec<String>> = users
        .iter()
        .map(|user| {
            vec![
                text(user, "username"),
                text(user, "sub"),
                access(user),
                list(user, "providers"),
                time(user, "created_at"),
            ]
        })
        .collect();
    table::write(out, &["USER", "SUB", "ACCESS", "PROVIDERS", "CREATED"], &rows)?;
    Ok(Exit::Fine)
}

fn show(
    broker: &AdminListener,
    user: &str,
    as_json: bool,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let found = match broker.read("/user", &[("user", user)], err)? {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    if as_json {
        writeln!(out, "{found:#}")?;
        return Ok(Exit::Fine);
    }
    writeln!(out, "{}", text(&found, "username"))?;
    writeln!(out, "  sub      {}", text(&found, "sub"))?;
    writeln!(out, "  access   {}", access(&found))?;
    writeln!(out, "  created  {}", time(&found, "created_at"))?;
    let part = |key: &str| found.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let links: Vec<Vec<String>> = part("links")
        .iter()
        .map(|link| vec![text(link, "provider"), text(link, "subject"), time(link, "claims_at"), text(link, "issuer")])
        .collect();
    writeln!(out)?;
    table::write(out, &["PROVIDER", "SUBJECT", "LAST CLAIMS", "ISSUER"], &links)?;
    writeln!(out)?;
    sessions::write(out, &part("sessions"))?;
    let consents: Vec<Vec<String>> = part("consents")
        .iter()
        .map(|consent| vec![text(consent, "client"), list(consent, "scopes"), time(consent, "granted_at")])
        .collect();
    writeln!(out)?;
    table::write(out, &["CONSENT FOR", "SCOPES", "GIVEN"], &consents)?;
    Ok(Exit::Fine)
}

fn access(user: &Value) -> String {
    match user.get("access").and_then(Value::as_str) {
        Some("disabled_at_runtime") => "disabled (users disable)",
        Some("disabled_in_file") => "disabled (file)",
        _ => "enabled",
    }
    .to_owned()
}
