//! Requests to a provider as they are written, and their addresses in errors.

use http::header::{HeaderValue, InvalidHeaderValue};
use url::Url;

use crate::config::language::scalar::SecretValue;
use crate::upstream::error::{Document, Unavailable, UnavailableProblem};

/// A request to `url`; building it fails only for what no URL here can hold.
pub(crate) fn request(method: http::Method, url: &Url) -> http::request::Builder {
    http::Request::builder().method(method).uri(url.as_str())
}

/// A value of the header `Authorization`, marked as a secret.
pub(crate) fn authorization(value: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(value)?;
    value.set_sensitive(true);
    Ok(value)
}

/// An access token in the header `Authorization` (RFC 6750 §2.1); `None` if it has characters that no header can have.
pub(crate) fn bearer(token: &SecretValue) -> Option<HeaderValue> {
    authorization(&format!("Bearer {}", token.expose())).ok()
}

/// The request could not even be written.
pub(crate) const fn unusable(document: Document) -> Unavailable {
    Unavailable { document, url: None, problem: UnavailableProblem::Malformed("its URL can't be called") }
}

/// The longest URL in an error, in bytes. URLs have no secrets: a password in one is refused before it is called.
const LONGEST_URL: usize = 256;

/// A URL for errors.
pub(crate) fn shown(url: &Url) -> Box<str> {
    cut(url.as_str())
}

/// The same of a URL as text.
pub(crate) fn cut(url: &str) -> Box<str> {
    // Without a query, which a provider may have put anything into.
    let url = url.split('?').next().unwrap_or_default();
    match url.get(..url.floor_char_boundary(LONGEST_URL)) {
        Some(cut) if cut.len() < url.len() => format!("{cut}...").into(),
        _ => url.into(),
    }
}
