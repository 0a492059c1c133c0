//! Output that can't control the terminal that it is printed on, whatever people and providers put into names and claims.

use std::io::{self, Write};

use crate::config::diagnostics::problem::is_printable;

/// A writer that replaces control characters other than line ends by their JSON escapes, so that JSON keeps its meaning.
pub(super) struct Printable<'w>(&'w mut dyn Write);

impl<'w> Printable<'w> {
    /// Writes to `out`.
    pub(super) fn new(out: &'w mut dyn Write) -> Self {
        Self(out)
    }
}

impl Write for Printable<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Output is always written as text, in whole strings.
        let text = String::from_utf8_lossy(bytes);
        let mut safe = String::with_capacity(text.len());
        for c in text.chars() {
            if c == '\n' || is_printable(c) {
                safe.push(c);
            } else {
                safe.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
        }
        self.0.write_all(safe.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn nothing_but_lines_of_plain_characters_is_written() {
        let mut written = Vec::new();
        let mut out = Printable::new(&mut written);
        writeln!(out, "a \u{1b}[2J b\u{9b}31m c\u{7f}\r d\u{202e} 王 é").unwrap();
        let expected = "a \\u001b[2J b\\u009b31m c\\u007f\\u000d d\\u202e 王 é\n";
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }

    #[test]
    fn json_means_the_same_afterwards() {
        let value = serde_json::json!({ "a": "\u{1b}[0m\u{9b}\u{7f}\n\u{202e}" });
        let mut written = Vec::new();
        writeln!(Printable::new(&mut written), "{}", serde_json::to_string_pretty(&value).unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&written).unwrap(), value);
    }
}
