//! Single sign-on sessions: created by a finished sign-in, ended by signing out here or at the provider.

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::audit::Event;
use crate::store::Result;
use crate::store::ids::{SessionId, UserId};
use crate::store::model::{Code, Link, LinkKey, Session, StoredTrace, TokenHash, UpstreamSession, User};
use crate::store::notices::{NoticeHold, Tell};

/// A session with its user and link.
#[derive(Clone, Debug)]
pub struct SessionView {
    /// The session.
    pub session: Session,
    /// Its user.
    pub user: User,
    /// The upstream account that the user signed in with; `None` if the link no longer exists.
    pub link: Option<Link>,
}

/// How a sign-in changes accounts.
#[derive(Clone, Debug)]
pub enum AccountWrite {
    /// A new account.
    Create(User),
    /// An existing account signs in.
    Update {
        /// The account.
        user_id: UserId,
        /// Its new stored attributes, if they changed.
        profile: Option<Map<String, Value>>,
    },
}

/// Everything that a finished sign-in writes, in one transaction.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The account.
    pub account: AccountWrite,
    /// Whether the account must have no other upstream account at the link's provider and issuer. This holds if the account was
    /// found by an address, which counts at the first sign-in only.
    pub only_here: bool,
    /// Its link, created or refreshed.
    pub link: Link,
    /// Names that become System roles.
    pub system_roles: Vec<String>,
    /// The new session and the hash of its cookie's secret.
    pub session: Session,
    /// Hash of the session cookie's secret.
    pub session_secret: TokenHash,
    /// The session that the browser had before. It is ended (D21). If it belongs to the same user, its grants move to the new
    /// session, as do the upstream sessions that it came from, except an earlier one of the new session's own upstream account.
    pub replaces: Option<SessionId>,
    /// The code for the app, unless the user must consent first.
    pub code: Option<Code>,
    /// The decision.
    pub trace: StoredTrace,
    /// What is recorded of it.
    pub events: Vec<Event>,
    /// The apps to tell if the session that it replaces is another user's.
    pub tell: Tell,
}

/// An app that took part in an ended session and has to be notified (OIDC Back-Channel Logout §2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppSession {
    /// Key of the client.
    pub client: String,
    /// The `sid` in the tokens that it got; it differs from the session's own if the grant was moved from an older session.
    pub sid: SessionId,
    /// The notice that is kept for it, if it is to be told; the caller holds it.
    pub notice: Option<NoticeHold>,
}

/// What has ended according to a provider (OIDC Back-Channel Logout §2.4): `subject`, `sid` or both are present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSessions {
    /// Provider id.
    pub provider: String,
    /// The provider's issuer.
    pub issuer: String,
    /// The upstream `sub`: all sessions of this upstream account.
    pub subject: Option<String>,
    /// The upstream `sid`: only the sessions with this `sid`, or, together with a subject, also those without a known `sid`.
    pub sid: Option<String>,
}

impl UpstreamSessions {
    /// Whether this upstream session is one of them.
    pub(crate) fn ends(&self, link: &LinkKey, sid: Option<&str>) -> bool {
        link.provider == self.provider
            && link.issuer == self.issuer
            && self.subject.as_ref().is_none_or(|subject| link.subject == *subject)
            && self.sid.as_deref().zip(sid).is_none_or(|(said, known)| said == known)
    }
}

/// A session that a provider's sign-out ends.
#[derive(Clone, Debug)]
pub struct FromUpstream {
    /// The session.
    pub view: SessionView,
    /// The session at the provider that it came from.
    pub upstream: UpstreamSession,
}

/// What a provider says has ended.
#[derive(Clone, Debug, Default)]
pub struct EndOnce {
    /// What the one-time identifier is of, and the identifier.
    pub once: (&'static str, String),
    /// Until when it is remembered.
    pub expires_at: i64,
    /// Sessions, which end as [`Sessions::end_session`] says.
    pub sessions: Vec<SessionId>,
    /// Upstream accounts whose grants are revoked, `offline_access` included, if they were made no later than at this time.
    pub grants: Vec<(UserId, LinkKey, i64)>,
    /// Upstream accounts whose claims have changed.
    pub claims: Vec<ChangedClaims>,
    /// The apps to tell of the sessions.
    pub tell: Tell,
}

/// Claims that replace those of a link, unless the provider has stated newer ones since they were read.
#[derive(Clone, Debug)]
pub struct ChangedClaims {
    /// The upstream account.
    pub key: LinkKey,
    /// All of its claims.
    pub claims: Map<String, Value>,
    /// The address that they verify, in lower case.
    pub verified_email: Option<String>,
    /// When they count as obtained.
    pub claims_at: i64,
    /// The time of the claims that they were made from.
    pub read_at: i64,
}

/// Whether a [`SignIn`] was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignInWritten {
    /// It was written.
    Done,
    /// It was written, and another user's session, in which these apps took part, was ended.
    Replaced(Vec<AppSession>),
    /// In the meantime another sign-in took the username, the link or the subject, or linked the account at a provider where it
    /// may have only one upstream account, or the account was disabled: nothing was written, and the caller has to decide
    /// again.
    Conflict,
}

/// Single sign-on sessions: created by a finished sign-in, ended by signing out here or at the provider.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Writes a finished sign-in.
    async fn finish_sign_in(&self, sign_in: SignIn, now: i64) -> Result<SignInWritten>;

    /// Reads the session of a cookie. It is returned even if it is no longer live; the caller checks.
    async fn session(&self, secret: TokenHash) -> Result<Option<SessionView>>;

    /// Reads a session by its id, or by the `sid` of a grant that was moved to it when its user signed in again.
    async fn session_by_id(&self, id: &SessionId) -> Result<Option<SessionView>>;

    /// Lists sessions, newest first, optionally of one user.
    async fn sessions(&self, user_id: Option<&UserId>, limit: u32) -> Result<Vec<SessionView>>;

    /// Lists the sessions that a provider's sign-out ends, live or not: by the upstream session that each came from last, or
    /// by one that it came from before.
    async fn sessions_of_upstream(&self, upstream: UpstreamSessions) -> Result<Vec<FromUpstream>>;

    /// Lists the upstream sessions that a session came from before the last one, the latest first. They end with the session.
    async fn upstream_sessions(&self, id: &SessionId) -> Result<Vec<UpstreamSession>>;

    /// Marks a session as active.
    async fn touch_session(&self, id: &SessionId, now: i64) -> Result<()>;

    /// Ends a session and revokes the grants bound to it. Returns all apps that had a grant in it: those with `offline_access`,
    /// whose grants remain valid, and those whose grants were revoked, which may still hold a session of their own. A notice is
    /// kept for those that are to be told.
    async fn end_session(&self, id: &SessionId, now: i64, events: Vec<Event>, tell: &Tell) -> Result<Vec<AppSession>>;

    /// Does what a provider says has ended, all of it or nothing, and remembers a one-time identifier as [`Self::use_once`]
    /// does. Returns the apps of each session; `None` if the identifier was already remembered, in which case nothing is changed
    /// and no event recorded.
    ///
    /// [`Self::use_once`]: crate::store::OneTimeIds::use_once
    async fn end_once(&self, end: EndOnce, now: i64, events: Vec<Event>) -> Result<Option<Vec<Vec<AppSession>>>>;
}
