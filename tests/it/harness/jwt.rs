//! Reads the broker's tokens like an app: with an independent JOSE library and the published keys.

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::app::TestApp;

/// The claims of a token, unverified.
#[track_caller]
pub(crate) fn claims_of(token: &str) -> Map<String, Value> {
    part(token, 1)
}

/// The header of a token.
#[track_caller]
pub(crate) fn header_of(token: &str) -> Map<String, Value> {
    part(token, 0)
}

#[track_caller]
fn part(token: &str, index: usize) -> Map<String, Value> {
    use base64::Engine as _;
    let part = token.split('.').nth(index).unwrap_or_else(|| panic!("not a JWT: {token}"));
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// Verifies a token with the broker's key set, issuer and audience at the test's time.
pub(crate) async fn verified(app: &TestApp, token: &str, audience: &str) -> Map<String, Value> {
    let set: JwkSet = serde_json::from_value(app.get("/oauth2/jwks").await.json()).unwrap();
    let header = decode_header(token).unwrap();
    let key = set.find(header.kid.as_deref().unwrap()).expect("the key is published");
    let mut validation = Validation::new(header.alg);
    validation.algorithms = vec![Algorithm::RS256, Algorithm::ES256];
    validation.algorithms.retain(|alg| *alg == header.alg);
    validation.validate_exp = false;
    validation.set_audience(&[audience]);
    validation.set_issuer(&[super::ISSUER]);
    let claims = decode::<Map<String, Value>>(token, &DecodingKey::from_jwk(key).unwrap(), &validation).unwrap().claims;
    assert!(claims["exp"].as_i64().unwrap() > app.now(), "expired");
    claims
}
