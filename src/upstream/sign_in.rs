//! A sign-in at a provider: the authorization request, and the verified identity that the callback leads to.
//!
//! The order of the checks on the answer is here. The caller owns `state`, its binding to the browser and what is stored in
//! between, and finds the sign-in by its `state` before it calls [`RelyingParty::finish`].

use std::fmt;

use serde_json::{Map, Value};
use url::Url;

use crate::config::language::provider::{ClaimsSource, Forward, Profile, ProviderResponseMode, Reauth};
use crate::config::language::scalar::SecretValue;
use crate::digest::sha256_base64url;
use crate::jose::{Check, Claims, Problem, SKEW};
use crate::upstream::RelyingParty;
use crate::upstream::client_auth;
use crate::upstream::context::ProviderContext;
use crate::upstream::dpop::ProofKey;
use crate::upstream::error::{Document, ProviderError, ResponseProblem, Stage, UpstreamError};
use crate::upstream::metadata::Metadata;
use crate::upstream::plain::{self, Who};
use crate::upstream::pushed;
use crate::upstream::settings::ProviderSettings;
use crate::upstream::token::{self, Tokens};

/// What an authorization request is made of, in addition to the provider's settings. What the app sent is passed on only as far
/// as the provider's `forward` says.
#[derive(Clone, Copy)]
pub struct BeginParams<'a> {
    /// Unguessable, single-use, bound to the browser by the caller.
    pub state: &'a str,
    /// Unguessable; comes back in the ID token.
    pub nonce: &'a str,
    /// PKCE verifier, 43 to 128 unreserved characters (RFC 7636 §4.1).
    pub code_verifier: &'a SecretValue,
    /// The callback, [`ProviderSettings::redirect_uri`].
    pub redirect_uri: &'a str,
    /// The app's `prompt` values.
    pub prompt: &'a [String],
    /// The person wants to use another account than the one that the provider knows this browser by.
    pub another_account: bool,
    /// The app's `max_age`, seconds.
    pub max_age: Option<u64>,
    /// The app's `login_hint`.
    pub login_hint: Option<&'a str>,
    /// The app's `ui_locales`.
    pub ui_locales: Option<&'a str>,
    /// The app's `acr_values`.
    pub acr_values: Option<&'a str>,
}

/// The parameters of a callback, after its `state` was matched.
#[derive(Clone, Copy, Default)]
pub struct CallbackParams<'a> {
    /// The authorization code.
    pub code: Option<&'a str>,
    /// Issuer of the response (RFC 9207 §2).
    pub iss: Option<&'a str>,
    /// The provider's error.
    pub error: Option<&'a str>,
    /// Its text.
    pub error_description: Option<&'a str>,
    /// `user`: JSON about the person (Sign in with Apple).
    pub user: Option<&'a str>,
}

/// What the sign-in was begun with, from where the caller kept it.
#[derive(Clone, Copy)]
pub struct Expected<'a> {
    /// [`BeginParams::nonce`]
    pub nonce: &'a str,
    /// [`BeginParams::code_verifier`]
    pub code_verifier: &'a SecretValue,
    /// [`BeginParams::redirect_uri`]
    pub redirect_uri: &'a str,
    /// With `prompt=login`, when the sign-in began; with `max_age`, that many seconds before. The user must have
    /// authenticated since then, as `reauth` says. `None`: at any time.
    pub authenticated_after: Option<i64>,
}

/// Who signed in, as the provider says: verified, and not yet mapped.
#[derive(Clone, PartialEq)]
pub struct UpstreamIdentity {
    /// The provider's id.
    pub provider: String,
    /// Its issuer.
    pub issuer: String,
    /// `sub`, or the claims that the provider's quirks name in its place: unique within the issuer.
    pub subject: String,
    /// All claims: the ID token's protocol claims, and what the documents of `claims_from` say.
    pub claims: Map<String, Value>,
    /// When the user authenticated, if the provider says.
    pub auth_time: Option<i64>,
    /// Authentication context class, if the provider says.
    pub acr: Option<String>,
    /// Authentication methods, if the provider says.
    pub amr: Vec<String>,
    /// The provider's session, for its back-channel logout.
    pub sid: Option<String>,
    /// The ID token itself, the hint for signing out.
    pub id_token: SecretValue,
    /// The refresh token, if the provider gave one.
    pub refresh_token: Option<SecretValue>,
    /// When the access token expires, if the provider says.
    pub access_token_expires_at: Option<i64>,
}

