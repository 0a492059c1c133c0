//! The places of the configuration that hold expressions, and which variables may be read there.

/// The place of an expression, which determines the variables that it may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// `providers.X.claims` and `providers.X.subject`: `claims`.
    Claims,
    /// `providers.X.allow`: `claims`, `user`, `provider`.
    Allow,
    /// `role_rules` `when`: `user`, `groups`, `roles`, `provider`.
    When,
    /// `certificates.username`: `cert`.
    Certificate,
    /// `clients.Y.require` and `clients.Y.claims`: `user`, `sub`, `groups`, `roles`, `permissions`, `provider`, `client`,
    /// `scopes`, `acr`, `amr`.
    App,
}

impl Place {
    pub(crate) const ALL: [Self; 5] = [Self::Claims, Self::Allow, Self::When, Self::Certificate, Self::App];

    /// The variables that may be read here.
    #[must_use]
    pub const fn variables(self) -> &'static [&'static str] {
        match self {
            Self::Claims => &["claims"],
            Self::Allow => &["claims", "user", "provider"],
            Self::When => &["user", "groups", "roles", "provider"],
            Self::Certificate => &["cert"],
            Self::App => {
                &["user", "sub", "groups", "roles", "permissions", "provider", "client", "scopes", "acr", "amr"]
            }
        }
    }

    /// The variable with this name.
    pub(crate) fn variable(self, name: &str) -> Option<&'static str> {
        self.variables().iter().copied().find(|variable| *variable == name)
    }
}
