//! Token revocation (RFC 7009).

use serde_json::{Map, Value};

use super::Cx;
use super::client_auth::{Unauthenticated, authenticate};
use super::error::{Code, OAuthError};
use super::issue::ACCESS_TOKEN_TYPE;
use super::params::Params;
use crate::store::model::TokenHash;

/// Serves a revocation request. Tokens that are unknown or another client's are left alone, and the answer is the same
/// (RFC 7009 §2.1, §2.2).
///
/// # Errors
/// Client authentication, a missing token, the store.
pub async fn revoke(cx: &Cx<'_>, authorization: Option<&str>, params: &Params) -> Result<(), Unauthenticated> {
    let plain = |error: OAuthError| Unauthenticated { error, basic: false };
    if let Some(duplicate) = params.duplicate(&[]) {
        return Err(duplicate.into());
    }
    let caller = authenticate(cx, authorization, params).await?;
    let token = params.one("token")?;
    let token = token.ok_or_else(|| plain(OAuthError::new(Code::InvalidRequest, "token is missing")))?;
    let store = cx.store();
    let by_refresh = store.refresh_token(TokenHash::of(token)).await.map_err(|error| plain(error.into()))?;
    let grant = match by_refresh {
        Some((_, view)) => Some(view.grant),
        None => match grant_of_access_token(cx, token) {
            Some(id) => store.grant(&id).await.map_err(|error| plain(error.into()))?.map(|view| view.grant),
            None => None,
        },
    };
    if let Some(grant) = grant.filter(|grant| grant.client == caller.key) {
        store.revoke_grant(&grant.id, cx.now).await.map_err(|error| plain(error.into()))?;
        tracing::info!(event = "token_revoked", client = %caller.key, trace_id = %cx.trace_id, "a grant was revoked");
    }
    Ok(())
}

fn grant_of_access_token(cx: &Cx<'_>, token: &str) -> Option<String> {
    let claims = cx.services.keys.set().verify::<Map<String, Value>>(token, ACCESS_TOKEN_TYPE).ok()?;
    let (grant, _) = claims.get("jti").and_then(Value::as_str)?.split_once('.')?;
    Some(grant.to_owned())
}
