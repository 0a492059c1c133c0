//! One end of a copy ([`crate::store::transfer`]) in a SQLite file.
//!
//! The file is locked as long as this end is open: nobody else reads or writes it, and a broker that has it open is noticed,
//! because every connection in WAL mode holds a lock on the file (`locking_mode = EXCLUSIVE`).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql, params_from_iter};

use crate::env::Random;
use crate::store::key_file::{self, key_file};
use crate::store::seal::Sealer;
use crate::store::seal_check::{self, SealCheck};
use crate::store::sqlite::open::{self, OpenError};
use crate::store::sqlite::rows::{many, one, run};
use crate::store::sqlite::{Location, SqliteStore, audit_index, schema, sql};
use crate::store::transfer::end::{BATCH, Cell, Destination, Origin, Refusal, Row, Source};
use crate::store::transfer::tables::{Order, TABLES, Table, UNFINISHED};
use crate::store::{Result, StoreError};

/// How long the lock on the file is waited for. A command that reads the store is done by then.
const LOCK_WAIT: Duration = Duration::from_secs(1);
/// Logins and interactions are one table of the catalogue.
const PENDING: &str = "(SELECT rowid AS number, 'login' AS kind, state AS id, browser, data, expires_at FROM logins
    UNION ALL SELECT rowid, 'interaction', id, browser, data, expires_at FROM interactions)";

/// A store that is read or written by a copy.
pub struct SqliteEnd {
    connection: Connection,
    reading: Option<Reading>,
}

/// A table that is read.
struct Reading {
    table: &'static Table,
    /// The place of the last row.
    last: Option<Vec<Cell>>,
}

