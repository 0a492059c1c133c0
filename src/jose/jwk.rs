//! Public keys and key sets (RFC 7517, RFC 7518 §6, RFC 8037 §2): reading them, publishing them, and verifying with
//! them.
//!
//! Owns which keys of a set are used, and which key fits a token. Signatures are verified by aws-lc-rs with a key that
//! is parsed once.

use std::sync::OnceLock;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ParsedPublicKey,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256,
    RSA_PSS_2048_8192_SHA384, RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{
    AlgorithmParameters, CommonParameters, EllipticCurve, EllipticCurveKeyParameters, Jwk, JwkSet,
    OctetKeyPairParameters, PublicKeyUse, RSAKeyParameters, ThumbprintHash,
};
use serde_json::Value;

use crate::digest::sha256;
use crate::protocol::Algorithm;
use crate::protocol::algorithm::KeyType;

/// The maximum number of keys that are used from one set. A set may be 1 MiB, and a token without `kid` is verified with every
/// key.
const MAX_KEYS: usize = 100;
/// The smallest RSA modulus in bytes: RSA keys must have at least 2048 bits (RFC 7518 §3.3).
pub(super) const MIN_RSA_BYTES: usize = 256;

/// The usable keys of a key set.
#[derive(Debug)]
pub struct KeySet(Vec<PublicKey>);

impl KeySet {
    /// Reads a key set. A key of an unknown type, curve or use, a symmetric key and a weak key are skipped.
    ///
    /// # Errors
    /// If the document is not a key set, or has no usable key. A caller that has an older set then keeps it.
    pub fn parse(document: &[u8]) -> Result<Self, &'static str> {
        let document: Value = serde_json::from_slice(document).map_err(|_| "it is not JSON")?;
        let keys = document.get("keys").and_then(Value::as_array).ok_or("it has no list of keys")?;
        let usable: Vec<PublicKey> = keys.iter().filter_map(PublicKey::parse).take(MAX_KEYS).collect();
        if usable.is_empty() { Err("it has no supported key") } else { Ok(Self(usable)) }
    }

    /// How many keys it has that can be used; never none.
    #[expect(clippy::len_without_is_empty, reason = "a set without a usable key is refused when it is read")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a certificate with this key and this SHA-256 is registered (RFC 8705 §2.2.2): one of them is this key, whatever
    /// its `kid` and `alg`, and if it has a certificate of its own (`x5c`), it is this one.
    pub(crate) fn registers(&self, key: &PublicKey, certificate: &[u8; 32]) -> bool {
        let of_any = |own: &PublicKey| match own.certificate {
            Registered::None => true,
            Registered::Hash(hash) => hash == *certificate,
            Registered::Unreadable => false,
        };
        self.0.iter().any(|own| own.is(key) && of_any(own))
    }

    /// The keys with which a token with this `kid` and `alg` may have been signed; without a `kid`, all that fit the `alg`.
    pub(crate) fn fitting(&self, kid: Option<&str>, algorithm: Algorithm) -> impl Iterator<Item = &PublicKey> {
        self.0.iter().filter(move |key| (kid.is_none() || kid == key.kid.as_deref()) && key.fits(algorithm))
    }
}

/// The document of a key set (RFC 7517 §5): each key with its `kid` and its `alg`. `None` if one of them can't be written.
pub(crate) fn key_set_document<'k>(keys: impl Iterator<Item = (&'k PublicKey, &'k str, Algorithm)>) -> Option<Vec<u8>> {
    let keys = keys.map(|(key, kid, algorithm)| key.jwk(kid, algorithm)).collect::<Option<_>>()?;
    serde_json::to_vec(&JwkSet { keys }).ok()
}

/// The document of the keys of a client (RFC 7517 §5): each with its thumbprint as its `kid`, and with the chain of its
/// certificate if it has one (RFC 7517 §4.7), DER in base64. `None` if one of them can't be written.
pub(crate) fn client_key_set<'k>(keys: impl Iterator<Item = (&'k PublicKey, Option<Vec<String>>)>) -> Option<Vec<u8>> {
    let jwk = |(key, chain): (&PublicKey, Option<Vec<String>>)| {
        let common = CommonParameters {
            public_key_use: Some(PublicKeyUse::Signature),
            key_id: Some(key.thumbprint()?),
            x509_chain: chain,
            ..CommonParameters::default()
        };
        Some(Jwk { common, algorithm: key.parameters() })
    };
    let keys = keys.map(jwk).collect::<Option<_>>()?;
    serde_json::to_vec(&JwkSet { keys }).ok()
}

