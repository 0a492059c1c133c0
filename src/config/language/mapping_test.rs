//! `[[tests]]`: what the file promises of itself; run by `check`, `test` and before every reload.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// `[[tests]]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MappingTest {
    /// What the test shows; names it in reports.
    pub name: String,
    /// The provider that vouches.
    pub provider: Option<String>,
    /// The upstream claims.
    pub claims: Option<Map<String, Value>>,
    /// A client certificate, in place of `claims`.
    pub certificate: Option<Map<String, Value>>,
    /// Accounts that exist beforehand.
    #[serde(default)]
    pub given: Vec<GivenAccount>,
    /// The app that asks. Default: none; the decision ends with the roles.
    pub client: Option<String>,
    /// The scopes it asks for. Default: all that it may.
    pub scopes: Option<Vec<String>>,
    /// Decide as at a refresh: the account and its link exist already.
    #[serde(default)]
    pub refresh: bool,
    /// What must come out.
    pub expect: Expectation,
}

/// An account that exists before the test.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenAccount {
    /// Its username.
    pub username: String,
    /// The provider that it is linked to.
    pub provider: Option<String>,
    /// Its `sub` there.
    pub sub: Option<String>,
    /// Its stored address.
    pub email: Option<String>,
    /// Whether that address was verified.
    #[serde(default)]
    pub email_verified: bool,
}

/// `expect`: further keys are attributes, compared by value.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Expectation {
    /// The whole set of roles.
    pub roles: Option<Vec<String>>,
    /// The whole set of groups.
    pub groups: Option<Vec<String>>,
    /// Roles that must be among them.
    pub has_roles: Vec<String>,
    /// Roles that must not.
    pub lacks_roles: Vec<String>,
    /// The account's username.
    pub username: Option<String>,
    /// The account's subject.
    pub sub: Option<String>,
    /// How the account was found: `sub`, `declared`, `email`, or the username that was joined.
    pub link: Option<String>,
    /// Whether the account was created.
    pub created: Option<bool>,
    /// What the app gets, in the ID token or by userinfo.
    pub claims: Option<Map<String, Value>>,
    /// What the ID token carries.
    pub id_token: Option<Map<String, Value>>,
    /// What userinfo returns.
    pub userinfo: Option<Map<String, Value>>,
    /// What the access token carries.
    pub access_token: Option<Map<String, Value>>,
    /// Claims that the app must not get.
    pub absent: Vec<String>,
    /// The reason code of the refusal.
    pub refused: Option<String>,
    /// Attributes.
    #[serde(flatten)]
    pub attributes: BTreeMap<String, Value>,
}
