//! What is wrong, where, and what to do: problems with file, line, column and snippet, and the nearest known name.

pub(crate) mod characters;
pub mod locate;
pub mod path;
pub mod problem;
mod render;
pub(crate) mod tree;
mod written;
