//! TOML text with the place of every key and value: the only parser of the language.
//!
//! Owns turning text into a [`Table`] whose nodes know their [`Span`], and reporting syntax errors. It does not own the meaning
//! of the values.

use std::collections::BTreeMap;
use std::ops::Range;

use figment::value::{Dict, Tag, Value};
use toml::de::{DeArray, DeTable, DeValue};

use crate::config::diagnostics::characters::LookAlike;

/// A range of a source's text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    /// The number of the source in [`crate::config::diagnostics::locate::Layers`].
    pub(crate) source: u32,
    /// First byte.
    pub(crate) start: u32,
    /// The byte after the last.
    pub(crate) end: u32,
}

impl Span {
    /// The span of `range` in a source.
    pub(crate) fn new(source: u32, range: Range<usize>) -> Self {
        let clip = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { source, start: clip(range.start), end: clip(range.end) }
    }

    /// The span as a range of bytes.
    pub(crate) const fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A value and its place. The place of a table is its header, or its key if the table is only implied.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) data: Data,
}

/// The kinds of TOML values. The language has no use for dates, which are refused when read.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Array(Vec<Node>),
    Table(Table),
}

/// A key with its place, and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) key: Span,
    pub(crate) value: Node,
}

/// A table by key.
pub(crate) type Table = BTreeMap<String, Entry>;

/// How much of a text an error makes unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Nothing: everything else was understood.
    Nothing,
    /// Its line.
    Line,
    /// Everything after it.
    Rest,
}

/// A syntax error in a TOML text.
#[derive(Clone, Debug)]
pub(crate) struct SyntaxError {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) damage: Damage,
    pub(crate) suggestion: Option<String>,
}

/// Reads a whole file. Returns what could be understood, together with the errors.
pub(crate) fn parse(text: &str, source: u32) -> (Table, Vec<SyntaxError>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let unclosed =
        errors.iter().any(|error| error.message().contains("array") || error.message().contains("inline table"));
    let mut errors = tidy(text, source, &errors);
    let table = convert_table(table.get_ref(), source, &mut errors);
    if let Some(open) = if unclosed { never_closed(&table, text) } else { None } {
        errors.retain(|error| error.span.start < open.start);
        let message = format!("the {} that begins here is never closed", bracket(text, open).1);
        errors.push(SyntaxError { span: open, message, damage: Damage::Rest, suggestion: None });
    }
    (table, errors)
}

/// The opening bracket of a value, and what it opens.
fn bracket(text: &str, span: Span) -> (Option<char>, &'static str) {
    match text.get(span.range()).and_then(|token| token.chars().next()) {
        Some('[') => (Some(']'), "array"),
        Some('{') => (Some('}'), "table"),
        _ => (None, "value"),
    }
}

/// The first array or inline table that is ended by the end of the text instead of its bracket.
fn never_closed(table: &Table, text: &str) -> Option<Span> {
    let mut nodes: Vec<&Node> = table.values().map(|entry| &entry.value).collect();
    let mut found: Option<Span> = None;
    while let Some(node) = nodes.pop() {
        let closes = bracket(text, node.span).0;
        let token = text.get(node.span.range()).unwrap_or("");
        if closes.is_some_and(|close| !token.ends_with(close)) && found.is_none_or(|found| node.span < found) {
            found = Some(Span { end: node.span.start + 1, ..node.span });
        }
        match &node.data {
            Data::Array(items) => nodes.extend(items),
            Data::Table(table) => nodes.extend(table.values().map(|entry| &entry.value)),
            _ => {}
        }
    }
    found
}

/// Reads one value, such as the text of an environment variable. `None` if the text is not a TOML value.
pub(crate) fn parse_value(text: &str, source: u32) -> Option<(Node, Vec<SyntaxError>)> {
    let value = DeValue::parse(text).ok()?;
    let mut errors = Vec::new();
    let node = convert(value.get_ref(), Span::new(source, value.span()), &mut errors);
    Some((node, errors))
}

/// The parser continues after an error, so one mistake causes others: keeps the first of each line.
fn tidy(text: &str, source: u32, errors: &[toml::de::Error]) -> Vec<SyntaxError> {
    let mut sorted: Vec<(Range<usize>, &str)> =
        errors.iter().map(|e| (e.span().unwrap_or(0..0), e.message())).collect();
    sorted.sort_by_key(|(span, _)| span.start);
    let mut kept: Vec<SyntaxError> = Vec::new();
    let mut last_line = None;
    for (span, message) in sorted {
        let line = text.get(..span.start).map(|before| before.matches('\n').count());
        if last_line.is_some() && last_line == Some(line) {
            continue;
        }
        last_line = Some(line);
        let (mut message, damage, suggestion) = reword(message, text.get(span.clone()).unwrap_or(""));
        let (mut span, mut suggestion) = (span, suggestion.map(str::to_owned));
        if damage != Damage::Nothing
            && let Some((at, found)) = look_alike(text, &span)
        {
            (message, suggestion) = (found.message(), Some(found.way_out()));
            span = at..at + found.character.len_utf8();
        }
        kept.push(SyntaxError { span: Span::new(source, span), message, damage, suggestion });
    }
    kept
}

