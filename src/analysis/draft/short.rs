//! Tables that the file may write in short: `groups_from = "graph"` stands for `groups_from = { source = "graph" }`.

use crate::analysis::draft::fields::Kind;
use crate::config::diagnostics::locate::{Layers, Origin};
use crate::config::diagnostics::tree::{Data, Node};
use crate::config::edit::Written;
use crate::config::language::toml_text;

/// A change of one setting: its path below the entry, and its value; none removes it.
pub(super) type Change = (Vec<String>, Option<Written>);

/// A table, and the key whose value the short form is.
const SHORT: &[(&str, &str)] = &[("groups_from", "source")];

/// What is known of a setting whose table is written in short.
pub(super) struct InShort<'l> {
    /// Its value; only one setting has one.
    pub(super) node: Option<&'l Node>,
    /// The overlay or variable that writes the short form.
    pub(super) locked: Option<Origin>,
}

/// A setting of a table that is written in short; `None` where it is not.
pub(super) fn read<'l>(layers: &'l Layers, kind: Kind, id: &str, key: &str) -> Option<InShort<'l>> {
    let (table, below) = key.split_once('.')?;
    let (_, short) = SHORT.iter().find(|(name, _)| *name == table)?;
    let path = [kind.section(), id, table];
    let node = layers.in_force(&path).filter(|node| matches!(node.data, Data::String(_)))?;
    Some(InShort { node: Some(node).filter(|_| below == *short), locked: layers.set_above(&path) })
}

/// The changes, with those of a table that the file writes in short, or not at all, as one: the short form where it says all,
/// and otherwise a table on one line.
pub(super) fn folded(layers: &Layers, entry: (Kind, Option<&str>), changes: Vec<Change>) -> Vec<Change> {
    SHORT.iter().fold(changes, |changes, (table, key)| fold(layers, entry, changes, (table, key)))
}

fn fold(
    layers: &Layers,
    (kind, id): (Kind, Option<&str>),
    changes: Vec<Change>,
    (table, key): (&str, &str),
) -> Vec<Change> {
    let Some(at) = changes.iter().position(|(path, _)| is_within(path, table)) else { return changes };
    let base = id.and_then(|id| layers.in_base(&[kind.section(), id, table]));
    let before = match base.map(|entry| &entry.value.data) {
        None => None,
        Some(Data::String(text)) => Some(Written::Text(text.clone())),
        Some(_) => return changes,
    };
    let (within, mut others): (Vec<Change>, Vec<Change>) =
        changes.into_iter().partition(|(path, _)| is_within(path, table));
    let mut value = before;
    let mut rest: Vec<(String, String)> = Vec::new();
    for (path, written) in within {
        match path.get(1) {
            Some(name) if name == key => value = written,
            Some(name) => rest.extend(written.map(|written| (name.clone(), written.text()))),
            None => {}
        }
    }
    if !rest.is_empty() {
        let own = value.map(|value| (key.to_owned(), value.text()));
        value = Some(Written::Toml(toml_text::inline_table(own.into_iter().chain(rest))));
    }
    others.insert(at.min(others.len()), (vec![table.to_owned()], value));
    others
}

fn is_within(path: &[String], table: &str) -> bool {
    path.first().is_some_and(|first| first == table)
}
