//! What a text means as TOML, and what it must mean after an edit.

use toml::{Table, Value};

use crate::config::edit::model::{Edit, EditError};
use crate::config::edit::written::Written;

/// What the text must mean after the edit.
///
/// # Errors
/// When the text is not TOML, or lacks or has the entry.
pub(super) fn after(text: &str, edit: &Edit) -> Result<Table, EditError> {
    let mut root: Table = text.parse().map_err(|_| EditError::NotToml)?;
    match edit {
        Edit::Set(path, value) => set(&mut root, path, of(value)?).ok_or(EditError::Form)?,
        Edit::Remove(path) => remove(&mut root, path),
        Edit::Rename { section, from, to } => {
            let entries = entries(&mut root, section)?;
            if entries.contains_key(to) {
                return Err(EditError::Exists);
            }
            let entry = entries.remove(from).ok_or(EditError::NoEntry)?;
            entries.insert(to.clone(), entry);
        }
        Edit::Add { section, id, settings } => {
            if entries(&mut root, section).is_ok_and(|entries| entries.contains_key(id)) {
                return Err(EditError::Exists);
            }
            let entry = [section.clone(), id.clone()];
            set(&mut root, &entry, Value::Table(Table::new())).ok_or(EditError::Form)?;
            for (path, value) in settings {
                let path: Vec<String> = entry.iter().chain(path).cloned().collect();
                set(&mut root, &path, of(value)?).ok_or(EditError::Form)?;
            }
        }
        Edit::Delete { section, id } => {
            entries(&mut root, section)?.remove(id).ok_or(EditError::NoEntry)?;
        }
    }
    Ok(root)
}

/// Whether the text means this. A table that is empty below an entry means the same as none.
pub(super) fn is(text: &str, meant: &Table) -> bool {
    let Ok(mut read) = text.parse::<Table>() else { return false };
    let mut meant = meant.clone();
    prune(&mut read, 0);
    prune(&mut meant, 0);
    read == meant
}

fn of(value: &Written) -> Result<Value, EditError> {
    let text = format!("value = {}", value.text());
    let mut table: Table = text.parse().map_err(|_| EditError::Form)?;
    table.remove("value").ok_or(EditError::Form)
}

fn entries<'r>(root: &'r mut Table, section: &str) -> Result<&'r mut Table, EditError> {
    root.get_mut(section).and_then(Value::as_table_mut).ok_or(EditError::NoEntry)
}

fn set(table: &mut Table, path: &[String], value: Value) -> Option<()> {
    let (first, rest) = path.split_first()?;
    if rest.is_empty() {
        table.insert(first.clone(), value);
        return Some(());
    }
    set(table.entry(first.clone()).or_insert_with(|| Value::Table(Table::new())).as_table_mut()?, rest, value)
}

fn remove(table: &mut Table, path: &[String]) {
    match path {
        [] => {}
        [last] => {
            table.remove(last);
        }
        [first, rest @ ..] => {
            if let Some(below) = table.get_mut(first).and_then(Value::as_table_mut) {
                remove(below, rest);
            }
        }
    }
}

/// Takes empty tables out: sections, and tables below an entry.
fn prune(table: &mut Table, depth: usize) {
    for (_, value) in table.iter_mut() {
        if let Some(below) = value.as_table_mut() {
            prune(below, depth + 1);
        }
    }
    if depth != 1 {
        table.retain(|_, value| value.as_table().is_none_or(|below| !below.is_empty()));
    }
}
