//! An immutable set of parsed keys: signs, verifies, and has its JWKS document rendered.
//!
//! Compact JWS (RFC 7515 §3.1) is put together here, with `jsonwebtoken`'s JWK types, because its own signer parses the RSA
//! key at every call, which costs more than the signature.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use aws_lc_rs::signature::{ParsedPublicKey, RsaEncoding, VerificationAlgorithm};
use aws_lc_rs::{constant_time, hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::keys::KeysError;
use crate::protocol::SigningAlgorithm;
use crate::store::model::{KeyState, SigningKey};

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// No key signs with this algorithm; it is not in `keys.algorithms`.
    #[error("there is no {} key: add the algorithm to keys.algorithms", .0.name())]
    NoKey(SigningAlgorithm),
    /// The claims are not JSON.
    #[error("the claims can't be written as JSON: {0}")]
    Claims(#[from] serde_json::Error),
    /// The library refused.
    #[error("the cryptographic library refused to sign")]
    Refused,
}

/// Why a token is not one of ours. For logs: the caller answers all of them alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not a compact JWS, or its header or claims do not read.
    #[error("not a token of this broker: malformed")]
    Malformed,
    /// No key of ours has this `kid`, or it is another algorithm's.
    #[error("not a token of this broker: unknown key or algorithm")]
    UnknownKey,
    /// Ours, but of another kind.
    #[error("not the kind of token that belongs here")]
    WrongType,
    /// Forged or damaged.
    #[error("the signature does not verify")]
    Signature,
}

/// All keys of one moment.
pub struct KeySet {
    keys: Vec<HeldKey>,
    jwks: Arc<[u8]>,
}

/// The header of what is signed here (RFC 7515 §4.1).
#[derive(Serialize)]
struct Header<'a> {
    typ: &'a str,
    alg: &'a str,
    kid: &'a str,
}

/// What is looked at in the header of a token that comes back. None of ours has an escape in it.
#[derive(Deserialize)]
struct Presented<'a> {
    alg: &'a str,
    kid: Option<&'a str>,
    typ: Option<&'a str>,
    crit: Option<IgnoredAny>,
    enc: Option<IgnoredAny>,
    zip: Option<IgnoredAny>,
}

/// A tag's bytes: half of an HMAC-SHA256 (RFC 2104 §5).
type Tag = [u8; 16];

struct HeldKey {
    kid: String,
    algorithm: SigningAlgorithm,
    state: KeyState,
    private: Private,
    public: ParsedPublicKey,
    jwk: Jwk,
    /// Derived from the private key, for [`KeySet::tag`].
    tags: hmac::Key,
}

enum Private {
    Rsa(Box<RsaKeyPair>, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Box<Ed25519KeyPair>),
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| (&key.kid, key.algorithm, key.state))).finish()
    }
}

impl KeySet {
    /// Parses the keys and renders their JWKS document.
    ///
    /// # Errors
    /// When one of them can't be parsed, is for an unknown algorithm, or does not have its own thumbprint as its id.
    pub fn new(keys: &[SigningKey]) -> Result<Self, KeysError> {
        let mut held = keys
            .iter()
            .map(|key| HeldKey::parse(key).map_err(|reason| KeysError::Unusable { kid: key.kid.clone(), reason }))
            .collect::<Result<Vec<_>, _>>()?;
        held.sort_by_key(|key| match key.state {
            KeyState::Current => 0,
            KeyState::Next => 1,
            KeyState::Retired => 2,
        });
        let document = JwkSet { keys: held.iter().map(|key| key.jwk.clone()).collect() };
        let jwks = serde_json::to_vec(&document)
            .map_err(|_| KeysError::Unusable { kid: "all".to_owned(), reason: "they can't be written as JSON" })?;
        Ok(Self { keys: held, jwks: jwks.into() })
    }

    /// The JWKS document (RFC 7517 §5): current, next and retired keys, in this order.
    #[must_use]
    pub fn jwks(&self) -> Arc<[u8]> {
        Arc::clone(&self.jwks)
    }

