//! `countersign people`: the known people as a sealed, pseudonymous file, for a plan where the store can't be read.

pub(crate) mod sealed;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::analysis::people::{Pseudonyms, Wanted};
use crate::audit::{Action, Event, Kind};
use crate::cli::broker::{self, Broker, LocalStore};
use crate::cli::printable::Printable;
use crate::cli::{ConfigArgs, Environment, Exit};
use crate::config::load::files::Files;
use crate::env::{Clock as _, Random, SystemClock, SystemRandomness};
use sealed::{Header, SealedPeople, Sealing, key};

/// How many people are sealed at a time.
const BATCH: usize = 500;

/// Arguments of `people`.
#[derive(Clone, Debug, Args)]
pub struct PeopleArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PeopleCommand,
    /// The configuration.
    #[command(flatten)]
    pub source: ConfigArgs,
}

/// What `people` can do. KEY is a file with at least 16 random bytes, or `env:NAME` for an environment variable.
#[derive(Clone, Debug, Subcommand)]
pub enum PeopleCommand {
    /// Write the known people to standard output, sealed and under pseudonyms, with the claims that the configuration reads.
    Export {
        /// The key that seals the file: a file, or `env:NAME`. `openssl rand -base64 32 > people.key` makes one.
        #[arg(long, value_name = "KEY")]
        sealed: String,
        /// A second configuration whose expressions read other claims; can be given several times.
        #[arg(long, value_name = "FILE")]
        also: Vec<PathBuf>,
    },
    /// Say whose pseudonym it is, by the store and the file that has the pseudonym.
    Name {
        /// The pseudonym.
        pseudonym: String,
        /// The file that `people export` wrote.
        #[arg(long, value_name = "FILE")]
        people: PathBuf,
        /// The key that sealed it: a file, or `env:NAME`.
        #[arg(long, value_name = "KEY")]
        key: String,
    },
}

/// Runs the command. Data goes to `out`, everything else to `err`.
///
/// # Errors
/// When a writer fails.
pub fn run(
    args: &PeopleArgs,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> io::Result<Exit> {
    let (out, err) = (&mut Printable::new(out), &mut Printable::new(err));
    let (broker, store) = match broker::load_with_store(&args.source, environment, files, err)? {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    let done = match &args.command {
        PeopleCommand::Export { sealed, also } => {
            let mut wanted = Wanted::by(&broker.snapshot.policy);
            for file in also {
                let source = ConfigArgs { config: file.clone(), overlay: args.source.overlay.clone() };
                match broker::load(&source, environment, files, true, err)? {
                    Ok(other) => wanted = wanted.and(Wanted::by(&other.snapshot.policy)),
                    Err(exit) => return Ok(exit),
                }
            }
            key(sealed, environment, files).and_then(|key| export(&broker, &store, wanted, key, out))
        }
        PeopleCommand::Name { pseudonym, people, key: from } => key(from, environment, files)
            .and_then(|key| SealedPeople::open(people, key, files))
            .and_then(|people| name(&store, pseudonym, &people)),
    };
    match done {
        Ok(Done::Exported(text)) => writeln!(err, "{text}")?,
        Ok(Done::Named(name)) => writeln!(out, "{name}")?,
        Ok(Done::Nobody(text)) => {
            writeln!(err, "error: {text}")?;
            return Ok(Exit::Problem);
        }
        Err(text) => {
            writeln!(err, "error: {text}")?;
            return Ok(Exit::CouldNotRun);
        }
    }
    Ok(Exit::Fine)
}

enum Done {
    Exported(String),
    Named(String),
    Nobody(String),
}

fn export(
    broker: &Broker,
    store: &LocalStore,
    wanted: Wanted,
    key: Vec<u8>,
    out: &mut dyn Write,
) -> Result<Done, String> {
    let random = SystemRandomness::default();
    let unavailable = |_| "the random generator is not available".to_owned();
    let salt = (&random as &dyn Random).secret().map_err(unavailable)?;
    let id = (&random as &dyn Random).secret().map_err(unavailable)?;
    let (snapshot, now) = (&broker.snapshot, SystemClock.now());
    let header = Header {
        issuer: snapshot.issuer.text.clone(),
        hash: snapshot.hash.clone(),
        exported_at: now,
        salt: salt.clone(),
        wanted: wanted.clone(),
    };
    // Recorded before anything leaves: whoever can't record it can't export.
    let event = Event::new(Kind::AdminAction, now, snapshot.resolved.audit.identify).action(Action::PeopleRead);
    store.run(store.store().record(vec![event.detail("exported, sealed and under pseudonyms")]))?;
    let mut sealing = Sealing::begin(out, key, &id, header)?;
    let pseudonyms = Pseudonyms::new(salt.as_bytes());
    let (mut batch, mut number, mut as_sent) = (Vec::new(), 0_usize, 0_usize);
    for known in store.people() {
        let (person, whole) = pseudonyms.person(&snapshot.policy, &known?, &wanted);
        as_sent += usize::from(!whole);
        number += 1;
        batch.push(person);
        if batch.len() == BATCH {
            sealing.people(std::mem::take(&mut batch))?;
        }
    }
    sealing.people(batch)?;
    sealing.end(number)?;
    let people = if number == 1 { "1 person is".to_owned() } else { format!("{number} people are") };
    let kept = match as_sent {
        0 => String::new(),
        _ => format!(
            " {as_sent} of them with claims as the provider sent them, because a condition depends on how they are written."
        ),
    };
    Ok(Done::Exported(format!("{people} exported, sealed and under pseudonyms.{kept}")))
}

fn name(store: &LocalStore, pseudonym: &str, people: &SealedPeople) -> Result<Done, String> {
    let pseudonyms = Pseudonyms::new(people.header.salt.as_bytes());
    for known in store.people() {
        let username = known?.account.username;
        if pseudonyms.of_username(&username) == pseudonym {
            return Ok(Done::Named(username));
        }
    }
    let text = format!("{pseudonym} is nobody's pseudonym in that file: each export has pseudonyms of its own");
    Ok(Done::Nobody(text))
}
