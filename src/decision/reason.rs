//! Reason codes: why a sign-in or a request was refused. They are stable, because pages, logs, tests and scripts contain them.

use std::fmt;

/// Why a decision refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// An expression of `providers.X.claims` failed, or its value has the wrong type.
    ClaimMappingFailed,
    /// `providers.X.allow` did not hold.
    NotAllowed,
    /// The provider is not declared, or is disabled.
    ProviderRemoved,
    /// The provider creates no users, and this user is not declared.
    UserNotDeclared,
    /// The user is disabled, in the file or at run time.
    UserDisabled,
    /// A new account needs a username, and the provider sent none.
    UsernameMissing,
    /// The username is empty, too long or contains hidden characters.
    UsernameInvalid,
    /// The username belongs to someone else.
    UsernameTaken,
    /// The username is reserved.
    UsernameReserved,
    /// The verified address belongs to several accounts.
    EmailAmbiguous,
    /// The client is not declared, or is disabled.
    ClientDisabled,
    /// The client does not accept this provider.
    ClientProviderNotAllowed,
    /// `clients.X.require` did not hold.
    ClientRequirementNotMet,
    /// `console.require` did not hold.
    ConsoleRequirementNotMet,
    /// An expression of `clients.X.claims` failed.
    AppClaimFailed,
    /// The provider's `on_refresh` refuses refreshes.
    RefreshDenied,
}

impl Reason {
    /// Every reason, for documentation and tests.
    pub const ALL: &'static [Self] = &[
        Self::ClaimMappingFailed,
        Self::NotAllowed,
        Self::ProviderRemoved,
        Self::UserNotDeclared,
        Self::UserDisabled,
        Self::UsernameMissing,
        Self::UsernameInvalid,
        Self::UsernameTaken,
        Self::UsernameReserved,
        Self::EmailAmbiguous,
        Self::ClientDisabled,
        Self::ClientProviderNotAllowed,
        Self::ClientRequirementNotMet,
        Self::ConsoleRequirementNotMet,
        Self::AppClaimFailed,
        Self::RefreshDenied,
    ];

    /// Whether the decision could be different with the claims that the provider states now.
    #[must_use]
    pub const fn rests_on_claims(self) -> bool {
        matches!(
            self,
            Self::ClaimMappingFailed
                | Self::NotAllowed
                | Self::ClientRequirementNotMet
                | Self::ConsoleRequirementNotMet
                | Self::AppClaimFailed
        )
    }

    /// The code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ClaimMappingFailed => "claim_mapping_failed",
            Self::NotAllowed => "not_allowed",
            Self::ProviderRemoved => "provider_removed",
            Self::UserNotDeclared => "user_not_declared",
            Self::UserDisabled => "user_disabled",
            Self::UsernameMissing => "username_missing",
            Self::UsernameInvalid => "username_invalid",
            Self::UsernameTaken => "username_taken",
            Self::UsernameReserved => "username_reserved",
            Self::EmailAmbiguous => "email_ambiguous",
            Self::ClientDisabled => "client_disabled",
            Self::ClientProviderNotAllowed => "client_provider_not_allowed",
            Self::ClientRequirementNotMet => "client_requirement_not_met",
            Self::ConsoleRequirementNotMet => "console_requirement_not_met",
            Self::AppClaimFailed => "app_claim_failed",
            Self::RefreshDenied => "refresh_denied",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
