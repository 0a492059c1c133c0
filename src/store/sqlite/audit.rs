//! The audit trail. An event is appended to one table in the transaction that it tells of, which costs a page of the log and
//! no index. What events are found by is indexed later, many at a time (`audit_index`); a query reads those that are not
//! indexed yet as they are.
//!
//! Events are sealed. Their keys, by which they are found, are keyed hashes of the field and its value.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, Row};

use crate::audit::Event;
use crate::audit::chain::{Draft, Hash, Place, Recorded, line};
use crate::store::encoding::{columns, open_text, parse};
use crate::store::event_index::{
    ANCHOR, EXPORTED, LOOKED_AT, REPLICA, event_keys, expired, keys_of, place_bytes, place_from, signed, unsigned,
    wanted_keys,
};
use crate::store::seal::{IndexKey, Sealer};
use crate::store::sqlite::audit_index::{self, indexed, meta, number};
use crate::store::sqlite::rows::{Reader, many, one, run};
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{Audit, ChainEnds, EventPage, EventQuery, Result, StoreError};

/// Events as they are appended.
pub(crate) struct EventRows {
    rows: Vec<EventRow>,
    sealer: Arc<Sealer>,
    /// The replica's id, if it has none yet.
    replica: Arc<str>,
}

struct EventRow {
    draft: Draft,
    at: i64,
    keys: Vec<u8>,
}

impl EventRows {
    /// Appends the events to the chain.
    pub(crate) fn append(&self, connection: &Connection) -> Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let (replica, mut previous) = end(connection)?;
        let replica = match &replica {
            Some(replica) => replica,
            None => {
                run(connection, sql::SET_META, (REPLICA, self.replica.as_bytes()))?;
                &*self.replica
            }
        };
        for row in &self.rows {
            let (text, place) = row.draft.link(replica, previous);
            let data = self.sealer.seal(columns::EVENT, &place.seq.to_be_bytes(), text.as_bytes())?;
            run(connection, sql::INSERT_EVENT, (signed(place.seq), row.at, &row.keys, data, place.hash.0))?;
            previous = Some(place);
        }
        Ok(())
    }
}

/// The id of a replica, from `meta`.
fn replica(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|_| StoreError::Corrupt(format!("meta.{REPLICA} is not UTF-8")))
}

/// The last event that retention removed.
fn anchor(connection: &Connection) -> Result<Option<Place>> {
    meta(connection, ANCHOR)?.map(|bytes| place_from(&bytes)).transpose()
}

/// The id of the replica, if it has one, and the last event of its chain.
fn end(connection: &Connection) -> Result<(Option<String>, Option<Place>)> {
    let last = one(connection, sql::LAST_EVENT, [REPLICA], |row| {
        let replica: Option<Vec<u8>> = row.get(2)?;
        Ok((replica, Place { seq: unsigned(row.get(0)?), hash: Hash(row.get(1)?) }))
    })?;
    let (id, last) = match last {
        Some((id, last)) => (id, Some(last)),
        None => (meta(connection, REPLICA)?, anchor(connection)?),
    };
    Ok((id.map(replica).transpose()?, last))
}

/// Removes events from the beginning of the chain, and returns how many it looked at and how many it removed.
fn forget(connection: &Connection, cutoff: i64, now: i64, limit: u32) -> Result<(usize, usize)> {
    let rows = many(connection, sql::OLDEST_EVENTS, [limit], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?, row.get::<_, [u8; 32]>(3)?))
    })?;
    let gone = expired(rows.iter().map(|(_, at, ..)| *at), cutoff, now);
    let (gone, _) = rows.split_at_checked(gone).unwrap_or_default();
    let Some((newest, _, _, hash)) = gone.last() else { return Ok((rows.len(), 0)) };
    audit_index::forget(connection, *newest, gone.iter().map(|(_, at, keys, _)| (*at, keys.as_slice())))?;
    run(connection, sql::DELETE_EVENTS, [newest])?;
    run(connection, sql::SET_META, (ANCHOR, place_bytes(unsigned(*newest), hash)))?;
    Ok((rows.len(), gone.len()))
}

