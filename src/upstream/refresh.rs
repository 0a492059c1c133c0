//! Asking the provider again with a refresh token (RFC 6749 §6, OIDC Core §12).
//!
//! The checks on the answer are here. The caller decides when to ask, and what to do while the provider can't be reached.

use std::fmt;

use serde_json::{Map, Value};

use crate::config::language::provider::Profile;
use crate::config::language::scalar::SecretValue;
use crate::jose::{Check, Claims, Problem};
use crate::upstream::RelyingParty;
use crate::upstream::client_auth;
use crate::upstream::context::ProviderContext;
use crate::upstream::dpop;
use crate::upstream::dpop::ProofKey;
use crate::upstream::error::{
    Document, ProviderError, RefreshError, Stage, Unavailable, UnavailableProblem, UpstreamError,
};
use crate::upstream::plain;
use crate::upstream::settings::ProviderSettings;
use crate::upstream::token;
use crate::upstream::token::Tokens;

/// The result of a refresh.
#[derive(Clone, PartialEq)]
pub struct Refreshed {
    /// All claims as the provider states them now: as [`crate::upstream::UpstreamIdentity::claims`].
    pub claims: Map<String, Value>,
    /// The refresh token to use from now on, where the provider changed it.
    pub refresh_token: Option<SecretValue>,
    /// The new ID token. `None`: the provider sent none, and the claims are userinfo's alone, with `iss` and `sub`.
    pub id_token: Option<SecretValue>,
    /// When the new access token expires, if the provider says.
    pub access_token_expires_at: Option<i64>,
}

impl fmt::Debug for Refreshed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Claims and tokens stay out of whatever prints this.
        f.debug_struct("Refreshed").field("claims", &self.claims.len()).finish_non_exhaustive()
    }
}

/// A refresh that brought no claims.
#[derive(Clone, PartialEq)]
pub struct FailedRefresh {
    /// Why.
    pub error: RefreshError,
    /// The refresh token to use from now on, where the provider changed it before the rest failed.
    pub refresh_token: Option<SecretValue>,
}

impl fmt::Debug for FailedRefresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailedRefresh").field("error", &self.error).finish_non_exhaustive()
    }
}

impl From<UpstreamError> for FailedRefresh {
    fn from(error: UpstreamError) -> Self {
        Self { error: error.into(), refresh_token: None }
    }
}

impl RelyingParty {
    /// Asks the provider for the claims of `subject` again. A new ID token must be of the same issuer, audience and
    /// subject (OIDC Core §12.2); without one, userinfo must be of that subject.
    ///
    /// # Errors
    /// [`RefreshError::Denied`] if the provider refuses the token or requires the user to sign in,
    /// [`RefreshError::SomebodyElse`] if its response is about another person, [`RefreshError::Unavailable`] if it gave no
    /// usable response, [`RefreshError::Invalid`] if its response fails a check or it refuses the broker itself.
    pub async fn refresh(
        &self,
        settings: &ProviderSettings,
        refresh_token: &SecretValue,
        subject: &str,
        now: i64,
    ) -> Result<Refreshed, FailedRefresh> {
        let upstream = &self.upstream(settings);
        let metadata = &*client_auth::metadata(upstream, settings, now).await.map_err(UpstreamError::from)?;
        // The key of the sign-in, even if none is used for new ones any more.
        let (key, refresh_token) = dpop::kept(refresh_token);
        let key = match key {
            Some(key) => Some(key),
            None => ProofKey::of(settings, metadata).map_err(UpstreamError::from)?,
        };
        let provider = ProviderContext { upstream, settings, metadata, key, now };
        if let Some((profile, token)) = settings.profile.zip(plain::lasting(&refresh_token)) {
            let claims = same_person(&provider, profile, &token, subject).await.map_err(revoked)?;
            return Ok(Refreshed { claims, refresh_token: None, id_token: None, access_token_expires_at: None });
        }
        let grant = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose())];
        let tokens = token::redeem(&provider, &grant).await?;
        match claims(&provider, &tokens, subject).await {
            Ok(claims) => Ok(Refreshed {
                claims,
                refresh_token: tokens.refresh_token,
                id_token: tokens.id_token,
                access_token_expires_at: tokens.expires_at,
            }),
            Err(error) => Err(FailedRefresh { error: error.into(), refresh_token: tokens.refresh_token }),
        }
    }
}

