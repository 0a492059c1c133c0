//! Keys and values written as TOML on one line, for messages, paths and imported files.
//!
//! Escaping is done by the crate `toml_writer`, which `toml_edit` uses too. `toml_edit` itself is not suitable here: it writes
//! a string with a line break over several lines, and it cannot comment a table out. What is written here never contains a line
//! break, so it can follow a `#` or be part of a message.

use toml_writer::{ToTomlKey as _, ToTomlValue as _, TomlKeyBuilder, TomlStringBuilder};

/// A key, in quotes if TOML needs them.
#[must_use]
pub fn key(key: &str) -> String {
    let builder = TomlKeyBuilder::new(key);
    builder.as_unquoted().map_or_else(|| escape_rest(builder.as_basic().to_toml_key()), |bare| bare.to_toml_key())
}

/// A basic string.
#[must_use]
pub fn string(text: &str) -> String {
    escape_rest(TomlStringBuilder::new(text).as_basic().to_toml_value())
}

/// TOML allows control characters beyond ASCII and Unicode's line separators in strings; terminals and editors interpret them.
fn escape_rest(written: String) -> String {
    let acts = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !written.contains(acts) {
        return written;
    }
    let escaped = |c: char| if acts(c) { format!("\\u{:04X}", u32::from(c)) } else { c.to_string() };
    written.chars().map(escaped).collect()
}

/// An array of already written values.
#[must_use]
pub fn array(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(", "))
}

/// An inline table of keys and already written values.
#[must_use]
pub fn inline_table<K: AsRef<str>>(entries: impl IntoIterator<Item = (K, String)>) -> String {
    let entries: Vec<String> =
        entries.into_iter().map(|(name, value)| format!("{} = {value}", key(name.as_ref()))).collect();
    if entries.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", entries.join(", ")) }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_one_line_and_reads_back() {
        let odd = "x\"\\\n\r\u{0}\u{7f}\u{85}\u{2028}y";
        let inner = [("a b", array([string(odd)])), ("", inline_table::<&str>([])), ("\u{85}", string("'"))];
        let text = format!("{} = {}", key("k\n"), inline_table(inner));
        assert!(!text.contains(|c: char| c.is_control() || c == '\u{2028}'), "{text}");
        let read: toml::Table = text.parse().unwrap();
        let expected = json!({ "a b": [odd], "": {}, "\u{85}": "'" });
        assert_eq!(serde_json::to_value(read.get("k\n").unwrap()).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn any_key_and_string_reads_back(name in "\\PC{0,8}|[a-z]*", text in "(?s).{0,20}") {
            let read: toml::Table = format!("{} = {}", key(&name), string(&text)).parse().unwrap();
            prop_assert_eq!(read.get(&name).unwrap().as_str(), Some(text.as_str()));
        }
    }
}
