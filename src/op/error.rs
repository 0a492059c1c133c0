//! What can go wrong at an endpoint. Errors shown to a person and errors sent to an app are different types, so that
//! nothing redirects by accident.

use std::fmt;

use crate::core::reason::Reason;
use crate::env::RandomUnavailable;
use crate::store::StoreError;

/// An OAuth error code (RFC 6749 §4.1.2.1, §5.2, RFC 6750 §3.1, OIDC Core §3.1.2.6, RFC 8707 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the registered codes")]
pub enum Code {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    InvalidScope,
    InvalidToken,
    InvalidTarget,
    InsufficientScope,
    UnauthorizedClient,
    UnsupportedGrantType,
    UnsupportedResponseType,
    AccessDenied,
    ServerError,
    TemporarilyUnavailable,
    LoginRequired,
    InteractionRequired,
    ConsentRequired,
    AccountSelectionRequired,
    InvalidRequestUri,
    InvalidRequestObject,
    RequestUriNotSupported,
    RegistrationNotSupported,
}

impl Code {
    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidToken => "invalid_token",
            Self::InvalidTarget => "invalid_target",
            Self::InsufficientScope => "insufficient_scope",
            Self::UnauthorizedClient => "unauthorized_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::LoginRequired => "login_required",
            Self::InteractionRequired => "interaction_required",
            Self::ConsentRequired => "consent_required",
            Self::AccountSelectionRequired => "account_selection_required",
            Self::InvalidRequestUri => "invalid_request_uri",
            Self::InvalidRequestObject => "invalid_request_object",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::RegistrationNotSupported => "registration_not_supported",
        }
    }

    /// The code that an upstream provider's error becomes for the app.
    #[must_use]
    pub fn from_upstream(code: &str) -> Self {
        match code {
            "access_denied" => Self::AccessDenied,
            "login_required" => Self::LoginRequired,
            "interaction_required" => Self::InteractionRequired,
            "consent_required" => Self::ConsentRequired,
            "account_selection_required" => Self::AccountSelectionRequired,
            "temporarily_unavailable" => Self::TemporarilyUnavailable,
            _ => Self::ServerError,
        }
    }
}

/// An error for an app: by redirect from the authorization endpoint, as JSON from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthError {
    /// The code.
    pub code: Code,
    /// What is wrong and the way out, for the app's developer. ASCII (RFC 6749 §5.2); never a secret or a claim value.
    pub description: String,
}

impl OAuthError {
    /// An error with its description.
    pub fn new(code: Code, description: impl Into<String>) -> Self {
        Self { code, description: description.into() }
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.description)
    }
}

/// An error for a person: shown, never redirected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageError {
    /// HTTP status.
    pub status: u16,
    /// Reason code; the page's texts follow from it.
    pub reason: &'static str,
    /// What is wrong, for the log.
    pub detail: String,
    /// Where the person may go back to: a proven redirect URI with the error for the app.
    pub back: Option<String>,
    /// Key of the client whose request this is, once it is proven.
    pub client: Option<String>,
    /// Id of the provider that was used.
    pub provider: Option<String>,
}

impl PageError {
    /// An error page.
    pub fn new(status: u16, reason: &'static str, detail: impl Into<String>) -> Self {
        Self { status, reason, detail: detail.into(), back: None, client: None, provider: None }
    }

    /// The page of a refused decision.
    #[must_use]
    pub fn refused(reason: Reason, provider: &str, back: Option<String>) -> Self {
        let page = Self::new(403, reason.code(), format!("refused: {reason}"));
        Self { back, provider: Some(provider.to_owned()), ..page }
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        Self::new(503, "store_unavailable", error.to_string())
    }
}

impl From<RandomUnavailable> for PageError {
    fn from(error: RandomUnavailable) -> Self {
        Self::new(500, "internal_error", error.to_string())
    }
}

impl From<StoreError> for OAuthError {
    fn from(_: StoreError) -> Self {
        Self::new(Code::TemporarilyUnavailable, "the store is busy; try again")
    }
}

impl From<RandomUnavailable> for OAuthError {
    fn from(error: RandomUnavailable) -> Self {
        Self::new(Code::ServerError, error.to_string())
    }
}
