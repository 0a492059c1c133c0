//! How records are encoded in columns, the same in every backend: JSON, and which columns are sealed.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::store::model::{KeyState, LinkKey, TokenHash};
use crate::store::seal::Sealer;
use crate::store::{Result, StoreError};

/// Names of the sealed columns. They are part of the associated data of a sealed value.
pub(crate) mod columns {
    pub(in crate::store) const PROFILE: &str = "users.profile";
    pub(in crate::store) const CLAIMS: &str = "links.claims";
    pub(in crate::store) const UPSTREAM_REFRESH: &str = "links.refresh_token";
    pub(in crate::store) const UPSTREAM_ID_TOKEN: &str = "sessions.upstream_id_token";
    pub(in crate::store) const LOGIN: &str = "logins.data";
    pub(in crate::store) const INTERACTION: &str = "interactions.data";
    pub(in crate::store) const SUCCESSOR: &str = "refresh_tokens.successor";
    pub(in crate::store) const PRIVATE_KEY: &str = "signing_keys.private";
    pub(in crate::store) const GENERATION: &str = "generations.data";
    pub(in crate::store) const TRACE: &str = "traces.data";
    pub(in crate::store) const EVENT: &str = "audit.data";
}

/// A record as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| StoreError::Corrupt(format!("a record can't be written as JSON: {e}")))
}

/// A record from its JSON; `what` names the column in the error.
pub(crate) fn parse<T: DeserializeOwned>(what: &str, text: &[u8]) -> Result<T> {
    serde_json::from_slice(text)
        .map_err(|e| StoreError::Corrupt(format!("{what} does not have the expected form: {e}")))
}

/// A JSON value, sealed.
pub(crate) fn seal_json(sealer: &Sealer, column: &str, row: &[u8], value: &impl Serialize) -> Result<Vec<u8>> {
    sealer.seal(column, row, json(value)?.as_bytes())
}

/// A JSON value from a sealed column.
pub(crate) fn open_json<T: DeserializeOwned>(sealer: &Sealer, column: &str, row: &[u8], sealed: &[u8]) -> Result<T> {
    parse(column, &sealer.open(column, row, sealed)?)
}

/// Seals a text that may be absent.
pub(crate) fn seal_text(sealer: &Sealer, column: &str, row: &[u8], text: Option<&str>) -> Result<Option<Vec<u8>>> {
    text.map(|text| sealer.seal(column, row, text.as_bytes())).transpose()
}

/// A text from a sealed column.
pub(crate) fn open_text(sealer: &Sealer, column: &str, row: &[u8], sealed: &[u8]) -> Result<String> {
    String::from_utf8(sealer.open(column, row, sealed)?)
        .map_err(|_| StoreError::Corrupt(format!("{column} is not UTF-8")))
}

/// The associated data of a link's sealed columns: its key, with lengths, so that no two keys give the same bytes.
pub(crate) fn link_row(key: &LinkKey) -> Vec<u8> {
    format!("{}:{}{}:{}{}", key.provider.len(), key.provider, key.issuer.len(), key.issuer, key.subject).into_bytes()
}

/// The stored name of a key's state.
pub(crate) const fn key_state_name(state: KeyState) -> &'static str {
    match state {
        KeyState::Next => "next",
        KeyState::Current => "current",
        KeyState::Retired => "retired",
    }
}

pub(crate) fn key_state(name: &str) -> Result<KeyState> {
    [KeyState::Next, KeyState::Current, KeyState::Retired]
        .into_iter()
        .find(|state| key_state_name(*state) == name)
        .ok_or_else(|| StoreError::Corrupt(format!("this version does not know signing_keys.state `{name}`")))
}

/// The stored form of a one-time identifier: hashed, because it comes from outside and may have any length.
pub(crate) fn once_key(kind: &str, id: &str) -> [u8; 32] {
    TokenHash::of(&format!("{}:{kind}{id}", kind.len())).0
}
