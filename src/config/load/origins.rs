//! `check --origins`: every value with the place that it came from.

use figment::value::{Dict, Value};
use serde_json::Value as Json;

use crate::config::diagnostics::locate::Origin;
use crate::config::diagnostics::path::At;
use crate::config::diagnostics::problem::printable;
use crate::config::language::redact::{self, sounds_secret};
use crate::config::load::Loaded;
use crate::config::load::shape::{Additional, Shape};

/// One value and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginRow {
    /// The setting, such as `clients.grafana.client_name`.
    pub path: String,
    /// Its value in TOML syntax; a secret in the file, or the password in a URL, is shown as `***`.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl Loaded {
    /// All values that are set, and the defaults of all others, in the order of the sections' names.
    #[must_use]
    pub fn origins(&self) -> Vec<OriginRow> {
        let mut rows = Vec::new();
        self.origins_of_table(Shape::root(), Some(&self.values), &At::Root, &mut rows);
        rows
    }

    fn origins_of_table(&self, shape: &Shape, dict: Option<&Dict>, at: &At<'_>, rows: &mut Vec<OriginRow>) {
        for (key, value) in dict.into_iter().flatten() {
            let known = shape.properties.get(key);
            match (value, known, &shape.additional) {
                (Value::Dict(_, localized), None, _) if key == "#localized" => {
                    for (key, value) in localized {
                        self.push(at.key(key), value_text(value, false), rows);
                    }
                }
                (_, Some(known), _) => self.origins_of(known, value, &at.key(key), rows),
                (_, None, Additional::Shaped(entry)) => self.origins_of(entry, value, &at.key(key), rows),
                _ => self.push(at.key(key), value_text(value, false), rows),
            }
        }
        for (key, known) in &shape.properties {
            if dict.is_some_and(|dict| dict.contains_key(key)) {
                continue;
            }
            if let Some(default) = &known.default {
                let row =
                    OriginRow { path: at.key(key).to_string(), value: json_text(default), origin: Origin::Default };
                rows.push(row);
            } else if !known.optional && !known.properties.is_empty() && !shape.required.contains(key) {
                self.origins_of_table(known, None, &at.key(key), rows);
            }
        }
    }

    fn origins_of(&self, shape: &Shape, value: &Value, at: &At<'_>, rows: &mut Vec<OriginRow>) {
        let is_table = !shape.properties.is_empty() || shape.is_keyed();
        match value {
            Value::Dict(_, dict) if is_table => {
                // That an empty table is there has a meaning of its own: `[account]` opens the account pages.
                if dict.is_empty() {
                    self.push(*at, "{}".to_owned(), rows);
                }
                self.origins_of_table(shape, Some(dict), at, rows);
            }
            Value::Array(_, items) if shape.items.as_ref().is_some_and(|item| !item.properties.is_empty()) => {
                let item_shape = shape.items.as_deref();
                for (index, item) in items.iter().enumerate() {
                    if let Some(item_shape) = item_shape {
                        self.origins_of(item_shape, item, &at.index(index), rows);
                    }
                }
            }
            Value::String(_, url) if shape.connection => {
                self.push(*at, format!("{:?}", redact::connection_url(url)), rows);
            }
            _ => {
                // A secret that was reported as misplaced, such as one among the claims.
                let misplaced = sounds_secret(&at.name()) && self.broken.covers(at);
                self.push(*at, value_text(value, shape.secret || misplaced), rows);
            }
        }
    }

    fn push(&self, at: At<'_>, value: String, rows: &mut Vec<OriginRow>) {
        rows.push(OriginRow { path: at.to_string(), value: printable(&value), origin: self.layers.origin_at(&at) });
    }
}

/// A value in TOML syntax on one line. With `hide`, everything that is not a table is masked; passwords in URLs always are.
fn value_text(value: &Value, hide: bool) -> String {
    match value {
        Value::Dict(_, dict) => {
            // `{ file = "..." }` says where a secret is, not what it is.
            let pairs = dict.iter().map(|(key, value)| format!("{key} = {}", value_text(value, false)));
            format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
        }
        Value::Array(_, items) => {
            format!("[{}]", items.iter().map(|item| value_text(item, hide)).collect::<Vec<_>>().join(", "))
        }
        _ if hide => "***".to_owned(),
        Value::String(_, text) => format!("{:?}", redact::value(text)),
        Value::Bool(_, value) => value.to_string(),
        Value::Num(_, number) => match number.to_i128() {
            Some(number) => number.to_string(),
            None => number.to_f64().unwrap_or_default().to_string(),
        },
        _ => String::new(),
    }
}

fn json_text(value: &Json) -> String {
    match value {
        Json::Array(items) => format!("[{}]", items.iter().map(json_text).collect::<Vec<_>>().join(", ")),
        Json::Object(object) if object.is_empty() => "{}".to_owned(),
        other => other.to_string(),
    }
}
