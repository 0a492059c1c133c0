//! The configuration language of `broker.toml`, from files to the resolved configuration or all problems at once.
//!
//! From the bottom up: [`language`] has the types, [`schema`] describes them to editors, [`diagnostics`] locates values and
//! reports problems with them, [`load`] reads and merges the layers, [`resolved`] fills in defaults and derived values, and
//! [`check`] finds all problems that can be found without secrets, network or store. `snapshot` adds secrets, keys and compiled
//! expressions. [`edit`] changes the text of a file.

pub mod check;
pub mod diagnostics;
pub mod edit;
pub mod language;
pub mod load;
pub mod resolved;
pub mod schema;

pub use language::{Config, Include, LimitedInclude};
