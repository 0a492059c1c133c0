//! The part of a grant that one token response covers: its scopes and resources, or fewer, never more.

use crate::op::entitlement;
use crate::op::error::OAuthError;
use crate::op::token::request::TokenRequest;
use crate::protocol::ErrorCode;
use crate::store::model::Grant;

/// The scopes asked for (RFC 6749 §6), space-separated; all of the grant when none are.
///
/// # Errors
/// `invalid_scope`.
pub(super) fn scopes(grant: &Grant, asked: Option<&str>) -> Result<Vec<String>, OAuthError> {
    let Some(asked) = asked else { return Ok(grant.scopes.clone()) };
    let asked: Vec<String> = asked.split_ascii_whitespace().map(str::to_owned).collect();
    if asked.iter().all(|scope| grant.scopes.contains(scope)) {
        Ok(asked)
    } else {
        Err(OAuthError::new(ErrorCode::InvalidScope, "scope may only narrow what was granted"))
    }
}

/// The resources asked for (RFC 8707 §2.2); where none are, those of the grant that the client may still have tokens for.
///
/// # Errors
/// `invalid_target`.
pub(super) fn resources(
    request: &TokenRequest<'_>,
    grant: &Grant,
    asked: Vec<String>,
) -> Result<Vec<String>, OAuthError> {
    let invalid = |text: &str| Err(OAuthError::new(ErrorCode::InvalidTarget, text));
    if !asked.iter().all(|uri| grant.resources.contains(uri)) {
        return invalid("resource was not part of the authorization request");
    }
    let wanted = if asked.is_empty() { &grant.resources } else { &asked };
    let allowed = entitlement::resources(request.context, request.client, wanted);
    if allowed.len() < asked.len() {
        return invalid("this client may not have tokens for that resource any more");
    }
    Ok(allowed)
}
