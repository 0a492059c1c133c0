//! Signing with private keys and secrets: with the broker's own keys, and with its keys as a client of providers.

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Serialize;

use crate::config::language::scalar::SecretValue;
use crate::jose::PublicKey;
use crate::jose::jwk::{MIN_RSA_BYTES, Material};
use crate::protocol::algorithm::KeyType;
use crate::protocol::{Algorithm, SigningAlgorithm};

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key is of another type.
    #[error("the key does not sign with {}", .0.name())]
    Algorithm(Algorithm),
    /// The claims can't be serialized.
    #[error("the claims can't be written as JSON: {0}")]
    Claims(#[from] serde_json::Error),
    /// The cryptographic library failed.
    #[error("the cryptographic library refused to sign")]
    Refused,
}

/// A private key: RSA with at least 2048 bits, P-256, P-384 or Ed25519. It stays parsed, because parsing an RSA key costs more
/// than signing with it.
pub struct PrivateKey(Pair);

enum Pair {
    Rsa(Box<RsaKeyPair>),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Box<Ed25519KeyPair>),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(***)")
    }
}

const P256: &EcdsaSigningAlgorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
const P384: &EcdsaSigningAlgorithm = &ECDSA_P384_SHA384_FIXED_SIGNING;

impl PrivateKey {
    /// Generates a key for an algorithm and returns its PKCS #8 document. RSA keys have 2048 bits, and take tens of
    /// milliseconds.
    ///
    /// # Errors
    /// If the cryptographic library fails.
    pub(crate) fn generate(algorithm: SigningAlgorithm) -> Result<Vec<u8>, &'static str> {
        let ecdsa = |curve| EcdsaKeyPair::generate(curve).and_then(|key| Ok(key.to_pkcs8v1()?.as_ref().to_vec()));
        let document = match algorithm {
            SigningAlgorithm::RS256 | SigningAlgorithm::PS256 => {
                RsaKeyPair::generate(KeySize::Rsa2048).and_then(|key| {
                    let document: Pkcs8V1Der<'_> = key.as_der()?;
                    Ok(document.as_ref().to_vec())
                })
            }
            SigningAlgorithm::ES256 => ecdsa(P256),
            SigningAlgorithm::ES384 => ecdsa(P384),
            SigningAlgorithm::EdDSA => {
                Ed25519KeyPair::generate().and_then(|key| Ok(key.to_pkcs8v1()?.as_ref().to_vec()))
            }
        };
        document.map_err(|_| "the cryptographic library refused")
    }

    /// Reads a PEM file with one private key: `PRIVATE KEY` (PKCS #8), `RSA PRIVATE KEY` or `EC PRIVATE KEY`.
    ///
    /// # Errors
    /// A description of what is wrong with it.
    pub fn from_pem(pem: &str) -> Result<Self, &'static str> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "it is not a PEM file with an unencrypted private key")?;
        let key = match &key {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok().and_then(Self::rsa),
            PrivateKeyDer::Sec1(der) => {
                let sec1 = |curve| EcdsaKeyPair::from_private_key_der(curve, der.secret_sec1_der()).ok();
                sec1(P256).map(Pair::P256).or_else(|| sec1(P384).map(Pair::P384)).map(Self)
            }
            PrivateKeyDer::Pkcs8(der) => Self::from_pkcs8(der.secret_pkcs8_der()),
            _ => None,
        };
        key.ok_or("it is neither an RSA key of 2048 bits or more nor a P-256, P-384 or Ed25519 key")
    }

    /// Reads a PKCS #8 document; `None` if it has no key of a supported kind.
    pub(crate) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let ecdsa = |curve| EcdsaKeyPair::from_pkcs8(curve, der).ok();
        if let Ok(rsa) = RsaKeyPair::from_pkcs8(der) {
            return Self::rsa(rsa);
        }
        let ed25519 = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(Box::new).map(Pair::Ed25519);
        ecdsa(P256).map(Pair::P256).or_else(|| ecdsa(P384).map(Pair::P384)).or_else(ed25519).map(Self)
    }

    fn rsa(pair: RsaKeyPair) -> Option<Self> {
        (pair.public_modulus_len() >= MIN_RSA_BYTES).then(|| Self(Pair::Rsa(Box::new(pair))))
    }

    /// The algorithms that it can sign with, the most widely supported first.
    #[must_use]
    pub const fn algorithms(&self) -> &'static [Algorithm] {
        match self.0 {
            Pair::Rsa(_) => &[Algorithm::RS256, Algorithm::PS256],
            Pair::P256(_) => &[Algorithm::ES256],
            Pair::P384(_) => &[Algorithm::ES384],
            Pair::Ed25519(_) => &[Algorithm::EdDSA, Algorithm::Ed25519],
        }
    }

    /// The public key that verifies what it signs.
    pub(crate) fn public(&self) -> PublicKey {
        let point = |bytes: &[u8]| Material::Point(bytes.to_vec());
        match &self.0 {
            Pair::Rsa(pair) => {
                PublicKey::new(KeyType::Rsa, Material::Rsa(RsaPublicKeyComponents::from(pair.public_key())))
            }
            Pair::P256(pair) => PublicKey::new(KeyType::P256, point(pair.public_key().as_ref())),
            Pair::P384(pair) => PublicKey::new(KeyType::P384, point(pair.public_key().as_ref())),
            Pair::Ed25519(pair) => PublicKey::new(KeyType::Ed25519, point(pair.public_key().as_ref())),
        }
    }

    /// Signs claims as a compact JWS (RFC 7515 §7.1). `typ` and `kid` go into its header. RSA takes 0.3 to 1 ms of CPU.
    ///
    /// # Errors
    /// If the algorithm is not one of [`Self::algorithms`], or the claims can't be written as JSON.
    pub(crate) fn sign(
        &self,
        algorithm: Algorithm,
        typ: &str,
        kid: Option<&str>,
        claims: &impl Serialize,
    ) -> Result<String, SignError> {
        self.sign_with(algorithm, &Header { typ, kid, ..Header::default() }, claims)
    }

    /// Signs claims as a compact JWS with this header, whose `alg` is that of `algorithm`.
    ///
    /// # Errors
    /// If the algorithm is not one of [`Self::algorithms`], or the claims can't be written as JSON.
    pub(crate) fn sign_with(
        &self,
        algorithm: Algorithm,
        header: &Header<'_>,
        claims: &impl Serialize,
    ) -> Result<String, SignError> {
        if !self.algorithms().contains(&algorithm) {
            return Err(SignError::Algorithm(algorithm));
        }
        let input = signing_input(algorithm, header, claims)?;
        let signature = self.signature(algorithm, input.as_bytes()).ok_or(SignError::Refused)?;
        Ok(compact(input, &signature))
    }

    fn signature(&self, algorithm: Algorithm, message: &[u8]) -> Option<Vec<u8>> {
        let random = SystemRandom::new();
        match &self.0 {
            Pair::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding =
                    if algorithm == Algorithm::PS256 { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, message, &mut signature).ok()?;
                Some(signature)
            }
            Pair::P256(pair) | Pair::P384(pair) => Some(pair.sign(&random, message).ok()?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Some(pair.try_sign(message).ok()?.as_ref().to_vec()),
        }
    }
}

