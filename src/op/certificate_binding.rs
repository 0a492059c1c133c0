//! Access tokens bound to the client's certificate (RFC 8705 §3): how a token says so.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

/// The member of `cnf` with the certificate's thumbprint (RFC 8705 §3.1).
const THUMBPRINT: &str = "x5t#S256";

/// The claims of an access token, bound to the certificate with this thumbprint, beside what they are bound to already.
#[must_use]
pub fn bound_claims<'a>(claims: Cow<'a, Map<String, Value>>, certificate: Option<&str>) -> Cow<'a, Map<String, Value>> {
    let Some(certificate) = certificate else { return claims };
    let mut claims = claims.into_owned();
    let confirmation = claims.entry("cnf").or_insert_with(|| json!({}));
    if let Some(members) = confirmation.as_object_mut() {
        members.insert(THUMBPRINT.to_owned(), certificate.into());
    }
    Cow::Owned(claims)
}

/// Thumbprint of the certificate that an access token is bound to.
#[must_use]
pub fn bound_to(claims: &Map<String, Value>) -> Option<&str> {
    claims.get("cnf")?.get(THUMBPRINT)?.as_str()
}
