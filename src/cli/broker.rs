//! Shared by the commands that inspect a broker: its prepared configuration, and the people in its local store.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::analysis::known::Known;
use crate::cli::{ConfigArgs, Environment, Exit, store};
use crate::config::diagnostics::problem::nearest;
use crate::config::load::files::Files;
use crate::env::{Clock as _, SystemClock, SystemRandomness};
use crate::op::administration::Failure;
use crate::op::administration::near::suggestion;
use crate::op::administration::people::find_in;
pub(crate) use crate::op::decide::known;
use crate::snapshot::Snapshot;
use crate::snapshot::generation::{Options, Prepared, prepare_untested};
use crate::store::ids::UserId;
use crate::store::sqlite::Location;
use crate::store::{Person, Store, StoreError};

/// How many users are read at a time.
const PAGE: u32 = 500;

/// A valid configuration, and what is needed to open its store.
pub(crate) struct Broker {
    pub(crate) snapshot: Snapshot,
    pub(crate) prepared: Prepared,
}

/// Prepares a configuration. If it is invalid, writes its problems to `out`.
///
/// # Errors
/// When the writer fails.
pub(crate) fn load(
    args: &ConfigArgs,
    environment: &Environment,
    files: &dyn Files,
    without_secrets: bool,
    out: &mut dyn Write,
) -> io::Result<Result<Broker, Exit>> {
    let options = Options { number: 1, without_secrets, now: SystemClock.now() };
    let mut prepared = match prepare_untested(&args.inputs(environment), files, options) {
        Ok(prepared) => prepared,
        Err(unreadable) => {
            writeln!(out, "error: {}", unreadable.with_way_out())?;
            return Ok(Err(Exit::CouldNotRun));
        }
    };
    match prepared.snapshot.take() {
        Some(snapshot) => Ok(Ok(Broker { snapshot, prepared })),
        None => {
            write!(out, "{}", prepared.problems.render(&prepared.layers, false))?;
            writeln!(out, "{}: {}", args.config.display(), prepared.problems.summary())?;
            Ok(Err(Exit::Problem))
        }
    }
}

/// The store of a broker, opened by a command.
pub(crate) struct LocalStore {
    runtime: Runtime,
    store: Arc<dyn Store>,
}

impl Broker {
    /// Opens the broker's store: a file on this machine, or a database. `Ok(Err)` contains the reason why there is no store to
    /// open.
    ///
    /// # Errors
    /// The store exists and can't be opened.
    pub(crate) fn store(&self) -> Result<Result<LocalStore, String>, String> {
        let url = &self.snapshot.config.store.url;
        match Location::from_url(url.expose()) {
            Some(Location::Memory) => return Ok(Err("the store is in the memory of the running broker".to_owned())),
            Some(Location::File(path)) if !Path::new(&path).exists() => {
                return Ok(Err(format!("there is no store at {} yet", path.display())));
            }
            _ => {}
        }
        let keys = &self.prepared.encryption_keys;
        if keys.is_empty() && !self.snapshot.config.store.encryption_keys.is_empty() {
            return Ok(Err("the store's encryption_keys were not read".to_owned()));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("no runtime: {error}"))?;
        let random = Arc::new(SystemRandomness::default());
        let store = runtime.block_on(store::open(&self.snapshot, keys, random))?;
        Ok(Ok(LocalStore { runtime, store }))
    }
}

impl LocalStore {
    /// Runs one operation of the store.
    pub(crate) fn run<T>(&self, operation: impl Future<Output = Result<T, StoreError>>) -> Result<T, String> {
        self.runtime.block_on(operation).map_err(|error| error.to_string())
    }

    /// Waits for an operation.
    pub(crate) fn block_on<T>(&self, operation: impl Future<Output = T>) -> T {
        self.runtime.block_on(operation)
    }

    /// The store.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The store, for what keeps it.
    pub(crate) fn shared(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// All people, read in pages.
    pub(crate) fn people(&self) -> People<'_> {
        People { store: self, page: VecDeque::new(), after: None, done: false }
    }
}

/// All people in a store.
pub(crate) struct People<'s> {
    store: &'s LocalStore,
    page: VecDeque<Person>,
    after: Option<UserId>,
    done: bool,
}

impl Iterator for People<'_> {
    type Item = Result<Known, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() && !self.done {
            let read = self.store.run(self.store.store().people(self.after.as_ref(), PAGE));
            let people = match read {
                Ok(people) => people,
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            };
            self.done = people.len() < PAGE as usize;
            self.after = people.last().map(|person| person.user.id.clone());
            self.page = people.into();
        }
        self.page.pop_front().map(|person| Ok(known(person)))
    }
}

/// Opens the broker's store, or writes to `out` why it can't be opened.
///
/// # Errors
/// When the writer fails.
pub(crate) fn open(broker: &Broker, out: &mut dyn Write) -> io::Result<Result<LocalStore, Exit>> {
    match broker.store() {
        Ok(Ok(store)) => Ok(Ok(store)),
        Ok(Err(why)) | Err(why) => {
            writeln!(out, "error: {why}")?;
            Ok(Err(Exit::CouldNotRun))
        }
    }
}

/// Prepares a configuration without its secrets and opens its store, or writes to `out` why that can't be done.
///
/// # Errors
/// When the writer fails.
pub(crate) fn load_with_store(
    args: &ConfigArgs,
    environment: &Environment,
    files: &dyn Files,
    out: &mut dyn Write,
) -> io::Result<Result<(Broker, LocalStore), Exit>> {
    let broker = match load(args, environment, files, true, out)? {
        Ok(broker) => broker,
        Err(exit) => return Ok(Err(exit)),
    };
    Ok(open(&broker, out)?.map(|store| (broker, store)))
}

/// Finds a user by name, `sub` or verified address, or writes to `out` that there is none.
///
/// # Errors
/// When the writer fails.
pub(crate) fn find(broker: &Broker, name: &str, out: &mut dyn Write) -> io::Result<Result<Person, Exit>> {
    let store = match open(broker, out)? {
        Ok(store) => store,
        Err(exit) => return Ok(Err(exit)),
    };
    match store.block_on(find_in(store.store(), name)) {
        Ok(person) => Ok(Ok(person)),
        Err(Failure::NotFound(text)) => {
            let suggestion = store.run(suggestion(store.store(), name)).unwrap_or_default();
            failed(&Failure::NotFound(text + &suggestion), out).map(Err)
        }
        Err(failure) => failed(&failure, out).map(Err),
    }
}

/// Writes to `out` that there is no client of this key, and which there are.
///
/// # Errors
/// When the writer fails.
pub(crate) fn no_client(broker: &Broker, key: &str, out: &mut dyn Write) -> io::Result<Exit> {
    let known: Vec<&str> = broker.snapshot.clients.keys().map(String::as_str).collect();
    match nearest(key, known.iter().copied()) {
        Some(near) => writeln!(out, "error: there is no client {key}; did you mean {near}?")?,
        None if known.is_empty() => writeln!(out, "error: there is no client {key}; the file has none")?,
        None => writeln!(out, "error: there is no client {key}; the file has {}", known.join(", "))?,
    }
    Ok(Exit::Problem)
}

/// Writes why an operation failed. Exit code 3 when the store is not available, 1 otherwise.
///
/// # Errors
/// When the writer fails.
pub(crate) fn failed(failure: &Failure, err: &mut dyn Write) -> io::Result<Exit> {
    writeln!(err, "error: {failure}")?;
    Ok(if matches!(failure, Failure::Store(_)) { Exit::CouldNotRun } else { Exit::Problem })
}
