//! The configuration language of `broker.toml`, from files to the resolved configuration or every problem at once.
//!
//! From the bottom up: [`language`] has the types, [`schema`] describes them to editors, [`diagnostics`] says where a value
//! came from and what is wrong with it, [`load`] reads and merges the layers, [`resolved`] fills in defaults and derived
//! values, and [`check`] finds every problem that can be seen without secrets, network or store. Secrets, keys and compiled
//! expressions are added by `snapshot`.

pub mod check;
pub mod diagnostics;
pub mod language;
pub mod load;
pub mod resolved;
pub mod schema;

pub use language::{Config, Include, LimitedInclude};
