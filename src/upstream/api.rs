//! Calls to an API with an access token, beyond the endpoints of OAuth and OpenID Connect: what a provider says of a person,
//! and the groups that a service lists. All calls for one person are bounded together, in number and in time.
//!
//! What the answers mean is the caller's. A status that is no success becomes an error here: one that says that the caller may
//! not ask (a [denial](UnavailableProblem::Denied)), or one that says nothing about it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LINK, RETRY_AFTER};
use serde_json::{Map, Value};
use url::Url;

use crate::config::language::scalar::SecretValue;
use crate::env::Stopwatch;
use crate::jose::Check;
use crate::outbound::OutboundError;
use crate::upstream::client_auth::presented;
use crate::upstream::context::ProviderContext;
use crate::upstream::dpop::is_asked_for_nonce;
use crate::upstream::error::{Document, Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::groups::cache::LONGEST_PAUSE;
use crate::upstream::request::{bearer, request, shown, unusable};

/// The most calls for one person: lists of more pages are refused.
const MAX_CALLS: usize = 64;
/// The longest that all of them may take together, in seconds. Each call has its own, shorter limit.
const MAX_SECONDS: f64 = 15.0;
/// How long a service that throttles is left alone, in seconds, when it does not say.
const PAUSE: i64 = 30;

/// An answer of an API.
pub(crate) type Answer = http::Response<Vec<u8>>;

/// What is left of the calls for one person.
pub(crate) struct Bounds {
    calls: AtomicUsize,
    watch: Stopwatch,
}

impl Bounds {
    pub(crate) fn start() -> Self {
        Self { calls: AtomicUsize::new(0), watch: Stopwatch::start() }
    }

    /// How long the next call may take.
    fn next(&self) -> Result<Duration, UnavailableProblem> {
        if self.calls.fetch_add(1, Ordering::Relaxed) >= MAX_CALLS {
            return Err(UnavailableProblem::Malformed("its list does not end"));
        }
        let left = Duration::try_from_secs_f64(MAX_SECONDS - self.watch.seconds());
        left.map_err(|_| OutboundError::Timeout.into())
    }
}

/// An API that is asked for one document.
#[derive(Clone, Copy)]
pub(crate) struct Api<'a> {
    provider: &'a ProviderContext<'a>,
    bounds: &'a Bounds,
    /// Whether it is another service than the provider: its failures do not count as failures of the provider.
    beside: bool,
    token: Option<&'a SecretValue>,
    /// Whether the token is the broker's own, and not the person's.
    own: bool,
    document: Document,
    way_out: Option<&'static str>,
}

impl<'a> Api<'a> {
    /// The API of the provider itself.
    pub(crate) const fn of(provider: &'a ProviderContext<'a>, bounds: &'a Bounds, document: Document) -> Self {
        Self { provider, bounds, beside: false, token: None, own: false, document, way_out: None }
    }

    /// The API of a service beside the provider.
    pub(crate) const fn beside(provider: &'a ProviderContext<'a>, bounds: &'a Bounds, document: Document) -> Self {
        Self { beside: true, ..Self::of(provider, bounds, document) }
    }

    /// The same API, asked with the person's access token.
    pub(crate) const fn with_token(self, token: &'a SecretValue) -> Self {
        Self { token: Some(token), own: false, ..self }
    }

    /// The same API, asked with a bearer token of the broker's own.
    pub(crate) const fn with_own_token(self, token: &'a SecretValue) -> Self {
        Self { token: Some(token), own: true, ..self }
    }

    /// The same API, with what the operator has to do when it refuses to answer.
    pub(crate) const fn with_way_out(self, way_out: &'static str) -> Self {
        Self { way_out: Some(way_out), ..self }
    }

    /// The same API, asked for another document.
    pub(crate) const fn asked_for(self, document: Document) -> Self {
        Self { document, ..self }
    }

    pub(crate) const fn provider(&self) -> &'a ProviderContext<'a> {
        self.provider
    }

    /// The time.
    pub(crate) const fn now(&self) -> i64 {
        self.provider.now
    }

    /// The successful answer at a URL.
    pub(crate) async fn get(&self, url: &Url) -> Result<Answer, Unavailable> {
        self.send(url, request(http::Method::GET, url).body(Vec::new())).await
    }

