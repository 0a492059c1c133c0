//! What a browser remembers of the providers that it used: the last one of all, and the last one for each of a few apps.
//!
//! The cookie is only a convenience. It holds ids of providers, which the sign-in page shows anyway, and short hashes of the
//! keys of apps; what is in it is offered first and never chosen without the person.

use crate::digest::sha256_hex;

/// Apps for which a provider is remembered.
const APPS: usize = 8;
/// The longest id of a provider.
const LONGEST: usize = 63;

/// The providers that a browser used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastProviders {
    last: Option<String>,
    /// By app, the latest first.
    by_app: Vec<(String, String)>,
}

/// An app in the cookie.
fn mark(client: &str) -> String {
    sha256_hex(client.as_bytes()).chars().take(8).collect()
}

impl LastProviders {
    /// Reads a cookie: `PROVIDER`, then `~APP:PROVIDER` for each app. What is not of this form is left out.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let is_id = |id: &str| {
            (1..=LONGEST).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        };
        let is_mark = |app: &str| app.len() == 8 && app.bytes().all(|b| b.is_ascii_hexdigit());
        let mut parts = text.split('~');
        let last = parts.next().filter(|id| is_id(id)).map(str::to_owned);
        let pairs = parts.filter_map(|part| part.split_once(':')).filter(|(app, id)| is_mark(app) && is_id(id));
        Self { last, by_app: pairs.take(APPS).map(|(app, id)| (app.to_owned(), id.to_owned())).collect() }
    }

    /// As the cookie has it.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.last.clone().unwrap_or_default();
        for (app, id) in &self.by_app {
            text.push_str(&format!("~{app}:{id}"));
        }
        text
    }

    /// The provider that was used last for this app, or last of all where none is known.
    #[must_use]
    pub fn of(&self, client: Option<&str>) -> Option<&str> {
        let app = client.map(mark);
        let own = self.by_app.iter().find(|(known, _)| Some(known) == app.as_ref()).map(|(_, id)| id);
        own.or(self.last.as_ref()).map(String::as_str)
    }

    /// After a sign-in through this provider, for an app or for the broker's own pages.
    #[must_use]
    pub fn after(&self, provider: &str, client: Option<&str>) -> Self {
        let mut by_app = self.by_app.clone();
        if let Some(app) = client.map(mark) {
            by_app.retain(|(known, _)| *known != app);
            by_app.insert(0, (app, provider.to_owned()));
            by_app.truncate(APPS);
        }
        Self { last: Some(provider.to_owned()), by_app }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_app_has_its_own_and_the_others_the_last() {
        let used = LastProviders::default().after("staff", Some("wiki")).after("partner", Some("shop"));
        let read = LastProviders::parse(&used.text());
        assert_eq!(read, used);
        assert_eq!(read.of(Some("wiki")), Some("staff"));
        assert_eq!(read.of(Some("shop")), Some("partner"));
        assert_eq!((read.of(Some("new")), read.of(None)), (Some("partner"), Some("partner")));
        let again = read.after("partner", Some("wiki")).after("staff", None);
        assert_eq!((again.of(Some("wiki")), again.of(None)), (Some("partner"), Some("staff")));
    }

    #[test]
    fn the_cookie_stays_small_and_nothing_odd_is_read() {
        let many = (0..50).fold(LastProviders::default(), |used, n| used.after("x", Some(&format!("app-{n}"))));
        assert_eq!(many.by_app.len(), APPS);
        assert_eq!(many.of(Some("app-49")), Some("x"));
        for (text, last) in [("staff", Some("staff")), ("", None), ("<b>", None), ("a b~c", None)] {
            assert_eq!(LastProviders::parse(text).of(None), last, "{text}");
        }
        let odd = LastProviders::parse("staff~x:y~12345678:<b>~12345678~~:~\"1,3456\\:bad~12345678:good");
        assert_eq!(odd.by_app, [("12345678".to_owned(), "good".to_owned())]);
    }
}
