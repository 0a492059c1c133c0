//! Passwords in URLs: finding them in a text, so that no problem, origin or log shows them.
//!
//! A URL contains a password in its user information (`scheme://user:PASSWORD@host`, RFC 3986 §3.2.1) or in a query parameter
//! such as `password`. The URLs of interest are often malformed, so a parser is no help: the rules work on text, and if a text
//! can be read in two ways, they hide the longer part.
//!
//! Owns where passwords are within a text. Which texts are shown is decided elsewhere.

use std::borrow::Cow;
use std::ops::Range;

/// What is shown instead of a secret.
pub(crate) const MASK: &str = "***";

/// Whether the name of a key or query parameter indicates a secret.
pub(crate) fn sounds_secret(key: &str) -> bool {
    const WORDS: &[&str] = &[
        "secret",
        "password",
        "passwd",
        "pwd",
        "passphrase",
        "token",
        "private",
        "client_key",
        "api_key",
        "apikey",
        "encryption_key",
        "signing_key",
        "credential",
        "bearer",
        "hmac",
    ];
    let key = key.to_ascii_lowercase().replace('-', "_");
    WORDS.iter().any(|word| key.contains(word))
}

/// The passwords of all URLs in one whole value, in bytes. A password may contain any character.
pub(crate) fn in_value(value: &str) -> Vec<Range<usize>> {
    in_urls(value, |_| value.len())
}

/// The passwords of all URLs in running text, where a quotation mark or white space ends a URL.
pub(crate) fn in_text(text: &str) -> Vec<Range<usize>> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '<' | '>');
    in_urls(text, |start| text.get(start..).and_then(|rest| rest.find(ends)).map_or(text.len(), |end| start + end))
}

/// The password of a connection URL, which may lack its scheme or be a list of `key=value`. `sqlite:` URLs have none.
pub(crate) fn in_connection_url(value: &str) -> Vec<Range<usize>> {
    if value.starts_with("sqlite:") {
        return in_value(value);
    }
    let start = value.find("://").map_or(0, |scheme| scheme + 3);
    let rest = value.get(start..).unwrap_or("");
    // An IPv6 address in brackets contains colons.
    let skipped = if rest.starts_with('[') { rest.find(']').unwrap_or(0) } else { 0 };
    let mut found = parameters(value, 0, value.len(), true);
    let colon = rest.get(skipped..).and_then(|rest| rest.find(':')).map(|colon| start + skipped + colon + 1);
    if let Some(from) = colon {
        let after = value.get(from..).unwrap_or("");
        match after.rfind('@') {
            Some(at) => found.push(from..from + at),
            None if start > 0 && !begins_with_port(after) => found.push(from..value.len()),
            None => {}
        }
    }
    found
}

/// A whole value with its passwords masked.
pub(crate) fn value(value: &str) -> Cow<'_, str> {
    replaced(value, in_value(value))
}

/// Running text with the passwords of its URLs masked.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    replaced(text, in_text(text))
}

/// A connection URL with its password masked.
pub(crate) fn connection_url(value: &str) -> Cow<'_, str> {
    replaced(value, in_connection_url(value))
}

/// A text with [`MASK`] in place of each range.
fn replaced(text: &str, mut ranges: Vec<Range<usize>>) -> Cow<'_, str> {
    if ranges.is_empty() {
        return text.into();
    }
    ranges.sort_by_key(|range| range.start);
    let mut out = String::with_capacity(text.len());
    let mut shown = 0;
    for range in ranges {
        if range.start >= shown {
            out.push_str(text.get(shown..range.start).unwrap_or(""));
            out.push_str(MASK);
        }
        shown = shown.max(range.end);
    }
    out.push_str(text.get(shown..).unwrap_or(""));
    out.into()
}

/// `end_of` returns the byte at which a URL ends whose authority begins at a given byte.
fn in_urls(text: &str, end_of: impl Fn(usize) -> usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (scheme, separator) in text.match_indices("://") {
        let start = scheme + separator.len();
        let end = end_of(start);
        found.extend(user_information(text, start, end));
        found.extend(parameters(text, start, end, false));
    }
    found
}

/// The password in the user information of the URL whose authority begins at `start`.
fn user_information(text: &str, start: usize, end: usize) -> Option<Range<usize>> {
    let url = text.get(start..end)?;
    let user = url.find(|c: char| c.is_whitespace() || ":/?#@\"'`<>()[]{}".contains(c))?;
    let after = url.get(user..)?.strip_prefix(':')?;
    let from = start + user + 1;
    let authority = after.find(['/', '?', '#']).unwrap_or(after.len());
    let at = after.get(..authority)?.rfind('@');
    // An unencoded `/`, `?` or `#` in a password ends the authority early; an `@` further on shows that.
    let at = at.or_else(|| if begins_with_port(after) { None } else { after.rfind('@') })?;
    Some(from..from + at)
}

