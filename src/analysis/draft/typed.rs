//! From what was typed into a form to edits of the file.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::analysis::draft::fields::{Field, Input};
use crate::analysis::draft::form::{Filled, Form, NONE, Posted};
use crate::analysis::draft::short::{Change, folded};
use crate::config::diagnostics::locate::{Layers, Origin};
use crate::config::diagnostics::tree::{Data, Node, Table, parse};
use crate::config::edit::Written;
use crate::config::language::toml_text;

/// What is wrong with what was typed into a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The key of the field; `id` and `file` are those of the entry.
    pub key: String,
    /// What is wrong.
    pub what: What,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "code", content = "detail")]
pub enum What {
    /// It must be filled in.
    Missing,
    /// An overlay or environment variable sets it: changing the file would have no effect.
    Locked(String),
    /// It is no id: what is expected.
    Misnamed(String),
    /// The files have an entry with this id.
    Taken,
    /// It is not TOML, or not of the form `name = "expression"`: line, and what is wrong.
    Toml(String),
    /// It is not of the form `provider sub VALUE`: the line.
    Link(String),
    /// It is not among the choices.
    Choice,
    /// It has a line end, or another control character.
    Control,
}

/// The hidden field with the preset whose fields the form had.
pub const SHOWN: &str = "shown";

/// The settings that differ from what the form shows.
pub(super) fn changes(form: &Form, layers: &Layers, posted: &Posted) -> Result<Vec<Change>, Vec<Fault>> {
    let (mut changes, mut faults) = (Vec::new(), Vec::new());
    let of = |name: &str| form.preset(posted.get(name).map(String::as_str));
    let (preset, shown) = (of("preset"), of(SHOWN));
    for filled in &form.fields {
        let key = filled.field.key;
        // A box that is not ticked is not sent, and neither is a field that can't be changed, or that the form did not have.
        let unsent = match filled.field.input {
            Input::Flag(_) if filled.locked.is_none() && filled.is_shown(shown) => "",
            _ => &filled.value,
        };
        let typed = tidy(filled.field.input, posted.get(key).map_or(unsent, String::as_str));
        let fault = |what| Fault { key: key.to_owned(), what };
        let held = filled.locked.is_some() || filled.held.is_some();
        if typed.is_empty() && form.needs(filled, preset) && !held {
            faults.push(fault(What::Missing));
        } else if typed == tidy(filled.field.input, &filled.value) {
            continue;
        } else if let Some(origin) = &filled.locked {
            faults.push(fault(What::Locked(place(origin))));
        } else {
            match change(form, layers, filled, &typed) {
                Ok(found) => changes.extend(found),
                Err(what) => faults.push(fault(what)),
            }
        }
    }
    if faults.is_empty() { Ok(folded(layers, (form.kind, form.id.as_deref()), changes)) } else { Err(faults) }
}

/// `file:line`, or `$VARIABLE`.
pub(super) fn place(origin: &Origin) -> String {
    match origin {
        Origin::File { file, line, .. } => format!("{file}:{line}"),
        other => other.to_string(),
    }
}

/// What was typed, without what browsers and people add: CRLF, empty lines, space around lines.
fn tidy(input: Input, typed: &str) -> String {
    match input {
        Input::Lines | Input::Hashes | Input::Links => {
            let lines = typed.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.collect::<Vec<_>>().join("\n")
        }
        Input::Claims => typed.replace("\r\n", "\n").trim().to_owned(),
        _ => typed.trim().to_owned(),
    }
}

