//! The form of an entry: what its fields show, and what may not be changed in the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::analysis::draft::fields::{Field, Input, Kind};
use crate::analysis::draft::presets::{Need, preset};
use crate::analysis::draft::short;
use crate::config::diagnostics::locate::{Layers, Origin};
use crate::config::diagnostics::tree::{Data, Node, Table};
use crate::config::language::provider::Preset;
use crate::config::language::toml_text;

/// How an empty list is shown and typed: an empty field stands for no list.
pub(super) const NONE: &str = "[]";

/// A form as it is filled in for an entry.
#[derive(Clone, Debug)]
pub struct Form {
    /// What it is about.
    pub kind: Kind,
    /// The entry; none for a new one.
    pub id: Option<String>,
    /// The file that has the entry, or would get it.
    pub file: PathBuf,
    /// The files that a new entry can be written to.
    pub files: Vec<PathBuf>,
    /// What each field shows.
    pub fields: Vec<Filled>,
    /// Settings of the entry that the form has no field for.
    pub others: Vec<String>,
}

/// A field and what it shows.
#[derive(Clone, Debug)]
pub struct Filled {
    /// The field.
    pub field: &'static Field,
    /// What it shows; a flag that is on shows `on`.
    pub value: String,
    /// Whether the entry has the setting.
    pub set: bool,
    /// The overlay or variable that sets it. It can't be changed in the file.
    pub locked: Option<Origin>,
    /// What a secret is now, if it is no file.
    pub held: Option<Held>,
}

/// A secret that is no file: it stays unless a file is named, or other hashes are typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// Written in the file itself.
    Literal,
    /// In this environment variable.
    Env(String),
    /// Several secrets, for rotation.
    Several,
    /// Hashes of secrets.
    Hashes,
}

/// Why there is no form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoForm {
    /// The files have no such entry.
    #[error("there is no such entry")]
    Unknown,
    /// An overlay or environment variable declares the entry.
    #[error("the entry is declared by {0}, which is not a file that a draft changes")]
    Above(Origin),
}

impl Form {
    /// The form of an existing entry, as the files say.
    ///
    /// # Errors
    /// When no file declares it.
    pub fn of(layers: &Layers, kind: Kind, id: &str) -> Result<Self, NoForm> {
        let Some(entry) = layers.in_base(&[kind.section(), id]) else {
            return Err(layers.set_above(&[kind.section(), id]).map_or(NoForm::Unknown, NoForm::Above));
        };
        let file = layers.file_of(entry.value.span).ok_or(NoForm::Unknown)?.to_path_buf();
        let fields = kind.fields().map(|field| filled(layers, kind, id, field)).collect();
        let table = match &entry.value.data {
            Data::Table(table) => table.clone(),
            _ => Table::new(),
        };
        let shown = |key: &str| kind.fields().any(|field| field.key.split('.').next() == Some(key));
        let others = table.keys().filter(|key| !shown(key)).cloned().collect();
        Ok(Self { kind, id: Some(id.to_owned()), files: vec![file.clone()], file, fields, others })
    }

    /// The form of a new entry. It is written to the file of the last entry of its kind, unless another is chosen.
    #[must_use]
    pub fn blank(layers: &Layers, kind: Kind, main: &Path) -> Self {
        let entries = layers.in_base(&[kind.section()]).map(|section| &section.value.data);
        let mut files: Vec<PathBuf> = vec![main.to_path_buf()];
        let mut last = None;
        if let Some(Data::Table(entries)) = entries {
            let mut spans: Vec<_> = entries.values().map(|entry| entry.value.span).collect();
            spans.sort();
            for file in spans.iter().filter_map(|span| layers.file_of(*span)) {
                if !files.iter().any(|known| known == file) {
                    files.push(file.to_path_buf());
                }
                last = Some(file.to_path_buf());
            }
        }
        let empty = |field: &'static Field| {
            let value = if field.input == Input::Flag(true) { "on" } else { "" };
            Filled { field, value: value.to_owned(), set: false, locked: None, held: None }
        };
        let file = last.unwrap_or_else(|| main.to_path_buf());
        Self { kind, id: None, file, files, fields: kind.fields().map(empty).collect(), others: Vec::new() }
    }

    /// What a field shows.
    #[must_use]
    pub fn field(&self, key: &str) -> Option<&Filled> {
        self.fields.iter().find(|filled| filled.field.key == key)
    }

    /// The preset that decides which fields there are: the chosen one, or that of the entry.
    #[must_use]
    pub fn preset(&self, chosen: Option<&str>) -> Preset {
        let own = || self.field("preset").map(|filled| filled.value.as_str());
        preset(chosen.or_else(own).unwrap_or_default())
    }

    /// Whether the entry, with this preset, cannot do without a setting.
    #[must_use]
    pub fn needs(&self, filled: &Filled, preset: Preset) -> bool {
        match filled.field.need {
            Need::Never => false,
            Need::Always => true,
            Need::By(presets) => presets.contains(&preset) && (self.id.is_none() || filled.set),
        }
    }
}

