//! `[policy]`, `[tables.X]`, `[roles.X]`, `[[role_rules]]`, `[scopes.X]`, `[users.X]`: users, and what they may do.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::scalar::Expression;

/// When `default_roles` are assigned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DefaultRolesWhen {
    /// To users without any other role.
    #[default]
    NoRoles,
    /// To users without any group.
    NoGroups,
}

/// Values that are converted to lower case when they are mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IgnoreCase {
    /// Group names.
    Groups,
    /// Role names.
    Roles,
    /// Usernames.
    Username,
}

/// What happens if a new user's name is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsernameConflict {
    /// The sign-in is refused.
    #[default]
    Refuse,
    /// The name gets a numbered suffix.
    Suffix,
}

/// `[policy]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Roles of users that have no others.
    pub default_roles: Vec<String>,
    /// When they are assigned.
    pub default_roles_when: DefaultRolesWhen,
    /// Values that are converted to lower case when they are mapped.
    pub ignore_case: Vec<IgnoreCase>,
    /// What happens if a new user's name is taken. Two people are never merged.
    pub on_username_conflict: UsernameConflict,
    /// Names that no user of a provider may have. Default: the break-glass username.
    pub reserved_usernames: Option<Vec<String>>,
}

/// `[tables.X]`: the table that `lookup('X')` reads.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Table {
    /// Key → value.
    pub entries: Option<BTreeMap<String, String>>,
    /// A JSON file with one object of strings; re-read when it changes.
    #[schemars(extend("x-path" = true))]
    pub file: Option<PathBuf>,
}

/// `[roles.X]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Role {
    /// The purpose of the role.
    pub description: Option<String>,
    /// Permissions that the role includes.
    pub permissions: Vec<String>,
}

/// The list whose items a role rule examines with `each`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Each {
    /// The user's groups.
    Groups,
    /// The roles that the provider asserted.
    Roles,
}

/// `[[role_rules]]`: adds roles.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleRule {
    /// A condition over `user`, `groups`, `roles` (as asserted), `provider`.
    pub when: Option<Expression>,
    /// Only for users of this provider. Default: any.
    pub provider: Option<String>,
    /// Applies the rule to each item of this list.
    pub each: Option<Each>,
    /// A regular expression with named captures, which must match the whole item.
    pub matches: Option<String>,
    /// Roles to add; `{name}` is replaced by the capture of that name.
    pub roles: Vec<String>,
}

/// `[scopes.X]`
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Scope {
    /// The text that the user sees on the consent page.
    pub description: Option<String>,
    /// Attributes that the scope releases.
    pub claims: Vec<String>,
}

/// One entry of `users.X.links`: by `sub`, or by a verified `email` at the first sign-in.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserLink {
    /// The provider.
    pub provider: String,
    /// The user's `sub` at the provider.
    pub sub: Option<String>,
    /// The user's address at the provider; requires that `email_verified` is the boolean true, and counts at the first sign-in
    /// only.
    pub email: Option<String>,
}

/// `[users.X]`: a user declared beforehand.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Upstream accounts of this user.
    #[serde(default)]
    pub links: Vec<UserLink>,
    /// An imported `sub`.
    pub sub: Option<String>,
    /// Local groups, in addition to the upstream ones.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Local roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Fingerprints of client certificates, `sha256:HEX`.
    #[serde(default)]
    pub certificates: Vec<String>,
    /// When false, the user can no longer sign in, and no token of the user is accepted.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}
