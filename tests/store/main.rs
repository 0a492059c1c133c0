//! The store: one conformance suite for every backend, and tests of what only one of them has.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod cluster;
mod conformance;
mod crash;
mod fixtures;
mod full_disk;
mod leases;
mod notices;
mod postgres;
mod postgres_start;
mod postgres_tls;
mod sqlite;
mod transfer;