/// One public key.
#[derive(Debug)]
pub(crate) struct PublicKey {
    kid: Option<String>,
    /// The only algorithm that it may be used with, if it names one (RFC 7517 §4.4).
    alg: Option<String>,
    key_type: KeyType,
    /// The issuer whose tokens it signs, where a key set of several issuers says so. Not registered; Microsoft's has it.
    issuer: Option<String>,
    material: Material,
    /// The certificate for the key, the first of `x5c` (RFC 7517 §4.7).
    certificate: Registered,
    /// The key, parsed for the first algorithm that it verified. Keeping it saves the computations on an RSA modulus or a
    /// point, a tenth of the work. `None` if aws-lc-rs rejects the key, for example a point that is not on its curve.
    parsed: OnceLock<(Algorithm, Option<ParsedPublicKey>)>,
}

/// The certificate of a key in a set.
#[derive(Clone, Copy, Debug)]
enum Registered {
    /// There is none.
    None,
    /// Its SHA-256.
    Hash([u8; 32]),
    /// `x5c` is not a list of certificates in base64. Signatures can still be verified with the key.
    Unreadable,
}

#[derive(Debug)]
pub(super) enum Material {
    /// Modulus and exponent without leading zeros, as aws-lc-rs expects them.
    Rsa(RsaPublicKeyComponents<Vec<u8>>),
    /// An uncompressed point of an elliptic curve (SEC 1 §2.3.3), or the 32 bytes of an Ed25519 key.
    Point(Vec<u8>),
}

impl PublicKey {
    pub(super) const fn new(key_type: KeyType, material: Material) -> Self {
        let certificate = Registered::None;
        Self { kid: None, alg: None, key_type, issuer: None, material, certificate, parsed: OnceLock::new() }
    }

