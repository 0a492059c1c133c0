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
mod model;
mod place;
mod remove;
mod written;

pub use model::{Edit, EditError};
pub use written::Written;

use layout::Layout;
use place::{Found, Splice, find, splice};

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

/// The lines that write an entry, by their number from 0. An entry inside of an inline table has the lines of that table.
#[must_use]
pub fn lines(text: &str, section: &str, id: &str) -> Vec<usize> {
    let Some(layout) = Layout::of(text) else { return Vec::new() };
    let entry = [section.to_owned(), id.to_owned()];
    let of = |path: &[String]| path.starts_with(&entry) || (!path.is_empty() && entry.starts_with(path));
    let number = |at: usize| text.get(..at).map_or(0, |before| before.matches('\n').count());
    let written = layout.statements.iter().filter(|one| of(&one.path) && !(one.is_header() && one.path.len() < 2));
    written.flat_map(|one| number(one.lines.start)..number(one.lines.end.saturating_sub(1)) + 1).collect()
}

#[cfg(test)]
mod tests;
