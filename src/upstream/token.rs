//! The token endpoint: the requests to it, and the parts of the answer that are used.
//!
//! The two grants that the broker uses are here; `client_auth` authenticates the broker, and `gather` handles the contents of
//! the tokens. Errors hold nothing of the answer but the code and the text of an OAuth error.

use std::sync::Arc;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Map, Value};
use url::form_urlencoded;

use crate::config::language::scalar::SecretValue;
use crate::jose::{Check, Problem};
use crate::protocol::is_absent;
use crate::upstream::client_auth::{Authentication, authenticate, presented};
use crate::upstream::context::ProviderContext;
use crate::upstream::dpop::{DPOP, ProofKey, Proven, nonce};
use crate::upstream::error::{Document, ProviderError, Stage, Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::metadata::Metadata;
use crate::upstream::provider::Upstream;
use crate::upstream::request::{authorization, request, shown, unusable};
use crate::upstream::settings::ProviderSettings;

/// What the token endpoint gave (RFC 6749 §5.1, OIDC Core §3.1.3.3).
pub(crate) struct Tokens {
    pub(crate) access_token: SecretValue,
    pub(crate) id_token: Option<SecretValue>,
    pub(crate) refresh_token: Option<SecretValue>,
    pub(crate) expires_at: Option<i64>,
}

/// Sends a grant to the token endpoint.
pub(crate) async fn redeem(provider: &ProviderContext<'_>, grant: &[(&str, &str)]) -> Result<Tokens, UpstreamError> {
    let ProviderContext { upstream, settings, metadata, now, .. } = *provider;
    let key = provider.key.as_deref();
    let call = Call { document: Document::TokenResponse, endpoint: &metadata.token_endpoint, form: grant, key };
    let answer = answer(upstream, settings, metadata, call, now).await?;
    upstream.credentials_accepted();
    let tokens = read(&answer, key.is_some(), now)?;
    // What can only be used with the key is kept with it.
    let refresh_token = match key {
        Some(key) => tokens.refresh_token.map(|token| key.keep(&token)),
        None => tokens.refresh_token,
    };
    Ok(Tokens { refresh_token, ..tokens })
}

/// The members that an endpoint answered a form with, where it did not refuse it. What it says of the broker's credentials is
/// noted.
///
/// # Errors
/// When it refuses the form or the broker, or its answer is no JSON object.
pub(crate) async fn answer(
    upstream: &Arc<Upstream>,
    settings: &ProviderSettings,
    metadata: &Metadata,
    call: Call<'_>,
    now: i64,
) -> Result<Map<String, Value>, UpstreamError> {
    let response = post(upstream, settings, metadata, call, now).await?;
    let status = response.status();
    let answer: Option<Map<String, Value>> = serde_json::from_slice(response.body()).ok();
    let unavailable = Unavailable {
        document: call.document,
        url: Some(shown(call.endpoint)),
        problem: UnavailableProblem::Status(status.as_u16()),
    };
    let text = |name: &str| answer.as_ref().and_then(|answer| answer.get(name)).and_then(Value::as_str);
    // Some providers send an error with status 200.
    if let Some(error) = text("error") {
        return Err(refused(upstream, settings, call, (status, error, text("error_description")), now)
            .unwrap_or_else(|| unavailable.into()));
    }
    match answer {
        Some(answer) if status.is_success() => Ok(answer),
        None if status.is_success() => Err(UpstreamError::invalid(call.document, Check::Form("it is not JSON"))),
        _ => {
            if status == 401 {
                upstream.credentials_refused(settings, call.endpoint, "status 401", now);
            }
            Err(unavailable.into())
        }
    }
}

/// What an OAuth error of an endpoint means (RFC 6749 §5.2); `None` if the provider only says that it is not available.
fn refused(
    upstream: &Upstream,
    settings: &ProviderSettings,
    call: Call<'_>,
    (status, error, description): (http::StatusCode, &str, Option<&str>),
    now: i64,
) -> Option<UpstreamError> {
    let stage = if call.document == Document::PushedRequest { Stage::Pushed } else { Stage::Token };
    if refuses_us(status, error) {
        let error = ProviderError::new(stage, error, description);
        upstream.credentials_refused(settings, call.endpoint, &error.error, now);
        return Some(UpstreamError::Provider(error));
    }
    // What else it says of the grant shows that it knows the broker.
    if matches!(error, "invalid_grant" | "bad_verification_code") {
        upstream.credentials_accepted();
    }
    let unavailable = matches!(error, "temporarily_unavailable" | "server_error");
    (!unavailable).then(|| UpstreamError::Provider(ProviderError::new(stage, error, description)))
}

/// Whether an OAuth error says that the provider does not accept the broker's credentials.
fn refuses_us(status: http::StatusCode, error: &str) -> bool {
    match error {
        // The second is GitHub's name for it.
        "invalid_client" | "incorrect_client_credentials" => true,
        // Keycloak's name for it. With another status it says that the client may not use this grant (RFC 6749 §5.2).
        "unauthorized_client" => status == http::StatusCode::UNAUTHORIZED,
        _ => false,
    }
}

/// A form for an endpoint that the broker authenticates at.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    /// What it answers with, for errors.
    pub(crate) document: Document,
    /// Where it is.
    pub(crate) endpoint: &'a url::Url,
    /// The form.
    pub(crate) form: &'a [(&'a str, &'a str)],
    /// The key that the tokens it asks for are bound to.
    pub(crate) key: Option<&'a ProofKey>,
}