impl fmt::Debug for UpstreamIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Claims and tokens stay out of whatever prints this.
        f.debug_struct("UpstreamIdentity")
            .field("provider", &self.provider)
            .field("issuer", &self.issuer)
            .field("claims", &self.claims.len())
            .finish_non_exhaustive()
    }
}

impl RelyingParty {
    /// The URL to send the browser to (OIDC Core §3.1.2.1), with PKCE S256 whenever the provider supports it or does not
    /// say.
    ///
    /// # Errors
    /// [`UpstreamError::Unavailable`] when the provider's metadata is not available; [`UpstreamError::Reauthentication`] when a
    /// fresh authentication is asked for and the provider is declared unable; others where the request is pushed (RFC 9126) and
    /// the provider refuses it.
    pub async fn begin(
        &self,
        settings: &ProviderSettings,
        params: &BeginParams<'_>,
        now: i64,
    ) -> Result<Url, UpstreamError> {
        let login = params.prompt.iter().any(|prompt| prompt == "login");
        if settings.reauth == Reauth::Unsupported && (login || params.max_age.is_some()) {
            return Err(UpstreamError::Reauthentication(UNSUPPORTED));
        }
        // Without OpenID Connect there is no way to ask that nobody be disturbed.
        if settings.profile.is_some() && params.prompt.iter().any(|prompt| prompt == "none") {
            return Err(UpstreamError::Reauthentication(UNSUPPORTED));
        }
        let upstream = &self.upstream(settings);
        let metadata = client_auth::metadata(upstream, settings, now).await?;
        // What would fail when the browser comes back fails before it leaves.
        ProofKey::check(settings, &metadata)?;
        upstream.is_asked_for(Document::TokenResponse, now)?;
        if settings.claims_from.contains(&ClaimsSource::Userinfo) {
            metadata.check_userinfo()?;
            upstream.is_asked_for(Document::Userinfo, now)?;
        }
        let query = authorization_query(settings, &metadata, params, login);
        let Some(endpoint) = pushed::endpoint(settings, &metadata)? else {
            return Ok(with_query(&metadata.authorization_endpoint, &query));
        };
        let request_uri = pushed::push(upstream, settings, &metadata, (endpoint, &query), now).await?;
        let reference = [("client_id", settings.client_id.clone()), ("request_uri", request_uri)];
        Ok(with_query(&metadata.authorization_endpoint, &reference))
    }

    /// From the callback to a verified identity: `iss` (RFC 9207), the code's exchange, the ID token (OIDC Core
    /// §3.1.3.7), a fresh enough authentication, then the other documents of `claims_from`.
    ///
    /// # Errors
    /// See [`UpstreamError`]. Nothing is sent to the token endpoint unless the callback is this provider's, and nothing to the
    /// userinfo endpoint unless the ID token is verified.
    pub async fn finish(
        &self,
        settings: &ProviderSettings,
        callback: &CallbackParams<'_>,
        expected: &Expected<'_>,
        now: i64,
    ) -> Result<UpstreamIdentity, UpstreamError> {
        let upstream = &self.upstream(settings);
        let metadata = &*client_auth::metadata(upstream, settings, now).await?;
        let code = accept(settings, metadata, callback)?;
        let mut grant =
            vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", expected.redirect_uri)];
        if settings.uses_pkce(metadata) {
            grant.push(("code_verifier", expected.code_verifier.expose()));
        }
        let provider = ProviderContext { upstream, settings, metadata, key: ProofKey::of(settings, metadata)?, now };
        let tokens = token::redeem(&provider, &grant).await?;
        if let Some(profile) = settings.profile {
            reauthenticated(settings.reauth, expected.authenticated_after, None)?;
            return unsigned(&provider, profile, tokens).await;
        }
        let missing = UpstreamError::invalid(Document::TokenResponse, Check::Claim("id_token", Problem::Missing));
        let id_token = tokens.id_token.clone().ok_or(missing)?;
        let verified = provider.id_token(&id_token, Some(expected.nonce), &tokens.access_token).await?;
        let claims = Claims(&verified);
        let invalid = |check| UpstreamError::invalid(Document::IdToken, check);
        let sub = claims.subject().map_err(invalid)?.to_owned();
        let subject = provider.account(&verified).map_err(invalid)?;
        let auth_time = claims.time("auth_time").map_err(invalid)?;
        reauthenticated(settings.reauth, expected.authenticated_after, auth_time)?;
        let text = |name| claims.filled(name).ok().flatten().map(str::to_owned);
        let (acr, amr, sid) = (text("acr"), claims.methods(), text("sid"));
        Ok(UpstreamIdentity {
            provider: settings.id.clone(),
            issuer: settings.issuer().to_owned(),
            claims: with_name(settings, callback, provider.gather(&tokens, verified, &sub).await?),
            subject,
            auth_time,
            acr,
            amr,
            sid,
            id_token,
            refresh_token: tokens.refresh_token,
            access_token_expires_at: tokens.expires_at,
        })
    }
}

