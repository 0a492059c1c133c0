//! `countersign audit`: the audit trail of a broker, from its local store, or from the running broker if the store is in its
//! memory.

use std::io::{self, BufRead as _, Write};
use std::path::{Path, PathBuf};

use chrono::DateTime;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::audit::chain::{Hash, Place, Verifier};
use crate::cli::admin::{AdminListener, BrokerArgs};
use crate::cli::broker::{self, LocalStore};
use crate::cli::printable::Printable;
use crate::cli::table::{self, text, time};
use crate::cli::{Environment, Exit};
use crate::config::language::scalar::Duration;
use crate::config::load::files::{Files, why};
use crate::env::{Clock as _, SystemClock};
use crate::op::administration::audit::{Filter, query, stretch};

/// How many lines are verified at once.
const BATCH: u32 = 5_000;

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: AuditCommand,
    /// Which broker, and how to print.
    #[command(flatten)]
    pub broker: BrokerArgs,
}

/// What `audit` can do.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Show the last events.
    Tail {
        /// How many.
        #[arg(default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000))]
        lines: u32,
    },
    /// Find events, the newest first.
    Query(QueryArgs),
    /// Verify the hash chain: of the store, or of a file that `[audit] file` wrote.
    Verify {
        /// The file. A file that was rotated may begin with any event.
        #[arg(long)]
        file: Option<PathBuf>,
    },
}

/// Arguments of `audit query`. Every option narrows the result.
#[derive(Debug, Default, Args)]
pub struct QueryArgs {
    /// Events of this user: a username, a `sub` or a verified address.
    #[arg(long)]
    pub user: Option<String>,
    /// Events of this client, by its key in the file.
    #[arg(long)]
    pub client: Option<String>,
    /// Events of this provider.
    #[arg(long)]
    pub provider: Option<String>,
    /// Events of this kind, such as `refusal`.
    #[arg(long)]
    pub event: Option<String>,
    /// Events with this reason code.
    #[arg(long)]
    pub reason: Option<String>,
    /// Events from this address.
    #[arg(long)]
    pub address: Option<String>,
    /// Not before this time: `2026-11-01T08:00:00Z`, or a duration such as `2h` for two hours ago.
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Not after this time.
    #[arg(long, value_name = "TIME")]
    pub to: Option<String>,
    /// Continue after a page, by the number that it ended with.
    #[arg(long, value_name = "SEQ")]
    pub before: Option<u64>,
    /// How many at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub limit: u32,
}

impl QueryArgs {
    fn filter(&self, now: i64) -> Result<Filter, String> {
        let at = |text: &Option<String>| text.as_deref().map(|text| moment(text, now)).transpose();
        Ok(Filter {
            user: self.user.clone(),
            client: self.client.clone(),
            provider: self.provider.clone(),
            event: self.event.clone(),
            reason: self.reason.clone(),
            address: self.address.clone(),
            from: at(&self.from)?,
            to: at(&self.to)?,
            before: self.before,
            limit: self.limit,
        })
    }
}

/// A time as people write it.
fn moment(text: &str, now: i64) -> Result<i64, String> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp());
    }
    let ago = Duration::parse(text).map(|ago| now - ago.seconds());
    ago.map_err(|_| {
        format!("{text} is not a time: write 2026-11-01T08:00:00Z, or a duration such as 2h for two hours ago")
    })
}

/// Where the audit trail is read.
enum Source {
    Local(LocalStore),
    Running(AdminListener),
}

impl Source {
    fn query(&self, filter: &Filter, err: &mut dyn Write) -> io::Result<Result<Value, Exit>> {
        match self {
            Self::Local(store) => {
                let page = store.block_on(query(store.store(), filter));
                let page = page.map(|page| json!({ "events": page.events, "next": page.next }));
                page.map_or_else(|failure| broker::failed(&failure, err).map(Err), |page| Ok(Ok(page)))
            }
            Self::Running(listener) => {
                let parameters = [
                    ("user", filter.user.clone()),
                    ("client", filter.client.clone()),
                    ("provider", filter.provider.clone()),
                    ("event", filter.event.clone()),
                    ("reason", filter.reason.clone()),
                    ("address", filter.address.clone()),
                    ("from", filter.from.map(|at| at.to_string())),
                    ("to", filter.to.map(|at| at.to_string())),
                    ("before", filter.before.map(|seq| seq.to_string())),
                    ("limit", Some(filter.limit.to_string())),
                ];
                let given: Vec<(&str, &str)> =
                    parameters.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
                listener.read("/audit", &given, err)
            }
        }
    }

    fn stretch(&self, after: u64, err: &mut dyn Write) -> io::Result<Result<Value, Exit>> {
        match self {
            Self::Local(store) => {
                let stretch = store.block_on(stretch(store.store(), after, BATCH));
                stretch.map_or_else(|failure| broker::failed(&failure, err).map(Err), |stretch| Ok(Ok(json!(stretch))))
            }
            Self::Running(listener) => {
                let (after, limit) = (after.to_string(), BATCH.to_string());
                listener.read("/audit/chain", &[("after", &after), ("limit", &limit)], err)
            }
        }
    }
}