/// Posts a form to the token endpoint, or to another that wants the same authentication.
pub(crate) async fn post(
    upstream: &Arc<Upstream>,
    settings: &ProviderSettings,
    metadata: &Metadata,
    call: Call<'_>,
    now: i64,
) -> Result<http::Response<Vec<u8>>, UpstreamError> {
    let response = post_once(upstream, settings, metadata, call, now).await?;
    // RFC 9449 §8: a server that wants a nonce refuses the proof and gives one. The form was not looked at.
    if call.key.is_some() && wants_nonce(&response) {
        return post_once(upstream, settings, metadata, call, now).await;
    }
    Ok(response)
}

fn wants_nonce(response: &http::Response<Vec<u8>>) -> bool {
    let error = serde_json::from_slice::<Value>(response.body()).ok();
    let error = error.as_ref().and_then(|answer| answer.get("error")).and_then(Value::as_str);
    error == Some("use_dpop_nonce") && nonce(response.headers()).is_some()
}

async fn post_once(
    upstream: &Arc<Upstream>,
    settings: &ProviderSettings,
    metadata: &Metadata,
    call: Call<'_>,
    now: i64,
) -> Result<http::Response<Vec<u8>>, UpstreamError> {
    let Call { document, endpoint, key, .. } = call;
    // An assertion for one endpoint must not be usable at another, because a provider could name any endpoint.
    let audience =
        if *endpoint == metadata.token_endpoint { metadata.token_audience.as_str() } else { metadata.issuer.as_str() };
    let proof = authenticate(upstream, settings, metadata, audience, now).await?;
    let mut request = written(call, proof).map_err(|_| unusable(document))?;
    if let Some(key) = key {
        let nonce = upstream.nonces.of(endpoint);
        let proven = Proven { method: &http::Method::POST, url: endpoint, access_token: None, nonce: nonce.as_deref() };
        let jti = upstream.random.id().map_err(|_| unusable(document))?;
        let proof = key.proof(proven, &jti, now).ok_or_else(|| unusable(document))?;
        request.headers_mut().insert(DPOP, proof);
    }
    let response = upstream.send_as(document, request, presented(settings, metadata), now).await?;
    if key.is_some() {
        upstream.nonces.note(endpoint, response.headers());
    }
    Ok(response)
}

/// The form as a request, with the broker's authentication.
fn written(call: Call<'_>, proof: Authentication) -> Result<http::Request<Vec<u8>>, http::Error> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    let there = |name: &str| call.form.iter().any(|(known, _)| *known == name);
    body.extend_pairs(call.form).extend_pairs(proof.form.iter().filter(|(name, _)| !there(name)));
    let mut request = request(http::Method::POST, call.endpoint)
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some(header) = proof.header {
        request = request.header(AUTHORIZATION, authorization(&header)?);
    }
    request.body(body.finish().into_bytes())
}

/// The parts of a token response that are used. A member without a value counts as absent (RFC 6749 §5.1 has no such members).
/// A token that was to be bound to a key and is not, or the other way round, is refused (RFC 9449 §5).
fn read(answer: &Map<String, Value>, bound: bool, now: i64) -> Result<Tokens, UpstreamError> {
    let invalid = |name, problem| UpstreamError::invalid(Document::TokenResponse, Check::Claim(name, problem));
    let present = |name: &str| answer.get(name).filter(|value| !is_absent(value));
    let secret = |name: &'static str| match present(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(SecretValue::new(text.clone()))),
        Some(_) => Err(invalid(name, Problem::Type)),
    };
    let expected = if bound { "dpop" } else { "bearer" };
    match present("token_type") {
        None if !bound => {}
        Some(Value::String(kind)) if kind.trim().eq_ignore_ascii_case(expected) => {}
        _ => return Err(invalid("token_type", Problem::Differs)),
    }
    Ok(Tokens {
        access_token: secret("access_token")?.ok_or_else(|| invalid("access_token", Problem::Missing))?,
        id_token: secret("id_token")?,
        // Optional, so that a value that is not a string does not fail the sign-in: it is treated as absent.
        refresh_token: secret("refresh_token").unwrap_or_default(),
        expires_at: present("expires_in").and_then(seconds).map(|seconds| now.saturating_add(seconds)),
    })
}

/// `expires_in`: a number of seconds, which some providers write as a text or with a fraction. Zero and less say nothing.
fn seconds(expires_in: &Value) -> Option<i64> {
    let seconds = match expires_in {
        Value::String(text) => text.trim().parse::<f64>().ok()?,
        other => other.as_f64()?,
    };
    // Beyond what an integer holds it stays the largest.
    (seconds >= 1.0).then_some(seconds as i64)
}
