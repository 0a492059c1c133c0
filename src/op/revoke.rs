//! Token revocation (RFC 7009): ends the grant of a token, and with it all tokens of that grant.

use crate::op::RequestContext;
use crate::op::client::authentication::{Unauthenticated, authenticate};
use crate::op::params::{Form as _, Params};
use crate::op::presented_token::{TokenForm, grant_of_access_token};
use crate::store::StoreError;
use crate::store::model::{Grant, TokenHash};

/// Serves a revocation request. Tokens that are unknown or another client's are left alone, and the answer is the same
/// (RFC 7009 §2.1, §2.2). A token that has expired, or whose session has ended, still ends its grant.
///
/// # Errors
/// Client authentication, a missing token, the store.
pub async fn revoke(
    context: &RequestContext<'_>,
    authorization: Option<&str>,
    params: &Params,
) -> Result<(), Unauthenticated> {
    let form = TokenForm::parse(params)?;
    let caller = authenticate(context, authorization, &form.client).await?;
    let grant = grant_of(context, form.token()?).await?;
    if let Some(grant) = grant.filter(|grant| grant.client == caller.key) {
        context.store().revoke_grant(&grant.id, context.now).await?;
        tracing::info!(event = "token_revoked", client = %caller.key, trace_id = %context.trace_id, "a grant was revoked");
    }
    Ok(())
}

/// The grant of a refresh token or an access token.
async fn grant_of(context: &RequestContext<'_>, token: &str) -> Result<Option<Grant>, StoreError> {
    if let Some((_, view)) = context.store().refresh_token(TokenHash::of(token)).await? {
        return Ok(Some(view.grant));
    }
    match grant_of_access_token(context, token) {
        Some(id) => Ok(context.store().grant(&id).await?.map(|view| view.grant)),
        None => Ok(None),
    }
}
