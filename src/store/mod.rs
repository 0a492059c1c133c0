//! What is persisted, and the operations on it.
//!
//! [`Store`] lists every operation once; each is one transaction. A backend owns how rows look, how they are sealed and
//! how they are swept. Policy, protocol and the clock stay outside: callers pass `now` and decide.

pub mod model;
pub mod seal;
pub mod sqlite;

use async_trait::async_trait;
use serde_json::{Map, Value};

use model::{
    Code, Consent, Grant, Interaction, Link, LinkKey, Login, RefreshToken, Session, SigningKey, StoredTrace, TokenHash,
    User,
};

/// Why an operation did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Locked, full or read-only: 503, try again. Nothing was written.
    #[error("the store is busy or can't be written: {0}")]
    Unavailable(String),
    /// A row can't be opened with any of the keys, or does not read as what it should be.
    #[error("the store holds something that can't be read: {0}")]
    Corrupt(String),
}

/// Shorthand for the outcome of an operation.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A session with whom it is for.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
    /// The upstream account that vouched; `None` when the link is gone.
    pub link: Option<Link>,
}

/// A grant with whom it is for.
#[derive(Clone, Debug)]
pub struct GrantView {
    /// The grant.
    pub grant: Grant,
    /// Its user; `None` for `client_credentials`, or when the account is gone.
    pub user: Option<User>,
    /// The upstream account that vouched.
    pub link: Option<Link>,
    /// The session it is bound to, while that is there.
    pub session: Option<Session>,
}

/// What the account decision needs to know of the store, read in one go.
#[derive(Clone, Debug, Default)]
pub struct AccountQuery {
    /// The upstream account.
    pub key: Option<LinkKey>,
    /// Username key of the `[users]` entry that declares this upstream account.
    pub declared: Option<String>,
    /// Verified address and the providers (id, issuer) whose accounts it may join.
    pub email: Option<(String, Vec<(String, String)>)>,
    /// `username_key` of the wanted username; those that start with it are returned as taken, at most 1,000.
    pub username_key: Option<String>,
}

/// The answer to an [`AccountQuery`].
#[derive(Clone, Debug, Default)]
pub struct AccountView {
    /// The account that the upstream account is linked to, with that link.
    pub linked: Option<(User, Link)>,
    /// The account of that username key.
    pub declared: Option<User>,
    /// Whether that account has a link at the provider and issuer of the query's `key`.
    pub declared_is_linked: bool,
    /// Accounts whose link carries the verified address.
    pub by_email: Vec<User>,
    /// `username_key`s that equal the wanted one or extend it, with the account's id.
    pub taken: Vec<(String, String)>,
}

/// How a sign-in changes accounts.
#[derive(Clone, Debug)]
pub enum AccountWrite {
    /// A new account.
    Create(User),
    /// An account that exists signs in.
    Update {
        /// The account.
        user_id: String,
        /// Its stored attributes from now on, where they changed.
        profile: Option<Map<String, Value>>,
    },
}

/// Everything that a finished sign-in writes, in one transaction.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The account.
    pub account: AccountWrite,
    /// Its link, made or refreshed.
    pub link: Link,
    /// Names that become System roles.
    pub system_roles: Vec<String>,
    /// The new session and the hash of its cookie's secret.
    pub session: Session,
    /// Hash of the session cookie's secret.
    pub session_secret: TokenHash,
    /// The session that the browser had before; ended (D21), unless it is of the same user, when its grants move over.
    pub replaces: Option<String>,
    /// The code for the app, unless consent comes first.
    pub code: Option<Code>,
    /// The decision.
    pub trace: StoredTrace,
}

/// An app that had a part in a session that ended: whom to notify (OIDC Back-Channel Logout §2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSession {
    /// Key of the client.
    pub client: String,
    /// The `sid` in the tokens that it got; another than the session's own when the grant moved over from an older one.
    pub sid: String,
}

/// What a provider says has ended (OIDC Back-Channel Logout §2.4): at least one of `subject` and `sid` is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSessions {
    /// Provider id.
    pub provider: String,
    /// The provider's issuer.
    pub issuer: String,
    /// The upstream `sub`: all sessions that this account vouched for.
    pub subject: Option<String>,
    /// The upstream `sid`: only those of this session there, or, with a subject, of a session without a known `sid`.
    pub sid: Option<String>,
}