/// The character on the line of an error that probably causes it: the first that only looks like one of TOML, outside of
/// comments and of strings that are closed before it.
fn look_alike(text: &str, error: &Range<usize>) -> Option<(usize, LookAlike)> {
    let start = text.get(..error.start)?.rfind('\n').map_or(0, |newline| newline + 1);
    let line = text.get(start..)?.lines().next()?;
    let mut open: Option<(char, usize)> = None;
    let mut code = String::with_capacity(line.len());
    for (offset, c) in line.char_indices() {
        // What is inside keeps its length, so that offsets stay those of the line.
        let shown = if open.is_some() { "_".repeat(c.len_utf8()) } else { c.to_string() };
        code.push_str(&shown);
        match open {
            Some((quote, _)) if quote == c && c != '#' => open = None,
            None if matches!(c, '"' | '\'' | '#') => open = Some((c, offset)),
            _ => {}
        }
    }
    let found = LookAlike::first(&code).or_else(|| {
        // A string that begins with a plain quotation mark and ends with another one.
        let (quote, offset) = open?;
        LookAlike::last_of(line, quote).filter(|found| found.offset > offset)
    })?;
    Some((start + found.offset, found))
}

fn reword(message: &str, found: &str) -> (String, Damage, Option<&'static str>) {
    match message.split(", expected").next().unwrap_or(message) {
        "duplicate key" => (format!("duplicate key `{found}`"), Damage::Nothing, Some("set it once")),
        "string values must be quoted" if found.trim().is_empty() => {
            ("a value is missing".to_owned(), Damage::Line, None)
        }
        "string values must be quoted" | "invalid boolean" if boolean(found).is_some() => {
            ("a boolean is true or false".to_owned(), Damage::Line, boolean(found))
        }
        "string values must be quoted" | "invalid boolean" => {
            ("a string must be quoted".to_owned(), Damage::Line, Some("put the value in double quotes"))
        }
        "key with no value" => {
            ("a key needs a value".to_owned(), Damage::Rest, Some("write `key = value`, or `[table]`"))
        }
        "invalid basic string" | "invalid literal string" | "missing escaped value" => {
            (message.to_owned(), Damage::Line, None)
        }
        _ => (message.to_owned(), Damage::Rest, None),
    }
}

/// What to write for a boolean of another language.
fn boolean(text: &str) -> Option<&'static str> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some("write true"),
        "false" | "no" | "off" => Some("write false"),
        _ => None,
    }
}

fn convert(value: &DeValue<'_>, span: Span, errors: &mut Vec<SyntaxError>) -> Node {
    let data = match value {
        DeValue::String(text) => Data::String(text.clone().into_owned()),
        DeValue::Boolean(value) => Data::Boolean(*value),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Data::Integer(number),
            Err(_) => refuse(number.to_string(), span, "an integer must fit 64 bits", errors),
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Data::Float(number),
            Ok(_) => refuse(number.to_string(), span, "a number must be finite", errors),
            Err(_) => no_number(number.to_string(), span, errors),
        },
        DeValue::Datetime(date) => {
            refuse(date.to_string(), span, "no setting is a date or time; a string must be quoted", errors)
        }
        DeValue::Array(items) => Data::Array(convert_array(items, span.source, errors)),
        DeValue::Table(table) => Data::Table(convert_table(table, span.source, errors)),
    };
    Node { span, data }
}

fn refuse(text: String, span: Span, message: &str, errors: &mut Vec<SyntaxError>) -> Data {
    errors.push(SyntaxError { span, message: message.to_owned(), damage: Damage::Nothing, suggestion: None });
    Data::String(text)
}

/// A text that begins like a number, such as an address. What the parser says of the rest of it follows from this.
fn no_number(text: String, span: Span, errors: &mut Vec<SyntaxError>) -> Data {
    let inside = span.start..span.end;
    let rest = |error: &SyntaxError| error.span.source == span.source && inside.contains(&error.span.start);
    errors.retain(|error| error.damage == Damage::Nothing || !rest(error));
    let (message, way_out) = ("a string must be quoted".to_owned(), "put the value in double quotes".to_owned());
    errors.push(SyntaxError { span, message, damage: Damage::Line, suggestion: Some(way_out) });
    Data::String(text)
}

fn convert_array(items: &DeArray<'_>, source: u32, errors: &mut Vec<SyntaxError>) -> Vec<Node> {
    items.iter().map(|item| convert(item.get_ref(), Span::new(source, item.span()), errors)).collect()
}

