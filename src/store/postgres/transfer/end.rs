//! One end of a copy ([`crate::store::transfer`]) in a PostgreSQL database.
//!
//! A transaction holds the row of `countersign_store` as long as this end is open, so that no broker starts on it and no other
//! copy runs; that of a source also keeps others from writing, and reads as of one moment. A broker that is running already is
//! recognised by the name of its connections.

use std::time::Duration;

use async_trait::async_trait;
use deadpool_postgres::Object;
use tokio_postgres::types::ToSql;

use crate::store::postgres::database::Database;
use crate::store::postgres::error::{Failure, text};
use crate::store::postgres::transfer::rows::{insertion, parameters, read, selection};
use crate::store::transfer::end::{BATCH, Cell, Destination, Refusal, Row, Source};
use crate::store::transfer::tables::{TABLES, Table, UNFINISHED};
use crate::store::{Result, StoreError};

/// The name of a copy's own connections.
pub(crate) const OWN_NAME: &str = "countersign store copy";
/// How often, and after which pause, it is asked again whether connections of a broker have ended.
const ASKED: u32 = 5;
const PAUSE: Duration = Duration::from_millis(300);

/// The connections of this name to the database, and where they come from.
const OTHERS: &str =
    "SELECT count(*), coalesce(string_agg(DISTINCT coalesce(host(client_addr), 'this host'), ', '), '')
    FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1 AND pid <> pg_backend_pid()";
/// Settings of a copy's own connections, which may take long.
const PATIENT: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = '5s'";
/// Nobody else starts a broker on the store, migrates it or copies it.
const HOLD: &str = "SELECT version FROM countersign_store FOR UPDATE";

/// What is computed from `audit`: what its events are found by.
const INDEX: &str = "INSERT INTO audit_keys (key, seq)
    SELECT substr(a.keys, n * 8 + 1, 8), a.seq FROM audit a CROSS JOIN LATERAL generate_series(0, length(a.keys) / 8 - 1) AS n
    WHERE a.seq BETWEEN $1 AND $2 ON CONFLICT DO NOTHING";
const INDEX_HOURS: &str = "INSERT INTO audit_hours (hour, first, last)
    SELECT floor(at / 3600.0)::bigint, min(seq), max(seq) FROM audit WHERE seq BETWEEN $1 AND $2 GROUP BY 1
    ON CONFLICT (hour) DO UPDATE
    SET first = least(audit_hours.first, excluded.first), last = greatest(audit_hours.last, excluded.last)";

/// A store that is read or written by a copy.
pub struct PostgresEnd {
    /// Reads, and holds the store.
    reader: Object,
    /// Writes, if this is the destination.
    writer: Option<Object>,
    reading: Option<&'static Table>,
}

impl PostgresEnd {
    /// Holds a store that is to be copied, once its events are chained.
    pub(crate) async fn hold_source(database: &Database, store: &str) -> std::result::Result<Self, Refusal> {
        let failed =
            |error: tokio_postgres::Error| in_use(store, &error).unwrap_or_else(|| failure(store, error.into()));
        let reader = database.connection().await.map_err(|error| failure(store, error.into()))?;
        let tables: Vec<&str> = TABLES.iter().map(|table| table.name).chain(["audit_pending"]).collect();
        // The locks come before the first statement that reads, which is the moment as of which everything is read.
        let lock = format!("LOCK TABLE {} IN SHARE MODE", tables.join(", "));
        let begin = format!("{PATIENT}; BEGIN ISOLATION LEVEL REPEATABLE READ; {lock}; {HOLD}");
        reader.batch_execute(&begin).await.map_err(failed)?;
        let waiting = reader.query_one("SELECT count(*) FROM audit_pending", &[]).await.map_err(failed)?;
        if waiting.try_get::<_, i64>(0).map_err(failed)? > 0 {
            let by = " by a broker that has just written an event".to_owned();
            return Err(Refusal::InUse { store: store.to_owned(), by, way_out: "stop every replica first".to_owned() });
        }
        Ok(Self { reader, writer: None, reading: None })
    }

