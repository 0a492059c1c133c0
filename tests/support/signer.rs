//! The signer of the tests: keys of every kind, their JWKs, and compact JWS with any header and claims, valid or not.
//!
//! It is independent of the product's own signer, and signs what that one would refuse.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

enum Private {
    Rsa(&'static RsaKeyPair),
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
    Weak(Vec<u8>),
}

/// A signing key with its `kid` and `alg`.
pub(crate) struct TestKey {
    pub(crate) kid: Option<&'static str>,
    pub(crate) alg: &'static str,
    private: Private,
}

fn rsa_key(index: usize) -> &'static RsaKeyPair {
    static KEYS: [OnceLock<RsaKeyPair>; 2] = [OnceLock::new(), OnceLock::new()];
    KEYS.get(index).unwrap().get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
}

impl TestKey {
    /// The provider's key in most tests.
    pub(crate) fn rsa() -> Self {
        Self { kid: Some("rsa-1"), alg: "RS256", private: Private::Rsa(rsa_key(0)) }
    }

    /// Another RSA key.
    pub(crate) fn other_rsa(kid: &'static str) -> Self {
        Self { kid: Some(kid), alg: "RS256", private: Private::Rsa(rsa_key(1)) }
    }

    pub(crate) fn ec256() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { kid: Some("ec-1"), alg: "ES256", private: Private::Ec(pair, "P-256") }
    }

    pub(crate) fn ec384() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        Self { kid: Some("ec-2"), alg: "ES384", private: Private::Ec(pair, "P-384") }
    }

    pub(crate) fn ec521() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).unwrap();
        Self { kid: Some("ec-3"), alg: "ES512", private: Private::Ec(pair, "P-521") }
    }

    pub(crate) fn ed25519() -> Self {
        Self { kid: Some("ed-1"), alg: "EdDSA", private: Private::Ed(Ed25519KeyPair::generate().unwrap()) }
    }

    /// An RSA key that is too short to be accepted.
    pub(crate) fn weak() -> Self {
        Self { kid: Some("weak"), alg: "RS256", private: Private::Weak(vec![0xc5; 128]) }
    }

    pub(crate) fn named(mut self, kid: Option<&'static str>) -> Self {
        self.kid = kid;
        self
    }

    pub(crate) fn with_alg(mut self, alg: &'static str) -> Self {
        self.alg = alg;
        self
    }

    pub(crate) fn header(&self) -> Value {
        match self.kid {
            Some(kid) => json!({ "alg": self.alg, "kid": kid }),
            None => json!({ "alg": self.alg }),
        }
    }

    /// The public key.
    pub(crate) fn jwk(&self) -> Value {
        let mut key = match &self.private {
            Private::Rsa(pair) => {
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                let (n, e) = (n.big_endian_without_leading_zero(), e.big_endian_without_leading_zero());
                json!({ "kty": "RSA", "n": encode(n), "e": encode(e) })
            }
            Private::Ec(pair, curve) => {
                let point = pair.public_key().as_ref();
                let (x, y) = point.split_at(1).1.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
            Private::Ed(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key().as_ref()) }),
            Private::Weak(n) => json!({ "kty": "RSA", "n": encode(n), "e": "AQAB" }),
        };
        let members = key.as_object_mut().unwrap();
        if let Some(kid) = self.kid {
            members.insert("kid".to_owned(), kid.into());
        }
        members.insert("use".to_owned(), "sig".into());
        key
    }

    /// The public key of an RSA pair as PEM, as an attacker would find it in a file.
    pub(crate) fn public_pem(&self) -> String {
        let Private::Rsa(pair) = &self.private else { unreachable!("only RSA keys are asked for") };
        let der = STANDARD.encode(pair.public_key().as_ref());
        format!("-----BEGIN RSA PUBLIC KEY-----\n{der}\n-----END RSA PUBLIC KEY-----\n")
    }

    /// A compact JWS. It is signed with the key's `alg`, whatever the header says.
    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = input(header, claims);
        let random = SystemRandom::new();
        let signature = match &self.private {
            Private::Rsa(pair) => {
                let padding: &'static dyn RsaEncoding = match self.alg {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    _ => &RSA_PSS_SHA512,
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &random, signed.as_bytes(), &mut signature).unwrap();
                signature
            }
            Private::Ec(pair, _) => pair.sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
            Private::Ed(pair) => pair.sign(signed.as_bytes()).as_ref().to_vec(),
            Private::Weak(_) => vec![0; 128],
        };
        format!("{signed}.{}", encode(&signature))
    }
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A compact JWS with an HS256 signature.
pub(crate) fn hmac(secret: impl AsRef<[u8]>, header: &Value, claims: &Value) -> String {
    let signed = input(header, claims);
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_ref());
    format!("{signed}.{}", encode(aws_lc_rs::hmac::sign(&key, signed.as_bytes()).as_ref()))
}

/// Header and claims, encoded, as they are signed (RFC 7515 §5.1).
pub(crate) fn input(header: &Value, claims: &Value) -> String {
    format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()))
}
