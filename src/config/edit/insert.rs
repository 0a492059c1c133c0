//! Setting a setting, and adding an entry: where a new line goes.

use crate::config::edit::layout::{Layout, Statement, What};
use crate::config::edit::model::EditError;
use crate::config::edit::place::{Found, Splice, find, newline, trail};
use crate::config::edit::written::{Written, keys};
use crate::config::edit::{items, remove};

/// Tables that get a header of their own, where their entry has one.
const WITH_HEADER: &[&str] = &["claims"];

/// Sets a setting.
///
/// # Errors
/// When the file has nothing of the entry.
pub(super) fn set(text: &str, layout: &Layout, path: &[String], value: &Written) -> Result<Vec<Splice>, EditError> {
    match find(layout, path) {
        Found::Value(old) => return Ok(vec![(old.span.clone(), value.text())]),
        Found::Inside(table, known) => {
            let rest = path.get(known..).unwrap_or_default();
            return Ok(vec![items::add_entry(table, &format!("{} = {}", keys(rest), value.text()))]);
        }
        Found::Nothing => {}
    }
    // A table that a single value replaces goes first.
    let mut splices = remove::setting(text, layout, path);
    let place = place(text, layout, path).ok_or(EditError::NoEntry)?;
    splices.push(place.splice(text, path, value));
    Ok(splices)
}

/// Where a new setting goes.
struct Place {
    /// The byte that it is written at: the beginning of a line, or the end of the text.
    at: usize,
    /// How many keys of its path the header above says.
    known: usize,
    indent: String,
    form: Form,
}

enum Form {
    /// A line below others.
    Line,
    /// Below a new header with so many keys of the path, after an empty line.
    Below(usize),
    /// Below a new header, before what follows.
    Before(usize),
}

impl Place {
    fn splice(&self, text: &str, path: &[String], value: &Written) -> Splice {
        let end = newline(text);
        let line = |from: usize| {
            let rest = path.get(from..).unwrap_or_default();
            format!("{}{} = {}{end}", self.indent, keys(rest), value.text())
        };
        let header = |count: usize| format!("{}[{}]{end}", self.indent, keys(path.get(..count).unwrap_or_default()));
        // The line before may end with the text.
        let open = self.at > 0 && !text.get(..self.at).is_some_and(|before| before.ends_with('\n'));
        let first = if open { end } else { "" };
        let new = match self.form {
            Form::Line => format!("{first}{}", line(self.known)),
            Form::Below(count) => format!("{first}{end}{}{}", header(count), line(count)),
            Form::Before(count) => format!("{}{}{end}", header(count), line(count)),
        };
        (self.at..self.at, new)
    }
}

fn place(text: &str, layout: &Layout, path: &[String]) -> Option<Place> {
    let indent = |lines: std::ops::Range<usize>| {
        let line = text.get(lines).unwrap_or("");
        line.get(..line.len() - line.trim_start_matches([' ', '\t']).len()).unwrap_or("").to_owned()
    };
    for count in (1..path.len()).rev() {
        let prefix = path.get(..count)?;
        let below = path.get(count)?;
        if let Some(header) = layout.header(prefix) {
            let last = layout.block_end(header) - 1;
            let last = layout.statements.get(last)?;
            let deeper = path.len() - count > 1 && WITH_HEADER.contains(&below.as_str());
            if deeper {
                let own = layout.statements.iter().rposition(|one| one.path.starts_with(prefix))?;
                let own = layout.statements.get(layout.block_end(own) - 1)?;
                let form = Form::Below(count + 1);
                return Some(Place { at: own.lines.end, known: count + 1, indent: indent(last.lines.clone()), form });
            }
            let line = Place { at: last.lines.end, known: count, indent: indent(last.lines.clone()), form: Form::Line };
            return Some(line);
        }
        let written = |one: &&Statement| {
            matches!(one.what, What::Setting(_)) && one.path.starts_with(prefix) && one.above() <= count
        };
        if let Some(last) = layout.statements.iter().rfind(written) {
            let place =
                Place { at: last.lines.end, known: last.above(), indent: indent(last.lines.clone()), form: Form::Line };
            return Some(place);
        }
        if count == 2
            && let Some(first) = layout.statements.iter().find(|one| one.is_header() && one.path.starts_with(prefix))
        {
            let place = Place {
                at: first.lines.start,
                known: count,
                indent: indent(first.lines.clone()),
                form: Form::Before(count),
            };
            return Some(place);
        }
    }
    None
}

/// Adds an entry after the last one of its section, or at the end of the file.
pub(super) fn entry(
    text: &str,
    layout: &Layout,
    section: &str,
    id: &str,
    settings: &[(Vec<String>, Written)],
) -> Vec<Splice> {
    let entry = [section.to_owned(), id.to_owned()];
    let whole = |from: usize| {
        let path = entry.get(from..).unwrap_or_default();
        let pairs = settings.iter().map(|(path, value)| format!("{} = {}", keys(path), value.text()));
        let pairs = pairs.collect::<Vec<_>>().join(", ");
        let table = if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {pairs} }}") };
        format!("{} = {table}", keys(path))
    };
    if let Found::Inside(table, known) = find(layout, &entry) {
        return vec![items::add_entry(table, &whole(known))];
    }
    let last = layout.statements.iter().rposition(|one| one.path.first().is_some_and(|first| first == section));
    let last = last.and_then(|at| layout.statements.get(layout.block_end(at) - 1));
    let at = last.map_or(text.len(), |last| trail(text, last.lines.end));
    let end = newline(text);
    let mut new = String::new();
    let before = text.get(..at).unwrap_or("");
    if !before.is_empty() {
        new.push_str(if before.ends_with('\n') { "" } else { end });
        new.push_str(if blank_before(before) { "" } else { end });
    }
    new.push_str(&block(&entry, settings, end));
    let rest = text.get(at..).unwrap_or("");
    if !rest.is_empty() && !rest.trim_start_matches([' ', '\t', '\r']).starts_with('\n') {
        new.push_str(end);
    }
    vec![(at..at, new)]
}

/// An entry with its headers.
fn block(entry: &[String], settings: &[(Vec<String>, Written)], end: &str) -> String {
    let mut out = format!("[{}]{end}", keys(entry));
    let own_header = |path: &[String]| path.len() > 1 && path.first().is_some_and(|key| WITH_HEADER.contains(&&**key));
    for (path, value) in settings.iter().filter(|(path, _)| !own_header(path)) {
        out.push_str(&format!("{} = {}{end}", keys(path), value.text()));
    }
    for table in WITH_HEADER {
        let of = |path: &[String]| own_header(path) && path.first().is_some_and(|key| key == table);
        let mut rows = settings.iter().filter(|(path, _)| of(path)).peekable();
        if rows.peek().is_some() {
            let header: Vec<String> = entry.iter().cloned().chain([(*table).to_owned()]).collect();
            out.push_str(&format!("{end}[{}]{end}", keys(&header)));
        }
        for (path, value) in rows {
            out.push_str(&format!("{} = {}{end}", keys(path.get(1..).unwrap_or_default()), value.text()));
        }
    }
    out
}

fn blank_before(before: &str) -> bool {
    let mut lines = before.rsplit('\n');
    lines.next();
    lines.next().is_some_and(|line| line.trim().is_empty())
}
