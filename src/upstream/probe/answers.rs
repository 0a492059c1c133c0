//! What each answer of a provider means to its sign-ins.

use std::sync::Arc;

use crate::config::language::provider::Preset;
use crate::config::language::scalar::SecretValue;
use crate::jose::KeySet;
use crate::outbound::OutboundError;
use crate::protocol::Algorithm;
use crate::upstream::client_auth::auth_method;
use crate::upstream::context::ProviderContext;
use crate::upstream::dpop::ProofKey;
use crate::upstream::error::{ProviderError, UnavailableProblem, UpstreamError};
use crate::upstream::hints::{credentials_hint, hint, issuer_hint};
use crate::upstream::metadata::Metadata;
use crate::upstream::probe::model::Outcome;
use crate::upstream::provider::Upstream;
use crate::upstream::settings::ProviderSettings;
use crate::upstream::tenants::TEMPLATE;
use crate::upstream::token;

/// A code that no provider has issued.
pub(super) const NO_CODE: &str = "countersign-probe-no-such-code";
/// A PKCE verifier of the shortest length (RFC 7636 §4.1).
pub(super) const VERIFIER: &str = "countersign-probe-countersign-probe-counters";
/// A secret that no provider has issued, as long as an HMAC with SHA-256 needs it (RFC 7518 §3.2).
const NO_SECRET: &str = "countersign-probe-no-such-secret";
/// What providers call a code that does not exist (RFC 6749 §5.2; the second is GitHub's).
const REFUSES_CODE: [&str; 2] = ["invalid_grant", "bad_verification_code"];

/// Whether the document speaks for a tenant that may sign in.
pub(super) fn discovery_answer(settings: &ProviderSettings, metadata: &Metadata) -> (Outcome, String) {
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

/// What to compare where there is no discovery document, or that of another issuer.
pub(super) const fn discovery_hint(preset: Preset, problem: &UnavailableProblem) -> Option<&'static str> {
    match problem {
        UnavailableProblem::Status(400..=499)
        | UnavailableProblem::Malformed(_)
        | UnavailableProblem::Outbound(OutboundError::Redirect(_))
        | UnavailableProblem::Issuer { .. } => issuer_hint(preset),
        _ => None,
    }
}

/// Whether an ID token can be verified with one of the keys.
pub(super) fn keys_answer(settings: &ProviderSettings, metadata: &Metadata, keys: &KeySet) -> (Outcome, String) {
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
pub(super) async fn token_answer(
    upstream: &Arc<Upstream>,
    settings: &ProviderSettings,
    metadata: &Metadata,
    preset: Preset,
    now: i64,
) -> (Outcome, String) {
    let method = auth_method(settings, metadata).name();
    let check = credentials_hint(preset);
    match redeem_no_code(upstream, settings, metadata, now).await {
        Ok(()) => (Outcome::Trouble, "it gave tokens for a code that it never issued".to_owned()),
        Err(UpstreamError::Provider(error)) => match error.error.as_str() {
            refusal if refuses_code(&error) => {
                if refuses_before_it_knows_us(upstream, settings, metadata, now).await {
                    let answer = format!(
                        "it refuses a code that does not exist ({refusal}) whatever the secret ({method}): only a \
                         sign-in shows whether ours is right"
                    );
                    return (Outcome::Unclear, answer);
                }
                let answer =
                    format!("it accepts our credentials ({method}) and refuses a code that does not exist ({refusal})");
                (Outcome::Fine, answer)
            }
            // The last is Auth0's.
            "invalid_client" | "unauthorized_client" | "incorrect_client_credentials" | "access_denied" => {
                (Outcome::Trouble, format!("it refuses our credentials ({method}): {}; {check}", said(&error)))
            }
            _ => (
                Outcome::Unclear,
                format!("{} ({method}): this does not say whether it accepts our credentials", said(&error)),
            ),
        },
        Err(UpstreamError::Unavailable(error)) => match error.problem {
            UnavailableProblem::Status(status @ (401 | 403)) => {
                (Outcome::Trouble, format!("it refuses our credentials ({method}): status {status}; {check}"))
            }
            problem => (Outcome::Trouble, problem.to_string()),
        },
        Err(other) => (Outcome::Trouble, other.to_string()),
    }
}

async fn redeem_no_code(
    upstream: &Arc<Upstream>,
    settings: &ProviderSettings,
    metadata: &Metadata,
    now: i64,
) -> Result<(), UpstreamError> {
    let mut grant =
        vec![("grant_type", "authorization_code"), ("code", NO_CODE), ("redirect_uri", settings.redirect_uri.as_str())];
    if settings.uses_pkce(metadata) {
        grant.push(("code_verifier", VERIFIER));
    }
    let key = ProofKey::of(settings, metadata)?;
    token::redeem(&ProviderContext { upstream, settings, metadata, key, now }, &grant).await.map(drop)
}

/// Whether it is the code that the provider refuses. LinkedIn says so only in its text.
fn refuses_code(error: &ProviderError) -> bool {
    let text = error.description.as_deref().unwrap_or_default();
    REFUSES_CODE.contains(&error.error.as_str()) || text.contains("does not match authorization code")
}

/// Whether the code is refused to a client with a wrong secret too. Some providers look the code up before they authenticate
/// the client: their refusal of the code says nothing about the secret.
async fn refuses_before_it_knows_us(
    upstream: &Arc<Upstream>,
    settings: &ProviderSettings,
    metadata: &Metadata,
    now: i64,
) -> bool {
    if settings.credentials.secrets.is_empty() {
        return false;
    }
    let mut stranger = settings.clone();
    stranger.credentials.secrets = vec![SecretValue::new(NO_SECRET.to_owned())];
    match redeem_no_code(upstream, &stranger, metadata, now).await {
        Err(UpstreamError::Provider(error)) => refuses_code(&error),
        _ => false,
    }
}

/// What the provider said, and what it means where that is known.
pub(super) fn said(error: &ProviderError) -> String {
    let said = match &error.description {
        Some(description) => format!("{} {description:?}", error.error),
        None => error.error.clone(),
    };
    match hint(&error.error, error.description.as_deref()) {
        Some(hint) => format!("{said} ({hint})"),
        None => said,
    }
}
