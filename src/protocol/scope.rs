//! Scopes.

/// Scopes that exist without a declaration, with the claims that each releases (OIDC Core §5.4).
pub const SCOPE_CLAIMS: &[(&str, &[&str])] = &[
    ("openid", &[]),
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
    ("groups", &["groups"]),
    ("roles", &["roles"]),
    ("offline_access", &[]),
];

/// The names of the scopes that exist without a declaration.
pub fn built_in_scopes<'a>() -> impl Iterator<Item = &'a str> + Clone {
    SCOPE_CLAIMS.iter().map(|(name, _)| *name)
}
