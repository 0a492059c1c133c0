//! `countersign explain`: what a user may do and why, rule by rule, and what an app would receive; or a stored decision.
//! [`analysis::explain`](crate::analysis::explain) creates the explanation; this file reads the arguments and the store.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Value, json};

use crate::analysis::explain::{Asking, Explanation, Kept, explain};
use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit, broker};
use crate::config::load::files::Files;
use crate::env::{Clock as _, SystemClock};
use crate::op::decide::subject as subject_of;

/// `countersign explain`
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The username.
    #[arg(required_unless_present = "trace")]
    pub user: Option<String>,
    /// The app that would receive the claims.
    #[arg(long, value_name = "APP")]
    pub client: Option<String>,
    /// Scopes that the app requests. Default: all that it may request.
    #[arg(long, value_delimiter = ' ', value_name = "SCOPES")]
    pub scope: Vec<String>,
    /// A stored decision, by the trace id that error pages and logs show.
    #[arg(long, value_name = "ID", conflicts_with_all = ["user", "client"])]
    pub trace: Option<String>,
    /// The configuration.
    #[command(flatten)]
    pub source: ConfigArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// When the writer fails.
pub fn run(args: &ExplainArgs, environment: &Environment, files: &dyn Files, out: &mut dyn Write) -> io::Result<Exit> {
    let out = &mut Printable::new(out);
    let broker = match broker::load(&args.source, environment, files, false, out)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    if let Some(id) = &args.trace {
        return kept(&broker, id, args.json, out);
    }
    if let Some(client) = &args.client
        && !broker.snapshot.clients.contains_key(client)
    {
        let known: Vec<&str> = broker.snapshot.clients.keys().map(String::as_str).collect();
        writeln!(out, "error: there is no client {client}; the file has {}", known.join(", "))?;
        return Ok(Exit::Problem);
    }
    let person = match broker::find(&broker, args.user.as_deref().unwrap_or_default(), out)? {
        Ok(person) => person,
        Err(exit) => return Ok(exit),
    };
    let subject = args.client.as_ref().and_then(|key| broker.snapshot.clients.get(key));
    let subject = subject.map(|client| subject_of(client, &person.user)).unwrap_or_default();
    let asking = args.client.as_deref().map(|client| Asking { client, scopes: &args.scope, subject: &subject });
    let known = broker::known(person);
    let explained: Vec<Explanation> =
        known.links.iter().map(|link| explain(&broker.snapshot.policy, &known, link, asking)).collect();
    // A person with several upstream accounts is let in if one of them is.
    let refused = explained.iter().all(|one| one.refused().is_some());
    let exit = if refused { Exit::Problem } else { Exit::Fine };
    if args.json {
        let document = json!({ "username": known.account.username, "client": args.client, "links": explained });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(exit);
    }
    if explained.is_empty() {
        writeln!(out, "{} is linked to no upstream account", known.account.username)?;
    }
    explained.iter().try_for_each(|explanation| writeln!(out, "{explanation}"))?;
    Ok(exit)
}

/// Prints a stored decision.
fn kept(broker: &broker::Broker, id: &str, as_json: bool, out: &mut dyn Write) -> io::Result<Exit> {
    let store = match broker::open(broker, out)? {
        Ok(store) => store,
        Err(exit) => return Ok(exit),
    };
    let trace = match store.run(store.store().trace(id, SystemClock.now())) {
        Ok(Some(trace)) => trace,
        Ok(None) => {
            writeln!(
                out,
                "error: there is no decision with the trace id {id}; decisions are kept as long as audit.retention says"
            )?;
            return Ok(Exit::Problem);
        }
        Err(error) => {
            writeln!(out, "error: the store can't be read: {error}")?;
            return Ok(Exit::CouldNotRun);
        }
    };
    if as_json {
        let decision: Value = serde_json::from_str(&trace.data)?;
        let document = json!({ "id": trace.id, "client": trace.client, "at": trace.at, "decision": decision });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
    } else {
        let kept = Kept::read(&trace.data)?;
        write!(out, "{}", kept.print(trace.at, trace.client.as_deref()))?;
    }
    Ok(Exit::Fine)
}