/// The identity at a provider that signs nothing: what its API says with the access token.
async fn unsigned(
    provider: &ProviderContext<'_>,
    profile: Profile,
    tokens: Tokens,
) -> Result<UpstreamIdentity, UpstreamError> {
    let Who { subject, claims } = plain::who(provider, profile, &tokens.access_token, None).await?;
    Ok(UpstreamIdentity {
        provider: provider.settings.id.clone(),
        issuer: provider.settings.issuer().to_owned(),
        subject,
        claims,
        auth_time: None,
        acr: None,
        amr: Vec::new(),
        sid: None,
        id_token: SecretValue::new(String::new()),
        refresh_token: plain::kept(&tokens),
        access_token_expires_at: tokens.expires_at,
    })
}

/// The claims with the name that came with them in the parameter `user`, where the provider says it once and there. The browser
/// brought it, so that it may be what the person made up, as on any profile: nothing else of it is used, least of all the
/// address.
fn with_name(
    settings: &ProviderSettings,
    callback: &CallbackParams<'_>,
    mut claims: Map<String, Value>,
) -> Map<String, Value> {
    let Some(user) = callback.user.filter(|_| settings.quirks.name_once) else { return claims };
    let user: Value = serde_json::from_str(user).unwrap_or_default();
    let part = |name: &str| {
        let text = user.get("name")?.get(name)?.as_str()?.trim();
        let fits = !text.is_empty() && text.chars().count() <= LONGEST_NAME && !text.chars().any(char::is_control);
        fits.then(|| text.to_owned())
    };
    let (given, family) = (part("firstName"), part("lastName"));
    let whole: Vec<&str> = given.iter().chain(&family).map(String::as_str).collect();
    let whole = Some(whole.join(" ")).filter(|name| !name.is_empty());
    for (name, value) in [("given_name", &given), ("family_name", &family), ("name", &whole)] {
        if let Some(value) = value.as_ref().filter(|_| !claims.contains_key(name)) {
            claims.insert(name.to_owned(), value.as_str().into());
        }
    }
    claims
}

/// The longest part of a name that is taken from the parameter `user`, in characters.
const LONGEST_NAME: usize = 100;

const UNSUPPORTED: &str = "reauth = \"unsupported\": the provider can't be asked for a fresh authentication";

/// The longest URL, in bytes, that a browser is sent to where its parameters can be long: what servers and proxies take by
/// default in one line of a request. Their buffers are of 8 KiB.
pub(crate) const LONGEST_URL: usize = 8000;

/// The longest value, in bytes, that is passed on from an app's request. The parameters are hints, and may be left out.
const LONGEST_FORWARDED: usize = 1024;

/// The code, if the callback is an answer of this provider, and no error.
fn accept<'a>(
    settings: &ProviderSettings,
    metadata: &Metadata,
    callback: &CallbackParams<'a>,
) -> Result<&'a str, UpstreamError> {
    match callback.iss.filter(|_| settings.source.names_issuer) {
        Some(iss) if !settings.source.answers(&metadata.issuer, iss) => {
            return Err(UpstreamError::Response(ResponseProblem::IssuerDiffers));
        }
        None if metadata.iss_in_response => return Err(UpstreamError::Response(ResponseProblem::IssuerMissing)),
        _ => {}
    }
    if let Some(error) = callback.error {
        return Err(UpstreamError::Provider(ProviderError::new(
            Stage::Authorization,
            error,
            callback.error_description,
        )));
    }
    let code = callback.code.filter(|code| !code.is_empty()).ok_or(UpstreamError::Response(ResponseProblem::Empty))?;
    // A made-up code that a server fails at would count as its failure: the provider would be left alone, for everybody.
    if code.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        Ok(code)
    } else {
        Err(UpstreamError::Response(ResponseProblem::Code))
    }
}

fn reauthenticated(reauth: Reauth, after: Option<i64>, auth_time: Option<i64>) -> Result<(), UpstreamError> {
    let Some(after) = after else { return Ok(()) };
    match (reauth, auth_time) {
        (Reauth::Trust, _) => Ok(()),
        (Reauth::Unsupported, _) => Err(UpstreamError::Reauthentication(UNSUPPORTED)),
        (Reauth::Verify, None) => Err(UpstreamError::Reauthentication("the ID token does not say auth_time")),
        (Reauth::Verify, Some(auth_time)) if auth_time.saturating_add(SKEW) < after => {
            Err(UpstreamError::Reauthentication("auth_time is before what was asked for"))
        }
        (Reauth::Verify, Some(_)) => Ok(()),
    }
}

