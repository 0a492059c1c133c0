//! Paths into the configuration, such as `clients.grafana.redirect_uris[0]`: built while it is walked, printed, and parsed
//! again.

use std::fmt;

use toml::de::DeValue;

use crate::config::language::toml_text;

/// A path into the configuration, built on the stack while it is walked: `At::Root.key("clients").key("grafana")`. Prints as
/// `clients.grafana.redirect_uris[0]`, with quotes around a key that needs them in TOML.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// The whole file.
    Root,
    /// A key of a table.
    Key(&'a At<'a>, &'a str),
    /// An item of an array, from 0.
    Index(&'a At<'a>, usize),
}

impl At<'_> {
    /// The path of a key of this table.
    #[must_use]
    pub const fn key<'b>(&'b self, key: &'b str) -> At<'b> {
        At::Key(self, key)
    }

    /// The path of an item of this array.
    #[must_use]
    pub const fn index(&self, index: usize) -> At<'_> {
        At::Index(self, index)
    }

    /// The last key with the indexes that follow it: `redirect_uris[0]`.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            At::Root => "the file".to_owned(),
            At::Key(_, key) => (*key).to_owned(),
            At::Index(parent, index) => format!("{}[{index}]", parent.name()),
        }
    }

    pub(crate) fn steps(&self) -> Vec<Step<'_>> {
        let mut steps = Vec::new();
        let mut here = self;
        loop {
            here = match here {
                At::Root => break,
                At::Key(parent, key) => {
                    steps.push(Step::Key((*key).into()));
                    parent
                }
                At::Index(parent, index) => {
                    steps.push(Step::Index(*index));
                    parent
                }
            };
        }
        steps.reverse();
        steps
    }
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Root => Ok(()),
            At::Index(parent, index) => write!(f, "{parent}[{index}]"),
            At::Key(parent, key) => {
                if !matches!(parent, At::Root) {
                    write!(f, "{parent}.")?;
                }
                f.write_str(&toml_text::key(key))
            }
        }
    }
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    Key(std::borrow::Cow<'a, str>),
    Index(usize),
}

/// The steps of a path that [`At`] printed; `None` if the text is not a path.
pub(crate) fn parse_path(text: &str) -> Option<Vec<Step<'_>>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('[') {
            let (index, after) = after.split_once(']')?;
            steps.push(Step::Index(index.parse().ok()?));
            rest = after;
        } else if rest.starts_with('"') {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, c)| {
                let closes = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                closes
            })?;
            let (key, after) = rest.split_at(end.0 + 1);
            let key = DeValue::parse(key).ok()?;
            steps.push(Step::Key(key.get_ref().as_str()?.to_owned().into()));
            rest = after;
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            let (key, after) = rest.split_at(end);
            steps.push(Step::Key(key.into()));
            rest = after;
        }
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_prints_as_toml_would_write_it_and_is_read_back() {
        let (clients, users) = (At::Root.key("clients"), At::Root.key("users"));
        let grafana = clients.key("grafana");
        let uris = grafana.key("redirect_uris");
        for (path, text) in [
            (uris.index(2), "clients.grafana.redirect_uris[2]"),
            (users.key("a.b"), "users.\"a.b\""),
            (users.key("a\"b]"), "users.\"a\\\"b]\""),
            (users.key(""), "users.\"\""),
            (users.key("a\u{7f}\n"), "users.\"a\\u007F\\n\""),
        ] {
            assert_eq!(path.to_string(), text);
            assert_eq!(parse_path(text), Some(path.steps()));
        }
        for nonsense in ["a[", "a[x]", "\"a"] {
            assert_eq!(parse_path(nonsense), None);
        }
    }
}
