//! Which settings differ in meaning. They are compared by entry and key, no matter which file they are in. The order of role
//! rules has no meaning (each only adds), so that moving a rule is not a difference.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::config::Config;
use crate::config::language::scalar::{Secret, SecretSource};
use crate::decision::policy::key_segment;

/// One setting, with its value in a form that may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Dotted path, `clients.grafana.client_name`.
    pub path: String,
    /// Its value in TOML syntax, a secret as `***`.
    pub value: String,
    /// `file:line`; `None` for a default.
    pub place: Option<String>,
}

/// What happened to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It was added.
    Added,
    /// It was removed.
    Removed,
    /// Some of its keys differ.
    Changed,
    /// It has another id, which is the first of its `keys` (`id`), and is otherwise the same or similar.
    Renamed,
}

/// An entry that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    /// The entry: `clients.grafana`, `role_rules[2]`, `session`.
    pub entry: String,
    /// What happened to it.
    pub kind: Kind,
    /// Its place: in the new files, or in the old ones if it was removed.
    pub place: Option<String>,
    /// Its keys that differ.
    pub keys: Vec<KeyChange>,
}

/// A key that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KeyChange {
    /// The key, below the entry.
    pub key: String,
    /// Its old value.
    pub old: Option<String>,
    /// Its new value.
    pub new: Option<String>,
}

/// Sections whose entries have names.
const KEYED: &[&str] = &["providers", "clients", "roles", "scopes", "resources", "users", "tables"];

type Keys<'s> = BTreeMap<&'s str, &'s Setting>;

/// The entries that differ, by name; role rules and tests last.
#[must_use]
pub fn differences(old: &[Setting], new: &[Setting]) -> Vec<Change> {
    let (before, after) = (entries(old), entries(new));
    let names: std::collections::BTreeSet<&str> =
        before.keys().chain(after.keys()).copied().filter(|name| !name.contains('[')).collect();
    let mut changes: Vec<Change> =
        names.into_iter().filter_map(|name| change(name, before.get(name), after.get(name))).collect();
    for section in ["role_rules", "tests"] {
        lists(section, &before, &after, &mut changes);
    }
    changes
}

/// Secrets in the files and passwords in URLs that differ, which the masked values do not show.
#[must_use]
pub fn hidden(old: &Config, new: &Config) -> Vec<(String, &'static str)> {
    let mut changed = Vec::new();
    for (id, before) in &old.providers {
        let Some(after) = new.providers.get(id) else { continue };
        let entry = format!("providers.{}", key_segment(id));
        if literals(&before.client_secret) != literals(&after.client_secret) {
            changed.push((entry.clone(), "client_secret"));
        }
        if literals(&before.client_key) != literals(&after.client_key) {
            changed.push((entry.clone(), "client_key"));
        }
        if before.proxy != after.proxy {
            changed.push((entry, "proxy"));
        }
    }
    for (key, before) in &old.clients {
        let after = new.clients.get(key);
        if after.is_some_and(|after| literals(&before.client_secret) != literals(&after.client_secret)) {
            changed.push((format!("clients.{}", key_segment(key)), "client_secret"));
        }
    }
    if old.store.url != new.store.url {
        changed.push(("store".to_owned(), "url"));
    }
    if literals(&old.admin.token) != literals(&new.admin.token) {
        changed.push(("admin".to_owned(), "token"));
    }
    changed
}

/// The values of a secret that are written in the file itself.
fn literals(secret: &Option<Secret>) -> Vec<&str> {
    let sources = secret.iter().flat_map(Secret::sources);
    let literal = sources.filter_map(|source| match source {
        SecretSource::Literal(text) => Some(text.expose()),
        SecretSource::File(_) | SecretSource::Env(_) => None,
    });
    literal.collect()
}

/// Adds the secrets that differ although the displayed settings do not.
pub(crate) fn add_hidden(old: &Config, new: &Config, changes: &mut Vec<Change>) {
    let masked = || Some("***".to_owned());
    for (entry, key) in hidden(old, new) {
        let change = KeyChange { key: key.to_owned(), old: masked(), new: masked() };
        match changes.iter_mut().find(|change| change.entry == entry) {
            Some(known) if known.keys.iter().any(|known| known.key == key) => {}
            Some(known) => known.keys.push(change),
            None => changes.push(Change { entry, kind: Kind::Changed, place: None, keys: vec![change] }),
        }
    }
}

/// Settings by entry and key.
fn entries(settings: &[Setting]) -> BTreeMap<&str, Keys<'_>> {
    let mut entries: BTreeMap<&str, Keys<'_>> = BTreeMap::new();
    for setting in settings {
        let (entry, key) = split(&setting.path);
        entries.entry(entry).or_default().insert(key, setting);
    }
    entries
}

/// The entry that a path belongs to, and the rest.
fn split(path: &str) -> (&str, &str) {
    let first = segment(path);
    let section = path.get(..first).unwrap_or(path);
    let end = if KEYED.contains(&section) && path.len() > first + 1 {
        first + 1 + segment(path.get(first + 1..).unwrap_or(""))
    } else {
        first
    };
    let rest = path.get(end..).unwrap_or("");
    (path.get(..end).unwrap_or(path), rest.strip_prefix('.').unwrap_or(rest))
}

