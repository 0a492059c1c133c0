//! `[keys]`, `[tokens]`, `[subject]`, `[session]`: what is issued, and for how long it is valid.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::scalar::Duration;
use crate::protocol::{SigningAlgorithm, SubjectType};

/// `[keys]`: the broker's signing keys.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// Algorithms for which the broker has a key. RS256 must be among them (OIDC Core §15.1).
    pub algorithms: Vec<SigningAlgorithm>,
    /// Age at which a key is replaced: it is published before use, and kept afterwards for the longest token lifetime.
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
    /// A refresh token family ends after this time without use.
    pub max_inactive: Duration,
    /// A refresh token family ends at this age.
    pub max_lifetime: Duration,
    /// How long the immediate parent is still accepted, until its successor is used.
    pub reuse_grace: Duration,
    /// Issue a new refresh token at each use. May be turned off for confidential clients.
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

/// A client's own `tokens`: absent keys are inherited from `[tokens]`.
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

/// A client's own `tokens.refresh_token`: absent keys are inherited from `[tokens]`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClientRefreshToken {
    /// A refresh token family ends after this time without use.
    pub max_inactive: Option<Duration>,
    /// A refresh token family ends at this age.
    pub max_lifetime: Option<Duration>,
    /// How long the immediate parent is still accepted, until its successor is used.
    pub reuse_grace: Option<Duration>,
    /// Issue a new refresh token at each use. May be turned off for confidential clients.
    pub rotate: Option<bool>,
}

impl Tokens {
    /// These lifetimes, overridden by a client's own.
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
    /// A session ends after this time of inactivity.
    pub max_inactive: Duration,
    /// A session ends at this age.
    pub max_lifetime: Duration,
}

impl Default for Session {
    fn default() -> Self {
        Self { max_inactive: Duration::minutes(30), max_lifetime: Duration::hours(12) }
    }
}
