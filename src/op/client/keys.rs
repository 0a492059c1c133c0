//! Verifying what a client signed: with its key set, inline or fetched, or with its secret.

use crate::jose::{Check, Jws};
use crate::op::RequestContext;
use crate::op::client::remote::Unverified;
use crate::protocol::Algorithm;
use crate::snapshot::client::{Client, ClientKeys};

/// Why a signature of a client was not verified.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignatureError {
    /// A check failed.
    #[error("{0}")]
    Check(Check),
    /// The client's key set is not available. The log says why.
    #[error("the client's jwks_uri is not available at the moment; try again")]
    KeysUnavailable,
}

/// Verifies a signature of the client.
///
/// # Errors
/// The check that failed, or that the client's key set is not available.
pub(crate) async fn verify(context: &RequestContext<'_>, client: &Client, jws: &Jws<'_>) -> Result<(), SignatureError> {
    if jws.algorithm == Algorithm::HS256 {
        return jws.verify_symmetric(&client.secrets).map_err(SignatureError::Check);
    }
    match &client.keys {
        ClientKeys::None => Err(SignatureError::Check(Check::Key)),
        ClientKeys::Inline(keys) => jws.verify(keys).map_err(SignatureError::Check),
        ClientKeys::Remote(url) => match context.services.app_keys.verify(jws, url, context.now).await {
            Ok(()) => Ok(()),
            Err(Unverified::Check(check)) => Err(SignatureError::Check(check)),
            Err(Unverified::Unavailable(error)) => {
                if context.may_log() {
                    tracing::warn!(event = "client_keys_unavailable", client = %client.key, %error, trace_id = %context.trace_id, "a client's jwks_uri is not available");
                }
                Err(SignatureError::KeysUnavailable)
            }
        },
    }
}
