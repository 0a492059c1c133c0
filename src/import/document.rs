//! Writes a `broker.toml` for people to read: tables, comments in their places, and parts that are commented out.
//!
//! No text from an imported file can start a line of its own here: control characters are escaped in strings and keys
//! ([`toml_text`]), and become spaces in comments. This file does not know what the keys mean. It does not use `toml_edit`'s
//! documents, because they can't comment out a setting or a table, or wrap a comment.

use std::fmt::Write as _;

use crate::config::language::toml_text;

/// The maximum width of a comment line.
const WIDTH: usize = 116;

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Toml {
    /// A string.
    Text(String),
    /// A boolean.
    Flag(bool),
    /// A list.
    List(Vec<Toml>),
    /// An inline table.
    Inline(Vec<(String, Toml)>),
}

impl From<&str> for Toml {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Toml {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Toml {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<T: Into<Toml>> From<Vec<T>> for Toml {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

/// An inline table.
pub(crate) fn inline<T: Into<Toml>>(entries: impl IntoIterator<Item = (&'static str, T)>) -> Toml {
    Toml::Inline(entries.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect())
}

impl Toml {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => toml_text::string(text),
            Self::Flag(flag) => flag.to_string(),
            Self::List(items) => toml_text::array(items.iter().map(Self::text)),
            Self::Inline(entries) => toml_text::inline_table(entries.iter().map(|(key, value)| (key, value.text()))),
        }
    }

    /// The lines of `key = value`; a long list has one item per line.
    fn lines(&self, key: &str) -> Vec<String> {
        let whole = format!("{} = {}", toml_text::key(key), self.text());
        match self {
            Self::List(items) if whole.chars().count() > WIDTH && items.len() > 1 => {
                let mut lines = vec![format!("{} = [", toml_text::key(key))];
                lines.extend(items.iter().map(|item| format!("  {},", item.text())));
                lines.push("]".to_owned());
                lines
            }
            _ => vec![whole],
        }
    }
}

/// The purpose of a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Countersign does not support it, on purpose.
    NotSupported,
    /// The configuration language has it; this version does not implement it.
    NotBuilt,
    /// It was imported, but behaves differently.
    Changed,
    /// The operator has to do something before it works.
    ToDo,
    /// It states the origin of something.
    Plain,
}

impl Mark {
    fn prefix(self) -> &'static str {
        match self {
            Self::NotSupported => "Not supported: ",
            Self::NotBuilt => "Not built yet: ",
            Self::Changed => "Changed: ",
            Self::ToDo => "To do: ",
            Self::Plain => "",
        }
    }
}

#[derive(Clone, Debug)]
enum Row {
    Set(String, Toml),
    Off(String, Toml),
    Note(Mark, String),
}

/// One table, with the comments before it and before its rows.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    path: Vec<String>,
    many: bool,
    off: bool,
    before: Vec<(Mark, String)>,
    rows: Vec<Row>,
}

impl Table {
    /// `[a.b]`; an empty path stands for the top level of the file.
    pub(crate) fn new(path: &[&str]) -> Self {
        let path = path.iter().map(|step| (*step).to_owned()).collect();
        Self { path, many: false, off: false, before: Vec::new(), rows: Vec::new() }
    }

    /// `[[name]]`
    pub(crate) fn list(name: &str) -> Self {
        Self { many: true, ..Self::new(&[name]) }
    }

    /// A comment above the table.
    pub(crate) fn above(&mut self, mark: Mark, text: impl Into<String>) {
        self.before.push((mark, text.into()));
    }

    /// A comment before the next row.
    pub(crate) fn note(&mut self, mark: Mark, text: impl Into<String>) {
        self.rows.push(Row::Note(mark, text.into()));
    }

    /// `key = value`
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Toml>) {
        self.rows.push(Row::Set(key.to_owned(), value.into()));
    }

    /// `# key = value`
    pub(crate) fn set_off(&mut self, key: &str, value: impl Into<Toml>) {
        self.rows.push(Row::Off(key.to_owned(), value.into()));
    }

    /// Comments out the whole table.
    pub(crate) fn turn_off(&mut self) {
        self.off = true;
    }

    /// Whether it is commented out.
    pub(crate) fn is_off(&self) -> bool {
        self.off
    }

    /// Whether it contains anything besides its header.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.before.is_empty()
    }

    fn marks(&self) -> impl Iterator<Item = Mark> {
        let rows = self.rows.iter().filter_map(|row| if let Row::Note(mark, _) = row { Some(*mark) } else { None });
        self.before.iter().map(|(mark, _)| *mark).chain(rows)
    }

    fn render(&self, out: &mut String) {
        for (mark, text) in &self.before {
            comment(out, &format!("{}{text}", mark.prefix()));
        }
        let hidden = if self.off { "# " } else { "" };
        if !self.path.is_empty() {
            let path: Vec<String> = self.path.iter().map(|step| toml_text::key(step)).collect();
            let path = path.join(".");
            let _ = if self.many { writeln!(out, "{hidden}[[{path}]]") } else { writeln!(out, "{hidden}[{path}]") };
        }
        for row in &self.rows {
            match row {
                Row::Note(mark, text) => comment(out, &format!("{}{text}", mark.prefix())),
                Row::Set(key, value) => rows(out, hidden, &value.lines(key)),
                Row::Off(key, value) => rows(out, "# ", &value.lines(key)),
            }
        }
    }
}

