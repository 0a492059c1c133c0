//! The environment layer: `COUNTERSIGN__SECTION__KEY` sets `section.key`.
//!
//! Names are matched to the keys that the layers below have, without regard to case and with `_` for `-`, so that
//! `COUNTERSIGN__CLIENTS__ORDERS_API__ENABLED` reaches `clients.orders-api`. A value is TOML; a text that is none and does
//! not begin like a TOML string, array or table is taken as it stands, so that a URL needs no quotes.

use std::collections::BTreeMap;

use crate::config::diagnostics::locate::{Layers, SourceKind};
use crate::config::diagnostics::problem::{Problems, Severity};
use crate::config::diagnostics::tree::{Data, Entry, Node, Span, Table, parse_value};

const PREFIX: &str = "COUNTERSIGN__";

/// The layer that the environment makes.
pub(crate) fn layer(environment: &BTreeMap<String, String>, layers: &mut Layers, problems: &mut Problems) -> Table {
    let mut tree = Table::new();
    for (name, text) in environment.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        let source = layers.add_source(SourceKind::Environment(name.clone()), text.clone());
        let whole = Span::new(source, 0..text.len());
        let mut refuse = |span: Span, message: String| {
            problems.push(layers.problem_at(Severity::Error, span, String::new(), message));
        };
        let steps: Vec<&str> = name.get(PREFIX.len()..).unwrap_or("").split("__").collect();
        if steps.iter().any(|step| step.is_empty()) {
            refuse(whole, format!("`{name}` must name a setting, as in COUNTERSIGN__SECTION__KEY"));
            continue;
        }
        let Some(node) = value(text, whole, &mut refuse) else { continue };
        let steps = resolve(&steps, layers.trees());
        if !insert(&mut tree, &steps, node, whole) {
            refuse(whole, format!("`{name}` sets a part of a value that another variable sets as a whole"));
        }
    }
    tree
}

fn value(text: &str, whole: Span, refuse: &mut impl FnMut(Span, String)) -> Option<Node> {
    match parse_value(text, whole.source) {
        Some((node, errors)) => {
            for error in &errors {
                refuse(error.span, error.message.clone());
            }
            errors.is_empty().then_some(node)
        }
        None if text.trim_start().starts_with(['"', '\'', '[', '{']) => {
            refuse(whole, "the value must be TOML: a string, array or table was begun and not ended well".to_owned());
            None
        }
        None => Some(Node { span: whole, data: Data::String(text.to_owned()) }),
    }
}

/// The keys that the steps stand for: those of the layers below where they have one, in lower case otherwise.
fn resolve(steps: &[&str], trees: &[Table]) -> Vec<String> {
    let fold = |name: &str| name.to_lowercase().replace('-', "_");
    let mut tables: Vec<&Table> = trees.iter().collect();
    let mut keys = Vec::new();
    for step in steps {
        let wanted = fold(step);
        let known = tables.iter().flat_map(|table| table.keys()).find(|key| fold(key) == wanted);
        let key = known.cloned().unwrap_or_else(|| step.to_lowercase());
        tables = tables
            .iter()
            .filter_map(|table| match table.get(&key).map(|entry| &entry.value.data) {
                Some(Data::Table(below)) => Some(below),
                _ => None,
            })
            .collect();
        keys.push(key);
    }
    keys
}

fn insert(table: &mut Table, steps: &[String], node: Node, whole: Span) -> bool {
    let Some((first, rest)) = steps.split_first() else { return false };
    if rest.is_empty() {
        return table.insert(first.clone(), Entry { key: whole, value: node }).is_none();
    }
    let empty = || Entry { key: whole, value: Node { span: whole, data: Data::Table(Table::new()) } };
    match &mut table.entry(first.clone()).or_insert_with(empty).value.data {
        Data::Table(below) => insert(below, rest, node, whole),
        _ => false,
    }
}
