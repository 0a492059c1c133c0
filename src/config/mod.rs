//! The configuration language of `broker.toml`, from files to the resolved configuration or all problems at once.
//!
<<<<<<< HEAD
//! From the bottom up: [`language`] has the types, [`schema`] describes them to editors, [`diagnostics`] locates values and
//! reports problems with them, [`load`] reads and merges the layers, [`resolved`] fills in defaults and derived values, and
//! [`check`] finds all problems that can be found without secrets, network or store. `snapshot` adds secrets, keys and compiled
//! expressions.
=======
//! From the bottom up: [`language`] has the types, [`schema`] describes them to editors, [`diagnostics`] says where a value
//! came from and what is wrong with it, [`load`] reads and merges the layers, [`resolved`] fills in defaults and derived
//! values, and [`check`] finds every problem that can be seen without secrets, network or store. Secrets, keys and compiled
//! expressions are added by `snapshot`. [`edit`] changes the text of a file.
>>>>>>> 51d9040 (A change can be drafted as a patch: the text of the files is edited in place, byte for byte)

pub mod check;
pub mod diagnostics;
pub mod edit;
pub mod language;
pub mod load;
pub mod resolved;
pub mod schema;

pub use language::{Config, Include, LimitedInclude};
