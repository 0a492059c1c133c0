//! Examining a provider before people depend on it: its discovery document, its keys, its token endpoint with the broker's
//! credentials and a code that does not exist, and the API that groups come from.
//!
//! Nothing of it is kept: neither the caches of sign-ins nor the health of the provider know about it. `answers` and `missing`
//! say what was found in words.

mod answers;
mod missing;
mod model;

use std::sync::Arc;

pub use model::{Asked, Credentials, Examination, Offers, Outcome, Step};

use crate::config::language::provider::Provider;
use crate::config::language::scalar::SecretValue;
use crate::protocol::Algorithm;
use crate::upstream::RelyingParty;
use crate::upstream::client_auth;
use crate::upstream::context::ProviderContext;
use crate::upstream::error::{Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::metadata::Metadata;
use crate::upstream::provider::Upstream;
use crate::upstream::pushed;
use crate::upstream::settings::ProviderSettings;
use crate::upstream::sign_in::{BeginParams, authorization_query};
use answers::{NO_CODE, VERIFIER, discovery_answer, keys_answer, said, token_answer};
use missing::missing;

const MANUAL: &str = "the endpoints are those of the file or of the preset";
const SHARED: &str = "its ID tokens are signed with our secret (HS256)";
const UNSIGNED: &str = "it signs nothing: its API says who signed in";

impl RelyingParty {
    /// Examines a provider with these settings. `declared` is what the file says about it.
    pub async fn examine(
        &self,
        settings: &ProviderSettings,
        declared: &Provider,
        credentials: Credentials,
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
                return found;
            }
        };
        if Metadata::manual(&settings.source).is_some() {
            found.note(Asked::Discovery, None, Outcome::Skipped, MANUAL);
        } else {
            let (outcome, answer) = discovery_answer(settings, &metadata);
            found.note(Asked::Discovery, Some(&discovery), outcome, answer);
        }
        match &metadata.jwks_uri {
            _ if settings.id_token_alg == Some(Algorithm::HS256) => {
                found.note(Asked::Keys, None, Outcome::Skipped, SHARED);
            }
            None => found.note(Asked::Keys, None, Outcome::Skipped, UNSIGNED),
            Some(url) => match upstream.keys(&metadata, now).await {
                Ok(keys) => {
                    let (outcome, answer) = keys_answer(settings, &metadata, &keys);
                    found.note(Asked::Keys, Some(url), outcome, answer);
                }
                Err(error) => found.failed(Asked::Keys, Some(url), &error, settings),
            },
        }
        match credentials {
            Credentials::Withhold(why) => found.note(Asked::Token, None, Outcome::Skipped, why),
            Credentials::Send => {
                self.examine_pushing(&mut found, &upstream, settings, &metadata, now).await;
                let (outcome, answer) = token_answer(&upstream, settings, &metadata, declared.preset, now).await;
                found.note(Asked::Token, Some(&metadata.token_endpoint), outcome, answer);
            }
        }
        let provider = ProviderContext { upstream: &upstream, settings, metadata: &metadata, key: None, now };
        examine_groups(&mut found, &provider, credentials).await;
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
        let verifier = SecretValue::new(VERIFIER.to_owned());
        let params = BeginParams {
            state: NO_CODE,
            nonce: NO_CODE,
            code_verifier: &verifier,
            redirect_uri: &settings.redirect_uri,
            prompt: &[],
            another_account: false,
            max_age: None,
            login_hint: None,
            ui_locales: None,
            acr_values: None,
        };
        let query = authorization_query(settings, metadata, &params, false);
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

/// Asks the API that groups come from, where the broker has an account of its own there.
async fn examine_groups(found: &mut Examination, provider: &ProviderContext<'_>, credentials: Credentials) {
    const PERSONAL: &str =
        "it is asked with the access token of whoever signs in: only a sign-in shows whether it answers";
    let source = provider.settings.groups_from.source;
    if source.is_of_a_token() {
        return;
    }
    if source.asks_as_the_person() {
        return found.note(Asked::Groups, None, Outcome::Skipped, PERSONAL);
    }
    if let Credentials::Withhold(why) = credentials {
        return found.note(Asked::Groups, None, Outcome::Skipped, why);
    }
    let asked = provider.examine_groups().await;
    let url = asked.as_ref().err().and_then(|error| error.url.as_deref()).and_then(|url| url::Url::parse(url).ok());
    match asked {
        Ok(answer) => found.note(Asked::Groups, None, Outcome::Fine, answer),
        Err(Unavailable { problem: problem @ UnavailableProblem::Status(_), .. }) => {
            let answer = format!("{problem}: this does not say whether it lists groups");
            found.note(Asked::Groups, url.as_ref(), Outcome::Unclear, answer);
        }
        Err(error) => found.failed(Asked::Groups, url.as_ref(), &error, provider.settings),
    }
}
