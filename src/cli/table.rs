//! Tables for people, whose columns are as wide as their widest cell.

use std::io::{self, Write};

use chrono::{DateTime, SecondsFormat};
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

/// Writes a table. Every row has as many cells as there are headings.
///
/// # Errors
/// When the writer fails.
pub(crate) fn write(out: &mut dyn Write, headings: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
    let heading: Vec<String> = headings.iter().map(|heading| (*heading).to_owned()).collect();
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| cell.replace('\n', "\\n")).collect()).collect();
    let all = || std::iter::once(&heading).chain(&rows);
    let widths: Vec<usize> = (0..headings.len())
        .map(|n| all().filter_map(|row| row.get(n)).map(|cell| cell.width()).max().unwrap_or(0))
        .collect();
    for row in all() {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - cell.width() + 2));
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A string member of a JSON object.
pub(crate) fn text(object: &Value, key: &str) -> String {
    object.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// A list of strings in a JSON object, separated by commas.
pub(crate) fn list(object: &Value, key: &str) -> String {
    let items = object.get(key).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

/// A time in a JSON object, which is in seconds since the Unix epoch.
pub(crate) fn time(object: &Value, key: &str) -> String {
    let at = object.get(key).and_then(Value::as_i64).and_then(|at| DateTime::from_timestamp(at, 0));
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}
