//! Sections that the language declares and that are not built yet. They are typed, so that every key is known and `check` can
//! refuse it by name. When a section is built, it is moved out of this file.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::scalar::{Duration, Secret};

/// `[registration]`: dynamic client registration (RFC 7591).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// Token that a registration must carry.
    pub initial_access_token: Option<Secret>,
    /// Hosts whose client id metadata documents are accepted.
    #[serde(default)]
    pub metadata_hosts: Vec<String>,
    /// Scopes that a registered client may ask for.
    pub scopes: Option<Vec<String>>,
}

/// `[token_exchange]`: who may exchange what (RFC 8693).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenExchange {
    /// The rules, any of which may permit.
    #[serde(default)]
    pub rules: Vec<TokenExchangeRule>,
}

/// One rule of `[token_exchange]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenExchangeRule {
    /// The client that may exchange.
    pub client: String,
    /// The provider whose tokens it may bring.
    pub provider: Option<String>,
    /// The audience it may ask for.
    pub audience: Option<String>,
}

/// `[device]`: the device flow (RFC 8628).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// Lifetime of a device code.
    pub code: Option<Duration>,
    /// Least time between two polls.
    pub interval: Option<Duration>,
}

/// `[config]`: who may change the file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigTrust {
    /// Public key that must have signed the file.
    pub signed_by: Option<String>,
}
