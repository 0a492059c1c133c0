//! One provider as it is reached: its cached documents, its health, and the calls to it.
//!
//! Fetching is here, and what is kept across sign-ins; `metadata` and `gather` interpret the documents. Providers share nothing
//! here: one that is slow or down delays no other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::ACCEPT;
use url::Url;

use crate::env::Random;
use crate::jose::{Check, Jws, KeySet};
use crate::outbound::HttpClient;
use crate::outbound::cache::{Cached, Lifetimes};
use crate::protocol::Algorithm;
use crate::upstream::error::{Document, Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::metadata::{Metadata, UnusableEndpoint};
use crate::upstream::settings::{ProviderSettings, Source};

/// What is known of a provider's reachability, for the status page and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// When it last answered as it should.
    pub last_success: Option<i64>,
    /// The last time that it did not, and how.
    pub last_error: Option<(i64, Unavailable)>,
    /// Fetches of the discovery document.
    pub discovery_fetches: u64,
    /// Fetches of the key set.
    pub jwks_fetches: u64,
    /// Endpoints that its discovery document names in a way that can't be used: what needs them is off.
    pub unusable_endpoints: Vec<UnusableEndpoint>,
    healthy: Option<bool>,
}

impl Health {
    /// Whether the last call succeeded; `None` before the first.
    #[must_use]
    pub const fn healthy(&self) -> Option<bool> {
        self.healthy
    }
}

pub(crate) struct Upstream {
    pub(crate) source: Arc<Source>,
    pub(crate) random: Arc<dyn Random>,
    http: Arc<dyn HttpClient>,
    metadata: Arc<Cached<Metadata, Unavailable>>,
    keys: Arc<Cached<KeySet, Unavailable>>,
    health: Mutex<Health>,
}