/// A query under way.
struct Search<'a> {
    reader: &'a Reader<'a>,
    /// For each field that was asked for, the keys of which an event must have one.
    wanted: Vec<Vec<IndexKey>>,
    from: i64,
    to: i64,
    most: usize,
    looked_at: usize,
    found: Vec<(u64, Recorded)>,
    /// Where the search stopped, because it looked at enough.
    stopped: Option<u64>,
}

impl Search<'_> {
    fn is_full(&self) -> bool {
        self.found.len() >= self.most || self.stopped.is_some()
    }

    /// Looks at one event; `false` when the search is over.
    fn visit(&mut self, row: &Row<'_>) -> Result<bool> {
        let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        let seq = unsigned(seq);
        self.looked_at += 1;
        let keys = row.get_ref(2)?.as_bytes()?;
        let has = |wanted: &Vec<IndexKey>| keys_of(keys).any(|key| wanted.contains(&key));
        if at >= self.from && at <= self.to && self.wanted.iter().all(has) {
            self.found.push((seq, recorded(self.reader, seq, row)?));
        }
        if self.looked_at >= LOOKED_AT && !self.is_full() {
            self.stopped = Some(seq);
        }
        Ok(!self.is_full())
    }

    fn visit_all(&mut self, sql: &str, params: impl rusqlite::Params) -> Result<()> {
        let mut statement = self.reader.connection.prepare_cached(sql)?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            if !self.visit(row)? {
                break;
            }
        }
        Ok(())
    }
}

/// The line of an event.
fn text(reader: &Reader<'_>, seq: u64, row: &Row<'_>) -> Result<String> {
    let text = open_text(reader.sealer, columns::EVENT, &seq.to_be_bytes(), row.get_ref(3)?.as_blob()?)?;
    Ok(line(&text, Hash(row.get(4)?)))
}

fn recorded(reader: &Reader<'_>, seq: u64, row: &Row<'_>) -> Result<Recorded> {
    parse(columns::EVENT, text(reader, seq, row)?.as_bytes())
}

/// Reads a page of events.
fn search(reader: &Reader<'_>, query: &EventQuery) -> Result<EventPage> {
    let connection = reader.connection;
    let wanted = wanted_keys(reader.sealer, query);
    let first = wanted.first().cloned();
    let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let (from, to) = (query.from.unwrap_or(i64::MIN), query.to.unwrap_or(i64::MAX));
    let most = limit.saturating_add(1);
    let mut search = Search { reader, wanted, from, to, most, looked_at: 0, found: Vec::new(), stopped: None };
    let newest = query.before.map_or(i64::MAX, |before| signed(before.saturating_sub(1)));
    let after = signed(indexed(connection)?);
    search.visit_all(sql::EVENTS_BETWEEN, (after + 1, newest))?;
    let (mut oldest, mut newest) = (0, newest.min(after));
    if query.from.is_some() || query.to.is_some() {
        let (first, last) = audit_index::between(connection, from, to)?;
        (oldest, newest) = (first, newest.min(last));
    }
    if !search.is_full() {
        match first {
            None => search.visit_all(sql::EVENTS_BETWEEN, (oldest, newest))?,
            Some(keys) => by_keys(&mut search, &keys, oldest, newest)?,
        }
    }
    let more = search.found.len() > limit;
    search.found.truncate(limit);
    let next = if more { search.found.last().map(|(seq, _)| *seq) } else { search.stopped };
    Ok(EventPage { events: search.found.into_iter().map(|(_, event)| event).collect(), next })
}

