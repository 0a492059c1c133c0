//! What an endpoint at which clients authenticate answers when it refuses.

use crate::op::error::OAuthError;
use crate::op::params::Duplicate;
use crate::store::StoreError;

/// An error of an endpoint at which clients authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unauthenticated {
    /// The error for the app.
    pub error: OAuthError,
    /// Whether the client tried HTTP Basic, and so is challenged for it (RFC 6749 §5.2).
    pub basic: bool,
}

impl From<OAuthError> for Unauthenticated {
    fn from(error: OAuthError) -> Self {
        Self { error, basic: false }
    }
}

impl From<Duplicate> for Unauthenticated {
    fn from(duplicate: Duplicate) -> Self {
        OAuthError::from(duplicate).into()
    }
}

impl From<StoreError> for Unauthenticated {
    fn from(error: StoreError) -> Self {
        OAuthError::from(error).into()
    }
}
