//! Items of arrays and entries of inline tables: added and removed one by one, so that comments between them stay.

use std::ops::Range;

use similar::{Algorithm, DiffOp, capture_diff_slices};
use toml::de::DeValue;

use crate::config::edit::layout::{Data, Item, Value, line_end, line_start};
use crate::config::edit::place::{Splice, newline};
use crate::config::edit::written;

/// Makes an array of strings hold these items. `None` when it holds others than strings, or nothing.
pub(super) fn replace(text: &str, value: &Value, wanted: &[String]) -> Option<Vec<Splice>> {
    let Data::Array(items) = &value.data else { return None };
    let have: Option<Vec<String>> = items.iter().map(|item| decoded(text, item)).collect();
    let have = have.filter(|have| !have.is_empty() && !wanted.is_empty())?;
    let mut splices = Vec::new();
    let mut gone = vec![false; items.len()];
    let mut added: Vec<(usize, &[String])> = Vec::new();
    for change in capture_diff_slices(Algorithm::Myers, &have, wanted) {
        if let DiffOp::Equal { .. } = change {
            continue;
        }
        change.old_range().for_each(|at| gone.iter_mut().skip(at).take(1).for_each(|gone| *gone = true));
        if !change.new_range().is_empty() {
            added.push((change.old_range().start, wanted.get(change.new_range())?));
        }
    }
    if gone.iter().all(|gone| *gone) {
        return None;
    }
    for (index, item) in items.iter().enumerate() {
        let news = added.iter().find(|(at, _)| *at == index).map(|(_, news)| *news);
        // In the place of an item that goes, the first of the new ones is written.
        match (news, gone.get(index).copied().unwrap_or(false)) {
            (Some([first, more @ ..]), true) => {
                splices.push((item.span(), written::string(first)));
                add_after(text, item, more, &mut splices);
            }
            (None, true) => splices.extend(without(text, items, index, &gone)),
            (Some(news), false) => add_before(text, item, news, &mut splices),
            (None, false) | (Some([]), true) => {}
        }
    }
    if let Some((_, news)) = added.iter().find(|(at, _)| *at == items.len()) {
        add_after(text, items.last()?, news, &mut splices);
    }
    Some(splices)
}

fn decoded(text: &str, item: &Item) -> Option<String> {
    let token = text.get(item.value.span.clone())?;
    DeValue::parse(token).ok()?.get_ref().as_str().map(str::to_owned)
}

/// The text between the start of the line of an item and the item, where that is only indentation.
fn indentation<'t>(text: &'t str, item: &Item) -> Option<&'t str> {
    let start = item.span().start;
    text.get(line_start(text, start)..start).filter(|before| before.trim().is_empty())
}

/// Whether only a comment follows on the line after this byte.
fn ends_line(text: &str, at: usize) -> bool {
    let rest = text.get(at..line_end(text, at)).unwrap_or("");
    let rest = rest.trim();
    rest.is_empty() || rest.starts_with('#')
}

fn add_before(text: &str, item: &Item, news: &[String], splices: &mut Vec<Splice>) {
    let start = item.span().start;
    let between = indentation(text, item).map_or(" ".to_owned(), |indent| format!("{}{indent}", newline(text)));
    let new: String = news.iter().map(|new| format!("{},{between}", written::string(new))).collect();
    splices.push((start..start, new));
}

fn add_after(text: &str, item: &Item, news: &[String], splices: &mut Vec<Splice>) {
    if news.is_empty() {
        return;
    }
    let end = item.value.span.end;
    let after = item.comma.as_ref().map_or(end, |comma| comma.end);
    match indentation(text, item).filter(|_| ends_line(text, after)) {
        // Each on a line of its own, after the comment on the line of the item before.
        Some(indent) => {
            if item.comma.is_none() {
                splices.push((end..end, ",".to_owned()));
            }
            let line_end = line_end(text, after);
            let new = news.iter().map(|new| format!("{indent}{},{}", written::string(new), newline(text)));
            splices.push((line_end..line_end, new.collect()));
        }
        None => {
            let new = news.iter().map(|new| format!(", {}", written::string(new)));
            splices.push((end..end, new.collect()));
        }
    }
}

/// The stretches that go with an item: its line where it has one of its own, otherwise itself and a comma. `gone` are those of
/// all items that go: the comma before the last item goes with it, unless it went already.
pub(super) fn without(text: &str, items: &[Item], index: usize, gone: &[bool]) -> Vec<Splice> {
    let Some(item) = items.get(index) else { return Vec::new() };
    let span = item.span();
    let after = item.comma.as_ref().map_or(span.end, |comma| comma.end);
    let cut = |range: Range<usize>| (range, String::new());
    if indentation(text, item).is_some() && ends_line(text, after) && line_start(text, span.start) > 0 {
        let whole = line_start(text, span.start)..line_end(text, after);
        return vec![cut(whole)];
    }
    let kept = (0..index).rev().find(|at| !gone.get(*at).copied().unwrap_or(false));
    let before = kept.and_then(|at| items.get(at)).and_then(|before| before.comma.clone());
    let rest_goes = gone.iter().skip(index).all(|gone| *gone);
    if let Some(comma) = before.filter(|comma| rest_goes && on_one_line(text, comma.end..span.end)) {
        // The last of those that go takes all from the comma of the last one that stays.
        return if index + 1 == items.len() { vec![cut(comma.start..span.end)] } else { Vec::new() };
    }
    let next = items.get(index + 1).map(|next| next.span().start);
    match (next, &item.comma) {
        (Some(next), Some(_)) if text.get(after..next).is_some_and(|between| between.trim().is_empty()) => {
            vec![cut(span.start..next)]
        }
        (Some(_), _) | (None, Some(_)) => vec![cut(span.start..after)],
        (None, None) => {
            let comma = kept.and_then(|at| items.get(at)).and_then(|before| before.comma.clone());
            comma.into_iter().chain([span]).map(cut).collect()
        }
    }
}

/// Whether items are written on one line, so that no comment is between them.
fn on_one_line(text: &str, range: Range<usize>) -> bool {
    !text.get(range).unwrap_or("").contains(['#', '\n'])
}

/// Adds an entry to an inline table.
pub(super) fn add_entry(table: &Value, entry: &str) -> Splice {
    let Data::Inline(items) = &table.data else { return (table.span.clone(), String::new()) };
    match items.last() {
        Some(last) => {
            let end = last.value.span.end;
            (end..end, format!(", {entry}"))
        }
        None => (table.span.clone(), format!("{{ {entry} }}")),
    }
}
