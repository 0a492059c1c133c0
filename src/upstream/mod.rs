//! The broker as the relying party of its identity providers.
//!
//! Discovery and key sets with their caches, the authorization request ([`RelyingParty::begin`]), the callback up to verified
//! claims ([`RelyingParty::finish`]), refreshing them ([`RelyingParty::refresh`]), and signing out at the provider. Claims are
//! returned as they came: [`decision`](crate::decision) maps them and applies the policy, the caller stores what is needed
//! between request and callback, and `web` owns pages and cookies. The time is a parameter; calls go through
//! [`crate::outbound`].
//!
//! | module | what it knows |
//! | --- | --- |
//! | [`settings`], [`source`] | one provider, from the file and its preset |
//! | [`metadata`] | the provider's discovery document |
//! | `breaker` | when a provider that fails is left alone |
//! | `request` | a request as it is written, and its address in errors |
//! | `provider` | one provider's documents as they are fetched and kept, and its health |
//! | [`credentials`], `client_auth` | what the broker authenticates with as a client, and how |
//! | `token`, `pushed` | requests to the token endpoint and to the one for pushed authorization requests |
//! | `dpop`, `nonces` | tokens that are bound to a key (RFC 9449) |
//! | `context` | a provider with its metadata, for one operation |
//! | `tenants` | providers of which each tenant is an issuer |
//! | `gather` | ID token, userinfo and access token, verified and combined into claims |
//! | `api` | calls to an API with an access token, within bounds |
//! | `plain`, `github` | who signed in where no ID token says it: OAuth 2.0, GitHub |
//! | `groups`, `service_account` | a person's groups from an API |
//! | [`sign_in`], [`refresh`], [`introspect`], [`logout`], [`signals`] | the operations |
//! | [`probe`] | the examination of a provider before people depend on it |
//! | [`error`], `hints` | why one did not succeed, and what it means |

mod api;
mod breaker;
mod client_auth;
mod context;
pub mod credentials;
mod dpop;
pub mod error;
mod gather;
mod github;
mod groups;
mod hints;
pub mod introspect;
pub mod logout;
pub mod metadata;
mod nonces;
mod plain;
pub mod probe;
mod provider;
mod pushed;
pub mod refresh;
mod request;
mod service_account;
pub mod settings;
pub mod sign_in;
pub mod signals;
pub mod source;
mod spans;
mod tenants;
#[cfg(test)]
mod tests;
mod token;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use credentials::ResolvedSecrets;
pub use error::{RefreshError, UpstreamError};
pub use provider::Health;
pub use settings::ProviderSettings;
pub(crate) use sign_in::LONGEST_URL;
pub use sign_in::{BeginParams, CallbackParams, Expected, UpstreamIdentity};

use crate::env::Random;
use crate::metrics::Metrics;
use crate::outbound::HttpClient;
use provider::Upstream;
use source::Source;

/// Looked up several times in each sign-in, by keys from the file.
type Upstreams = HashMap<Arc<Source>, Arc<Upstream>, foldhash::fast::RandomState>;

/// All providers' caches over one HTTP client. There is one for the life of the process; settings come with each call, so that
/// a reload needs no new one.
pub struct RelyingParty {
    http: Arc<dyn HttpClient>,
    random: Arc<dyn Random>,
    upstreams: Mutex<Upstreams>,
    metrics: Arc<Metrics>,
}

impl RelyingParty {
    /// Nothing is cached yet, and nothing is fetched before it is needed.
    #[must_use]
    pub fn new(http: Arc<dyn HttpClient>, random: Arc<dyn Random>) -> Self {
        Self { http, random, upstreams: Mutex::default(), metrics: Arc::default() }
    }

    /// The same, recording its calls in these metrics.
    #[must_use]
    pub fn measured_by(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics, ..self }
    }

    /// Forgets the caches of providers that are not among these: after a reload. A provider whose issuer, endpoints and
    /// address policy stayed the same keeps its caches and its health.
    pub fn retain<'a>(&self, providers: impl IntoIterator<Item = &'a ProviderSettings>) {
        let kept: HashSet<&Arc<Source>> = providers.into_iter().map(|settings| &settings.source).collect();
        self.lock().retain(|source, _| kept.contains(source));
    }

    /// The provider's health, according to its last calls.
    #[must_use]
    pub fn health(&self, settings: &ProviderSettings) -> Health {
        self.upstream(settings).health(settings)
    }

    /// Fetches the provider's documents now, whatever is cached, and says how it is doing. For `providers probe`, and for
    /// a task that looks after unhealthy providers every half a minute so that the status page shows a recovery.
    pub async fn probe(&self, settings: &ProviderSettings, now: i64) -> Health {
        let upstream = self.upstream(settings);
        // The outcome is in the health.
        let _outcome = upstream.probe(now).await;
        upstream.health(settings)
    }

    fn lock(&self) -> MutexGuard<'_, Upstreams> {
        self.upstreams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn upstream(&self, settings: &ProviderSettings) -> Arc<Upstream> {
        let mut upstreams = self.lock();
        let upstream = upstreams.entry(Arc::clone(&settings.source)).or_insert_with(|| {
            Upstream::new(
                Arc::clone(&settings.source),
                Arc::clone(&self.http),
                Arc::clone(&self.random),
                Arc::clone(&self.metrics),
            )
        });
        Arc::clone(upstream)
    }
}