/// Whether what follows a colon is the port of an authority.
fn begins_with_port(after: &str) -> bool {
    let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = after.len() - rest.len();
    digits <= 5 && !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '@' | ':' | '%' | '-' | '_' | '.'))
}

/// The values of query parameters whose names indicate secrets. With `anywhere`, also those of a list of `key=value` without a
/// leading `?`.
fn parameters(text: &str, start: usize, end: usize, anywhere: bool) -> Vec<Range<usize>> {
    let url = text.get(start..end).unwrap_or("");
    let mut found = Vec::new();
    for (equals, _) in url.match_indices('=') {
        let before = url.get(..equals).unwrap_or("").trim_end();
        let separator = before.rfind(|c: char| "?&;".contains(c) || (anywhere && c.is_whitespace()));
        let Some(name) = separator.map(|at| at + 1).or(if anywhere { Some(0) } else { None }) else { continue };
        let name = before.get(name..).unwrap_or("");
        // The name may be percent-encoded.
        let secret = url::form_urlencoded::parse(name.as_bytes()).any(|(name, _)| sounds_secret(&name));
        if secret {
            let from = equals + 1;
            let len = url.get(from..).map_or(0, |value| value.find('&').unwrap_or(value.len()));
            found.push(start + from..start + from + len);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_of_a_url_is_masked_and_nothing_else() {
        for (given, shown) in [
            ("postgres://u:p@h/db", "postgres://u:***@h/db"),
            ("postgres://u:p@ss@h/db", "postgres://u:***@h/db"),
            ("postgres://u:p%40%3A%2F@h:5432/db", "postgres://u:***@h:5432/db"),
            ("postgres://u:p/w@h/db", "postgres://u:***@h/db"),
            ("postgres://u:p?w#x@h/db", "postgres://u:***@h/db"),
            ("postgres://:p@h/db", "postgres://:***@h/db"),
            ("http://u:a b'c\"d@h", "http://u:***@h"),
            ("postgres://h/db?user=u&password=p&x=1", "postgres://h/db?user=u&password=***&x=1"),
            ("postgres://h/db?sslpassword=p#q", "postgres://h/db?sslpassword=***"),
            ("postgres://h/db?p%61ssword=p", "postgres://h/db?p%61ssword=***"),
            ("a https://u:p@h b https://v:q@h", "a https://u:***@h b https://v:***@h"),
            ("https://h:8443/@user", "https://h:8443/@user"),
            ("https://user@h/x:y@z", "https://user@h/x:y@z"),
            ("https://[::1]:80/a@b", "https://[::1]:80/a@b"),
            ("x == 'https://a' ? 'b' : 'c@d'", "x == 'https://a' ? 'b' : 'c@d'"),
            ("mailto:a@b", "mailto:a@b"),
        ] {
            assert_eq!(value(given), shown);
        }
    }

    #[test]
    fn in_running_text_a_url_ends_with_its_quotation_mark() {
        for (given, shown) in [
            ("is \"postgres://u:p@h\" and \"x@y\"", "is \"postgres://u:***@h\" and \"x@y\""),
            ("[\"https://h:80\", \"a@b\"]", "[\"https://h:80\", \"a@b\"]"),
        ] {
            assert_eq!(text(given), shown);
        }
    }

    #[test]
    fn a_connection_url_may_be_no_url_and_keeps_its_password_all_the_same() {
        for (given, shown) in [
            ("postgres://u:p@h/db", "postgres://u:***@h/db"),
            ("postgres://u:1/2@h/db", "postgres://u:***@h/db"),
            ("postgres://u:p", "postgres://u:***"),
            ("u:p@proxy:3128", "u:***@proxy:3128"),
            ("postgres:/u:p@h", "postgres:***@h"),
            ("postgres:u:p@h", "postgres:***@h"),
            ("host=h password=p w", "host=h password=***"),
            ("password = 'p'", "password =***"),
            ("http://proxy.example:3128/", "http://proxy.example:3128/"),
            ("http://[::1]:3128", "http://[::1]:3128"),
            ("proxy:3128", "proxy:3128"),
            ("sqlite:state/a:b@c.db", "sqlite:state/a:b@c.db"),
            ("sqllite:state.db", "sqllite:state.db"),
        ] {
            assert_eq!(connection_url(given), shown);
        }
    }
}
