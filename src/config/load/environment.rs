//! The environment layer: `COUNTERSIGN__SECTION__KEY` sets `section.key`.
//!
//! Names are matched to the keys of the layers below, without regard to case and with `_` for `-`, so
//! `COUNTERSIGN__CLIENTS__ORDERS_API__ENABLED` reaches `clients.orders-api`. A value is TOML; a text that is not TOML and does
//! not begin like a TOML string, array or table is taken literally, so a URL needs no quotes.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::diagnostics::locate::{Layers, SourceKind};
use crate::config::diagnostics::problem::{Problems, Severity};
use crate::config::diagnostics::tree::{Data, Entry, Node, Span, Table, parse_value};
use crate::config::load::masks;
use crate::config::load::shape::{Additional, Shape};

const PREFIX: &str = "COUNTERSIGN__";
/// The variable that names the file; the command line reads it.
const FILE: &str = "COUNTERSIGN_CONFIG";

/// The layer of the environment.
pub(crate) fn layer(environment: &BTreeMap<String, String>, layers: &mut Layers, problems: &mut Problems) -> Table {
    let mut tree = Table::new();
    for (name, text) in environment.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        let source = layers.add_source(SourceKind::Environment(name.clone()), text.clone());
        let whole = Span::new(source, 0..text.len());
        let steps: Vec<&str> = name.get(PREFIX.len()..).unwrap_or("").split("__").collect();
        let set = if steps.iter().any(|step| step.is_empty()) {
            Err((whole, format!("`{name}` must name a setting, as in COUNTERSIGN__SECTION__KEY")))
        } else {
            value(text, whole).and_then(|node| {
                let steps = resolve(&steps, layers.trees());
                let mut alone = Table::new();
                insert(&mut alone, &steps, node.clone(), whole);
                layers.mask(masks::secrets(&alone, layers));
                let refusal = || format!("`{name}` sets a part of a value that another variable sets as a whole");
                insert(&mut tree, &steps, node, whole).then_some(()).ok_or_else(|| (whole, refusal()))
            })
        };
        if let Err((span, message)) = set {
            // A refused value may be a secret.
            layers.mask(vec![whole]);
            problems.push(layers.problem_at(Severity::Error, span, String::new(), message));
        }
    }
    tree
}

/// Warns about variables that look like settings but are not read, because of a single underscore or another case. Those in
/// `asked`, which secrets name, are read.
pub(crate) fn unread(
    environment: &BTreeMap<String, String>,
    asked: &BTreeSet<String>,
    layers: &mut Layers,
    problems: &mut Problems,
) {
    for (name, text) in environment {
        let upper = name.to_uppercase();
        let Some(rest) = upper.strip_prefix("COUNTERSIGN_").filter(|_| !name.starts_with(PREFIX)) else { continue };
        if upper == FILE && name != FILE {
            report_unread(name, text, FILE, layers, problems);
        }
        if upper == FILE || asked.contains(name) {
            continue;
        }
        let lower = rest.to_lowercase();
        let words: Vec<&str> = lower.split('_').filter(|word| !word.is_empty()).collect();
        if let Some(keys) = setting(Shape::root(), &words) {
            let meant = format!("{PREFIX}{}", keys.join("__").to_uppercase());
            report_unread(name, text, &meant, layers, problems);
        }
    }
}

fn report_unread(name: &str, text: &str, meant: &str, layers: &mut Layers, problems: &mut Problems) {
    let source = layers.add_source(SourceKind::Environment(name.to_owned()), text.to_owned());
    let whole = Span::new(source, 0..text.len());
    // The value may be a secret.
    layers.mask(vec![whole]);
    let message = format!("the environment variable {name} is not read");
    let problem = layers.problem_at(Severity::Warning, whole, String::new(), message);
    problems.push(problem.suggest(format!("did you mean {meant}?")));
}

/// The keys of the setting that the words name, regardless of underscores. Other variables with the same prefix are not meant:
/// Kubernetes sets `COUNTERSIGN_SERVICE_HOST` for a service of that name.
fn setting(shape: &Shape, words: &[&str]) -> Option<Vec<String>> {
    (1..=words.len()).rev().find_map(|count| {
        let (first, rest) = words.split_at_checked(count)?;
        let key = first.join("_");
        let below = match (shape.properties.get(&key), &shape.additional) {
            (Some(known), _) => known,
            // The key of an entry is free, and a setting of the entry must follow it.
            (None, Additional::Shaped(entry)) if !rest.is_empty() && !entry.properties.is_empty() => entry,
            _ => return None,
        };
        let below = if rest.is_empty() { Vec::new() } else { setting(below, rest)? };
        Some(std::iter::once(key).chain(below).collect())
    })
}

fn value(text: &str, whole: Span) -> Result<Node, (Span, String)> {
    match parse_value(text, whole.source) {
        Some((node, errors)) => match errors.into_iter().next() {
            Some(error) => Err((error.span, error.message)),
            None => Ok(node),
        },
        None if text.trim_start().starts_with(['"', '\'', '[', '{']) => {
            Err((whole, "the value must be TOML: it begins a string, array or table that is malformed".to_owned()))
        }
        None => Ok(Node { span: whole, data: Data::String(text.to_owned()) }),
    }
}

/// The keys that the steps stand for: the existing ones of the layers below, otherwise in lower case.
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