impl Upstream {
    pub(crate) fn new(source: Arc<Source>, http: Arc<dyn HttpClient>, random: Arc<dyn Random>) -> Arc<Self> {
        let (metadata, keys) = (Cached::new(Lifetimes::METADATA), Cached::new(Lifetimes::KEY_SET));
        Arc::new(Self { source, random, http, metadata, keys, health: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn health(&self) -> Health {
        self.lock().clone()
    }

    /// Notes how a call went.
    fn note<T>(&self, now: i64, outcome: Result<T, Unavailable>) -> Result<T, Unavailable> {
        let mut health = self.lock();
        health.healthy = Some(outcome.is_ok());
        match &outcome {
            Ok(_) => health.last_success = Some(now),
            Err(error) => health.last_error = Some((now, error.clone())),
        }
        outcome
    }

    /// Sends a request; answers of any status but 429 and 5xx come back.
    pub(crate) async fn send(
        &self,
        document: Document,
        request: http::Request<Vec<u8>>,
        now: i64,
    ) -> Result<http::Response<Vec<u8>>, Unavailable> {
        let outcome = match self.http.send(request, &self.source.policy).await {
            Ok(response) if response.status().is_server_error() || response.status() == 429 => {
                Err(Unavailable { document, problem: UnavailableProblem::Status(response.status().as_u16()) })
            }
            Ok(response) => Ok(response),
            Err(error) => Err(Unavailable { document, problem: error.into() }),
        };
        self.note(now, outcome)
    }

    async fn document(&self, document: Document, url: &Url, now: i64) -> Result<Vec<u8>, Unavailable> {
        let request = request(http::Method::GET, url)
            .header(ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|_| unusable(document))?;
        let response = self.send(document, request, now).await?;
        match response.status().as_u16() {
            200 => Ok(response.into_body()),
            status => Err(Unavailable { document, problem: UnavailableProblem::Status(status) }),
        }
    }

    async fn fetch_metadata(self: Arc<Self>, now: i64) -> Result<Metadata, Unavailable> {
        if let Some(manual) = Metadata::manual(&self.source) {
            return Ok(manual);
        }
        self.lock().discovery_fetches += 1;
        let url = Metadata::discovery_url(&self.source);
        let read = self.document(Document::Discovery, &url, now).await;
        let metadata = self.note(now, read.and_then(|document| Metadata::parse(&self.source, &document)))?;
        for UnusableEndpoint { endpoint, problem } in &metadata.unusable {
            let provider = &self.source.id;
            tracing::warn!(event = "endpoint_unusable", %provider, endpoint, problem, "what needs the endpoint is off");
        }
        self.lock().unusable_endpoints.clone_from(&metadata.unusable);
        Ok(metadata)
    }

    async fn fetch_keys(self: Arc<Self>, url: Url, now: i64) -> Result<KeySet, Unavailable> {
        self.lock().jwks_fetches += 1;
        let read = self.document(Document::KeySet, &url, now).await;
        let parsed = read.and_then(|document| {
            KeySet::parse(&document).map_err(|problem| Unavailable {
                document: Document::KeySet,
                problem: UnavailableProblem::Malformed(problem),
            })
        });
        self.note(now, parsed)
    }

    pub(crate) async fn metadata(self: &Arc<Self>, now: i64) -> Result<Arc<Metadata>, Unavailable> {
        self.metadata.get(now, || Arc::clone(self).fetch_metadata(now)).await
    }

    async fn keys(self: &Arc<Self>, metadata: &Metadata, now: i64) -> Result<Arc<KeySet>, Unavailable> {
        self.keys.get(now, || Arc::clone(self).fetch_keys(metadata.jwks_uri.clone(), now)).await
    }

    /// The key set, for an examination.
    pub(crate) async fn examined_keys(
        self: &Arc<Self>,
        metadata: &Metadata,
        now: i64,
    ) -> Result<Arc<KeySet>, Unavailable> {
        self.keys(metadata, now).await
    }

    /// Fetches both documents now.
    pub(crate) async fn probe(self: &Arc<Self>, now: i64) -> Result<(), Unavailable> {
        let metadata = self.metadata.fetch_now(now, Arc::clone(self).fetch_metadata(now)).await?;
        self.keys.fetch_now(now, Arc::clone(self).fetch_keys(metadata.jwks_uri.clone(), now)).await?;
        Ok(())
    }

    /// Verifies a token's signature with the provider's keys, or with the client secret where HS256 is configured. Where
    /// `refetch` says so, a key that is not in the kept set is looked for once in a new one; and so is the key of a signature
    /// that does not verify, for a provider may have made a new key under the id of the old one.
    pub(crate) async fn verify(
        self: &Arc<Self>,
        signed: &Signed<'_>,
        settings: &ProviderSettings,
        metadata: &Metadata,
        now: i64,
    ) -> Result<(), UpstreamError> {
        let invalid = |check| UpstreamError::invalid(signed.document, check);
        if !signed.algorithms.contains(&signed.jws.algorithm) {
            return Err(invalid(Check::Algorithm));
        }
        if signed.jws.algorithm == Algorithm::HS256 {
            return signed.jws.verify_symmetric(&settings.client_secret).map_err(invalid);
        }
        let keys = self.keys(metadata, now).await?;
        let verdict = match signed.jws.verify(&keys) {
            Err(check @ (Check::Key | Check::Signature)) if signed.refetch => {
                let fetch = || Arc::clone(self).fetch_keys(metadata.jwks_uri.clone(), now);
                match self.keys.refetch(&keys, now, fetch, |newer| signed.jws.verify(newer).is_ok()).await {
                    Some(newer) => signed.jws.verify(&newer),
                    None => Err(check),
                }
            }
            verdict => verdict,
        };
        verdict.map_err(invalid)
    }
}

/// A token whose signature is to be verified.
pub(crate) struct Signed<'a> {
    /// What it is, for errors.
    pub(crate) document: Document,
    /// The token.
    pub(crate) jws: &'a Jws<'a>,
    /// What it may be signed with.
    pub(crate) algorithms: &'a [Algorithm],
    /// Whether an unknown key is worth a new key set.
    pub(crate) refetch: bool,
}

/// A request to `url`; building it fails only for what no URL here can hold.
pub(crate) fn request(method: http::Method, url: &Url) -> http::request::Builder {
    http::Request::builder().method(method).uri(url.as_str())
}

/// The request could not even be written.
pub(crate) const fn unusable(document: Document) -> Unavailable {
    Unavailable { document, problem: UnavailableProblem::Malformed("its URL can't be called") }
}
