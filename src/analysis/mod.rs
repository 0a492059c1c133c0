//! What studies a configuration rather than decides by it: a file's own mapping tests, the plan of a change, what leads to
//! a role, and a real sign-in as a redacted test. Pure, on top of [`decision`](crate::decision).

pub mod capture;
pub mod mapping_test;
pub mod plan;
pub mod reach;
