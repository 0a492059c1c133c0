//! Signing as a client of others: with a private key that the operator gave, or with a shared secret.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Map, Value, json};

use crate::config::language::scalar::SecretValue;
use crate::jose::Algorithm;

/// A private key: RSA of 2048 bits or more, P-256, P-384 or Ed25519.
pub struct SigningKey {
    pair: Pair,
    random: SystemRandom,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(***)")
    }
}

impl SigningKey {
    /// Reads a PEM file with one private key: `PRIVATE KEY` (PKCS #8), `RSA PRIVATE KEY` or `EC PRIVATE KEY`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn from_pem(pem: &str) -> Result<Self, &'static str> {
        const UNUSABLE: &str = "it is no RSA key of 2048 bits or more, and no P-256, P-384 or Ed25519 key";
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| "it is no PEM file with a private key, unencrypted")?;
        let pkcs8 =
            |algorithm: &'static EcdsaSigningAlgorithm, der: &[u8]| EcdsaKeyPair::from_pkcs8(algorithm, der).ok();
        let sec1 = |algorithm: &'static EcdsaSigningAlgorithm, der: &[u8]| {
            EcdsaKeyPair::from_private_key_der(algorithm, der).ok()
        };
        let pair = match &key {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok().map(Pair::Rsa),
            PrivateKeyDer::Sec1(der) => {
                let der = der.secret_sec1_der();
                sec1(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                    .map(Pair::P256)
                    .or_else(|| sec1(&ECDSA_P384_SHA384_FIXED_SIGNING, der).map(Pair::P384))
            }
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                let rsa = || RsaKeyPair::from_pkcs8(der).ok().map(Pair::Rsa);
                rsa()
                    .or_else(|| pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Pair::P256))
                    .or_else(|| pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, der).map(Pair::P384))
                    .or_else(|| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok().map(Pair::Ed25519))
            }
            _ => None,
        };
        match pair {
            Some(Pair::Rsa(rsa)) if rsa.public_modulus_len() < 256 => Err(UNUSABLE),
            Some(pair) => Ok(Self { pair, random: SystemRandom::new() }),
            None => Err(UNUSABLE),
        }
    }

    /// What it can sign with, what is most widely understood first.
    #[must_use]
    pub const fn algorithms(&self) -> &'static [Algorithm] {
        match self.pair {
            Pair::Rsa(_) => &[Algorithm::RS256, Algorithm::PS256],
            Pair::P256(_) => &[Algorithm::ES256],
            Pair::P384(_) => &[Algorithm::ES384],
            Pair::Ed25519(_) => &[Algorithm::EdDSA],
        }
    }

    /// A JWT of these claims; `None` when the algorithm is not this key's, or the generator gives nothing.
    pub(crate) fn sign(&self, algorithm: Algorithm, claims: &Map<String, Value>) -> Option<String> {
        let input = signing_input(algorithm, claims);
        let signature = match (&self.pair, algorithm) {
            (Pair::Rsa(rsa), Algorithm::RS256 | Algorithm::PS256) => {
                let scheme = if algorithm == Algorithm::RS256 { &RSA_PKCS1_SHA256 } else { &RSA_PSS_SHA256 };
                let mut signature = vec![0; rsa.public_modulus_len()];
                rsa.sign(scheme, &self.random, input.as_bytes(), &mut signature).ok()?;
                signature
            }
            (Pair::P256(pair), Algorithm::ES256) | (Pair::P384(pair), Algorithm::ES384) => {
                pair.sign(&self.random, input.as_bytes()).ok()?.as_ref().to_vec()
            }
            (Pair::Ed25519(pair), Algorithm::EdDSA) => pair.sign(input.as_bytes()).as_ref().to_vec(),
            _ => return None,
        };
        Some(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

/// A JWT signed with a shared secret, HS256.
pub(crate) fn sign_symmetric(secret: &SecretValue, claims: &Map<String, Value>) -> String {
    let input = signing_input(Algorithm::HS256, claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    format!("{input}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, input.as_bytes()).as_ref()))
}

fn signing_input(algorithm: Algorithm, claims: &Map<String, Value>) -> String {
    let header = json!({ "alg": algorithm.name(), "typ": "JWT" });
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    format!("{}.{}", encode(header.to_string()), encode(Value::Object(claims.clone()).to_string()))
}
