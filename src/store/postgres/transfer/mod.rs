//! Copies ([`crate::store::transfer`]) from and to a PostgreSQL database.

mod end;
mod rows;

use std::sync::Arc;

pub use end::PostgresEnd;

use crate::env::Random;
use crate::store::postgres::database::Database;
use crate::store::postgres::error::Failure;
use crate::store::postgres::open::{OpenError, Opening};
use crate::store::postgres::schema::MIGRATIONS;
use crate::store::postgres::{PostgresStore, Target};
use crate::store::seal::Sealer;
use crate::store::seal_check::{self, SealCheck};
use crate::store::transfer::end::{Origin, Refusal};
use crate::store::{Audit as _, StoreError};
use end::{OWN_NAME, unfinished};

/// What tells one store from every other: the server's start, the database and the schema.
const IDENTITY: &str =
    "SELECT concat_ws(' ', pg_postmaster_start_time()::text, current_database()::text, current_schema()::text)";

/// A broker's configuration, as far as it decides about a copy.
pub struct Broker<'b> {
    /// `store.encryption_keys`.
    pub keys: &'b [Vec<u8>],
    /// The issuer.
    pub issuer: &'b str,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

/// A store to copy from. Its events are chained first, as a broker does when it reads them.
///
/// # Errors
/// If it can't be copied.
pub async fn source(target: &Target, broker: &Broker<'_>) -> Result<(PostgresEnd, Origin), Refusal> {
    let (store, name) = (target.to_string(), broker_name(target));
    let target = &own(target);
    let (database, sealer) = prepared(target, broker)?;
    let opening = Opening { database: &database, store: &store, issuer: broker.issuer, sealer: &sealer };
    if !opening.exists().await.map_err(refused)? {
        return Err(Refusal::NoStore(store));
    }
    let origin = checked(&opening, &store).await?;
    let failed = |error: Failure| Refusal::Failed { store: store.clone(), reason: error.into() };
    let connection = database.connection().await.map_err(failed)?;
    if let Some(from) = unfinished(&connection).await.map_err(|error| failed(error.into()))? {
        return Err(Refusal::UnfinishedSource { store, from });
    }
    drop(connection);
    end::alone(&database, &store, &name).await?;
    end::free(&database, &store).await?;
    let opened = PostgresStore::open(target, broker.keys, Arc::clone(&broker.random), broker.issuer).await;
    let chained = opened.map_err(refused)?.chain_ends().await;
    chained.map_err(|reason| Refusal::Failed { store: store.clone(), reason })?;
    Ok((PostgresEnd::hold_source(&database, &store).await?, origin))
}

/// A store to copy to: a database without tables, an empty store, or an unfinished copy of the source.
///
/// # Errors
/// If it can't be written, or has something.
pub async fn destination(target: &Target, broker: &Broker<'_>, origin: &Origin) -> Result<PostgresEnd, Refusal> {
    let (store, name) = (target.to_string(), broker_name(target));
    let target = &own(target);
    if let (true, Some(file)) = (broker.keys.is_empty(), &origin.key_file) {
        return Err(Refusal::Open(format!(
            "{store} needs the key of {} in store.encryption_keys: encryption_keys = [{{ file = \"{}\" }}]",
            origin.name,
            file.display()
        )));
    }
    let (database, sealer) = prepared(target, broker)?;
    let opening = Opening { database: &database, store: &store, issuer: broker.issuer, sealer: &sealer };
    let failed = |error: Failure| Refusal::Failed { store: store.clone(), reason: error.into() };
    let exists = opening.exists().await.map_err(refused)?;
    end::alone(&database, &store, &name).await?;
    let mut begun = false;
    if exists {
        end::free(&database, &store).await?;
        let connection = database.connection().await.map_err(failed)?;
        let row = connection.query_one(IDENTITY, &[]).await.map_err(|error| failed(error.into()))?;
        if row.try_get::<_, String>(0).map_err(|error| failed(error.into()))? == origin.identity {
            return Err(Refusal::Same(store));
        }
        let has_meta = connection.query_one("SELECT to_regclass('meta') IS NOT NULL", &[]).await;
        let has_meta: bool = has_meta.and_then(|row| row.try_get(0)).map_err(|error| failed(error.into()))?;
        if has_meta && unfinished(&connection).await.map_err(|error| failed(error.into()))?.is_some() {
            checked(&opening, &store).await?;
            begun = true;
        }
    }
    if !begun {
        let opened = PostgresStore::open(target, broker.keys, Arc::clone(&broker.random), broker.issuer).await;
        drop(opened.map_err(refused)?);
    }
    PostgresEnd::hold_destination(&database, &store, &origin.name).await
}

/// The name that a broker's connections have.
fn broker_name(target: &Target) -> String {
    target.config.get_application_name().unwrap_or_default().to_owned()
}

/// The same target, with a name for the connections of a copy.
fn own(target: &Target) -> Target {
    let mut target = target.clone();
    target.config.application_name(OWN_NAME);
    target
}

fn prepared(target: &Target, broker: &Broker<'_>) -> Result<(Database, Sealer), Refusal> {
    if broker.keys.is_empty() {
        return Err(refused(OpenError::NoKeys));
    }
    let sealer = Sealer::new(broker.keys, Arc::clone(&broker.random)).map_err(|error| refused(error.into()))?;
    Ok((Database::of(target).map_err(|said| Refusal::Open(format!("{target} {said}")))?, sealer))
}

fn refused(error: OpenError) -> Refusal {
    Refusal::Open(error.to_string())
}

/// Fails unless the store has the schema of this version, this broker's issuer and its keys. Nothing is written.
async fn checked(opening: &Opening<'_>, store: &str) -> Result<Origin, Refusal> {
    let failed = |reason: StoreError| Refusal::Failed { store: store.to_owned(), reason };
    let connection = opening.database.connection().await.map_err(|error| failed(error.into()))?;
    let read = async {
        let row = connection.query_one("SELECT version, issuer FROM countersign_store", &[]).await?;
        let (version, issuer): (i32, String) = (row.try_get(0)?, row.try_get(1)?);
        Ok::<_, tokio_postgres::Error>((usize::try_from(version).unwrap_or(usize::MAX), issuer))
    };
    let (found, issuer) = read.await.map_err(|error| failed(error.into()))?;
    let (known, store) = (MIGRATIONS.len(), store.to_owned());
    if found > known {
        return Err(refused(OpenError::Newer { store, found, known }));
    }
    if found < known {
        return Err(Refusal::Older { store, found, known });
    }
    if issuer != opening.issuer {
        return Err(refused(OpenError::OtherIssuer { store, found: issuer, issuer: opening.issuer.to_owned() }));
    }
    let read = async {
        let rows = connection.query("SELECT key, value FROM meta WHERE key LIKE 'seal:%'", &[]).await?;
        let checks = rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        let checks = checks.collect::<Result<Vec<(String, Vec<u8>)>, tokio_postgres::Error>>()?;
        Ok::<_, tokio_postgres::Error>((checks, connection.query_one(IDENTITY, &[]).await?.try_get::<_, String>(0)?))
    };
    let (checks, identity) = read.await.map_err(|error| failed(error.into()))?;
    if let SealCheck::Wrong { needed, given } = seal_check::of(opening.sealer, &checks).map_err(failed)? {
        return Err(refused(OpenError::WrongKey { store, needed, given }));
    }
    Ok(Origin { name: store, identity, key_file: None })
}
