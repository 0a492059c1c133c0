//! Moments as pages show them: the date as the language writes it, in UTC, because without script a page does not know where
//! the person is.

use chrono::DateTime;

use crate::pages::lang::Lang;

/// A moment, in seconds since the Unix epoch. Empty for one that no calendar has.
#[must_use]
pub fn moment(lang: Lang, seconds: i64) -> String {
    let format = match lang {
        Lang::En => "%-d %b %Y, %H:%M UTC",
        Lang::De => "%d.%m.%Y, %H:%M UTC",
        Lang::Fr => "%d/%m/%Y %H:%M UTC",
        Lang::Es => "%d/%m/%Y, %H:%M UTC",
        Lang::Ja | Lang::ZhHans => "%Y/%m/%d %H:%M UTC",
    };
    DateTime::from_timestamp(seconds, 0).map(|time| time.format(format).to_string()).unwrap_or_default()
}

/// The same as an element that programs can read (HTML, the `time` element).
pub(super) fn element(lang: Lang, seconds: i64) -> String {
    let machine = DateTime::from_timestamp(seconds, 0).map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string());
    format!("<time datetime=\"{}\">{}</time>", machine.unwrap_or_default(), moment(lang, seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_the_language_does() {
        for (lang, expected) in [
            (Lang::En, "1 Nov 2026, 14:05 UTC"),
            (Lang::De, "01.11.2026, 14:05 UTC"),
            (Lang::Fr, "01/11/2026 14:05 UTC"),
            (Lang::Es, "01/11/2026, 14:05 UTC"),
            (Lang::Ja, "2026/11/01 14:05 UTC"),
            (Lang::ZhHans, "2026/11/01 14:05 UTC"),
        ] {
            assert_eq!(moment(lang, 1_793_541_900), expected);
        }
        assert_eq!(moment(Lang::En, i64::MAX), "");
        assert_eq!(
            element(Lang::En, 1_793_541_900),
            "<time datetime=\"2026-11-01T14:05:00Z\">1 Nov 2026, 14:05 UTC</time>"
        );
    }
}
