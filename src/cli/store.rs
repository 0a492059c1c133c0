//! Opening the store that `store.url` names.

use std::sync::Arc;

use crate::env::Random;
use crate::snapshot::Snapshot;
use crate::store::Store;
use crate::store::postgres::{PostgresStore, Target};
use crate::store::sqlite::{Location, SqliteStore};

/// Opens the store of a configuration; `keys` are its `store.encryption_keys`.
///
/// # Errors
/// Why it can't be used, and how to proceed.
pub async fn open(snapshot: &Snapshot, keys: &[Vec<u8>], random: Arc<dyn Random>) -> Result<Arc<dyn Store>, String> {
    let url = &snapshot.config.store.url;
    if let Some(location) = Location::from_url(url.expose()) {
        let store = SqliteStore::open(&location, keys, random).map_err(|error| error.to_string())?;
        return Ok(Arc::new(store));
    }
    let target = Target::from_url(url.expose())
        .ok_or_else(|| format!("store.url \"{url}\" is neither an SQLite nor a PostgreSQL URL"))?
        .map_err(|error| format!("store.url {error}"))?;
    let store = PostgresStore::open(&target, keys, random, &snapshot.issuer.text).await;
    Ok(Arc::new(store.map_err(|error| error.to_string())?))
}