    /// The same, accepting these media types.
    pub(crate) async fn get_as(&self, url: &Url, accept: &'static str) -> Result<Answer, Unavailable> {
        self.send(url, request(http::Method::GET, url).header(ACCEPT, accept).body(Vec::new())).await
    }

    /// Posts a JSON document.
    pub(crate) async fn post(&self, url: &Url, body: &Value) -> Result<Answer, Unavailable> {
        let call = request(http::Method::POST, url).header(CONTENT_TYPE, "application/json");
        self.send(url, call.body(body.to_string().into_bytes())).await
    }

    /// Posts a form.
    pub(crate) async fn post_form(&self, url: &Url, form: &[(&str, &str)]) -> Result<Answer, Unavailable> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let call = request(http::Method::POST, url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(url, call.body(body.into_bytes())).await
    }

    /// A JSON object.
    pub(crate) async fn object(&self, url: &Url) -> Result<Map<String, Value>, UpstreamError> {
        let answer = self.get(url).await?;
        let wrong = |_| UpstreamError::invalid(self.document, Check::Form("it is not a JSON object"));
        serde_json::from_slice(answer.body()).map_err(wrong)
    }

    /// All items of a list, whose pages name the next one in a `Link` header (RFC 8288 §3). `look` sees each answer. A list
    /// that can't be read to its end is an error: half of the groups would decide wrongly.
    pub(crate) async fn list(&self, first: &Url, mut look: impl FnMut(&Answer)) -> Result<Vec<Value>, Unavailable> {
        let (mut items, mut url) = (Vec::new(), first.clone());
        loop {
            let answer = self.get(&url).await?;
            look(&answer);
            let page: Vec<Value> =
                serde_json::from_slice(answer.body()).map_err(|_| self.malformed(&url, "it is not a JSON list"))?;
            items.extend(page);
            let Some(next) = next(&answer) else { return Ok(items) };
            url = self.another(first, &next)?;
            if url.path() != first.path() {
                return Err(self.malformed(first, "its next page is of another list"));
            }
        }
    }

    async fn send(&self, url: &Url, call: Result<http::Request<Vec<u8>>, http::Error>) -> Result<Answer, Unavailable> {
        let mut call = call.map_err(|_| unusable(self.document))?;
        call.headers_mut().entry(ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        let bound = !self.own && self.token.is_some() && self.provider.key.is_some();
        let answer = self.send_once(url, call.clone()).await?;
        let answer = if bound && is_asked_for_nonce(&answer) { self.send_once(url, call).await? } else { answer };
        if answer.status() == 200 { Ok(answer) } else { Err(self.failed(url, self.problem(&answer))) }
    }

    /// Sends a request once, with the token.
    async fn send_once(&self, url: &Url, mut call: http::Request<Vec<u8>>) -> Result<Answer, Unavailable> {
        if let Some(token) = self.token {
            let presented = if self.own {
                bearer(token).map(|bearer| drop(call.headers_mut().insert(AUTHORIZATION, bearer)))
            } else {
                self.provider.present(&mut call, url, token)
            };
            presented.ok_or_else(|| self.malformed(url, "its access token can't be sent"))?;
        }
        let left = self.bounds.next().map_err(|problem| self.failed(url, problem))?;
        let ProviderContext { upstream, settings, metadata, now, .. } = *self.provider;
        let sent = async {
            if self.beside {
                upstream.call_api(self.document, call, now).await
            } else {
                upstream.send_as(self.document, call, presented(settings, metadata), now).await
            }
        };
        let answer = tokio::time::timeout(left, sent).await;
        let answer = answer.unwrap_or_else(|_| Err(self.failed(url, OutboundError::Timeout.into())))?;
        if self.provider.key.is_some() {
            upstream.nonces.note(url, answer.headers());
        }
        Ok(answer)
    }

    /// What an answer means whose status is not a success.
    fn problem(&self, answer: &Answer) -> UnavailableProblem {
        let headers = answer.headers();
        let spent = || headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0");
        match (answer.status().as_u16(), self.way_out) {
            (429, _) => UnavailableProblem::Paused(pause(headers, self.now())),
            (403, _) if spent() || headers.contains_key(RETRY_AFTER) => UnavailableProblem::Throttled(403),
            (status @ 400..=499, Some(way_out)) => UnavailableProblem::Denied { status, way_out },
            (status, _) => UnavailableProblem::Status(status),
        }
    }

    /// Notes that the document could not be had.
    pub(crate) fn failed(&self, url: &Url, problem: UnavailableProblem) -> Unavailable {
        let error = Unavailable { document: self.document, url: Some(shown(url)), problem };
        self.provider.upstream.noted(error, self.now())
    }

    /// Notes that it is not what it should be.
    pub(crate) fn malformed(&self, url: &Url, what: &'static str) -> Unavailable {
        self.failed(url, UnavailableProblem::Malformed(what))
    }

    /// The JSON document that an answer is: an object or a list.
    pub(crate) fn json(&self, url: &Url, answer: &Answer) -> Result<Value, Unavailable> {
        let read = serde_json::from_slice::<Value>(answer.body());
        let body = read.ok().filter(|body| body.is_object() || body.is_array());
        body.ok_or_else(|| self.malformed(url, "it is not a JSON document"))
    }

    /// The URL of another page, which must be at the service that was asked first: the access token goes there.
    pub(crate) fn another(&self, first: &Url, next: &str) -> Result<Url, Unavailable> {
        let at_home =
            |url: &Url| url.origin() == first.origin() && url.username().is_empty() && url.password().is_none();
        let url = first.join(next).ok().filter(at_home);
        url.ok_or_else(|| self.malformed(first, "its next page is somewhere else"))
    }
}

/// The address of the next page (RFC 8288 §3).
fn next(answer: &Answer) -> Option<String> {
    let links = answer.headers().get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    links.flat_map(links_of).find(|(_, parameters)| is_next(parameters)).map(|(target, _)| target.to_owned())
}

/// The targets of a header's links, which may contain commas, and the parameters of each.
fn links_of(header: &str) -> Vec<(&str, &str)> {
    let (mut links, mut rest) = (Vec::new(), header);
    while let Some((target, behind)) = rest.split_once('<').and_then(|(_, rest)| rest.split_once('>')) {
        let mut quoted = false;
        let end = behind.find(|c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        });
        let (parameters, others) = behind.split_at(end.unwrap_or(behind.len()));
        links.push((target, parameters));
        rest = others;
    }
    links
}

