//! A proposal as TOML: lines for the file, or a whole overlay.

use crate::analysis::proposal::model::{Mapping, Proposal};
use crate::config::language::toml_text::{array, key, string};

impl Proposal {
    /// The tables of the provider `id`, to be pasted. They are an overlay, too.
    #[must_use]
    pub fn to_toml(&self, id: &str) -> String {
        let at = format!("providers.{}", key(id));
        let own = [
            self.preset.as_ref().map(|(preset, why)| line("preset", &string(preset.name()), why)),
            self.scopes.as_ref().map(|(scopes, why)| line("scopes", &list(scopes), why)),
        ];
        let mapped =
            self.claims.iter().map(|Mapping { attribute, expression, why }| line(attribute, &string(expression), why));
        let quirks = [("booleans", &self.booleans), ("distinguished_names", &self.distinguished_names)];
        let quirks = quirks.into_iter().filter(|(_, names)| !names.is_empty());
        let tables = [
            (at.clone(), own.into_iter().flatten().collect::<Vec<_>>()),
            (format!("{at}.claims"), mapped.collect()),
            (format!("{at}.quirks"), quirks.map(|(name, names)| line(name, &list(names), "")).collect()),
        ];
        let mut parts: Vec<String> = self.notes.iter().map(|note| format!("# {note}\n")).collect();
        let tables = tables.into_iter().filter(|(_, lines)| !lines.is_empty());
        parts.extend(tables.map(|(header, lines)| format!("[{header}]\n{}", lines.concat())));
        parts.join("\n")
    }
}

fn list(items: &[String]) -> String {
    array(items.iter().map(|item| string(item)))
}

fn line(name: &str, value: &str, why: &str) -> String {
    if why.is_empty() { format!("{name} = {value}\n") } else { format!("{name} = {value}  # {why}\n") }
}
