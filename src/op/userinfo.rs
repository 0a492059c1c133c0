//! The userinfo endpoint (OIDC Core §5.3): the claims of the user whose access token is presented.

use serde_json::{Map, Value};

use crate::op::RequestContext;
use crate::op::certificate_binding;
use crate::op::decide;
use crate::op::dpop;
use crate::op::dpop::ProofHeader;
use crate::op::error::OAuthError;
use crate::op::issue::ID_TOKEN_TYPE;
use crate::op::presented_token::{ActiveToken, active_access_token};
use crate::protocol::ErrorCode;
use crate::x509::Certificate;

/// The answer of the userinfo endpoint.
pub enum Userinfo {
    /// A JSON object.
    Plain(Map<String, Value>),
    /// A signed JWT, for clients registered so (OIDC Core §5.3.2).
    Signed(String),
}

/// How an access token is presented.
#[derive(Clone, Copy, Debug)]
pub enum Scheme<'a> {
    /// As a bearer token (RFC 6750).
    Bearer,
    /// With a proof of the key that it is bound to (RFC 9449 §7.1).
    Dpop {
        /// The proof.
        proof: ProofHeader<'a>,
        /// The request's method.
        method: &'a str,
    },
}

/// An access token that is active and presented as it must be: one that is bound to a key with a proof by that key, any
/// other without (RFC 9449 §7.1, §7.2), and one that is bound to a certificate by its holder (RFC 8705 §3).
async fn presented<'s>(
    context: &'s RequestContext<'_>,
    token: &str,
    scheme: Scheme<'_>,
) -> Result<ActiveToken<'s>, OAuthError> {
    let invalid = |text: &str| OAuthError::new(ErrorCode::InvalidToken, text);
    let proof = match scheme {
        Scheme::Bearer => None,
        Scheme::Dpop { proof, method } => {
            let url = context.snapshot.issuer.url_of(&context.snapshot.config.endpoints.userinfo);
            let missing = || OAuthError::new(ErrorCode::InvalidDpopProof, "the DPoP header with the proof is missing");
            let call = dpop::Call { method, url: &url, access_token: Some(token) };
            Some(dpop::read(context, proof, &call)?.ok_or_else(missing)?)
        }
    };
    let active = active_access_token(context, token).await?;
    let active = active.ok_or_else(|| invalid("the access token is unknown, expired or revoked"))?;
    match (dpop::bound_to(&active.claims), &proof) {
        (None, None) => {}
        (Some(jkt), Some(proof)) if proof.jkt == jkt => {}
        (Some(_), Some(_)) => return Err(invalid("the access token is bound to another key")),
        (Some(_), None) => return Err(invalid("the access token is bound to a key: send it by the DPoP scheme")),
        (None, Some(_)) => return Err(invalid("the access token is bound to no key: send it as a bearer token")),
    }
    if let Some(bound_to) = certificate_binding::bound_to(&active.claims) {
        let presented = context.client_certificate.presented().map(Certificate::thumbprint);
        if presented.as_deref() != Some(bound_to) {
            return Err(invalid("the access token is bound to a client certificate, which the request does not have"));
        }
    }
    dpop::use_once(context, proof.as_ref()).await?;
    Ok(active)
}

/// Serves userinfo: `sub` and the claims that the token's scopes release.
///
/// # Errors
/// RFC 6750 §3.1: `invalid_token`, `insufficient_scope`; RFC 9449 §7.1: `invalid_dpop_proof`, `use_dpop_nonce`.
pub async fn userinfo(context: &RequestContext<'_>, token: &str, scheme: Scheme<'_>) -> Result<Userinfo, OAuthError> {
    let active = presented(context, token, scheme).await?;
    let Some((user, decision)) = active.user.filter(|_| active.scopes.iter().any(|scope| scope == "openid")) else {
        return Err(OAuthError::new(ErrorCode::InsufficientScope, "the access token has no openid scope"));
    };
    let released = decision.release.map(|release| release.userinfo).unwrap_or_default();
    let mut claims = Map::with_capacity(released.len() + 3);
    claims.insert("sub".to_owned(), decide::subject(active.client, &user).into());
    claims.extend(released);
    let Some(algorithm) = active.client.userinfo_alg else { return Ok(Userinfo::Plain(claims)) };
    claims.insert("iss".to_owned(), context.snapshot.issuer.text.as_str().into());
    claims.insert("aud".to_owned(), active.client.client_id.as_str().into());
    let signed = context.services.keys.set().sign(algorithm, ID_TOKEN_TYPE, &claims);
    signed.map(Userinfo::Signed).map_err(|error| OAuthError::new(ErrorCode::ServerError, error.to_string()))
}
