//! The languages of the pages, and which one a person gets. The texts themselves are in `messages`.

/// At most so many wishes of a browser are looked at; what follows is ignored.
const MAX_WISHES: usize = 32;

/// A language that the pages speak.
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

    /// The language for a person: the first of `ui_locales` (OIDC Core §3.1.2.1: BCP 47 tags, separated by spaces, best
    /// first) that is spoken here, else the best of the `Accept-Language` header (RFC 9110 §12.5.4), else English.
    #[must_use]
    pub fn negotiate(ui_locales: Option<&str>, accept_language: Option<&str>) -> Self {
        let asked = ui_locales.unwrap_or_default().split_ascii_whitespace().take(MAX_WISHES).find_map(Self::of_range);
        asked.or_else(|| best_of_header(accept_language.unwrap_or_default())).unwrap_or(Self::En)
    }

    /// The language that serves a BCP 47 range: `de-AT` is served by `de`, traditional Chinese by none.
    fn of_range(range: &str) -> Option<Self> {
        let range = range.to_ascii_lowercase();
        let mut subtags = range.split(['-', '_']);
        match subtags.next()? {
            "en" => Some(Self::En),
            "de" => Some(Self::De),
            "fr" => Some(Self::Fr),
            "es" => Some(Self::Es),
            "ja" => Some(Self::Ja),
            "zh" => {
                let subtags: Vec<&str> = subtags.collect();
                let traditional = ["hant", "tw", "hk", "mo"].iter().any(|subtag| subtags.contains(subtag));
                (subtags.contains(&"hans") || !traditional).then_some(Self::ZhHans)
            }
            _ => None,
        }
    }
}

/// The language of the highest weight in an `Accept-Language` header; of equals, the first. A weight of 0 means "not this".
fn best_of_header(header: &str) -> Option<Lang> {
    let mut best: Option<(f32, Lang)> = None;
    for wish in header.split(',').take(MAX_WISHES) {
        let mut parts = wish.split(';');
        let Some(lang) = parts.next().and_then(|range| Lang::of_range(range.trim())) else { continue };
        let weight = match parts.find_map(|part| part.trim().strip_prefix("q=")) {
            Some(weight) => weight.trim().parse().unwrap_or(0.0),
            None => 1.0,
        };
        if weight > best.map_or(0.0, |(of, _)| of) {
            best = Some((weight, lang));
        }
    }
    best.map(|(_, lang)| lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ui_locales_go_before_the_header() {
        assert_eq!(Lang::negotiate(Some("fr-CA en"), Some("de")), Lang::Fr);
        assert_eq!(Lang::negotiate(Some("tlh xx-YY"), Some("ja")), Lang::Ja);
        assert_eq!(Lang::negotiate(Some(""), None), Lang::En);
        assert_eq!(Lang::negotiate(None, None), Lang::En);
    }

    #[test]
    fn the_header_is_weighed() {
        assert_eq!(Lang::negotiate(None, Some("it, de;q=0.4, es-419;q=0.9, *;q=0.1")), Lang::Es);
        assert_eq!(Lang::negotiate(None, Some("de;q=0, fr;q=0.001")), Lang::Fr);
        assert_eq!(Lang::negotiate(None, Some("de;q=nonsense, *")), Lang::En);
        assert_eq!(Lang::negotiate(None, Some("de ; q=0.5 , fr ; q=0.5")), Lang::De);
        assert_eq!(Lang::negotiate(None, Some(&"it,".repeat(100_000))), Lang::En);
    }

    #[test]
    fn simplified_chinese_serves_only_those_who_read_it() {
        for range in ["zh", "zh-CN", "zh-SG", "zh_Hans_HK", "ZH-hans"] {
            assert_eq!(Lang::negotiate(Some(range), None), Lang::ZhHans, "{range}");
        }
        for range in ["zh-TW", "zh-Hant", "zh-Hant-HK", "zh-MO"] {
            assert_eq!(Lang::negotiate(Some(range), Some("en")), Lang::En, "{range}");
        }
    }
}
