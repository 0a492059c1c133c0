//! What apps keep at URLs of their own: key sets (`jwks_uri`) and request objects (`request_uri`).
//!
//! It owns fetching them through the guarded client, and what is kept of the key sets. The URLs come from the file, so their
//! hosts may be private ones; a URL that only a request names is never fetched.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use http::header::ACCEPT;
use tokio::sync::Semaphore;
use url::Url;

use crate::jose::{Check, Jws, KeySet};
use crate::outbound::cache::{Cached, Lifetimes};
use crate::outbound::{HttpClient, OutboundError, OutboundPolicy};

/// Why a document of an app can't be used. The texts hold no part of the document and are safe in logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// No answer within the bounds.
    #[error("{0}")]
    Outbound(#[from] OutboundError),
    /// A status that is no success.
    #[error("status {0}")]
    Status(u16),
    /// Not the document that it should be.
    #[error("{0}")]
    Malformed(&'static str),
    /// Too many are being fetched at the moment.
    #[error("too many request objects are being fetched")]
    Busy,
}

/// Why a signature was not verified.
#[derive(Debug)]
pub enum Unverified {
    /// The key set is not available.
    Unavailable(Unavailable),
    /// A check failed.
    Check(Check),
}

/// The documents of apps.
pub struct AppKeys {
    http: Arc<dyn HttpClient>,
    sets: Mutex<HashMap<Url, Arc<Cached<KeySet, Unavailable>>>>,
    /// Permits to fetch request objects: any request can cause a fetch.
    fetching: Semaphore,
}

/// Most request objects that are fetched at the same time.
const FETCHING: usize = 8;

impl AppKeys {
    /// Without anything fetched. Nothing is fetched before it is needed.
    #[must_use]
    pub fn new(http: Arc<dyn HttpClient>) -> Self {
        Self { http, sets: Mutex::default(), fetching: Semaphore::new(FETCHING) }
    }

    /// Forgets the key sets of URLs that no client names any more.
    pub fn retain<'a>(&self, urls: impl IntoIterator<Item = &'a Url>) {
        let kept: HashSet<&Url> = urls.into_iter().collect();
        self.sets.lock().unwrap_or_else(PoisonError::into_inner).retain(|url, _| kept.contains(url));
    }

    /// Verifies a signature with the key set at `url`. A key that is not in the kept set is looked for once in a newly
    /// fetched one, and so is the key of a signature that does not verify: it may be a new one under the id of the old.
    ///
    /// # Errors
    /// When the key set is not available, or the signature is not one of its keys'.
    pub(crate) async fn verify(&self, jws: &Jws<'_>, url: &Url, now: i64) -> Result<(), Unverified> {
        let cached = {
            let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(sets.entry(url.clone()).or_insert_with(|| Cached::new(Lifetimes::KEY_SET)))
        };
        let fetch = || fetch_keys(Arc::clone(&self.http), url.clone());
        let keys = cached.get(now, fetch).await.map_err(Unverified::Unavailable)?;
        let verdict = match jws.verify(&keys) {
            Err(check @ (Check::Key | Check::Signature)) => {
                match cached.refetch(&keys, now, fetch, |newer| jws.verify(newer).is_ok()).await {
                    Some(newer) => jws.verify(&newer),
                    None => Err(check),
                }
            }
            verdict => verdict,
        };
        verdict.map_err(Unverified::Check)
    }

    /// Fetches a request object (RFC 9101 §5.2.3).
    ///
    /// # Errors
    /// When it is not available or not text, or too many are being fetched.
    pub async fn request_object(&self, url: &Url) -> Result<String, Unavailable> {
        let _permit = self.fetching.try_acquire().map_err(|_| Unavailable::Busy)?;
        let body = fetch(&*self.http, url, "application/oauth-authz-req+jwt").await?;
        String::from_utf8(body).map_err(|_| Unavailable::Malformed("it is not UTF-8 text"))
    }
}

async fn fetch_keys(http: Arc<dyn HttpClient>, url: Url) -> Result<KeySet, Unavailable> {
    let body = fetch(&*http, &url, "application/json").await?;
    KeySet::parse(&body).map_err(Unavailable::Malformed)
}

/// Fetches a document. Its host is trusted, because the URL is from the file.
async fn fetch(http: &dyn HttpClient, url: &Url, accept: &str) -> Result<Vec<u8>, Unavailable> {
    let policy = OutboundPolicy::trusting(std::iter::once(url));
    let request = http::Request::get(url.as_str())
        .header(ACCEPT, accept)
        .body(Vec::new())
        .map_err(|_| Unavailable::Malformed("its URL can't be called"))?;
    let response = http.send(request, &policy).await?;
    match response.status().as_u16() {
        200 => Ok(response.into_body()),
        status => Err(Unavailable::Status(status)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Poll;

    use super::*;

    /// Counts the calls and never answers.
    #[derive(Default)]
    struct Hangs(AtomicUsize);

    #[async_trait::async_trait]
    impl HttpClient for Hangs {
        async fn send(
            &self,
            _: http::Request<Vec<u8>>,
            _: &OutboundPolicy,
        ) -> Result<http::Response<Vec<u8>>, OutboundError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn request_objects_are_fetched_a_few_at_a_time() {
        let http = Arc::new(Hangs::default());
        let apps = AppKeys::new(Arc::clone(&http) as Arc<dyn HttpClient>);
        let url = Url::parse("https://app.example/slow.jwt").unwrap();
        let mut fetches: Vec<_> = (0..9).map(|_| Box::pin(apps.request_object(&url))).collect();
        let mut refused = Vec::new();
        for fetch in &mut fetches {
            if let Poll::Ready(outcome) = polled_once(fetch.as_mut()).await {
                refused.push(outcome);
            }
        }
        assert_eq!((refused, http.0.load(Ordering::Relaxed)), (vec![Err(Unavailable::Busy)], 8));
    }

    async fn polled_once<F: Future + ?Sized>(mut future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
    }
}
