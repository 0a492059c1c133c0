//! One provider as it is reached: its cached documents, its health, and the calls to it.
//!
//! Fetching is here, and what is kept across sign-ins; `metadata` and `gather` interpret the documents. Providers share nothing
//! here: one that is slow or down delays no other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::ACCEPT;
use serde_json::Value;
use url::Url;

use crate::config::language::scalar::SecretValue;
use crate::env::{Random, Stopwatch};
use crate::jose::{Check, Jws, KeySet};
use crate::metrics::Metrics;
use crate::outbound::cache::{Cached, Lifetimes};
use crate::outbound::{HttpClient, Identity, OutboundError};
use crate::protocol::Algorithm;
use crate::upstream::breaker::{Breaker, Went};
use crate::upstream::error::{Document, Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::groups::cache::GroupsCache;
use crate::upstream::metadata::{Metadata, UnusableEndpoint};
use crate::upstream::nonces::Nonces;
use crate::upstream::request::{cut, request, shown, unusable};
use crate::upstream::settings::ProviderSettings;
use crate::upstream::source::Source;
use crate::upstream::spans::{SpanOfCall, in_request};

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
    refused: Option<Refused>,
}

/// That the provider refused the broker's credentials, and which ones. Its other documents may well be there.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refused {
    client_id: String,
    secret: Option<SecretValue>,
    key: Option<String>,
    certificate: Option<String>,
}

impl Refused {
    fn of(settings: &ProviderSettings) -> Self {
        let credentials = &settings.credentials;
        Self {
            client_id: settings.client_id.clone(),
            secret: credentials.secrets.first().cloned(),
            key: credentials.keys.first().map(|key| key.thumbprint.clone()),
            certificate: credentials.certificate.as_ref().map(|certificate| certificate.x5t_sha256.clone()),
        }
    }
}

impl Health {
    /// Whether the last call succeeded and the provider accepts the broker's credentials, as far as it was asked; `None` before
    /// the first call.
    #[must_use]
    pub const fn healthy(&self) -> Option<bool> {
        if self.refused.is_some() { Some(false) } else { self.healthy }
    }

    /// Whether the provider refused the broker's credentials when they were last sent.
    #[must_use]
    pub const fn refuses_us(&self) -> bool {
        self.refused.is_some()
    }
}

pub(crate) struct Upstream {
    pub(crate) source: Arc<Source>,
    pub(crate) random: Arc<dyn Random>,
    http: Arc<dyn HttpClient>,
    metadata: Arc<Cached<Metadata, Unavailable>>,
    keys: Arc<Cached<KeySet, Unavailable>>,
    /// The keys of its security event tokens, where they are others.
    signal_keys: Arc<Cached<KeySet, Unavailable>>,
    /// Groups of its people, as an API gave them.
    pub(crate) groups: GroupsCache,
    health: Mutex<Health>,
    breaker: Breaker,
    /// What its servers gave for the next proofs.
    pub(crate) nonces: Nonces,
    metrics: Arc<Metrics>,
}

impl Upstream {
    pub(crate) fn new(
        source: Arc<Source>,
        http: Arc<dyn HttpClient>,
        random: Arc<dyn Random>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        let (metadata, keys) = (Cached::new(Lifetimes::METADATA), Cached::new(Lifetimes::KEY_SET));
        let signal_keys = Cached::new(Lifetimes::KEY_SET);
        let (groups, health, breaker) = (GroupsCache::default(), Mutex::default(), Breaker::default());
        let nonces = Nonces::default();
        Arc::new(Self { source, random, http, metadata, keys, signal_keys, groups, health, breaker, nonces, metrics })
    }