fn change(form: &Form, layers: &Layers, filled: &Filled, typed: &str) -> Result<Vec<Change>, What> {
    let field = filled.field;
    let path: Vec<String> = field.key.split('.').map(str::to_owned).collect();
    let one_line = || if typed.contains(|c: char| c.is_control()) { Err(What::Control) } else { Ok(typed.to_owned()) };
    let value = match field.input {
        Input::Claims => return claims(form, layers, field, typed),
        Input::Flag(_) => Some(Written::Flag(typed == "on")),
        // An empty field leaves a secret that is no file as it is.
        Input::Secret if typed.is_empty() && filled.held.is_some() => return Ok(Vec::new()),
        _ if typed.is_empty() => None,
        Input::Secret => Some(Written::Toml(toml_text::inline_table([("file", toml_text::string(&one_line()?))]))),
        Input::Text => Some(Written::Text(one_line()?)),
        Input::Condition => Some(Written::Text(typed.lines().map(str::trim).collect::<Vec<_>>().join(" "))),
        Input::Choice if !form.kind.choices(field.key).iter().any(|value| value == typed) => return Err(What::Choice),
        Input::Choice => Some(Written::Text(typed.to_owned())),
        Input::Lines | Input::Hashes if typed.chars().any(|c| c.is_control() && c != '\n') => {
            return Err(What::Control);
        }
        Input::Lines if typed == NONE => Some(Written::List(Vec::new())),
        Input::Lines | Input::Hashes => Some(Written::List(typed.lines().map(str::to_owned).collect())),
        Input::Links => Some(links(typed)?),
    };
    Ok(vec![(path, value)])
}

fn links(typed: &str) -> Result<Written, What> {
    let mut links = Vec::new();
    for line in typed.lines() {
        let mut words = line.splitn(3, char::is_whitespace);
        let (provider, by, value) = (words.next(), words.next(), words.next().map(str::trim));
        let (Some(provider), Some(by @ ("sub" | "email")), Some(value)) = (provider, by, value) else {
            return Err(What::Link(line.to_owned()));
        };
        let pairs = [("provider", toml_text::string(provider)), (by, toml_text::string(value))];
        links.push(toml_text::inline_table(pairs));
    }
    Ok(Written::Toml(toml_text::array(links)))
}

/// The claims that differ: each is a string, or a list of strings.
fn claims(form: &Form, layers: &Layers, field: &Field, typed: &str) -> Result<Vec<Change>, What> {
    let (wanted, errors) = parse(typed, 0);
    let line = |at: u32| typed.get(..at as usize).map_or(1, |before| before.matches('\n').count() + 1);
    if let Some(error) = errors.first() {
        return Err(What::Toml(format!("{}: {}", line(error.span.start), error.message)));
    }
    let id = form.id.as_deref().unwrap_or_default();
    let path = |name: &str| vec![field.key.to_owned(), name.to_owned()];
    let section = [form.kind.section(), id, field.key];
    let none = Table::new();
    let have = match layers.in_base(&section).filter(|_| form.id.is_some()).map(|entry| &entry.value.data) {
        Some(Data::Table(have)) => have,
        _ => &none,
    };
    let mut changes = Vec::new();
    let names: BTreeSet<&String> = have.keys().chain(wanted.keys()).collect();
    for name in names {
        let written = match wanted.get(name) {
            None => None,
            Some(entry) => Some(expressions(&entry.value).ok_or_else(|| {
                let what = "must be an expression in quotes, or a list of them";
                What::Toml(format!("{}: {} {what}", line(entry.key.start), toml_text::key(name)))
            })?),
        };
        let before = have.get(name).and_then(|entry| expressions(&entry.value));
        if written == before && have.contains_key(name) {
            continue;
        }
        if let Some(origin) = layers.set_above(&[form.kind.section(), id, field.key, name]) {
            return Err(What::Locked(place(&origin)));
        }
        changes.push((path(name), written));
    }
    Ok(changes)
}

fn expressions(node: &Node) -> Option<Written> {
    let text = |node: &Node| match &node.data {
        Data::String(text) => Some(text.clone()),
        _ => None,
    };
    match &node.data {
        Data::Array(items) => items.iter().map(text).collect::<Option<Vec<_>>>().map(Written::List),
        _ => text(node).map(Written::Text),
    }
}
