//! New values, and keys, as TOML writes them.

use crate::config::language::toml_text;

/// A new value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// A string.
    Text(String),
    /// A boolean.
    Flag(bool),
    /// A list of strings.
    List(Vec<String>),
    /// A value in TOML, on one line.
    Toml(String),
}

impl Written {
    /// The value in TOML, on one line.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => string(text),
            Self::Flag(flag) => flag.to_string(),
            Self::List(items) => toml_text::array(items.iter().map(|item| string(item))),
            Self::Toml(value) => value.clone(),
        }
    }
}

/// A string: in single quotes where that saves escapes, as regular expressions and conditions need many.
pub(super) fn string(text: &str) -> String {
    let basic = toml_text::string(text);
    let literal = basic.contains('\\') && !text.contains('\'') && !text.contains(|c: char| c.is_control());
    // What a basic string escapes beyond quotes and backslashes must stay escaped.
    let only_these = basic.matches('\\').count() == text.matches(['"', '\\']).count() + text.matches('\\').count();
    if literal && only_these { format!("'{text}'") } else { basic }
}

/// Keys with dots between them.
pub(super) fn keys(path: &[String]) -> String {
    path.iter().map(|key| toml_text::key(key)).collect::<Vec<_>>().join(".")
}
