//! `[[tests]]`: tests of the file itself, run by `check`, by `test`, at every start and before every reload.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

/// `[[tests]]`
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MappingTest {
    /// What the test shows; reports identify it by this name.
    pub name: String,
    /// The provider through which the user signs in.
    pub provider: Option<String>,
    /// The upstream claims.
    pub claims: Option<Map<String, Value>>,
    /// A client certificate, instead of `claims`.
    pub certificate: Option<Map<String, Value>>,
    /// Accounts that exist before the sign-in.
    #[serde(default)]
    pub given: Vec<GivenAccount>,
    /// The app that the user signs in to. Default: none; the decision ends with the roles.
    pub client: Option<String>,
    /// The scopes that the app requests. Default: all that it may request.
    pub scopes: Option<Vec<String>>,
    /// Decide as at a refresh: the account and its link exist already.
    #[serde(default)]
    pub refresh: bool,
    /// The expected outcome.
    pub expect: Expectation,
}

/// An account that exists before the test.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GivenAccount {
    /// Its username.
    pub username: String,
    /// The provider to which it is linked.
    pub provider: Option<String>,
    /// Its `sub` at that provider.
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
    /// All roles of the user.
    pub roles: Option<Vec<String>>,
    /// All groups of the user.
    pub groups: Option<Vec<String>>,
    /// Roles that the user must have.
    pub has_roles: Vec<String>,
    /// Roles that the user must not have.
    pub lacks_roles: Vec<String>,
    /// The account's username.
    pub username: Option<String>,
    /// The account's subject.
    pub sub: Option<String>,
    /// How the account was found: `sub`, `declared`, `email`, or the username of the account that was linked.
    pub link: Option<String>,
    /// Whether the account was created.
    pub created: Option<bool>,
    /// Claims that the app receives, in the ID token or from userinfo.
    pub claims: Option<Map<String, Value>>,
    /// Claims that the ID token carries.
    pub id_token: Option<Map<String, Value>>,
    /// Claims that userinfo returns.
    pub userinfo: Option<Map<String, Value>>,
    /// Claims that the access token carries.
    pub access_token: Option<Map<String, Value>>,
    /// Claims that the app must not receive.
    pub absent: Vec<String>,
    /// The reason code of the refusal.
    pub refused: Option<String>,
    /// Attributes.
    #[serde(flatten)]
    pub attributes: BTreeMap<String, Value>,
}