/// The length of the first segment: up to a dot outside of quotes.
fn segment(path: &str) -> usize {
    let (mut quoted, mut escaped) = (false, false);
    for (offset, c) in path.char_indices() {
        match c {
            '.' if !quoted => return offset,
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    path.len()
}

fn written(keys: &Keys<'_>) -> bool {
    keys.values().any(|setting| setting.place.is_some())
}

fn place(keys: &Keys<'_>) -> Option<String> {
    keys.values().find_map(|setting| setting.place.clone())
}

/// Whether a row says that the entry itself is there and sets nothing. A key at the top of the file has no name below its entry
/// either.
fn is_bare(key: &str, setting: &Setting) -> bool {
    key.is_empty() && setting.value == "{}"
}

/// The keys that are set, with their values. An entry that sets nothing has none.
fn shown(keys: &Keys<'_>) -> Vec<(String, String)> {
    let set = keys.iter().filter(|(key, setting)| setting.place.is_some() && !is_bare(key, setting));
    set.map(|(key, setting)| ((*key).to_owned(), setting.value.clone())).collect()
}

fn change(name: &str, old: Option<&Keys<'_>>, new: Option<&Keys<'_>>) -> Option<Change> {
    let (kind, keys, place) = match (old, new) {
        (None, Some(new)) if written(new) => {
            let keys = shown(new).into_iter().map(|(key, value)| KeyChange {
                key: key.to_owned(),
                old: None,
                new: Some(value),
            });
            (Kind::Added, keys.collect(), place(new))
        }
        (Some(old), None) if written(old) => {
            let keys = shown(old).into_iter().map(|(key, value)| KeyChange {
                key: key.to_owned(),
                old: Some(value),
                new: None,
            });
            (Kind::Removed, keys.collect(), place(old))
        }
        (Some(old), Some(new)) => {
            // Defaults of the entry are there whether it is or not.
            let (was, is) = (written(old), written(new));
            if was != is && old.iter().chain(new).any(|(key, setting)| is_bare(key, setting)) {
                let (kind, entry) = if is { (Kind::Added, new) } else { (Kind::Removed, old) };
                return Some(Change { entry: name.to_owned(), kind, place: place(entry), keys: Vec::new() });
            }
            let set = old.iter().chain(new).filter(|(key, setting)| !is_bare(key, setting));
            let names: std::collections::BTreeSet<&str> = set.map(|(key, _)| *key).collect();
            let keys: Vec<KeyChange> =
                names.into_iter().filter_map(|key| key_change(key, old.get(key), new.get(key))).collect();
            if keys.is_empty() {
                return None;
            }
            let changed = keys.iter().find_map(|change| new.get(change.key.as_str())?.place.clone());
            (Kind::Changed, keys, changed.or_else(|| place(new)))
        }
        _ => return None,
    };
    Some(Change { entry: name.to_owned(), kind, place, keys })
}

fn key_change(key: &str, old: Option<&&Setting>, new: Option<&&Setting>) -> Option<KeyChange> {
    let (old, new) = (old.map(|s| s.value.clone()), new.map(|s| s.value.clone()));
    (old != new).then(|| KeyChange { key: key.to_owned(), old, new })
}

/// Items of an array of tables. Equal items match at any position; the remaining ones are matched first by name, then by their
/// order.
fn lists(
    section: &str,
    before: &BTreeMap<&str, Keys<'_>>,
    after: &BTreeMap<&str, Keys<'_>>,
    changes: &mut Vec<Change>,
) {
    let items = |entries: &BTreeMap<&str, Keys<'_>>| {
        let mut items: Vec<(usize, String)> = entries
            .keys()
            .filter_map(|name| {
                let index = name.strip_prefix(section)?.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
                Some((index, (*name).to_owned()))
            })
            .collect();
        items.sort();
        items.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
    };
    let content = |keys: Option<&Keys<'_>>| {
        keys.into_iter().flatten().map(|(key, setting)| (key.to_string(), setting.value.clone())).collect::<Vec<_>>()
    };
    let mut new: Vec<String> = items(after);
    let mut old: Vec<String> = Vec::new();
    for name in items(before) {
        let here = content(before.get(name.as_str()));
        match new.iter().position(|other| content(after.get(other.as_str())) == here) {
            Some(same) => {
                new.remove(same);
            }
            None => old.push(name),
        }
    }
    let title = |keys: Option<&Keys<'_>>| keys.and_then(|keys| keys.get("name")).map(|setting| setting.value.clone());
    for name in old {
        let keys = before.get(name.as_str());
        let named = title(keys);
        let partner = match &named {
            Some(_) => new.iter().position(|other| title(after.get(other.as_str())) == named),
            None => (!new.is_empty()).then_some(0),
        };
        let partner = partner.map(|at| new.remove(at));
        let entry = partner.clone().unwrap_or(name);
        changes.extend(change(&entry, keys, partner.and_then(|partner| after.get(partner.as_str()))));
    }
    for name in new {
        changes.extend(change(&name, None, after.get(name.as_str())));
    }
}
