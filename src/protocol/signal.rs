//! Security events that a provider may send (Shared Signals: CAEP, RISC), by the names that the configuration and metrics use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A security event that is acted upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Signal {
    /// A session ended (CAEP §3.1).
    SessionRevoked,
    /// Claims of an account changed (CAEP §3.2).
    TokenClaimsChange,
    /// A credential was changed or taken away (CAEP §3.3).
    CredentialChange,
    /// An account was disabled (RISC §2.3).
    AccountDisabled,
    /// An account was deleted (RISC §2.2).
    AccountPurged,
    /// A credential was compromised (RISC §2.7).
    CredentialCompromise,
    /// All sessions of an account ended (RISC §2.9, deprecated in favour of CAEP's event).
    SessionsRevoked,
    /// All tokens of an account were revoked (the OAuth event type of RISC transmitters).
    TokensRevoked,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::SessionRevoked,
        Self::TokenClaimsChange,
        Self::CredentialChange,
        Self::AccountDisabled,
        Self::AccountPurged,
        Self::CredentialCompromise,
        Self::SessionsRevoked,
        Self::TokensRevoked,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SessionRevoked => "session-revoked",
            Self::TokenClaimsChange => "token-claims-change",
            Self::CredentialChange => "credential-change",
            Self::AccountDisabled => "account-disabled",
            Self::AccountPurged => "account-purged",
            Self::CredentialCompromise => "credential-compromise",
            Self::SessionsRevoked => "sessions-revoked",
            Self::TokensRevoked => "tokens-revoked",
        }
    }

    /// What its type identifier begins with; its name follows.
    const fn family(self) -> &'static str {
        match self {
            Self::SessionRevoked | Self::TokenClaimsChange | Self::CredentialChange => CAEP,
            Self::TokensRevoked => OAUTH,
            _ => RISC,
        }
    }

    /// The one with this type identifier.
    #[must_use]
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|signal| uri.strip_prefix(signal.family()) == Some(signal.name()))
    }
}

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";
const OAUTH: &str = "https://schemas.openid.net/secevent/oauth/event-type/";

/// By which a transmitter tests the stream (SSF §8.1.4).
pub const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";
/// By which it says that it stopped or resumed the stream (SSF §8.1.5).
pub const STREAM_UPDATED: &str = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated";
