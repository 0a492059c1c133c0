//! What apps keep at URLs of their own: key sets (`jwks_uri`) and request objects (`request_uri`).
//!
//! It owns fetching them through the guarded client, and what is kept of them. The URLs come from the file, so their
//! hosts may be private ones; a URL that only a request names is never fetched.

use std::collections::{HashMap, HashSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use http::header::ACCEPT;
use tokio::sync::Semaphore;
use url::Url;

use crate::digest::sha256_base64url;
use crate::jose::{Check, Jws, KeySet, PublicKey};
use crate::outbound::cache::{Cached, Lifetimes};
use crate::outbound::{HttpClient, OutboundError, OutboundPolicy};
use crate::snapshot::client::Client;

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
    /// Not the request object whose hash its URL has (RFC 9101 §5.2).
    #[error("it is not the one whose hash the request_uri has")]
    Differs,
    /// Too many requests wait for it at the moment.
    #[error("too many requests wait for this document")]
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
    sets: Mutex<HashMap<Url, Arc<Shared<KeySet>>>>,
    objects: Mutex<HashMap<Url, Arc<Shared<String>>>>,
}

/// The document at one URL. It is fetched once at a time, and few requests wait for it: a stranger's request can cause a fetch,
/// and an app that does not respond must not hold up any number of them.
struct Shared<T> {
    cached: Arc<Cached<T, Unavailable>>,
    /// Permits to wait.
    waiting: Semaphore,
}

/// The maximum number of requests that wait for one request object at the same time.
const WAITING_FOR_OBJECT: usize = 16;
/// The maximum number of requests that wait for one key set at the same time. A busy app's requests all need it after a start.
const WAITING_FOR_KEYS: usize = 64;

impl<T: Send + Sync + 'static> Shared<T> {
    fn new(lifetimes: Lifetimes, waiting: usize) -> Arc<Self> {
        Arc::new(Self { cached: Cached::new(lifetimes), waiting: Semaphore::new(waiting) })
    }

    /// Does something with the cached document that may have to wait. What is cached is served without a permit.
    async fn bounded<R>(&self, work: impl Future<Output = R>) -> Result<R, Unavailable> {
        let mut work = pin!(work);
        if let Poll::Ready(done) = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await {
            return Ok(done);
        }
        let _permit = self.waiting.try_acquire().map_err(|_| Unavailable::Busy)?;
        Ok(work.await)
    }
}

impl AppKeys {
    /// Without anything fetched. Nothing is fetched before it is needed.
    #[must_use]
    pub fn new(http: Arc<dyn HttpClient>) -> Self {
        Self { http, sets: Mutex::default(), objects: Mutex::default() }
    }

    /// Forgets the documents of URLs that no client names any more.
    pub fn retain<'a>(&self, clients: impl IntoIterator<Item = &'a Client>) {
        let (mut sets, mut objects): (HashSet<&Url>, HashSet<&str>) = Default::default();
        for client in clients {
            sets.extend(client.keys.url());
            objects.extend(client.request_uris.iter().map(String::as_str));
        }
        self.sets.lock().unwrap_or_else(PoisonError::into_inner).retain(|url, _| sets.contains(url));
        let mut known = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|url, _| objects.contains(url.as_str()));
    }

    /// Verifies a signature with the key set at `url`. A key that is not in the kept set is looked for once in a newly
    /// fetched one, and so is the key of a signature that does not verify: it may be a new one under the id of the old.
    ///
    /// # Errors
    /// When the key set is not available or too many requests wait for it, or the signature is not one of its keys'.
    pub(crate) async fn verify(&self, jws: &Jws<'_>, url: &Url, now: i64) -> Result<(), Unverified> {
        self.checked(url, now, |keys| jws.verify(keys)).await
    }

    /// Whether the key set at `url` registers a certificate with this key and SHA-256, looked for as [`Self::verify`] does.
    ///
    /// # Errors
    /// When the key set is not available or too many requests wait for it, or does not register it.
    pub(crate) async fn registers(
        &self,
        key: &PublicKey,
        certificate: &[u8; 32],
        url: &Url,
        now: i64,
    ) -> Result<(), Unverified> {
        let check = |keys: &KeySet| if keys.registers(key, certificate) { Ok(()) } else { Err(Check::Key) };
        self.checked(url, now, check).await
    }

    /// The outcome of a check against the key set at `url`, which is fetched anew once where the kept one fails it.
    async fn checked(
        &self,
        url: &Url,
        now: i64,
        check: impl Fn(&KeySet) -> Result<(), Check>,
    ) -> Result<(), Unverified> {
        let set = {
            let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
            let new = || Shared::new(Lifetimes::KEY_SET, WAITING_FOR_KEYS);
            Arc::clone(sets.entry(url.clone()).or_insert_with(new))
        };
        let fetch = || fetch_keys(Arc::clone(&self.http), url.clone());
        let keys =
            set.bounded(set.cached.get(now, fetch)).await.and_then(|got| got).map_err(Unverified::Unavailable)?;
        let verdict = match check(&keys) {
            Err(failed @ (Check::Key | Check::Signature)) => {
                let refetch = set.cached.refetch(&keys, now, fetch, |newer| check(newer).is_ok());
                match set.bounded(refetch).await.map_err(Unverified::Unavailable)? {
                    Some(newer) => check(&newer),
                    None => Err(failed),
                }
            }
            verdict => verdict,
        };
        verdict.map_err(Unverified::Check)
    }

    /// The request object at a URL that a client registered (RFC 9101 §5.2). It is fetched once at a time and kept for a few
    /// seconds, or for an hour where the URL has its hash as a fragment; a failure is remembered too. So strangers can't make
    /// the broker call an app again and again.
    ///
    /// # Errors
    /// When it is not available, not text, or not the one that the hash is of; when too many wait for it.
    pub async fn request_object(&self, url: &Url, now: i64) -> Result<Arc<String>, Unavailable> {
        let object = {
            let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
            let lifetimes = if url.fragment().is_some() { Lifetimes::HASHED_OBJECT } else { Lifetimes::REQUEST_OBJECT };
            let new = || Shared::new(lifetimes, WAITING_FOR_OBJECT);
            Arc::clone(objects.entry(url.clone()).or_insert_with(new))
        };
        let fetch = || fetch_object(Arc::clone(&self.http), url.clone());
        let found = object.bounded(object.cached.get(now, fetch)).await??;
        let Some(expected) = url.fragment().filter(|expected| sha256_base64url(found.as_bytes()) != *expected) else {
            return Ok(found);
        };
        let meant = |object: &String| sha256_base64url(object.as_bytes()) == expected;
        let newer = object.bounded(object.cached.refetch(&found, now, fetch, meant)).await?;
        newer.filter(|newer| meant(newer)).ok_or(Unavailable::Differs)
    }
}