impl SqliteEnd {
    /// A store to copy from. `keys` are the file's `store.encryption_keys`; without any, the key file beside the store is read.
    ///
    /// # Errors
    /// If it can't be copied.
    pub fn source(
        path: &Path,
        keys: &[Vec<u8>],
        random: Arc<dyn Random>,
    ) -> std::result::Result<(Self, Origin), Refusal> {
        let store = path.display().to_string();
        if open::is_empty(path) {
            return Err(Refusal::NoStore(store));
        }
        let connection = exclusive(path)?;
        let failed = |reason| Refusal::Failed { store: store.clone(), reason };
        check_schema(&connection, &store)?;
        if let Some(from) = unfinished(&connection).map_err(failed)? {
            return Err(Refusal::UnfinishedSource { store, from });
        }
        let (keys, key_file) = match keys {
            [] => (vec![own_key(path, &store)?], Some(key_file(path))),
            keys => (keys.to_vec(), None),
        };
        let sealer = Sealer::new(&keys, random).map_err(|error| Refusal::Open(error.to_string()))?;
        let checks: Vec<(String, Vec<u8>)> =
            many(&connection, sql::SEAL_CHECKS, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
        if let SealCheck::Wrong { needed, given } = seal_check::of(&sealer, &checks).map_err(failed)? {
            let file = key_file::key_file(path);
            if key_file.is_none() && file.exists() {
                let file = file.display();
                return Err(Refusal::Open(format!(
                    "{store} is sealed with its key file ({needed}), and store.encryption_keys does not name it: add \
                     {{ file = \"{file}\" }}"
                )));
            }
            return Err(Refusal::Open(OpenError::WrongKey { store, needed, given }.to_string()));
        }
        run(&connection, "BEGIN", []).map_err(failed)?;
        let name = format!("sqlite:{}", place(path));
        Ok((Self { connection, reading: None }, Origin { identity: name.clone(), name, key_file }))
    }

    /// A store to copy to: one that does not exist yet, an empty one, or an unfinished copy of `origin`. Without `keys`,
    /// it gets a key file with the key of the source.
    ///
    /// # Errors
    /// If it can't be written, or has something.
    pub fn destination(
        path: &Path,
        keys: &[Vec<u8>],
        origin: &Origin,
        random: Arc<dyn Random>,
    ) -> std::result::Result<Self, Refusal> {
        let store = path.display().to_string();
        let failed = |reason| Refusal::Failed { store: store.clone(), reason };
        let opened = |error: OpenError| Refusal::Open(error.to_string());
        let from = origin.name.as_str();
        if format!("sqlite:{}", place(path)) == origin.identity {
            return Err(Refusal::Same(store));
        }
        open::prepare_folder(path).map_err(opened)?;
        if !open::is_empty(path) {
            let connection = exclusive(path)?;
            if let Some(other) = unfinished(&connection).map_err(failed)? {
                check_schema(&connection, &store)?;
                if other != from {
                    return Err(Refusal::OtherCopy { store, other, from: from.to_owned() });
                }
                return Self { connection, reading: None }.writing().map_err(failed);
            }
        }
        if let (true, Some(file)) = (keys.is_empty(), &origin.key_file) {
            let key = key_file::read(file).map_err(|error| Refusal::Open(error.to_string()))?;
            let key = key.ok_or_else(|| Refusal::Open(format!("{} is missing", file.display())))?;
            if !key_file::adopt(path, &key, &*random).map_err(|error| Refusal::Open(error.to_string()))? {
                return Err(Refusal::OtherKeyFile {
                    file: key_file(path).display().to_string(),
                    from: from.to_owned(),
                });
            }
        }
        drop(SqliteStore::open(&Location::File(path.to_path_buf()), keys, random).map_err(opened)?);
        let end = Self { connection: exclusive(path)?, reading: None }.writing().map_err(failed)?;
        for table in TABLES.iter().filter(|table| table.name != "meta") {
            if end.rows(table).map_err(failed)? > 0 {
                return Err(Refusal::NotEmpty { store, table: table.name });
            }
        }
        end.transaction(|connection| {
            run(connection, "DELETE FROM meta", [])?;
            run(connection, sql::SET_META, (UNFINISHED, from.as_bytes())).map(drop)
        })
        .map_err(failed)?;
        Ok(end)
    }

    /// What holds while a copy is written: the log moves into the database as it grows.
    fn writing(self) -> Result<Self> {
        self.connection.execute_batch("PRAGMA wal_autocheckpoint = 1000; PRAGMA foreign_keys = ON;")?;
        Ok(self)
    }

    fn transaction(&self, operation: impl FnOnce(&Connection) -> Result<()>) -> Result<()> {
        run(&self.connection, "BEGIN IMMEDIATE", [])?;
        let done = operation(&self.connection).and_then(|()| run(&self.connection, "COMMIT", []).map(drop));
        if !self.connection.is_autocommit() {
            drop(run(&self.connection, "ROLLBACK", []));
        }
        done
    }

    fn rows(&self, table: &Table) -> Result<u64> {
        let (from, _, filter) = selection(table);
        let count = one(&self.connection, &format!("SELECT count(*) FROM {from} WHERE {filter}"), [], |row| {
            Ok(row.get::<_, i64>(0)?)
        })?;
        Ok(count.map_or(0, i64::unsigned_abs))
    }

    /// The rows after a place, each with its own.
    fn after(&self, table: &Table, last: Option<&Vec<Cell>>) -> Result<Vec<(Vec<Cell>, Row)>> {
        let (from, order, filter) = selection(table);
        let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
        let (place, count) = (order.join(", "), order.len());
        let after = match last {
            Some(_) => format!("({place}) > ({})", vec!["?"; count].join(", ")),
            None => "1".to_owned(),
        };
        let select = format!(
            "SELECT {place}, {} FROM {from} WHERE {filter} AND {after} ORDER BY {place} LIMIT {BATCH}",
            names.join(", ")
        );
        let last = last.map(Vec::as_slice).unwrap_or_default();
        many(&self.connection, &select, params_from_iter(last), |row| {
            let cells = (0..count + names.len()).map(|at| cell(row.get_ref(at)?));
            let mut place = cells.collect::<Result<Vec<Cell>>>()?;
            let values = place.split_off(count);
            Ok((place, values))
        })
    }
}

/// Where the rows of a table are, the columns that they are ordered by, and a condition.
fn selection(table: &Table) -> (&'static str, Vec<&'static str>, &'static str) {
    let order = match table.order {
        Order::Inserted => vec!["rowid"],
        Order::Key(columns) => columns.to_vec(),
    };
    match table.name {
        "pending" => (PENDING, vec!["number", "kind"], "1"),
        "meta" => ("meta", order, "key NOT IN ('ping', 'audit_indexed', 'copy')"),
        // In PostgreSQL a name goes with its decision.
        "refused_names" => (table.name, order, "EXISTS (SELECT 1 FROM traces WHERE traces.id = refused_names.trace)"),
        name => (name, order, "1"),
    }
}

#[async_trait(?Send)]
impl Source for SqliteEnd {
    async fn count(&mut self, table: &'static Table) -> Result<u64> {
        self.rows(table)
    }

    async fn start(&mut self, table: &'static Table) -> Result<()> {
        self.reading = Some(Reading { table, last: None });
        Ok(())
    }

