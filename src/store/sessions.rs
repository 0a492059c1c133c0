//! Single sign-on sessions: made by a finished sign-in, ended by signing out here or at the provider.

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::store::Result;
use crate::store::ids::{SessionId, UserId};
use crate::store::model::{Code, Link, Session, StoredTrace, TokenHash, User};

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

/// How a sign-in changes accounts.
#[derive(Clone, Debug)]
pub enum AccountWrite {
    /// A new account.
    Create(User),
    /// An account that exists signs in.
    Update {
        /// The account.
        user_id: UserId,
        /// Its stored attributes from now on, where they changed.
        profile: Option<Map<String, Value>>,
    },
}

/// Everything that a finished sign-in writes, in one transaction.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The account.
    pub account: AccountWrite,
    /// Whether the account may have no other upstream account at the link's provider and issuer: an address found it, and
    /// counts at the first sign-in only.
    pub only_here: bool,
    /// Its link, made or refreshed.
    pub link: Link,
    /// Names that become System roles.
    pub system_roles: Vec<String>,
    /// The new session and the hash of its cookie's secret.
    pub session: Session,
    /// Hash of the session cookie's secret.
    pub session_secret: TokenHash,
    /// The session that the browser had before; ended (D21), unless it is of the same user, when its grants move over.
    pub replaces: Option<SessionId>,
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
    pub sid: SessionId,
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
    /// Another sign-in took the username, the link or the subject in between, or linked the account at the same provider
    /// where it may have one upstream account only, or the account was disabled: nothing was written, decide again.
    Conflict,
}

/// Single sign-on sessions: made by a finished sign-in, ended by signing out here or at the provider.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Writes a finished sign-in.
    async fn finish_sign_in(&self, sign_in: SignIn, now: i64) -> Result<SignInWritten>;

    /// The session of a cookie. Returned even when it is no longer live; the caller checks.
    async fn session(&self, secret: TokenHash) -> Result<Option<SessionView>>;

    /// A session by its id, or by the `sid` of a grant that moved over to it when its user signed in anew.
    async fn session_by_id(&self, id: &SessionId) -> Result<Option<SessionView>>;

    /// Sessions, newest first; of one user when named.
    async fn sessions(&self, user_id: Option<&UserId>, limit: u32) -> Result<Vec<SessionView>>;

    /// The sessions that a provider's sign-out ends, live or not.
    async fn sessions_of_upstream(&self, upstream: UpstreamSessions) -> Result<Vec<SessionView>>;

    /// Marks a session as active.
    async fn touch_session(&self, id: &SessionId, now: i64) -> Result<()>;

    /// Ends a session and revokes the grants bound to it. Returns the apps that had a grant in it: those with
    /// `offline_access` too, whose grants live on, and those whose grant was revoked, who may still hold a session of their
    /// own.
    async fn end_session(&self, id: &SessionId, now: i64) -> Result<Vec<AppSession>>;

    /// Ends these sessions as [`Self::end_session`] does, all or none, and remembers a one-time identifier as
    /// [`Self::use_once`] does: `None`, and nothing has ended, when it was there already. Returns the apps of each.
    async fn end_sessions_once(
        &self,
        ids: Vec<SessionId>,
        kind: &str,
        id: &str,
        expires_at: i64,
        now: i64,
    ) -> Result<Option<Vec<Vec<AppSession>>>>;
}