/// The claims that these tokens lead to.
async fn claims(
    provider: &ProviderContext<'_>,
    tokens: &Tokens,
    subject: &str,
) -> Result<Map<String, Value>, UpstreamError> {
    if let Some(profile) = provider.settings.profile {
        return same_person(provider, profile, &tokens.access_token, subject).await;
    }
    let Some(id_token) = &tokens.id_token else { return without_id_token(provider, tokens, subject).await };
    let verified = provider.id_token(id_token, None, &tokens.access_token).await?;
    let invalid = |check| UpstreamError::invalid(Document::IdToken, check);
    let sub = Claims(&verified).subject().map_err(invalid)?.to_owned();
    if provider.account(&verified).map_err(invalid)? != subject {
        return Err(invalid(Check::Claim("sub", Problem::Differs)));
    }
    provider.gather(tokens, verified, &sub).await
}

/// What the API of a provider that signs nothing says now, if it is about the same person.
async fn same_person(
    provider: &ProviderContext<'_>,
    profile: Profile,
    token: &SecretValue,
    subject: &str,
) -> Result<Map<String, Value>, UpstreamError> {
    let who = plain::who(provider, profile, token, Some(subject)).await?;
    if who.subject != subject {
        return Err(UpstreamError::invalid(Document::Profile, Check::Claim("sub", Problem::Differs)));
    }
    Ok(who.claims)
}

/// What it means that the API does not accept an access token that does not expire: somebody took it back.
fn revoked(error: UpstreamError) -> UpstreamError {
    match error {
        UpstreamError::Unavailable(Unavailable {
            problem: UnavailableProblem::Status(401) | UnavailableProblem::Denied { status: 401, .. },
            ..
        }) => UpstreamError::Provider(ProviderError::new(
            Stage::Token,
            "invalid_grant",
            Some("the access token was revoked"),
        )),
        other => other,
    }
}

async fn without_id_token(
    provider: &ProviderContext<'_>,
    tokens: &Tokens,
    subject: &str,
) -> Result<Map<String, Value>, UpstreamError> {
    let nothing = UpstreamError::invalid(Document::TokenResponse, Check::Claim("id_token", Problem::Missing));
    // Userinfo names people by their `sub`.
    if !provider.settings.quirks.subject_claims.is_empty() {
        return Err(nothing);
    }
    let mut claims = provider.userinfo(&tokens.access_token, subject).await?.ok_or(nothing)?;
    claims.insert("iss".to_owned(), Value::String(provider.metadata.issuer.clone()));
    provider.groups(&mut claims, &tokens.access_token, subject).await?;
    Ok(claims)
}

impl From<UpstreamError> for RefreshError {
    fn from(error: UpstreamError) -> Self {
        match error {
            UpstreamError::Unavailable(unavailable) => Self::Unavailable(unavailable),
            UpstreamError::Provider(error) if denies(&error) => Self::Denied(error),
            about_another @ UpstreamError::TokenInvalid {
                document: Document::IdToken | Document::Userinfo | Document::Profile,
                check: Check::Claim("iss" | "tid" | "sub" | "aud" | "azp", _),
            } => Self::SomebodyElse(about_another),
            other => Self::Invalid(other),
        }
    }
}

/// Whether the error is about this person or token, rather than about the broker as a client.
fn denies(error: &ProviderError) -> bool {
    matches!(
        error.error.as_str(),
        // GitHub's name for the first.
        "bad_refresh_token"
            | "invalid_grant"
            | "access_denied"
            | "login_required"
            | "interaction_required"
            | "consent_required"
    )
}
