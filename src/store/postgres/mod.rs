//! The store in PostgreSQL, which several replicas share.
//!
//! Owns the schema, the statements and how rows are locked. [`Store`](crate::store::Store) documents the guarantees of each
//! operation; the conformance suite, `tests/store`, tests them.
//!
//! Each operation is one statement: one round trip and one transaction, which runs again if the server undid it. What is read
//! to decide is read by a function of the database (`schema.rs`), with the rows locked that the decision is based on. What was
//! returned to an app or an administrator survives a crash of the server; sign-ins, sessions and codes before they are
//! redeemed, activity and sweeping survive the end of the broker, but a crash of the server may lose the last of them.

mod accounts;
mod administration;
mod audit;
mod certificates;
mod chain;
mod database;
mod ends;
mod error;
mod events;
mod grants;
mod history;
mod ids;
mod listings;
mod maintenance;
mod notices;
mod one_time_ids;
mod open;
mod parameters;
mod pending;
mod room;
mod rows;
mod schema;
mod self_service;
mod sessions;
mod signing_keys;
mod target;
mod tls;
mod traces;
pub mod transfer;
mod upstream_sessions;

use std::sync::Arc;

use tokio_postgres::Row;

use crate::audit::Event;
use crate::env::{Random, Stopwatch};
use crate::metrics::StoreFigures;
use crate::store::seal::Sealer;
use crate::store::{Result, StoreError};
use database::{Database, Parameter, Repeat};
use error::Failure;
use events::EventRows;
pub use open::OpenError;
use open::Opening;
use room::Room;
use rows::Reader;
pub use target::{Target, Verification};

/// A store in a PostgreSQL database.
pub struct PostgresStore {
    database: Database,
    sealer: Arc<Sealer>,
    random: Arc<dyn Random>,
    /// The id of this process, as the holder of leases.
    process: String,
    /// The host and database, for messages.
    name: String,
    figures: StoreFigures,
    room: Room,
}

impl std::fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PostgresStore").field("name", &self.name).finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// Connects, checks that the server and the schema are suitable, and brings the schema up to date.
    ///
    /// `secrets` are `store.encryption_keys`: the first one seals, all of them open. `issuer` is the broker's: a store belongs
    /// to one.
    ///
    /// # Errors
    /// If the store can't be used; the message says how to proceed, and nothing was changed.
    pub async fn open(
        target: &Target,
        secrets: &[Vec<u8>],
        random: Arc<dyn Random>,
        issuer: &str,
    ) -> std::result::Result<Self, OpenError> {
        if secrets.is_empty() {
            return Err(OpenError::NoKeys);
        }
        let sealer = Arc::new(Sealer::new(secrets, Arc::clone(&random))?);
        let name = target.to_string();
        let no_id = |error: crate::env::RandomUnavailable| StoreError::Unavailable(error.to_string());
        let process = random.id().map_err(|error| OpenError::Failed { store: name.clone(), reason: no_id(error) })?;
        let database = Database::of(target).map_err(OpenError::Url)?;
        Opening { database: &database, store: &name, issuer, sealer: &sealer }.run().await?;
        let (figures, room) = (StoreFigures::default(), Room::default());
        Ok(Self { database, sealer, random, process, name, figures, room })
    }

    /// What reads rows.
    fn reader(&self) -> Reader<'_> {
        Reader { sealer: &self.sealer }
    }

    /// Runs a statement that only reads.
    async fn read(&self, statement: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>> {
        let watch = Stopwatch::start();
        let rows = self.database.read(statement, parameters).await;
        self.figures.read(watch);
        rows.map_err(|failure| self.at_place(failure))
    }

    /// As [`Self::read`], for a statement with at most one row.
    async fn read_one(&self, statement: &str, parameters: &[Parameter<'_>]) -> Result<Option<Row>> {
        Ok(self.read(statement, parameters).await?.into_iter().next())
    }

    /// Runs a statement that writes.
    async fn write(&self, statement: &str, parameters: &[Parameter<'_>], repeat: Repeat) -> Result<Vec<Row>> {
        let watch = Stopwatch::start();
        let rows = self.database.run(statement, parameters, repeat).await;
        self.figures.written(watch);
        rows.map_err(|failure| self.at_place(failure))
    }

    /// Calls a function that writes.
    async fn call(&self, function: &str, parameters: &[Parameter<'_>], repeat: Repeat) -> Result<Vec<Row>> {
        self.try_call(function, parameters, repeat).await.map_err(|failure| self.at_place(failure))
    }

    /// As [`Self::call`], for a function that may refuse, or one whose caller repeats it in another way.
    async fn try_call(
        &self,
        function: &str,
        parameters: &[Parameter<'_>],
        repeat: Repeat,
    ) -> std::result::Result<Vec<Row>, Failure> {
        let watch = Stopwatch::start();
        let rows = self.database.call(function, parameters, repeat).await;
        self.figures.written(watch);
        rows
    }

    /// Events, sealed, as an operation writes them.
    fn events(&self, events: &[Event]) -> Result<EventRows> {
        EventRows::new(&self.sealer, &*self.random, events)
    }

    /// Adds to an error which store it concerns.
    fn at_place(&self, failure: Failure) -> StoreError {
        failure.error.map(|reason| format!("{}: {reason}", self.name))
    }
}
