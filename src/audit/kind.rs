//! The kinds of events.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal: $message:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its stable name, in the log, in the store and in queries.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The one of this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }

            /// What happened, in words.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$variant => $message,)*
                }
            }
        }
    };
}

named! {
    /// What happened.
    Kind {
        /// Somebody signed in at a provider and was let in.
        SignIn = "sign_in": "signed in",
        /// The policy refused somebody; `reason` says why.
        Refusal = "refusal": "refused",
        /// A provider failed, or what it answered failed a check; `reason` says how.
        UpstreamFailure = "upstream_failure": "a provider failed",
        /// A first sign-in made an account.
        AccountCreated = "account_created": "an account was created",
        /// An account got another upstream account.
        AccountLinked = "account_linked": "an upstream account was linked",
        /// A role that a provider asserted became a System role.
        RoleCreated = "role_created": "a System role was created",
        /// A reload changed a role or a rule that grants roles.
        RoleChanged = "role_changed": "the configuration of roles changed",
        /// Tokens were issued.
        TokenIssued = "token_issued": "tokens were issued",
        /// Tokens were issued for a refresh token.
        TokenRefreshed = "token_refreshed": "tokens were refreshed",
        /// A grant was revoked by its app, with all its tokens.
        TokenRevoked = "token_revoked": "a grant was revoked",
        /// A user took a consent back on the account pages.
        ConsentRevoked = "consent_revoked": "a user took a consent back",
        /// A user attached a client certificate on the account pages.
        CertificateAttached = "certificate_attached": "a user attached a client certificate",
        /// A user detached one there.
        CertificateDetached = "certificate_detached": "a user detached a client certificate",
        /// A session ended because its user signed out, here or at the provider.
        Logout = "logout": "signed out",
        /// A provider sent a security event about an account, which was acted upon; `detail` is the event.
        Signal = "signal": "a security event of a provider",
        /// Somebody signed in by the break-glass account, or tried to.
        BreakGlass = "break_glass": "the break-glass sign-in was used",
        /// Another configuration generation serves.
        Reload = "reload": "the configuration was reloaded",
        /// The files have problems, and the old generation stays in service.
        ReloadFailed = "reload_failed": "the configuration has problems: the old one stays in service",
        /// Other signing keys are in use from now on; `detail` names them.
        KeysRotated = "keys_rotated": "the signing keys were rotated",
        /// An administrator did something; `action` says what.
        AdminAction = "admin_action": "an administrator acted",
        /// A client certificate's header came where it does not count, and was ignored.
        CertificateIgnored = "certificate_ignored": "the header of a client certificate was ignored",
        /// Something that deserves a look; `pattern` says what.
        Suspicious = "suspicious": "suspicious behaviour",
    }
}

named! {
    /// What an administrator did.
    Action {
        /// Took a user's access away.
        UserDisabled = "user_disabled": "a user was disabled",
        /// Gave it back.
        UserEnabled = "user_enabled": "a user was enabled",
        /// Gave a user another name.
        UserRenamed = "user_renamed": "a user was renamed",
        /// Ended a session.
        SessionRevoked = "session_revoked": "a session was ended",
        /// Revoked all grants of a client.
        ClientRevoked = "client_revoked": "all grants of a client were revoked",
        /// Revoked a user's consent for a client.
        ConsentRevoked = "consent_revoked": "a consent was revoked",
        /// Detached a client certificate from a user.
        CertificateDetached = "certificate_detached": "a client certificate was detached",
        /// Was refused entry to the console.
        ConsoleRefused = "console_refused": "somebody without the right opened the console",
        /// Rotated the signing keys before they were due.
        KeysRotated = "keys_rotated": "the signing keys were rotated by an administrator",
        /// Revoked a signing key.
        KeyRevoked = "key_revoked": "a signing key was revoked",
        /// Copied the store.
        StoreBackedUp = "store_backed_up": "a backup of the store was made",
        /// Copied the store to another one, which has this event.
        StoreCopied = "store_copied": "the store was copied here from another one",
        /// Read the known people with their claims, for a plan.
        PeopleRead = "people_read": "the known people were read for a plan",
    }
}

named! {
    /// Behaviour that deserves a look.
    Pattern {
        /// One account was refused again and again.
        ManyRefusals = "many_refusals": "one account is refused again and again",
        /// One client presented wrong credentials again and again.
        ManyWrongSecrets = "many_wrong_secrets": "one client presents wrong credentials again and again",
        /// A refresh token was used again after its successor: its family is revoked.
        RefreshReuse = "refresh_reuse": "a refresh token was used again: its family is revoked",
        /// An authorization code was used twice: its tokens are revoked.
        CodeReuse = "code_reuse": "a code was used twice: its tokens are revoked",
        /// An account was entered through an upstream account for the first time.
        NewLink = "new_link": "the first sign-in through a newly linked upstream account",
        /// Break-glass passwords were guessed again and again.
        BreakGlassGuessing = "break_glass_guessing": "break-glass passwords are guessed again and again",
    }
}