/// Runs the command. Data goes to `out`, errors to `err`.
///
/// # Errors
/// When a writer fails.
pub fn run(
    args: &AuditArgs,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let (out, err) = (&mut Printable::new(out), &mut Printable::new(err));
    let filter = match &args.command {
        AuditCommand::Verify { file: Some(path) } => return verify_file(path, args.broker.json, out, err),
        AuditCommand::Verify { file: None } => None,
        AuditCommand::Tail { lines } => Some(Filter { limit: *lines, ..Filter::default() }),
        AuditCommand::Query(query) => match query.filter(SystemClock.now()) {
            Ok(filter) => Some(filter),
            Err(problem) => {
                writeln!(err, "error: {problem}")?;
                return Ok(Exit::Usage);
            }
        },
    };
    let source = match source(args, environment, files, err)? {
        Ok(source) => source,
        Err(exit) => return Ok(exit),
    };
    let Some(filter) = filter else { return verify_store(&source, args.broker.json, out, err) };
    let answer = match source.query(&filter, err)? {
        Ok(answer) => answer,
        Err(exit) => return Ok(exit),
    };
    let mut events = answer.get("events").and_then(Value::as_array).cloned().unwrap_or_default();
    if matches!(args.command, AuditCommand::Tail { .. }) {
        events.reverse();
    }
    if args.broker.json {
        // A line each, as in the file.
        events.iter().try_for_each(|event| writeln!(out, "{event}"))?;
        return Ok(Exit::Fine);
    }
    write(out, &events)?;
    if let (Some(next), AuditCommand::Query(_)) = (answer.get("next").and_then(Value::as_u64), &args.command) {
        writeln!(out, "There may be more: --before {next}")?;
    }
    Ok(Exit::Fine)
}

/// The local store, or the running broker if the store is in its memory.
fn source(
    args: &AuditArgs,
    environment: &Environment,
    files: &dyn Files,
    err: &mut dyn Write,
) -> io::Result<Result<Source, Exit>> {
    let broker = match broker::load(&args.broker.config, environment, files, true, err)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(Err(exit)),
    };
    match broker.store() {
        Ok(Ok(store)) => Ok(Ok(Source::Local(store))),
        Ok(Err(_)) => Ok(AdminListener::of(&args.broker.config, environment, files, err)?.map(Source::Running)),
        Err(why) => {
            writeln!(err, "error: {why}")?;
            Ok(Err(Exit::CouldNotRun))
        }
    }
}

/// Writes events as a table.
pub(crate) fn write(out: &mut dyn Write, events: &[Value]) -> io::Result<()> {
    let rows: Vec<Vec<String>> = events
        .iter()
        .map(|event| {
            let what = ["event", "action", "pattern", "reason", "role"].map(|key| text(event, key));
            let what: Vec<String> = what.into_iter().filter(|text| !text.is_empty()).collect();
            let user = [text(event, "user"), text(event, "sub")].into_iter().find(|text| !text.is_empty());
            let of = |key| text(event, key);
            let detail = of("detail");
            vec![
                time(event, "at"),
                what.join(" "),
                user.unwrap_or_default(),
                of("client"),
                of("provider"),
                of("address"),
                of("trace_id"),
                detail,
            ]
        })
        .collect();
    table::write(out, &["TIME", "EVENT", "USER", "CLIENT", "PROVIDER", "ADDRESS", "TRACE", "DETAIL"], &rows)
}

/// What a verification found.
fn report(verified: Result<&Verifier, String>, as_json: bool, out: &mut dyn Write) -> io::Result<Exit> {
    let exit = if verified.is_ok() { Exit::Fine } else { Exit::Problem };
    match verified {
        Ok(verifier) => {
            let last = verifier.last();
            let (seq, hash) = last.map(|last| (last.seq, last.hash.to_string())).unwrap_or_default();
            if as_json {
                let document = json!({ "whole": true, "events": verifier.count, "last": seq, "hash": hash });
                writeln!(out, "{document}")?;
            } else if verifier.count == 0 {
                writeln!(out, "There are no events.")?;
            } else {
                let plural = if verifier.count == 1 { "" } else { "s" };
                writeln!(
                    out,
                    "The chain is whole: {} event{plural}, the last one {seq} with hash {hash}.",
                    verifier.count
                )?;
            }
        }
        Err(problem) if as_json => writeln!(out, "{}", json!({ "whole": false, "problem": problem }))?,
        Err(problem) => writeln!(out, "The chain is broken: {problem}.")?,
    }
    Ok(exit)
}

fn verify_file(path: &Path, as_json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) => {
            writeln!(err, "error: {} can't be read: {}", path.display(), why(&error))?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let mut verifier = Verifier::default();
    for (number, line) in (1..).zip(io::BufReader::new(file).lines()) {
        if let Err(broken) = verifier.next(&line?, number == 1) {
            return report(Err(format!("line {number}: {broken}")), as_json, out);
        }
    }
    report(Ok(&verifier), as_json, out)
}

fn verify_store(source: &Source, as_json: bool, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let mut verifier: Option<Verifier> = None;
    loop {
        let after = verifier.as_ref().and_then(Verifier::last).map_or(0, |last| last.seq);
        let stretch = match source.stretch(after, err)? {
            Ok(stretch) => stretch,
            Err(exit) => return Ok(exit),
        };
        let current = verifier.get_or_insert_with(|| Verifier::after(place(&stretch, "anchor")));
        let lines = stretch.get("lines").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for line in lines {
            if let Err(broken) = current.next(line.as_str().unwrap_or_default(), false) {
                return report(Err(broken.to_string()), as_json, out);
            }
        }
        if lines.is_empty() {
            let end = place(&stretch, "last").map(|last| last.seq);
            let seen = current.last().map(|last| last.seq);
            // More may have been recorded meanwhile, but never fewer.
            if seen < end {
                let text =
                    format!("it ends at event {}, where event {} was recorded", seen.unwrap_or(0), end.unwrap_or(0));
                return report(Err(text), as_json, out);
            }
            return report(Ok(current), as_json, out);
        }
    }
}

/// `[seq, hash]` as a place.
fn place(stretch: &Value, key: &str) -> Option<Place> {
    let pair = stretch.get(key)?.as_array()?;
    let hash = Hash::parse(pair.get(1)?.as_str()?)?;
    Some(Place { seq: pair.first()?.as_u64()?, hash })
}
