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
        return open_sqlite(&location, keys, random);
    }
    let target = Target::from_url(url.expose())
        .ok_or_else(|| format!("store.url \"{url}\" is neither an SQLite nor a PostgreSQL URL"))?
        .map_err(|error| format!("store.url {error}"))?;
    open_postgres(&target, keys, random, &snapshot.issuer.text).await
}

/// Opens a store in a SQLite file or in memory.
pub(crate) fn open_sqlite(
    location: &Location,
    keys: &[Vec<u8>],
    random: Arc<dyn Random>,
) -> Result<Arc<dyn Store>, String> {
    Ok(Arc::new(SqliteStore::open(location, keys, random).map_err(|error| error.to_string())?))
}

/// Opens a store in a PostgreSQL database.
pub(crate) async fn open_postgres(
    target: &Target,
    keys: &[Vec<u8>],
    random: Arc<dyn Random>,
    issuer: &str,
) -> Result<Arc<dyn Store>, String> {
    let store = PostgresStore::open(target, keys, random, issuer).await;
    Ok(Arc::new(store.map_err(|error| error.to_string())?))
}
