//! How an access token says that it is bound to a key (RFC 9449 §6.1, RFC 7800 §3.1).

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::op::dpop::proof::Proof;

/// The claims of an access token, bound to the key of a proof (§6.1).
#[must_use]
pub fn bound_claims<'a>(claims: &'a Map<String, Value>, proof: Option<&Proof>) -> Cow<'a, Map<String, Value>> {
    let mut claims = Cow::Borrowed(claims);
    if let Some(proof) = proof {
        claims.to_mut().insert("cnf".to_owned(), json!({ "jkt": proof.jkt }));
    }
    claims
}

/// Thumbprint of the key that an access token is bound to.
#[must_use]
pub fn bound_to(claims: &Map<String, Value>) -> Option<&str> {
    claims.get("cnf")?.get("jkt")?.as_str()
}

/// `token_type` of an access token with these claims (§5, §6.2).
#[must_use]
pub fn token_type(claims: &Map<String, Value>) -> &'static str {
    if bound_to(claims).is_some() { "DPoP" } else { "Bearer" }
}
