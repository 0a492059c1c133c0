//! Client authentication at the token, introspection, revocation and PAR endpoints (RFC 6749 §2.3, OIDC Core §9).
//!
//! Owns which client a request is from. What the request presents is read once into [`Credentials`]; then each kind of method
//! has a file: secrets (`client_secret_basic`, `client_secret_post`, and `none`), and signed assertions (`client_secret_jwt`,
//! `private_key_jwt`), and certificates (`tls_client_auth`, `self_signed_tls_client_auth`). A new method needs a variant of the
//! credentials and a file.

mod assertion;
mod certificate;
mod credentials;
mod error;
mod registered;
mod secret;

pub use credentials::{ClientForm, strip_scheme};
pub use error::Unauthenticated;

use credentials::Credentials;

use crate::audit::{Kind, Pattern};
use crate::excerpt::excerpt;
use crate::op::RequestContext;
use crate::protocol::ErrorCode;
use crate::snapshot::client::Client;
use crate::throttle::Claimant;

/// Authenticates the client of a request. `authorization` is the header of that name.
///
/// Credentials are looked at first and counted only when they are wrong (`limits.failed_authentication`), so that no one's
/// guesses delay the right ones.
///
/// # Errors
/// `invalid_request` when it used two methods at once, `invalid_client` when it is unknown, disabled, used a method that
/// is not its own, or failed to prove who it is; `temporarily_unavailable` when its key set or the store can't be reached, or
/// when too many failed before.
pub async fn authenticate<'c>(
    context: &'c RequestContext<'_>,
    authorization: Option<&str>,
    form: &ClientForm<'_>,
) -> Result<&'c Client, Unauthenticated> {
    let presented = match Credentials::read(authorization, form) {
        Ok(presented) => presented,
        Err(failure) => return Err(failed(context, None, failure).await),
    };
    let authenticated = match &presented {
        Credentials::Secret(presented) => match certificate::expected(context, presented) {
            Some(client) => certificate::authenticate(context, client).await,
            None => secret::authenticate(context, presented),
        },
        Credentials::Assertion(presented) => assertion::authenticate(context, presented).await,
    };
    match authenticated {
        Ok(client) => Ok(client),
        Err(failure) => Err(failed(context, presented.claimed().as_deref(), failure).await),
    }
}

/// What an authentication that failed is answered with. One that proved nothing is counted, and logged as far as the limit
/// allows.
async fn failed(context: &RequestContext<'_>, claimed: Option<&str>, failure: Unauthenticated) -> Unauthenticated {
    if failure.error.code != ErrorCode::InvalidClient {
        return failure;
    }
    let client = claimed.and_then(|id| context.snapshot.client_by_id(id));
    if let Some(client) = client.filter(|client| context.services.throttle.guessed_often(&client.key)) {
        let event = context.event(Kind::Suspicious).suspicious(Pattern::ManyWrongSecrets).client(&client.key);
        context.record(event).await;
    }
    let claimant = client.map_or(Claimant::NoClient, |client| Claimant::Client(client.key.clone()));
    match context.services.throttle.failed_authentication(claimant, context.source) {
        Ok(()) => {
            let (client, claimed) = (client.map(|client| client.key.as_str()), claimed.map(excerpt));
            tracing::warn!(
                event = "authentication_failed", client, client_id = claimed.as_deref(), detail = %failure.error.description,
                trace_id = %context.trace_id, "a client did not prove who it is"
            );
            failure
        }
        Err(wait) => {
            let text = format!("too many failed authentications of this client from here; try again in {} s", wait.0);
            Unauthenticated::throttled(text, wait)
        }
    }
}
