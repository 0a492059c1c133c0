//! Small text functions for HTML: escaping, and the tile with a letter that replaces a missing logo.

/// Appends `text` to `out`, escaped for element content and for quoted attribute values.
pub(super) fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
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
    fn markup_is_escaped() {
        let mut out = String::new();
        escape(&mut out, r#"<a href="x" id='y'>&"#);
        assert_eq!(out, "&lt;a href=&quot;x&quot; id=&#39;y&#39;&gt;&amp;");
    }
}
