//! What the broker proves its identity with at a provider: secrets, keys, a certificate, or a token that the platform issues
//! to the broker's workload.

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use serde_json::json;

use crate::config::language::provider::Provider;
use crate::config::language::scalar::SecretValue;
use crate::digest::{sha1_base64url, sha256_base64url};
use crate::jose::{PrivateKey, SignError, client_key_set};
use crate::outbound::Identity;
use crate::protocol::Algorithm;

/// A value that no compression of headers remembers (RFC 7541 §7.1.3) and that nothing prints; `None` if it can't be sent.
pub(crate) fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The `Authorization` header of an access token (RFC 6750 §2.1).
pub(crate) fn bearer(token: &SecretValue) -> Option<HeaderValue> {
    secret_header(&format!("Bearer {}", token.expose()))
}

/// What the file only points to, as it was read.
#[derive(Clone, Debug, Default)]
pub struct ResolvedSecrets {
    /// `client_secret`, first to send.
    pub client_secret: Vec<SecretValue>,
    /// `client_key`, PEM, first to sign with.
    pub client_key: Vec<SecretValue>,
    /// The contents of `client_certificate`.
    pub client_certificate: Option<Arc<[u8]>>,
    /// The contents of `ca`.
    pub ca: Option<Arc<[u8]>>,
    /// `groups_from.credentials`, JSON.
    pub group_credentials: Option<SecretValue>,
}

/// A private key of the broker as a client.
#[derive(Debug)]
pub struct ClientKey {
    /// The key.
    pub key: PrivateKey,
    /// Its RFC 7638 thumbprint: its `kid` in the published key set.
    pub thumbprint: String,
}

impl ClientKey {
    /// Reads a key, PEM.
    ///
    /// # Errors
    /// A description of what is wrong with it.
    pub fn read(pem: &SecretValue) -> Result<Self, &'static str> {
        let key = PrivateKey::from_pem(pem.expose())?;
        let thumbprint = key.public().thumbprint().ok_or("its thumbprint can't be computed")?;
        Ok(Self { key, thumbprint })
    }
}

/// The broker's certificate as a client. Its key is the first of `client_key`.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// What a connection presents.
    pub identity: Arc<Identity>,
    /// The SHA-1 thumbprint of the certificate, base64url (RFC 7515 §4.1.7).
    pub x5t: String,
    /// The SHA-256 thumbprint of the certificate, base64url (RFC 7515 §4.1.8).
    pub x5t_sha256: String,
}

impl ClientCertificate {
    /// Reads a chain, PEM, and the key of its first certificate, PEM.
    ///
    /// # Errors
    /// What is wrong with them, to follow the name of the certificate's place.
    pub fn read(chain: &[u8], key: &SecretValue) -> Result<Self, String> {
        let identity = Identity::read(chain, key.expose().as_bytes())?;
        let own = identity.chain().first().map(AsRef::as_ref).unwrap_or_default();
        Ok(Self { x5t: sha1_base64url(own), x5t_sha256: sha256_base64url(own), identity: Arc::new(identity) })
    }
}

/// A client secret that is a JWT, signed here at each use (Sign in with Apple).
#[derive(Clone, Debug)]
pub struct SignedSecret {
    key: Arc<PrivateKey>,
    team_id: String,
    key_id: String,
}

impl SignedSecret {
    /// Reads the key, PEM.
    ///
    /// # Errors
    /// A description of what is wrong with it.
    pub fn read(team_id: &str, key_id: &str, pem: &SecretValue) -> Result<Self, &'static str> {
        let key = PrivateKey::from_pem(pem.expose())?;
        if !key.algorithms().contains(&Algorithm::ES256) {
            return Err("it must be a key on P-256, as AuthKey_....p8 holds");
        }
        Ok(Self { key: Arc::new(key), team_id: team_id.to_owned(), key_id: key_id.to_owned() })
    }

    /// A secret of this client for a provider. Longer than a call takes, it need not be good.
    ///
    /// # Errors
    /// If the cryptographic library fails.
    pub(crate) fn sign(&self, client_id: &str, audience: &str, now: i64) -> Result<String, SignError> {
        let claims = json!({
            "iss": self.team_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + SECRET_LIFETIME,
        });
        self.key.sign(Algorithm::ES256, "JWT", Some(&self.key_id), &claims)
    }
}

