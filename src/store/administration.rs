//! What an administrator can look up and revoke. Nothing here grants more than the configuration does; the only access that can
//! be restored is that of an account that was disabled.

use async_trait::async_trait;

use crate::audit::Event;
use crate::store::ids::UserId;
use crate::store::model::Consent;
use crate::store::{AppSession, Person, Result, Tell};

/// What ended when access was revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// How many sessions ended.
    pub sessions: u64,
    /// How many grants were revoked, with their refresh tokens.
    pub grants: u64,
    /// The apps that took part in those sessions.
    pub apps: Vec<AppSession>,
}

/// What an administrator can look up and revoke.
///
/// Each operation is one transaction, unless it says otherwise, in which its event is recorded, with what ended, unless nothing
/// was changed. `now` is in seconds since the Unix epoch.
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

    /// Disables or enables a user. Disabling ends all sessions of the user and revokes all their grants. `None` if nothing
    /// changes or there is no such user: of two administrators who do the same, one does it. Then no event is recorded.
    async fn set_user_disabled(
        &self,
        user_id: &UserId,
        disabled: bool,
        now: i64,
        event: Event,
        tell: &Tell,
    ) -> Result<Option<Ended>>;

    /// Renames a user; `false` if the name is taken or there is no such user.
    async fn rename_user(&self, user_id: &UserId, username: &str, username_key: &str, event: Event) -> Result<bool>;

    /// Revokes all grants of a client and deletes its codes. It runs in several transactions, so others can write in between: a
    /// grant that is made while it runs may remain.
    async fn revoke_client(&self, client: &str, now: i64, event: Event) -> Result<Ended>;

    /// Deletes a user's consent for a client, revokes the grants based on it, and deletes the codes. `None` if there is neither
    /// a consent nor a grant.
    async fn revoke_consent(&self, user_id: &UserId, client: &str, now: i64, event: Event) -> Result<Option<Ended>>;
}
