//! What can go wrong at an endpoint. Errors shown to a person and errors sent to an app are different types, so that
//! nothing redirects by accident.

use std::fmt;

use crate::decision::reason::Reason;
use crate::env::RandomUnavailable;
use crate::excerpt::excerpt_owned;
use crate::protocol::ErrorCode;
use crate::store::StoreError;

/// An error for an app: by redirect from the authorization endpoint, as JSON from the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthError {
    /// The code.
    pub code: ErrorCode,
    /// What is wrong and the way out, for the app's developer, or for the person who reads it in the app. ASCII (RFC 6749
    /// §5.2); never a secret or a claim value.
    pub description: String,
    /// The reason code, where it says more than the error's own.
    pub reason: Option<&'static str>,
}

impl OAuthError {
    /// An error with its description.
    pub fn new(code: ErrorCode, description: impl Into<String>) -> Self {
        Self { code, description: excerpt_owned(description.into()), reason: None }
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.description)
    }
}

/// A text with names from outside, fit for an error description: no character that RFC 6749 §5.2 excludes, at most 300
/// characters.
#[must_use]
pub fn printable_text(text: &str) -> String {
    text.chars().map(|c| if matches!(c, ' '..='~') && !matches!(c, '"' | '\\') { c } else { '\'' }).take(300).collect()
}

/// A name from outside, fit for an error description (RFC 6749 §5.2): at most 64 characters.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')).take(64).collect()
}

/// An error for a person: shown, never redirected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageError {
    /// HTTP status.
    pub status: u16,
    /// Reason code; the page's texts follow from it.
    pub reason: &'static str,
    /// What is wrong, for the log; cut where it is long, because strangers' values are in it.
    pub detail: Box<str>,
    /// Where the person may go back to: a proven redirect URI with the error for the app.
    pub back: Option<String>,
    /// Key of the client whose request this is, once it is proven.
    pub client: Option<String>,
    /// Id of the provider that was used.
    pub provider: Option<Box<str>>,
    /// Whether an event tells of it already, so that showing it is not logged again.
    pub announced: bool,
    /// Who is refused, if it is known.
    pub refused: Option<Box<RefusedPerson>>,
    /// The other providers, where this one can't be used.
    pub elsewhere: Option<Box<Elsewhere>>,
}

/// The other ways to sign in, where a provider can't be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// Secret id of the request, for the form.
    pub interaction: String,
    /// The ids and the names of the providers.
    pub providers: Vec<(String, String)>,
}

/// A person who is refused, as the page names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusedPerson {
    /// The name that the person is known by.
    pub name: Option<String>,
    /// Secret id of the interaction by which the person may use another account, for the form.
    pub another_account: Option<String>,
}

impl PageError {
    /// An error page.
    pub fn new(status: u16, reason: &'static str, detail: impl Into<String>) -> Self {
        let detail = excerpt_owned(detail.into()).into_boxed_str();
        Self {
            status,
            reason,
            detail,
            back: None,
            client: None,
            provider: None,
            announced: false,
            refused: None,
            elsewhere: None,
        }
    }

    /// An error that an app would get, for a person where no app asked.
    #[must_use]
    pub fn without_app(error: OAuthError) -> Self {
        Self::new(403, error.reason.unwrap_or_else(|| error.code.name()), error.description)
    }

    /// The page of a refused decision.
    #[must_use]
    pub fn refused(reason: Reason, provider: &str, back: Option<String>) -> Self {
        let page = Self::new(403, reason.code(), format!("refused: {reason}"));
        Self { back, provider: Some(provider.into()), ..page }
    }
}

impl From<StoreError> for PageError {
    fn from(error: StoreError) -> Self {
        let (status, reason) = if error.passes() { (503, "store_unavailable") } else { (500, "internal_error") };
        Self::new(status, reason, error.to_string())
    }
}

impl From<RandomUnavailable> for PageError {
    fn from(error: RandomUnavailable) -> Self {
        Self::new(500, "internal_error", error.to_string())
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        if error.passes() {
            return Self::new(ErrorCode::TemporarilyUnavailable, "the store is busy; try again");
        }
        tracing::error!(%error, "the store failed");
        Self::new(
            ErrorCode::ServerError,
            "the broker's store holds something that can't be read; its operator finds the reason in the log",
        )
    }
}

impl From<RandomUnavailable> for OAuthError {
    fn from(error: RandomUnavailable) -> Self {
        Self::new(ErrorCode::ServerError, error.to_string())
    }
}
