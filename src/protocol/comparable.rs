//! Texts of names in certificates in the form in which they are compared (RFC 5280 §7.1, which refers to RFC 4518).

use unicode_normalization::UnicodeNormalization as _;

/// The text with its case folded and its characters composed, without characters that are not seen, and with one space for each
/// stretch of white space within it (RFC 4518 §2.2, §2.3, §2.6.1).
#[must_use]
pub(super) fn text(text: &str) -> String {
    // Upper case first, because letters such as a sharp s have no lower case that all their spellings share.
    let fold = |text: &str| text.to_uppercase().to_lowercase().nfkc().collect::<String>();
    let folded = fold(&fold(text));
    let mapped = folded.chars().filter(|c| !is_unseen(*c)).collect::<String>();
    mapped.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters that RFC 4518 §2.2 maps to nothing.
fn is_unseen(c: char) -> bool {
    let white = matches!(c, '\t'..='\r' | '\u{85}');
    (c.is_control() && !white)
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{6dd}' | '\u{70f}' | '\u{1806}' | '\u{180b}'..='\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2063}' | '\u{206a}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffc}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_text() {
        for (one, other) in [
            ("Example  Org", " EXAMPLE ORG "),
            ("Lu\u{10d}i\u{107}", "LUC\u{30c}IC\u{301}"),
            ("Stra\u{df}e", "STRASSE"),
            ("\u{3a3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c2}", "\u{3c3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c3}"),
            ("\u{ff21}\u{ff22}", "ab"),
            ("a\u{a0}b", "a\tb"),
            ("in\u{ad}visible\u{200b}", "invisible"),
        ] {
            assert_eq!(text(one), text(other), "{one:?} {other:?}");
        }
        for (one, other) in [("ab", "a b"), ("a", "b"), ("a", ""), ("r\u{f6}bot", "robot"), ("1", "l")] {
            assert_ne!(text(one), text(other), "{one:?} {other:?}");
        }
    }
}
