//! What people look up of their own, and what they take away themselves.

use async_trait::async_trait;

use crate::audit::Event;
use crate::store::ids::{SessionId, UserId};
use crate::store::model::{Consent, Session};
use crate::store::{Ended, Result, Tell};

/// Which of a user's sessions are to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnSessions {
    /// This one, if it is the user's.
    One(SessionId),
    /// All but this one.
    AllBut(SessionId),
}

/// What people look up of their own, and what they take away themselves.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait SelfService: Send + Sync {
    /// The live sessions of a user that are older than `after`, newest first; from the newest where that is `None` or gone.
    /// They come without the upstream ID token.
    async fn own_sessions(
        &self,
        user_id: &UserId,
        after: Option<&SessionId>,
        now: i64,
        limit: u32,
    ) -> Result<Vec<Session>>;

    /// The remembered consents of a user for clients whose key comes after `after`, in order of that key.
    async fn own_consents(&self, user_id: &UserId, after: &str, limit: u32) -> Result<Vec<Consent>>;

    /// Ends sessions of a user, with everything that apps were granted in them, `offline_access` included: whoever ends the
    /// session of a lost device means all of it. Sessions of others are left alone. The event is recorded with how many ended,
    /// if any did.
    async fn end_own_sessions(
        &self,
        user_id: &UserId,
        which: OwnSessions,
        now: i64,
        event: Event,
        tell: &Tell,
    ) -> Result<Ended>;
}
