//! The languages that a person wants, and the choice among those that there are: one negotiation for the pages, the names of
//! clients, and whatever else is localized.

/// At most so many wishes are read of each source; what follows is ignored.
const MAX_WISHES: usize = 32;
/// The longest language range that is read; BCP 47 tags in use are far shorter (RFC 5646 §4.4.1).
const MAX_RANGE: usize = 64;

/// The languages that a person wants, best first (a language priority list, RFC 4647 §2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Languages {
    /// Language ranges in lower case.
    wanted: Vec<String>,
    /// Ranges with the weight 0: "not acceptable" (RFC 9110 §12.4.2).
    refused: Vec<String>,
}

impl Languages {
    /// First `ui_locales` (OIDC Core §3.1.2.1: BCP 47 tags separated by spaces, best first), then the values of the
    /// `Accept-Language` header by their weight (RFC 9110 §12.5.4); of equal weights, the first.
    pub fn wanted<'h>(ui_locales: Option<&str>, accept_language: impl IntoIterator<Item = &'h str>) -> Self {
        let asked = ui_locales.unwrap_or_default().split_ascii_whitespace().take(MAX_WISHES).filter_map(range);
        let mut languages = Self { wanted: asked.collect(), refused: Vec::new() };
        let entries = accept_language.into_iter().flat_map(|value| value.split(',')).take(MAX_WISHES);
        let mut weighted: Vec<(u16, String)> = entries.filter_map(entry).collect();
        weighted.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        for (weight, range) in weighted {
            if weight == 0 { languages.refused.push(range) } else { languages.wanted.push(range) }
        }
        languages
    }

    /// What is available in the best language, by lookup (RFC 4647 §3.4): each range is shortened from its end until there
    /// is something, so `de-AT` is served by `de`. `available` is asked with tags in lower case.
    pub fn choose<T>(&self, available: impl Fn(&str) -> Option<T>) -> Option<T> {
        let ranges = self.wanted.iter().flat_map(|range| [Some(range.clone()), with_script(range)]).flatten();
        let mut tags = ranges.flat_map(|range| std::iter::successors(Some(range), |range| shortened(range)));
        tags.find_map(|tag| if self.refused.contains(&tag) { None } else { available(&tag) })
    }
}

/// A language range in lower case. `*` names no language and is left out, as lookup asks.
fn range(text: &str) -> Option<String> {
    let text = text.trim();
    let subtag = |subtag: &str| (1..=8).contains(&subtag.len()) && subtag.bytes().all(|b| b.is_ascii_alphanumeric());
    let valid = text.len() <= MAX_RANGE && text.split(['-', '_']).all(subtag);
    valid.then(|| text.to_ascii_lowercase().replace('_', "-"))
}

/// An entry of `Accept-Language`: its weight in thousandths, and its range.
fn entry(text: &str) -> Option<(u16, String)> {
    let mut parts = text.split(';');
    let range = range(parts.next()?)?;
    let weight = parts.find_map(|part| part.trim().strip_prefix(['q', 'Q'])?.strip_prefix('='));
    Some((weight.map_or(Some(1000), thousandths)?, range))
}

/// A `qvalue` (RFC 9110 §12.4.2), 0 to 1 with at most three digits after the point, in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let valid = matches!(whole, "0" | "1") && fraction.len() <= 3 && fraction.bytes().all(|b| b.is_ascii_digit());
    let weight = format!("{whole}{fraction:0<3}").parse().ok()?;
    (valid && weight <= 1000).then_some(weight)
}

/// A range without its last subtag, nor a singleton that then is the last (RFC 4647 §3.4).
fn shortened(range: &str) -> Option<String> {
    let (shorter, _) = range.rsplit_once('-')?;
    let shorter = match shorter.rsplit_once('-') {
        Some((before, singleton)) if singleton.len() == 1 => before,
        _ => shorter,
    };
    Some(shorter.to_owned())
}

/// A Chinese range that names no script, with the one that its region writes: tags of Chinese texts name the script, browsers
/// the region.
fn with_script(range: &str) -> Option<String> {
    let mut subtags = range.split('-');
    let rest: Vec<&str> = if subtags.next()? == "zh" { subtags.collect() } else { return None };
    if rest.iter().any(|subtag| subtag.len() == 4) {
        return None;
    }
    let traditional = ["tw", "hk", "mo"].iter().any(|region| rest.contains(region));
    let script = if traditional { "hant" } else { "hans" };
    Some(["zh", script].into_iter().chain(rest).collect::<Vec<_>>().join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(ui_locales: Option<&str>, header: &[&str], available: &[&str]) -> Option<String> {
        let languages = Languages::wanted(ui_locales, header.iter().copied());
        languages.choose(|tag| available.iter().find(|known| **known == tag).map(|tag| (*tag).to_owned()))
    }

    #[test]
    fn the_best_wish_that_can_be_met_is() {
        let available = ["en", "de", "fr", "es", "pt-br", "sr-latn"];
        for (ui_locales, header, expected) in [
            (Some("fr-CA en"), &["de"][..], Some("fr")),
            (Some("tlh xx-YY"), &["de"], Some("de")),
            (None, &["it, de;q=0.4, es-419;q=0.9, *;q=0.1"], Some("es")),
            (None, &["de;q=0, fr;q=0.001"], Some("fr")),
            (None, &["de;q=0, de-AT, fr;q=0.1"], Some("fr")),
            (None, &["de;q=nonsense, *"], None),
            (None, &["de;q=2, fr;q=0.5"], Some("fr")),
            (None, &["de;q=0.1234, fr;q=0.1"], Some("fr")),
            (None, &["de ; q=0.5 , fr ; Q=0.5"], Some("de")),
            (None, &["it", "de;q=0.1"], Some("de")),
            (None, &["PT-br-x-private"], Some("pt-br")),
            (None, &["pt"], None),
            (None, &["sr-Latn-RS"], Some("sr-latn")),
            (None, &["de--AT, -, d\u{e9}"], None),
            (Some(""), &[], None),
        ] {
            assert_eq!(chosen(ui_locales, header, &available).as_deref(), expected, "{ui_locales:?} {header:?}");
        }
    }

    #[test]
    fn chinese_is_chosen_by_its_script() {
        let available = ["en", "zh-hans"];
        for range in ["zh", "zh-CN", "zh-SG", "zh_Hans_HK", "ZH-hans"] {
            assert_eq!(chosen(Some(range), &["en"], &available).as_deref(), Some("zh-hans"), "{range}");
        }
        for range in ["zh-TW", "zh-Hant", "zh-Hant-HK", "zh-MO"] {
            assert_eq!(chosen(Some(range), &["en"], &available).as_deref(), Some("en"), "{range}");
        }
        assert_eq!(chosen(Some("zh-CN"), &[], &["zh", "zh-hans"]).as_deref(), Some("zh"));
    }

    #[test]
    fn a_stranger_cannot_make_it_long() {
        let many = "it,".repeat(100_000);
        assert_eq!(Languages::wanted(Some(&"it ".repeat(100_000)), [many.as_str()]).wanted.len(), 2 * MAX_WISHES);
        assert_eq!(chosen(None, &[&"a-".repeat(100_000)], &["a"]), None);
    }
}
