//! The cookies: what they are called, how they are set. `__Host-`, `HttpOnly`, `SameSite=Lax` (RFC 6265bis §4.1).

use axum::http::{HeaderMap, HeaderValue, header};

use crate::op::outcome::{Browser, SetCookie};
use crate::snapshot::issuer::Issuer;

/// Longest that a remembered provider choice lives, in seconds.
const REMEMBERED: i64 = 180 * 86_400;
/// Most cookies of one name that are looked at.
const SAME_NAME: usize = 4;

/// What the browser brought along.
#[must_use]
pub fn read(headers: &HeaderMap, issuer: &Issuer) -> Browser {
    let names = &issuer.cookies;
    Browser {
        session: value(headers, &names.session).filter(|secret| is_secret(secret)).map(str::to_owned),
        binding: value(headers, &names.browser).filter(|secret| is_secret(secret)).map(str::to_owned),
        last_provider: value(headers, &names.provider).filter(|id| id.len() <= 63).map(str::to_owned),
    }
}

/// What our secrets look like: anything else is not worth a look-up.
fn is_secret(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// The value of a cookie. When it came several times somebody planted one: none of them counts.
fn value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut found = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .take(SAME_NAME);
    let first = found.next()?;
    found.all(|other| other == first).then_some(first)
}

/// A `Set-Cookie` value.
#[must_use]
pub fn write(cookie: &SetCookie, issuer: &Issuer) -> Option<HeaderValue> {
    let names = &issuer.cookies;
    let (name, value, max_age) = match cookie {
        SetCookie::Session(secret) => (&names.session, secret.as_str(), None),
        SetCookie::EndSession => (&names.session, "", Some(0)),
        SetCookie::Binding(secret) => (&names.browser, secret.as_str(), None),
        SetCookie::LastProvider(id) => (&names.provider, id.as_str(), Some(REMEMBERED)),
    };
    let secure = if issuer.secure { "; Secure" } else { "" };
    let max_age = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{max_age}");
    HeaderValue::try_from(text).ok()
}
