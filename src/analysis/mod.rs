//! What studies a configuration rather than decides by it: a file's own mapping tests, the plan of a change, what leads to
//! a role, why a user may do what, and a real sign-in as a redacted test. Pure, on top of [`decision`](crate::decision).
//!
//! Each makes its decisions through the [pipeline](crate::decision::pipeline), as a sign-in does. [`known`] has the people
//! that `plan`, `explain` and `capture` replay; reading them is the caller's.

pub mod capture;
pub mod explain;
pub mod known;
pub mod mapping_test;
pub mod plan;
pub mod reach;
