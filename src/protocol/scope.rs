//! Scopes.

/// Scopes that exist without a declaration.
pub const BUILT_IN_SCOPES: &[&str] =
    &["openid", "profile", "email", "address", "phone", "groups", "roles", "offline_access"];
