//! The settings that the files of a generation make, one by one, with their places: what the console shows of an entry, and
//! what one generation changed of the one before. Secrets are masked before they get here.

use serde::{Deserialize, Serialize};

use crate::config::diagnostics::locate::Origin;
use crate::config::load::origins::OriginRow;

/// The longest value that is kept, in characters.
const LONGEST: usize = 400;
/// Keys whose values are left out: they are no secrets, but nobody reads them, and some help to guess one.
const LEFT_OUT: &[&str] = &["client_secret_hashes", "jwks"];

/// A setting of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its dotted path.
    pub path: Box<str>,
    /// Its value in TOML syntax; cut where it is long, `***` where it is secret.
    pub value: Box<str>,
    /// Where it is written: a file with the line, or a variable of the environment.
    pub place: Box<str>,
}

/// A setting that differs between two generations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Its dotted path.
    pub path: String,
    /// Its value before; `None` where it was not set.
    pub before: Option<String>,
    /// Its value since; `None` where it is no longer set.
    pub after: Option<String>,
}

/// All settings of a generation, in order of their paths. Defaults are not among them.
#[derive(Clone, Debug, Default)]
pub struct Settings(Vec<Setting>);

impl Settings {
    /// The settings among these rows.
    #[must_use]
    pub fn of(rows: &[OriginRow]) -> Self {
        let mut settings: Vec<Setting> = rows.iter().filter_map(setting).collect();
        settings.sort_by(|a, b| a.path.cmp(&b.path));
        Self(settings)
    }

    /// All of them, in order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = &Setting> {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The settings below a table, by the table's dotted path.
    pub fn below(&self, table: &str) -> impl Iterator<Item = &Setting> {
        let prefix = format!("{table}.");
        let start = self.0.partition_point(|setting| *setting.path < *prefix);
        self.0.iter().skip(start).take_while(move |setting| setting.path.starts_with(&prefix))
    }

    /// What differs in `new`, in order of the paths.
    #[must_use]
    pub fn changes(&self, new: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        let (mut before, mut after) = (self.0.iter().peekable(), new.0.iter().peekable());
        loop {
            let order = match (before.peek(), after.peek()) {
                (None, None) => return changes,
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some(old), Some(new)) => old.path.cmp(&new.path),
            };
            let old = if order.is_le() { before.next() } else { None };
            let new = if order.is_ge() { after.next() } else { None };
            let (value_before, value_after) = (old.map(|one| &one.value), new.map(|one| &one.value));
            if value_before != value_after
                && let Some(setting) = old.or(new)
            {
                changes.push(Change {
                    path: setting.path.to_string(),
                    before: value_before.map(ToString::to_string),
                    after: value_after.map(ToString::to_string),
                });
            }
        }
    }
}

fn setting(row: &OriginRow) -> Option<Setting> {
    let place = match &row.origin {
        Origin::File { file, line, .. } => format!("{file}:{line}"),
        Origin::Environment(variable) => variable.to_string(),
        Origin::Default => return None,
    };
    let key = row.path.rsplit('.').next().unwrap_or_default();
    let left_out = LEFT_OUT.iter().any(|name| key == *name || key.starts_with(&format!("{name}[")));
    let value = if left_out { "...".to_owned() } else { cut(&row.value) };
    Some(Setting { path: row.path.as_str().into(), value: value.into(), place: place.into() })
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(rows: &[(&str, &str)]) -> Settings {
        let origin = || Origin::Environment("COUNTERSIGN__X".into());
        let row = |(path, value): &(&str, &str)| OriginRow {
            path: (*path).to_owned(),
            value: (*value).to_owned(),
            origin: origin(),
        };
        Settings::of(&rows.iter().map(row).collect::<Vec<_>>())
    }

    #[test]
    fn changes_are_what_came_what_went_and_what_is_otherwise() {
        let old = settings(&[("issuer", "1"), ("clients.b.scopes", "2"), ("clients.a.scopes", "3")]);
        let new = settings(&[("issuer", "1"), ("clients.b.scopes", "4"), ("clients.c.scopes", "5")]);
        let told: Vec<_> = old
            .changes(&new)
            .into_iter()
            .map(|change| (change.path, change.before.unwrap_or_default(), change.after.unwrap_or_default()))
            .collect();
        let wanted = [("clients.a.scopes", "3", ""), ("clients.b.scopes", "2", "4"), ("clients.c.scopes", "", "5")];
        assert_eq!(told, wanted.map(|(path, before, after)| (path.to_owned(), before.to_owned(), after.to_owned())));
        assert!(old.changes(&old).is_empty());
    }

    #[test]
    fn an_entry_has_its_own_settings_alone() {
        let all =
            settings(&[("clients.a.x", "1"), ("clients.a-b.x", "2"), ("clients.a.y", "3"), ("clients.ab.x", "4")]);
        let paths: Vec<&str> = all.below("clients.a").map(|setting| &*setting.path).collect();
        assert_eq!(paths, ["clients.a.x", "clients.a.y"]);
    }

    #[test]
    fn long_values_are_cut_and_hashes_of_secrets_left_out() {
        let long = "\u{e9}".repeat(1000);
        let all = settings(&[("clients.a.client_secret_hashes", "[\"sha256:abc\"]"), ("clients.a.client_name", &long)]);
        let values: Vec<&str> = all.below("clients.a").map(|setting| &*setting.value).collect();
        assert_eq!(values, [format!("{}...", "\u{e9}".repeat(LONGEST)).as_str(), "..."]);
    }
}
