//! How the broker authenticates as a client of a provider (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2).
//!
//! Which method is used, and what a request carries for it. What it is proved with is in `credentials`; `token` sends the
//! requests.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use crate::config::language::scalar::SecretValue;
use crate::config::load::secret_text::{SecretKind, decode, meant};
use crate::jose::{Header, sign_symmetric};
use crate::outbound::Identity;
use crate::protocol::{Algorithm, ClientAuthMethod};
use crate::upstream::credentials::{ClientKey, secret_header};
use crate::upstream::error::{Document, Unavailable, UnavailableProblem, UpstreamError};
use crate::upstream::metadata::Metadata;
use crate::upstream::provider::{Upstream, unusable};
use crate::upstream::settings::ProviderSettings;

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// Seconds that an assertion of the broker's is good for.
const ASSERTION_LIFETIME: i64 = 60;
/// The longest assertion that is read from a file, in bytes.
const LONGEST_ASSERTION: u64 = 64 * 1024;

/// What a request carries to authenticate the broker.
pub(crate) struct Authentication {
    /// The `Authorization` header.
    pub(crate) header: Option<HeaderValue>,
    /// Parameters of the form.
    pub(crate) form: Vec<(&'static str, String)>,
}

/// The configured method, or what the metadata prefers. For a secret that is Basic, which every server must support (RFC 6749
/// §2.3.1), unless it lists only the other.
pub(crate) fn auth_method(settings: &ProviderSettings, metadata: &Metadata) -> ClientAuthMethod {
    use ClientAuthMethod::{
        ClientSecretBasic, ClientSecretPost, None as Public, PrivateKeyJwt, SelfSignedTlsClientAuth, TlsClientAuth,
    };
    let lists = |method: ClientAuthMethod| {
        metadata.auth_methods.as_ref().is_some_and(|methods| methods.iter().any(|name| name == method.name()))
    };
    let credentials = &settings.credentials;
    match settings.auth_method {
        Some(method) => method,
        None if credentials.is_empty() => Public,
        None if !credentials.keys.is_empty() => {
            let by_certificate = [TlsClientAuth, SelfSignedTlsClientAuth].into_iter().find(|method| lists(*method));
            by_certificate
                .filter(|_| credentials.certificate.is_some() && !lists(PrivateKeyJwt))
                .unwrap_or(PrivateKeyJwt)
        }
        None if credentials.assertion.is_some() => PrivateKeyJwt,
        None if lists(ClientSecretPost) && !lists(ClientSecretBasic) => ClientSecretPost,
        None => ClientSecretBasic,
    }
}

/// The certificate that connections to the provider present: that of a method by certificate. Tokens may be bound to it
/// (RFC 8705 §3), so that it is presented wherever they are.
pub(crate) fn presented<'s>(settings: &'s ProviderSettings, metadata: &Metadata) -> Option<&'s Arc<Identity>> {
    let method = auth_method(settings, metadata);
    let by_certificate = matches!(method, ClientAuthMethod::TlsClientAuth | ClientAuthMethod::SelfSignedTlsClientAuth);
    settings.credentials.certificate.as_ref().filter(|_| by_certificate).map(|certificate| &certificate.identity)
}

/// The provider's metadata, with the endpoints for connections that present a certificate where they do (RFC 8705 §5).
///
/// # Errors
/// When the metadata is not available.
pub(crate) async fn metadata(
    upstream: &Arc<Upstream>,
    settings: &ProviderSettings,
    now: i64,
) -> Result<Arc<Metadata>, Unavailable> {
    let metadata = upstream.metadata(now).await?;
    Ok(if presented(settings, &metadata).is_some() { Arc::new(metadata.at_aliases()) } else { metadata })
}

