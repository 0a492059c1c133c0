//! Asking a provider's API with an access token: one document, or a list in pages, within bounds.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, LINK, RETRY_AFTER};
use serde_json::{Map, Value};
use url::Url;

use crate::config::language::scalar::SecretValue;
use crate::jose::{Check, Problem};
use crate::outbound::OutboundError;
use crate::upstream::client_auth::presented;
use crate::upstream::credentials::bearer;
use crate::upstream::error::{Document, Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::gather::ProviderContext;
use crate::upstream::provider::{request, shown, unusable};

/// The most pages of a list. With a hundred entries in each that is more than any person has.
const MOST_PAGES: usize = 50;
/// The longest that all pages of a list may take together.
const LONGEST: Duration = Duration::from_secs(15);

/// An answer of an API.
pub(crate) type Answer = http::Response<Vec<u8>>;

/// A provider's API with an access token.
pub(crate) struct Api<'a> {
    provider: &'a ProviderContext<'a>,
    token: &'a SecretValue,
}

impl<'a> Api<'a> {
    pub(crate) fn new(provider: &'a ProviderContext<'a>, token: &'a SecretValue) -> Self {
        Self { provider, token }
    }

    pub(crate) fn provider(&self) -> &'a ProviderContext<'a> {
        self.provider
    }

    /// Where the profile is.
    pub(crate) fn profile(&self) -> Result<&'a Url, UpstreamError> {
        let endpoint = self.provider.metadata.userinfo_endpoint.as_ref();
        Ok(endpoint.ok_or_else(|| unusable(Document::Profile))?)
    }

    /// The answer, which succeeded.
    pub(crate) async fn get(&self, document: Document, url: &Url) -> Result<Answer, UpstreamError> {
        let bearer = bearer(self.token).ok_or_else(|| {
            UpstreamError::invalid(Document::TokenResponse, Check::Claim("access_token", Problem::Type))
        })?;
        let call = request(http::Method::GET, url)
            .header(ACCEPT, "application/json")
            .header(AUTHORIZATION, bearer)
            .body(Vec::new())
            .map_err(|_| unusable(document))?;
        let ProviderContext { upstream, settings, metadata, now } = *self.provider;
        let answer = upstream.send_as(document, call, presented(settings, metadata), now).await?;
        match answer.status().as_u16() {
            200 => Ok(answer),
            status => {
                let problem = if is_throttled(&answer) {
                    UnavailableProblem::Throttled(status)
                } else {
                    UnavailableProblem::Status(status)
                };
                Err(upstream.refused(Unavailable { document, url: Some(shown(url)), problem }, now).into())
            }
        }
    }

    /// A JSON object.
    pub(crate) async fn object(&self, document: Document, url: &Url) -> Result<Map<String, Value>, UpstreamError> {
        let answer = self.get(document, url).await?;
        let wrong = |_| UpstreamError::invalid(document, Check::Form("it is not a JSON object"));
        serde_json::from_slice(answer.body()).map_err(wrong)
    }

    /// All items of a list, whose pages name the next one in a `Link` header (RFC 8288 §3). `look` sees each answer. A list that
    /// can't be read to its end is an error: half of the groups would decide wrongly.
    pub(crate) async fn list(
        &self,
        document: Document,
        first: &Url,
        mut look: impl FnMut(&Answer),
    ) -> Result<Vec<Value>, UpstreamError> {
        let pages = async {
            let (mut items, mut url) = (Vec::new(), first.clone());
            for _ in 0..MOST_PAGES {
                let answer = self.get(document, &url).await?;
                look(&answer);
                let page: Vec<Value> = serde_json::from_slice(answer.body())
                    .map_err(|_| UpstreamError::invalid(document, Check::Form("it is not a JSON list")))?;
                items.extend(page);
                match next(&answer) {
                    None => return Ok(items),
                    Some(next) => {
                        url = same_list(first, &next).ok_or_else(|| self.bad_paging(document, first, ELSEWHERE))?
                    }
                }
            }
            Err(self.bad_paging(document, first, ENDLESS))
        };
        tokio::time::timeout(LONGEST, pages).await.unwrap_or_else(|_| {
            let problem = UnavailableProblem::Outbound(OutboundError::Timeout);
            Err(self.told(Unavailable { document, url: Some(shown(first)), problem }))
        })
    }

    fn bad_paging(&self, document: Document, url: &Url, problem: &'static str) -> UpstreamError {
        let problem = UnavailableProblem::Malformed(problem);
        self.told(Unavailable { document, url: Some(shown(url)), problem })
    }

    fn told(&self, error: Unavailable) -> UpstreamError {
        self.provider.upstream.refused(error, self.provider.now).into()
    }
}

const ELSEWHERE: &str = "its next page is at another address";
const ENDLESS: &str = "it has more than 50 pages";

/// Whether the API refuses because it was asked too often.
fn is_throttled(answer: &Answer) -> bool {
    let spent = answer.headers().get("x-ratelimit-remaining").is_some_and(|left| left == "0");
    answer.status() == 429 || (answer.status() == 403 && (spent || answer.headers().contains_key(RETRY_AFTER)))
}

/// The address of the next page.
fn next(answer: &Answer) -> Option<String> {
    let links = answer.headers().get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    links.flat_map(|value| value.split(',')).find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = |parameter: &str| matches!(parameter.trim(), "rel=\"next\"" | "rel=next");
        parameters.split(';').any(is_next).then(|| target.to_owned())
    })
}

/// The next page, if it is a page of the same list: the access token goes nowhere else.
fn same_list(first: &Url, next: &str) -> Option<Url> {
    let next = first.join(next).ok()?;
    (next.origin() == first.origin() && next.path() == first.path() && next.username().is_empty()).then_some(next)
}
