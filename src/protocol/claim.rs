//! Claim names.

/// Claims that a setting of the same name does not turn into a slip: OIDC Core §5.1 and the broker's own.
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

/// Claims that the protocol or the broker sets, and nothing else may.
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
    /// A list of strings; a single string stands for a list of one.
    List,
    /// Any of them: no standard says which.
    Any,
}

/// The type of a claim: of the standard ones that of OIDC Core §5.1.
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