/// Whether a [`SignIn`] was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInWritten {
    /// It was.
    Done,
    /// It was, and another user's session ended with it, in which these apps had a part.
    Replaced(Vec<AppSession>),
    /// Another sign-in took the username, the link or the subject in between, or the account was disabled: nothing was
    /// written, decide again.
    Conflict,
}

/// Whether a code was redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// This was the first use.
    First,
    /// It was used, expired or unknown; what its first use issued is revoked now.
    Refused,
}

/// The outcome of a refresh token's use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The successor that was offered is stored.
    New,
    /// Within the grace: the successor that the first use stored, as it was handed out.
    Replayed(String),
    /// Used before, outside the grace or after its successor was used: the family is revoked now.
    Reused,
    /// Unknown or expired, or its grant, session or user has gone or lost access meanwhile: nothing was written.
    Refused,
}

/// One use of a refresh token. Everything in it is written only when the outcome is [`Rotated::New`].
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The token that was presented.
    pub parent: TokenHash,
    /// Its successor; `None` keeps the presented token (no rotation) and only moves its `expires_at`.
    pub successor: Option<(RefreshToken, String)>,
    /// Its `expires_at` when it is kept.
    pub keep_until: i64,
    /// Seconds in which the parent may be presented again.
    pub grace: i64,
    /// The link with fresh upstream claims, where they were asked for.
    pub link: Option<Link>,
    /// The session to mark as active.
    pub touch_session: Option<String>,
    /// The account's stored attributes from now on, where they changed.
    pub profile: Option<(String, Map<String, Value>)>,
    /// Thumbprint of the key that the grant is bound to from now on, unless it is bound already.
    pub dpop_jkt: Option<String>,
    /// The grant's new end, never earlier than before.
    pub grant_expires_at: i64,
}

/// One known user with all links, for `plan` and `explain`.
#[derive(Clone, Debug)]
pub struct Person {
    /// The account.
    pub user: User,
    /// Its upstream accounts.
    pub links: Vec<Link>,
}

/// The operations, each one transaction. `now` is in seconds since the Unix epoch. A write that was answered survives the
/// end of the process, and a power cut too, but for logins, interactions, finished sign-ins, codes, activity and sweeping:
/// of those a power cut may take the last, and then nothing that was written after them is left either. A sign-in leaves
/// nothing with an app before its code is redeemed, or a grant saved, which waits for the disk, and with it all that it
/// rests on.
#[async_trait]
pub trait Store: Send + Sync {
    /// Answers when the store can be read and written (`/readyz`).
    async fn ping(&self) -> Result<()>;

    /// Keeps a sign-in that leaves for the provider.
    async fn save_login(&self, login: Login) -> Result<()>;
    /// Takes a sign-in by its state: at most one caller gets it. Expired ones are not returned.
    async fn take_login(&self, state: TokenHash, now: i64) -> Result<Option<Login>>;

    /// Keeps a request that waits for a person.
    async fn save_interaction(&self, interaction: Interaction) -> Result<()>;
    /// Reads it, leaving it there.
    async fn interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>>;
    /// Takes it: at most one caller gets it.
    async fn take_interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>>;

    /// What the account decision needs to know.
    async fn accounts(&self, query: AccountQuery) -> Result<AccountView>;
    /// Refreshes a link that exists; nothing happens when it is gone or another user's.
    async fn save_link(&self, link: Link) -> Result<()>;
    /// Writes a finished sign-in.
    async fn finish_sign_in(&self, sign_in: SignIn, now: i64) -> Result<SignInWritten>;

    /// The session of a cookie. Returned even when it is no longer live; the caller checks.
    async fn session(&self, secret: TokenHash) -> Result<Option<SessionView>>;
    /// A session by its id.
    async fn session_by_id(&self, id: &str) -> Result<Option<SessionView>>;
    /// Sessions, newest first; of one user when named.
    async fn sessions(&self, user_id: Option<&str>, limit: u32) -> Result<Vec<SessionView>>;
    /// The sessions that a provider's sign-out ends, live or not.
    async fn sessions_of_upstream(&self, upstream: UpstreamSessions) -> Result<Vec<SessionView>>;
    /// Marks a session as active.
    async fn touch_session(&self, id: &str, now: i64) -> Result<()>;
    /// Ends a session and revokes the grants bound to it. Returns the apps that had a grant in it: those with
    /// `offline_access` too, whose grants live on, and those whose grant was revoked, who may still hold a session of their
    /// own.
    async fn end_session(&self, id: &str, now: i64) -> Result<Vec<AppSession>>;

