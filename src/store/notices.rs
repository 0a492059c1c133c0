//! Apps that are still to be told that a session ended (OIDC Back-Channel Logout 1.0 §2.5).
//!
//! The transaction that ends a session keeps a notice for each app that is to be told, so that none is lost with the process.
//! Whoever delivers a notice holds it for a time. The one who ended the session holds it first; if its process ends, the hold
//! expires, and any process that shares the store takes the notice. Each take has a higher `fence`, and what is written under a
//! hold that somebody else has taken since is refused.

use std::collections::BTreeSet;

use async_trait::async_trait;

use crate::store::Result;
use crate::store::ids::{SessionId, UserId};

/// Seconds after which a notice is worth nothing: the app's own session has most likely ended.
pub const NOTICE_LIFETIME: i64 = 86_400;

/// The longest hold, in seconds. One that ends later was made by a clock that has been set back since, and counts as over.
pub const LONGEST_HOLD: i64 = 900;

/// The apps to tell of a session that ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tell {
    /// Keys of the clients that want to be told. Those of them that took part in the session get a notice.
    pub clients: BTreeSet<String>,
    /// Id of the request that ends the session, for the log.
    pub trace_id: String,
    /// Until when the caller holds the notices.
    pub held_until: i64,
}

/// The right to deliver a notice, until somebody else takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NoticeHold {
    /// The notice.
    pub id: i64,
    /// How often it was taken.
    pub fence: i64,
}

/// A notice that somebody left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredNotice {
    /// The hold on it.
    pub hold: NoticeHold,
    /// Key of the client.
    pub client: String,
    /// Internal id of the user whose session ended.
    pub user_id: UserId,
    /// The user's public subject.
    pub sub: String,
    /// The `sid` in the client's tokens.
    pub sid: SessionId,
    /// Id of the request that ended the session.
    pub trace_id: String,
    /// How often delivery was attempted.
    pub attempts: u32,
    /// When the session ended.
    pub created_at: i64,
}

/// Apps that are still to be told that a session ended.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch. The operations that end sessions keep the
/// notices; the number of notices for one client is bounded, and beyond the bound none is kept.
#[async_trait]
pub trait LogoutNotices: Send + Sync {
    /// Takes notices that nobody holds at `now`, except those for some clients, and holds them until `until`; at most `limit`.
    /// Of several callers, one gets each notice.
    async fn take_notices(
        &self,
        now: i64,
        until: i64,
        except: &BTreeSet<String>,
        limit: u32,
    ) -> Result<Vec<StoredNotice>>;

    /// Remembers how often delivery was attempted, and holds the notice until `until`. `false` if it is gone or somebody else
    /// has taken it.
    async fn hold_notice(&self, hold: NoticeHold, attempts: u32, until: i64) -> Result<bool>;

    /// Deletes a notice that was delivered or given up. `false` if it is gone or somebody else has taken it.
    async fn forget_notice(&self, hold: NoticeHold) -> Result<bool>;
}