    /// The algorithms that it signs with.
    pub fn algorithms(&self) -> impl Iterator<Item = SigningAlgorithm> + '_ {
        self.keys.iter().filter(|key| key.state == KeyState::Current).map(|key| key.algorithm)
    }

    /// Key id, algorithm and state of each key, for status and `keys list`.
    pub fn list(&self) -> impl Iterator<Item = (&str, SigningAlgorithm, KeyState)> {
        self.keys.iter().map(|key| (key.kid.as_str(), key.algorithm, key.state))
    }

    /// Whether it is made of these very keys.
    pub(crate) fn holds(&self, keys: &[SigningKey]) -> bool {
        let has = |key: &SigningKey| self.keys.iter().any(|held| held.kid == key.kid && held.state == key.state);
        self.keys.len() == keys.len() && keys.iter().all(has)
    }

    /// Signs claims as a compact JWS (RFC 7515 §7.1) with the algorithm's current key; `typ` goes into the header
    /// (`JWT`, `at+jwt`, `logout+jwt`). Takes about 0.3 ms of CPU with RSA.
    ///
    /// # Errors
    /// When there is no such key, or the claims do not serialise.
    pub fn sign(&self, algorithm: SigningAlgorithm, typ: &str, claims: &impl Serialize) -> Result<String, SignError> {
        let current = |key: &&HeldKey| key.state == KeyState::Current && key.algorithm == algorithm;
        let key = self.keys.iter().find(current).ok_or(SignError::NoKey(algorithm))?;
        let mut json = Vec::with_capacity(1024);
        serde_json::to_writer(&mut json, &Header { typ, alg: algorithm.name(), kid: &key.kid })?;
        let mut token = String::with_capacity(1536);
        URL_SAFE_NO_PAD.encode_string(&json, &mut token);
        token.push('.');
        json.clear();
        serde_json::to_writer(&mut json, claims)?;
        URL_SAFE_NO_PAD.encode_string(&json, &mut token);
        let signature = key.private.sign(token.as_bytes()).ok_or(SignError::Refused)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The claims of a token that one of these keys signed, with `typ` in its header (compared without case, RFC 8725
    /// §3.11). Its key and algorithm are those that the `kid` names here; whatever else the header says is ignored or
    /// refused. Nothing is compared with the time: a caller looks at `exp` and the like.
    ///
    /// # Errors
    /// When it is none of ours.
    pub fn verify<C: DeserializeOwned>(&self, token: &str, typ: &str) -> Result<C, VerifyError> {
        let malformed = || VerifyError::Malformed;
        let (message, signature) = token.rsplit_once('.').ok_or_else(malformed)?;
        let (header, payload) = message.split_once('.').ok_or_else(malformed)?;
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| malformed())?;
        let header: Presented<'_> = serde_json::from_slice(&header).map_err(|_| malformed())?;
        let kid = header.kid.ok_or(VerifyError::UnknownKey)?;
        let key = self.keys.iter().find(|key| key.kid == kid).ok_or(VerifyError::UnknownKey)?;
        if header.alg != key.algorithm.name() {
            return Err(VerifyError::UnknownKey);
        }
        // Extensions that must be understood (RFC 7515 §4.1.11), and encryption or compression: we write none of them.
        if header.crit.is_some() || header.enc.is_some() || header.zip.is_some() {
            return Err(VerifyError::Malformed);
        }
        if !header.typ.is_some_and(|found| found.eq_ignore_ascii_case(typ)) {
            return Err(VerifyError::WrongType);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| malformed())?;
        key.public.verify_sig(message.as_bytes(), &signature).map_err(|_| VerifyError::Signature)?;
        let claims = URL_SAFE_NO_PAD.decode(payload).map_err(|_| malformed())?;
        serde_json::from_slice(&claims).map_err(|_| malformed())
    }

    /// A tag under a short message, for what this broker hands out and wants back unaltered without storing it. Every
    /// process on the same store knows it, before and after a restart, and until the signing keys of the moment are gone.
    /// `purpose` keeps messages of different kinds apart. `None` when there is no current key.
    #[must_use]
    pub fn tag(&self, purpose: &str, message: &[u8]) -> Option<Tag> {
        self.keys.iter().find(|key| key.state == KeyState::Current).and_then(|key| key.tag(purpose, message))
    }

    /// Whether [`Self::tag`] made this tag, here or in another process.
    #[must_use]
    pub fn tagged(&self, purpose: &str, message: &[u8], tag: &[u8]) -> bool {
        let made = |key: &HeldKey| key.tag(purpose, message);
        self.keys.iter().filter_map(made).any(|own| constant_time::verify_slices_are_equal(&own, tag).is_ok())
    }
}

/// HKDF-SHA256 (RFC 5869) of the private key's document, for nothing but tags.
fn tag_key(private: &[u8]) -> Option<hmac::Key> {
    let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"countersign");
    let mut key = [0_u8; 32];
    salt.extract(private).expand(&[b"tags"], hkdf::HKDF_SHA256).ok()?.fill(&mut key).ok()?;
    Some(hmac::Key::new(hmac::HMAC_SHA256, &key))
}

impl HeldKey {
    fn tag(&self, purpose: &str, message: &[u8]) -> Option<Tag> {
        let whole = hmac::sign(&self.tags, &[purpose.as_bytes(), b"\0", message].concat());
        whole.as_ref().first_chunk().copied()
    }

    fn parse(key: &SigningKey) -> Result<Self, &'static str> {
        let algorithm = ALGORITHMS.into_iter().find(|algorithm| algorithm.name() == key.algorithm);
        let algorithm = algorithm.ok_or("its algorithm is not known here")?;
        let private = Private::parse(algorithm, &key.private).ok_or("it is not a private key of its algorithm")?;
        let (jwk, kid) = private.jwk(algorithm).ok_or("its public part can't be told")?;
        if kid != key.kid {
            return Err("its id is not its thumbprint");
        }
        let public = private.public(algorithm).ok_or("its public part can't be parsed")?;
        let tags = tag_key(&key.private).ok_or("no tag key can be derived from it")?;
        Ok(Self { kid, algorithm, state: key.state, private, public, jwk, tags })
    }
}

