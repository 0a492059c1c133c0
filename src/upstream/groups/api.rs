//! Calls to the API of a provider, beyond the endpoints of OAuth and OpenID Connect: with a bearer token, and bounded in
//! number, size and time.
//!
//! What the answers mean is the caller's. A status that is no success becomes an error here: one that says that the caller may
//! not ask (a [denial](UnavailableProblem::Denied)), or one that says nothing about it.

use std::sync::Arc;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use serde_json::Value;
use url::Url;

use crate::config::language::scalar::SecretValue;
use crate::env::Stopwatch;
use crate::upstream::credentials::bearer;
use crate::upstream::error::{Document, Unavailable, UnavailableProblem};
use crate::upstream::groups::cache::LONGEST_PAUSE;
use crate::upstream::provider::{Upstream, request, shown, unusable};

/// The most calls for one purpose: a list of more pages is refused.
const MAX_CALLS: usize = 64;
/// The longest time for one purpose, in seconds. Each call has its own, shorter limit.
const MAX_SECONDS: f64 = 10.0;
/// How long a service that throttles is left alone, in seconds, when it does not say.
const PAUSE: i64 = 30;

/// The calls for one purpose, such as fetching the groups of one person.
pub(crate) struct Api<'a> {
    upstream: &'a Arc<Upstream>,
    document: Document,
    /// What the operator has to do when the service refuses to answer.
    way_out: &'static str,
    /// The time.
    pub(crate) now: i64,
    calls: usize,
    watch: Stopwatch,
}

/// A list of which one page was read.
pub(crate) struct Page {
    /// The headers of the answer.
    pub(crate) headers: HeaderMap,
    /// The answer.
    pub(crate) body: Value,
}

impl<'a> Api<'a> {
    pub(crate) fn new(upstream: &'a Arc<Upstream>, document: Document, way_out: &'static str, now: i64) -> Self {
        Self { upstream, document, way_out, now, calls: 0, watch: Stopwatch::start() }
    }

    /// Reads a JSON document.
    pub(crate) async fn get(&mut self, url: &Url, token: &SecretValue) -> Result<Page, Unavailable> {
        let call = request(http::Method::GET, url).body(Vec::new());
        self.send(url, Some(token), call).await
    }

    /// Posts a JSON document, and reads one.
    pub(crate) async fn post(&mut self, url: &Url, token: &SecretValue, body: &Value) -> Result<Page, Unavailable> {
        let call = request(http::Method::POST, url).header(CONTENT_TYPE, "application/json");
        self.send(url, Some(token), call.body(body.to_string().into_bytes())).await
    }

    /// Posts a form without any authentication but what it contains, and reads a JSON document.
    pub(crate) async fn post_form(&mut self, url: &Url, form: &[(&str, &str)]) -> Result<Page, Unavailable> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let call = request(http::Method::POST, url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(url, None, call.body(body.into_bytes())).await
    }

    async fn send(
        &mut self,
        url: &Url,
        token: Option<&SecretValue>,
        call: Result<http::Request<Vec<u8>>, http::Error>,
    ) -> Result<Page, Unavailable> {
        if self.calls >= MAX_CALLS {
            return Err(self.failed(url, UnavailableProblem::Malformed("its list does not end")));
        }
        if self.watch.seconds() > MAX_SECONDS {
            return Err(self.failed(url, UnavailableProblem::Malformed("it takes too long in all")));
        }
        self.calls += 1;
        let mut call = call.map_err(|_| unusable(self.document))?;
        call.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = token {
            let unsendable = || self.failed(url, UnavailableProblem::Malformed("its access token can't be sent"));
            call.headers_mut().insert(AUTHORIZATION, bearer(token).ok_or_else(unsendable)?);
        }
        let answer = self.upstream.call_api(self.document, call, self.now).await?;
        let problem = match answer.status().as_u16() {
            200 => {
                let read = serde_json::from_slice::<Value>(answer.body());
                let body = read.ok().filter(|body| body.is_object() || body.is_array());
                return match body {
                    Some(body) => Ok(Page { headers: answer.headers().clone(), body }),
                    None => Err(self.failed(url, UnavailableProblem::Malformed("it is not a JSON document"))),
                };
            }
            429 => UnavailableProblem::Paused(pause(answer.headers(), self.now)),
            status @ 400..=499 => UnavailableProblem::Denied { status, way_out: self.way_out },
            status => UnavailableProblem::Status(status),
        };
        Err(self.failed(url, problem))
    }

    /// Notes that the document could not be had.
    pub(crate) fn failed(&self, url: &Url, problem: UnavailableProblem) -> Unavailable {
        self.upstream.api_failed(Unavailable { document: self.document, url: Some(shown(url)), problem }, self.now)
    }

    /// The URL of another page, which must be at the service that was asked first: the access token goes there.
    pub(crate) fn another(&self, first: &Url, next: &str) -> Result<Url, Unavailable> {
        match first.join(next) {
            Ok(url) if url.origin() == first.origin() && url.username().is_empty() && url.password().is_none() => {
                Ok(url)
            }
            _ => Err(self.failed(first, UnavailableProblem::Malformed("its next page is somewhere else"))),
        }
    }
}

/// The seconds for which a service that throttles is not asked (RFC 9110 §10.2.3).
fn pause(headers: &HeaderMap, now: i64) -> i64 {
    let text = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let date = || Some(chrono::DateTime::parse_from_rfc2822(text).ok()?.timestamp().saturating_sub(now));
    text.parse::<i64>().ok().or_else(date).unwrap_or(PAUSE).clamp(1, LONGEST_PAUSE)
}

/// A member of a JSON document that is a list.
pub(crate) fn list<'v>(body: &'v Value, name: &str) -> Option<&'v Vec<Value>> {
    body.get(name)?.as_array()
}

/// A member of an object that is a text, and not empty.
pub(crate) fn text<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    object.get(name)?.as_str().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_a_number_of_seconds_or_a_date_and_has_bounds() {
        let now = 784_111_777;
        for (header, seconds) in [
            (Some("12"), 12),
            (Some("0"), 1),
            (Some("-5"), 1),
            (Some("99999999999"), LONGEST_PAUSE),
            (Some("Sun, 06 Nov 1994 08:50:37 GMT"), 60),
            (Some("Sun, 06 Nov 1994 08:00:00 GMT"), 1),
            (Some("soon"), PAUSE),
            (None, PAUSE),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(value) = header.and_then(|text| HeaderValue::from_str(text).ok()) {
                headers.insert(RETRY_AFTER, value);
            }
            assert_eq!(pause(&headers, now), seconds, "{header:?}");
        }
    }
}