/// Seconds that a signed secret is good for. Apple accepts up to six months.
const SECRET_LIFETIME: i64 = 600;

/// All that the broker can prove its identity with at one provider. At most one of `secrets`, `keys` and `assertion` is there.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// Client secrets; the first is sent.
    pub secrets: Vec<SecretValue>,
    /// Private keys; the first signs, all are published.
    pub keys: Vec<Arc<ClientKey>>,
    /// The secret that is signed at each use.
    pub signed_secret: Option<SignedSecret>,
    /// The certificate of the first key.
    pub certificate: Option<ClientCertificate>,
    /// The file with an assertion that somebody else signs, read at each use.
    pub assertion: Option<PathBuf>,
}

impl Credentials {
    /// What a provider's entry in the file stands for.
    ///
    /// # Errors
    /// The key of the file at fault, and what is wrong.
    pub fn of(declared: &Provider, read: &ResolvedSecrets) -> Result<Self, (&'static str, String)> {
        let first = read.client_key.first();
        let named = declared.team_id.as_ref().zip(declared.key_id.as_ref());
        let signed = named.zip(first).map(|((team_id, key_id), pem)| SignedSecret::read(team_id, key_id, pem));
        let signed_secret = signed.transpose().map_err(|problem| ("client_key", problem.to_owned()))?;
        let key = |(index, pem): (usize, &SecretValue)| {
            let told = |problem: &str| match read.client_key.len() {
                1 => problem.to_owned(),
                _ => format!("key {}: {problem}", index + 1),
            };
            ClientKey::read(pem).map(Arc::new).map_err(|problem| ("client_key", told(problem)))
        };
        let keys: Vec<_> = read.client_key.iter().enumerate().map(key).collect::<Result<_, _>>()?;
        // Without the secrets, as in a pull request, the certificate has no key to belong to.
        let pair = read.client_certificate.as_ref().zip(first);
        let certificate = pair.map(|(chain, key)| ClientCertificate::read(chain, key)).transpose();
        Ok(Self {
            secrets: read.client_secret.clone(),
            keys: if signed_secret.is_some() { Vec::new() } else { keys },
            signed_secret,
            certificate: certificate.map_err(|problem| ("client_certificate", format!("it {problem}")))?,
            assertion: declared.client_assertion.as_ref().map(|source| source.file.clone()),
        })
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let signs = !self.keys.is_empty() || self.signed_secret.is_some();
        self.secrets.is_empty() && !signs && self.assertion.is_none()
    }
}

/// The key set of the broker as a client (RFC 7517 §5) with these credentials: public parts, each key once.
#[must_use]
pub fn key_set<'c>(credentials: impl IntoIterator<Item = &'c Credentials>) -> Vec<u8> {
    let mut keys: Vec<(&ClientKey, Option<Vec<String>>)> = Vec::new();
    for Credentials { keys: own, certificate, .. } in credentials {
        for (index, key) in own.iter().enumerate() {
            let certificate = certificate.as_ref().filter(|_| index == 0);
            let chain = certificate.map(|one| one.identity.chain().iter().map(|der| STANDARD.encode(der)).collect());
            match keys.iter_mut().find(|(known, _)| known.thumbprint == key.thumbprint) {
                Some((_, known)) => *known = known.take().or(chain),
                None => keys.push((key, chain)),
            }
        }
    }
    let public: Vec<_> = keys.into_iter().map(|(key, chain)| (key.key.public(), chain)).collect();
    client_key_set(public.iter().map(|(key, chain)| (key, chain.clone()))).unwrap_or_else(|| b"{\"keys\":[]}".to_vec())
}
