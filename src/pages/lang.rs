//! The languages of the pages. The texts themselves are in `messages`, what a person wants is in `languages`.

use crate::pages::languages::Languages;

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lang {
    /// English, the reference.
    En,
    /// German.
    De,
    /// French.
    Fr,
    /// Spanish.
    Es,
    /// Japanese.
    Ja,
    /// Chinese in simplified characters.
    ZhHans,
}

impl Lang {
    /// Every language.
    pub const ALL: &'static [Self] = &[Self::En, Self::De, Self::Fr, Self::Es, Self::Ja, Self::ZhHans];

    /// The BCP 47 tag, as in `<html lang>` and in discovery's `ui_locales_supported`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Fr => "fr",
            Self::Es => "es",
            Self::Ja => "ja",
            Self::ZhHans => "zh-Hans",
        }
    }

    /// The language of a tag, written exactly as [`Self::tag`] does.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|lang| lang.tag() == tag)
    }

    /// The direction that the language is written in: `ltr` or `rtl`, as in `<html dir>`.
    #[must_use]
    pub const fn dir(self) -> &'static str {
        match self {
            Self::En | Self::De | Self::Fr | Self::Es | Self::Ja | Self::ZhHans => "ltr",
        }
    }

    /// The language of a page for a person; English where none of the wanted languages is available.
    #[must_use]
    pub fn choose(languages: &Languages) -> Self {
        let of_tag = |tag: &str| Self::ALL.iter().copied().find(|lang| lang.tag().eq_ignore_ascii_case(tag));
        languages.choose(of_tag).unwrap_or(Self::En)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_in_the_language_wanted_or_in_english() {
        for (ui_locales, header, expected) in [
            (Some("fr-CA en"), "de", Lang::Fr),
            (None, "it, ja;q=0.9", Lang::Ja),
            (None, "zh-CN", Lang::ZhHans),
            (None, "zh-TW", Lang::En),
            (None, "it", Lang::En),
        ] {
            assert_eq!(Lang::choose(&Languages::wanted(ui_locales, [header])), expected, "{ui_locales:?} {header}");
        }
    }
}
