//! `[providers.X] on_refresh`: how fresh the facts about a person are when tokens are refreshed.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::scalar::Duration;

/// Where a refresh takes its upstream claims from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefreshClaims {
    /// The provider is asked again.
    Upstream,
    /// The claims of the last sign-in are used.
    #[default]
    Cached,
    /// The refresh is refused.
    Deny,
}

/// What a refresh does while the provider is unavailable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefreshUnavailable {
    /// It uses the claims of the last answer, as long as they are not older than `max_stale`.
    #[default]
    Cached,
    /// It is refused.
    Deny,
}

/// `on_refresh`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OnRefresh {
    /// `upstream`, `cached` or `deny`.
    pub claims: RefreshClaims,
    /// Claims younger than this are not requested again.
    pub max_age: Duration,
    /// What happens while the provider is unavailable.
    pub unavailable: RefreshUnavailable,
    /// The oldest claims that `unavailable = "cached"` may use.
    pub max_stale: Duration,
}

impl Default for OnRefresh {
    fn default() -> Self {
        Self {
            claims: RefreshClaims::default(),
            max_age: Duration::minutes(15),
            unavailable: RefreshUnavailable::default(),
            max_stale: Duration::hours(1),
        }
    }
}
