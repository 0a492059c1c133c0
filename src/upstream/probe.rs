//! Examining a provider before people depend on it: its discovery document, its keys, and its token endpoint with the broker's
//! credentials and a code that does not exist.
//!
//! Nothing of it is kept: neither the caches of sign-ins nor the health of the provider know about it.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::config::language::groups_from::{GroupSource, GroupsWhen};
use crate::config::language::provider::{ClaimsSource, Provider, ProviderResponseMode};
use crate::config::language::scalar::SecretValue;
use crate::jose::KeySet;
use crate::outbound::{OutboundError, OutboundPolicy};
use crate::protocol::Algorithm;
use crate::upstream::RelyingParty;
use crate::upstream::client_auth::{self, auth_method};
use crate::upstream::error::{ProviderError, Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::hints::hint;
use crate::upstream::metadata::Metadata;
use crate::upstream::provider::Upstream;
use crate::upstream::pushed;
use crate::upstream::settings::ProviderSettings;
use crate::upstream::sign_in::{BeginParams, authorization_query};
use crate::upstream::tenants::TEMPLATE;
use crate::upstream::token;

/// A code that no provider has issued.
const NO_CODE: &str = "countersign-probe-no-such-code";
/// A PKCE verifier of the shortest length (RFC 7636 §4.1).
const VERIFIER: &str = "countersign-probe-countersign-probe-counters";

const MANUAL: &str = "the endpoints are those of the file or of the preset";
const UNSIGNED: &str = "it signs nothing: its API says who signed in";

/// What an examination found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// What was asked, in order. Without a usable discovery document nothing else is asked.
    pub steps: Vec<Step>,
    /// What a sign-in would lack. None of it is an error.
    pub missing: Vec<String>,
}

/// One thing that the provider was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What was asked.
    pub asked: Asked,
    /// Where; `None` if nothing was sent.
    pub url: Option<String>,
    /// What it means.
    pub outcome: Outcome,
    /// What the provider answered, in words.
    pub answer: String,
}

/// What a provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    /// Its discovery document (OIDC Discovery §4).
    Discovery,
    /// Its key set (RFC 7517 §5).
    Keys,
    /// Its endpoint for pushed authorization requests (RFC 9126 §2).
    Push,
    /// Its token endpoint (RFC 6749 §4.1.3).
    Token,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Discovery => "discovery",
            Self::Keys => "keys",
            Self::Push => "push",
            Self::Token => "token",
        })
    }
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As a sign-in needs it.
    Fine,
    /// It does not say.
    Unclear,
    /// Sign-ins would fail.
    Trouble,
    /// It was not asked.
    Skipped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Fine => "ok",
            Self::Unclear => "unclear",
            Self::Trouble => "trouble",
            Self::Skipped => "skipped",
        })
    }
}

/// Whether the broker's credentials are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// They are.
    Send,
    /// They are not: the reason.
    Withhold(&'static str),
}

impl Examination {
    /// Whether sign-ins would fail.
    #[must_use]
    pub fn has_trouble(&self) -> bool {
        self.steps.iter().any(|step| step.outcome == Outcome::Trouble)
    }

    /// Notes why there is no usable answer. An address that only the operator may call was not called.
    fn failed(&mut self, asked: Asked, url: &url::Url, error: &Unavailable, settings: &ProviderSettings) {
        let guarded = settings.source.policy == OutboundPolicy::strangers();
        let not_ours = matches!(
            error.problem,
            UnavailableProblem::Outbound(OutboundError::ForbiddenAddress(_) | OutboundError::NotHttps(_))
        );
        if guarded && not_ours {
            const WAY_OUT: &str = "it is not at a public https address: `countersign providers probe` asks it";
            return self.note(asked, Some(url), Outcome::Skipped, WAY_OUT);
        }
        self.note(asked, Some(url), Outcome::Trouble, error.problem.to_string());
    }

