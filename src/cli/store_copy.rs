//! `countersign store copy`: moves a store to another place or another database.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::audit::{Action, Event, Kind};
use crate::cli::broker::{self, Broker};
use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit, store, table};
use crate::config::load::files::Files;
use crate::env::{Clock as _, Random, SystemClock, SystemRandomness};
use crate::store::postgres::{Target, transfer as postgres};
use crate::store::sqlite::Location;
use crate::store::sqlite::transfer::SqliteEnd;
use crate::store::transfer::copy::{Compared, Progress, copy};
use crate::store::transfer::end::{Destination, Origin, Refusal, Source};

/// A table is mentioned again after this many rows.
const EVERY: u64 = 50_000;

/// `countersign store`
#[derive(Debug, Args)]
pub struct StoreArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: StoreCommand,
}

/// What `store` can do.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Copy a store to another one that is empty or does not exist yet, between SQLite and PostgreSQL, and compare both.
    Copy(CopyArgs),
}

/// `countersign store copy`
#[derive(Clone, Debug, Args)]
pub struct CopyArgs {
    /// The store to copy: `sqlite:PATH` or `postgres://...`. No broker may use it meanwhile.
    #[arg(value_name = "FROM")]
    pub from: String,
    /// The store to write. An interrupted copy continues when the command is run again.
    #[arg(value_name = "TO")]
    pub to: String,
    /// The configuration, for its `store.encryption_keys` and its `issuer`.
    #[command(flatten)]
    pub source: ConfigArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// One end, as the command line names it.
enum End {
    Sqlite(PathBuf),
    Postgres(Box<Target>),
}

impl End {
    /// Reads a URL; `name` is the argument's.
    fn read(name: &str, url: &str) -> Result<Self, String> {
        match Location::from_url(url) {
            Some(Location::File(path)) => return Ok(Self::Sqlite(path)),
            Some(Location::Memory) => {
                return Err(format!("{name} is a store in the memory of a broker, which ends with it: name a file"));
            }
            None => {}
        }
        match Target::from_url(url) {
            Some(Ok(target)) => Ok(Self::Postgres(Box::new(target))),
            Some(Err(said)) => Err(format!("{name} {said}")),
            // What is not understood may have a password.
            None => {
                Err(format!("{name} is neither an SQLite nor a PostgreSQL URL: write sqlite:PATH or postgres://..."))
            }
        }
    }

    fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(target) => target.to_string(),
        }
    }
}

/// Runs the command. Data goes to `out`, progress, errors and advice to `err`.
///
/// # Errors
/// When a writer fails.
pub fn run(
    args: &StoreArgs,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let StoreCommand::Copy(args) = &args.command;
    let (out, err) = (&mut Printable::new(out), &mut Printable::new(err));
    let ends = End::read("FROM", &args.from).and_then(|from| Ok((from, End::read("TO", &args.to)?)));
    let (from, to) = match ends {
        Ok(ends) => ends,
        Err(why) => {
            writeln!(err, "error: {why}")?;
            return Ok(Exit::Usage);
        }
    };
    let broker = match broker::load(&args.source, environment, files, true, err)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    let copied = match Copying::new(&broker).and_then(|copying| copying.run(&from, &to, err)) {
        Ok(compared) => compared,
        Err((exit, why)) => {
            writeln!(err, "error: {why}")?;
            return Ok(exit);
        }
    };
    report(args, &copied, out)?;
    let different: Vec<&str> = copied.iter().filter(|table| !table.is_equal()).map(|table| table.table).collect();
    if !different.is_empty() {
        writeln!(
            err,
            "error: {} differ: {} can't be used, and the copy is to be repeated",
            different.join(", "),
            to.url()
        )?;
        return Ok(Exit::Problem);
    }
    if let Some(why) = unrecorded(&broker, &from, &to) {
        writeln!(err, "warning: the copy is not in the audit trail: {why}")?;
    }
    advise(&broker, &from, &to, err)?;
    Ok(Exit::Fine)
}

/// What a copy needs.
struct Copying<'b> {
    keys: &'b [Vec<u8>],
    issuer: &'b str,
    random: Arc<dyn Random>,
    runtime: tokio::runtime::Runtime,
}

/// Why there is no copy, with the exit code.
type Failed = (Exit, String);

