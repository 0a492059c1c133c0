//! What apps were granted: codes, grants, refresh token families and remembered consents.

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::store::Result;
use crate::store::ids::{GrantId, SessionId, UserId};
use crate::store::model::{Code, Consent, Grant, Link, RefreshToken, Session, TokenHash, User};
use crate::store::sessions::SessionView;

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
    pub touch_session: Option<SessionId>,
    /// The account's stored attributes from now on, where they changed.
    pub profile: Option<(UserId, Map<String, Value>)>,
    /// Thumbprint of the key that the grant is bound to from now on, unless it is bound already.
    pub dpop_jkt: Option<String>,
    /// The grant's new end, never earlier than before.
    pub grant_expires_at: i64,
}

/// What apps were granted: codes, grants, refresh token families and remembered consents.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait Grants: Send + Sync {
    /// Keeps a code, with the consent that it rests on, and marks its session as active. It goes when it expires unused; a
    /// session has a bounded number of unused ones, of which the oldest go first.
    async fn save_code(&self, code: Code, consent: Option<Consent>, now: i64) -> Result<()>;

    /// Reads a code, used or not, with the session that it was issued in, while that is there.
    async fn code(&self, hash: TokenHash) -> Result<Option<(Code, Option<SessionView>)>>;

    /// Redeems a code: its grant and the first refresh token of the family are stored, or, when it was used before or
    /// has expired, what its first use issued is revoked. Refused as well when the session that the grant dies with has
    /// ended or the user was disabled in between. A used code is remembered as long as its grant. An app has a bounded number
    /// of grants in a session, of which the oldest go first, with all that was issued by them.
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
    async fn grant(&self, id: &GrantId) -> Result<Option<GrantView>>;

    /// Revokes a grant and its refresh family. It goes with the session that it was made in, at its own end at the latest.
    async fn revoke_grant(&self, id: &GrantId, now: i64) -> Result<()>;

    /// A refresh token with its grant.
    async fn refresh_token(&self, hash: TokenHash) -> Result<Option<(RefreshToken, GrantView)>>;

    /// Uses a refresh token.
    async fn rotate_refresh(&self, rotation: Rotation, now: i64) -> Result<Rotated>;

    /// A user's remembered consent for a client.
    async fn consent(&self, user_id: &UserId, client: &str) -> Result<Option<Consent>>;
}
