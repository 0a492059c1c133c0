//! Token revocation (RFC 7009).

use serde_json::Value;

use crate::op::RequestContext;
use crate::op::client::authentication::{Unauthenticated, authenticate};
use crate::op::error::OAuthError;
use crate::op::issue::ACCESS_TOKEN_TYPE;
use crate::op::params::Params;
use crate::protocol::ErrorCode;
use crate::store::model::TokenHash;

/// Serves a revocation request. Tokens that are unknown or another client's are left alone, and the answer is the same
/// (RFC 7009 §2.1, §2.2).
///
/// # Errors
/// Client authentication, a missing token, the store.
pub async fn revoke(
    context: &RequestContext<'_>,
    authorization: Option<&str>,
    params: &Params,
) -> Result<(), Unauthenticated> {
    let plain = |error: OAuthError| Unauthenticated { error, basic: false };
    if let Some(duplicate) = params.duplicate(&[]) {
        return Err(duplicate.into());
    }
    let caller = authenticate(context, authorization, params).await?;
    let token = params.one("token")?;
    let token = token.ok_or_else(|| plain(OAuthError::new(ErrorCode::InvalidRequest, "token is missing")))?;
    let store = context.store();
    let by_refresh = store.refresh_token(TokenHash::of(token)).await.map_err(|error| plain(error.into()))?;
    let grant = match by_refresh {
        Some((_, view)) => Some(view.grant),
        None => match grant_of_access_token(context, token) {
            Some(id) => store.grant(&id).await.map_err(|error| plain(error.into()))?.map(|view| view.grant),
            None => None,
        },
    };
    if let Some(grant) = grant.filter(|grant| grant.client == caller.key) {
        store.revoke_grant(&grant.id, context.now).await.map_err(|error| plain(error.into()))?;
        tracing::info!(event = "token_revoked", client = %caller.key, trace_id = %context.trace_id, "a grant was revoked");
    }
    Ok(())
}

fn grant_of_access_token(context: &RequestContext<'_>, token: &str) -> Option<String> {
    let claims = context.services.keys.set().verify(token, ACCESS_TOKEN_TYPE).ok()?;
    let (grant, _) = claims.get("jti").and_then(Value::as_str)?.split_once('.')?;
    Some(grant.to_owned())
}
