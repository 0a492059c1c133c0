//! Clients that authenticate by their secret (RFC 6749 §2.3.1), and public ones, which only say who they are.

use crate::op::RequestContext;
use crate::op::client::authentication::credentials::Secret;
use crate::op::client::authentication::error::Unauthenticated;
use crate::op::client::authentication::registered::{check_method, enabled};
use crate::op::error::OAuthError;
use crate::protocol::ClientAuthMethod;
use crate::protocol::ErrorCode;
use crate::snapshot::client::Client;

/// Authenticates the client of a secret.
///
/// # Errors
/// `invalid_client`; the text does not say whether the client exists.
pub(super) fn authenticate<'c>(
    context: &'c RequestContext<'_>,
    presented: &Secret<'_>,
) -> Result<&'c Client, Unauthenticated> {
    let basic = presented.method == ClientAuthMethod::ClientSecretBasic;
    let unknown = || {
        let error = OAuthError::new(ErrorCode::InvalidClient, "the client is unknown or its secret is wrong");
        Unauthenticated::refused(error, basic)
    };
    let client = enabled(context, &presented.client_id).ok_or_else(unknown)?;
    check_method(client, presented.method).map_err(|error| Unauthenticated::refused(error, basic))?;
    match &presented.secret {
        None => Ok(client),
        Some(secret) if client.secret_matches(secret) => Ok(client),
        Some(_) => Err(unknown()),
    }
}
