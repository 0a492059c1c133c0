//! Presets: what is known of a kind of provider, as data. It owns no behaviour: the leg reads [`Quirks`].

use crate::config::language::provider::{ClaimsSource, Preset};

/// The defaults and quirks of a kind of provider. What the file says of a provider goes before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Documents that claims are taken from, later ones adding to earlier ones.
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
