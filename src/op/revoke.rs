//! Token revocation (RFC 7009): ends the grant of a token, and with it all tokens of that grant.

use crate::audit::Kind;
use crate::op::RequestContext;
use crate::op::client::authentication::{Unauthenticated, authenticate};
use crate::op::events;
use crate::op::params::{Form as _, Params};
use crate::op::presented_token::{TokenForm, grant_of_access_token};
use crate::store::ids::SessionId;
use crate::store::model::TokenHash;
use crate::store::{GrantView, StoreError};

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
    let view = grant_of(context, form.token()?).await?;
    if let Some(GrantView { grant, user, .. }) = view.filter(|view| view.grant.client == caller.key) {
        let provider = grant.link.as_ref().map(|link| link.provider.as_str()).unwrap_or_default();
        let event = context.event(Kind::TokenRevoked).client(&caller.key).provider(provider);
        let event = event.sid(grant.sid.as_ref().map(SessionId::as_str));
        let event = user.iter().fold(event, |event, user| event.about(events::person(user)));
        context.store().revoke_grant(&grant.id, context.now, vec![event.clone()]).await?;
        context.announce(&[event]);
    }
    Ok(())
}

/// The grant of a refresh token or an access token.
async fn grant_of(context: &RequestContext<'_>, token: &str) -> Result<Option<GrantView>, StoreError> {
    if let Some((_, view)) = context.store().refresh_token(TokenHash::of(token)).await? {
        return Ok(Some(view));
    }
    match grant_of_access_token(context, token) {
        Some(id) => context.store().grant(&id).await,
        None => Ok(None),
    }
}
