//! What the events of the audit trail are found by, in tables of their own that are written many events at a time.
//!
//! A row of `audit_postings` has all events of one run that have one key: their distances from the first, 4 bytes each. An
//! event has six keys, but most of them, such as the client and the kind, are those of its neighbours, so that an event costs a
//! row or two. The runs follow each other, and so do the rows of a key.

use std::collections::BTreeMap;

use rusqlite::Connection;

use crate::store::event_index::{HOUR, INDEXED, keys_of, signed, unsigned};
use crate::store::seal::IndexKey;
use crate::store::sqlite::rows::{many, one, run};
use crate::store::sqlite::sql;
use crate::store::{Result, StoreError};

/// A value in `meta`.
pub(super) fn meta(connection: &Connection, key: &str) -> Result<Option<Vec<u8>>> {
    one(connection, sql::META, [key], |row| Ok(row.get(0)?))
}

/// A number in `meta`.
pub(super) fn number(connection: &Connection, name: &str) -> Result<Option<u64>> {
    Ok(meta(connection, name)?.and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()).map(u64::from_be_bytes))
}

/// The last event that is indexed.
pub(super) fn indexed(connection: &Connection) -> Result<u64> {
    Ok(number(connection, INDEXED)?.unwrap_or_default())
}

/// Indexes events that are not indexed yet, at most `limit`, and returns how many there were.
pub(crate) fn index(connection: &Connection, limit: u32) -> Result<usize> {
    let after = indexed(connection)?;
    let rows = many(connection, sql::EVENT_KEYS_AFTER, (signed(after), limit), |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Vec<u8>>(2)?))
    })?;
    let Some((newest, ..)) = rows.last() else { return Ok(0) };
    // In the order of the table, so that neighbours are written together.
    let mut postings: BTreeMap<IndexKey, Vec<i64>> = BTreeMap::new();
    let mut hours: BTreeMap<i64, (i64, i64)> = BTreeMap::new();
    for (seq, at, keys) in &rows {
        for key in keys_of(keys) {
            postings.entry(key).or_default().push(*seq);
        }
        hours.entry(at.div_euclid(HOUR)).and_modify(|(_, last)| *last = *seq).or_insert((*seq, *seq));
    }
    for (key, mut events) in postings {
        events.dedup();
        if let (Some(first), Some(last)) = (events.first(), events.last()) {
            run(connection, sql::INSERT_EVENT_POSTING, (key, first, last, packed(*first, &events)?))?;
        }
    }
    for (hour, (first, last)) in hours {
        run(connection, sql::UPSERT_EVENT_HOUR, (hour, first, last))?;
    }
    set_indexed(connection, *newest)?;
    Ok(rows.len())
}

fn set_indexed(connection: &Connection, newest: i64) -> Result<()> {
    run(connection, sql::SET_META, (INDEXED, unsigned(newest).to_be_bytes())).map(drop)
}

/// The distances of events from the first of them.
fn packed(first: i64, events: &[i64]) -> Result<Vec<u8>> {
    let too_far = || StoreError::Corrupt("the numbers of neighbouring audit events are too far apart".to_owned());
    let distances =
        events.iter().map(|event| u32::try_from(event - first).map(u32::to_be_bytes).map_err(|_| too_far()));
    Ok(distances.collect::<Result<Vec<_>>>()?.concat())
}

/// Calls `visit` with the indexed events that have a key, from `newest` down to `oldest`, until it answers `false`.
pub(super) fn events_with(
    connection: &Connection,
    key: &IndexKey,
    (oldest, newest): (i64, i64),
    mut visit: impl FnMut(i64) -> Result<bool>,
) -> Result<()> {
    let mut statement = connection.prepare_cached(sql::EVENT_POSTINGS)?;
    let mut rows = statement.query((key, newest))?;
    while let Some(row) = rows.next()? {
        let (first, last): (i64, i64) = (row.get(0)?, row.get(1)?);
        if last < oldest {
            break;
        }
        for distance in row.get_ref(2)?.as_blob()?.as_chunks().0.iter().rev() {
            let event = first.saturating_add(i64::from(u32::from_be_bytes(*distance)));
            if event >= oldest && event <= newest && !visit(event)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The first and the last indexed event of some hours, which begin at `from` and end at `to`; the first is after the last where
/// there is none.
pub(super) fn between(connection: &Connection, from: i64, to: i64) -> Result<(i64, i64)> {
    let hours = (from.div_euclid(HOUR), to.div_euclid(HOUR));
    let bounds = one(connection, sql::EVENT_HOURS, hours, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (first, last): (Option<i64>, Option<i64>) = bounds.unwrap_or_default();
    Ok((first.unwrap_or(i64::MAX), last.unwrap_or(0)))
}

/// Forgets events from the beginning of the trail: when each happened, and its keys. A row with later events too is removed
/// together with the last of them.
pub(super) fn forget<'e>(
    connection: &Connection,
    newest: i64,
    events: impl Iterator<Item = (i64, &'e [u8])>,
) -> Result<()> {
    for (at, keys) in events {
        for key in keys_of(keys) {
            run(connection, sql::DELETE_EVENT_POSTINGS, (key, newest))?;
        }
        run(connection, sql::DELETE_EVENT_HOUR, (at.div_euclid(HOUR), newest))?;
    }
    if unsigned(newest) > indexed(connection)? {
        set_indexed(connection, newest)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::store::sqlite::{Location, open};

    fn rows(connection: &Connection, table: &str) -> i64 {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    fn found(connection: &Connection, key: IndexKey, range: (i64, i64)) -> Vec<i64> {
        let mut found = Vec::new();
        events_with(connection, &key, range, |event| {
            found.push(event);
            Ok(true)
        })
        .unwrap();
        found
    }

    #[test]
    fn the_events_of_a_run_share_the_rows_of_their_keys_and_take_them_along() {
        let connection = open::connect(&Location::Memory, true).unwrap();
        open::migrate(&connection, "memory", None).unwrap();
        let (client, kind) = (*b"client__", *b"kind____");
        let account = |n: i64| u64::to_be_bytes(unsigned(n % 10));
        let keys = |n: i64| [client, kind, account(n)].concat();
        for seq in 1..=100 {
            run(&connection, sql::INSERT_EVENT, (seq, seq * 60, keys(seq), *b"", [0_u8; 32])).unwrap();
        }
        assert_eq!((index(&connection, 60).unwrap(), index(&connection, 60).unwrap()), (60, 40));
        assert_eq!(rows(&connection, "audit_postings"), 2 * 12, "not three for each of 100 events");
        assert_eq!(found(&connection, account(7), (17, 80)), [77, 67, 57, 47, 37, 27, 17]);
        assert_eq!(found(&connection, client, (59, 62)), [62, 61, 60, 59]);
        assert_eq!(between(&connection, 3600, 2 * 3600 - 1).unwrap(), (60, 100));

        let gone = |range: std::ops::RangeInclusive<i64>| range.map(|seq| (seq * 60, keys(seq))).collect::<Vec<_>>();
        let forget = |newest, gone: Vec<(i64, Vec<u8>)>| {
            super::forget(&connection, newest, gone.iter().map(|(at, keys)| (*at, keys.as_slice()))).unwrap();
        };
        forget(50, gone(1..=50));
        assert_eq!(rows(&connection, "audit_postings"), 2 * 12, "each has later events too");
        forget(100, gone(51..=100));
        assert_eq!((rows(&connection, "audit_postings"), rows(&connection, "audit_hours")), (0, 0));
    }
}