/// The parameters of an authorization request.
pub(crate) fn authorization_query<'s>(
    settings: &'s ProviderSettings,
    metadata: &Metadata,
    params: &BeginParams<'_>,
    login: bool,
) -> Vec<(&'s str, String)> {
    let mut query: Vec<(&str, String)> = vec![
        ("response_type", "code".to_owned()),
        ("client_id", settings.client_id.clone()),
        ("redirect_uri", params.redirect_uri.to_owned()),
        ("state", params.state.to_owned()),
    ];
    query.extend(Some(("scope", settings.requested_scopes(metadata))).filter(|(_, scopes)| !scopes.is_empty()));
    if settings.profile.is_none() {
        query.push(("nonce", params.nonce.to_owned()));
    }
    if settings.uses_pkce(metadata) {
        query.push(("code_challenge", sha256_base64url(params.code_verifier.expose().as_bytes())));
        query.push(("code_challenge_method", "S256".to_owned()));
    }
    if settings.response_mode == Some(ProviderResponseMode::FormPost) {
        query.push(("response_mode", "form_post".to_owned()));
    }
    if let Some(resource) = &settings.resource {
        query.push(("resource", resource.clone()));
    }
    if settings.asks_by_access_type() {
        query.push(("access_type", "offline".to_owned()));
    }
    query.extend(settings.quirks.authorization_params.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let prompt = prompt(settings, metadata, params);
    if !prompt.is_empty() {
        query.push(("prompt", prompt.join(" ")));
    }
    // max_age obliges the provider to say auth_time (OIDC Core §3.1.2.1), which `verify` rests on; prompt does not.
    let proof = (login && settings.reauth == Reauth::Verify).then_some(0);
    let forwarded = [
        (Forward::MaxAge, "max_age", params.max_age.or(proof).map(|seconds| seconds.to_string())),
        (Forward::LoginHint, "login_hint", params.login_hint.map(str::to_owned)),
        (Forward::UiLocales, "ui_locales", params.ui_locales.map(str::to_owned)),
        (Forward::AcrValues, "acr_values", params.acr_values.map(str::to_owned)),
    ];
    for (parameter, name, value) in forwarded {
        match value.filter(|_| settings.forwards(parameter)) {
            Some(value) if value.len() <= LONGEST_FORWARDED => query.push((name, value)),
            Some(_) => tracing::info!(provider = %settings.id, name, "a parameter is too long to be passed on"),
            None => {}
        }
    }
    query
}

/// The `prompt` values to send (OIDC Core §3.1.2.1): the app's, as far as they are passed on, without those that the provider
/// is known to fail on. `login` and `none` are always passed on, because leaving them out would change what is asked. For
/// another account the provider shows its accounts, or its login page where it can't.
fn prompt<'p>(settings: &ProviderSettings, metadata: &Metadata, params: &BeginParams<'p>) -> Vec<&'p str> {
    let supported = |value: &str| {
        !settings.quirks.unsupported_prompts.iter().any(|unsupported| unsupported == value)
            && metadata.prompts.as_ref().is_none_or(|supported| supported.iter().any(|known| known == value))
    };
    let passes = |value: &&str| matches!(*value, "login" | "none") || supported(value);
    let forwarded = params.prompt.iter().map(String::as_str).filter(|_| settings.forwards(Forward::Prompt));
    let mut prompt: Vec<&str> = forwarded.filter(passes).collect();
    if params.another_account && !prompt.iter().any(|value| matches!(*value, "login" | "select_account")) {
        prompt.push(if supported("select_account") { "select_account" } else { "login" });
    }
    // Such a provider gives a refresh token only with a consent.
    if settings.asks_by_access_type() && !prompt.iter().any(|value| matches!(*value, "none" | "consent")) {
        prompt.push("consent");
    }
    prompt
}

/// The endpoint with these parameters. Its own query stays (RFC 6749 §3.1), unless it sets one of these.
pub(crate) fn with_query(endpoint: &Url, query: &[(&str, String)]) -> Url {
    let mut url = endpoint.clone();
    let own: Vec<(String, String)> = endpoint
        .query_pairs()
        .filter(|(name, _)| !query.iter().any(|(ours, _)| ours == name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(own).extend_pairs(query);
    url
}
