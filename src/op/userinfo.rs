//! The userinfo endpoint (OIDC Core §5.3), and what it shares with introspection: reading one of our access tokens.

use serde_json::{Map, Value};

use super::Cx;
use super::decide::{self, grant_request};
use super::error::{Code, OAuthError};
use super::issue::{ACCESS_TOKEN_TYPE, ID_TOKEN_TYPE};
use crate::core::decision::Decision;
use crate::snapshot::client::Client;
use crate::store::GrantView;
use crate::store::model::{Grant, User};

/// An access token of ours that is good at this moment.
pub struct LiveToken<'s> {
    /// Its claims.
    pub claims: Map<String, Value>,
    /// The grant that it comes from.
    pub grant: Grant,
    /// The client that it was issued to.
    pub client: &'s Client,
    /// Whose claims it opens, with the decision of the moment; `None` for a client's own token.
    pub person: Option<(User, Decision)>,
}

/// Reads an access token: signature, type, time, grant, session, user, client, and the policy of the moment.
///
/// # Errors
/// `Ok(None)` when it is not good; an error when the store can't be read.
pub async fn live_token<'s>(cx: &'s Cx<'_>, token: &str) -> Result<Option<LiveToken<'s>>, OAuthError> {
    let verified = cx.services.keys.set().verify::<Map<String, Value>>(token, ACCESS_TOKEN_TYPE);
    let Ok(claims) = verified else { return Ok(None) };
    let number = |name: &str| claims.get(name).and_then(Value::as_i64);
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let in_time = number("exp").is_some_and(|exp| cx.now < exp);
    let ours = text("iss") == Some(cx.snapshot.issuer.text.as_str());
    let Some((grant_id, _)) = text("jti").and_then(|jti| jti.split_once('.')).filter(|_| in_time && ours) else {
        return Ok(None);
    };
    let Some(view) = cx.store().grant(grant_id).await? else { return Ok(None) };
    let GrantView { grant, user, link, session } = view;
    let Some(client) = cx.snapshot.clients.get(&grant.client).filter(|client| client.enabled) else { return Ok(None) };
    let session_ended =
        grant.session_id.is_some() && session.as_ref().is_none_or(|session| cx.now >= session.expires_at);
    if grant.revoked_at.is_some() || session_ended {
        return Ok(None);
    }
    if grant.user_id.is_none() {
        return Ok(Some(LiveToken { claims, grant, client, person: None }));
    }
    let (Some(user), Some(link)) = (user, link) else { return Ok(None) };
    let scopes: Vec<String> = text("scope").unwrap_or_default().split(' ').map(str::to_owned).collect();
    match decide::again(cx, &user, &link, &grant_request(&grant, &scopes)) {
        Ok(decision) => Ok(Some(LiveToken { claims, grant, client, person: Some((user, decision)) })),
        Err(refusal) => {
            let reason = refusal.reason.code();
            tracing::info!(event = "refusal", reason, client = %grant.client, trace_id = %cx.trace_id, "access token refused by policy");
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

/// Serves userinfo: `sub` and the claims that the token's scopes release.
///
/// # Errors
/// RFC 6750 §3.1: `invalid_token`, `insufficient_scope`.
pub async fn userinfo(cx: &Cx<'_>, token: &str) -> Result<Userinfo, OAuthError> {
    let refuse = || OAuthError::new(Code::InvalidToken, "the access token is unknown, expired or revoked");
    let live = live_token(cx, token).await?.ok_or_else(refuse)?;
    let scope = live.claims.get("scope").and_then(Value::as_str).unwrap_or_default();
    let Some((user, decision)) = live.person.filter(|_| scope.split(' ').any(|scope| scope == "openid")) else {
        return Err(OAuthError::new(Code::InsufficientScope, "the access token has no openid scope"));
    };
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), decide::subject(live.client, &user).into());
    claims.extend(decision.release.map(|release| release.userinfo).unwrap_or_default());
    let Some(algorithm) = live.client.userinfo_alg else { return Ok(Userinfo::Plain(claims)) };
    claims.insert("iss".to_owned(), cx.snapshot.issuer.text.as_str().into());
    claims.insert("aud".to_owned(), live.client.client_id.as_str().into());
    let signed = cx.services.keys.set().sign(algorithm, ID_TOKEN_TYPE, &claims);
    signed.map(Userinfo::Signed).map_err(|error| OAuthError::new(Code::ServerError, error.to_string()))
}