    /// Ends these sessions as [`Self::end_session`] does, all or none, and remembers a one-time identifier as
    /// [`Self::use_once`] does: `None`, and nothing has ended, when it was there already. Returns the apps of each.
    async fn end_sessions_once(
        &self,
        ids: Vec<String>,
        kind: &str,
        id: &str,
        expires_at: i64,
        now: i64,
    ) -> Result<Option<Vec<Vec<AppSession>>>>;

    /// Keeps a code, with the consent that it rests on, and marks its session as active.
    async fn save_code(&self, code: Code, consent: Option<Consent>, now: i64) -> Result<()>;
    /// Reads a code, used or not, with the session that it was issued in, while that is there.
    async fn code(&self, hash: TokenHash) -> Result<Option<(Code, Option<SessionView>)>>;
    /// Redeems a code: its grant and the first refresh token of the family are stored, or, when it was used before or
    /// has expired, what its first use issued is revoked. Refused as well when the session that the grant dies with has
    /// ended or the user was disabled in between. A used code is remembered until its grant's `expires_at`.
    async fn redeem_code(
        &self,
        hash: TokenHash,
        grant: Grant,
        refresh: Option<RefreshToken>,
        now: i64,
    ) -> Result<Redeemed>;

    /// Keeps a grant that comes from no code (`client_credentials`, tokens of the authorization endpoint), with the consent
    /// that it rests on, and marks its session as active.
    async fn save_grant(&self, grant: Grant, consent: Option<Consent>, now: i64) -> Result<()>;
    /// Reads a grant, revoked or not.
    async fn grant(&self, id: &str) -> Result<Option<GrantView>>;
    /// Revokes a grant and its refresh family.
    async fn revoke_grant(&self, id: &str, now: i64) -> Result<()>;
    /// A refresh token with its grant.
    async fn refresh_token(&self, hash: TokenHash) -> Result<Option<(RefreshToken, GrantView)>>;
    /// Uses a refresh token.
    async fn rotate_refresh(&self, rotation: Rotation, now: i64) -> Result<Rotated>;

    /// A user's remembered consent for a client.
    async fn consent(&self, user_id: &str, client: &str) -> Result<Option<Consent>>;
    /// Forgets it and revokes the grants that rest on it.
    async fn revoke_consent(&self, user_id: &str, client: &str, now: i64) -> Result<()>;

    /// All signing keys.
    async fn signing_keys(&self) -> Result<Vec<SigningKey>>;
    /// Replaces all signing keys, if those there are still exactly `expected` (kids): `false` when another process
    /// changed them in between.
    async fn replace_signing_keys(&self, expected: Vec<String>, keys: Vec<SigningKey>) -> Result<bool>;

    /// Names that became System roles.
    async fn system_roles(&self) -> Result<Vec<String>>;

    /// A user by username key.
    async fn user(&self, username_key: &str) -> Result<Option<Person>>;
    /// Users after `after` (a user id), in order of id.
    async fn people(&self, after: Option<&str>, limit: u32) -> Result<Vec<Person>>;
    /// Takes a user's access away, or gives it back; ends sessions and grants when taken away.
    async fn set_user_disabled(&self, user_id: &str, disabled: bool, now: i64) -> Result<()>;
    /// Gives a user another name; `false` when it is taken, or when there is no such user.
    async fn rename_user(&self, user_id: &str, username: &str, username_key: &str) -> Result<bool>;

    /// Keeps a decision.
    async fn save_trace(&self, trace: StoredTrace) -> Result<()>;
    /// A decision by its id.
    async fn trace(&self, id: &str, now: i64) -> Result<Option<StoredTrace>>;

    /// Remembers a one-time identifier until `expires_at`; `false` when it was there already. Once that has passed it
    /// counts as new.
    async fn use_once(&self, kind: &str, id: &str, expires_at: i64, now: i64) -> Result<bool>;

    /// Deletes up to `limit` expired rows of each kind; `true` when there may be more.
    async fn sweep(&self, now: i64, limit: u32) -> Result<bool>;
}
