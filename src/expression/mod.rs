//! Expressions: the Common Expression Language in the dialect of `broker.toml`, described in `docs/expressions.md`.
//!
//! Owns what an expression may name, how its text is read, our functions, what an evaluation may cost, and whether its
//! result is present, absent or an error. It does not own what an expression's value is used for. The language itself
//! (operators, macros, standard functions, evaluation) is implemented by the crate `cel`.
//!
//! A [`Compiler`] serves one configuration generation: equal expressions are compiled once; functions, tables and regular
//! expressions are shared. An evaluation sees only its [`Bindings`]; there is no I/O and no clock.
//!
//! The files, each of which imports only from those before it:
//!
//! | files | what they own |
//! | --- | --- |
//! | `limits`, `catalogue`, `place`, `problem`, `tree`, `vocabulary` | constants, names, types without behaviour |
//! | `error`, `value`, `budget` | the wording of errors, values to and from JSON, the accounting |
//! | `engine`, `args`, `texts`, `lists`, `metered`, `patterns`, `functions` | what functions do, and their registration |
//! | `syntax`, `names`, `types`, `variables`, `constant`, `findings`, `typing` | parsing, and the checks at load time |
//! | `facts`, `reads`, `meter` | what can be derived from an expression's syntax, and the rewriting |
//! | `bindings`, `direct`, `compiled`, `compiler` | evaluation and compilation |

mod args;
mod bindings;
mod budget;
mod catalogue;
mod compiled;
mod compiler;
mod constant;
mod direct;
mod engine;
mod error;
mod facts;
mod findings;
mod functions;
mod limits;
mod lists;
mod meter;
mod metered;
mod names;
mod patterns;
mod place;
mod problem;
mod reads;
mod syntax;
#[cfg(test)]
mod tests;
mod texts;
mod tree;
mod types;
mod typing;
mod value;
mod variables;
mod vocabulary;

pub use bindings::{Bindings, Variable};
pub use compiled::{Compiled, ConditionError, first_present};
pub use compiler::Compiler;
pub use engine::{Engine, Tables};
pub use error::{ErrorKind, EvalError};
pub use facts::Facts;
pub use limits::Limit;
pub use names::resembles;
pub use place::Place;
pub use problem::Problem;
pub use reads::Reads;
pub use value::Outcome;
pub use vocabulary::Vocabulary;
