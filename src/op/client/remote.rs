//! What apps keep at URLs of their own: key sets (`jwks_uri`) and request objects (`request_uri`).
//!
//! It owns fetching them through the guarded client, and what is kept of the key sets. The URLs are the file's, so the
//! hosts may be private ones; nothing that a request names is ever fetched.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use http::header::ACCEPT;
use tokio::sync::Semaphore;
use url::Url;

use crate::jose::{Check, Jws, KeySet};
use crate::outbound::{HttpClient, OutboundPolicy};
use crate::upstream::cache::Cached;
use crate::upstream::error::{Document, Unavailable, UnavailableProblem};
use crate::upstream::provider::{KEYS, request, unusable};

/// Why a signature was not verified.
#[derive(Debug)]
pub enum Unverified {
    /// The key set can't be had.
    Unavailable(Unavailable),
    /// A check failed.
    Check(Check),
}

/// The documents of apps.
pub struct AppKeys {
    http: Arc<dyn HttpClient>,
    sets: Mutex<HashMap<Url, Arc<Cached<KeySet>>>>,
    /// Fetches of request objects at the same time: anybody can ask for one.
    fetching: Semaphore,
}

/// Most request objects that are fetched at the same time.
const FETCHING: usize = 8;

impl AppKeys {
    pub(crate) fn new(http: Arc<dyn HttpClient>) -> Self {
        Self { http, sets: Mutex::default(), fetching: Semaphore::new(FETCHING) }
    }

    /// Forgets the key sets of URLs that no client names any more.
    pub fn retain<'a>(&self, urls: impl IntoIterator<Item = &'a Url>) {
        let kept: HashSet<&Url> = urls.into_iter().collect();
        self.sets.lock().unwrap_or_else(PoisonError::into_inner).retain(|url, _| kept.contains(url));
    }

    /// Verifies a signature with the key set at `url`. A key that is not in the kept set is looked for once in a new one.
    pub(crate) async fn verify(&self, jws: &Jws<'_>, url: &Url, now: i64) -> Result<(), Unverified> {
        let cached = {
            let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(sets.entry(url.clone()).or_insert_with(|| Cached::new(KEYS)))
        };
        let fetch = || fetch_keys(Arc::clone(&self.http), url.clone());
        let keys = cached.get(now, fetch).await.map_err(Unverified::Unavailable)?;
        let verdict = match jws.verify(&keys) {
            Err(check) if check == Check::Key || jws.kid.is_none() => {
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
    /// When it can't be had, or is no text, or too many are being fetched.
    pub async fn request_object(&self, url: &Url) -> Result<String, Unavailable> {
        let busy = UnavailableProblem::Malformed("too many request objects are being fetched");
        let _permit = self
            .fetching
            .try_acquire()
            .map_err(|_| Unavailable { document: Document::RequestObject, problem: busy })?;
        let body = fetch(&*self.http, Document::RequestObject, url, "application/oauth-authz-req+jwt").await?;
        String::from_utf8(body).map_err(|_| unusable(Document::RequestObject))
    }
}

async fn fetch_keys(http: Arc<dyn HttpClient>, url: Url) -> Result<KeySet, Unavailable> {
    let body = fetch(&*http, Document::KeySet, &url, "application/json").await?;
    KeySet::parse(&body)
        .map_err(|problem| Unavailable { document: Document::KeySet, problem: UnavailableProblem::Malformed(problem) })
}

async fn fetch(http: &dyn HttpClient, document: Document, url: &Url, accept: &str) -> Result<Vec<u8>, Unavailable> {
    let policy = OutboundPolicy::trusting(std::iter::once(url));
    let call = request(http::Method::GET, url).header(ACCEPT, accept).body(Vec::new());
    let response = http
        .send(call.map_err(|_| unusable(document))?, &policy)
        .await
        .map_err(|error| Unavailable { document, problem: error.into() })?;
    match response.status().as_u16() {
        200 => Ok(response.into_body()),
        status => Err(Unavailable { document, problem: UnavailableProblem::Status(status) }),
    }
}