    async fn next(&mut self) -> Result<Vec<Row>> {
        let Some(mut reading) = self.reading.take() else { return Ok(Vec::new()) };
        let found = self.after(reading.table, reading.last.as_ref())?;
        if let Some((place, _)) = found.last() {
            reading.last = Some(place.clone());
            self.reading = Some(reading);
        }
        Ok(found.into_iter().map(|(_, row)| row).collect())
    }
}

#[async_trait(?Send)]
impl Destination for SqliteEnd {
    async fn insert(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<()> {
        let names: Vec<&str> = table.columns.iter().map(|(name, _)| *name).collect();
        let marks = vec!["?"; names.len()].join(", ");
        let into = format!("INSERT INTO {} ({}) VALUES ({marks})", table.name, names.join(", "));
        self.transaction(|connection| {
            for row in &rows {
                match (table.name, row.split_first()) {
                    ("pending", Some((kind, rest))) => {
                        let login = *kind == Cell::Text("login".to_owned());
                        let into = if login { sql::INSERT_LOGIN } else { sql::INSERT_INTERACTION };
                        run(connection, into, params_from_iter(rest))?;
                    }
                    _ => drop(run(connection, &into, params_from_iter(row))?),
                }
                if let ("refresh_tokens", [hash, grant, _, created_at, used_at, ..]) = (table.name, row.as_slice()) {
                    run(connection, sql::NEWEST_COPIED, (grant, hash, used_at, created_at))?;
                }
            }
            Ok(())
        })
    }

    async fn clear(&mut self, table: &'static Table) -> Result<()> {
        let statements = match table.name {
            "meta" => "DELETE FROM meta WHERE key <> 'copy'".to_owned(),
            "pending" => "DELETE FROM logins; DELETE FROM interactions".to_owned(),
            "audit" => "DELETE FROM audit; DELETE FROM audit_postings; DELETE FROM audit_hours;
                DELETE FROM meta WHERE key = 'audit_indexed'"
                .to_owned(),
            name => format!("DELETE FROM {name}"),
        };
        self.transaction(|connection| Ok(connection.execute_batch(&statements)?))
    }

    async fn finish(&mut self) -> Result<()> {
        let mut indexed = usize::MAX;
        while indexed > 0 {
            self.transaction(|connection| {
                indexed = audit_index::index(connection, BATCH)?;
                Ok(())
            })?;
        }
        self.connection.execute_batch("PRAGMA synchronous = FULL")?;
        self.transaction(|connection| run(connection, sql::DELETE_META, [UNFINISHED]).map(drop))?;
        Ok(self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?)
    }
}

impl ToSql for Cell {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Integer(value) => ToSqlOutput::Owned(Value::Integer(*value)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

fn cell(value: ValueRef<'_>) -> Result<Cell> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(value) => Cell::Integer(value),
        ValueRef::Text(_) => Cell::Text(value.as_str()?.to_owned()),
        ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        ValueRef::Real(_) => return Err(StoreError::Corrupt("a column has a number with a fraction".to_owned())),
    })
}

/// The absolute path of a database, without symbolic links as far as it exists.
fn place(path: &Path) -> String {
    let whole = path.canonicalize().or_else(|_| std::path::absolute(path));
    whole.as_deref().unwrap_or(path).display().to_string()
}

/// Opens an existing file as the only one that has it open.
fn exclusive(path: &Path) -> std::result::Result<Connection, Refusal> {
    open::check_version().map_err(|error| Refusal::Open(error.to_string()))?;
    let store = path.display().to_string();
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let lock = |connection: &Connection| {
        connection.busy_timeout(LOCK_WAIT)?;
        connection.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF;")?;
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))
    };
    let connection = Connection::open_with_flags(path, flags);
    let connection = connection.and_then(|connection| lock(&connection).map(|()| connection));
    connection.map_err(|error| match error.into() {
        StoreError::Unavailable(reason) if reason.contains("locked") => Refusal::InUse {
            way_out: "stop the broker that uses it, and every command that reads it, until the copy is finished"
                .to_owned(),
            by: String::new(),
            store,
        },
        reason => Refusal::Failed { store, reason },
    })
}

/// Fails unless the database is a store with the schema of this version.
fn check_schema(connection: &Connection, store: &str) -> std::result::Result<(), Refusal> {
    let failed = |reason| Refusal::Failed { store: store.to_owned(), reason };
    if !open::is_ours(connection).map_err(failed)? {
        return Err(Refusal::Open(OpenError::Foreign { store: store.to_owned() }.to_string()));
    }
    let (found, known) = (open::version(connection).map_err(failed)?, schema::MIGRATIONS.len());
    let store = store.to_owned();
    match found.cmp(&known) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(Refusal::Older { store, found, known }),
        std::cmp::Ordering::Greater => Err(Refusal::Open(OpenError::Newer { store, found, known }.to_string())),
    }
}

/// The source that an unfinished copy was begun from. A database of another program has none.
fn unfinished(connection: &Connection) -> Result<Option<String>> {
    let ours = one(connection, "SELECT 1 FROM sqlite_schema WHERE name = 'meta'", [], |_| Ok(()))?;
    if ours.is_none() || !open::is_ours(connection)? {
        return Ok(None);
    }
    open::unfinished(connection)
}

/// The key of the file beside a store.
fn own_key(path: &Path, store: &str) -> std::result::Result<Vec<u8>, Refusal> {
    let key = key_file::find(path).map_err(|error| Refusal::Open(error.to_string()))?;
    let missing = || {
        let file = key_file(path).display().to_string();
        Refusal::Open(format!("{store} has no key file ({file}), and store.encryption_keys names no key"))
    };
    key.map(|key| key.secret).ok_or_else(missing)
}