    /// Holds a store that is to be written, and marks it as a copy of `from` if it is empty.
    pub(crate) async fn hold_destination(
        database: &Database,
        store: &str,
        from: &str,
    ) -> std::result::Result<Self, Refusal> {
        let failed =
            |error: tokio_postgres::Error| in_use(store, &error).unwrap_or_else(|| failure(store, error.into()));
        let connected = |error: Failure| failure(store, error.into());
        let (reader, writer) =
            (database.connection().await.map_err(connected)?, database.connection().await.map_err(connected)?);
        reader.batch_execute(&format!("{PATIENT}; BEGIN; {HOLD}")).await.map_err(failed)?;
        // The end of the copy waits for the server's disk, and with it everything before.
        writer.batch_execute(&format!("{PATIENT}; SET synchronous_commit = off")).await.map_err(failed)?;
        let mut end = Self { reader, writer: Some(writer), reading: None };
        match unfinished(&end.reader).await.map_err(failed)? {
            Some(other) if other == from => return Ok(end),
            Some(other) => return Err(Refusal::OtherCopy { store: store.to_owned(), other, from: from.to_owned() }),
            None => {}
        }
        for table in TABLES.iter().filter(|table| table.name != "meta") {
            if end.count(table).await.map_err(|reason| failure(store, reason))? > 0 {
                return Err(Refusal::NotEmpty { store: store.to_owned(), table: table.name });
            }
        }
        let mark = "WITH gone AS (DELETE FROM meta WHERE key <> $1)
            INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        end.write(mark, &[&UNFINISHED, &from.as_bytes()]).await.map_err(|reason| failure(store, reason))?;
        Ok(end)
    }

    fn writer(&self) -> Result<&Object> {
        self.writer.as_ref().ok_or_else(|| StoreError::ReadOnly("a source is not written".to_owned()))
    }

    async fn write(&self, statement: &str, values: &[&(dyn ToSql + Sync)]) -> Result<()> {
        let writer = self.writer()?;
        let prepared = writer.prepare_cached(statement).await?;
        writer.execute(&prepared, values).await.map(drop).map_err(Into::into)
    }

    async fn run(&self, statements: &str) -> Result<()> {
        self.writer()?.batch_execute(statements).await.map_err(Into::into)
    }

    /// Inserts rows, with the columns that are computed from them.
    async fn insert_rows(&self, table: &'static Table, rows: Vec<Row>) -> Result<()> {
        let values = parameters(table, rows)?;
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|column| &**column as &(dyn ToSql + Sync)).collect();
        self.write(&insertion(table), &values).await
    }
}

/// The source that an unfinished copy was begun from.
pub(crate) async fn unfinished(
    connection: &tokio_postgres::Client,
) -> std::result::Result<Option<String>, tokio_postgres::Error> {
    let mark = connection.query_opt("SELECT value FROM meta WHERE key = $1", &[&UNFINISHED]).await?;
    let value: Option<Vec<u8>> = mark.map(|row| row.try_get(0)).transpose()?;
    Ok(value.map(|from| String::from_utf8_lossy(&from).into_owned()))
}

