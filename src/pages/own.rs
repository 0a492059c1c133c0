//! The frame of the broker's own pages for people who are signed in, and the page that asks before an action.

use serde::Serialize;

use crate::pages::views::{PostForm, View};

/// What every such page shows around its contents. Its template extends `shell.layout`.
#[derive(Clone, Debug, Serialize)]
pub struct Shell {
    /// The template of the area: its title and its navigation.
    pub layout: &'static str,
    /// The entry of the navigation that the page belongs to.
    pub section: &'static str,
    /// Who is signed in.
    pub user_name: String,
    /// The path that a sign-out begins at.
    pub sign_out_path: String,
    /// Whether there is a page of client certificates.
    pub certificates: bool,
    /// What has just been done.
    pub notice: Option<Notice>,
}

/// What an action did, on the page after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Key of the text, below `notice.`.
    pub key: &'static str,
    /// What it is about, where the text says.
    pub about: String,
}

impl Notice {
    /// The notice of this key. `None` when no text has it.
    #[must_use]
    pub fn of(key: &str, about: &str) -> Option<Self> {
        let did = Did::ALL.iter().find(|did| did.key() == key)?;
        Some(Self { key: did.key(), about: about.to_owned() })
    }
}

/// Gives each variant its key.
macro_rules! keys {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $key:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$of])* $variant,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The key of its texts.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self {
                    $(Self::$variant => $key,)+
                }
            }
        }
    };
}

keys! {
    /// What an action did. Each has a text, `notice.KEY`.
    Did {
        /// A session ended; about the device.
        SessionEnded = "session_ended",
        /// The session had ended before.
        SessionGone = "session_gone",
        /// Other sessions ended; about how many.
        OtherSessionsEnded = "other_sessions_ended",
        /// A person took a consent back; about the app.
        ConsentTakenBack = "consent_taken_back",
        /// There was no such consent any more.
        ConsentNotThere = "consent_not_there",
        /// A person attached a certificate; about it.
        CertificateAttached = "certificate_attached",
        /// It was theirs before; about it.
        CertificateOwnAlready = "certificate_own_already",
        /// It is somebody else's; about it.
        CertificateTaken = "certificate_taken",
        /// It is not valid; about what is wrong.
        CertificateInvalid = "certificate_invalid",
        /// The browser presented none, or another one.
        NoCertificate = "no_certificate",
        /// The person has too many; about the one that was not attached.
        TooManyCertificates = "too_many_certificates",
        /// A person detached a certificate; about it.
        CertificateDetached = "certificate_detached",
        /// There was none to detach.
        CertificateNotThere = "certificate_not_there",
        /// There were no others.
        NoOtherSessions = "no_other_sessions",
        /// An operator disabled a user.
        UserDisabled = "user_disabled",
        /// The user was disabled before.
        UserWasDisabled = "user_was_disabled",
        /// An operator enabled a user again.
        UserEnabled = "user_enabled",
        /// The user was enabled before.
        UserWasEnabled = "user_was_enabled",
        /// An operator ended a session of a user.
        SessionRevoked = "session_revoked",
        /// An operator ended all sessions of a user; about how many.
        SessionsRevoked = "sessions_revoked",
        /// An operator revoked a consent; about the user and the app.
        ConsentRevoked = "consent_revoked",
        /// There was no such consent any more.
        ConsentGone = "consent_gone",
        /// An operator revoked the grants of an app; about how many.
        ClientRevoked = "client_revoked",
    }
}

keys! {
    /// An action that a page asks about. Each has the texts `action.KEY.title`, `.message` and `.button`.
    Action {
        /// End a session; about the device.
        EndSession = "end_session",
        /// Take a consent back; about the app.
        TakeBackConsent = "take_back_consent",
        /// Attach a certificate; about it.
        AttachCertificate = "attach_certificate",
        /// Detach a certificate; about it.
        DetachCertificate = "detach_certificate",
        /// End all sessions but this one.
        EndOtherSessions = "end_other_sessions",
        /// Disable a user.
        DisableUser = "disable_user",
        /// Enable a user again.
        EnableUser = "enable_user",
        /// End a session of a user.
        RevokeSession = "revoke_session",
        /// End all sessions of a user.
        RevokeSessions = "revoke_sessions",
        /// Revoke a consent; about the user and the app.
        RevokeConsent = "revoke_consent",
        /// Revoke all grants of an app.
        RevokeClient = "revoke_client",
    }
}

/// Asks before an action. The form sends nothing but its hidden fields.
#[derive(Clone, Debug, Serialize)]
pub struct ConfirmAction {
    /// The frame.
    pub shell: Shell,
    /// Key of the texts, below `action.`.
    pub action: &'static str,
    /// What is acted on, where the texts say.
    pub about: String,
    /// Whether the person signed in recently enough; otherwise the button leads to another sign-in first.
    pub recent: bool,
    /// The path that leads back without it.
    pub back: String,
    /// Where the decision is sent.
    pub form: PostForm,
}

impl View for ConfirmAction {
    const TEMPLATE: &'static str = "confirm_action.html";
}

/// The way to the next page of a list.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Paging {
    /// The path of the first page, on any other.
    pub first: Option<String>,
    /// The path of the next page.
    pub next: Option<String>,
}
