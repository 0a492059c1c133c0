//! The token endpoint: the requests to it, and the parts of the answer that are used.
//!
//! Client authentication (RFC 6749 §2.3) and the two grants that the broker uses are here; `gather` handles the contents of the
//! tokens. Errors hold nothing of the answer but the code and the text of an OAuth error.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::config::language::scalar::SecretValue;
use crate::jose::{Check, Problem, sign_symmetric};
use crate::protocol::{Algorithm, ClientAuthMethod, is_absent};
use crate::upstream::error::{Document, ProviderError, Stage, Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::metadata::Metadata;
use crate::upstream::provider::{Upstream, request, shown, unusable};
use crate::upstream::settings::ProviderSettings;

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Seconds that an assertion of the broker's is good for.
const ASSERTION_LIFETIME: i64 = 60;

/// What the token endpoint gave (RFC 6749 §5.1, OIDC Core §3.1.3.3).
pub(crate) struct Tokens {
    pub(crate) access_token: SecretValue,
    pub(crate) id_token: Option<SecretValue>,
    pub(crate) refresh_token: Option<SecretValue>,
    pub(crate) expires_at: Option<i64>,
}

/// Sends a grant to the token endpoint.
pub(crate) async fn redeem(
    upstream: &Arc<Upstream>,
    settings: &ProviderSettings,
    metadata: &Metadata,
    grant: &[(&str, &str)],
    now: i64,
) -> Result<Tokens, UpstreamError> {
    let call = Call { document: Document::TokenResponse, endpoint: &metadata.token_endpoint, form: grant };
    let response = post(upstream, settings, metadata, call, now).await?;
    let status = response.status();
    let answer: Option<Map<String, Value>> = serde_json::from_slice(response.body()).ok();
    let unavailable = UpstreamError::Unavailable(Unavailable {
        document: Document::TokenResponse,
        url: Some(shown(call.endpoint)),
        problem: UnavailableProblem::Status(status.as_u16()),
    });
    // Some providers send an error with status 200.
    if let Some(error) = answer.as_ref().and_then(|answer| answer.get("error")).and_then(Value::as_str) {
        let description = answer.as_ref().and_then(|answer| answer.get("error_description")).and_then(Value::as_str);
        match error {
            "invalid_client" => {
                let error = ProviderError::new(Stage::Token, error, description);
                upstream.credentials_refused(settings, call.endpoint, &error.error, now);
                return Err(UpstreamError::Provider(error));
            }
            // What else it says of the grant shows that it knows the broker.
            "invalid_grant" => upstream.credentials_accepted(),
            _ => {}
        }
        return Err(match error {
            "temporarily_unavailable" | "server_error" => unavailable,
            _ => UpstreamError::Provider(ProviderError::new(Stage::Token, error, description)),
        });
    }
    match answer {
        Some(answer) if status.is_success() => {
            upstream.credentials_accepted();
            read(&answer, now)
        }
        None if status.is_success() => {
            Err(UpstreamError::invalid(Document::TokenResponse, Check::Form("it is not JSON")))
        }
        _ => {
            if status == 401 {
                upstream.credentials_refused(settings, call.endpoint, "status 401", now);
            }
            Err(unavailable)
        }
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
}

/// Posts a form to the token endpoint, or to another that wants the same authentication.
pub(crate) async fn post(
    upstream: &Arc<Upstream>,
    settings: &ProviderSettings,
    metadata: &Metadata,
    call: Call<'_>,
    now: i64,
) -> Result<http::Response<Vec<u8>>, UpstreamError> {
    let Call { document, endpoint, .. } = call;
    // An assertion for one endpoint must not be usable at another, because a provider could name any endpoint.
    let audience =
        if *endpoint == metadata.token_endpoint { metadata.token_audience.as_str() } else { metadata.issuer.as_str() };
    let assertion = assertion(upstream, settings, metadata, audience, now)?;
    let request = authenticated(settings, metadata, call, assertion).map_err(|_| unusable(document))?;
    Ok(upstream.send(document, request, now).await?)
}

/// The form as a request, with the broker's authentication as a client.
fn authenticated(
    settings: &ProviderSettings,
    metadata: &Metadata,
    call: Call<'_>,
    assertion: Option<String>,
) -> Result<http::Request<Vec<u8>>, http::Error> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(call.form);
    let mut request = request(http::Method::POST, call.endpoint)
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let secret = settings.client_secret.first();
    if let Some(assertion) = assertion {
        body.append_pair("client_id", &settings.client_id)
            .append_pair("client_assertion_type", ASSERTION_TYPE)
            .append_pair("client_assertion", &assertion);
        return request.body(body.finish().into_bytes());
    }
    match (auth_method(settings, metadata), secret) {
        (ClientAuthMethod::ClientSecretPost, Some(secret)) => {
            body.append_pair("client_id", &settings.client_id).append_pair("client_secret", secret.expose());
        }
        (ClientAuthMethod::None, _) | (_, None) => {
            body.append_pair("client_id", &settings.client_id);
        }
        (_, Some(secret)) => {
            request = request.header(AUTHORIZATION, basic(&settings.client_id, secret));
        }
    }
    request.body(body.finish().into_bytes())
}

/// The broker's own assertion, where it authenticates by one (RFC 7523 §2.2, OIDC Core §9): for this audience, for a
/// minute, once. With a key, the first of its algorithms that the provider lists.
fn assertion(
    upstream: &Upstream,
    settings: &ProviderSettings,
    metadata: &Metadata,
    audience: &str,
    now: i64,
) -> Result<Option<String>, UpstreamError> {
    let claims = || {
        let jti = upstream.random.id().map_err(|_| unusable(Document::TokenResponse))?;
        let claims = json!({
            "iss": settings.client_id, "sub": settings.client_id, "aud": audience,
            "jti": jti, "iat": now, "exp": now + ASSERTION_LIFETIME,
        });
        Ok::<_, UpstreamError>(claims.as_object().cloned().unwrap_or_default())
    };
    match (auth_method(settings, metadata), &settings.client_key, settings.client_secret.first()) {
        (ClientAuthMethod::PrivateKeyJwt, Some(key), _) => {
            let listed = |algorithm: &&Algorithm| {
                metadata.auth_algs.as_ref().is_none_or(|listed| listed.is_empty() || listed.contains(algorithm))
            };
            let algorithm = key.algorithms().iter().find(listed).or(key.algorithms().first()).copied();
            let signed = algorithm.and_then(|algorithm| key.sign(algorithm, "JWT", None, &claims().ok()?).ok());
            signed.map(Some).ok_or_else(|| unusable(Document::TokenResponse).into())
        }
        (ClientAuthMethod::ClientSecretJwt, _, Some(secret)) => {
            sign_symmetric(secret, &claims()?).map(Some).map_err(|_| unusable(Document::TokenResponse).into())
        }
        _ => Ok(None),
    }
}

/// The configured method, or what the metadata prefers: Basic, which every server must support (RFC 6749 §2.3.1), unless
/// it lists only the other.
pub(crate) fn auth_method(settings: &ProviderSettings, metadata: &Metadata) -> ClientAuthMethod {
    let lists = |method: ClientAuthMethod| {
        metadata.auth_methods.as_ref().is_some_and(|methods| methods.iter().any(|name| name == method.name()))
    };
    match settings.auth_method {
        Some(method) => method,
        None if settings.client_secret.is_empty() => ClientAuthMethod::None,
        None if lists(ClientAuthMethod::ClientSecretPost) && !lists(ClientAuthMethod::ClientSecretBasic) => {
            ClientAuthMethod::ClientSecretPost
        }
        None => ClientAuthMethod::ClientSecretBasic,
    }
}

/// Both parts are form-encoded before they are joined (RFC 6749 §2.3.1).
fn basic(client_id: &str, secret: &SecretValue) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(client_id), encode(secret.expose()))))
}

/// The parts of a token response that are used. A member without a value counts as absent (RFC 6749 §5.1 has no such members).
fn read(answer: &Map<String, Value>, now: i64) -> Result<Tokens, UpstreamError> {
    let invalid = |name, problem| UpstreamError::invalid(Document::TokenResponse, Check::Claim(name, problem));
    let present = |name: &str| answer.get(name).filter(|value| !is_absent(value));
    let secret = |name: &'static str| match present(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(SecretValue::new(text.clone()))),
        Some(_) => Err(invalid(name, Problem::Type)),
    };
    match present("token_type") {
        None => {}
        Some(Value::String(kind)) if kind.trim().eq_ignore_ascii_case("bearer") => {}
        Some(_) => return Err(invalid("token_type", Problem::Differs)),
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
