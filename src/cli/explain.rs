//! `countersign explain`: what a user may do and why, rule by rule, and what an app would receive; or a stored decision.
//! [`analysis::explain`](crate::analysis::explain) creates the explanation; this file reads the arguments and the store.

use std::io::{self, Write};

use chrono::DateTime;
use clap::Args;
use serde_json::{Value, json};

use crate::analysis::explain::{Asking, Explanation, Kept, explain};
use crate::audit::{Event, Kind, Text};
use crate::cli::broker::{Broker, LocalStore};
use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit, broker};
use crate::config::load::files::Files;
use crate::env::{Clock as _, SystemClock, read_trace_id};
use crate::op::administration::Failure;
use crate::op::administration::audit::{attempts, trace};
use crate::op::administration::near::suggestion;
use crate::op::administration::people::find_in;
use crate::op::decide::subject as subject_of;
use crate::store::model::StoredTrace;
use crate::store::{EventQuery, Person};

/// How many attempts to sign in are listed.
const LAST: u32 = 10;
/// How many refusals of somebody without an account are explained.
const REFUSALS: u32 = 5;

/// `countersign explain`
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The person: a username, a `sub`, or an address. Whoever was refused without an account is found by the names that the
    /// provider gave.
    #[arg(required_unless_present_any = ["trace", "last", "refused"])]
    pub user: Option<String>,
    /// The app that would receive the claims.
    #[arg(long, value_name = "APP")]
    pub client: Option<String>,
    /// Scopes that the app requests. Default: all that it may request.
    #[arg(long, value_delimiter = ' ', value_name = "SCOPES")]
    pub scope: Vec<String>,
    /// A stored decision, by the trace id that error pages and logs show.
    #[arg(long, value_name = "ID", allow_hyphen_values = true, conflicts_with_all = ["user", "client"])]
    pub trace: Option<String>,
    /// List the last attempts to sign in, 10 by default.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "10", conflicts_with_all = ["user", "trace"])]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub last: Option<u32>,
    /// List only those that let nobody in.
    #[arg(long, conflicts_with_all = ["user", "trace"])]
    pub refused: bool,
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
    let broker = match broker::load(&args.source, environment, files, true, out)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    if let Some(client) = &args.client
        && !broker.snapshot.clients.contains_key(client)
    {
        return broker::no_client(&broker, client, out);
    }
    let store = match broker::open(&broker, out)? {
        Ok(store) => store,
        Err(exit) => return Ok(exit),
    };
    if let Some(id) = &args.trace {
        return kept(&store, id, args.json, out);
    }
    let name = args.user.as_deref().unwrap_or_default();
    let outcome = match args.last.or(args.refused.then_some(LAST)) {
        Some(limit) => return last(&store, limit, args, out),
        None => store.block_on(find_in(store.store(), name)),
    };
    match outcome {
        Ok(person) => known(&broker, &store, person, args, out),
        Err(Failure::NotFound(text)) => stranger(&store, name, &text, args.json, out),
        Err(failure) => broker::failed(&failure, out),
    }
}

/// Explains the decision on somebody who has an account, beginning with what happened last.
fn known(
    broker: &Broker,
    store: &LocalStore,
    person: Person,
    args: &ExplainArgs,
    out: &mut dyn Write,
) -> io::Result<Exit> {
    let among = EventQuery { account: Some(person.user.id.clone()), limit: 1, ..EventQuery::default() };
    let attempts = match store.block_on(attempts(store.store(), among, false)) {
        Ok(attempts) => attempts,
        Err(failure) => return broker::failed(&failure, out),
    };
    let last = attempts.first().map(|last| &last.event);
    // Whoever was refused last asks about that app.
    let refused_at = last.filter(|last| last.kind != Kind::SignIn).and_then(|last| last.client.as_deref());
    let client = args.client.as_deref().or(refused_at).filter(|key| broker.snapshot.clients.contains_key(*key));
    let subject = client.and_then(|key| broker.snapshot.clients.get(key));
    let subject = subject.map(|client| subject_of(client, &person.user)).unwrap_or_default();
    let asking = client.map(|client| Asking { client, scopes: &args.scope, subject: &subject });
    let known = broker::known(person);
    let explained: Vec<Explanation> =
        known.links.iter().map(|link| explain(&broker.snapshot.policy, &known, link, asking)).collect();
    // A person with several upstream accounts is let in if one of them is.
    let refused = explained.iter().all(|one| one.refused().is_some());
    let exit = if refused { Exit::Problem } else { Exit::Fine };
    if args.json {
        let document =
            json!({ "username": known.account.username, "last": last, "client": client, "links": explained });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(exit);
    }
    if let Some(last) = last {
        writeln!(out, "last: {}", told(last))?;
    }
    if explained.is_empty() {
        writeln!(out, "{} is linked to no upstream account", known.account.username)?;
    }
    explained.iter().try_for_each(|explanation| writeln!(out, "{explanation}"))?;
    Ok(exit)
}

