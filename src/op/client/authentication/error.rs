//! What an endpoint at which clients authenticate answers when it refuses.

use crate::op::error::OAuthError;
use crate::op::params::Duplicate;
use crate::protocol::ErrorCode;
use crate::store::StoreError;
use crate::throttle::Wait;

/// An error of an endpoint at which clients authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unauthenticated {
    /// The error for the app.
    pub error: OAuthError,
    /// Whether the client tried HTTP Basic, and so is challenged for it (RFC 6749 §5.2).
    pub basic: bool,
    /// How long to wait, where a limit refuses the request (RFC 6585 §4).
    pub throttled: Option<Wait>,
}

impl Unauthenticated {
    /// The refusal of credentials; `basic` as the field says.
    pub(super) fn refused(error: OAuthError, basic: bool) -> Self {
        Self { error, basic, throttled: None }
    }

    /// What a limit refuses.
    #[must_use]
    pub fn throttled(text: String, wait: Wait) -> Self {
        let error = OAuthError::new(ErrorCode::TemporarilyUnavailable, text);
        Self { error, basic: false, throttled: Some(wait) }
    }
}

impl From<OAuthError> for Unauthenticated {
    fn from(error: OAuthError) -> Self {
        Self::refused(error, false)
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