    fn lock(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its health for these settings: that it refused other credentials says nothing about these.
    pub(crate) fn health(&self, settings: &ProviderSettings) -> Health {
        let mut health = self.lock().clone();
        health.refused = health.refused.filter(|refused| *refused == Refused::of(settings));
        health
    }

    /// The token endpoint refused the broker's credentials.
    pub(crate) fn credentials_refused(&self, settings: &ProviderSettings, endpoint: &Url, error: &str, now: i64) {
        let problem = UnavailableProblem::Credentials(error.to_owned());
        let error = Unavailable { document: Document::TokenResponse, url: Some(shown(endpoint)), problem };
        let mut health = self.lock();
        health.refused = Some(Refused::of(settings));
        health.last_error = Some((now, self.failed(error)));
    }

    /// The token endpoint accepted them.
    pub(crate) fn credentials_accepted(&self) {
        self.lock().refused = None;
    }

    /// Counts a failure.
    fn failed(&self, error: Unavailable) -> Unavailable {
        self.metrics.upstream_failure(&self.source.id, error.document.name());
        error
    }

    /// Notes how a call went.
    fn note<T>(&self, now: i64, outcome: Result<T, Unavailable>) -> Result<T, Unavailable> {
        if matches!(&outcome, Err(error) if error.problem == UnavailableProblem::LeftAlone) {
            return outcome;
        }
        let mut health = self.lock();
        health.healthy = Some(outcome.is_ok());
        match &outcome {
            Ok(_) => health.last_success = Some(now),
            Err(error) => health.last_error = Some((now, error.clone())),
        }
        outcome
    }

    /// Counts a failure that says nothing about whether the provider can be reached, and keeps it for the status page: an
    /// answer of an API that is of no use, or a call that could not be made because of something on this side.
    pub(crate) fn noted(&self, error: Unavailable, now: i64) -> Unavailable {
        let error = self.failed(error);
        self.lock().last_error = Some((now, error.clone()));
        error
    }

    /// Whether a request for this document would be sent now, and not held back because the provider fails.
    ///
    /// # Errors
    /// It would be held back.
    pub(crate) fn is_asked_for(&self, document: Document, now: i64) -> Result<(), Unavailable> {
        let held_back = Unavailable { document, url: None, problem: UnavailableProblem::LeftAlone };
        if self.breaker.is_open_for(document, now) { Ok(()) } else { Err(held_back) }
    }

    /// Sends a request; answers of any status but 429 and 5xx come back. Nothing is sent while the provider is left alone.
    pub(crate) async fn send(
        &self,
        document: Document,
        request: http::Request<Vec<u8>>,
        now: i64,
    ) -> Result<http::Response<Vec<u8>>, Unavailable> {
        self.send_as(document, request, None, now).await
    }

    /// The same, on a connection that presents a certificate.
    pub(crate) async fn send_as(
        &self,
        document: Document,
        request: http::Request<Vec<u8>>,
        identity: Option<&Arc<Identity>>,
        now: i64,
    ) -> Result<http::Response<Vec<u8>>, Unavailable> {
        let url = Some(cut(&request.uri().to_string()));
        let Some(pass) = self.breaker.enter(document, now) else {
            return Err(Unavailable { document, url, problem: UnavailableProblem::LeftAlone });
        };
        let (went, outcome) = match self.exchange(document, request, identity).await {
            Ok(response) if response.status().is_server_error() || response.status() == 429 => {
                (Went::Badly, Err(UnavailableProblem::Status(response.status().as_u16())))
            }
            Ok(response) => (Went::Well, Ok(response)),
            Err(error @ (OutboundError::Timeout | OutboundError::Connect(_) | OutboundError::Failed(_))) => {
                (Went::Nowhere, Err(error.into()))
            }
            Err(error) => (Went::Badly, Err(error.into())),
        };
        if pass.ended(went, now) {
            let provider = &self.source.id;
            tracing::warn!(event = "provider_left_alone", %provider, document = document.name(), "a provider fails: nothing is sent for a few seconds");
        }
        let outcome = outcome.map_err(|problem| self.failed(Unavailable { document, url, problem }));
        self.note(now, outcome)
    }

    /// Sends a request to an API of the provider; answers of any status come back. The API is not the provider: that it does
    /// not answer says nothing of sign-ins that need nothing of it.
    pub(crate) async fn call_api(
        &self,
        document: Document,
        request: http::Request<Vec<u8>>,
        now: i64,
    ) -> Result<http::Response<Vec<u8>>, Unavailable> {
        let url = Some(cut(&request.uri().to_string()));
        let sent = self.exchange(document, request, None).await;
        sent.map_err(|error| self.noted(Unavailable { document, url, problem: error.into() }, now))
    }

    /// One request with its answer, measured and traced.
    async fn exchange(
        &self,
        document: Document,
        request: http::Request<Vec<u8>>,
        identity: Option<&Arc<Identity>>,
    ) -> Result<http::Response<Vec<u8>>, OutboundError> {
        let watch = Stopwatch::start();
        let span = SpanOfCall::begin(&self.source.id, document, &request);
        let sent = match identity {
            None => self.http.send(request, &self.source.policy).await,
            Some(identity) => {
                let policy = self.source.policy.clone().with_identity(Some(Arc::clone(identity)));
                self.http.send(request, &policy).await
            }
        };
        span.end(&sent);
        self.metrics.upstream_call(&self.source.id, document.name(), watch.seconds());
        sent
    }

    async fn document(&self, document: Document, url: &Url, now: i64) -> Result<Vec<u8>, Unavailable> {
        let request = request(http::Method::GET, url)
            .header(ACCEPT, "application/json")
            .body(Vec::new())
            .map_err(|_| unusable(document))?;
        let response = self.send(document, request, now).await?;
        match response.status().as_u16() {
            200 => Ok(response.into_body()),
            status => {
                let problem = UnavailableProblem::Status(status);
                Err(self.failed(Unavailable { document, url: Some(shown(url)), problem }))
            }
        }
    }

    async fn fetch_metadata(self: Arc<Self>, now: i64) -> Result<Metadata, Unavailable> {
        if let Some(manual) = Metadata::manual(&self.source) {
            return Ok(manual);
        }
        self.lock().discovery_fetches += 1;
        let url = Metadata::discovery_url(&self.source);
        let read = self.document(Document::Discovery, &url, now).await;
        let parse = |document: Vec<u8>| {
            let parsed = Metadata::parse(&self.source, &document);
            parsed.map_err(|error| self.failed(Unavailable { url: Some(shown(&url)), ..error }))
        };
        let metadata = self.note(now, read.and_then(parse))?;
        for UnusableEndpoint { endpoint, problem } in &metadata.unusable {
            let provider = &self.source.id;
            tracing::warn!(event = "endpoint_unusable", %provider, endpoint, problem, "what needs the endpoint is off");
        }
        self.lock().unusable_endpoints.clone_from(&metadata.unusable);
        Ok(metadata)
    }

    async fn fetch_keys(self: Arc<Self>, url: Url, now: i64) -> Result<KeySet, Unavailable> {
        self.lock().jwks_fetches += 1;
        self.metrics.jwks_refresh(&self.source.id);
        let read = self.document(Document::KeySet, &url, now).await;
        let parsed = read.and_then(|document| {
            KeySet::parse(&document).map_err(|problem| {
                let problem = UnavailableProblem::Malformed(problem);
                self.failed(Unavailable { document: Document::KeySet, url: Some(shown(&url)), problem })
            })
        });
        self.note(now, parsed)
    }

    pub(crate) async fn metadata(self: &Arc<Self>, now: i64) -> Result<Arc<Metadata>, Unavailable> {
        self.metadata.get(now, || in_request(Arc::clone(self).fetch_metadata(now))).await
    }

    pub(crate) async fn keys(self: &Arc<Self>, metadata: &Metadata, now: i64) -> Result<Arc<KeySet>, Unavailable> {
        let url = Self::key_set_url(metadata)?;
        self.keys.get(now, || in_request(Arc::clone(self).fetch_keys(url, now))).await
    }

    /// Fetches both documents now.
    pub(crate) async fn probe(self: &Arc<Self>, now: i64) -> Result<(), Unavailable> {
        let metadata = self.metadata.fetch_now(now, Arc::clone(self).fetch_metadata(now)).await?;
        match (&metadata.jwks_uri, &metadata.userinfo_endpoint) {
            (Some(url), _) => drop(self.keys.fetch_now(now, Arc::clone(self).fetch_keys(url.clone(), now)).await?),
            // It has no documents: that its API refuses a call without a token shows that it is there.
            (None, Some(url)) => {
                let unusable = |_| unusable(Document::Profile);
                let call = request(http::Method::GET, url).body(Vec::new()).map_err(unusable)?;
                drop(self.send(Document::Profile, call, now).await?);
            }
            (None, None) => {}
        }
        Ok(())
    }

    fn key_set_url(metadata: &Metadata) -> Result<Url, Unavailable> {
        metadata.jwks_uri.clone().ok_or_else(|| unusable(Document::KeySet))
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
            return Err(invalid(Check::NotAccepted(signed.jws.algorithm)));
        }
        if signed.jws.algorithm == Algorithm::HS256 {
            return signed.jws.verify_symmetric(&settings.credentials.secrets).map_err(invalid);
        }
        let (cache, url) = match &self.source.signals_jwks {
            Some(url) if signed.document == Document::SecurityEventToken => (&self.signal_keys, url.clone()),
            _ => (&self.keys, Self::key_set_url(metadata)?),
        };
        let fetch = || Arc::clone(self).fetch_keys(url.clone(), now);
        let keys = cache.get(now, fetch).await?;
        let text = |name: &str| signed.jws.claims.get(name).and_then(Value::as_str);
        let signs = |key: Option<&str>| self.source.signs(key, text("iss"), text("tid"));
        let verdict = match signed.jws.verify_where(&keys, signs) {
            Err(check @ (Check::Key | Check::Signature)) if signed.refetch => {
                match cache.refetch(&keys, now, fetch, |newer| signed.jws.verify_where(newer, signs).is_ok()).await {
                    Some(newer) => signed.jws.verify_where(&newer, signs),
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
