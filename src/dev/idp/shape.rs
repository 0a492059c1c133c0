//! What is peculiar to the tokens of a kind of provider, as far as the simulated one imitates it.

use serde_json::{Map, Value};

use crate::config::language::provider::Preset;

/// Where a kind of provider puts its claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Claims that are only in the access token.
    only_access_token: &'static [&'static str],
    /// Claims that are only in userinfo.
    only_userinfo: &'static [&'static str],
    /// Whether the access token is a JWT with all claims; otherwise it says nothing.
    pub(super) jwt_access_token: bool,
    /// Whether its issuer ends with a slash.
    pub(super) slash: bool,
    /// Whether userinfo refuses the access token.
    pub(super) refuses_userinfo: bool,
}

const PLAIN: Shape = Shape {
    only_access_token: &[],
    only_userinfo: &[],
    jwt_access_token: false,
    slash: false,
    refuses_userinfo: false,
};

/// Keycloak's default mappers put roles into the access token alone.
const KEYCLOAK: Shape =
    Shape { only_access_token: &["realm_access", "resource_access"], jwt_access_token: true, ..PLAIN };

/// The ID token of Okta's org authorization server has few claims.
const OKTA: Shape =
    Shape { only_userinfo: &["groups", "given_name", "family_name", "locale", "zoneinfo", "email_verified"], ..PLAIN };

const WITH_SLASH: Shape = Shape { slash: true, ..PLAIN };

/// AD FS answers userinfo with 401 to access tokens for a `resource`.
const ADFS: Shape = Shape { refuses_userinfo: true, ..PLAIN };

const PINGFEDERATE: Shape = Shape { only_userinfo: &["email", "email_verified"], ..PLAIN };

impl Shape {
    /// The shape of a preset's provider.
    #[must_use]
    pub(super) const fn of(preset: Preset) -> &'static Self {
        match preset {
            Preset::Keycloak => &KEYCLOAK,
            Preset::Okta => &OKTA,
            Preset::Auth0 | Preset::Authentik => &WITH_SLASH,
            Preset::Adfs => &ADFS,
            Preset::Pingfederate => &PINGFEDERATE,
            _ => &PLAIN,
        }
    }

    /// The claims of the ID token.
    #[must_use]
    pub(super) fn id_token(&self, claims: &Map<String, Value>) -> Map<String, Value> {
        without(claims, &[self.only_access_token, self.only_userinfo].concat())
    }

    /// The claims of userinfo.
    #[must_use]
    pub(super) fn userinfo(&self, claims: &Map<String, Value>) -> Map<String, Value> {
        without(claims, self.only_access_token)
    }
}

fn without(claims: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let kept = claims.iter().filter(|(name, _)| !names.contains(&name.as_str()));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}
