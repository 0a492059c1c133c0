//! Whether the given keys are those of a store. Each key that has ever sealed has a row in `meta`, with a known text.

use crate::store::Result;
use crate::store::seal::Sealer;

const COLUMN: &str = "meta.value";
const TEXT: &[u8] = b"countersign";
/// What the names of these rows begin with; the id of the key follows.
const PREFIX: &str = "seal:";

/// What the rows of a store say about the given keys.
pub(crate) enum SealCheck {
    /// One of the keys has sealed the store, and the one that seals is known.
    Known,
    /// The key that seals is new: the name and value of the row that records it.
    New(String, Vec<u8>),
    /// None of the keys has sealed the store.
    Wrong {
        /// The ids of the keys that did.
        needed: String,
        /// The ids of the given keys.
        given: String,
    },
}

/// Compares keys with the rows of a store, given by name and value.
pub(crate) fn of(sealer: &Sealer, rows: &[(String, Vec<u8>)]) -> Result<SealCheck> {
    let opens = |(name, sealed): &(String, Vec<u8>)| {
        sealer.open(COLUMN, name.as_bytes(), sealed).is_ok_and(|text| text == TEXT)
    };
    if !rows.is_empty() && !rows.iter().any(opens) {
        let needed: Vec<&str> = rows.iter().filter_map(|(name, _)| name.strip_prefix(PREFIX)).collect();
        let given: Vec<String> = sealer.ids().map(|id| id.to_string()).collect();
        return Ok(SealCheck::Wrong { needed: needed.join(", "), given: given.join(", ") });
    }
    let Some(current) = sealer.current() else { return Ok(SealCheck::Known) };
    let name = format!("{PREFIX}{current}");
    if rows.iter().any(|(known, _)| *known == name) {
        return Ok(SealCheck::Known);
    }
    let sealed = sealer.seal(COLUMN, name.as_bytes(), TEXT)?;
    Ok(SealCheck::New(name, sealed))
}
