//! The fields of a draft: which settings of an entry a form has, and how each is typed.

use crate::analysis::draft::presets::{Need, Only};
use crate::config::language::provider::Preset;
use crate::config::load::shape::{Additional, Shape};

/// What a draft is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `[providers.X]`
    Provider,
    /// `[clients.X]`
    Client,
    /// `[roles.X]`
    Role,
    /// `[users.X]`
    User,
}

/// How a setting is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// One line of text.
    Text,
    /// A list of strings, one a line.
    Lines,
    /// One of the values of the language, or none: the default.
    Choice,
    /// On or off; what it is where nothing sets it.
    Flag(bool),
    /// A condition.
    Condition,
    /// The path of the file that holds a secret.
    Secret,
    /// Hashes of secrets, one a line. Those that the file has are not shown.
    Hashes,
    /// Claims: `name = "expression"` in TOML, one a line.
    Claims,
    /// Upstream accounts: `provider sub VALUE` or `provider email VALUE`, one a line.
    Links,
}

impl Input {
    /// Its name in templates and texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Lines => "lines",
            Self::Choice => "choice",
            Self::Flag(_) => "flag",
            Self::Condition => "condition",
            Self::Secret => "secret",
            Self::Hashes => "hashes",
            Self::Claims => "claims",
            Self::Links => "links",
        }
    }
}

/// A setting of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its key below the entry, with dots between the keys of tables.
    pub key: &'static str,
    /// How it is typed.
    pub input: Input,
    /// Whether the entry needs it.
    pub need: Need,
    /// The presets that have it.
    pub only: Only,
}

/// Fields with a heading of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Provider, Self::Client, Self::Role, Self::User];

    /// Its name in paths and texts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Client => "client",
            Self::Role => "role",
            Self::User => "user",
        }
    }

    /// The section of the file.
    #[must_use]
    pub const fn section(self) -> &'static str {
        match self {
            Self::Provider => "providers",
            Self::Client => "clients",
            Self::Role => "roles",
            Self::User => "users",
        }
    }

    /// The kind with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its fields in their groups.
    #[must_use]
    pub const fn groups(self) -> &'static [Group] {
        match self {
            Self::Provider => PROVIDER,
            Self::Client => CLIENT,
            Self::Role => ROLE,
            Self::User => USER,
        }
    }

    /// Its fields.
    pub fn fields(self) -> impl Iterator<Item = &'static Field> {
        self.groups().iter().flat_map(|group| group.fields)
    }

    fn shape(self) -> Option<&'static Shape> {
        match &Shape::root().properties.get(self.section())?.additional {
            Additional::Shaped(entry) => Some(entry),
            _ => None,
        }
    }

    /// The values of the language for a choice.
    #[must_use]
    pub fn choices(self, key: &str) -> &'static [String] {
        self.setting(key).map(|shape| shape.values.as_slice()).unwrap_or_default()
    }

    fn setting(self, key: &str) -> Option<&'static Shape> {
        key.split('.').try_fold(self.shape()?, |shape, key| shape.property(key))
    }

    /// What ids must be; `None` when this one is well-formed.
    #[must_use]
    pub fn misnamed(self, id: &str) -> Option<&'static str> {
        let names = Shape::root().properties.get(self.section())?.names.as_ref()?;
        let fits = names.pattern.is_match(id) && !names.reserved.iter().any(|reserved| reserved == id);
        (!fits).then_some(names.expected.as_str())
    }
}

const fn field(key: &'static str, input: Input) -> Field {
    Field { key, input, need: Need::Never, only: Only::Any }
}

const fn needed(key: &'static str, input: Input) -> Field {
    Field { key, input, need: Need::Always, only: Only::Any }
}

/// A setting that only these presets have.
const fn only(presets: &'static [Preset], key: &'static str, input: Input) -> Field {
    Field { key, input, need: Need::Never, only: Only::These(presets) }
}

/// A setting that only these presets have, and need.
const fn needed_by(presets: &'static [Preset], key: &'static str, input: Input) -> Field {
    Field { key, input, need: Need::By(presets), only: Only::These(presets) }
}

/// A setting of providers that support OpenID Connect.
const fn openid(key: &'static str, input: Input) -> Field {
    Field { key, input, need: Need::Never, only: Only::OpenId }
}

const fn group(name: &'static str, fields: &'static [Field]) -> Group {
    Group { name, fields }
}

use Input::{Choice, Claims, Condition, Flag, Hashes, Lines, Links, Secret, Text};
use Preset::{Adfs, Apple, Auth0, Authentik, Entra, Generic, Github, Gitlab, Google, Keycloak, Linkedin, Oauth2};
use Preset::{Okta, Pingfederate};

