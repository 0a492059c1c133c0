//! Small text functions for HTML: escaping, and the tile with a letter that replaces a missing logo.

/// Appends `text` to `out`, escaped for element content and for quoted attribute values.
pub(super) fn escape(out: &mut String, text: &str) {
    let mut rest = text;
    while let Some((at, entity)) = rest.bytes().enumerate().find_map(|(at, byte)| Some((at, entity(byte)?))) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        out.push_str(entity);
        rest = special.get(1..).unwrap_or_default();
    }
    out.push_str(rest);
}

/// What stands for a character of HTML's syntax. All of them are ASCII, so that each is a byte of its own.
const fn entity(byte: u8) -> Option<&'static str> {
    match byte {
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'&' => Some("&amp;"),
        b'"' => Some("&quot;"),
        b'\'' => Some("&#39;"),
        _ => None,
    }
}

/// The first letter or digit of a name, in upper case; a dot for a name without any.
pub(super) fn monogram(name: &str) -> String {
    name.chars().find(|c| c.is_alphanumeric()).map_or_else(|| "•".to_owned(), |c| c.to_uppercase().collect())
}

/// Which of the six tile colours a name gets: always the same one.
pub(super) fn tone(name: &str) -> u32 {
    name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte))) % 6
}

/// The path of the draft of an entry, or of a new one.
pub(super) fn draft_path(base: &str, kind: &str, id: Option<&str>) -> String {
    let Some(id) = id else { return format!("{base}{kind}") };
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("id", id).finish();
    format!("{base}{kind}?{query}")
}

/// The class of a title with this name: one whose words are too long for a phone is set smaller, so that they are not broken.
pub(super) fn fit(name: &str) -> &'static str {
    let longest = name.split_whitespace().map(|word| word.chars().map(width).sum()).max().unwrap_or(0);
    match longest {
        0..=17 => "",
        18..=25 => "long",
        _ => "longer",
    }
}

/// How wide a character is. Those of scripts without spaces are wide, and lines break between any two of them.
fn width(character: char) -> usize {
    usize::from(unicode_width::UnicodeWidthChar::width(character) != Some(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_letter_and_a_tone() {
        for (name, letter) in [("grafana", "G"), ("  «ß»", "SS"), ("监控", "监"), ("<!>", "•"), ("", "•")] {
            assert_eq!(monogram(name), letter);
            assert!(tone(name) < 6);
        }
    }

    #[test]
    fn long_words_are_set_smaller() {
        for (name, class) in [
            ("Grafana", ""),
            ("Wiki 百科", ""),
            ("東京都庁職員向け勤怠管理システム運用窓口", ""),
            ("Abwesenheitsverwaltung", "long"),
            ("Die Abwesenheitsverwaltung", "long"),
            ("Donaudampfschifffahrtsgesellschaft", "longer"),
            ("", ""),
        ] {
            assert_eq!(fit(name), class, "{name}");
        }
    }

    #[test]
    fn markup_is_escaped() {
        let mut out = String::new();
        escape(&mut out, r#"<a href="x" id='y'>&"#);
        assert_eq!(out, "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;");
    }
}
