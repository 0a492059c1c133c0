//! `countersign sessions`: list and end the sessions of a running broker.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::cli::admin::{AdminListener, BrokerArgs};
use crate::cli::printable::Printable;
use crate::cli::table::{self, list, text, time};
use crate::cli::{Environment, Exit};
use crate::config::diagnostics::problem::counted;
use crate::config::load::files::Files;

/// Arguments of `sessions`.
#[derive(Debug, Args)]
pub struct SessionsArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: SessionsCommand,
    /// Which broker, and how to print.
    #[command(flatten)]
    pub broker: BrokerArgs,
}

/// What `sessions` can do.
#[derive(Debug, Subcommand)]
pub enum SessionsCommand {
    /// List sessions, newest first.
    List {
        /// Only those of this user: a username, a `sub` or a verified address.
        #[arg(long)]
        user: Option<String>,
        /// How many at most.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        limit: u32,
    },
    /// End a session, or all sessions of a user. The apps are notified by back channel.
    Revoke {
        /// The session's id, as `sessions list` shows it.
        #[arg(required_unless_present = "user")]
        id: Option<String>,
        /// All sessions of this user: a username, a `sub` or a verified address.
        #[arg(long, conflicts_with = "id")]
        user: Option<String>,
    },
}

/// Runs the command. Data goes to `out`, errors to `err`.
///
/// # Errors
/// When a writer fails.
pub fn run(
    args: &SessionsArgs,
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
    let answer = match &args.command {
        SessionsCommand::List { user, limit } => {
            let limit = limit.to_string();
            let mut parameters = vec![("limit", limit.as_str())];
            parameters.extend(user.as_deref().map(|user| ("user", user)));
            broker.read("/sessions", &parameters, err)?
        }
        SessionsCommand::Revoke { id: Some(id), .. } => {
            broker.act("/sessions/revoke", &json!({ "session": id }), err)?
        }
        SessionsCommand::Revoke { user, .. } => broker.act("/sessions/revoke", &json!({ "user": user }), err)?,
    };
    match (answer, &args.command) {
        (Err(exit), _) => return Ok(exit),
        (Ok(answer), _) if args.broker.json => writeln!(out, "{answer:#}")?,
        (Ok(answer), SessionsCommand::List { .. }) => {
            write(out, answer.get("sessions").and_then(Value::as_array).map_or(&[], Vec::as_slice))?;
        }
        (Ok(answer), SessionsCommand::Revoke { .. }) => report("Done.", &answer, out)?,
    }
    Ok(Exit::Fine)
}

/// Writes sessions as a table.
///
/// # Errors
/// When the writer fails.
pub(crate) fn write(out: &mut dyn Write, sessions: &[Value]) -> io::Result<()> {
    let rows: Vec<Vec<String>> = sessions
        .iter()
        .map(|session| {
            let at = |key| time(session, key);
            let (id, user, provider) = (text(session, "id"), text(session, "username"), text(session, "provider"));
            vec![id, user, provider, at("created_at"), at("last_active"), at("expires_at")]
        })
        .collect();
    table::write(out, &["SESSION", "USER", "PROVIDER", "STARTED", "LAST ACTIVE", "ENDS"], &rows)
}

/// Writes what an action ended, and until when tokens that are verified offline remain valid.
///
/// # Errors
/// When the writer fails.
pub(crate) fn report(headline: &str, answer: &Value, out: &mut dyn Write) -> io::Result<()> {
    let number = |key: &str| answer.get(key).and_then(Value::as_u64).unwrap_or_default();
    let counted = |key: &str, word: &str| counted(usize::try_from(number(key)).unwrap_or(usize::MAX), word);
    let (sessions, grants) = (counted("sessions_ended", "session"), counted("grants_revoked", "grant"));
    writeln!(out, "{headline} {sessions} ended, {grants} revoked.")?;
    let apps = list(answer, "apps_notified");
    if !apps.is_empty() {
        writeln!(out, "Notified by back channel: {apps}.")?;
    }
    if answer.get("offline_tokens_until").is_some_and(Value::is_i64) {
        let until = time(answer, "offline_tokens_until");
        writeln!(
            out,
            "APIs that verify access tokens without asking the broker may accept those issued before until {until}."
        )?;
    }
    Ok(())
}
