//! What is wrong, where, and the way out: problems with file, line, column and snippet, and the nearest known name.

pub mod locate;
pub mod path;
pub mod problem;
pub(crate) mod tree;
