//! Signing out at a provider, and the logout tokens by which it reports that a user signed out there.
//!
//! The URL (OIDC RP-Initiated Logout 1.0) and the checks on a logout token (OIDC Back-Channel Logout 1.0 §2.6) are here. The
//! caller decides which sessions end, and refuses a `jti` that was seen before.

use serde_json::Value;
use url::Url;

use crate::config::language::scalar::SecretValue;
use crate::jose::{Check, Claims, Jws, Problem, SKEW};
use crate::protocol::Algorithm;
use crate::upstream::RelyingParty;
use crate::upstream::context::ProviderContext;
use crate::upstream::error::{Document, UpstreamError};
use crate::upstream::settings::ProviderSettings;
use crate::upstream::sign_in::{LONGEST_URL, with_query};

const LOGOUT_EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// What a verified logout token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutToken {
    /// Whose sessions end; at least one of `subject` and `sid` is there.
    pub subject: Option<String>,
    /// The provider's session that ends.
    pub sid: Option<String>,
    /// What it is signed with: the algorithm of the ID tokens of the sessions that it ends (§2.6).
    pub algorithm: Algorithm,
    /// Its id, to be seen once.
    pub jti: String,
    /// When it can no longer be used: its `exp` plus the tolerated clock skew.
    pub expires_at: i64,
}

impl RelyingParty {
    /// The URL that signs the browser out at the provider and returns it here; `None` if the provider has no such endpoint,
    /// can't be reached, or `logout = false`. `redirect` is the URL to return to, with its `state`. A hint that would make the
    /// URL longer than servers accept, such as the ID token of a user in many groups, is left out: it is not required, and
    /// `client_id` states whose redirect URI it is (OIDC RP-Initiated Logout §2).
    pub async fn end_session_url(
        &self,
        settings: &ProviderSettings,
        id_token_hint: Option<&SecretValue>,
        redirect: Option<(&str, &str)>,
        now: i64,
    ) -> Option<Url> {
        if !settings.logout {
            return None;
        }
        let metadata = self.upstream(settings).metadata(now).await.ok()?;
        let endpoint = metadata.end_session_endpoint.as_ref()?;
        let mut query = vec![("client_id", settings.client_id.clone())];
        if let Some((uri, state)) = redirect {
            query.push(("post_logout_redirect_uri", uri.to_owned()));
            query.push(("state", state.to_owned()));
        }
        let without_hint = with_query(endpoint, &query);
        let Some(id_token) = id_token_hint else { return Some(without_hint) };
        query.push(("id_token_hint", id_token.expose().to_owned()));
        let whole = with_query(endpoint, &query);
        if whole.as_str().len() <= LONGEST_URL {
            return Some(whole);
        }
        tracing::info!(provider = %settings.id, "the ID token is too long for a hint: signing out by client_id");
        Some(without_hint)
    }

    /// Whose pages may frame ours when somebody signs out at the provider: those of its issuer, and of its authorization and
    /// end session endpoints where they are known.
    pub async fn logout_page_origins(&self, settings: &ProviderSettings, now: i64) -> Vec<Url> {
        let issuer = Url::parse(settings.issuer()).ok();
        let metadata = self.upstream(settings).metadata(now).await.ok();
        let endpoints = metadata.iter().flat_map(|metadata| {
            [Some(metadata.authorization_endpoint.clone()), metadata.end_session_endpoint.clone()]
        });
        issuer.into_iter().chain(endpoints.flatten()).collect()
    }

    /// Verifies a logout token that the provider posted.
    ///
    /// # Errors
    /// When it fails a check, or the provider's keys are not available.
    pub async fn logout_token(
        &self,
        settings: &ProviderSettings,
        token: &str,
        now: i64,
    ) -> Result<LogoutToken, UpstreamError> {
        let invalid = |check| UpstreamError::invalid(Document::LogoutToken, check);
        let upstream = &self.upstream(settings);
        let metadata = &*upstream.metadata(now).await?;
        let provider = ProviderContext { upstream, settings, metadata, key: None, now };
        let jws = Jws::parse(token).map_err(invalid)?;
        if !matches!(jws.typ.as_deref(), None | Some("jwt" | "logout+jwt")) {
            return Err(invalid(Check::Form("its typ is not that of a logout token")));
        }
        let configured = settings.id_token_alg.as_slice();
        let algorithms = if configured.is_empty() { metadata.id_token_algs.as_slice() } else { configured };
        provider.verify(Document::LogoutToken, &jws, algorithms, true).await?;
        provider.issued(Claims(&jws.claims)).map_err(invalid)?;
        check(&jws, settings, now).map_err(invalid)
    }
}

fn check(jws: &Jws<'_>, settings: &ProviderSettings, now: i64) -> Result<LogoutToken, Check> {
    let claims = Claims(&jws.claims);
    claims.audience(&settings.client_id)?;
    claims.not_expired(now)?;
    claims.has_come("iat", now)?.ok_or(Check::Claim("iat", Problem::Missing))?;
    let event = jws.claims.get("events").and_then(|events| events.get(LOGOUT_EVENT));
    if !event.is_some_and(Value::is_object) {
        return Err(Check::Claim("events", Problem::Missing));
    }
    // It must not pass for an ID token, nor an ID token for it.
    if jws.claims.contains_key("nonce") {
        return Err(Check::Claim("nonce", Problem::Present));
    }
    // Where an account is not known by `sub`, a logout token that lacks the claims that it is known by ends a session by `sid`.
    let named = claims.text("sub")?.is_some();
    let subject = if named { settings.quirks.subject(&jws.claims).ok() } else { None };
    let sid = claims.text("sid")?.map(str::to_owned);
    if subject.is_none() && sid.is_none() {
        return Err(Check::Claim("sub", Problem::Missing));
    }
    let jti = claims.text("jti")?.ok_or(Check::Claim("jti", Problem::Missing))?.to_owned();
    let expires_at = claims.time("exp")?.ok_or(Check::Claim("exp", Problem::Missing))?;
    let expires_at = expires_at.saturating_add(SKEW);
    Ok(LogoutToken { subject, sid, algorithm: jws.algorithm, jti, expires_at })
}
