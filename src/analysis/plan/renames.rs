//! Providers whose id changes: what would look like one that is removed and another one that is added.
//!
//! A provider is taken for a renamed one if its issuer and its client id are those of one that is removed. Accounts are linked
//! by the provider's id, so a rename is seldom what was meant: `name` is what people see.

use std::collections::BTreeMap;

use crate::analysis::plan::difference::{Change, KeyChange, Kind};
use crate::analysis::plan::side::Side;
use crate::config::Config;
use crate::decision::policy::key_segment;

/// New provider ids by the old ones.
pub(crate) type Renames = BTreeMap<String, String>;

/// Finds the renamed providers, and makes one change of the two that each of them is.
pub(crate) fn find(old: Side<'_>, new: Side<'_>, changes: &mut Vec<Change>) -> Renames {
    let mut renames = Renames::new();
    let gone = old.config.providers.keys().filter(|id| !new.config.providers.contains_key(*id));
    for before in gone {
        let come = new.config.providers.keys().filter(|id| !old.config.providers.contains_key(*id));
        let mut come = come.filter(|after| !renames.values().any(|taken| taken == *after));
        if let Some(after) = come.find(|after| identity(old.config, before) == identity(new.config, after)) {
            renames.insert(before.clone(), after.clone());
        }
    }
    for (before, after) in &renames {
        join(before, after, changes);
    }
    renames
}

/// What makes a provider the one that it is, whatever its id.
fn identity<'c>(config: &'c Config, id: &str) -> Option<(String, &'c str)> {
    let provider = config.providers.get(id)?;
    Some((format!("{:?}", provider.issuer), provider.client_id.as_ref()))
}

fn join(before: &str, after: &str, changes: &mut Vec<Change>) {
    let entry = |id: &str| format!("providers.{}", key_segment(id));
    let mut take = |entry: String, kind: Kind| {
        let at = changes.iter().position(|change| change.entry == entry && change.kind == kind)?;
        Some((at, changes.remove(at)))
    };
    let (Some((_, removed)), Some((at, added))) = (take(entry(before), Kind::Removed), take(entry(after), Kind::Added))
    else {
        return;
    };
    let (mut old, mut new) = (values(removed), BTreeMap::new());
    let place = added.place.clone();
    for change in added.keys {
        new.extend(change.new.map(|value| (change.key, value)));
    }
    let id = KeyChange { key: "id".to_owned(), old: Some(before.to_owned()), new: Some(after.to_owned()) };
    let mut keys = vec![id];
    for (key, value) in new {
        let old = old.remove(&key);
        if old.as_ref() != Some(&value) {
            keys.push(KeyChange { key, old, new: Some(value) });
        }
    }
    keys.extend(old.into_iter().map(|(key, value)| KeyChange { key, old: Some(value), new: None }));
    changes.insert(at, Change { entry: entry(after), kind: Kind::Renamed, place, keys });
}

fn values(change: Change) -> BTreeMap<String, String> {
    change.keys.into_iter().filter_map(|change| Some((change.key, change.old?))).collect()
}