impl Filled {
    /// Whether the form of a provider with this preset has the field: the preset has the setting, or the entry does.
    #[must_use]
    pub fn is_shown(&self, preset: Preset) -> bool {
        self.set || self.field.only.has(preset)
    }
}

fn filled(layers: &Layers, kind: Kind, id: &str, field: &'static Field) -> Filled {
    let path: Vec<&str> = [kind.section(), id].into_iter().chain(field.key.split('.')).collect();
    let in_short = short::read(layers, kind, id, field.key);
    let (node, locked) = match (in_short, field.input) {
        (Some(short), _) => (short.node, short.locked),
        (None, Input::Claims) => (layers.in_base(&path).map(|entry| &entry.value), layers.set_above(&path)),
        (None, _) => (layers.in_force(&path), layers.set_above(&path)),
    };
    let mut held = None;
    let value = match (field.input, node) {
        (Input::Flag(default), None) => on(default),
        (_, None) => String::new(),
        (Input::Secret, Some(node)) => {
            held = held_secret(node);
            secret_file(node).unwrap_or_default()
        }
        (Input::Hashes, Some(_)) => {
            held = Some(Held::Hashes);
            String::new()
        }
        (input, Some(node)) => shown(layers, input, node),
    };
    // Single claims can be set above; the others are this file's.
    let locked = locked.filter(|_| field.input != Input::Claims);
    Filled { field, value, set: node.is_some() || locked.is_some(), locked, held }
}

fn on(flag: bool) -> String {
    if flag { "on".to_owned() } else { String::new() }
}

fn shown(layers: &Layers, input: Input, node: &Node) -> String {
    match (input, &node.data) {
        (_, Data::String(text)) => text.clone(),
        (Input::Flag(_), Data::Boolean(flag)) => on(*flag),
        (Input::Lines, Data::Array(items)) if items.is_empty() => NONE.to_owned(),
        (Input::Lines, Data::Array(items)) => items.iter().map(text).collect::<Vec<_>>().join("\n"),
        (Input::Links, Data::Array(items)) => items.iter().map(link).collect::<Vec<_>>().join("\n"),
        (Input::Claims, Data::Table(table)) => {
            let rows = table.iter().map(|(name, entry)| {
                let value = layers.text(entry.value.span.source).get(entry.value.span.range()).unwrap_or("");
                format!("{} = {value}", toml_text::key(name))
            });
            rows.collect::<Vec<_>>().join("\n")
        }
        (_, Data::Integer(number)) => number.to_string(),
        (_, Data::Float(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn text(node: &Node) -> String {
    match &node.data {
        Data::String(text) => text.clone(),
        _ => String::new(),
    }
}

fn link(node: &Node) -> String {
    let Data::Table(table) = &node.data else { return String::new() };
    let of = |key: &str| table.get(key).map(|entry| text(&entry.value));
    let provider = of("provider").unwrap_or_default();
    match (of("sub"), of("email")) {
        (Some(sub), _) => format!("{provider} sub {sub}"),
        (None, Some(email)) => format!("{provider} email {email}"),
        (None, None) => provider,
    }
}

fn secret_file(node: &Node) -> Option<String> {
    let Data::Table(table) = &node.data else { return None };
    table.get("file").map(|entry| text(&entry.value))
}

fn held_secret(node: &Node) -> Option<Held> {
    match &node.data {
        Data::Table(table) => table.get("env").map(|entry| Held::Env(text(&entry.value))),
        Data::Array(_) => Some(Held::Several),
        _ => Some(Held::Literal),
    }
}

/// What a form sent, by key.
pub type Posted = BTreeMap<String, String>;
