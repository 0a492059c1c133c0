//! `countersign explain`: why a user may what, rule by rule, and what an app would get; or a decision that was kept.
//!
//! Decides anew, with the user's last upstream claims under the configuration of the moment. Prints claim values: it is
//! the operator's own look at their own store.

use std::io::{self, Write};

use clap::Args;
use serde_json::{Value, json};

use crate::cli::{ConfigArgs, Environment, Exit, broker};
use crate::config::load::files::Files;
use crate::decision::account::AccountFacts;
use crate::decision::app::{AppRequest, authentication};
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::decision::trace::Refusal;
use crate::env::{Clock as _, SystemClock};
use crate::op::decide::{account, subject};
use crate::snapshot::Snapshot;
use crate::store::Person;
use crate::store::model::Link;

/// `countersign explain`
#[derive(Clone, Debug, Args)]
pub struct ExplainArgs {
    /// The username.
    #[arg(required_unless_present = "trace")]
    pub user: Option<String>,
    /// The app that asks.
    #[arg(long, value_name = "APP")]
    pub client: Option<String>,
    /// Scopes that it asks for. Default: all that it may.
    #[arg(long, value_delimiter = ' ', value_name = "SCOPES")]
    pub scope: Vec<String>,
    /// A decision that was kept, by the trace id that pages and logs show.
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
    let explained: Vec<(&Link, Result<Decision, Refusal>)> =
        person.links.iter().map(|link| (link, decide(args, &broker.snapshot, &person, link))).collect();
    let sub = args.client.as_ref().and_then(|key| broker.snapshot.clients.get(key));
    let sub = sub.map(|client| subject(client, &person.user));
    if args.json {
        let links: Vec<Value> =
            explained.iter().map(|(link, outcome)| to_json(link, outcome, sub.as_deref())).collect();
        let document = json!({ "username": person.user.username, "client": args.client, "links": links });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(Exit::Fine);
    }
    if explained.is_empty() {
        writeln!(out, "{} is linked to no upstream account", person.user.username)?;
    }
    for (link, outcome) in &explained {
        print(args, &person, link, outcome, sub.as_deref(), out)?;
    }
    Ok(Exit::Fine)
}

fn decide(args: &ExplainArgs, snapshot: &Snapshot, person: &Person, link: &Link) -> Result<Decision, Refusal> {
    let evidence = Evidence {
        provider: &link.key.provider,
        issuer: Some(&link.key.issuer),
        subject: &link.key.subject,
        claims: &link.claims,
    };
    let facts = AccountFacts { linked: Some(account(&person.user)), ..AccountFacts::default() };
    let mapped = begin(&snapshot.policy, &evidence)?;
    let client = args.client.as_ref().and_then(|key| snapshot.clients.get(key));
    let Some(client) = client else { return mapped.decide(facts, None) };
    let scopes = if args.scope.is_empty() { &client.scopes } else { &args.scope };
    let (acr, amr) = authentication(&link.claims);
    let request = AppRequest { client: &client.key, scopes, acr: acr.as_deref(), amr: &amr, ..AppRequest::default() };
    mapped.decide(facts, Some(&request))
}

fn print(
    args: &ExplainArgs,
    person: &Person,
    link: &Link,
    outcome: &Result<Decision, Refusal>,
    sub: Option<&str>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let when = chrono::DateTime::from_timestamp(link.claims_at, 0).map(|time| time.to_rfc3339()).unwrap_or_default();
    writeln!(out, "{} through {}, claims of {when}", person.user.username, link.key.provider)?;
    let trace = match outcome {
        Ok(decision) => &decision.trace,
        Err(refusal) => &refusal.trace,
    };
    trace.to_string().lines().try_for_each(|line| writeln!(out, "  {line}"))?;
    if let Ok(decision) = outcome {
        writeln!(out, "  groups   {}", names(&decision.groups))?;
        writeln!(out, "  roles    {}", names(&decision.granted.roles))?;
        writeln!(out, "  may      {}", names(&decision.granted.permissions))?;
        if let (Some(client), Some(release)) = (&args.client, &decision.release) {
            writeln!(out, "  {client} gets, with scope {}", release.scopes.join(" "))?;
            writeln!(out, "    sub = {}", Value::from(sub))?;
            let parts = [
                ("ID token", &release.id_token),
                ("userinfo", &release.userinfo),
                ("access token", &release.access_token),
            ];
            for (part, claims) in parts {
                writeln!(out, "    {part}")?;
                claims.iter().try_for_each(|(name, value)| writeln!(out, "      {name} = {value}"))?;
            }
        }
    }
    writeln!(out)
}

fn names(list: &[String]) -> String {
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

fn to_json(link: &Link, outcome: &Result<Decision, Refusal>, sub: Option<&str>) -> Value {
    let trace = match outcome {
        Ok(decision) => &decision.trace,
        Err(refusal) => &refusal.trace,
    };
    let decision = outcome.as_ref().ok();
    let release = decision.and_then(|decision| decision.release.as_ref());
    json!({
        "provider": link.key.provider,
        "claims_at": link.claims_at,
        "trace": trace,
        "groups": decision.map(|decision| &decision.groups),
        "roles": decision.map(|decision| &decision.granted.roles),
        "permissions": decision.map(|decision| &decision.granted.permissions),
        "app": release.map(|release| json!({
            "sub": sub, "scopes": release.scopes, "id_token": release.id_token, "userinfo": release.userinfo,
            "access_token": release.access_token,
        })),
    })
}

/// A decision as it was made.
fn kept(broker: &broker::Broker, id: &str, as_json: bool, out: &mut dyn Write) -> io::Result<Exit> {
    let store = match broker::open(broker, out)? {
        Ok(store) => store,
        Err(exit) => return Ok(exit),
    };
    let trace = match store.run(store.store().trace(id, SystemClock.now())) {
        Ok(Some(trace)) => trace,
        Ok(None) => {
            writeln!(out, "error: no decision {id} is kept; they are kept for seven days")?;
            return Ok(Exit::Problem);
        }
        Err(error) => {
            writeln!(out, "error: the store can't be read: {error}")?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let decision: Value = serde_json::from_str(&trace.data)?;
    if as_json {
        let document = json!({ "id": trace.id, "client": trace.client, "at": trace.at, "decision": decision });
        writeln!(out, "{}", serde_json::to_string_pretty(&document)?)?;
        return Ok(Exit::Fine);
    }
    let when = chrono::DateTime::from_timestamp(trace.at, 0).map(|time| time.to_rfc3339()).unwrap_or_default();
    let text =
        |key: &str| decision.get(key).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    let provider = text("provider").unwrap_or_default();
    let client = trace.client.as_deref().unwrap_or("no app");
    writeln!(out, "{when}, through {provider}, for {client}, generation {}", text("generation").unwrap_or_default())?;
    let steps = decision.get("steps").and_then(Value::as_array);
    for step in steps.into_iter().flatten() {
        let field = |key: &str| step.get(key).and_then(Value::as_str).unwrap_or_default();
        let place = match (step.get("file"), step.get("line")) {
            (Some(_), Some(line)) => format!("  [{}:{line}]", field("file")),
            _ if step.get("path").is_some() => format!("  [{} (default)]", field("path")),
            _ => String::new(),
        };
        writeln!(out, "  {:<8} {}{place}", field("stage"), field("text"))?;
    }
    if let Some(reason) = decision.get("refused").and_then(Value::as_str) {
        writeln!(out, "  refused  {reason}")?;
    }
    Ok(Exit::Fine)
}
