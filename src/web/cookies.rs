//! The cookies: what is read of them and how they are set. `__Host-`, `HttpOnly`, `SameSite=Lax` (RFC 6265bis §4.1).

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::time::Duration;
use cookie::{Cookie, SameSite};

use crate::op::interaction::LIFETIME;
use crate::op::last_provider::LastProviders;
use crate::op::outcome::{Browser, SetCookie};
use crate::snapshot::issuer::Issuer;
use crate::store::model::TokenHash;

/// How long a browser remembers the provider that was used last.
const REMEMBERED: Duration = Duration::days(180);

/// How long a browser keeps what binds sign-ins to it, counted from the last one that began: longer than a sign-in may take.
const BINDING_KEPT: Duration = Duration::seconds(2 * LIFETIME);

/// The longest secret id of a request that waits, in characters: a secret with the mark of its client.
const LONGEST_ID: usize = 128;

/// The longest list of providers that were used last, in bytes.
const LONGEST_LIST: usize = 1024;

/// Binding secrets that are looked at, of those that a browser brings.
const MOST_BINDINGS: usize = 16;

/// What the browser brought along.
#[must_use]
pub fn read(headers: &HeaderMap, issuer: &Issuer) -> Browser {
    let names = &issuer.cookies;
    let [session, last_providers, waiting, break_glass] =
        values(headers, [&names.session, &names.provider, &names.waiting, &names.break_glass]);
    Browser {
        session: session.filter(|secret| is_secret(secret)),
        bindings: bindings(headers, &names.browser),
        last_providers: last_providers
            .filter(|text| text.len() <= LONGEST_LIST)
            .map_or_else(LastProviders::default, |text| LastProviders::parse(&text)),
        waiting: waiting.filter(|id| id.len() <= LONGEST_ID),
        break_glass: break_glass.is_some(),
    }
}

/// The binding secrets. Each has a cookie of its own name, so that answers to requests that were sent at the same time, before
/// any cookie was there, don't overwrite each other's. A cookie whose name does not match its value was planted.
fn bindings(headers: &HeaderMap, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    for cookie in pairs(headers).filter_map(parse).filter(|cookie| cookie.name().starts_with(name)) {
        let secret = cookie.value();
        let ours = is_secret(secret) && cookie.name() == binding_name(name, secret);
        if ours && !found.iter().any(|known| known == secret) && found.len() < MOST_BINDINGS {
            found.push(secret.to_owned());
        }
    }
    found
}

/// The name of the cookie with this binding secret.
fn binding_name(name: &str, secret: &str) -> String {
    let TokenHash([first, second, third, fourth, ..]) = TokenHash::of(secret);
    format!("{name}-{:08x}", u32::from_be_bytes([first, second, third, fourth]))
}

/// The cookies of the header, not parsed yet.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(header::COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'))
}

/// What our secrets look like: anything else is not worth a look-up.
fn is_secret(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The values of the cookies with these names. A name that came with different values has none: one of them was planted, and
/// nothing says which.
#[must_use]
pub fn values<const N: usize>(headers: &HeaderMap, names: [&str; N]) -> [Option<String>; N] {
    let mut found: [Option<Option<String>>; N] = [const { None }; N];
    for cookie in pairs(headers).filter_map(parse) {
        for (name, found) in names.iter().zip(&mut found) {
            if cookie.name() != *name {
                continue;
            }
            match found {
                None => *found = Some(Some(cookie.value().to_owned())),
                Some(earlier) if earlier.as_deref() != Some(cookie.value()) => *earlier = None,
                Some(_) => {}
            }
        }
    }
    found.map(Option::flatten)
}

/// One cookie of the header. Those with other bytes than ASCII are not ours, and are left out one by one: parsers trim Unicode
/// white space, browsers do not, so that one named `U+2000 __Host-x` would pass the browser's rules for the prefix and be
/// taken for `__Host-x` here.
fn parse(pair: &[u8]) -> Option<Cookie<'_>> {
    if !pair.is_ascii() {
        return None;
    }
    Cookie::parse(std::str::from_utf8(pair).ok()?).ok()
}

/// A `Set-Cookie` value.
#[must_use]
pub fn write(cookie: &SetCookie, issuer: &Issuer) -> Option<HeaderValue> {
    let names = &issuer.cookies;
    let mut list = None;
    let (name, value, max_age) = match cookie {
        SetCookie::Session(secret) => (names.session.clone(), secret.as_str(), None),
        SetCookie::EndSession => (names.session.clone(), "", Some(Duration::ZERO)),
        SetCookie::Binding(secret) => (binding_name(&names.browser, secret), secret.as_str(), Some(BINDING_KEPT)),
        SetCookie::LastProviders(used) => (names.provider.clone(), list.insert(used.text()).as_str(), Some(REMEMBERED)),
        SetCookie::Waiting(id) => (names.waiting.clone(), id.as_str(), Some(Duration::seconds(LIFETIME))),
        SetCookie::BreakGlass(seconds) => (names.break_glass.clone(), "1", Some(Duration::seconds(*seconds))),
    };
    let mut cookie =
        Cookie::build((name, value)).path("/").http_only(true).same_site(SameSite::Lax).secure(issuer.secure).build();
    cookie.set_max_age(max_age);
    HeaderValue::try_from(cookie.to_string()).ok()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn read_x(lines: &[&[u8]]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, HeaderValue::from_bytes(line).unwrap());
        }
        let [value] = values(&headers, ["__Host-x"]);
        value
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        for (lines, expected) in [
            (&[&b"__Host-x=1"[..]][..], Some("1")),
            (&[b"a=2; __Host-x=1;b=3"], Some("1")),
            (&[b"a=2", b"__Host-x=1"], Some("1")),
            (&[b"a=\xe9; __Host-x=1; \xff=3"], Some("1")),
            (&["a=ü; __Host-x=1".as_bytes()], Some("1")),
            (&[b"no cookie; =; __Host-x=1"], Some("1")),
            (&[b"__Host-x=1; __Host-x=1"], Some("1")),
            (&[b"__Host-x=a=b"], Some("a=b")),
            (&[b"__Host-x="], Some("")),
            (&[b"__Host-X=1; __host-x=1; __Host-xx=1"], None),
            (&[b""], None),
            (&[], None),
        ] {
            assert_eq!(read_x(lines).as_deref(), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_cookie_that_came_with_different_values_counts_for_nothing() {
        for lines in [
            &[&b"__Host-x=1; __Host-x=2"[..]][..],
            &[b"__Host-x=1", b"__Host-x=2"],
            &[b"__Host-x=1; __Host-x=2; __Host-x=1"],
            &[b"__Host-x=; __Host-x=1"],
        ] {
            assert_eq!(read_x(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn a_name_in_disguise_is_another_name() {
        for line in ["\u{2000}__Host-x=1", "\u{85}__Host-x=1", "__Host-x\u{a0}=1", "__Host-x=1\u{3000}"] {
            assert_eq!(read_x(&[line.as_bytes()]), None, "{line:?}");
        }
    }
}
