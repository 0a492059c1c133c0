//! Examining a provider before people depend on it: its discovery document, its keys, its token endpoint with the broker's
//! credentials and a code that does not exist, its authorization endpoint, and the API that groups come from.
//!
//! Nothing of it is kept: neither the caches of sign-ins nor the health of the provider know about it. The other files say what
//! was found in words.

mod answers;
mod arrival;
mod groups;
mod missing;
mod model;

use std::sync::Arc;

pub use groups::Somebody;
pub use model::{Asked, Credentials, Examination, Offers, Outcome, Step};

use crate::config::language::provider::Provider;
use crate::protocol::Algorithm;
use crate::upstream::RelyingParty;
use crate::upstream::client_auth;
use crate::upstream::context::ProviderContext;
use crate::upstream::error::UpstreamError;
use crate::upstream::metadata::Metadata;
use crate::upstream::provider::Upstream;
use crate::upstream::pushed;
use crate::upstream::settings::ProviderSettings;
use answers::{discovery_answer, discovery_hint, keys_answer, said, token_answer};
use missing::missing;

const MANUAL: &str = "the endpoints are those of the file or of the preset";
const SHARED: &str = "its ID tokens are signed with our secret (HS256)";
const SIGNS_WITH_SECRET: &str = "choose a signing key there (authentik: Signing Key; Auth0: RS256), or set \
                                 id_token_signed_response_alg = \"HS256\" if it signs with the client secret";
const UNSIGNED: &str = "it signs nothing: its API says who signed in";

impl RelyingParty {
    /// Examines a provider with these settings. `declared` is what the file says about it, and `somebody` a person about whom
    /// the API that groups come from is asked.
    pub async fn examine(
        &self,
        settings: &ProviderSettings,
        declared: &Provider,
        credentials: Credentials,
        somebody: Somebody<'_>,
        now: i64,
    ) -> Examination {
        let upstream = Upstream::new(
            Arc::clone(&settings.source),
            Arc::clone(&self.http),
            Arc::clone(&self.random),
            Arc::default(),
        );
        let mut found = Examination::default();
        let discovery = Metadata::discovery_url(&settings.source);
        let metadata = match client_auth::metadata(&upstream, settings, now).await {
            Ok(metadata) => metadata,
            Err(error) => {
                found.failed(Asked::Discovery, Some(&discovery), &error, settings);
                found.add_way_out(discovery_hint(declared.preset, &error.problem));
                return found;
            }
        };
        if Metadata::manual(&settings.source).is_some() {
            found.note(Asked::Discovery, None, Outcome::Skipped, MANUAL);
        } else {
            let (outcome, answer) = discovery_answer(settings, &metadata);
            found.note(Asked::Discovery, Some(&discovery), outcome, answer);
        }
        examine_keys(&mut found, &upstream, settings, &metadata, now).await;
        match credentials {
            Credentials::Withhold(why) => found.note(Asked::Token, None, Outcome::Skipped, why),
            Credentials::Send => {
                self.examine_pushing(&mut found, &upstream, settings, &metadata, now).await;
                let (outcome, answer) = token_answer(&upstream, settings, &metadata, declared.preset, now).await;
                found.note(Asked::Token, Some(&metadata.token_endpoint), outcome, answer);
            }
        }
        arrival::examine(&mut found, &upstream, settings, &metadata, now).await;
        let provider = ProviderContext { upstream: &upstream, settings, metadata: &metadata, key: None, now };
        groups::examine(&mut found, &provider, credentials, somebody).await;
        found.missing = missing(settings, declared, &metadata);
        found.offers = Offers {
            issuer: Some(metadata.issuer.clone()),
            claims: metadata.claims.clone(),
            scopes: metadata.scopes.clone(),
        };
        found
    }
}

impl RelyingParty {
    /// Pushes an authorization request that nobody will follow, where requests are pushed: the provider checks all of it, the
    /// redirect URI too.
    async fn examine_pushing(
        &self,
        found: &mut Examination,
        upstream: &Arc<Upstream>,
        settings: &ProviderSettings,
        metadata: &Metadata,
        now: i64,
    ) {
        let endpoint = match pushed::endpoint(settings, metadata) {
            Ok(None) => return,
            Ok(Some(endpoint)) => endpoint,
            Err(error) => return found.note(Asked::Push, None, Outcome::Trouble, error.problem.to_string()),
        };
        let query = arrival::query(settings, metadata, &[]);
        let (outcome, answer) = match pushed::push(upstream, settings, metadata, (endpoint, &query), now).await {
            Ok(_) => (Outcome::Fine, "it accepts our authorization requests".to_owned()),
            Err(UpstreamError::Provider(error)) => {
                (Outcome::Trouble, format!("it refuses our authorization requests: {}", said(&error)))
            }
            Err(error) => (Outcome::Trouble, error.to_string()),
        };
        found.note(Asked::Push, Some(endpoint), outcome, answer);
    }
}

/// Fetches the key set, unless ID tokens are signed with the client secret.
async fn examine_keys(
    found: &mut Examination,
    upstream: &Arc<Upstream>,
    settings: &ProviderSettings,
    metadata: &Metadata,
    now: i64,
) {
    if settings.id_token_alg == Some(Algorithm::HS256) {
        return found.note(Asked::Keys, None, Outcome::Skipped, SHARED);
    }
    let Some(url) = &metadata.jwks_uri else {
        return found.note(Asked::Keys, None, Outcome::Skipped, UNSIGNED);
    };
    match upstream.keys(metadata, now).await {
        Ok(keys) => {
            let (outcome, answer) = keys_answer(settings, metadata, &keys);
            found.note(Asked::Keys, Some(url), outcome, answer);
        }
        Err(error) => found.failed(Asked::Keys, Some(url), &error, settings),
    }
    found.add_way_out(metadata.id_token_algs.is_empty().then_some(SIGNS_WITH_SECRET));
}