async fn fetch_object(http: Arc<dyn HttpClient>, url: Url) -> Result<String, Unavailable> {
    let body = fetch(&*http, &url, "application/oauth-authz-req+jwt").await?;
    String::from_utf8(body).map_err(|_| Unavailable::Malformed("it is not UTF-8 text"))
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

    use super::*;
    use crate::support::keys::{self, Signing};

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
    async fn a_request_object_is_fetched_once_and_few_wait_for_it() {
        let http = Arc::new(Hangs::default());
        let apps = AppKeys::new(Arc::clone(&http) as Arc<dyn HttpClient>);
        let url = Url::parse("https://app.example/slow.jwt").unwrap();
        let mut fetches: Vec<_> = (0..=WAITING_FOR_OBJECT).map(|_| Box::pin(apps.request_object(&url, 1))).collect();
        let mut refused = Vec::new();
        for fetch in &mut fetches {
            if let Poll::Ready(outcome) = polled_once(fetch.as_mut()).await {
                refused.push(outcome);
            }
        }
        assert_eq!((refused, http.0.load(Ordering::Relaxed)), (vec![Err(Unavailable::Busy)], 1));
        // Another app's is not held up by it.
        let other = Url::parse("https://other.example/quick.jwt").unwrap();
        assert!(polled_once(Box::pin(apps.request_object(&other, 1)).as_mut()).await.is_pending());
        assert_eq!(http.0.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_key_set_that_hangs_is_fetched_once_and_holds_up_a_bounded_number() {
        let http = Arc::new(Hangs::default());
        let apps = AppKeys::new(Arc::clone(&http) as Arc<dyn HttpClient>);
        let url = Url::parse("https://app.example/keys").unwrap();
        let token = keys::sign(Signing::Rs256, &keys::header(Signing::Rs256), &serde_json::json!({ "sub": "app" }));
        let jws = Jws::parse(&token).unwrap();
        let mut waiting: Vec<_> = (0..WAITING_FOR_KEYS + 3).map(|_| Box::pin(apps.verify(&jws, &url, 1))).collect();
        let mut refused = 0;
        for verification in &mut waiting {
            if let Poll::Ready(outcome) = polled_once(verification.as_mut()).await {
                assert!(matches!(outcome, Err(Unverified::Unavailable(Unavailable::Busy))), "{outcome:?}");
                refused += 1;
            }
        }
        assert_eq!((refused, http.0.load(Ordering::Relaxed)), (3, 1));
        let other = Url::parse("https://other.example/keys").unwrap();
        assert!(polled_once(Box::pin(apps.verify(&jws, &other, 1)).as_mut()).await.is_pending());
        // Who gives up makes room for another.
        drop(waiting);
        assert!(polled_once(Box::pin(apps.verify(&jws, &url, 1)).as_mut()).await.is_pending());
    }

    #[tokio::test]
    async fn a_kept_document_is_served_to_any_number_while_a_newer_one_is_awaited() {
        let set = Shared::<String>::new(Lifetimes::KEY_SET, 1);
        let kept = set.cached.get(1, || async { Ok("kept".to_owned()) }).await.unwrap();
        let refetch = || set.bounded(set.cached.refetch(&kept, 2, std::future::pending::<Result<_, _>>, |_| true));
        let mut first = Box::pin(refetch());
        assert!(polled_once(first.as_mut()).await.is_pending());
        let mut second = Box::pin(refetch());
        assert!(matches!(polled_once(second.as_mut()).await, Poll::Ready(Err(Unavailable::Busy))));
        for _ in 0..100 {
            let got = set.bounded(set.cached.get(2, std::future::pending::<Result<_, _>>)).await.unwrap();
            assert_eq!(*got.unwrap(), "kept");
        }
    }

    async fn polled_once<F: Future + ?Sized>(mut future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
    }
}
