//! What an administrator looks up, and what an administrator takes away. Nothing here gives anybody more than the
//! configuration does: an account that was disabled can be enabled again, and that is all.

use async_trait::async_trait;

use crate::store::ids::UserId;
use crate::store::model::Consent;
use crate::store::{AppSession, Person, Result};

/// What ended when access was taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// How many sessions ended.
    pub sessions: u64,
    /// How many grants were revoked, with their refresh tokens.
    pub grants: u64,
    /// The apps that had a part in the sessions.
    pub apps: Vec<AppSession>,
}

/// What an administrator looks up, and what an administrator takes away.
///
/// Each operation is one transaction, unless it says otherwise. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait Administration: Send + Sync {
    /// Users whose `username_key` comes after `after`, in order of that key.
    async fn users_by_name(&self, after: &str, limit: u32) -> Result<Vec<Person>>;

    /// The user with this public subject.
    async fn user_by_sub(&self, sub: &str) -> Result<Option<Person>>;

    /// The users for whom a provider verified this address (lower case), at most `limit`.
    async fn users_by_address(&self, address: &str, limit: u32) -> Result<Vec<Person>>;

    /// The remembered consents of a user, in order of the client's key.
    async fn consents(&self, user_id: &UserId) -> Result<Vec<Consent>>;

    /// Takes a user's access away, or gives it back. When it is taken away, all sessions of the user end and all grants are
    /// revoked.
    async fn set_user_disabled(&self, user_id: &UserId, disabled: bool, now: i64) -> Result<Ended>;

    /// Gives a user another name; `false` when it is taken, or when there is no such user.
    async fn rename_user(&self, user_id: &UserId, username: &str, username_key: &str) -> Result<bool>;

    /// Revokes all grants of a client and deletes its codes. Several transactions, so that others can write meanwhile:
    /// a grant that is made while it runs may remain.
    async fn revoke_client(&self, client: &str, now: i64) -> Result<Ended>;

    /// Forgets a user's consent for a client, revokes the grants that rest on it and deletes the codes. `None` when there is
    /// neither a consent nor a grant.
    async fn revoke_consent(&self, user_id: &UserId, client: &str, now: i64) -> Result<Option<Ended>>;
}