    fn note(&mut self, asked: Asked, url: Option<&url::Url>, outcome: Outcome, answer: impl Into<String>) {
        let url = url.map(ToString::to_string);
        self.steps.push(Step { asked, url, outcome, answer: answer.into() });
    }
}

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
                found.failed(Asked::Discovery, &discovery, &error, settings);
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
            None => found.note(Asked::Keys, None, Outcome::Skipped, UNSIGNED),
            Some(url) => match upstream.keys(&metadata, now).await {
                Ok(keys) => {
                    let (outcome, answer) = keys_answer(settings, &metadata, &keys);
                    found.note(Asked::Keys, Some(url), outcome, answer);
                }
                Err(error) => found.failed(Asked::Keys, url, &error, settings),
            },
        }
        match credentials {
            Credentials::Withhold(why) => found.note(Asked::Token, None, Outcome::Skipped, why),
            Credentials::Send => {
                self.examine_pushing(&mut found, &upstream, settings, &metadata, now).await;
                let (outcome, answer) = token_answer(&upstream, settings, &metadata, now).await;
                found.note(Asked::Token, Some(&metadata.token_endpoint), outcome, answer);
            }
        }
        found.missing = missing(settings, declared, &metadata);
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

/// Whether the document speaks for a tenant that may sign in.
fn discovery_answer(settings: &ProviderSettings, metadata: &Metadata) -> (Outcome, String) {
    let answer = format!("issuer {}", metadata.issuer);
    let many = metadata.issuer.contains(TEMPLATE);
    match (&settings.source.tenants, many) {
        (None, true) => {
            (Outcome::Trouble, format!("{answer}: it speaks for many tenants, which preset = \"entra\" understands"))
        }
        (Some(tenants), true) if !tenants.are_listed() => {
            (Outcome::Trouble, format!("{answer}: it speaks for many tenants; say in `tenants` which may sign in"))
        }
        _ => (Outcome::Fine, answer),
    }
}

/// Whether an ID token can be verified with one of the keys.
fn keys_answer(settings: &ProviderSettings, metadata: &Metadata, keys: &KeySet) -> (Outcome, String) {
    let algorithms = match settings.id_token_alg {
        Some(algorithm) => vec![algorithm],
        None => metadata.id_token_algs.clone(),
    };
    let names = |algorithms: &[Algorithm]| algorithms.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
    if algorithms.is_empty() {
        let answer =
            "it signs ID tokens with no algorithm that the broker knows (id_token_signing_alg_values_supported)";
        return (Outcome::Trouble, answer.to_owned());
    }
    let count = keys.len();
    let counted = format!("{count} usable {}", if count == 1 { "key" } else { "keys" });
    let symmetric = algorithms == [Algorithm::HS256];
    let fitting: Vec<Algorithm> =
        algorithms.iter().copied().filter(|algorithm| keys.fitting(None, *algorithm).next().is_some()).collect();
    if fitting.is_empty() && !symmetric {
        return (Outcome::Trouble, format!("{counted}, none of them for ID tokens signed with {}", names(&algorithms)));
    }
    (Outcome::Fine, if symmetric { counted } else { format!("{counted}, for {}", names(&fitting)) })
}

/// Redeems a code that does not exist. A provider that knows the broker refuses the code, another one the credentials.
async fn token_answer(
    upstream: &Arc<Upstream>,
    settings: &ProviderSettings,
    metadata: &Metadata,
    now: i64,
) -> (Outcome, String) {
    let mut grant =
        vec![("grant_type", "authorization_code"), ("code", NO_CODE), ("redirect_uri", settings.redirect_uri.as_str())];
    if settings.uses_pkce(metadata) {
        grant.push(("code_verifier", VERIFIER));
    }
    let method = auth_method(settings, metadata).name();
    const CHECK: &str = "check client_id, the secret or key, and token_endpoint_auth_method";
    match token::redeem(upstream, settings, metadata, &grant, now).await {
        Ok(_) => (Outcome::Trouble, "it gave tokens for a code that it never issued".to_owned()),
        Err(UpstreamError::Provider(error)) => match error.error.as_str() {
            refusal @ ("invalid_grant" | "bad_verification_code") => (
                Outcome::Fine,
                format!("it accepts our credentials ({method}) and refuses a code that does not exist ({refusal})"),
            ),
            "invalid_client" | "unauthorized_client" | "incorrect_client_credentials" => {
                (Outcome::Trouble, format!("it refuses our credentials ({method}): {}; {CHECK}", said(&error)))
            }
            _ => (
                Outcome::Unclear,
                format!("{} ({method}): this does not say whether it accepts our credentials", said(&error)),
            ),
        },
        Err(UpstreamError::Unavailable(error)) => match error.problem {
            UnavailableProblem::Status(status @ (401 | 403)) => {
                (Outcome::Trouble, format!("it refuses our credentials ({method}): status {status}; {CHECK}"))
            }
            problem => (Outcome::Trouble, problem.to_string()),
        },
        Err(other) => (Outcome::Trouble, other.to_string()),
    }
}

