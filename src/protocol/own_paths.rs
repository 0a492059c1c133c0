//! The paths of the broker's own pages for people who are signed in, below the path of its issuer.
//!
//! Each area is served if the file declares its table, and reserved in any case
//! ([`RESERVED`](crate::protocol::paths::RESERVED)).

/// A page below `/account`, or an action there: its GET asks, its POST acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountPage {
    /// Who the broker thinks the visitor is.
    Overview,
    /// Which apps the visitor may enter.
    Apps,
    /// What the visitor has allowed apps.
    Consents,
    /// Takes one of these back.
    RevokeConsent,
    /// The client certificates of the visitor.
    Certificates,
    /// Attaches the one that the browser presents.
    AttachCertificate,
    /// Detaches one.
    DetachCertificate,
    /// What happened to the visitor lately.
    Activity,
    /// The sessions of the visitor.
    Sessions,
    /// Ends one of them.
    EndSession,
    /// Ends all but the one in use.
    EndOtherSessions,
}

impl AccountPage {
    /// Every page.
    pub const ALL: [Self; 11] = [
        Self::Overview,
        Self::Apps,
        Self::Consents,
        Self::RevokeConsent,
        Self::Certificates,
        Self::AttachCertificate,
        Self::DetachCertificate,
        Self::Activity,
        Self::Sessions,
        Self::EndSession,
        Self::EndOtherSessions,
    ];

    /// Its path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Overview => "/account",
            Self::Apps => "/account/apps",
            Self::Consents => "/account/consents",
            Self::RevokeConsent => "/account/consents/revoke",
            Self::Certificates => "/account/certificates",
            Self::AttachCertificate => "/account/certificates/attach",
            Self::DetachCertificate => "/account/certificates/detach",
            Self::Activity => "/account/activity",
            Self::Sessions => "/account/sessions",
            Self::EndSession => "/account/sessions/end",
            Self::EndOtherSessions => "/account/sessions/end-others",
        }
    }

    /// Whether it is an action.
    #[must_use]
    pub const fn acts(self) -> bool {
        matches!(
            self,
            Self::RevokeConsent
                | Self::AttachCertificate
                | Self::DetachCertificate
                | Self::EndSession
                | Self::EndOtherSessions
        )
    }
}