/// What a request carries. An assertion is for `audience`.
pub(crate) async fn authenticate(
    upstream: &Upstream,
    settings: &ProviderSettings,
    metadata: &Metadata,
    audience: &str,
    now: i64,
) -> Result<Authentication, UpstreamError> {
    let credentials = &settings.credentials;
    let client_id = || ("client_id", settings.client_id.clone());
    let form = |form| Ok(Authentication { header: None, form });
    let asserted = |assertion| {
        let form =
            vec![client_id(), ("client_assertion_type", ASSERTION_TYPE.to_owned()), ("client_assertion", assertion)];
        Ok(Authentication { header: None, form })
    };
    let unsigned = || UpstreamError::from(unusable(Document::TokenResponse));
    let method = auth_method(settings, metadata);
    if let (ClientAuthMethod::PrivateKeyJwt, Some(file)) = (method, &credentials.assertion) {
        let read = read_assertion(file.clone()).await;
        return asserted(read.map_err(|problem| upstream.not_sent(unreadable(file, problem), now))?);
    }
    let secret = match &credentials.signed_secret {
        None => credentials.secrets.first().cloned(),
        Some(signed) => {
            let secret = signed.sign(&settings.client_id, settings.issuer(), now).map_err(|_| unsigned())?;
            Some(SecretValue::new(secret))
        }
    };
    match (method, credentials.keys.first(), &secret) {
        (ClientAuthMethod::PrivateKeyJwt, Some(key), _) => {
            let claims = assertion_claims(upstream, settings, audience, now)?;
            asserted(signed(settings, metadata, key, &claims).ok_or_else(unsigned)?)
        }
        (ClientAuthMethod::ClientSecretJwt, _, Some(secret)) => {
            let claims = assertion_claims(upstream, settings, audience, now)?;
            asserted(sign_symmetric(secret, &claims).map_err(|_| unsigned())?)
        }
        (ClientAuthMethod::ClientSecretPost, _, Some(secret)) => {
            form(vec![client_id(), ("client_secret", secret.expose().to_owned())])
        }
        (ClientAuthMethod::ClientSecretBasic, _, Some(secret)) => {
            let header = basic(&settings.client_id, secret).ok_or_else(unsigned)?;
            Ok(Authentication { header: Some(header), form: Vec::new() })
        }
        // RFC 8705 §2: the certificate is the proof, `client_id` says whose it is.
        _ => form(vec![client_id()]),
    }
}

/// The claims of an assertion of the broker's own (RFC 7523 §3, OIDC Core §9): for this audience, for a minute, once.
fn assertion_claims(
    upstream: &Upstream,
    settings: &ProviderSettings,
    audience: &str,
    now: i64,
) -> Result<Map<String, Value>, UpstreamError> {
    let jti = upstream.random.id().map_err(|_| unusable(Document::TokenResponse))?;
    let claims = json!({
        "iss": settings.client_id, "sub": settings.client_id, "aud": audience,
        "jti": jti, "iat": now, "exp": now + ASSERTION_LIFETIME,
    });
    Ok(claims.as_object().cloned().unwrap_or_default())
}

/// An assertion signed with the key, by the first of its algorithms that the provider lists. Its header has `kid` while there
/// are two keys to choose from, and the thumbprints of the certificate where there is one: a provider that was given the one
/// key by hand knows it by an identifier of its own.
fn signed(
    settings: &ProviderSettings,
    metadata: &Metadata,
    key: &ClientKey,
    claims: &Map<String, Value>,
) -> Option<String> {
    let listed = |algorithm: &&Algorithm| {
        metadata.auth_algs.as_ref().is_none_or(|listed| listed.is_empty() || listed.contains(algorithm))
    };
    let algorithms = key.key.algorithms();
    let algorithm = *algorithms.iter().find(listed).or(algorithms.first())?;
    let certificate = settings.credentials.certificate.as_ref();
    let header = Header {
        typ: "JWT",
        kid: (settings.credentials.keys.len() > 1).then_some(key.thumbprint.as_str()),
        x5t: certificate.map(|one| one.x5t.as_str()),
        x5t_sha256: certificate.map(|one| one.x5t_sha256.as_str()),
        ..Header::default()
    };
    key.key.sign_with(algorithm, &header, claims).ok()
}

/// The assertion that the file holds now: its owner, such as a kubelet, replaces it before it expires.
async fn read_assertion(file: PathBuf) -> Result<String, String> {
    let read = tokio::task::spawn_blocking(move || {
        let mut bytes = Vec::new();
        std::fs::File::open(&file)?.take(LONGEST_ASSERTION + 1).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    });
    let bytes = read.await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LONGEST_ASSERTION {
        return Err(format!("it is longer than {LONGEST_ASSERTION} bytes"));
    }
    let text = decode(bytes)?;
    meant(SecretKind::Line, &text).map(|meant| meant.secret.to_owned())
}

fn unreadable(file: &Path, problem: String) -> Unavailable {
    let problem = UnavailableProblem::Assertion { file: file.display().to_string().into(), problem };
    Unavailable { document: Document::TokenResponse, url: None, problem }
}

/// Both parts are form-encoded before they are joined (RFC 6749 §2.3.1).
fn basic(client_id: &str, secret: &SecretValue) -> Option<HeaderValue> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    secret_header(&format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(client_id), encode(secret.expose())))))
}