/// What the provider said, and what it means where that is known.
fn said(error: &ProviderError) -> String {
    let said = match &error.description {
        Some(description) => format!("{} {description:?}", error.error),
        None => error.error.clone(),
    };
    match hint(&error.error, error.description.as_deref()) {
        Some(hint) => format!("{said} ({hint})"),
        None => said,
    }
}

/// What a sign-in through the provider would lack, according to its metadata.
fn missing(settings: &ProviderSettings, declared: &Provider, metadata: &Metadata) -> Vec<String> {
    let mut missing = Vec::new();
    let lacks =
        |list: &Option<Vec<String>>, name: &str| list.as_ref().is_some_and(|list| !list.iter().any(|n| n == name));
    for scope in settings.scopes.iter().filter(|scope| lacks(&metadata.scopes, scope)) {
        missing.push(format!("scope {scope}: the provider's scopes_supported does not have it"));
    }
    let username = ["username", "preferred_username"];
    if !declared.claims.contains_key("username") && username.iter().all(|name| lacks(&metadata.claims, name)) {
        missing.push(
            "a username: the provider's claims_supported has neither username nor preferred_username; map one with \
             claims.username"
                .to_owned(),
        );
    }
    missing.extend(missing_groups(settings, declared, metadata));
    let from_userinfo = settings.claims_from.contains(&ClaimsSource::Userinfo);
    if from_userinfo && metadata.userinfo_endpoint.is_none() {
        missing.push("userinfo: the provider has no userinfo endpoint; claims come from the ID token alone".to_owned());
    }
    if settings.logout && metadata.end_session_endpoint.is_none() {
        missing.push("sign-out at the provider: it has no end_session_endpoint; sessions end here only".to_owned());
    }
    if settings.response_mode == Some(ProviderResponseMode::FormPost) && lacks(&metadata.response_modes, "form_post") {
        missing
            .push("response_mode = \"form_post\": the provider's response_modes_supported does not have it".to_owned());
    }
    // Where nothing is configured, the method is one that the metadata lists, or the best guess where it lists no fitting one.
    let method = auth_method(settings, metadata);
    if lacks(&metadata.auth_methods, method.name()) {
        let name = method.name();
        missing.push(format!("{name}: the provider's token_endpoint_auth_methods_supported does not have it"));
    }
    if !settings.uses_pkce(metadata) {
        missing.push("PKCE: the provider does not support S256, so codes are bound by the nonce alone".to_owned());
    }
    for unusable in &metadata.unusable {
        missing.push(format!("{}: {}", unusable.endpoint, unusable.problem));
    }
    missing
}

/// The groups that a sign-in through the provider would lack.
fn missing_groups(settings: &ProviderSettings, declared: &Provider, metadata: &Metadata) -> Option<String> {
    let from = &settings.groups_from;
    if from.source == GroupSource::Graph && from.when == GroupsWhen::Overage {
        let missing = "groups, unless the app registration emits them (Token configuration, Add groups claim): Graph is asked \
                       only for those for whom a token has no room";
        return Some(missing.to_owned());
    }
    let listed = metadata.claims.as_ref().is_none_or(|claims| claims.iter().any(|claim| claim == "groups"));
    let missing = "groups: the provider's claims_supported does not have them; let its app registration emit a claim `groups`, \
                   map another one with claims.groups, or set groups_from";
    let lacks = from.source == GroupSource::Token && !declared.claims.contains_key("groups") && !listed;
    lacks.then(|| missing.to_owned())
}
