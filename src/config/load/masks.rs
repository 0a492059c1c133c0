//! The places of secrets in one file or variable, as it was read.
//!
//! They are found before the layers are merged, so that a value that another layer replaces, or that is refused, is masked too.
//! The values of secret settings, of unknown keys that are named like a secret or similar to one, also where an id is expected,
//! and passwords in URLs, wherever a URL is written, are secret.

use crate::config::diagnostics::locate::Layers;
use crate::config::diagnostics::problem::nearest;
use crate::config::diagnostics::tree::{Data, Node, Span, Table};
use crate::config::language::redact::{self, sounds_secret};
use crate::config::load::shape::{Additional, Shape, Types};

/// The places of a table read from one source.
pub(crate) fn secrets(table: &Table, layers: &Layers) -> Vec<Span> {
    let mut walk = Walk { layers, found: Vec::new() };
    walk.table(Some(Shape::root()), table);
    walk.found
}

const fn types_of_node(data: &Data) -> Types {
    match data {
        Data::String(_) => Types::STRING,
        Data::Integer(_) => Types::INTEGER,
        Data::Float(_) => Types::NUMBER,
        Data::Boolean(_) => Types::BOOLEAN,
        Data::Array(_) => Types::ARRAY,
        Data::Table(_) => Types::TABLE,
    }
}

struct Walk<'w> {
    layers: &'w Layers,
    found: Vec<Span>,
}

impl Walk<'_> {
    /// `shape` is the schema of the table; `None` if the language does not know it.
    fn table(&mut self, shape: Option<&Shape>, table: &Table) {
        for (key, entry) in table {
            let Some(shape) = shape else {
                self.unknown(None, key, &entry.value);
                continue;
            };
            match (shape.properties.get(key), &shape.additional) {
                (Some(known), _) => {
                    self.misplaced(shape, known, &entry.value);
                    self.value(known, &entry.value);
                }
                // A secret that stands in the table of all providers in place of the table of one.
                (None, Additional::Shaped(known))
                    if sounds_secret(key) && !known.accepts(types_of_node(&entry.value.data)) =>
                {
                    self.hide(None, &entry.value);
                }
                (None, Additional::Shaped(known)) => {
                    if sounds_secret(key) {
                        self.strange(known, &entry.value);
                    }
                    self.value(known, &entry.value);
                }
                (None, Additional::Any) => self.value(&Shape::text(), &entry.value),
                (None, Additional::None) => {
                    let near = nearest(key, shape.properties.keys().map(String::as_str));
                    self.unknown(near.and_then(|near| shape.properties.get(near)), key, &entry.value);
                }
            }
        }
    }

    /// Hides secrets that were written below the header of the claims, and belong above it.
    fn misplaced(&mut self, parent: &Shape, known: &Shape, node: &Node) {
        let Data::Table(claims) = &node.data else { return };
        let secret = |key: &str| parent.property(key).is_some_and(Shape::holds_secrets);
        let found = claims.iter().filter(|(key, _)| known.claims && secret(key));
        found.for_each(|(_, entry)| self.hide(None, &entry.value));
    }

    /// Hides what an entry that is named like a secret has under keys that its language does not know: it may be a secret that is
    /// written as a table.
    fn strange(&mut self, shape: &Shape, node: &Node) {
        let Data::Table(table) = &node.data else { return };
        let near = |key: &str| nearest(key, shape.properties.keys().map(String::as_str)).is_some();
        let unknown = table.iter().filter(|(key, _)| !shape.has_property(key) && !near(key));
        unknown.for_each(|(_, entry)| self.hide(None, &entry.value));
    }

    fn unknown(&mut self, near: Option<&Shape>, key: &str, value: &Node) {
        if sounds_secret(key) || near.is_some_and(|near| near.secret) {
            return self.hide(None, value);
        }
        match (near, &value.data) {
            (Some(near), _) => self.value(near, value),
            (None, Data::Table(table)) => self.table(None, table),
            (None, _) => self.value(&Shape::text(), value),
        }
    }

    fn value(&mut self, shape: &Shape, node: &Node) {
        if shape.secret {
            return self.hide(Some(shape), node);
        }
        if shape.holds_secrets() && !shape.accepts(types_of_node(&node.data)) {
            return self.hide(shape.items.as_deref(), node);
        }
        match &node.data {
            Data::String(text) => {
                let passwords = if shape.connection { redact::in_connection_url(text) } else { redact::in_value(text) };
                let places = passwords.iter().map(|range| self.layers.inside(node.span, range.start, range.len()));
                self.found.extend(places);
            }
            Data::Array(items) => {
                items.iter().for_each(|item| self.value(shape.items.as_deref().unwrap_or(shape), item));
            }
            Data::Table(table) if shape.alternatives.is_empty() => self.table(Some(shape), table),
            Data::Table(table) => shape.alternatives.iter().for_each(|shape| self.table(Some(shape), table)),
            Data::Integer(_) | Data::Float(_) | Data::Boolean(_) => {}
        }
    }

    /// Hides the value of a secret; its source (`file`, `env`) may be shown.
    fn hide(&mut self, shape: Option<&Shape>, node: &Node) {
        match &node.data {
            Data::Array(items) => items.iter().for_each(|item| self.hide(shape, item)),
            Data::Table(table) => {
                let source = |key: &str, value: &Node| {
                    shape.is_some_and(|shape| shape.has_property(key)) && matches!(value.data, Data::String(_))
                };
                let hidden = table.iter().filter(|(key, entry)| !source(key, &entry.value));
                hidden.for_each(|(_, entry)| self.hide(None, &entry.value));
            }
            _ => self.found.push(node.span),
        }
    }
}
