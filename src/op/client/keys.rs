//! Verifying what a client signed: with its key set, inline or fetched, or with its secret; and whether a key is in that set.

use crate::jose::{Check, Jws, PublicKey};
use crate::op::RequestContext;
use crate::op::client::remote::{Unavailable, Unverified};
use crate::protocol::Algorithm;
use crate::snapshot::client::{Client, ClientKeys};

/// Why a signature of a client was not verified, or a key not found among its keys.
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
    let verified = match &client.keys {
        ClientKeys::None => Err(Unverified::Check(Check::Key)),
        ClientKeys::Inline(keys) => jws.verify(keys).map_err(Unverified::Check),
        ClientKeys::Remote(url) => context.services.app_keys.verify(jws, url, context.now).await,
    };
    verified.map_err(|unverified| failed(context, client, unverified))
}

/// Whether a certificate with this key and this SHA-256 is one of the client's (RFC 8705 §2.2.2).
///
/// # Errors
/// That it is not, or that the client's key set is not available.
pub(crate) async fn registers(
    context: &RequestContext<'_>,
    client: &Client,
    key: &PublicKey,
    certificate: &[u8; 32],
) -> Result<(), SignatureError> {
    match &client.keys {
        ClientKeys::Inline(keys) if keys.registers(key, certificate) => Ok(()),
        ClientKeys::None | ClientKeys::Inline(_) => Err(SignatureError::Check(Check::Key)),
        ClientKeys::Remote(url) => {
            let found = context.services.app_keys.registers(key, certificate, url, context.now).await;
            found.map_err(|unverified| failed(context, client, unverified))
        }
    }
}

fn failed(context: &RequestContext<'_>, client: &Client, unverified: Unverified) -> SignatureError {
    match unverified {
        Unverified::Check(check) => SignatureError::Check(check),
        Unverified::Unavailable(error) => {
            log_unavailable(context, client, &error);
            SignatureError::KeysUnavailable
        }
    }
}

fn log_unavailable(context: &RequestContext<'_>, client: &Client, error: &Unavailable) {
    if context.may_log() {
        tracing::warn!(event = "client_keys_unavailable", client = %client.key, %error, trace_id = %context.trace_id, "a client's jwks_uri is not available");
    }
}
