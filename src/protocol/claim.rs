//! Claim names, and what counts as a claim's value.

use serde_json::Value;

/// Whether a claim with this value counts as absent (OIDC Core §5.3.2).
#[must_use]
pub fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

/// The claims of OIDC Core §5.1 and the broker's own. A key in a claims table that has the name of a setting is reported as
/// misplaced, unless it is one of these.
pub const STANDARD_CLAIMS: &[&str] = &[
    "sub",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "email",
    "email_verified",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "phone_number_verified",
    "address",
    "updated_at",
    "username",
    "groups",
    "roles",
];

/// Attributes that a provider has unless the file maps them otherwise: each is the claim of the same name. `sub` identifies the
/// account, and the username is chosen from two claims.
pub fn default_attributes() -> impl Iterator<Item = &'static str> {
    let own = ["sub", "username", "preferred_username"];
    STANDARD_CLAIMS.iter().copied().filter(move |name| !own.contains(name))
}

/// Claims that only the protocol or the broker may set.
pub const PROTOCOL_CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "nonce",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "auth_time",
    "acr",
    "amr",
    "azp",
    "client_id",
    "scope",
    "typ",
    "cnf",
    "act",
    "may_act",
    "events",
    "sub_jwk",
    "_claim_names",
    "_claim_sources",
    "active",
    "token_type",
    "authorization_details",
];

/// The JSON type of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimType {
    /// A string.
    Text,
    /// A boolean.
    Boolean,
    /// A number.
    Number,
    /// An object.
    Object,
    /// A list of strings; a single string counts as a list of one.
    List,
    /// Any of these types: no standard defines it.
    Any,
}

/// The type of a claim; for standard claims, that of OIDC Core §5.1.
#[must_use]
pub fn claim_type(name: &str) -> ClaimType {
    match name {
        "username" | "name" | "given_name" | "family_name" | "middle_name" | "nickname" | "preferred_username"
        | "profile" | "picture" | "website" | "email" | "gender" | "birthdate" | "zoneinfo" | "locale"
        | "phone_number" => ClaimType::Text,
        "email_verified" | "phone_number_verified" => ClaimType::Boolean,
        "updated_at" => ClaimType::Number,
        "address" => ClaimType::Object,
        "groups" | "roles" => ClaimType::List,
        _ => ClaimType::Any,
    }
}
