//! The known people in the form in which they leave the broker, for a plan that is made elsewhere.
//!
//! [`wanted`] determines which of their claims the expressions of a file read; nothing else leaves. [`person`] is the form,
//! [`pseudonym`] replaces what identifies people by pseudonyms, and restores the names that the files of a plan contain anyway.

mod person;
mod pseudonym;
#[cfg(test)]
mod tests;
mod wanted;

pub use person::{Exported, ExportedLink};
pub use pseudonym::{Pseudonyms, Restored};
pub use wanted::{Claims, Wanted};
