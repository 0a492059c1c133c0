//! Decisions, in the form in which they are written.

use async_trait::async_trait;
use rusqlite::Connection;

use crate::audit::Event;
use crate::store::bounds::{REFUSALS_OF_NAME, REFUSALS_OF_STRANGERS, REFUSALS_OF_USER, REFUSED};
use crate::store::model::StoredTrace;
use crate::store::rows::TraceRow;
use crate::store::seal::IndexKey;
use crate::store::sqlite::rows::{many, one, run};
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

    async fn refusals_named(&self, name: &str, now: i64, limit: u32) -> Result<Vec<StoredTrace>> {
        let keys: Vec<IndexKey> = self.sealer.index_keys(REFUSED, &name.to_lowercase()).collect();
        self.read(move |reader| {
            let mut found = Vec::new();
            for key in keys {
                let params = (key, now, REFUSALS_OF_NAME);
                found.extend(many(reader.connection, sql::REFUSALS_NAMED, params, |row| reader.trace_from(row))?);
            }
            found.sort_by_key(|trace| std::cmp::Reverse(trace.at));
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            Ok(found)
        })
        .await
    }

    async fn trace(&self, id: &str, now: i64) -> Result<Option<StoredTrace>> {
        let id = id.to_owned();
        self.read(move |reader| one(reader.connection, sql::TRACE, (id, now), |row| reader.trace_from(row))).await
    }
}

impl TraceRow {
    pub(crate) fn insert(&self, connection: &Connection) -> Result<()> {
        self.insert_as(connection, false)
    }

    /// As [`Self::insert`], for a decision without a sign-in; the oldest ones of the same account are deleted beyond a bound.
    pub(crate) fn insert_alone(&self, connection: &Connection) -> Result<()> {
        self.insert_as(connection, true)?;
        for name in &self.names {
            run(connection, sql::INSERT_REFUSED_NAME, (name, &self.trace.id))?;
        }
        let most = if self.trace.user_id.is_some() { REFUSALS_OF_USER } else { REFUSALS_OF_STRANGERS };
        run(connection, sql::TRIM_TRACES, (&self.trace.user_id, most)).map(drop)
    }

    fn insert_as(&self, connection: &Connection, alone: bool) -> Result<()> {
        let StoredTrace { id, user_id, client, at, expires_at, .. } = &self.trace;
        // An earlier decision with this id may have been about somebody else.
        run(connection, sql::FORGET_REFUSED_NAMES, [id])?;
        run(connection, sql::INSERT_TRACE, (id, user_id, client, &self.data, at, expires_at, alone)).map(drop)
    }
}