/// Whether a link leads to the next page: `rel` may name several relations, and the first `rel` counts (RFC 8288 §3.3).
fn is_next(parameters: &str) -> bool {
    let mut named = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let rel = named.find(|(name, _)| name.trim().eq_ignore_ascii_case("rel"));
    let mut relations = rel.into_iter().flat_map(|(_, value)| value.trim().trim_matches('"').split_ascii_whitespace());
    relations.any(|relation| relation.eq_ignore_ascii_case("next"))
}

/// The seconds for which a service that throttles is not asked (RFC 9110 §10.2.3).
fn pause(headers: &HeaderMap, now: i64) -> i64 {
    let text = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    let date = || Some(chrono::DateTime::parse_from_rfc2822(text).ok()?.timestamp().saturating_sub(now));
    text.parse::<i64>().ok().or_else(date).unwrap_or(PAUSE).clamp(1, LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_in_any_spelling_of_a_link() {
        let found = |header: &str| {
            let links = links_of(header).into_iter();
            links.filter(|(_, parameters)| is_next(parameters)).map(|(target, _)| target.to_owned()).collect::<Vec<_>>()
        };
        for next in [
            "<https://a/?p=2>; rel=\"next\"",
            "<https://a/?p=2>;rel=next",
            "<https://a/?p=1>; rel=\"prev\", <https://a/?p=2>; rel=\"next\", <https://a/?p=9>; rel=\"last\"",
            "<https://a/?p=2>; rel=\"last next\"",
            "<https://a/?p=2>; title=\"a, b\"; REL = \"Next\"",
            "<https://a/?x=1,2;3>; rel=\"first\",<https://a/?p=2>; rel=\"next\"",
        ] {
            assert_eq!(found(next), ["https://a/?p=2"], "{next}");
        }
        assert_eq!(found("<https://a/?ids=1,2,3&p=2>; rel=\"next\""), ["https://a/?ids=1,2,3&p=2"]);
        for none in [
            "",
            "<https://a/?p=2>; rel=\"prev\"; rel=\"next\"",
            "<https://a/>; rev=\"next\"",
            "https://a; rel=next",
            "<https://a; rel=next",
        ] {
            assert!(found(none).is_empty(), "{none}");
        }
    }

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