/// The indexed events with one of these keys. An event has one of them at most: a field has one value, and its key is by the
/// key of the store that sealed the event.
fn by_keys(search: &mut Search<'_>, keys: &[IndexKey], oldest: i64, newest: i64) -> Result<()> {
    let before = std::mem::take(&mut search.found);
    let (mut found, mut stopped) = (Vec::new(), None);
    let (most, looked_at) = (search.most, search.looked_at);
    search.most = most.saturating_sub(before.len());
    for key in keys {
        search.looked_at = looked_at;
        let mut statement = search.reader.connection.prepare_cached(sql::EVENT)?;
        audit_index::events_with(search.reader.connection, key, (oldest, newest), |seq| {
            let mut rows = statement.query([seq])?;
            rows.next()?.map_or(Ok(true), |row| search.visit(row))
        })?;
        found.append(&mut search.found);
        stopped = stopped.max(search.stopped.take());
    }
    found.sort_unstable_by_key(|(seq, _)| std::cmp::Reverse(*seq));
    // What one key would have found below the place where the search by another one stopped is left to the next page.
    found.retain(|(seq, _)| stopped.is_none_or(|stopped| *seq >= stopped));
    search.found = before.into_iter().chain(found).collect();
    search.found.truncate(most);
    (search.most, search.stopped) = (most, stopped);
    Ok(())
}

impl SqliteStore {
    /// Events, ready to be appended in a transaction.
    pub(super) fn event_rows(&self, events: Vec<Event>) -> EventRows {
        rows(&self.sealer, &self.replica, events)
    }

    /// What makes [`EventRows`] in a transaction, of events that are complete only then.
    pub(super) fn event_maker(&self) -> impl Fn(Vec<Event>) -> EventRows + Send + use<> {
        let (sealer, replica) = (Arc::clone(&self.sealer), Arc::clone(&self.replica));
        move |events| rows(&sealer, &replica, events)
    }
}

fn rows(sealer: &Arc<Sealer>, replica: &Arc<str>, events: Vec<Event>) -> EventRows {
    let row = |event: &Event| EventRow { draft: Draft::of(event), at: event.at, keys: event_keys(sealer, event) };
    EventRows { rows: events.iter().map(row).collect(), sealer: Arc::clone(sealer), replica: Arc::clone(replica) }
}

#[async_trait]
impl Audit for SqliteStore {
    async fn record(&self, events: Vec<Event>) -> Result<()> {
        let rows = self.event_rows(events);
        self.write_passing(move |connection| rows.append(connection)).await
    }

    async fn events(&self, query: EventQuery) -> Result<EventPage> {
        self.read_long(move |reader| search(reader, &query)).await
    }

    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<String>> {
        self.read_long(move |reader| {
            many(reader.connection, sql::EVENTS_AFTER, (signed(seq), limit), |row| {
                text(reader, unsigned(row.get(0)?), row)
            })
        })
        .await
    }

    async fn chain_ends(&self) -> Result<ChainEnds> {
        self.read(move |reader| {
            let connection = reader.connection;
            let (replica, last) = end(connection)?;
            Ok(ChainEnds { replica: replica.unwrap_or_default(), anchor: anchor(connection)?, last })
        })
        .await
    }

    /// One process serves a file.
    async fn may_export(&self, _: &str) -> Result<bool> {
        Ok(true)
    }

    async fn exported(&self, output: &str) -> Result<Option<u64>> {
        let name = format!("{EXPORTED}{output}");
        self.read(move |reader| number(reader.connection, &name)).await
    }

    async fn set_exported(&self, output: &str, seq: u64) -> Result<()> {
        let name = format!("{EXPORTED}{output}");
        self.write_passing(move |connection| run(connection, sql::SET_META, (name, seq.to_be_bytes())).map(drop)).await
    }

    async fn forget_events(&self, cutoff: i64, now: i64, limit: u32) -> Result<bool> {
        let (looked_at, gone) = self.write_aside(move |connection| forget(connection, cutoff, now, limit)).await?;
        Ok(gone > 0 && u32::try_from(looked_at).is_ok_and(|looked_at| looked_at >= limit))
    }
}
