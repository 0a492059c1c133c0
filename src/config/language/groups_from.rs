//! `[providers.X] groups_from`: where a person's groups come from, if not from the provider's tokens.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::refresh::RefreshUnavailable;
use crate::config::language::scalar::{Duration, Secret};

/// Where the `groups` claim comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupSource {
    /// The documents of `claims_from`, whatever they have.
    #[default]
    Token,
    /// Userinfo alone, whatever the ID token has.
    Userinfo,
    /// Microsoft Graph, with the person's access token: ids of groups and directory roles, nested ones too. Unless `when` says
    /// otherwise, it is asked if the token has no room for the groups and says so (`_claim_names`, `hasgroups`).
    Graph,
    /// GitLab's API, with the person's access token: full paths of groups, inherited memberships too.
    Gitlab,
    /// Google's Cloud Identity, with a service account: addresses of groups, nested ones too.
    CloudIdentity,
    /// GitHub's API, with the person's access token: organisations and teams. It is the source of preset `github`, and of no
    /// other.
    Github,
    /// A directory that speaks SCIM 2.0 (RFC 7644), with a token of the broker's own: display names of groups.
    Scim,
}

impl GroupSource {
    /// Whether the groups are in the provider's tokens or in userinfo.
    #[must_use]
    pub const fn is_of_a_token(self) -> bool {
        matches!(self, Self::Token | Self::Userinfo)
    }

    /// Whether an API is asked with the access token of the person who signs in.
    #[must_use]
    pub const fn asks_as_the_person(self) -> bool {
        matches!(self, Self::Graph | Self::Gitlab | Self::Github)
    }
}

/// The attribute by which a SCIM directory knows a person (RFC 7643 §3.1, §4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize, serde::Serialize, JsonSchema)]
pub enum ScimAttribute {
    /// The name with which the person signs in.
    #[default]
    #[serde(rename = "userName")]
    UserName,
    /// The id that the provider of the account gave the person.
    #[serde(rename = "externalId")]
    ExternalId,
    /// An address of the person.
    #[serde(rename = "emails.value")]
    Email,
    /// The directory's own id of the person.
    #[serde(rename = "id")]
    Id,
}

impl ScimAttribute {
    /// Its name in filters.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserName => "userName",
            Self::ExternalId => "externalId",
            Self::Email => "emails.value",
            Self::Id => "id",
        }
    }
}

/// When a source is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupsWhen {
    /// If the token has no room for the groups and says so.
    Overage,
    /// At every sign-in and refresh.
    Always,
}

/// `groups_from`: a source, or a source with its settings.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum GroupsFrom {
    /// The source, with the default settings.
    Source(GroupSource),
    /// A source with its settings.
    Settings(Box<GroupsSettings>),
}

/// `groups_from = { ... }`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GroupsSettings {
    /// Where the `groups` claim comes from.
    #[schemars(required)]
    pub source: GroupSource,
    /// When the source is asked (graph). Default: `overage`.
    pub when: Option<GroupsWhen>,
    /// A person's groups are not asked for again while they are younger than this. Default: 5m.
    pub max_age: Option<Duration>,
    /// What happens while the source is unavailable. Default: `cached`.
    pub unavailable: Option<RefreshUnavailable>,
    /// The oldest groups that `unavailable = "cached"` may use. Default: 1h.
    pub max_stale: Option<Duration>,
    /// A person with more groups is refused. Default: 2000.
    #[schemars(range(min = 1, max = 20_000))]
    pub max_groups: Option<u32>,
    /// Whether names are fetched too, into the claim `group_names` (graph). Default: false.
    pub names: Option<bool>,
    /// Whether access levels are fetched too, into the claim `group_levels` as `PATH:LEVEL` (gitlab). Default: false.
    pub levels: Option<bool>,
    /// Whether groups of groups count (cloud_identity). Default: true.
    pub nested: Option<bool>,
    /// The address of the API. Default: that of the service; scim has none.
    pub url: Option<String>,
    /// What the broker asks with: the key of the service account, as the JSON file that Google gives (cloud_identity), or the
    /// bearer token (scim).
    pub credentials: Option<Secret>,
    /// The attribute by which the directory knows a person (scim). Default: `userName`.
    pub attribute: Option<ScimAttribute>,
    /// The claim that has the value of that attribute (scim): one that people can't choose for themselves. An address must be
    /// verified. Default: `preferred_username`; with `emails.value`, `email`.
    pub claim: Option<String>,
    /// The administrator for whom the service account acts, where it has domain-wide delegation (cloud_identity).
    pub subject: Option<String>,
}

impl GroupsFrom {
    /// The source.
    #[must_use]
    pub fn source(&self) -> GroupSource {
        match self {
            Self::Source(source) => *source,
            Self::Settings(settings) => settings.source,
        }
    }

    /// The settings, where there are any.
    #[must_use]
    pub fn settings(&self) -> Option<&GroupsSettings> {
        match self {
            Self::Source(_) => None,
            Self::Settings(settings) => Some(settings),
        }
    }
}