impl Private {
    fn parse(algorithm: SigningAlgorithm, document: &[u8]) -> Option<Self> {
        Some(match algorithm {
            SigningAlgorithm::RS256 | SigningAlgorithm::PS256 => {
                let encoding: &'static dyn RsaEncoding = match algorithm {
                    SigningAlgorithm::PS256 => &signature::RSA_PSS_SHA256,
                    _ => &signature::RSA_PKCS1_SHA256,
                };
                Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(document).ok()?), encoding)
            }
            SigningAlgorithm::ES256 | SigningAlgorithm::ES384 => {
                Self::Ecdsa(EcdsaKeyPair::from_pkcs8(curve(algorithm), document).ok()?)
            }
            SigningAlgorithm::EdDSA => Self::Ed25519(Box::new(Ed25519KeyPair::from_pkcs8(document).ok()?)),
        })
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(*encoding, &SystemRandom::new(), message, &mut signature).ok()?;
                Some(signature)
            }
            Self::Ecdsa(key) => Some(key.sign(&SystemRandom::new(), message).ok()?.as_ref().to_vec()),
            Self::Ed25519(key) => Some(key.try_sign(message).ok()?.as_ref().to_vec()),
        }
    }

    fn public(&self, algorithm: SigningAlgorithm) -> Option<ParsedPublicKey> {
        let verification: &'static dyn VerificationAlgorithm = match algorithm {
            SigningAlgorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
            SigningAlgorithm::PS256 => &signature::RSA_PSS_2048_8192_SHA256,
            SigningAlgorithm::ES256 => &signature::ECDSA_P256_SHA256_FIXED,
            SigningAlgorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED,
            SigningAlgorithm::EdDSA => &signature::ED25519,
        };
        let bytes = match self {
            Self::Rsa(key, _) => key.public_key().as_ref(),
            Self::Ecdsa(key) => key.public_key().as_ref(),
            Self::Ed25519(key) => key.public_key().as_ref(),
        };
        ParsedPublicKey::new(verification, bytes).ok()
    }

    /// The public key as a JWK with `use`, `alg` and `kid`, its RFC 7638 thumbprint, and that thumbprint.
    fn jwk(&self, algorithm: SigningAlgorithm) -> Option<(Jwk, String)> {
        let public = match self {
            Self::Rsa(key, _) => {
                let public = key.public_key();
                let (n, e) = (public.modulus(), public.exponent());
                DecodingKey::from_rsa_raw_components(
                    n.big_endian_without_leading_zero(),
                    e.big_endian_without_leading_zero(),
                )
            }
            Self::Ecdsa(key) => DecodingKey::from_ec_der(key.public_key().as_ref()),
            Self::Ed25519(key) => DecodingKey::from_ed_der(key.public_key().as_ref()),
        };
        let mut jwk = Jwk::from_decoding_key(&public, Some(jws_algorithm(algorithm))).ok()?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).ok()?;
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        jwk.common.key_id = Some(kid.clone());
        Some((jwk, kid))
    }
}

const ALGORITHMS: [SigningAlgorithm; 5] = [
    SigningAlgorithm::RS256,
    SigningAlgorithm::PS256,
    SigningAlgorithm::ES256,
    SigningAlgorithm::ES384,
    SigningAlgorithm::EdDSA,
];

const fn jws_algorithm(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::RS256 => Algorithm::RS256,
        SigningAlgorithm::PS256 => Algorithm::PS256,
        SigningAlgorithm::ES256 => Algorithm::ES256,
        SigningAlgorithm::ES384 => Algorithm::ES384,
        SigningAlgorithm::EdDSA => Algorithm::EdDSA,
    }
}

fn curve(algorithm: SigningAlgorithm) -> &'static EcdsaSigningAlgorithm {
    match algorithm {
        SigningAlgorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
        _ => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
    }
}

/// Makes a key; returns its id and its PKCS#8 document. RSA keys have 2048 bits.
pub(crate) fn generate(algorithm: SigningAlgorithm) -> Result<(String, Vec<u8>), &'static str> {
    let refused = "the cryptographic library refused";
    let document = match algorithm {
        SigningAlgorithm::RS256 | SigningAlgorithm::PS256 => {
            let key = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| refused)?;
            let document: Pkcs8V1Der<'_> = key.as_der().map_err(|_| refused)?;
            document.as_ref().to_vec()
        }
        SigningAlgorithm::ES256 | SigningAlgorithm::ES384 => {
            let key = EcdsaKeyPair::generate(curve(algorithm)).map_err(|_| refused)?;
            key.to_pkcs8v1().map_err(|_| refused)?.as_ref().to_vec()
        }
        SigningAlgorithm::EdDSA => {
            let key = Ed25519KeyPair::generate().map_err(|_| refused)?;
            key.to_pkcs8v1().map_err(|_| refused)?.as_ref().to_vec()
        }
    };
    let (_, kid) = Private::parse(algorithm, &document).and_then(|key| key.jwk(algorithm)).ok_or(refused)?;
    Ok((kid, document))
}
