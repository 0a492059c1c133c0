//! Response types of the authorization endpoint.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::GrantType;

/// A response type (OAuth 2.0 Multiple Response Type Encoding Practices §3 to §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ResponseType {
    /// The code flow.
    #[default]
    #[serde(rename = "code")]
    Code,
    /// Implicit: an ID token.
    #[serde(rename = "id_token")]
    IdToken,
    /// Implicit: an ID token and an access token.
    #[serde(rename = "id_token token")]
    IdTokenToken,
    /// Hybrid: a code and an ID token.
    #[serde(rename = "code id_token")]
    CodeIdToken,
    /// Hybrid: a code and an access token.
    #[serde(rename = "code token")]
    CodeToken,
    /// Hybrid: a code, an ID token and an access token.
    #[serde(rename = "code id_token token")]
    CodeIdTokenToken,
}

impl ResponseType {
    /// All of them, the code flow first.
    pub const ALL: [Self; 6] =
        [Self::Code, Self::IdToken, Self::IdTokenToken, Self::CodeIdToken, Self::CodeToken, Self::CodeIdTokenToken];

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::IdToken => "id_token",
            Self::IdTokenToken => "id_token token",
            Self::CodeIdToken => "code id_token",
            Self::CodeToken => "code token",
            Self::CodeIdTokenToken => "code id_token token",
        }
    }

    /// Reads a request's value: its words may be in any order (RFC 6749 §3.1.1), and each occurs once.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut words: Vec<&str> = text.split(' ').collect();
        words.sort_unstable();
        Self::ALL.into_iter().find(|one| words == one.name().split(' ').collect::<Vec<_>>())
    }

    /// Whether a code is issued.
    #[must_use]
    pub const fn has_code(self) -> bool {
        !matches!(self, Self::IdToken | Self::IdTokenToken)
    }

    /// Whether the authorization endpoint issues an ID token.
    #[must_use]
    pub const fn has_id_token(self) -> bool {
        !matches!(self, Self::Code | Self::CodeToken)
    }

    /// Whether the authorization endpoint issues an access token.
    #[must_use]
    pub const fn has_token(self) -> bool {
        matches!(self, Self::IdTokenToken | Self::CodeToken | Self::CodeIdTokenToken)
    }

    /// The grant types that a client needs to use it (OIDC Registration §2).
    #[must_use]
    pub const fn grant_types(self) -> &'static [GrantType] {
        match self {
            Self::Code => &[GrantType::AuthorizationCode],
            Self::IdToken | Self::IdTokenToken => &[GrantType::Implicit],
            Self::CodeIdToken | Self::CodeToken | Self::CodeIdTokenToken => {
                &[GrantType::AuthorizationCode, GrantType::Implicit]
            }
        }
    }
}
