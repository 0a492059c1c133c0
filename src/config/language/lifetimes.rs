//! `[keys]`, `[tokens]`, `[subject]`, `[session]`: what is issued, and how long it lives.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::scalar::Duration;
use crate::protocol::{SigningAlgorithm, SubjectType};

/// `[keys]`: the broker's signing keys.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// Algorithms to hold a key for. RS256 must be among them (OIDC Core §15.1).
    pub algorithms: Vec<SigningAlgorithm>,
    /// Age at which a key is replaced: published before use, kept after by the longest token lifetime.
    pub rotate_every: Duration,
}

impl Default for Keys {
    fn default() -> Self {
        Self { algorithms: vec![SigningAlgorithm::RS256, SigningAlgorithm::ES256], rotate_every: Duration::days(90) }
    }
}

/// `[tokens]`: lifetimes; a client may set its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// Lifetime of an authorization code, at most 5 minutes.
    pub authorization_code: Duration,
    /// Lifetime of an access token.
    pub access_token: Duration,
    /// Lifetime of an ID token.
    pub id_token: Duration,
    /// Lifetimes and rotation of refresh tokens.
    pub refresh_token: RefreshToken,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            authorization_code: Duration::from_secs(60),
            access_token: Duration::hours(1),
            id_token: Duration::hours(1),
            refresh_token: RefreshToken::default(),
        }
    }
}

/// `tokens.refresh_token`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RefreshToken {
    /// A family dies when it was not used for this long.
    pub max_inactive: Duration,
    /// A family dies at this age.
    pub max_lifetime: Duration,
    /// How long the immediate parent still answers, until its successor is used.
    pub reuse_grace: Duration,
    /// A new token at each use. May be off for confidential clients.
    pub rotate: bool,
}

impl Default for RefreshToken {
    fn default() -> Self {
        Self {
            max_inactive: Duration::days(30),
            max_lifetime: Duration::days(180),
            reuse_grace: Duration::from_secs(10),
            rotate: true,
        }
    }
}

/// A client's own `tokens`: what is absent follows `[tokens]`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientTokens {
    /// Lifetime of an authorization code, at most 5 minutes.
    pub authorization_code: Option<Duration>,
    /// Lifetime of an access token.
    pub access_token: Option<Duration>,
    /// Lifetime of an ID token.
    pub id_token: Option<Duration>,
    /// Lifetimes and rotation of refresh tokens.
    pub refresh_token: Option<ClientRefreshToken>,
}

/// A client's own `tokens.refresh_token`: what is absent follows `[tokens]`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientRefreshToken {
    /// A family dies when it was not used for this long.
    pub max_inactive: Option<Duration>,
    /// A family dies at this age.
    pub max_lifetime: Option<Duration>,
    /// How long the immediate parent still answers, until its successor is used.
    pub reuse_grace: Option<Duration>,
    /// A new token at each use. May be off for confidential clients.
    pub rotate: Option<bool>,
}

impl Tokens {
    /// These lifetimes with a client's own laid over them.
    #[must_use]
    pub fn for_client(&self, own: &ClientTokens) -> Self {
        let refresh = own.refresh_token.clone().unwrap_or_default();
        Self {
            authorization_code: own.authorization_code.unwrap_or(self.authorization_code),
            access_token: own.access_token.unwrap_or(self.access_token),
            id_token: own.id_token.unwrap_or(self.id_token),
            refresh_token: RefreshToken {
                max_inactive: refresh.max_inactive.unwrap_or(self.refresh_token.max_inactive),
                max_lifetime: refresh.max_lifetime.unwrap_or(self.refresh_token.max_lifetime),
                reuse_grace: refresh.reuse_grace.unwrap_or(self.refresh_token.reuse_grace),
                rotate: refresh.rotate.unwrap_or(self.refresh_token.rotate),
            },
        }
    }
}

/// `[subject]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Subject {
    /// `public` or `pairwise`.
    #[serde(rename = "type")]
    pub kind: SubjectType,
}

/// `[session]`: the single sign-on session.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    /// Ends when nothing happened for this long.
    pub max_inactive: Duration,
    /// Ends at this age.
    pub max_lifetime: Duration,
}

impl Default for Session {
    fn default() -> Self {
        Self { max_inactive: Duration::minutes(30), max_lifetime: Duration::hours(12) }
    }
}
