//! What can be changed in a file, and why it can't be.

use crate::config::edit::written::Written;

/// A change of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Sets a setting, whose path begins with the section and the id of its entry.
    Set(Vec<String>, Written),
    /// Removes a setting, or a table with all that it holds.
    Remove(Vec<String>),
    /// Gives an entry of a section another id.
    Rename {
        /// The section.
        section: String,
        /// The id that it has.
        from: String,
        /// The id that it gets.
        to: String,
    },
    /// Adds an entry to a section. Settings have paths below the entry.
    Add {
        /// The section.
        section: String,
        /// The new id.
        id: String,
        /// The settings in their order.
        settings: Vec<(Vec<String>, Written)>,
    },
    /// Deletes an entry of a section, with the comment that is written directly above it.
    Delete {
        /// The section.
        section: String,
        /// Its id.
        id: String,
    },
}

/// Why a text can't be edited. It was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is not TOML.
    #[error("the file is not valid TOML: correct it first")]
    NotToml,
    /// It has no such entry.
    #[error("the file has no such entry")]
    NoEntry,
    /// It has an entry with this id.
    #[error("the file has an entry with this id")]
    Exists,
    /// It is written in a form that the edit does not fit into.
    #[error("the way in which the file is written does not allow this change: edit it by hand")]
    Form,
}
