//! The fake providers' signing keys: made once a process.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// How an ID token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    /// With the provider's RSA key, `kid` `rsa-1`.
    Rs256,
    /// With the provider's P-256 key, `kid` `ec-1`.
    Es256,
    /// `alg: none`, no signature.
    None,
    /// HS256 with the PEM of the provider's RSA key as the secret: the classic confusion.
    HmacOfPublicKey,
    /// RS256 by a key that the provider never published, under the published `kid`.
    ForeignKey,
    /// The right key, and one bit of the signature turned.
    Broken,
    /// RS256 by a key under a new `kid`, `rsa-2`, which the provider publishes when told to.
    Rotated,
}

fn rsa(index: usize) -> &'static RsaKeyPair {
    static KEYS: [OnceLock<RsaKeyPair>; 2] = [OnceLock::new(), OnceLock::new()];
    KEYS[index].get_or_init(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
}

fn ec() -> &'static EcdsaKeyPair {
    static KEY: OnceLock<EcdsaKeyPair> = OnceLock::new();
    KEY.get_or_init(|| EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
}

pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn rsa_jwk(index: usize, kid: &str) -> Value {
    let key = rsa(index).public_key();
    let (n, e) = rsa_numbers(key.as_ref());
    json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": encode(n), "e": encode(e) })
}

/// The published keys: an RSA and a P-256 one; with `rotated`, the next RSA key in place of the first.
pub(crate) fn jwks(rotated: bool) -> Vec<Value> {
    let point = ec().public_key().as_ref();
    let (x, y) = (&point[1..33], &point[33..]);
    let ec = json!({ "kty": "EC", "use": "sig", "crv": "P-256", "kid": "ec-1", "x": encode(x), "y": encode(y) });
    vec![if rotated { rsa_jwk(1, "rsa-2") } else { rsa_jwk(0, "rsa-1") }, ec]
}

/// The header that goes with a way of signing.
pub(crate) fn header(signing: Signing) -> Value {
    match signing {
        Signing::Rs256 | Signing::ForeignKey | Signing::Broken => {
            json!({ "alg": "RS256", "kid": "rsa-1", "typ": "JWT" })
        }
        Signing::Rotated => json!({ "alg": "RS256", "kid": "rsa-2", "typ": "JWT" }),
        Signing::Es256 => json!({ "alg": "ES256", "kid": "ec-1", "typ": "JWT" }),
        Signing::None => json!({ "alg": "none", "typ": "JWT" }),
        Signing::HmacOfPublicKey => json!({ "alg": "HS256", "kid": "rsa-1", "typ": "JWT" }),
    }
}

/// A compact JWS of these.
pub(crate) fn sign(signing: Signing, header: &Value, claims: &Value) -> String {
    let signed = format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let random = SystemRandom::new();
    let with_rsa = |index: usize| {
        let pair = rsa(index);
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
        signature
    };
    let signature = match signing {
        Signing::Rs256 => with_rsa(0),
        Signing::ForeignKey | Signing::Rotated => with_rsa(1),
        Signing::Broken => {
            let mut signature = with_rsa(0);
            signature[17] ^= 1;
            signature
        }
        Signing::Es256 => ec().sign(&random, signed.as_bytes()).unwrap().as_ref().to_vec(),
        Signing::None => Vec::new(),
        Signing::HmacOfPublicKey => {
            let secret = public_pem();
            let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
            aws_lc_rs::hmac::sign(&key, signed.as_bytes()).as_ref().to_vec()
        }
    };
    format!("{signed}.{}", encode(&signature))
}

/// The provider's public key as an attacker would find it in a file.
fn public_pem() -> String {
    let der = base64::engine::general_purpose::STANDARD.encode(rsa(0).public_key().as_ref());
    format!("-----BEGIN RSA PUBLIC KEY-----\n{der}\n-----END RSA PUBLIC KEY-----\n")
}

/// Modulus and exponent of a DER RSAPublicKey: a sequence of two integers (RFC 8017 §A.1.1).
fn rsa_numbers(der: &[u8]) -> (&[u8], &[u8]) {
    let (_, sequence) = element(der);
    let (rest, n) = element(sequence);
    let (_, e) = element(rest);
    (n.strip_prefix(&[0]).unwrap_or(n), e)
}

/// What follows a DER element, and its contents.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let short = usize::from(der[1]);
    let (length, rest) = if short < 0x80 {
        (short, &der[2..])
    } else {
        let (digits, rest) = der[2..].split_at(short - 0x80);
        (digits.iter().fold(0, |length, digit| length * 256 + usize::from(*digit)), rest)
    };
    let (contents, rest) = rest.split_at(length);
    (rest, contents)
}
