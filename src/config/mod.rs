//! The configuration language of `broker.toml`, from files to the typed configuration or every problem at once.
//!
//! [`language`] has the types, [`load`] reads and merges the layers, [`diagnostics`] says where a value came from and what
//! is wrong with it, [`check`] finds every problem that can be seen without secrets, network or store, and [`schema`]
//! describes the language to editors. What the values mean at run time is not decided here: `snapshot` compiles them.

pub mod check;
pub mod diagnostics;
pub mod language;
pub mod load;
pub mod resolved;
pub mod schema;

pub use language::{Config, Include, LimitedInclude};
