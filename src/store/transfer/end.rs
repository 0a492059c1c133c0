//! The two ends of a copy, as a backend implements them, and why a store can't be one.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::store::transfer::tables::Table;
use crate::store::{Result, StoreError};

/// How many rows are read and written at a time.
pub(crate) const BATCH: u32 = 500;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// None.
    Null,
    /// A number or a truth value.
    Integer(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Where a copy comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The store, as messages and the mark of an unfinished copy name it.
    pub name: String,
    /// What tells it from every other store.
    pub identity: String,
    /// The key file that it is sealed with, if the keys come from there.
    pub key_file: Option<PathBuf>,
}

/// A row: a value for each column of its table, in the order of the catalogue.
pub type Row = Vec<Cell>;

/// A store that is read: as of one moment, which nobody changes meanwhile.
#[async_trait(?Send)]
pub trait Source {
    /// How many rows a table has.
    async fn count(&mut self, table: &'static Table) -> Result<u64>;

    /// Begins to read a table, at its first row.
    async fn start(&mut self, table: &'static Table) -> Result<()>;

    /// The next rows of the table that [`Self::start`] began; none at its end.
    async fn next(&mut self) -> Result<Vec<Row>>;
}

/// A store that is written, and read to compare it.
#[async_trait(?Send)]
pub trait Destination: Source {
    /// Writes rows after those that the table has, all of them or none.
    async fn insert(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<()>;

    /// Removes all rows of a table.
    async fn clear(&mut self, table: &'static Table) -> Result<()>;

    /// Makes what a backend computes from the rows, and removes the mark of an unfinished copy: from here on, the store can be
    /// opened by a broker. It survives a power cut once this returns.
    async fn finish(&mut self) -> Result<()>;
}

/// Why a store can't be the source or the destination of a copy. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// There is nothing to copy.
    #[error("there is no store at {0}")]
    NoStore(String),
    /// Both ends are the same.
    #[error("{0} is the source and the destination: name another destination")]
    Same(String),
    /// Another process uses it.
    #[error("{store} is in use{by}: {way_out}")]
    InUse {
        /// The store.
        store: String,
        /// By whom, after a space; or empty.
        by: String,
        /// What to do.
        way_out: String,
    },
    /// Its schema is older than this version's.
    #[error(
        "{store} has the schema of an older version ({found}, this one has {known}): start the broker of this version on it \
         once, stop it, and copy then"
    )]
    Older {
        /// The store.
        store: String,
        /// Its schema.
        found: usize,
        /// That of this version.
        known: usize,
    },
    /// The source is itself an unfinished copy.
    #[error("{store} is itself a copy of {from} that was not finished: copy from {from}")]
    UnfinishedSource {
        /// The store.
        store: String,
        /// Where it was copied from.
        from: String,
    },
    /// The destination is an unfinished copy of another store.
    #[error(
        "{store} is a copy of {other} that was not finished, and not one of {from}: continue that one, or empty {store} first"
    )]
    OtherCopy {
        /// The store.
        store: String,
        /// Where it was copied from.
        other: String,
        /// Where it was to be copied from.
        from: String,
    },
    /// The destination has rows.
    #[error(
        "{store} is not empty (it has rows in {table}), and nothing is overwritten: name a store that does not exist yet"
    )]
    NotEmpty {
        /// The store.
        store: String,
        /// A table with rows.
        table: &'static str,
    },
    /// The destination has a key file with another key.
    #[error("{file} has another key than the store at {from}: remove it, or name another destination")]
    OtherKeyFile {
        /// The key file.
        file: String,
        /// The source.
        from: String,
    },
    /// It can't be opened.
    #[error("{0}")]
    Open(String),
    /// An operation failed.
    #[error("{store}: {reason}")]
    Failed {
        /// The store.
        store: String,
        /// Why.
        reason: StoreError,
    },
}
