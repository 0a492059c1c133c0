//! How events of the audit trail are found: their keys are keyed hashes of a field and its value, because events are sealed.

use crate::audit::chain::{Hash, Place};
use crate::audit::{Event, Kind};
use crate::store::ids::UserId;
use crate::store::seal::{IndexKey, Sealer};
use crate::store::{EventQuery, Result, StoreError};

/// Names in `meta`.
pub(crate) const REPLICA: &str = "replica";
pub(crate) const ANCHOR: &str = "audit_anchor";
pub(crate) const INDEXED: &str = "audit_indexed";
/// Followed by the name of the output.
pub(crate) const EXPORTED: &str = "audit_exported ";

/// The most events that one query looks at.
pub(crate) const LOOKED_AT: usize = 20_000;
pub(crate) const HOUR: i64 = 3600;

/// The fields that an event is found by, with their values. Fields of the second group have few values, which come again in
/// many events.
fn indexed_fields(event: &Event) -> ([Field<'_>; 2], [Field<'_>; 4]) {
    let of_many = [("account", event.account.as_deref()), ("address", event.address.as_deref())];
    let of_few = [
        ("reason", event.reason.as_deref()),
        ("client", event.client.as_deref()),
        ("provider", event.provider.as_deref()),
        ("kind", Some(event.kind.name())),
    ];
    (of_many, of_few)
}

/// The name of a field, and its value if the event has one.
type Field<'e> = (&'static str, Option<&'e str>);

/// What a query looks for, in the same order: the field that selects the fewest events comes first. Each has the values of
/// which an event must have one, none if any will do.
fn asked_fields(query: &EventQuery) -> [(&'static str, Vec<&str>); 6] {
    fn one(value: Option<&str>) -> Vec<&str> {
        value.into_iter().collect()
    }
    [
        ("account", one(query.account.as_ref().map(UserId::as_str))),
        ("address", one(query.address.as_deref())),
        ("reason", one(query.reason.as_deref())),
        ("client", one(query.client.as_deref())),
        ("provider", one(query.provider.as_deref())),
        ("kind", query.kinds.iter().copied().map(Kind::name).collect()),
    ]
}

/// The keys by which an event is found, one after the other.
pub(crate) fn event_keys(sealer: &Sealer, event: &Event) -> Vec<u8> {
    let (of_many, of_few) = indexed_fields(event);
    let of_many = of_many.into_iter().filter_map(|(field, value)| sealer.index_key(field, value?));
    let of_few = of_few.into_iter().filter_map(|(field, value)| sealer.recurring_index_key(field, value?));
    of_many.chain(of_few).flatten().collect()
}

/// For each field that a query asks for, the keys of which an event must have one: for each value, one for each key of the
/// store.
pub(crate) fn wanted_keys(sealer: &Sealer, query: &EventQuery) -> Vec<Vec<IndexKey>> {
    let asked = asked_fields(query).into_iter().filter(|(_, values)| !values.is_empty());
    asked
        .map(|(field, values)| values.into_iter().flat_map(|value| sealer.index_keys(field, value)).collect())
        .collect()
}

/// The number of leading events that retention removes, of these times in the order of the chain.
pub(crate) fn expired(times: impl Iterator<Item = i64>, cutoff: i64, now: i64) -> usize {
    let in_the_way = |at: &i64| *at >= cutoff && *at <= now;
    let leading = times.take_while(|at| !in_the_way(at));
    leading.enumerate().filter(|(_, at)| *at < cutoff).map(|(n, _)| n + 1).last().unwrap_or(0)
}

/// A place as `meta` keeps it.
pub(crate) fn place_bytes(seq: u64, hash: &[u8]) -> Vec<u8> {
    [&seq.to_be_bytes(), hash].concat()
}

/// A place from `meta`.
pub(crate) fn place_from(bytes: &[u8]) -> Result<Place> {
    let read = || {
        let (seq, hash) = bytes.split_first_chunk::<8>()?;
        Some(Place { seq: u64::from_be_bytes(*seq), hash: Hash(hash.try_into().ok()?) })
    };
    read().ok_or_else(|| StoreError::Corrupt(format!("meta.{ANCHOR} has the wrong length")))
}

/// A sequence number as a column: integers of databases are signed.
pub(crate) fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// A sequence number from its column.
pub(crate) fn unsigned(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or_default()
}

/// The keys of an event, from their column.
pub(crate) fn keys_of(bytes: &[u8]) -> impl Iterator<Item = IndexKey> + '_ {
    bytes.as_chunks().0.iter().copied()
}
