//! `[providers.X.signals]`: security events that a provider sends (Shared Signals).

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::scalar::OneOrMany;
use crate::protocol::Signal;

/// `[providers.X.signals]`: the provider posts security events (SSF 1.0, push delivery by RFC 8935), which end sessions and
/// grants here. A subject given as `iss` and `sub` matches nobody where `quirks.subject_claims` makes up an account's subject
/// from other claims, as the preset `entra` does: such a provider has to name people by a verified address, or sessions by
/// their `sid`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Signals {
    /// The `iss` of its security event tokens. Default: the provider's issuer.
    pub issuer: Option<String>,
    /// The keys that they are signed with. Default: the provider's key set.
    pub jwks_uri: Option<String>,
    /// The `aud` of its security event tokens; one of several is enough. Default: `client_id`.
    pub audience: Option<OneOrMany<String>>,
    /// Path that it posts to. Default: `/signals/ID`.
    pub path: Option<String>,
    /// The events that are acted upon; others are acknowledged. Default: all that are known.
    pub events: Option<Vec<Signal>>,
}
