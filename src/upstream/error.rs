//! Why a call to a provider, or a sign-in there, did not succeed. The stable reason codes and the texts for logs are here.
//!
//! No variant holds a token, a code or a claim's value: the texts are safe in logs, audit events and on the status page.

use std::fmt;

use crate::config::language::provider::Preset;
use crate::jose::Check;
use crate::outbound::OutboundError;
use crate::upstream::hints::{credentials_hint, hint};

/// Why a sign-in at the provider did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// The provider gave no usable answer: down, slow, too large, redirecting, or a document that is wrong.
    #[error("{0}")]
    Unavailable(#[from] Unavailable),
    /// The provider answered with an OAuth error (RFC 6749 §4.1.2.1, §5.2; OIDC Core §3.1.2.6).
    #[error("{0}")]
    Provider(ProviderError),
    /// The callback is not an answer of this provider.
    #[error("authorization response: {0}")]
    Response(ResponseProblem),
    /// A token or userinfo failed a check.
    #[error("{document}: {check}{}", way_out(*document, *check))]
    TokenInvalid {
        /// The document.
        document: Document,
        /// The check that it failed.
        check: Check,
    },
    /// A fresh authentication was asked for, and the provider did not prove one (`reauth`).
    #[error("re-authentication: {0}")]
    Reauthentication(&'static str),
}

impl UpstreamError {
    /// The stable reason code, for audit events, metrics and pages.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Unavailable(Unavailable { document: Document::Groups, .. }) => GROUPS_UNAVAILABLE,
            Self::Unavailable(_) => "provider_unavailable",
            Self::Provider(_) => "provider_error",
            Self::Response(_) => "response_invalid",
            Self::TokenInvalid { .. } => "token_invalid",
            Self::Reauthentication(_) => "login_required",
        }
    }

    /// The error code for the app (RFC 6749 §4.1.2.1): the provider's own where an app may act on it.
    #[must_use]
    pub fn oauth_error(&self) -> &'static str {
        match self {
            // Trying again does not help.
            Self::Unavailable(error) if !error.problem.passes() => "server_error",
            Self::Unavailable(_) => "temporarily_unavailable",
            Self::Provider(error) => error.for_app(),
            Self::Response(_) | Self::TokenInvalid { .. } => "server_error",
            Self::Reauthentication(_) => "login_required",
        }
    }

    pub(crate) const fn invalid(document: Document, check: Check) -> Self {
        Self::TokenInvalid { document, check }
    }
}

/// What the operator can do about a check that failed, where it is known.
fn way_out(document: Document, check: Check) -> &'static str {
    match (document, check) {
        (Document::IdToken, Check::NotAccepted(_)) => {
            ": set id_token_signed_response_alg to it, or let the provider sign with another algorithm"
        }
        _ => "",
    }
}

/// Why a refresh at the provider did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefreshError {
    /// The provider refuses this person or token: `invalid_grant`, or a new sign-in is needed.
    #[error("the provider refused: {0}")]
    Denied(ProviderError),
    /// What it answered is about another person, of another issuer or for another client (OIDC Core §12.2, §5.3.2).
    #[error("the provider answered about somebody else: {0}")]
    SomebodyElse(UpstreamError),
    /// The provider gave no usable answer. What was known before may be used as `on_refresh` says.
    #[error("{0}")]
    Unavailable(Unavailable),
    /// What it answered failed a check, or it refuses the broker itself.
    #[error("{0}")]
    Invalid(UpstreamError),
}

impl RefreshError {
    /// The stable reason code.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Denied(_) => "provider_denied",
            Self::Unavailable(Unavailable { document: Document::Groups, .. }) => GROUPS_UNAVAILABLE,
            Self::Unavailable(_) => "provider_unavailable",
            Self::SomebodyElse(error) | Self::Invalid(error) => error.reason(),
        }
    }
}

/// The reason code where a person's groups could not be had.
const GROUPS_UNAVAILABLE: &str = "groups_unavailable";

/// No usable answer, with what was being fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{document}{}: {problem}", .url.as_ref().map(|url| format!(" {url}")).unwrap_or_default())]
pub struct Unavailable {
    /// Where it was asked for, if anything was sent there.
    pub url: Option<Box<str>>,
    /// What was asked for.
    pub document: Document,
    /// What came instead.
    pub problem: UnavailableProblem,
}

