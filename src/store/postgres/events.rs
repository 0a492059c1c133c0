//! Events as operations write them: sealed, in the order in which they happened. They are chained later (`chain.rs`).
//!
//! What is sealed is the number of keys that the event is found by, the keys, and the event as JSON. The keys are made here,
//! because the JSON does not have the account.

use crate::audit::Event;
use crate::env::Random;
use crate::store::encoding::{json, parse};
use crate::store::event_index::{event_keys, keys_of};
use crate::store::postgres::database::Parameter;
use crate::store::seal::{IndexKey, Sealer};
use crate::store::{Result, StoreError};

/// The sealed column.
const PENDING: &str = "audit_pending.data";

/// Events of one operation.
pub(crate) struct EventRows {
    ids: Vec<String>,
    data: Vec<Vec<u8>>,
}

impl EventRows {
    pub(crate) fn new(sealer: &Sealer, random: &dyn Random, events: &[Event]) -> Result<Self> {
        let (mut ids, mut data) = (Vec::with_capacity(events.len()), Vec::with_capacity(events.len()));
        for event in events {
            let id = random.id().map_err(|error| StoreError::Unavailable(error.to_string()))?;
            let keys = event_keys(sealer, event);
            let count = u8::try_from(keys_of(&keys).count()).unwrap_or(u8::MAX);
            let plain = [&[count], keys.as_slice(), json(event)?.as_bytes()].concat();
            data.push(sealer.seal(PENDING, id.as_bytes(), &plain)?);
            ids.push(id);
        }
        Ok(Self { ids, data })
    }

    /// Opens one of them: its keys, and the event.
    pub(crate) fn open(sealer: &Sealer, id: &str, sealed: &[u8]) -> Result<(Vec<u8>, Event)> {
        let plain = sealer.open(PENDING, id.as_bytes(), sealed)?;
        let broken = || StoreError::Corrupt(format!("{PENDING} does not have the expected form"));
        let (count, rest) = plain.split_first().ok_or_else(broken)?;
        let (keys, text) = rest.split_at_checked(usize::from(*count) * size_of::<IndexKey>()).ok_or_else(broken)?;
        Ok((keys.to_vec(), parse(PENDING, text)?))
    }

    pub(crate) fn parameters(&self) -> [Parameter<'_>; 2] {
        [&self.ids, &self.data]
    }
}