fn rows(out: &mut String, hidden: &str, lines: &[String]) {
    for line in lines {
        let _ = writeln!(out, "{hidden}{line}");
    }
}

/// A comment, wrapped; control characters in the text become spaces.
fn comment(out: &mut String, text: &str) {
    let plain: String =
        text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect();
    let mut line = String::from("#");
    let mut width = 1;
    for word in plain.split(' ').filter(|word| !word.is_empty()) {
        let length = word.chars().count();
        if width > 1 && width + 1 + length > WIDTH {
            let _ = writeln!(out, "{line}");
            line = String::from("#");
            width = 1;
        }
        line.push(' ');
        line.push_str(word);
        width += 1 + length;
    }
    let _ = writeln!(out, "{line}");
}

/// How many comments of each kind a document has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// [`Mark::NotSupported`]
    pub(crate) not_supported: usize,
    /// [`Mark::NotBuilt`]
    pub(crate) not_built: usize,
    /// [`Mark::Changed`]
    pub(crate) changed: usize,
    /// [`Mark::ToDo`]
    pub(crate) to_do: usize,
}

/// The document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    tables: Vec<Table>,
}

impl Document {
    /// Adds a table. One without rows and comments is left out.
    pub(crate) fn push(&mut self, table: Table) {
        if !table.is_empty() {
            self.tables.push(table);
        }
    }

    /// Adds a table that may be empty, such as `[roles.viewer]`.
    pub(crate) fn push_even_empty(&mut self, table: Table) {
        self.tables.push(table);
    }

    /// The table with this path, if it is not commented out.
    pub(crate) fn table(&mut self, path: &[&str]) -> Option<&mut Table> {
        self.tables.iter_mut().find(|table| !table.off && table.path == path)
    }

    /// How many comments of each kind there are.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for mark in self.tables.iter().flat_map(Table::marks) {
            match mark {
                Mark::NotSupported => counts.not_supported += 1,
                Mark::NotBuilt => counts.not_built += 1,
                Mark::Changed => counts.changed += 1,
                Mark::ToDo => counts.to_do += 1,
                Mark::Plain => {}
            }
        }
        counts
    }

    /// How many tables directly below a section exist: in total, and commented out.
    pub(crate) fn entries(&self, section: &str) -> (usize, usize) {
        let of = |table: &&Table| table.path.len() == 2 && table.path.first().is_some_and(|first| first == section);
        let all = self.tables.iter().filter(of);
        (all.clone().count(), all.filter(|table| table.is_off()).count())
    }

    /// The text of the document.
    pub(crate) fn render(&self) -> String {
        let mut out = String::new();
        for (index, table) in self.tables.iter().enumerate() {
            if index > 0 {
                out.push('\n');
            }
            table.render(&mut out);
        }
        out
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_written_can_end_its_line_or_its_string() {
        let mut table = Table::new(&["clients", "a\"]\n[admin"]);
        table.above(Mark::NotSupported, "one\n[admin]\r\nlisten = \"0.0.0.0:1\"\u{2028}x");
        table.note(Mark::ToDo, "two\n[admin]");
        table.set("na.me\n", "x\"\\\n\r\u{0}\u{7f}\u{85}y");
        table.set_off("list", vec!["a\nb", "c"]);
        let mut document = Document::default();
        document.push(table);
        let text = document.render();
        let parsed: toml::Table = text.parse().expect("valid TOML");
        let clients = parsed.get("clients").and_then(toml::Value::as_table).expect("clients");
        let client = clients.get("a\"]\n[admin").and_then(toml::Value::as_table).expect("the client");
        assert_eq!(client.get("na.me\n").and_then(toml::Value::as_str), Some("x\"\\\n\r\u{0}\u{7f}\u{85}y"));
        assert_eq!((parsed.len(), client.len()), (1, 1));
        let counts = Counts { not_supported: 1, to_do: 1, ..Counts::default() };
        assert_eq!(document.counts(), counts);
    }

    #[test]
    fn a_table_that_is_off_is_all_comments_and_long_lists_have_a_line_an_item() {
        let mut table = Table::new(&["providers", "gh"]);
        table.set("preset", "github");
        let long: Vec<String> = (0..9).map(|n| format!("https://application-{n}.example.com/callback")).collect();
        table.set("redirect_uris", long.clone());
        let mut on = Document::default();
        on.push(table.clone());
        let parsed: toml::Table = on.render().parse().expect("valid TOML");
        let provider = parsed.get("providers").and_then(|all| all.get("gh")).expect("the provider");
        let uris = provider.get("redirect_uris").and_then(toml::Value::as_array).expect("the list");
        assert!(uris.iter().filter_map(toml::Value::as_str).eq(long.iter().map(String::as_str)));
        table.turn_off();
        let mut off = Document::default();
        off.push(table);
        assert!(off.render().lines().count() > 9);
        assert!(off.render().lines().all(|line| line.starts_with("# ")));
        assert_eq!(off.entries("providers"), (1, 1));
    }
}