/// Fails if a broker is connected to the database. The connections of one that has just stopped are about to end.
pub(crate) async fn alone(database: &Database, store: &str, name: &str) -> std::result::Result<(), Refusal> {
    let connection = database.connection().await.map_err(|error| failure(store, error.into()))?;
    for attempt in 1.. {
        let row = connection.query_one(OTHERS, &[&name]).await.map_err(|error| failure(store, error.into()))?;
        let others = row.try_get(0).and_then(|count| Ok((count, row.try_get(1)?)));
        let (others, hosts): (i64, String) = others.map_err(|error| failure(store, error.into()))?;
        if others == 0 {
            break;
        }
        if attempt == ASKED {
            let counted = if others == 1 { "1 connection".to_owned() } else { format!("{others} connections") };
            return Err(Refusal::InUse {
                store: store.to_owned(),
                by: format!(" by {counted} named {name}, from {hosts}"),
                way_out: "stop every replica first. If they are those of a broker in another schema of this database, give \
                          one of the two another application_name in its URL; connections that a pooler keeps end when it is \
                          told to close them"
                    .to_owned(),
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Fails if another copy, or a broker that starts, holds an existing store.
pub(crate) async fn free(database: &Database, store: &str) -> std::result::Result<(), Refusal> {
    let connection = database.connection().await.map_err(|error| failure(store, error.into()))?;
    let held = connection.query(HOLD, &[]).await;
    held.map(drop).map_err(|error| in_use(store, &error).unwrap_or_else(|| failure(store, error.into())))
}

/// The refusal for a lock that somebody else holds.
fn in_use(store: &str, error: &tokio_postgres::Error) -> Option<Refusal> {
    let held = error.code().is_some_and(|code| code.code() == "55P03");
    held.then(|| Refusal::InUse {
        store: store.to_owned(),
        by: format!(" ({})", text(error)),
        way_out: "stop every replica, and let another copy end first".to_owned(),
    })
}

fn failure(store: &str, reason: StoreError) -> Refusal {
    Refusal::Failed { store: store.to_owned(), reason }
}

#[async_trait(?Send)]
impl Source for PostgresEnd {
    async fn count(&mut self, table: &'static Table) -> Result<u64> {
        let select = format!("SELECT count(*) FROM ({}) AS counted", selection(table, false));
        let count: i64 = self.reader.query_one(&select, &[]).await?.try_get(0)?;
        Ok(count.unsigned_abs())
    }

    async fn start(&mut self, table: &'static Table) -> Result<()> {
        if self.reading.take().is_some() {
            self.reader.batch_execute("CLOSE copied").await?;
        }
        let declare = format!("DECLARE copied NO SCROLL CURSOR FOR {}", selection(table, true));
        self.reader.batch_execute(&declare).await?;
        self.reading = Some(table);
        Ok(())
    }

    async fn next(&mut self) -> Result<Vec<Row>> {
        let Some(table) = self.reading else { return Ok(Vec::new()) };
        let rows = self.reader.query(&format!("FETCH {BATCH} FROM copied"), &[]).await?;
        rows.iter().map(|row| read(table, row)).collect()
    }
}

#[async_trait(?Send)]
impl Destination for PostgresEnd {
    async fn insert(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<()> {
        if table.name != "audit" {
            return self.insert_rows(table, rows).await;
        }
        let seq = |row: Option<&Row>| match row.and_then(|row| row.first()) {
            Some(Cell::Integer(seq)) => *seq,
            _ => 0,
        };
        let (first, last) = (seq(rows.first()), seq(rows.last()));
        self.run("BEGIN").await?;
        let inserted = async {
            self.insert_rows(table, rows).await?;
            self.write(INDEX, &[&first, &last]).await?;
            self.write(INDEX_HOURS, &[&first, &last]).await
        };
        let inserted = inserted.await;
        self.run(if inserted.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
        inserted
    }

    async fn clear(&mut self, table: &'static Table) -> Result<()> {
        match table.name {
            "meta" => self.write("DELETE FROM meta WHERE key <> $1", &[&UNFINISHED]).await,
            "audit" => self.run("DELETE FROM audit; DELETE FROM audit_keys; DELETE FROM audit_hours").await,
            name => self.run(&format!("DELETE FROM {name}")).await,
        }
    }

    async fn finish(&mut self) -> Result<()> {
        let tables: Vec<&str> = TABLES.iter().map(|table| table.name).chain(["audit_keys", "audit_hours"]).collect();
        self.run(&format!("ANALYZE {}; SET synchronous_commit = on", tables.join(", "))).await?;
        self.write("DELETE FROM meta WHERE key = $1", &[&UNFINISHED]).await?;
        self.reader.batch_execute("COMMIT").await.map_err(Into::into)
    }
}
