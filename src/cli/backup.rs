//! `countersign backup`: a consistent copy of a SQLite store, while a broker uses it or not.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::audit::{Action, Event, Kind};
use crate::cli::broker::{self, Broker};
use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit};
use crate::config::diagnostics::problem::counted;
use crate::config::load::files::Files;
use crate::env::{Clock as _, SystemClock};
use crate::store::key_file::key_file;
use crate::store::sqlite::{Backup, Location, back_up};

/// `countersign backup`
#[derive(Clone, Debug, Args)]
pub struct BackupArgs {
    /// The file to write, which must not exist.
    #[arg(value_name = "FILE")]
    pub to: PathBuf,
    /// The configuration.
    #[command(flatten)]
    pub source: ConfigArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command. Data goes to `out`, errors and advice to `err`.
///
/// # Errors
/// When a writer fails.
pub fn run(
    args: &BackupArgs,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let (out, err) = (&mut Printable::new(out), &mut Printable::new(err));
    let broker = match broker::load(&args.source, environment, files, true, err)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(exit),
    };
    let url = &broker.snapshot.config.store.url;
    let path = match Location::from_url(url.expose()) {
        Some(Location::File(path)) => path,
        Some(Location::Memory) => {
            writeln!(
                err,
                "error: the store is in the memory of the broker, and ends with it: there is nothing to back up"
            )?;
            return Ok(Exit::CouldNotRun);
        }
        None => {
            writeln!(
                err,
                "error: store.url \"{url}\" is not a SQLite file: back it up with the tools of its database (pg_dump)"
            )?;
            return Ok(Exit::CouldNotRun);
        }
    };
    let made = match back_up(&path, &args.to) {
        Ok(made) => made,
        Err(error) => {
            writeln!(err, "error: {error}")?;
            return Ok(Exit::CouldNotRun);
        }
    };
    report(args, &made, out)?;
    if let Some(why) = unrecorded(&broker, &made, &args.to) {
        writeln!(err, "warning: the backup is not in the audit trail: {why}")?;
    }
    advise(&broker, &path, err)?;
    Ok(Exit::Fine)
}

fn report(args: &BackupArgs, made: &Backup, out: &mut dyn Write) -> io::Result<()> {
    let file = args.to.display();
    if args.json {
        let document = json!({ "file": file.to_string(), "bytes": made.bytes, "users": made.users });
        return writeln!(out, "{document:#}");
    }
    let users = counted(usize::try_from(made.users).unwrap_or(usize::MAX), "user");
    writeln!(out, "{file}: {users}, {} bytes. The copy was read, and is whole.", made.bytes)
}

/// What else a restore needs.
fn advise(broker: &Broker, store: &Path, err: &mut dyn Write) -> io::Result<()> {
    let key = if broker.snapshot.config.store.encryption_keys.is_empty() {
        key_file(store).display().to_string()
    } else {
        "store.encryption_keys".to_owned()
    };
    writeln!(
        err,
        "It is sealed like the store: keep {key} too, in another place. To restore: stop the broker, remove {0}-wal and {0}-shm, \
         put the copy in the place of {0}, start the broker.",
        store.display()
    )
}

/// Records the backup, or returns why that is not possible. The copy itself does not have the event.
fn unrecorded(broker: &Broker, made: &Backup, to: &Path) -> Option<String> {
    if !made.current {
        return Some(
            "the store has the schema of an older version, which only a broker that starts changes".to_owned(),
        );
    }
    let store = match broker.store() {
        Ok(Ok(store)) => store,
        Ok(Err(why)) | Err(why) => return Some(why),
    };
    let (now, identify) = (SystemClock.now(), broker.snapshot.resolved.audit.identify);
    let event = Event::new(Kind::AdminAction, now, identify).action(Action::StoreBackedUp);
    let event = event.detail(format!("to {}", to.display()));
    store.run(store.store().record(vec![event])).err()
}

#[cfg(test)]
mod tests;