fn convert_table(table: &DeTable<'_>, source: u32, errors: &mut Vec<SyntaxError>) -> Table {
    table
        .iter()
        .map(|(key, value)| {
            let node = convert(value.get_ref(), Span::new(source, value.span()), errors);
            (key.get_ref().clone().into_owned(), Entry { key: Span::new(source, key.span()), value: node })
        })
        .collect()
}

/// The table as figment's values, which have no places.
pub(crate) fn to_dict(table: &Table) -> Dict {
    table.iter().map(|(key, entry)| (key.clone(), to_value(&entry.value))).collect()
}

fn to_value(node: &Node) -> Value {
    match &node.data {
        Data::String(text) => Value::String(Tag::Default, text.clone()),
        Data::Integer(number) => Value::from(*number),
        Data::Float(number) => Value::from(*number),
        Data::Boolean(value) => Value::from(*value),
        Data::Array(items) => Value::Array(Tag::Default, items.iter().map(to_value).collect()),
        Data::Table(table) => Value::Dict(Tag::Default, to_dict(table)),
    }
}

/// The position of byte `offset` of a decoded TOML string in the string's token, quotes included. A token without quotes (an
/// environment variable) is already decoded.
pub(crate) fn token_offset(token: &str, offset: usize) -> usize {
    let (open, basic) = opening(token);
    let mut raw = open;
    let mut decoded = 0;
    while decoded < offset {
        let rest = token.get(raw..).unwrap_or("");
        let Some(first) = rest.chars().next() else { break };
        let (raw_len, decoded_len) =
            if basic && first == '\\' { escape(rest) } else { (first.len_utf8(), first.len_utf8()) };
        if decoded_len > 0 && decoded + decoded_len > offset {
            break;
        }
        decoded += decoded_len;
        raw += raw_len;
    }
    // A line continuation adds no text: the intended place is after it.
    while basic && token.get(raw..).is_some_and(|rest| rest.starts_with('\\') && escape(rest).1 == 0) {
        raw += token.get(raw..).map_or(1, |rest| escape(rest).0);
    }
    raw.min(token.len())
}

/// The length of the opening quotes (with the newline that multi-line strings drop), and whether escapes are recognised.
fn opening(token: &str) -> (usize, bool) {
    for (quotes, basic) in [("\"\"\"", true), ("'''", false)] {
        if let Some(rest) = token.strip_prefix(quotes) {
            let newline = if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
            return (3 + newline, basic);
        }
    }
    match token.chars().next() {
        Some('"') => (1, true),
        Some('\'') => (1, false),
        _ => (0, false),
    }
}

/// The length of the escape that `rest` starts with, as written and as decoded.
fn escape(rest: &str) -> (usize, usize) {
    let digits = match rest.chars().nth(1) {
        Some('x') => 2,
        Some('u') => 4,
        Some('U') => 8,
        Some(c) if c.is_whitespace() => {
            let trimmed = rest.get(1..).unwrap_or("").trim_start();
            return (rest.len() - trimmed.len(), 0);
        }
        Some(_) => return (2, 1),
        None => return (1, 1),
    };
    let code = rest.get(2..2 + digits).and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
    (2 + digits, code.map_or(1, char::len_utf8))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn offsets_inside_strings_count_escapes_continuations_and_the_first_newline() {
        for (token, decoded, find) in [
            (r#""a.b == \"x\" && c""#, "a.b == \"x\" && c", "c"),
            (r"'a \ b'", "a \\ b", "b"),
            ("\"\"\"\nfoo\nbar\"\"\"", "foo\nbar", "bar"),
            ("'''\r\nfoo \\n bar'''", "foo \\n bar", "bar"),
            ("\"\"\"a \\\n    bar\"\"\"", "a bar", "bar"),
            (r#""\u00e9\U0001F600\x41 bar""#, "é😀A bar", "bar"),
            ("plain", "plain", "ain"),
        ] {
            let offset = decoded.rfind(find).unwrap();
            let raw = token_offset(token, offset);
            assert!(token[raw..].starts_with(find), "{token}: {}", &token[raw..]);
        }
    }

    proptest! {
        #[test]
        fn every_character_of_a_written_string_is_found_again(text in "\\PC{0,40}[\\n\\t]?\\PC{0,5}") {
            let token = toml::Value::String(text.clone()).to_string();
            let (node, _) = parse_value(&token, 0).unwrap();
            let decoded = to_value(&node).into_string().unwrap();
            prop_assert_eq!(&decoded, &text);
            for (offset, c) in text.char_indices() {
                let raw = token_offset(&token, offset);
                let here = token[raw..].chars().next().unwrap();
                prop_assert!(here == c || here == '\\', "{} at {}: {}", token, offset, here);
            }
        }

        #[test]
        fn arbitrary_text_never_panics(text in "(\\PC|\\n|[\\[\\]{}=\".'#a-z]){0,200}") {
            let (table, _) = parse(&text, 0);
            let _ = to_dict(&table);
        }
    }
}
