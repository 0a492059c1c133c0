//! The userinfo endpoint (OIDC Core §5.3), and what it shares with introspection: reading one of our access tokens.

use serde_json::{Map, Value};

use crate::decision::pipeline::Decision;
use crate::op::RequestContext;
use crate::op::decide;
use crate::op::decide::grant_request;
use crate::op::dpop;
use crate::op::dpop::ProofHeader;
use crate::op::error::OAuthError;
use crate::op::issue::{ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE};
use crate::op::validity;
use crate::op::validity::ValidGrant;
use crate::protocol::ErrorCode;
use crate::snapshot::client::Client;
use crate::store::model::User;

/// An access token of ours that is good at this moment.
pub struct LiveToken<'s> {
    /// Its claims.
    pub claims: Map<String, Value>,
    /// The client that it was issued to.
    pub client: &'s Client,
    /// Whose claims it opens, with the decision of the moment; `None` for a client's own token.
    pub person: Option<(User, Decision)>,
}

/// Reads an access token: signature, type, time, grant, session, user, client, and the policy of the moment.
///
/// # Errors
/// `Ok(None)` when it is not good; an error when the store can't be read.
pub async fn live_token<'s>(context: &'s RequestContext<'_>, token: &str) -> Result<Option<LiveToken<'s>>, OAuthError> {
    let verified = context.services.keys.set().verify(token, ACCESS_TOKEN_TYPE);
    let Ok(claims) = verified else { return Ok(None) };
    let number = |name: &str| claims.get(name).and_then(Value::as_i64);
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let in_time = number("exp").is_some_and(|exp| context.now < exp);
    let ours = text("iss") == Some(context.snapshot.issuer.text.as_str());
    let Some((grant_id, _)) = text("jti").and_then(|jti| jti.split_once('.')).filter(|_| in_time && ours) else {
        return Ok(None);
    };
    let Some(view) = context.store().grant(grant_id).await? else { return Ok(None) };
    let Ok(ValidGrant { client, account }) = validity::grant(context, &view) else { return Ok(None) };
    let Some((user, link)) = account else { return Ok(Some(LiveToken { claims, client, person: None })) };
    let scopes: Vec<String> = text("scope").unwrap_or_default().split(' ').map(str::to_owned).collect();
    match decide::again(context, user, link, &grant_request(&view.grant, &scopes)) {
        Ok(decision) => {
            let person = view.user.map(|user| (user, decision));
            Ok(Some(LiveToken { claims, client, person }))
        }
        Err(refusal) => {
            let reason = refusal.reason.code();
            tracing::info!(event = "refusal", reason, client = %client.key, trace_id = %context.trace_id, "access token refused by policy");
            Ok(None)
        }
    }
}

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
    /// By whoever has it (RFC 6750).
    Bearer,
    /// By whoever has its key (RFC 9449 §7.1).
    Dpop {
        /// The proof.
        proof: ProofHeader<'a>,
        /// The request's method.
        method: &'a str,
    },
}

/// An access token that is good at this moment, and presented as it must be: one that is bound to a key with a proof by
/// that key, one that is not without (RFC 9449 §7.1, §7.2).
async fn presented<'s>(
    context: &'s RequestContext<'_>,
    token: &str,
    scheme: Scheme<'_>,
) -> Result<LiveToken<'s>, OAuthError> {
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
    let live = live_token(context, token).await?;
    let live = live.ok_or_else(|| invalid("the access token is unknown, expired or revoked"))?;
    match (dpop::bound_to(&live.claims), &proof) {
        (None, None) => {}
        (Some(jkt), Some(proof)) if proof.jkt == jkt => {}
        (Some(_), Some(_)) => return Err(invalid("the access token is bound to another key")),
        (Some(_), None) => return Err(invalid("the access token is bound to a key: send it by the DPoP scheme")),
        (None, Some(_)) => return Err(invalid("the access token is bound to no key: send it as a bearer token")),
    }
    dpop::spend(context, proof.as_ref()).await?;
    Ok(live)
}

/// Serves userinfo: `sub` and the claims that the token's scopes release.
///
/// # Errors
/// RFC 6750 §3.1: `invalid_token`, `insufficient_scope`; RFC 9449 §7.1: `invalid_dpop_proof`, `use_dpop_nonce`.
pub async fn userinfo(context: &RequestContext<'_>, token: &str, scheme: Scheme<'_>) -> Result<Userinfo, OAuthError> {
    let live = presented(context, token, scheme).await?;
    let scope = live.claims.get("scope").and_then(Value::as_str).unwrap_or_default();
    let Some((user, decision)) = live.person.filter(|_| scope.split(' ').any(|scope| scope == "openid")) else {
        return Err(OAuthError::new(ErrorCode::InsufficientScope, "the access token has no openid scope"));
    };
    let released = decision.release.map(|release| release.userinfo).unwrap_or_default();
    let mut claims = Map::with_capacity(released.len() + 3);
    claims.insert("sub".to_owned(), decide::subject(live.client, &user).into());
    claims.extend(released);
    let Some(algorithm) = live.client.userinfo_alg else { return Ok(Userinfo::Plain(claims)) };
    claims.insert("iss".to_owned(), context.snapshot.issuer.text.as_str().into());
    claims.insert("aud".to_owned(), live.client.client_id.as_str().into());
    let signed = context.services.keys.set().sign(algorithm, ID_TOKEN_TYPE, &claims);
    signed.map(Userinfo::Signed).map_err(|error| OAuthError::new(ErrorCode::ServerError, error.to_string()))
}