/// Presets whose providers a company runs or rents, at an address of its own.
const OWN: &[Preset] = &[Generic, Entra, Okta, Keycloak, Authentik, Auth0, Adfs, Pingfederate];
/// Presets whose providers take a signed assertion in place of a secret.
const SIGNING: &[Preset] = &[Generic, Entra, Okta, Keycloak, Authentik, Auth0, Adfs, Pingfederate, Apple];
/// Presets whose providers know groups, or leave it to the file where they are.
const GROUPS: &[Preset] = &[Generic, Entra, Okta, Keycloak, Authentik, Auth0, Adfs, Pingfederate, Google, Gitlab];
/// Presets with a choice of methods and a ready-made secret.
const SECRETS: &[Preset] =
    &[Generic, Entra, Okta, Keycloak, Authentik, Auth0, Adfs, Pingfederate, Google, Gitlab, Github, Linkedin, Oauth2];

const PROVIDER: &[Group] = &[
    group("general", &[field("name", Text), field("enabled", Flag(true)), field("preset", Choice)]),
    group(
        "connection",
        &[
            Field { key: "issuer", input: Text, need: Need::By(OWN), only: Only::OpenId },
            only(&[Entra], "tenants", Lines),
            only(&[Github, Gitlab], "base_url", Text),
            needed_by(&[Oauth2], "authorization_endpoint", Text),
            needed_by(&[Oauth2], "token_endpoint", Text),
            needed_by(&[Oauth2], "userinfo_endpoint", Text),
            needed_by(&[Oauth2], "subject", Condition),
            needed("client_id", Text),
            only(SECRETS, "client_secret", Secret),
            needed_by(&[Apple], "team_id", Text),
            needed_by(&[Apple], "key_id", Text),
            Field { key: "client_key", input: Secret, need: Need::By(&[Apple]), only: Only::These(SIGNING) },
            only(SECRETS, "token_endpoint_auth_method", Choice),
            field("scopes", Lines),
            only(&[Adfs, Entra], "resource", Text),
            field("redirect_path", Text),
            openid("backchannel_url", Text),
            field("allow_http", Flag(false)),
            openid("post_logout_redirect_uri", Text),
        ],
    ),
    group(
        "people",
        &[
            only(&[Google], "hosted_domains", Lines),
            only(&[Github], "organizations", Lines),
            field("allow", Condition),
            field("create_users", Flag(true)),
            field("claims", Claims),
            only(GROUPS, "groups_from.source", Choice),
            only(&[Google], "groups_from.credentials", Secret),
            only(&[Google], "groups_from.subject", Text),
            only(&[Entra], "groups_from.names", Flag(false)),
            only(&[Gitlab], "groups_from.levels", Flag(false)),
            field("email_verified", Choice),
            field("create_roles", Flag(false)),
            field("asserted_roles", Lines),
            field("domains", Lines),
            field("link_by", Choice),
            field("link_with", Lines),
            field("sync", Lines),
        ],
    ),
    group(
        "sessions",
        &[
            field("session.max_inactive", Text),
            field("session.max_lifetime", Text),
            field("session.follow_upstream_expiry", Flag(false)),
            field("on_refresh.claims", Choice),
            openid("logout", Flag(true)),
            field("hidden", Flag(false)),
        ],
    ),
];

const CLIENT: &[Group] = &[
    group(
        "general",
        &[
            field("client_name", Text),
            field("enabled", Flag(true)),
            field("client_uri", Text),
            field("logo_uri", Text),
            field("contacts", Lines),
        ],
    ),
    group(
        "connection",
        &[
            field("redirect_uris", Lines),
            field("post_logout_redirect_uris", Lines),
            field("client_id", Text),
            field("client_secret", Secret),
            field("client_secret_hashes", Hashes),
            field("token_endpoint_auth_method", Choice),
            field("pkce", Choice),
            field("grant_types", Lines),
            field("initiate_login_uri", Text),
            field("backchannel_logout_uri", Text),
        ],
    ),
    group(
        "people",
        &[
            field("require", Condition),
            field("providers", Lines),
            field("scopes", Lines),
            field("claims", Claims),
            field("access_token_claims", Lines),
            field("consent", Choice),
        ],
    ),
    group("sessions", &[field("tokens.access_token", Text), field("tokens.id_token", Text)]),
];

const ROLE: &[Group] = &[group("general", &[field("description", Text), field("permissions", Lines)])];

const USER: &[Group] = &[group(
    "general",
    &[
        field("enabled", Flag(true)),
        field("links", Links),
        field("groups", Lines),
        field("roles", Lines),
        field("sub", Text),
        field("certificates", Lines),
    ],
)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_is_a_setting_of_the_language_and_every_choice_has_values() {
        for kind in Kind::ALL {
            for field in kind.fields() {
                assert!(kind.setting(field.key).is_some(), "{}.{}", kind.section(), field.key);
                let choice = field.input == Choice;
                assert_eq!(choice, !kind.choices(field.key).is_empty(), "{}.{}", kind.section(), field.key);
            }
            assert_eq!(Kind::named(kind.name()), Some(kind));
        }
        assert!(Kind::Provider.misnamed("break_glass").is_some() && Kind::Client.misnamed("a b").is_some());
        assert!(Kind::User.misnamed("a b").is_none() && Kind::Role.misnamed("").is_some());
    }
}
