//! The paths of the console, below the path of the issuer. They are served if the file declares `[console]`, and reserved in
//! any case.

/// A page of the console, or an action there: its GET asks, its POST acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsolePage {
    /// The first page.
    Overview,
    /// Users, by a search.
    Users,
    /// One user.
    User,
    /// The decision on a user.
    Why,
    /// Sessions.
    Sessions,
    /// Refusals of the last days.
    Refusals,
    /// The audit trail.
    Audit,
    /// A decision; its id follows the path.
    Trace,
    /// Providers.
    Providers,
    /// One provider.
    Provider,
    /// Clients.
    Clients,
    /// One client.
    Client,
    /// Roles.
    Roles,
    /// One role.
    Role,
    /// Generations of the configuration.
    Configuration,
    /// A draft of a provider.
    DraftProvider,
    /// A draft of a client.
    DraftClient,
    /// A draft of a role.
    DraftRole,
    /// A draft of a user's entry.
    DraftUser,
    /// Disables a user.
    DisableUser,
    /// Enables a user again.
    EnableUser,
    /// Ends a session.
    EndSession,
    /// Ends all sessions of a user.
    EndSessions,
    /// Revokes a consent.
    RevokeConsent,
    /// Revokes all grants of a client.
    RevokeClient,
}

impl ConsolePage {
    /// Every page.
    pub const ALL: [Self; 25] = [
        Self::Overview,
        Self::Users,
        Self::User,
        Self::Why,
        Self::Sessions,
        Self::Refusals,
        Self::Audit,
        Self::Trace,
        Self::Providers,
        Self::Provider,
        Self::Clients,
        Self::Client,
        Self::Roles,
        Self::Role,
        Self::Configuration,
        Self::DraftProvider,
        Self::DraftClient,
        Self::DraftRole,
        Self::DraftUser,
        Self::DisableUser,
        Self::EnableUser,
        Self::EndSession,
        Self::EndSessions,
        Self::RevokeConsent,
        Self::RevokeClient,
    ];

    /// Its path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/console",
            Self::Users => "/console/users",
            Self::User => "/console/user",
            Self::Why => "/console/user/why",
            Self::Sessions => "/console/sessions",
            Self::Refusals => "/console/refusals",
            Self::Audit => "/console/audit",
            Self::Trace => "/console/trace/",
            Self::Providers => "/console/providers",
            Self::Provider => "/console/provider",
            Self::Clients => "/console/clients",
            Self::Client => "/console/client",
            Self::Roles => "/console/roles",
            Self::Role => "/console/role",
            Self::Configuration => "/console/configuration",
            Self::DraftProvider => "/console/draft/provider",
            Self::DraftClient => "/console/draft/client",
            Self::DraftRole => "/console/draft/role",
            Self::DraftUser => "/console/draft/user",
            Self::DisableUser => "/console/user/disable",
            Self::EnableUser => "/console/user/enable",
            Self::EndSession => "/console/session/end",
            Self::EndSessions => "/console/user/sessions/end",
            Self::RevokeConsent => "/console/consent/revoke",
            Self::RevokeClient => "/console/client/revoke",
        }
    }

    /// What it is a draft of, if it is one: its GET shows the form, its POST what the change would be.
    #[must_use]
    pub const fn drafts(self) -> Option<&'static str> {
        match self {
            Self::DraftProvider => Some("provider"),
            Self::DraftClient => Some("client"),
            Self::DraftRole => Some("role"),
            Self::DraftUser => Some("user"),
            _ => None,
        }
    }

    /// Whether it is an action.
    #[must_use]
    pub const fn acts(self) -> bool {
        matches!(
            self,
            Self::DisableUser
                | Self::EnableUser
                | Self::EndSession
                | Self::EndSessions
                | Self::RevokeConsent
                | Self::RevokeClient
        )
    }
}