fn time(at: i64) -> String {
    DateTime::from_timestamp(at, 0).map(|time| time.to_rfc3339()).unwrap_or_default()
}

/// What happened, in one line.
fn told(event: &Event) -> String {
    let outcome = match event.kind {
        Kind::SignIn => "let in".to_owned(),
        Kind::UpstreamFailure => format!("failed at the provider ({})", event.reason.as_deref().unwrap_or_default()),
        _ => format!("refused ({})", event.reason.as_deref().unwrap_or_default()),
    };
    let part = |what: &str, text: &Option<Text>| text.as_deref().map(|text| format!(", {what} {text}"));
    let parts = [
        part("app", &event.client),
        part("through", &event.provider),
        part("from", &event.address),
        part("trace", &event.trace_id),
    ];
    format!("{}: {outcome}{}", time(event.at), parts.into_iter().flatten().collect::<String>())
}

/// Explains the refusals of somebody who has no account.
fn stranger(store: &LocalStore, name: &str, why: &str, as_json: bool, out: &mut dyn Write) -> io::Result<Exit> {
    let found = match store.run(store.store().refusals_named(name, SystemClock.now(), REFUSALS)) {
        Ok(found) => found,
        Err(error) => {
            writeln!(out, "error: the store can't be read: {error}")?;
            return Ok(Exit::CouldNotRun);
        }
    };
    if found.is_empty() {
        let suggestion = store.run(suggestion(store.store(), name)).unwrap_or_default();
        writeln!(out, "error: {why}, and nobody of that name was refused{suggestion}")?;
        return Ok(Exit::Problem);
    }
    if as_json {
        let refusals = found.iter().map(document).collect::<Result<Vec<Value>, _>>()?;
        writeln!(out, "{}", serde_json::to_string_pretty(&json!({ "name": name, "refusals": refusals }))?)?;
        return Ok(Exit::Problem);
    }
    writeln!(out, "{name} has no account, and was refused:")?;
    for trace in &found {
        let kept = Kept::read(&trace.data)?;
        write!(out, "trace {}: {}", trace.id, kept.print(trace.at, trace.client.as_deref()))?;
    }
    Ok(Exit::Problem)
}

/// Lists the last attempts to sign in.
fn last(store: &LocalStore, limit: u32, args: &ExplainArgs, out: &mut dyn Write) -> io::Result<Exit> {
    let among = EventQuery { client: args.client.clone(), limit, ..EventQuery::default() };
    let attempts = match store.block_on(attempts(store.store(), among, args.refused)) {
        Ok(attempts) => attempts,
        Err(failure) => return broker::failed(&failure, out),
    };
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&attempts)?)?;
        return Ok(Exit::Fine);
    }
    for attempt in &attempts {
        let event = &attempt.event;
        let who = event.user.as_deref().or(event.sub.as_deref()).unwrap_or("somebody without an account");
        writeln!(out, "{}  {who}", told(event))?;
    }
    if attempts.is_empty() {
        let nobody = if args.refused { "Nobody was refused." } else { "Nobody has tried to sign in." };
        writeln!(out, "{nobody}")?;
    }
    Ok(Exit::Fine)
}

/// A stored decision as JSON.
fn document(trace: &StoredTrace) -> serde_json::Result<Value> {
    let decision: Value = serde_json::from_str(&trace.data)?;
    Ok(json!({ "id": trace.id, "client": trace.client, "at": trace.at, "decision": decision }))
}

/// Prints a stored decision.
fn kept(store: &LocalStore, id: &str, as_json: bool, out: &mut dyn Write) -> io::Result<Exit> {
    let trace = match store.run(trace(store.store(), id, SystemClock.now())) {
        Ok(Some(trace)) => trace,
        Ok(None) => {
            let text = match read_trace_id(id) {
                None => "an id has ten letters and digits, as the page or the log shows it",
                Some(_) => {
                    "compare it, letter by letter, with the one on the page or in the log; decisions are kept as long as \
                     audit.retention says"
                }
            };
            writeln!(out, "error: there is no decision with the trace id {id}: {text}")?;
            return Ok(Exit::Problem);
        }
        Err(error) => {
            writeln!(out, "error: the store can't be read: {error}")?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let kept = Kept::read(&trace.data)?;
    if as_json {
        writeln!(out, "{}", serde_json::to_string_pretty(&document(&trace)?)?)?;
    } else {
        write!(out, "{}", kept.print(trace.at, trace.client.as_deref()))?;
    }
    Ok(if kept.refused.is_some() { Exit::Problem } else { Exit::Fine })
}
