//! Sets of public keys (RFC 7517), and verifying with them.
//!
//! It owns which keys of a set are taken and which key fits a token. Signatures are verified by aws-lc-rs: 0.02 ms for
//! RSA-2048, where openidconnect's pure-Rust `rsa`, under RUSTSEC-2023-0071 besides, was measured at 0.2 ms.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Algorithm;

/// Keys of one set that are taken. A set may be 1 MiB; a token without `kid` is tried with every key.
const MAX_KEYS: usize = 100;
/// RFC 7518 §3.3: RSA keys have 2048 bits or more.
const MIN_RSA_BYTES: usize = 256;

/// A key set with the keys that can verify something.
#[derive(Debug)]
pub struct KeySet(Vec<PublicKey>);

impl KeySet {
    /// Reads a key set. A key of an unknown type, curve or use, a symmetric or a weak one is skipped by itself.
    ///
    /// # Errors
    /// When the document is no key set, or holds no key that could verify anything: the old set is better then.
    pub fn parse(document: &[u8]) -> Result<Self, &'static str> {
        let document: Value = serde_json::from_slice(document).map_err(|_| "it is not JSON")?;
        let keys = document.get("keys").and_then(Value::as_array).ok_or("it has no list of keys")?;
        let usable: Vec<PublicKey> = keys.iter().filter_map(PublicKey::parse).take(MAX_KEYS).collect();
        if usable.is_empty() { Err("it holds no key that is supported") } else { Ok(Self(usable)) }
    }

    /// The keys that a token with this `kid` and `alg` may have been signed with: without a `kid`, all of that kind.
    pub(crate) fn fitting(&self, kid: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &PublicKey> {
        self.0.iter().filter(move |key| (kid.is_none() || kid == key.kid.as_deref()) && key.fits(algorithm))
    }
}

/// One public key.
#[derive(Debug)]
pub(crate) struct PublicKey {
    kid: Option<String>,
    /// The only algorithm that it is for, where it says so (RFC 7517 §4.4).
    alg: Option<String>,
    material: Material,
}

#[derive(Debug)]
enum Material {
    /// Modulus and exponent without leading zeros, as aws-lc-rs wants them.
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// Uncompressed points (SEC 1 §2.3.3).
    P256(Vec<u8>),
    P384(Vec<u8>),
    P521(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl PublicKey {
    fn parse(key: &Value) -> Option<Self> {
        let text = |name: &str| match key.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(Value::String(text)) => Some(Some(text.clone())),
            Some(_) => None,
        };
        if text("use")?.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let curve = text("crv")?;
        let material = match (text("kty")?.as_deref()?, curve.as_deref()) {
            ("RSA", _) => Material::Rsa(rsa(key)?),
            ("EC", Some("P-256")) => Material::P256(point(key, 32)?),
            ("EC", Some("P-384")) => Material::P384(point(key, 48)?),
            ("EC", Some("P-521")) => Material::P521(point(key, 66)?),
            ("OKP", Some("Ed25519")) => Material::Ed25519(member(key, "x").filter(|x| x.len() == 32)?),
            _ => return None,
        };
        Some(Self { kid: text("kid")?, alg: text("alg")?, material })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        let kind = match &self.material {
            Material::Rsa(_) => rsa_parameters(algorithm).is_some(),
            Material::P256(_) => algorithm == Algorithm::ES256,
            Material::P384(_) => algorithm == Algorithm::ES384,
            Material::P521(_) => algorithm == Algorithm::ES512,
            Material::Ed25519(_) => algorithm == Algorithm::EdDSA,
        };
        kind && self.alg.as_deref().is_none_or(|alg| alg == algorithm.name())
    }

    /// Whether the signature is this key's, under an algorithm that it fits.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let with = |scheme: &'static dyn VerificationAlgorithm, key: &[u8]| {
            UnparsedPublicKey::new(scheme, key).verify(message, signature).is_ok()
        };
        match &self.material {
            Material::Rsa(key) => {
                rsa_parameters(algorithm).is_some_and(|parameters| key.verify(parameters, message, signature).is_ok())
            }
            Material::P256(point) => with(&ECDSA_P256_SHA256_FIXED, point),
            Material::P384(point) => with(&ECDSA_P384_SHA384_FIXED, point),
            Material::P521(point) => with(&ECDSA_P521_SHA512_FIXED, point),
            Material::Ed25519(key) => with(&ED25519, key),
        }
    }
}

const fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

fn member(key: &Value, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(key.get(name)?.as_str()?).ok()
}

fn rsa(key: &Value) -> Option<RsaPublicKeyComponents<Vec<u8>>> {
    // Some providers pad the modulus with a zero, against RFC 7518 §6.3.1.1.
    let number = |name| Some(member(key, name)?.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>());
    let (n, e) = (number("n")?, number("e")?);
    (n.len() >= MIN_RSA_BYTES && !e.is_empty()).then_some(RsaPublicKeyComponents { n, e })
}

fn point(key: &Value, size: usize) -> Option<Vec<u8>> {
    let (x, y) = (member(key, "x")?, member(key, "y")?);
    (x.len() == size && y.len() == size).then(|| [vec![4], x, y].concat())
}
