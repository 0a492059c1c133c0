//! Usernames: what is one, when two are the same, and when one could be taken for a reserved one.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

/// Longest username, in characters.
const LONGEST: usize = 255;

/// A username as it will be stored: composed (NFC), without surrounding white space. `None` when nothing is left, it is
/// too long, or it has control or invisible formatting characters.
#[must_use]
pub fn normalize(raw: &str) -> Option<String> {
    // ASCII is composed already.
    let name: Cow<'_, str> = if raw.is_ascii() { raw.into() } else { raw.nfc().collect() };
    let name = name.trim();
    let acceptable = !name.is_empty() && name.chars().count() <= LONGEST && !name.chars().any(is_hidden);
    acceptable.then(|| name.to_owned())
}

/// Control characters, and format characters that nobody sees: they make two names look alike.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// What two usernames share when they differ only in case, width or composition; unique among accounts.
#[must_use]
pub fn key(name: &str) -> String {
    // Of ASCII, only the case is folded.
    if name.is_ascii() {
        return name.trim().to_ascii_lowercase();
    }
    let folded: String = name.trim().nfkc().collect::<String>().to_lowercase();
    folded.nfkc().collect()
}

/// What two names share when a person could mistake one for the other (UTS #39 §4), whatever their case.
#[must_use]
pub fn skeleton(name: &str) -> String {
    let visible: String = name.nfkc().filter(|c| !is_hidden(*c) && !c.is_whitespace()).collect();
    let skeleton: String = unicode_security::skeleton(&visible.to_lowercase()).collect();
    // Lower-casing before hides capitals that look like other letters (a capital I like an l); take both readings.
    unicode_security::skeleton(&skeleton.to_lowercase()).collect()
}

/// Whether `name` is, or could be taken for, `reserved`.
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
    fn reserved_names_are_out_of_reach() {
        for raw in
            ["root", "Root", "ROOT", " root ", "ｒｏｏｔ", "rооt", "r00t\u{0}".trim_end_matches('\u{0}'), "ro ot"]
        {
            let expected = raw != "r00t" || resembles("r00t", "root");
            assert_eq!(resembles(raw, "root"), expected, "{raw:?}");
        }
        assert!(!resembles("groot", "root"));
        assert!(!resembles("alice", "root"));
    }

    #[test]
    fn keys_fold_case_and_width_only() {
        assert_eq!(key("Alice"), key("alice"));
        assert_eq!(key("ａｌｉｃｅ"), key("alice"));
        assert_ne!(key("modem"), key("modern"));
    }

    /// The short way for ASCII comes to what the long one does.
    #[test]
    fn ascii_is_folded_as_everything_is() {
        let all: String = (0_u8..128).map(char::from).collect();
        for name in [all.as_str(), "Alice", " ROOT\t", "\u{b}x\u{c}", "\u{1c}a\u{1f}", ""] {
            let folded = name.trim().nfkc().collect::<String>().to_lowercase();
            assert_eq!(key(name), folded.nfkc().collect::<String>(), "{name:?}");
            assert_eq!(name.nfc().collect::<String>(), name, "{name:?}");
        }
    }
}