    /// Reads a JWK; `None` if it is of an unknown type, curve or use, or if it is symmetric or weak. Private members are
    /// ignored.
    pub(crate) fn parse(key: &Value) -> Option<Self> {
        let text = |name: &str| match key.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(Value::String(text)) => Some(Some(text.clone())),
            Some(_) => None,
        };
        if text("use")?.is_some_and(|usage| usage != "sig") {
            return None;
        }
        let curve = text("crv")?;
        let (key_type, material) = match (text("kty")?.as_deref()?, curve.as_deref()) {
            ("RSA", _) => (KeyType::Rsa, Material::Rsa(rsa(key)?)),
            ("EC", Some("P-256")) => (KeyType::P256, Material::Point(point(key, 32)?)),
            ("EC", Some("P-384")) => (KeyType::P384, Material::Point(point(key, 48)?)),
            ("EC", Some("P-521")) => (KeyType::P521, Material::Point(point(key, 66)?)),
            ("OKP", Some("Ed25519")) => {
                (KeyType::Ed25519, Material::Point(member(key, "x").filter(|x| x.len() == 32)?))
            }
            _ => return None,
        };
        let issuer = key.get("issuer").and_then(Value::as_str).map(str::to_owned);
        let certificate = registered(key);
        Some(Self { kid: text("kid")?, alg: text("alg")?, issuer, certificate, ..Self::new(key_type, material) })
    }

    /// Whether both are the same key.
    fn is(&self, other: &Self) -> bool {
        self.key_type == other.key_type
            && match (&self.material, &other.material) {
                (Material::Rsa(own), Material::Rsa(other)) => own.n == other.n && own.e == other.e,
                (Material::Point(own), Material::Point(other)) => own == other,
                (Material::Rsa(_), Material::Point(_)) | (Material::Point(_), Material::Rsa(_)) => false,
            }
    }

    /// The members that make up the key (RFC 7518 §6, RFC 8037 §2).
    fn parameters(&self) -> AlgorithmParameters {
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match (&self.material, self.curve()) {
            (Material::Rsa(key), _) => AlgorithmParameters::RSA(RSAKeyParameters {
                n: encode(&key.n),
                e: encode(&key.e),
                ..RSAKeyParameters::default()
            }),
            (Material::Point(x), EllipticCurve::Ed25519) => AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters {
                curve: EllipticCurve::Ed25519,
                x: encode(x),
                ..OctetKeyPairParameters::default()
            }),
            (Material::Point(point), curve) => {
                let coordinates = point.strip_prefix(&[UNCOMPRESSED]).unwrap_or_default();
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                AlgorithmParameters::EllipticCurve(EllipticCurveKeyParameters {
                    curve,
                    x: encode(x),
                    y: encode(y),
                    ..EllipticCurveKeyParameters::default()
                })
            }
        }
    }

    const fn curve(&self) -> EllipticCurve {
        match self.key_type {
            KeyType::P384 => EllipticCurve::P384,
            KeyType::P521 => EllipticCurve::P521,
            KeyType::Ed25519 => EllipticCurve::Ed25519,
            KeyType::P256 | KeyType::Rsa | KeyType::Secret => EllipticCurve::P256,
        }
    }

    /// Its thumbprint (RFC 7638 §3), with SHA-256, base64url. `None` if the library refuses to hash.
    pub(crate) fn thumbprint(&self) -> Option<String> {
        let jwk = Jwk { common: CommonParameters::default(), algorithm: self.parameters() };
        jwk.thumbprint(ThumbprintHash::SHA256).ok()
    }

    /// The JWK with nothing but what makes up the key; `None` if it can't be written.
    pub(crate) fn bare_jwk(&self) -> Option<Value> {
        serde_json::to_value(Jwk { common: CommonParameters::default(), algorithm: self.parameters() }).ok()
    }

    /// The JWK to publish, with `use`, `alg` and `kid`; `None` for an algorithm that the library does not know (ES512).
    fn jwk(&self, kid: &str, algorithm: Algorithm) -> Option<Jwk> {
        let common = CommonParameters {
            public_key_use: Some(PublicKeyUse::Signature),
            key_algorithm: Some(algorithm.name().parse().ok()?),
            key_id: Some(kid.to_owned()),
            ..CommonParameters::default()
        };
        Some(Jwk { common, algorithm: self.parameters() })
    }

    /// The issuer whose tokens it signs, where the key set says so.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Whether it may be used with this algorithm.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.key_type == algorithm.key_type() && self.alg.as_deref().is_none_or(|alg| alg == algorithm.name())
    }

    /// Whether the key made this signature, with an algorithm that it fits.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let (parsed_for, parsed) = self.parsed.get_or_init(|| (algorithm, self.parse_for(algorithm)));
        if *parsed_for == algorithm {
            return parsed.as_ref().is_some_and(|key| key.verify_sig(message, signature).is_ok());
        }
        self.parse_for(algorithm).is_some_and(|key| key.verify_sig(message, signature).is_ok())
    }

    fn parse_for(&self, algorithm: Algorithm) -> Option<ParsedPublicKey> {
        match &self.material {
            Material::Rsa(key) => key.to_parsed_public_key(rsa_parameters(algorithm)?).ok(),
            Material::Point(point) => ParsedPublicKey::new(curve_parameters(algorithm)?, point).ok(),
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

fn curve_parameters(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::ES256 => Some(&ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Some(&ECDSA_P384_SHA384_FIXED),
        Algorithm::ES512 => Some(&ECDSA_P521_SHA512_FIXED),
        Algorithm::EdDSA | Algorithm::Ed25519 => Some(&ED25519),
        _ => None,
    }
}

/// The first byte of an uncompressed point (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 4;

fn member(key: &Value, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(key.get(name)?.as_str()?).ok()
}

/// The certificate of a JWK: `x5c` holds DER in base64, not base64url, and the key's own certificate first (RFC 7517 §4.7).
fn registered(key: &Value) -> Registered {
    let Some(chain) = key.get("x5c").filter(|chain| !chain.is_null()) else { return Registered::None };
    let first = chain.as_array().and_then(|chain| chain.first()).and_then(Value::as_str);
    match first.and_then(|first| STANDARD.decode(first).ok()) {
        Some(der) => Registered::Hash(sha256(&der)),
        None => Registered::Unreadable,
    }
}

fn rsa(key: &Value) -> Option<RsaPublicKeyComponents<Vec<u8>>> {
    // Some providers pad the modulus with a zero, contrary to RFC 7518 §6.3.1.1.
    let number = |name| Some(member(key, name)?.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>());
    let (n, e) = (number("n")?, number("e")?);
    (n.len() >= MIN_RSA_BYTES && !e.is_empty()).then_some(RsaPublicKeyComponents { n, e })
}

fn point(key: &Value, size: usize) -> Option<Vec<u8>> {
    let (x, y) = (member(key, "x")?, member(key, "y")?);
    (x.len() == size && y.len() == size).then(|| [vec![UNCOMPRESSED], x, y].concat())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    /// RFC 7638 §3.1, and RFC 8037 §A.3.
    #[test]
    fn thumbprints_are_those_of_the_specifications() {
        let rsa = json!({
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3\
                  oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgd\
                  AZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCu\
                  r-kEgU8awapJzKnqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29",
        });
        let key = PublicKey::parse(&rsa).unwrap();
        assert_eq!(key.thumbprint().as_deref(), Some("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
        let ed25519 = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
        let key = PublicKey::parse(&ed25519).unwrap();
        assert_eq!(key.thumbprint().as_deref(), Some("kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
    }

    /// RFC 9449 §4.1 and §6.1: the key of the example proof, and its thumbprint.
    #[test]
    fn the_thumbprint_of_an_elliptic_key() {
        let key = json!({
            "kty": "EC",
            "crv": "P-256",
            "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
            "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        });
        let key = PublicKey::parse(&key).unwrap();
        assert_eq!(key.thumbprint().as_deref(), Some("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"));
    }
}
