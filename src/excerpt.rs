//! What strangers send, cut before it is logged or stored, so that nobody fills a disk with a long value.

use std::borrow::Cow;

/// The longest value of a stranger in a log line or a row, in bytes.
pub const LONGEST: usize = 1024;
/// What the note about the rest may take of that.
const NOTE: usize = 40;

/// The text where it is at most [`LONGEST`] bytes long, else its beginning with a note of how long it was.
#[must_use]
pub fn excerpt(text: &str) -> Cow<'_, str> {
    if text.len() <= LONGEST {
        return Cow::Borrowed(text);
    }
    let (kept, _) = text.split_at(text.floor_char_boundary(LONGEST - NOTE));
    Cow::Owned(format!("{kept}... ({} bytes in all)", text.len()))
}

/// The same for a text that is owned already.
#[must_use]
pub fn excerpt_owned(text: String) -> String {
    match excerpt(&text) {
        Cow::Owned(short) => short,
        Cow::Borrowed(_) => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_at_a_character() {
        for text in ["", "state", &"x".repeat(LONGEST), &"ü".repeat(LONGEST / 2)] {
            assert_eq!(excerpt(text), text);
        }
        for text in ["x".repeat(LONGEST + 1), "x".repeat(60_000), "€".repeat(20_000), format!("{}😀", "x".repeat(1023))]
        {
            let short = excerpt_owned(text.clone());
            assert!(short.len() <= LONGEST && short.len() > LONGEST - 2 * NOTE, "{} bytes", short.len());
            assert!(short.ends_with(&format!("... ({} bytes in all)", text.len())), "{short}");
            assert!(text.starts_with(short.split("...").next().unwrap_or_default()));
        }
    }
}
