//! What apps were granted: codes, grants, refresh token families and remembered consents.

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::audit::Event;
use crate::store::Result;
use crate::store::ids::{GrantId, SessionId, UserId};
use crate::store::model::{Code, Consent, Grant, Link, RefreshToken, Session, TokenHash, User};
use crate::store::sessions::SessionView;

/// A grant with the user, link and session that it belongs to.
#[derive(Clone, Debug)]
pub struct GrantView {
    /// The grant.
    pub grant: Grant,
    /// Its user; `None` for `client_credentials`, or if the account no longer exists.
    pub user: Option<User>,
    /// The upstream account that the user signed in with.
    pub link: Option<Link>,
    /// The session that it is bound to, while that exists.
    pub session: Option<Session>,
}

/// Whether a code was redeemed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redeemed {
    /// This was the first use.
    First,
    /// It was used before, has expired or is unknown; what its first use issued is now revoked.
    Refused,
}

/// The outcome of a refresh token's use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotated {
    /// The offered successor is stored.
    New,
    /// Used again within the grace period: the successor that the first use stored, as it was handed out.
    Replayed(String),
    /// Used before, and either the grace period is over or its successor was used: the family is now revoked.
    Reused,
    /// Unknown or expired, or its grant, session or user no longer exists or has lost access: nothing was written.
    Refused,
}

/// One use of a refresh token. What it changes is written only when the outcome is
/// [`Rotated::New`].
#[derive(Clone, Debug)]
pub struct Rotation {
    /// The token that was presented.
    pub parent: TokenHash,
    /// Its successor; `None` keeps the presented token (no rotation) and only extends its `expires_at`.
    pub successor: Option<(RefreshToken, String)>,
    /// The new `expires_at` if the presented token is kept.
    pub keep_until: i64,
    /// Seconds in which the parent may be presented again.
    pub grace: i64,
    /// The link with fresh upstream claims, if they were fetched.
    pub link: Option<Link>,
    /// The session to mark as active.
    pub touch_session: Option<SessionId>,
    /// The account's new stored attributes, if they changed.
    pub profile: Option<(UserId, Map<String, Value>)>,
    /// Thumbprint of the key to which the grant is bound from now on, unless it is already bound.
    pub dpop_jkt: Option<String>,
    /// The grant's new expiry, never earlier than before.
    pub grant_expires_at: i64,
    /// What is recorded when the outcome is [`Rotated::New`] or [`Rotated::Replayed`].
    pub events: Vec<Event>,
    /// What is recorded when it is [`Rotated::Reused`].
    pub reuse_events: Vec<Event>,
}

/// What apps were granted: codes, grants, refresh token families and remembered consents.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait Grants: Send + Sync {
    /// Stores a code with the consent that it is based on, and marks its session as active. An unused code is deleted when it
    /// expires. The number of unused codes in a session is bounded; the oldest are deleted first.
    async fn save_code(&self, code: Code, consent: Option<Consent>, now: i64) -> Result<()>;

    /// Reads a code, used or not, with the session that it was issued in, while that exists.
    async fn code(&self, hash: TokenHash) -> Result<Option<(Code, Option<SessionView>)>>;

    /// Redeems a code: its grant and the first refresh token of the family are stored, or, if it was used before or has
    /// expired, what its first use issued is revoked. It is also refused if the session that the grant ends with has ended, or
    /// the user was disabled in the meantime. A used code is remembered as long as its grant. The number of grants of an app in
    /// a session is bounded; the oldest are deleted first, with everything that they issued.
    /// The events are recorded when the code is redeemed.
    async fn redeem_code(
        &self,
        hash: TokenHash,
        grant: Grant,
        refresh: Option<RefreshToken>,
        now: i64,
        events: Vec<Event>,
    ) -> Result<Redeemed>;

    /// Stores a grant that comes from no code (`client_credentials`, tokens of the authorization endpoint), with the consent
    /// that it is based on, and marks its session as active.
    async fn save_grant(&self, grant: Grant, consent: Option<Consent>, now: i64, events: Vec<Event>) -> Result<()>;

    /// Reads a grant, revoked or not.
    async fn grant(&self, id: &GrantId) -> Result<Option<GrantView>>;

    /// Revokes a grant and its refresh token family. It is deleted with the session that it was made in, or when it expires.
    async fn revoke_grant(&self, id: &GrantId, now: i64, events: Vec<Event>) -> Result<()>;

    /// Reads a refresh token with its grant.
    async fn refresh_token(&self, hash: TokenHash) -> Result<Option<(RefreshToken, GrantView)>>;

    /// Uses a refresh token.
    async fn rotate_refresh(&self, rotation: Rotation, now: i64) -> Result<Rotated>;

    /// Reads a user's remembered consent for a client.
    async fn consent(&self, user_id: &UserId, client: &str) -> Result<Option<Consent>>;
}