impl<'b> Copying<'b> {
    fn new(broker: &'b Broker) -> Result<Self, Failed> {
        let keys = &broker.prepared.encryption_keys;
        if keys.is_empty() && !broker.snapshot.config.store.encryption_keys.is_empty() {
            return Err((Exit::CouldNotRun, "the store's encryption_keys were not read".to_owned()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| (Exit::CouldNotRun, format!("no runtime: {error}")))?;
        let random = Arc::new(SystemRandomness::default());
        Ok(Self { keys, issuer: &broker.snapshot.issuer.text, random, runtime })
    }

    /// Copies, and says on `err` how far it is.
    fn run(&self, from: &End, to: &End, err: &mut dyn Write) -> Result<Vec<Compared>, Failed> {
        let refused = |refusal: Refusal| match refusal {
            Refusal::Same(_) => (Exit::Usage, refusal.to_string()),
            other => (Exit::CouldNotRun, other.to_string()),
        };
        self.runtime.block_on(async {
            let (mut source, origin) = self.source(from).await.map_err(refused)?;
            let mut destination = self.destination(to, &origin).await.map_err(refused)?;
            let (mut said, mut mentioned) = (Ok(()), 0);
            let mut progress = |progress: Progress| {
                let line = match progress {
                    Progress::Copied { rows, of, .. } if rows < of && rows < mentioned + EVERY => return,
                    Progress::Copied { table, rows, of } => {
                        mentioned = if rows < of { rows } else { 0 };
                        format!("{table}: {rows} of {of} rows")
                    }
                    Progress::Continued { table, rows } => {
                        mentioned = rows;
                        format!("{table}: the first {rows} rows are there already")
                    }
                    Progress::Anew { table } => {
                        mentioned = 0;
                        format!(
                            "{table}: what is there differs from {}, and is copied anew with what follows",
                            origin.name
                        )
                    }
                    Progress::Comparing => "comparing".to_owned(),
                };
                if said.is_ok() {
                    said = writeln!(err, "{line}");
                }
            };
            let copied = copy(&mut *source, &mut *destination, &mut progress).await;
            said.map_err(|error| (Exit::CouldNotRun, error.to_string()))?;
            copied.map_err(|error| {
                let again = "run the same command again, which continues";
                (Exit::CouldNotRun, format!("the copy was interrupted: {error}; {again}"))
            })
        })
    }

    async fn source(&self, end: &End) -> Result<(Box<dyn Source>, Origin), Refusal> {
        Ok(match end {
            End::Sqlite(path) => {
                let (source, origin) = SqliteEnd::source(path, self.keys, Arc::clone(&self.random))?;
                (Box::new(source), origin)
            }
            End::Postgres(target) => {
                let (source, origin) = postgres::source(target, &self.broker()).await?;
                (Box::new(source), origin)
            }
        })
    }

    async fn destination(&self, end: &End, origin: &Origin) -> Result<Box<dyn Destination>, Refusal> {
        Ok(match end {
            End::Sqlite(path) => Box::new(SqliteEnd::destination(path, self.keys, origin, Arc::clone(&self.random))?),
            End::Postgres(target) => Box::new(postgres::destination(target, &self.broker(), origin).await?),
        })
    }

    fn broker(&self) -> postgres::Broker<'_> {
        postgres::Broker { keys: self.keys, issuer: self.issuer, random: Arc::clone(&self.random) }
    }
}

fn report(args: &CopyArgs, copied: &[Compared], out: &mut dyn Write) -> io::Result<()> {
    if args.json {
        let side = |(rows, hash): &(u64, String)| json!({ "rows": rows, "sha256": hash });
        let table = |table: &Compared| {
            json!({
                "table": table.table, "from": side(&table.source), "to": side(&table.destination),
                "equal": table.is_equal(),
            })
        };
        let tables: Vec<Value> = copied.iter().map(table).collect();
        return writeln!(out, "{:#}", json!({ "tables": tables }));
    }
    let short = |hash: &str| hash.get(..16).unwrap_or(hash).to_owned();
    let row = |table: &Compared| {
        let ((from, from_hash), (to, to_hash)) = (&table.source, &table.destination);
        let verdict = if table.is_equal() { "equal" } else { "DIFFERENT" };
        vec![
            table.table.to_owned(),
            from.to_string(),
            to.to_string(),
            short(from_hash),
            short(to_hash),
            verdict.to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = copied.iter().map(row).collect();
    table::write(out, &["TABLE", "ROWS", "COPIED", "SHA-256", "OF THE COPY", ""], &rows)
}

/// Records the copy in the audit trail of the new store, or returns why that is not possible.
fn unrecorded(broker: &Broker, from: &End, to: &End) -> Option<String> {
    let copying = match Copying::new(broker) {
        Ok(copying) => copying,
        Err((_, why)) => return Some(why),
    };
    let (now, identify) = (SystemClock.now(), broker.snapshot.resolved.audit.identify);
    let event = Event::new(Kind::AdminAction, now, identify).action(Action::StoreCopied);
    let event = event.detail(format!("from {}", from.url()));
    let recorded = async {
        let store = match to {
            End::Sqlite(path) => store::open_sqlite(&Location::File(path.clone()), copying.keys, copying.random)?,
            End::Postgres(target) => store::open_postgres(target, copying.keys, copying.random, copying.issuer).await?,
        };
        store.record(vec![event]).await.map_err(|error| error.to_string())
    };
    copying.runtime.block_on(recorded).err()
}

/// What is to be done next.
fn advise(broker: &Broker, from: &End, to: &End, err: &mut dyn Write) -> io::Result<()> {
    let key = match to {
        End::Sqlite(path) if broker.prepared.encryption_keys.is_empty() => {
            format!(" Keep its key, {}, in another place too.", crate::store::key_file::key_file(path).display())
        }
        _ => String::new(),
    };
    writeln!(
        err,
        "The copy is complete. Set store.url to it and start the broker. Never start one on {} again: sessions and refresh \
         tokens would be accepted twice.{key}",
        from.url()
    )
}

#[cfg(test)]
mod tests;
