//! The copy itself: what is there already is compared, the rest is written, and then both sides are compared.

use crate::store::Result;
use crate::store::transfer::end::{Destination, Row, Source};
use crate::store::transfer::hash::TableHash;
use crate::store::transfer::tables::{TABLES, Table};

/// How far a copy has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The destination had the beginning of a table from an earlier attempt.
    Continued {
        /// The table.
        table: &'static str,
        /// How many rows it had.
        rows: u64,
    },
    /// What the destination had of a table differs from the source: this table and those after it are copied anew.
    Anew {
        /// The table.
        table: &'static str,
    },
    /// Rows of a table were written.
    Copied {
        /// The table.
        table: &'static str,
        /// How many rows the destination has of it.
        rows: u64,
        /// How many the source has.
        of: u64,
    },
    /// The destination is read to compare it.
    Comparing,
}

/// A table on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// The table.
    pub table: &'static str,
    /// Its rows and their hash in the source.
    pub source: (u64, String),
    /// The same in the destination.
    pub destination: (u64, String),
}

impl Compared {
    /// Whether both sides have the same rows.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        self.source == self.destination
    }
}

/// Copies all tables and compares them. If all are equal, the destination can be used; otherwise it stays marked as unfinished.
///
/// # Errors
/// If a store can't be read or written. The next attempt continues.
pub async fn copy(
    from: &mut dyn Source,
    to: &mut dyn Destination,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Compared>> {
    let mut sources = Vec::with_capacity(TABLES.len());
    for (at, table) in TABLES.iter().enumerate() {
        let there = read_all(to, table).await?;
        let source = match fill(from, to, table, &there, progress).await? {
            Some(hash) => hash,
            None => {
                progress(Progress::Anew { table: table.name });
                for later in TABLES.iter().skip(at).rev() {
                    to.clear(later).await?;
                }
                let nothing = TableHash::new();
                fill(from, to, table, &nothing, progress).await?.unwrap_or(nothing)
            }
        };
        sources.push((table, source));
    }
    progress(Progress::Comparing);
    let mut compared = Vec::with_capacity(sources.len());
    for (table, source) in sources {
        let destination = read_all(to, table).await?;
        compared.push(Compared {
            table: table.name,
            source: (source.rows(), source.hex()),
            destination: (destination.rows(), destination.hex()),
        });
    }
    if compared.iter().all(Compared::is_equal) {
        to.finish().await?;
    }
    Ok(compared)
}

/// The hash of all rows of a table.
async fn read_all(store: &mut dyn Destination, table: &'static Table) -> Result<TableHash> {
    let mut hash = TableHash::new();
    store.start(table).await?;
    loop {
        let rows = store.next().await?;
        if rows.is_empty() {
            return Ok(hash);
        }
        rows.iter().for_each(|row| hash.add(row));
    }
}

/// Writes the rows that the destination lacks of a table, and returns the hash of all rows of the source. `None`, and nothing
/// is written, if what is there is not the beginning of the source's table.
async fn fill(
    from: &mut dyn Source,
    to: &mut dyn Destination,
    table: &'static Table,
    there: &TableHash,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<TableHash>> {
    let of = from.count(table).await?;
    if there.rows() > of {
        return Ok(None);
    }
    let mut hash = TableHash::new();
    from.start(table).await?;
    loop {
        let rows = from.next().await?;
        if rows.is_empty() {
            return Ok(Some(hash));
        }
        let mut missing: Vec<Row> = Vec::with_capacity(rows.len());
        for row in rows {
            hash.add(&row);
            if hash.rows() > there.rows() {
                missing.push(row);
            } else if hash.rows() == there.rows() {
                if hash.hex() != there.hex() {
                    return Ok(None);
                }
                progress(Progress::Continued { table: table.name, rows: there.rows() });
            }
        }
        if !missing.is_empty() {
            to.insert(table, missing).await?;
            progress(Progress::Copied { table: table.name, rows: hash.rows(), of });
        }
    }
}
