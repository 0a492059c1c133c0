//! `[break_glass]`: a local account for when no provider can be used.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::scalar::{Duration, Secret};

/// `[break_glass]`: a local account for when no provider can be used. Its page is at `path` with `?backup=1`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakGlass {
    /// Path of the page, which is asked for with `?backup=1`. Default: `/login`.
    pub path: Option<String>,
    /// The account's name. No provider's user can have it.
    pub username: String,
    /// Argon2id hash of its password in the PHC string format, as `countersign break-glass hash` prints it; read again when
    /// it changes. Of two, both are accepted. A session ends when the hash that it was entered with is taken away.
    pub password_hash: Option<Secret>,
    /// Networks that it may be used from, by the address that `server.trusted_proxies` give. Default: any, with a warning.
    pub allow_from: Option<Vec<String>>,
    /// Clients that it may enter. It bypasses their `providers` and `require`.
    #[serde(default)]
    pub clients: Vec<String>,
    /// Its roles. Role rules and default roles do not apply.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Its groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// The bounds of its sessions.
    pub session: Option<BreakGlassSession>,
}

/// `break_glass.session`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakGlassSession {
    /// A session ends at this age, whatever is done in it. Default: 15m.
    pub max_lifetime: Option<Duration>,
    /// A session ends when nothing happened for this long. Default: `max_lifetime`.
    pub max_inactive: Option<Duration>,
}
