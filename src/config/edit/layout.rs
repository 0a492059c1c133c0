//! A TOML text as a list of statements with their places: headers and settings, down to the items of arrays and inline tables.

use std::ops::Range;

use toml_parser::parser::{Event, EventKind, RecursionGuard, ValidateWhitespace, parse_document};
use toml_parser::{ParseError, Source};

/// How deep arrays and inline tables may nest, as in the `toml` crate.
const DEEPEST: u32 = 80;

/// The statements of a text, in their order.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) statements: Vec<Statement>,
}

/// A header or a setting.
#[derive(Debug)]
pub(super) struct Statement {
    /// Its path from the root, with the keys of the header that it is below.
    pub(super) path: Vec<String>,
    /// The keys that are written in it: the last ones of the path.
    pub(super) keys: Vec<Key>,
    pub(super) what: What,
    /// Its lines as a whole, from the indentation to the line end.
    pub(super) lines: Range<usize>,
}

#[derive(Debug)]
pub(super) enum What {
    /// `[a.b]`; `[[a.b]]` with `many`.
    Header { many: bool },
    /// `key = value`
    Setting(Value),
}

/// A key as it is meant, and where it is written.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) span: Range<usize>,
}

#[derive(Debug)]
pub(super) struct Value {
    pub(super) span: Range<usize>,
    pub(super) data: Data,
}

#[derive(Debug)]
pub(super) enum Data {
    Scalar,
    Array(Vec<Item>),
    Inline(Vec<Item>),
}

/// An item of an array, which has no keys, or an entry of an inline table.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) keys: Vec<Key>,
    pub(super) value: Value,
    /// The comma after it.
    pub(super) comma: Option<Range<usize>>,
}

impl Item {
    /// From its first key, or its value, to its end.
    pub(super) fn span(&self) -> Range<usize> {
        self.keys.first().map_or(self.value.span.start, |key| key.span.start)..self.value.span.end
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.name.as_str())
    }
}

impl Statement {
    pub(super) const fn is_header(&self) -> bool {
        matches!(self.what, What::Header { .. })
    }

    /// How many keys of its path are those of the header that it is below.
    pub(super) const fn above(&self) -> usize {
        self.path.len() - self.keys.len()
    }
}

impl Layout {
    /// The statements of a text; `None` when it is not TOML.
    pub(super) fn of(text: &str) -> Option<Self> {
        let source = Source::new(text);
        let tokens = source.lex().into_vec();
        let mut events: Vec<Event> = Vec::with_capacity(tokens.len());
        let mut faults: Vec<ParseError> = Vec::new();
        let mut checked = ValidateWhitespace::new(&mut events, source);
        parse_document(&tokens, &mut RecursionGuard::new(&mut checked, DEEPEST), &mut faults);
        if !faults.is_empty() {
            return None;
        }
        let mut cursor = Cursor { events: events.into_iter().peekable(), source };
        let mut statements = Vec::new();
        let mut header: Vec<String> = Vec::new();
        while let Some(event) = cursor.events.next() {
            let start = event.span().start();
            let (keys, what, end) = match event.kind() {
                EventKind::StdTableOpen | EventKind::ArrayTableOpen => {
                    let (keys, end) = cursor.header();
                    header = keys.iter().map(|key| key.name.clone()).collect();
                    (keys, What::Header { many: event.kind() == EventKind::ArrayTableOpen }, end)
                }
                EventKind::SimpleKey => {
                    let keys = cursor.keys(event)?;
                    let value = cursor.value()?;
                    let end = value.span.end;
                    (keys, What::Setting(value), end)
                }
                _ => continue,
            };
            let own = keys.iter().map(|key| key.name.clone());
            let path = match what {
                What::Header { .. } => header.clone(),
                What::Setting(_) => header.iter().cloned().chain(own).collect(),
            };
            statements.push(Statement { path, keys, what, lines: line_start(text, start)..line_end(text, end) });
        }
        Some(Self { statements })
    }

    /// The header of a table that is not an item of an array.
    pub(super) fn header(&self, path: &[String]) -> Option<usize> {
        self.statements.iter().position(|one| one.path == path && matches!(one.what, What::Header { many: false }))
    }

    /// The position after the last statement of the block in which this one is: a header with its settings.
    pub(super) fn block_end(&self, at: usize) -> usize {
        let rest = self.statements.get(at + 1..).unwrap_or_default();
        at + 1 + rest.iter().position(Statement::is_header).unwrap_or(rest.len())
    }
}

/// The first byte of the line of a byte.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1)
}

/// The byte after the line of a byte, with its line end.
pub(super) fn line_end(text: &str, at: usize) -> usize {
    text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |newline| at + newline + 1)
}

struct Cursor<'t> {
    events: std::iter::Peekable<std::vec::IntoIter<Event>>,
    source: Source<'t>,
}

impl Cursor<'_> {
    fn key(&self, event: Event) -> Key {
        let mut name = String::new();
        if let Some(raw) = self.source.get(event) {
            raw.decode_key(&mut name, &mut ());
        }
        Key { name, span: range(&event) }
    }

    /// The keys of a header after its bracket, and where its closing bracket ends.
    fn header(&mut self) -> (Vec<Key>, usize) {
        let mut keys = Vec::new();
        let mut end = 0;
        while let Some(event) = self.events.next() {
            end = event.span().end();
            match event.kind() {
                EventKind::SimpleKey => keys.push(self.key(event)),
                EventKind::StdTableClose | EventKind::ArrayTableClose => break,
                _ => {}
            }
        }
        (keys, end)
    }

    /// The keys of a setting from its first one up to the equals sign.
    fn keys(&mut self, first: Event) -> Option<Vec<Key>> {
        let mut keys = vec![self.key(first)];
        loop {
            let event = self.events.next()?;
            match event.kind() {
                EventKind::SimpleKey => keys.push(self.key(event)),
                EventKind::KeyValSep => return Some(keys),
                _ => {}
            }
        }
    }

    fn value(&mut self) -> Option<Value> {
        loop {
            let event = self.events.next()?;
            let kind = event.kind();
            match kind {
                EventKind::Scalar => return Some(Value { span: range(&event), data: Data::Scalar }),
                EventKind::ArrayOpen | EventKind::InlineTableOpen => {
                    let (items, end) = self.items()?;
                    let data = if kind == EventKind::ArrayOpen { Data::Array(items) } else { Data::Inline(items) };
                    return Some(Value { span: event.span().start()..end, data });
                }
                _ => {}
            }
        }
    }

    /// The items of an array or inline table after its bracket, and where it ends.
    fn items(&mut self) -> Option<(Vec<Item>, usize)> {
        let mut items: Vec<Item> = Vec::new();
        loop {
            let kind = self.events.peek()?.kind();
            match kind {
                EventKind::Scalar | EventKind::ArrayOpen | EventKind::InlineTableOpen => {
                    items.push(Item { keys: Vec::new(), value: self.value()?, comma: None });
                }
                EventKind::SimpleKey => {
                    let first = self.events.next()?;
                    let keys = self.keys(first)?;
                    items.push(Item { keys, value: self.value()?, comma: None });
                }
                _ => {
                    let event = self.events.next()?;
                    match kind {
                        EventKind::ArrayClose | EventKind::InlineTableClose => {
                            return Some((items, event.span().end()));
                        }
                        EventKind::ValueSep => {
                            if let Some(last) = items.last_mut() {
                                last.comma = Some(range(&event));
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
    }
}

fn range(event: &Event) -> Range<usize> {
    event.span().start()..event.span().end()
}
