//! The fake providers' keys, made once per process, and the valid and invalid ways in which their tokens are signed.

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::support::signer::input;
pub(crate) use crate::support::signer::{TestKey, encode, hmac};

/// How an ID token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    /// With the provider's RSA key, `kid` `rsa-1`.
    Rs256,
    /// With the provider's P-256 key, `kid` `ec-1`.
    Es256,
    /// `alg: none`, no signature.
    None,
    /// HS256 with the PEM of the provider's RSA key as the secret: the algorithm confusion attack (RFC 8725 §2.1).
    HmacOfPublicKey,
    /// RS256 by a key that the provider never published, under the published `kid`.
    ForeignKey,
    /// The right key, with one bit of the signature flipped.
    Broken,
    /// RS256 by a key with a new `kid`, `rsa-2`, which the provider publishes when its script says so.
    Rotated,
}

fn ec() -> &'static TestKey {
    static KEY: OnceLock<TestKey> = OnceLock::new();
    KEY.get_or_init(TestKey::ec256)
}

/// The published keys: an RSA and a P-256 one; with `rotated`, the next RSA key in place of the first.
pub(crate) fn jwks(rotated: bool) -> Vec<Value> {
    let rsa = if rotated { TestKey::other_rsa("rsa-2") } else { TestKey::rsa() };
    let mut jwk = rsa.jwk();
    jwk["alg"] = "RS256".into();
    vec![jwk, ec().jwk()]
}

/// The JOSE header for a way of signing.
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

/// A compact JWS of the header and the claims.
pub(crate) fn sign(signing: Signing, header: &Value, claims: &Value) -> String {
    match signing {
        Signing::Rs256 => TestKey::rsa().sign(header, claims),
        Signing::ForeignKey | Signing::Rotated => TestKey::other_rsa("rsa-2").sign(header, claims),
        Signing::Broken => broken(&TestKey::rsa().sign(header, claims)),
        Signing::Es256 => ec().sign(header, claims),
        Signing::None => format!("{}.", input(header, claims)),
        Signing::HmacOfPublicKey => hmac(TestKey::rsa().public_pem(), header, claims),
    }
}

/// The same token with one bit of its signature flipped.
fn broken(token: &str) -> String {
    use base64::Engine as _;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap();
    signature[17] ^= 1;
    format!("{signed}.{}", encode(&signature))
}
