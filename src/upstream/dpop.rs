//! Tokens that a provider binds to a key (RFC 9449), where `dpop_bound_access_tokens` says so.
//!
//! Each sign-in has a key of its own. It is kept with the refresh token, and sealed with it, so that any process on the store
//! can refresh; without a refresh token it is forgotten with the access token.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use serde_json::{Value, json};
use url::Url;

use crate::config::language::scalar::SecretValue;
use crate::digest::sha256_base64url;
use crate::jose::{Header, PrivateKey};
use crate::protocol::{Algorithm, SigningAlgorithm};
use crate::upstream::error::{Document, Unavailable, UnavailableProblem};
use crate::upstream::metadata::Metadata;
use crate::upstream::request::unusable;
use crate::upstream::settings::ProviderSettings;

/// Marks a refresh token that is kept with its key.
const KEPT: &str = "dpop-key:";
/// The header of a proof (RFC 9449 §4.1).
pub(crate) const DPOP: &str = "dpop";
/// The header with which a server gives a nonce (RFC 9449 §8.1).
pub(crate) const DPOP_NONCE: &str = "dpop-nonce";

/// The key that the tokens of a sign-in are bound to.
pub(crate) struct ProofKey {
    key: PrivateKey,
    /// The public key.
    jwk: Value,
    /// The private key, PKCS #8.
    document: Vec<u8>,
}

/// What a proof is for.
#[derive(Clone, Copy)]
pub(crate) struct Proven<'a> {
    pub(crate) method: &'a http::Method,
    pub(crate) url: &'a Url,
    /// The access token that comes with it.
    pub(crate) access_token: Option<&'a SecretValue>,
    /// The nonce that the server gave.
    pub(crate) nonce: Option<&'a str>,
}

impl ProofKey {
    fn read(document: Vec<u8>) -> Option<Arc<Self>> {
        let key = PrivateKey::from_pkcs8(&document)?;
        let jwk = key.public().bare_jwk()?;
        Some(Arc::new(Self { key, jwk, document }))
    }

    /// Checks that the provider knows the algorithm of the keys, where its tokens are bound to one.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) fn check(settings: &ProviderSettings, metadata: &Metadata) -> Result<(), Unavailable> {
        let listed = |names: &Vec<String>| names.iter().any(|name| name == Algorithm::ES256.name());
        if !settings.dpop || metadata.dpop_algs.as_ref().is_none_or(listed) {
            return Ok(());
        }
        let problem = "it has no ES256, with which dpop_bound_access_tokens signs".to_owned();
        let problem = UnavailableProblem::Endpoint { endpoint: "dpop_signing_alg_values_supported", problem };
        Err(Unavailable { document: Document::Discovery, url: None, problem })
    }

    /// A new key where tokens of the provider are bound, and none elsewhere.
    ///
    /// # Errors
    /// As [`Self::check`], and when no key can be made.
    pub(crate) fn of(settings: &ProviderSettings, metadata: &Metadata) -> Result<Option<Arc<Self>>, Unavailable> {
        Self::check(settings, metadata)?;
        if !settings.dpop {
            return Ok(None);
        }
        let key = PrivateKey::generate(SigningAlgorithm::ES256).ok().and_then(Self::read);
        key.map(Some).ok_or_else(|| unusable(Document::TokenResponse))
    }

    /// A proof (RFC 9449 §4.2); `None` if it can't be made.
    pub(crate) fn proof(&self, proven: Proven<'_>, jti: &str, now: i64) -> Option<HeaderValue> {
        let mut url = proven.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        let mut claims = json!({ "jti": jti, "htm": proven.method.as_str(), "htu": url.as_str(), "iat": now });
        let members = claims.as_object_mut()?;
        if let Some(token) = proven.access_token {
            members.insert("ath".to_owned(), sha256_base64url(token.expose().as_bytes()).into());
        }
        if let Some(nonce) = proven.nonce {
            members.insert("nonce".to_owned(), nonce.into());
        }
        let header = Header { typ: "dpop+jwt", jwk: Some(&self.jwk), ..Header::default() };
        HeaderValue::from_str(&self.key.sign_with(Algorithm::ES256, &header, &claims).ok()?).ok()
    }

    /// A refresh token with this key, to be kept.
    pub(crate) fn keep(&self, refresh_token: &SecretValue) -> SecretValue {
        SecretValue::new(format!("{KEPT}{}:{}", URL_SAFE_NO_PAD.encode(&self.document), refresh_token.expose()))
    }
}

/// The key that was kept with a refresh token, if any was, and the refresh token itself.
pub(crate) fn kept(kept: &SecretValue) -> (Option<Arc<ProofKey>>, SecretValue) {
    let read = || {
        let (key, token) = kept.expose().strip_prefix(KEPT)?.split_once(':')?;
        Some((ProofKey::read(URL_SAFE_NO_PAD.decode(key).ok()?)?, SecretValue::new(token.to_owned())))
    };
    match read() {
        Some((key, token)) => (Some(key), token),
        None => (None, kept.clone()),
    }
}

/// A nonce of an answer, if it is one (RFC 9449 §8.1).
pub(crate) fn nonce(headers: &http::HeaderMap) -> Option<&str> {
    const LONGEST: usize = 1024;
    let nonce = headers.get(DPOP_NONCE)?.to_str().ok()?;
    (!nonce.is_empty() && nonce.len() <= LONGEST).then_some(nonce)
}

/// Whether a protected resource asks for a nonce in the proof (RFC 9449 §9).
pub(crate) fn is_asked_for_nonce(response: &http::Response<Vec<u8>>) -> bool {
    let challenges = response.headers().get_all(http::header::WWW_AUTHENTICATE).iter();
    let asks = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains("use_dpop_nonce"));
    response.status() == 401 && challenges.into_iter().any(asks) && nonce(response.headers()).is_some()
}
