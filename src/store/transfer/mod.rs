//! Copying a store to another one, whatever the backend of either: `countersign store copy`.
//!
//! Owns the catalogue of what is copied ([`tables`]) and how a copy proceeds ([`copy`]). A backend is one [`end`] of it: it
//! reads the rows of a table in a fixed order, or writes them, in the form that the catalogue describes. Sealed values are
//! copied as they are, so both stores have the same keys. What a backend computes from other rows (indexes of the audit trail,
//! columns that repeat a part of `data`) is not copied but made anew.
//!
//! A destination is marked as unfinished in the transaction that begins the copy, and no broker opens it before the mark is
//! removed, which happens when all tables were found equal. Rows are written in the order in which they are read, so what an
//! interrupted copy has written is the beginning of each table. That is compared with the source, and the copy continues after
//! it; a table that differs, because the source has changed in between, is copied anew.

pub mod copy;
pub mod end;
mod hash;
pub mod tables;
