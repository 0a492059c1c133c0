//! Client authentication at the token, introspection, revocation and PAR endpoints (RFC 6749 §2.3, OIDC Core §9).
//!
//! Owns which client a request is from. What the request presents is read once into [`Credentials`]; then each kind of method
//! has a file: secrets (`client_secret_basic`, `client_secret_post`, and `none`), and signed assertions (`client_secret_jwt`,
//! `private_key_jwt`). A method more is a variant of the credentials and a file.

mod assertion;
mod credentials;
mod error;
mod registered;
mod secret;

pub use credentials::{ClientForm, strip_scheme};
pub use error::Unauthenticated;

use credentials::Credentials;

use crate::op::RequestContext;
use crate::snapshot::client::Client;

/// Authenticates the client of a request. `authorization` is the header of that name.
///
/// # Errors
/// `invalid_request` when it used two methods at once, `invalid_client` when it is unknown, disabled, used a method that
/// is not its own, or failed to prove who it is; `temporarily_unavailable` when its key set or the store can't be reached.
pub async fn authenticate<'c>(
    context: &'c RequestContext<'_>,
    authorization: Option<&str>,
    form: &ClientForm<'_>,
) -> Result<&'c Client, Unauthenticated> {
    match Credentials::read(authorization, form)? {
        Credentials::Secret(presented) => secret::authenticate(context, &presented),
        Credentials::Assertion(presented) => assertion::authenticate(context, &presented).await,
    }
}
