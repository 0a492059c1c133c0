//! `id_token_hint`, as the authorization and the end session endpoint take it: an ID token that this broker issued, expired or
//! not (OIDC Core §3.1.2.1, OIDC RP-Initiated Logout §2). Each endpoint decides what the hint is used for.

use serde_json::{Map, Value};

use crate::op::RequestContext;
use crate::op::issue::{ID_TOKEN_TYPE, is_access_token};

/// The claims of an ID token of this issuer, whose signature one of the published keys made.
#[must_use]
pub fn verify(context: &RequestContext<'_>, token: &str) -> Option<Map<String, Value>> {
    let claims = context.services.keys.set().verify(token, ID_TOKEN_TYPE).ok()?;
    let ours = claims.get("iss").and_then(Value::as_str) == Some(context.snapshot.issuer.text.as_str());
    (ours && !is_access_token(&claims)).then_some(claims)
}
