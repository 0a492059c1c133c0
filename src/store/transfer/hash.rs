//! The hash of a table: SHA-256 of its rows in order, each value with its type and length, so that no two contents give the
//! same bytes.

use aws_lc_rs::digest::{Context, SHA256};

use crate::digest::hex;
use crate::store::transfer::end::{Cell, Row};

/// The rows of a table, as far as they were read.
#[derive(Clone)]
pub(crate) struct TableHash {
    context: Context,
    rows: u64,
}

impl TableHash {
    /// No rows.
    pub(crate) fn new() -> Self {
        Self { context: Context::new(&SHA256), rows: 0 }
    }

    /// Adds the next row.
    pub(crate) fn add(&mut self, row: &Row) {
        self.rows += 1;
        for cell in row {
            let (kind, integer): (u8, [u8; 8]) = match cell {
                Cell::Null => (0, [0; 8]),
                Cell::Integer(value) => (1, value.to_be_bytes()),
                Cell::Text(text) => (2, length(text.as_bytes())),
                Cell::Bytes(bytes) => (3, length(bytes)),
            };
            self.context.update(&[kind]);
            self.context.update(&integer);
            match cell {
                Cell::Text(text) => self.context.update(text.as_bytes()),
                Cell::Bytes(bytes) => self.context.update(bytes),
                Cell::Null | Cell::Integer(_) => {}
            }
        }
    }

    /// How many rows were added.
    pub(crate) const fn rows(&self) -> u64 {
        self.rows
    }

    /// The hash of these rows, in hexadecimal.
    pub(crate) fn hex(&self) -> String {
        hex(self.context.clone().finish().as_ref())
    }
}

fn length(bytes: &[u8]) -> [u8; 8] {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes()
}
