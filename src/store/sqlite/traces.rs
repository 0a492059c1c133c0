//! Decisions, in the form in which they are written.

use async_trait::async_trait;
use rusqlite::Connection;

use crate::audit::Event;
use crate::store::model::StoredTrace;
use crate::store::seal::Sealer;
use crate::store::sqlite::rows::{columns, one, run};
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{Result, Traces};

#[async_trait]
impl Traces for SqliteStore {
    async fn save_trace(&self, trace: StoredTrace, events: Vec<Event>) -> Result<()> {
        let row = TraceRow::new(&self.sealer, trace)?;
        let events = self.event_rows(events);
        self.write(move |connection| {
            row.insert_alone(connection)?;
            events.append(connection)
        })
        .await
    }

    async fn trace(&self, id: &str, now: i64) -> Result<Option<StoredTrace>> {
        let id = id.to_owned();
        self.read(move |reader| one(reader.connection, sql::TRACE, (id, now), |row| reader.trace_from(row))).await
    }
}

/// The maximum number of decisions without a sign-in that are kept for one account.
const REFUSALS_OF_USER: u32 = 1_000;
/// The maximum number kept for all decisions without an account.
const REFUSALS_OF_STRANGERS: u32 = 10_000;

/// A decision in the form in which it is written.
pub(crate) struct TraceRow {
    trace: StoredTrace,
    data: Vec<u8>,
}

impl TraceRow {
    pub(crate) fn new(sealer: &Sealer, trace: StoredTrace) -> Result<Self> {
        Ok(Self { data: sealer.seal(columns::TRACE, trace.id.as_bytes(), trace.data.as_bytes())?, trace })
    }

    pub(crate) fn insert(&self, connection: &Connection) -> Result<()> {
        self.insert_as(connection, false)
    }

    /// As [`Self::insert`], for a decision without a sign-in; the oldest ones of the same account are deleted beyond a bound.
    pub(crate) fn insert_alone(&self, connection: &Connection) -> Result<()> {
        self.insert_as(connection, true)?;
        let most = if self.trace.user_id.is_some() { REFUSALS_OF_USER } else { REFUSALS_OF_STRANGERS };
        run(connection, sql::TRIM_TRACES, (&self.trace.user_id, most)).map(drop)
    }

    fn insert_as(&self, connection: &Connection, alone: bool) -> Result<()> {
        let StoredTrace { id, user_id, client, at, expires_at, .. } = &self.trace;
        run(connection, sql::INSERT_TRACE, (id, user_id, client, &self.data, at, expires_at, alone)).map(drop)
    }
}