/// What came instead of a usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnavailableProblem {
    /// No answer within the bounds.
    #[error("{0}")]
    Outbound(#[from] OutboundError),
    /// The provider does not accept the broker as its client (RFC 6749 §5.2).
    #[error("it refuses our credentials ({0}): check client_id, the secret or key, and token_endpoint_auth_method")]
    Credentials(String),
    /// The assertion that the broker authenticates with can't be read.
    #[error("client_assertion: the file {file}: {problem}")]
    Assertion {
        /// The file.
        file: Box<str>,
        /// What is wrong with it.
        problem: String,
    },
    /// Nothing was sent, because the provider failed several times in a row.
    #[error("it failed several times in a row, and is left alone for a few seconds")]
    LeftAlone,
    /// A status that is no success.
    #[error("status {0}")]
    Status(u16),
    /// It was asked too often.
    #[error("status {0}: it was asked too often")]
    Throttled(u16),
    /// It refuses to answer.
    #[error("status {status}: {way_out}")]
    Denied {
        /// The status.
        status: u16,
        /// What the operator has to do.
        way_out: &'static str,
    },
    /// The service throttles (RFC 6585 §4).
    #[error("it throttles (status 429), and is not asked again for {0} s")]
    Paused(i64),
    /// A person is in more groups than `groups_from` allows.
    #[error("the person is in more than {0} groups (groups_from.max_groups)")]
    TooManyGroups(usize),
    /// Not the JSON document that it should be.
    #[error("{0}")]
    Malformed(&'static str),
    /// The discovery document is of another issuer (OIDC Discovery §4.3).
    #[error(
        "it names the issuer {found:?}, the configuration {expected:?}; they must be equal character for character"
    )]
    Issuer {
        /// What the configuration says.
        expected: String,
        /// What the document says, shortened.
        found: String,
    },
    /// An endpoint is missing from the discovery document, or can't be called.
    #[error("{endpoint}: {problem}")]
    Endpoint {
        /// The metadata member.
        endpoint: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl UnavailableProblem {
    /// Whether it may pass by itself. Otherwise somebody has to change something.
    #[must_use]
    pub const fn passes(&self) -> bool {
        !matches!(self, Self::Denied { .. } | Self::TooManyGroups(_))
    }
}

/// A document of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Document {
    /// The discovery document.
    Discovery,
    /// The key set.
    KeySet,
    /// The token endpoint's answer.
    TokenResponse,
    /// The ID token.
    IdToken,
    /// The userinfo response.
    Userinfo,
    /// The access token, read as a JWT.
    AccessToken,
    /// A logout token (OIDC Back-Channel Logout §2.4).
    LogoutToken,
    /// What a provider says of a token (RFC 7662 §2.2).
    Introspection,
    /// A security event token (RFC 8417).
    SecurityEventToken,
    /// The answer to a pushed authorization request (RFC 9126 §2.2).
    PushedRequest,
    /// What a browser gets at the authorization endpoint (RFC 6749 §3.1).
    AuthorizationPage,
    /// What an API says of the person of an access token.
    Profile,
    /// The person's addresses.
    Addresses,
    /// Organisations and teams of the person.
    Organizations,
    /// A person's groups, from an API.
    Groups,
}

impl Document {
    /// Its name in texts and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery document",
            Self::KeySet => "key set",
            Self::TokenResponse => "token response",
            Self::IdToken => "ID token",
            Self::Userinfo => "userinfo",
            Self::AccessToken => "access token",
            Self::LogoutToken => "logout token",
            Self::Introspection => "introspection response",
            Self::SecurityEventToken => "security event token",
            Self::PushedRequest => "pushed authorization response",
            Self::AuthorizationPage => "authorization page",
            Self::Profile => "profile",
            Self::Addresses => "addresses",
            Self::Organizations => "organizations",
            Self::Groups => "groups",
        }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is wrong with an authorization response before any call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseProblem {
    /// `iss` is missing although the provider advertises it (RFC 9207 §2.4).
    #[error("iss is missing although the provider advertises it")]
    IssuerMissing,
    /// `iss` is missing at a callback that several providers share: nothing says whose answer it is (RFC 9700 §4.4).
    #[error("iss is missing, and several providers share this callback")]
    IssuerNeeded,
    /// `iss` is of another provider: a mix-up (RFC 9207 §2.4).
    #[error("iss is not this provider's issuer")]
    IssuerDiffers,
    /// Neither a code nor an error.
    #[error("it carries neither a code nor an error")]
    Empty,
    /// A code that no authorization server gives: it has characters other than printable ASCII (RFC 6749 Appendix A.11).
    #[error("its code has characters that no code has")]
    Code,
}

/// An OAuth error as the provider returned it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderError {
    /// Where it came from.
    pub stage: Stage,
    /// The code, cut to what RFC 6749 allows in one and to 64 characters.
    pub error: String,
    /// The provider's text for people, shortened, without control characters. Untrusted: escape it where it is shown.
    pub description: Option<String>,
}

/// Where an OAuth error came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The callback.
    Authorization,
    /// The endpoint for pushed authorization requests.
    Pushed,
    /// The token endpoint.
    Token,
}

impl ProviderError {
    pub(crate) fn new(stage: Stage, error: &str, description: Option<&str>) -> Self {
        // RFC 6749 §4.1.2.1: %x20-21 / %x23-5B / %x5D-7E.
        let error = error.chars().filter(|c| matches!(c, ' '..='!' | '#'..='[' | ']'..='~')).take(64).collect();
        let description = description.map(|text| text.chars().filter(|c| !c.is_control()).take(256).collect());
        Self { stage, error, description }
    }

    /// The error for the app: errors of the authorization response are passed on where an app can act on them. All others are
    /// between the broker and the provider, and the app gets `server_error`.
    #[must_use]
    pub fn for_app(&self) -> &'static str {
        const PASSED: [&str; 6] = [
            "access_denied",
            "login_required",
            "interaction_required",
            "consent_required",
            "account_selection_required",
            "temporarily_unavailable",
        ];
        // What LinkedIn and Apple call it when somebody goes back.
        const CANCELLED: [&str; 2] = ["user_cancelled_login", "user_cancelled_authorize"];
        let error = if CANCELLED.contains(&self.error.as_str()) { "access_denied" } else { self.error.as_str() };
        let passed = PASSED.into_iter().find(|code| *code == error);
        passed.filter(|_| self.stage == Stage::Authorization).unwrap_or("server_error")
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Authorization => "authorization response",
            Stage::Pushed => "pushed authorization request",
            Stage::Token => "token endpoint",
        };
        write!(f, "{stage}: error {:?}", self.error)?;
        if let Some(description) = &self.description {
            write!(f, " ({description:?})")?;
        }
        match hint(&self.error, self.description.as_deref()) {
            Some(hint) => write!(f, ": {hint}"),
            None if self.error == "invalid_client" => write!(f, ": {}", credentials_hint(Preset::Generic)),
            None => Ok(()),
        }
    }
}
