//! What a reload changed, in a line: "2 clients added (grafana, wiki); role rule at broker.toml:31 changed".

use std::collections::BTreeMap;

use crate::analysis::plan::difference::{self, Change, Kind};
use crate::snapshot::Snapshot;
use crate::snapshot::settings::Settings;

/// The most names of one sort that are listed; the number tells of the rest.
const NAMES: usize = 5;

/// Sections whose entries have names: what one and several of them are called.
const NAMED: &[(&str, &str, &str)] = &[
    ("providers", "provider", "providers"),
    ("clients", "client", "clients"),
    ("roles", "role", "roles"),
    ("scopes", "scope", "scopes"),
    ("resources", "resource", "resources"),
    ("users", "user", "users"),
    ("tables", "table", "tables"),
];

/// How `after` differs from `before`. Values are not part of it.
#[must_use]
pub fn changes(before: &Snapshot, after: &Snapshot) -> String {
    let mut changes = difference::differences(&compared(&before.settings), &compared(&after.settings));
    for (entry, key) in difference::hidden(&before.config, &after.config) {
        if !changes.iter().any(|change| change.entry == entry) {
            let key = difference::KeyChange { key: key.to_owned(), old: None, new: None };
            changes.push(Change { entry, kind: Kind::Changed, place: None, keys: vec![key] });
        }
    }
    in_words(&changes)
}

fn compared(settings: &Settings) -> Vec<difference::Setting> {
    let setting = |setting: &crate::snapshot::settings::Setting| difference::Setting {
        path: setting.path.to_string(),
        value: setting.value.to_string(),
        place: Some(setting.place.to_string()),
    };
    settings.iter().map(setting).collect()
}

/// What is said where the files differ and no setting does.
const NO_SETTING: &str = "no setting differs, but a comment or a file that one names does";

/// The changes, those of a sort together.
fn in_words(changes: &[Change]) -> String {
    let mut sorts: BTreeMap<(usize, &str), Vec<&str>> = BTreeMap::new();
    let mut others = Vec::new();
    for change in changes {
        let (section, name) = change.entry.split_once('.').unwrap_or((&change.entry, ""));
        match NAMED.iter().position(|(named, ..)| *named == section && !name.is_empty()) {
            Some(sort) => sorts.entry((sort, verb(change.kind))).or_default().push(name),
            None => others.push(format!("{} {}", other(change), verb(change.kind))),
        }
    }
    let mut told: Vec<String> = sorts.into_iter().filter_map(|(sort, names)| of_a_sort(sort, &names)).collect();
    let more = others.len().saturating_sub(NAMES);
    told.extend(others.into_iter().take(NAMES));
    if more > 0 {
        told.push(format!("{more} more"));
    }
    if told.is_empty() { NO_SETTING.to_owned() } else { told.join("; ") }
}

fn of_a_sort((sort, verb): (usize, &str), names: &[&str]) -> Option<String> {
    let (_, one, several) = NAMED.get(sort)?;
    if let [name] = names {
        return Some(format!("{one} {name} {verb}"));
    }
    let listed: Vec<&str> = names.iter().copied().take(NAMES).collect();
    let more = if names.len() > NAMES { ", ..." } else { "" };
    Some(format!("{} {several} {verb} ({}{more})", names.len(), listed.join(", ")))
}

/// What an entry without a name of its own is called: by its place if it is one of a list.
fn other(change: &Change) -> String {
    let (section, listed) = change.entry.split_once('[').map_or((change.entry.as_str(), false), |(s, _)| (s, true));
    let named = match section {
        "role_rules" => "role rule",
        "tests" => "test",
        other => other,
    };
    match &change.place {
        Some(place) if listed => format!("{named} at {place}"),
        _ => named.to_owned(),
    }
}

const fn verb(kind: Kind) -> &'static str {
    match kind {
        Kind::Added => "added",
        Kind::Removed => "removed",
        Kind::Changed => "changed",
        Kind::Renamed => "renamed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(entry: &str, kind: Kind, place: &str) -> Change {
        Change { entry: entry.to_owned(), kind, place: Some(place.to_owned()), keys: Vec::new() }
    }

    #[test]
    fn changes_of_a_sort_are_counted_and_rules_named_by_their_place() {
        let changes = [
            change("clients.wiki", Kind::Added, "broker.toml:9"),
            change("clients.\"a.b\"", Kind::Added, "broker.toml:12"),
            change("clients.old", Kind::Removed, "broker.toml:3"),
            change("session", Kind::Changed, "broker.toml:2"),
            change("role_rules[4]", Kind::Changed, "broker.toml:31"),
        ];
        let told =
            "2 clients added (wiki, \"a.b\"); client old removed; session changed; role rule at broker.toml:31 changed";
        assert_eq!(in_words(&changes), told);
        assert_eq!(in_words(&[]), "no setting differs, but a comment or a file that one names does");
    }

    #[test]
    fn many_changes_stay_one_line() {
        let names: Vec<String> = (0..1000).map(|n| format!("clients.c{n}")).collect();
        let clients = names.iter().map(|name| change(name, Kind::Added, "broker.toml:1"));
        let rules = (0..1000).map(|n| change(&format!("role_rules[{n}]"), Kind::Removed, "old.toml:1"));
        let told = in_words(&clients.chain(rules).collect::<Vec<_>>());
        assert!(
            told.starts_with("1000 clients added (c0, c1, c2, c3, c4, ...); role rule at old.toml:1 removed; "),
            "{told}"
        );
        assert!(told.ends_with("; 995 more") && told.len() < 400, "{told}");
    }
}
