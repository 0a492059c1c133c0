//! Presets: what is known of a kind of provider, as data.
//!
//! A new preset is one row here: its [`Quirks`], and its arm in [`quirks`]. Its name is a variant of the configuration's
//! [`Preset`]. No other module asks which preset a provider has.

use crate::config::language::provider::{ClaimsSource, Preset};

/// The defaults and quirks of a kind of provider. The file's own keys take precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Documents that claims come from, later ones adding to earlier ones.
    pub claims_from: &'static [ClaimsSource],
    /// Scopes to ask for.
    pub scopes: &'static [&'static str],
    /// Values of `prompt` that the provider fails on, left out of what is passed on.
    pub unsupported_prompts: &'static [&'static str],
}

const GENERIC: Quirks = Quirks {
    claims_from: &[ClaimsSource::IdToken, ClaimsSource::Userinfo],
    scopes: &["openid", "profile", "email"],
    unsupported_prompts: &[],
};

/// Roles are by default only in its access token, which is its JWT.
const KEYCLOAK: Quirks = Quirks {
    claims_from: &[ClaimsSource::IdToken, ClaimsSource::Userinfo, ClaimsSource::AccessToken],
    unsupported_prompts: &["select_account"],
    ..GENERIC
};

/// The quirks of a preset; `None` for one that is not built yet.
#[must_use]
pub const fn quirks(preset: Preset) -> Option<&'static Quirks> {
    match preset {
        Preset::Generic => Some(&GENERIC),
        Preset::Keycloak => Some(&KEYCLOAK),
        _ => None,
    }
}
