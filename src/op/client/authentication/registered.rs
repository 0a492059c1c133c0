//! What the configuration says of a client that authenticates.

use crate::op::RequestContext;
use crate::op::error::OAuthError;
use crate::op::validity;
use crate::protocol::ClientAuthMethod;
use crate::protocol::ErrorCode;
use crate::snapshot::client::Client;

/// The enabled client with this client id.
pub(super) fn enabled<'c>(context: &'c RequestContext<'_>, client_id: &str) -> Option<&'c Client> {
    let client = context.snapshot.client_by_id(client_id)?;
    validity::client(context, &client.key).ok()
}

/// Whether the client may authenticate by this method.
///
/// # Errors
/// `invalid_client`, with the methods that it may use.
pub(super) fn check_method(client: &Client, method: ClientAuthMethod) -> Result<(), OAuthError> {
    if client.auth_methods.contains(&method) {
        return Ok(());
    }
    let methods: Vec<&str> = client.auth_methods.iter().map(|method| method.name()).collect();
    let text = format!("this client authenticates by {}", methods.join(" or "));
    Err(OAuthError::new(ErrorCode::InvalidClient, text))
}
