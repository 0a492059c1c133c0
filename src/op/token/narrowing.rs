//! What of a grant one token response is for: its scopes and resources, or fewer, never more.

use crate::op::error::OAuthError;
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

/// The resources asked for (RFC 8707 §2.2); all of the grant when none are.
///
/// # Errors
/// `invalid_target`.
pub(super) fn resources(grant: &Grant, asked: Vec<String>) -> Result<Vec<String>, OAuthError> {
    if asked.is_empty() {
        return Ok(grant.resources.clone());
    }
    if asked.iter().all(|uri| grant.resources.contains(uri)) {
        Ok(asked)
    } else {
        Err(OAuthError::new(ErrorCode::InvalidTarget, "resource was not part of the authorization request"))
    }
}