/// A JWT signed with a shared secret, HS256.
///
/// # Errors
/// If the claims can't be written as JSON.
pub(crate) fn sign_symmetric(secret: &SecretValue, claims: &impl Serialize) -> Result<String, SignError> {
    let input = signing_input(Algorithm::HS256, &Header { typ: "JWT", ..Header::default() }, claims)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let signature = hmac::sign(&key, input.as_bytes());
    Ok(compact(input, signature.as_ref()))
}

/// The JOSE header of a token that is signed here (RFC 7515 §4.1).
#[derive(Clone, Copy, Default, Serialize)]
pub(crate) struct Header<'a> {
    /// What kind of token it is.
    pub(crate) typ: &'a str,
    /// The algorithm; what signs sets it.
    pub(crate) alg: &'a str,
    /// Which key signed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kid: Option<&'a str>,
    /// The SHA-1 thumbprint of the key's certificate, base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) x5t: Option<&'a str>,
    /// The same with SHA-256.
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub(crate) x5t_sha256: Option<&'a str>,
    /// The public key itself (RFC 7515 §4.1.3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jwk: Option<&'a serde_json::Value>,
}

/// Header and payload (RFC 7515 §5.1, steps 1 to 4), with spare capacity for a signature.
fn signing_input(
    algorithm: Algorithm,
    header: &Header<'_>,
    claims: &impl Serialize,
) -> Result<String, serde_json::Error> {
    let mut json = Vec::with_capacity(1024);
    serde_json::to_writer(&mut json, &Header { alg: algorithm.name(), ..*header })?;
    let mut input = String::with_capacity(1536);
    URL_SAFE_NO_PAD.encode_string(&json, &mut input);
    input.push('.');
    json.clear();
    serde_json::to_writer(&mut json, claims)?;
    URL_SAFE_NO_PAD.encode_string(&json, &mut input);
    Ok(input)
}

fn compact(mut input: String, signature: &[u8]) -> String {
    input.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut input);
    input
}
