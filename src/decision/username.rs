//! Usernames: which are valid, which are equal, and which could be mistaken for a reserved one.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

/// Longest username, in characters.
const LONGEST: usize = 255;

/// A username in its stored form: composed (NFC), without surrounding white space. `None` if nothing remains, if it is too
/// long, or if it contains control characters or invisible formatting characters.
#[must_use]
pub fn normalize(raw: &str) -> Option<String> {
    // ASCII is always composed.
    let name: Cow<'_, str> = if raw.is_ascii() { raw.into() } else { raw.nfc().collect() };
    let name = name.trim();
    let acceptable = !name.is_empty() && name.chars().count() <= LONGEST && !name.chars().any(is_hidden);
    acceptable.then(|| name.to_owned())
}

/// Whether a name contains control characters or invisible format characters, with which two names can look alike.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The key that two usernames share if they differ only in case, width or composition; unique among accounts.
#[must_use]
pub fn key(name: &str) -> String {
    // In ASCII, only the case has to be folded.
    if name.is_ascii() {
        return name.trim().to_ascii_lowercase();
    }
    let folded: String = name.trim().nfkc().collect::<String>().to_lowercase();
    folded.nfkc().collect()
}

/// The skeleton that two names share if they can be mistaken for each other (UTS #39 §4), whatever their case.
#[must_use]
pub fn skeleton(name: &str) -> String {
    let visible: String = name.nfkc().filter(|c| !is_hidden(*c) && !c.is_whitespace()).collect();
    let skeleton: String = unicode_security::skeleton(&visible.to_lowercase()).collect();
    // Lower-casing first hides capitals that look like other letters (a capital I like an l); apply both.
    unicode_security::skeleton(&skeleton.to_lowercase()).collect()
}

/// Whether `name` is `reserved` or could be mistaken for it.
#[must_use]
pub fn resembles(name: &str, reserved: &str) -> bool {
    if key(name) == key(reserved) {
        return true;
    }
    let as_written: String = unicode_security::skeleton(&name.nfkc().collect::<String>()).collect();
    let target = skeleton(reserved);
    skeleton(name) == target || skeleton(&as_written) == target
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_none() {
        for raw in ["", "   ", "a\u{0}b", "a\nb", "ro\u{200b}ot", "a\u{202e}b", &"x".repeat(256)] {
            assert_eq!(normalize(raw), None, "{raw:?}");
        }
        assert_eq!(normalize(" alice "), Some("alice".to_owned()));
        assert_eq!(normalize("王小明"), Some("王小明".to_owned()));
    }

    #[test]
    fn names_that_could_be_taken_for_a_reserved_one_are_out_of_reach() {
        for raw in ["root", "Root", "ROOT", " root ", "ｒｏｏｔ", "rооt", "r00t", "ro ot", "r\u{200b}oot", "RΟΟT"]
        {
            assert!(resembles(raw, "root"), "{raw:?}");
        }
        for raw in ["groot", "roots", "rot", "r-oot", "alice", "röot"] {
            assert!(!resembles(raw, "root"), "{raw:?}");
        }
        for (raw, reserved) in [("adrnin", "admin"), ("Iogin", "login"), ("1ogin", "login"), ("paypaI", "paypal")] {
            assert!(resembles(raw, reserved), "{raw:?}");
        }
    }

    #[test]
    fn keys_fold_case_and_width_only() {
        assert_eq!(key("Alice"), key("alice"));
        assert_eq!(key("ａｌｉｃｅ"), key("alice"));
        assert_ne!(key("modem"), key("modern"));
    }

    /// `key` and `normalize` have a faster path for ASCII, which must return the same values as the Unicode definitions.
    #[test]
    fn ascii_is_folded_and_composed_as_unicode_says() {
        for (name, folded) in [
            ("Alice", "alice"),
            (" ROOT\t", "root"),
            ("A-Z_0.9~", "a-z_0.9~"),
            ("@[`{", "@[`{"),
            // Vertical tab and form feed are white space; the information separators are not.
            ("\u{b}x\u{c}", "x"),
            ("\u{1c}A\u{1f}", "\u{1c}a\u{1f}"),
            ("", ""),
        ] {
            assert_eq!(key(name), folded, "{name:?}");
        }
        assert_eq!(normalize("\tA-Z_0.9~ "), Some("A-Z_0.9~".to_owned()));
        // With a letter beyond ASCII appended, the general implementation gives the same result.
        assert_eq!((key("ÄB"), key("A\u{308}B")), ("äb".to_owned(), "äb".to_owned()));
        assert_eq!(normalize("A\u{308}b"), Some("Äb".to_owned()));
    }
}
