//! The store: one conformance suite for every backend, and what only an SQLite file can show.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod conformance;
mod crash;
mod fixtures;
mod full_disk;
mod sqlite;
