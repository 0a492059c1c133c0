//! Places in a text: where a setting is found, and what is replaced.

use std::ops::Range;

use crate::config::edit::layout::{Data, Item, Layout, Value, What, line_end};

/// A stretch of the text and what replaces it.
pub(super) type Splice = (Range<usize>, String);

/// Replaces stretches that do not overlap.
pub(super) fn splice(text: &str, mut splices: Vec<Splice>) -> String {
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
pub(super) fn newline(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// What a path leads to.
pub(super) enum Found<'l> {
    /// The value of a setting, or of an entry of an inline table.
    Value(&'l Value),
    /// An inline table that the rest of the path would be an entry of.
    Inside(&'l Value, usize),
    /// Nothing, or a table with a header.
    Nothing,
}

/// Finds a setting, in inline tables too.
pub(super) fn find<'l>(layout: &'l Layout, path: &[String]) -> Found<'l> {
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
pub(super) fn after_keys<'p>(item: &Item, path: &'p [String]) -> Option<&'p [String]> {
    let (begin, rest) = path.split_at_checked(item.keys.len())?;
    item.names().eq(begin.iter().map(String::as_str)).then_some(rest)
}

/// The byte after the comments that follow directly, if an empty line or the end of the file follows them: they belong to what
/// is above. Comments directly above the next statement belong to it.
pub(super) fn trail(text: &str, at: usize) -> usize {
    let mut end = at;
    loop {
        let next = line_end(text, end);
        let line = text.get(end..next).unwrap_or("").trim();
        if line.starts_with('#') {
            end = next;
        } else {
            return if line.is_empty() { end } else { at };
        }
    }
}
