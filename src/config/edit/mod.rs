//! Editing the text of a configuration file: single settings are set, removed, renamed, and whole entries added and deleted.
//!
//! Every byte outside of what is edited stays as it is: comments, order, indentation, line ends. The text is taken apart by
//! `toml_parser`, the parser of the `toml` crate, and the edits are made at the places that it names. `toml_edit` is not used,
//! because it writes the document anew: it turns CRLF into LF and groups dotted keys, so that a difference would show lines
//! that nobody changed. After each edit the result is read again and compared with what was meant.

mod insert;
mod items;
mod layout;
mod meaning;
mod remove;
mod written;

use std::ops::Range;

pub use written::Written;

use layout::{Data, Item, Layout, Value, What};

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

/// Makes the edits, one after the other.
///
/// # Errors
/// When one of them is not possible.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, EditError> {
    let mut text = text.to_owned();
    for edit in edits {
        let layout = Layout::of(&text).ok_or(EditError::NotToml)?;
        let meant = meaning::after(&text, edit)?;
        let attempts = attempts(&text, &layout, edit)?;
        let mut edited = attempts.into_iter().map(|splices| splice(&text, splices));
        text = edited.find(|edited| meaning::is(edited, &meant)).ok_or(EditError::Form)?;
    }
    Ok(text)
}

/// The ways to make an edit, the best first.
fn attempts(text: &str, layout: &Layout, edit: &Edit) -> Result<Vec<Vec<Splice>>, EditError> {
    Ok(match edit {
        Edit::Set(path, value @ Written::List(items)) => {
            let by_item = match find(layout, path) {
                Found::Value(old) => items::replace(text, old, items),
                Found::Inside(..) | Found::Nothing => None,
            };
            by_item.into_iter().chain([insert::set(text, layout, path, value)?]).collect()
        }
        Edit::Set(path, value) => vec![insert::set(text, layout, path, value)?],
        Edit::Remove(path) => vec![remove::setting(text, layout, path)],
        Edit::Rename { section, from, to } => vec![remove::rename(layout, section, from, to)],
        Edit::Add { section, id, settings } => vec![insert::entry(text, layout, section, id, settings)],
        Edit::Delete { section, id } => vec![remove::entry(text, layout, &[section.clone(), id.clone()])],
    })
}

/// A stretch of the text and what replaces it.
type Splice = (Range<usize>, String);

/// Replaces stretches that do not overlap.
fn splice(text: &str, mut splices: Vec<Splice>) -> String {
    splices.sort_by_key(|(range, _)| (range.start, range.end));
    let mut out = String::with_capacity(text.len() + 256);
    let mut at = 0;
    for (range, replacement) in splices {
        out.push_str(text.get(at..range.start).unwrap_or(""));
        out.push_str(&replacement);
        at = range.end.max(at);
    }
    out.push_str(text.get(at..).unwrap_or(""));
    out
}

/// The line end that the text uses.
fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// What a path leads to.
enum Found<'l> {
    /// The value of a setting, or of an entry of an inline table.
    Value(&'l Value),
    /// An inline table that the rest of the path would be an entry of.
    Inside(&'l Value, usize),
    /// Nothing, or a table with a header.
    Nothing,
}

/// Finds a setting, in inline tables too.
fn find<'l>(layout: &'l Layout, path: &[String]) -> Found<'l> {
    for statement in &layout.statements {
        let What::Setting(value) = &statement.what else { continue };
        match path.strip_prefix(statement.path.as_slice()) {
            Some([]) => return Found::Value(value),
            Some(rest) if matches!(value.data, Data::Inline(_)) => return find_inside(value, rest, path.len()),
            _ => {}
        }
    }
    Found::Nothing
}

fn find_inside<'l>(table: &'l Value, rest: &[String], whole: usize) -> Found<'l> {
    let Data::Inline(items) = &table.data else { return Found::Nothing };
    for item in items {
        match after_keys(item, rest) {
            Some([]) => return Found::Value(&item.value),
            Some(below) if matches!(item.value.data, Data::Inline(_)) => return find_inside(&item.value, below, whole),
            _ => {}
        }
    }
    Found::Inside(table, whole - rest.len())
}

/// The path below the keys of an item, where it begins with them.
fn after_keys<'p>(item: &Item, path: &'p [String]) -> Option<&'p [String]> {
    let (begin, rest) = path.split_at_checked(item.keys.len())?;
    item.names().eq(begin.iter().map(String::as_str)).then_some(rest)
}

#[cfg(test)]
mod tests;
