//! Removing settings and entries, and renaming entries.

use crate::config::edit::items;
use crate::config::edit::layout::{Data, Item, Layout, Statement, Value, What, line_end, line_start};
use crate::config::edit::place::{Splice, after_keys, trail};
use crate::config::language::toml_text;

/// Removes a setting, or a table with all that it holds; a header that is left without settings goes too.
pub(super) fn setting(text: &str, layout: &Layout, path: &[String]) -> Vec<Splice> {
    let mut splices = inside(text, layout, path);
    let goes = |statement: &Statement| statement.path.starts_with(path);
    for (index, statement) in layout.statements.iter().enumerate() {
        if goes(statement) {
            splices.push((statement.lines.clone(), String::new()));
        } else if statement.is_header() && statement.path.len() > 2 && path.starts_with(&statement.path) {
            let settings = layout.statements.get(index + 1..layout.block_end(index)).unwrap_or_default();
            if !settings.is_empty() && settings.iter().all(goes) {
                splices.push((statement.lines.clone(), String::new()));
            }
        }
    }
    splices
}

/// Removes an entry of an inline table.
fn inside(text: &str, layout: &Layout, path: &[String]) -> Vec<Splice> {
    for statement in &layout.statements {
        let What::Setting(value) = &statement.what else { continue };
        if let Some(rest) = path.strip_prefix(statement.path.as_slice()).filter(|rest| !rest.is_empty()) {
            return inside_table(text, value, rest);
        }
    }
    Vec::new()
}

fn inside_table(text: &str, table: &Value, rest: &[String]) -> Vec<Splice> {
    let Data::Inline(entries) = &table.data else { return Vec::new() };
    let goes = |item: &Item| item.names().take(rest.len()).eq(rest.iter().map(String::as_str));
    let gone: Vec<bool> = entries.iter().map(goes).collect();
    if !gone.is_empty() && gone.iter().all(|gone| *gone) {
        return vec![(table.span.clone(), "{}".to_owned())];
    }
    if gone.contains(&true) {
        let all = (0..entries.len()).filter(|index| gone.get(*index) == Some(&true));
        return all.flat_map(|index| items::without(text, entries, index, &gone)).collect();
    }
    let below = entries.iter().find_map(|item| Some((item, after_keys(item, rest)?)));
    below.map(|(item, rest)| inside_table(text, &item.value, rest)).unwrap_or_default()
}

/// Deletes an entry.
pub(super) fn entry(text: &str, layout: &Layout, path: &[String]) -> Vec<Splice> {
    let mut splices = inside(text, layout, path);
    let mut run: Option<(usize, usize)> = None;
    for statement in &layout.statements {
        let of = statement.path.starts_with(path);
        run = match (run, of) {
            (None, true) => Some((from(text, statement), statement.lines.end)),
            (Some((start, _)), true) => Some((start, statement.lines.end)),
            (Some((start, end)), false) => {
                splices.push(cut(text, start, end));
                None
            }
            (None, false) => None,
        };
    }
    splices.extend(run.map(|(start, end)| cut(text, start, end)));
    splices
}

/// Where a statement begins with the comment directly above a header; the first line of a file is about the file.
fn from(text: &str, statement: &Statement) -> usize {
    let mut start = statement.lines.start;
    while statement.is_header() && start > 0 {
        let above = line_start(text, start - 1);
        let is_comment = text.get(above..start).is_some_and(|line| line.trim_start().starts_with('#'));
        if above == 0 || !is_comment {
            break;
        }
        start = above;
    }
    start
}

/// Cuts lines out, with the comments that end them and with one of the empty lines around them.
fn cut(text: &str, start: usize, end: usize) -> Splice {
    let mut end = trail(text, end);
    let empty = |at: usize| text.get(at..line_end(text, at)).is_some_and(|line| line.trim().is_empty());
    let mut start = start;
    let first_or_after_empty = start == 0 || empty(line_start(text, start - 1));
    if end < text.len() {
        while first_or_after_empty && end < text.len() && empty(end) {
            end = line_end(text, end);
        }
    } else {
        while start > 0 && empty(line_start(text, start - 1)) {
            start = line_start(text, start - 1);
        }
    }
    (start..end, String::new())
}

/// Renames an entry wherever its id is written.
pub(super) fn rename(layout: &Layout, section: &str, from: &str, to: &str) -> Vec<Splice> {
    let mut splices = Vec::new();
    for statement in &layout.statements {
        let of_section = statement.path.first().is_some_and(|first| first == section);
        match (statement.path.get(1), &statement.what) {
            (Some(id), _) if of_section && id == from => {
                let key = statement.keys.get(1_usize.wrapping_sub(statement.above()));
                splices.extend(key.map(|key| (key.span.clone(), toml_text::key(to))));
            }
            (None, What::Setting(Value { data: Data::Inline(items), .. })) if of_section => {
                let keys = items.iter().filter_map(|item| item.keys.first().filter(|key| key.name == from));
                splices.extend(keys.map(|key| (key.span.clone(), toml_text::key(to))));
            }
            _ => {}
        }
    }
    splices
}
