//! Characters that look like those of a programming language and are not: word processors, chats and web pages put them into
//! copied text.

/// A character that looks like another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LookAlike {
    /// Its offset in the text, in bytes.
    pub(crate) offset: usize,
    /// The character.
    pub(crate) character: char,
    name: &'static str,
    plain: &'static str,
}

const KNOWN: &[(char, &str, &str)] = &[
    ('\u{a0}', "a no-break space", "a space"),
    ('\u{2007}', "a figure space", "a space"),
    ('\u{2009}', "a thin space", "a space"),
    ('\u{202f}', "a narrow no-break space", "a space"),
    ('\u{3000}', "an ideographic space", "a space"),
    ('\u{200b}', "a zero-width space", "nothing"),
    ('\u{200c}', "a zero-width non-joiner", "nothing"),
    ('\u{200d}', "a zero-width joiner", "nothing"),
    ('\u{2060}', "a word joiner", "nothing"),
    ('\u{feff}', "a byte order mark", "nothing"),
    ('\u{ad}', "a soft hyphen", "nothing"),
    ('\u{2018}', "a typographic quotation mark", "'"),
    ('\u{2019}', "a typographic quotation mark", "'"),
    ('\u{201a}', "a typographic quotation mark", "'"),
    ('\u{2032}', "a prime", "'"),
    ('\u{b4}', "an acute accent", "'"),
    ('\u{201c}', "a typographic quotation mark", "\""),
    ('\u{201d}', "a typographic quotation mark", "\""),
    ('\u{201e}', "a typographic quotation mark", "\""),
    ('\u{2033}', "a double prime", "\""),
    ('\u{ab}', "a typographic quotation mark", "\""),
    ('\u{bb}', "a typographic quotation mark", "\""),
    ('\u{ff02}', "a full-width quotation mark", "\""),
    ('\u{2010}', "a typographic hyphen", "-"),
    ('\u{2011}', "a no-break hyphen", "-"),
    ('\u{2013}', "an en dash", "-"),
    ('\u{2014}', "an em dash", "-"),
    ('\u{2212}', "a minus sign", "-"),
    ('\u{ff1d}', "a full-width equals sign", "="),
    ('\u{ff0c}', "a full-width comma", ","),
    ('\u{2026}', "an ellipsis", "..."),
];

impl LookAlike {
    /// The first one in a text.
    pub(crate) fn first(text: &str) -> Option<Self> {
        text.char_indices().find_map(Self::known)
    }

    /// The last one in a text that looks like `plain`.
    pub(crate) fn last_of(text: &str, plain: char) -> Option<Self> {
        text.char_indices().rev().filter_map(Self::known).find(|found| found.plain.chars().eq([plain]))
    }

    fn known((offset, character): (usize, char)) -> Option<Self> {
        let (_, name, plain) = KNOWN.iter().find(|(known, ..)| *known == character)?;
        Some(Self { offset, character, name, plain })
    }

    /// "a no-break space (U+00A0) can't be used here"
    pub(crate) fn message(self) -> String {
        let visible = !self.character.is_whitespace() && !self.plain.starts_with("nothing");
        let shown = if visible { format!(" {}", self.character) } else { String::new() };
        format!("{}{shown} (U+{:04X}) can't be used here", self.name, u32::from(self.character))
    }

    /// What to write instead.
    pub(crate) fn way_out(self) -> String {
        match self.plain {
            "nothing" => "delete it".to_owned(),
            "a space" => "write a plain space".to_owned(),
            plain => format!("write {plain}"),
        }
    }
}
