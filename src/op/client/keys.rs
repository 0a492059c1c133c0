//! Verifying what a client signed: with its key set, inline or fetched, or with its secret.

use crate::jose::{Check, Jws};
use crate::op::RequestContext;
use crate::op::client::remote::Unverified;
use crate::op::error::OAuthError;
use crate::protocol::{Algorithm, ErrorCode};
use crate::snapshot::client::{Client, ClientKeys};

/// Verifies a signature of the client.
///
/// # Errors
/// `invalid_request_object` with the check that failed, to be read in the caller's terms; `temporarily_unavailable` when
/// its key set is not available.
pub(crate) async fn verify(context: &RequestContext<'_>, client: &Client, jws: &Jws<'_>) -> Result<(), OAuthError> {
    let failed = |check: Check| OAuthError::new(ErrorCode::InvalidRequestObject, check.to_string());
    if jws.algorithm == Algorithm::HS256 {
        return jws.verify_symmetric(&client.secrets).map_err(failed);
    }
    match &client.keys {
        ClientKeys::None => Err(failed(Check::Key)),
        ClientKeys::Inline(keys) => jws.verify(keys).map_err(failed),
        ClientKeys::Remote(url) => match context.services.app_keys.verify(jws, url, context.now).await {
            Ok(()) => Ok(()),
            Err(Unverified::Check(check)) => Err(failed(check)),
            Err(Unverified::Unavailable(error)) => {
                if context.may_log() {
                    tracing::warn!(event = "client_keys_unavailable", client = %client.key, %error, trace_id = %context.trace_id, "a client's jwks_uri is not available");
                }
                let text = "the client's jwks_uri is not available at the moment; try again";
                Err(OAuthError::new(ErrorCode::TemporarilyUnavailable, text))
            }
        },
    }
}
