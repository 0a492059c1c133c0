//! The analysis of a configuration: its mapping tests, the effects of a change, what leads to a role, what a user may do
//! and why, converting a real sign-in into a redacted test, and drafting a change as a patch. All of it is
//! pure and built on [`decision`](crate::decision).
//!
//! Decisions are made by the [pipeline](crate::decision::pipeline), as at a sign-in. [`known`] has the types for people
//! whose sign-ins `plan`, `explain` and `capture` replay; the caller reads them from the store.

pub mod capture;
pub mod draft;
pub mod explain;
pub mod known;
pub mod mapping_test;
pub mod people;
pub mod plan;
pub mod proposal;
pub mod reach;
