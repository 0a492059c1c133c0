//! Accounts and their links: what a decision needs to know about them, and the operations that read them.

use async_trait::async_trait;

use crate::store::Result;
use crate::store::ids::UserId;
use crate::store::model::{Link, LinkKey, User};

/// The longest lease on a link, in seconds.
pub const LONGEST_LEASE: i64 = 300;

/// What the account decision asks of the store, answered in one transaction.
#[derive(Clone, Debug, Default)]
pub struct AccountQuery {
    /// The upstream account.
    pub key: Option<LinkKey>,
    /// Username key of the `[users]` entry that declares this upstream account.
    pub declared: Option<String>,
    /// The verified address, and the providers (id, issuer) whose accounts it may be linked to.
    pub email: Option<(String, Vec<(String, String)>)>,
    /// `username_key` of the wanted username; at most 1,000 keys that start with it are returned as taken.
    pub username_key: Option<String>,
}

/// The answer to an [`AccountQuery`].
#[derive(Clone, Debug, Default)]
pub struct AccountView {
    /// The account that the upstream account is linked to, with that link.
    pub linked: Option<(User, Link)>,
    /// The account with the declared username key.
    pub declared: Option<User>,
    /// Whether the declared account has a link at the provider and issuer of the query's `key`.
    pub declared_is_linked: bool,
    /// Accounts with a link that carries the verified address.
    pub by_email: Vec<User>,
    /// Whether the account in `by_email`, if it is the only one, has a link at the provider and issuer of the query's `key`.
    pub email_is_linked: bool,
    /// The `username_key`s that equal the wanted one or start with it, with the account's id.
    pub taken: Vec<(String, UserId)>,
}

/// One known user with all of their links, for `plan` and `explain`.
#[derive(Clone, Debug)]
pub struct Person {
    /// The account.
    pub user: User,
    /// Its upstream accounts.
    pub links: Vec<Link>,
}

/// Accounts and their links: what a decision needs to know about them, and the operations that read them.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Reads what the account decision needs to know.
    async fn accounts(&self, query: AccountQuery) -> Result<AccountView>;

    /// Refreshes an existing link, and ends the lease on it. Nothing is written if it no longer exists or belongs to another
    /// user.
    async fn save_link(&self, link: Link) -> Result<()>;

    /// Takes a lease on a link, the right to use its refresh token until `until`, and returns the fence of the lease. A
    /// provider may take a second use of a refresh token for theft, so of all processes that share the store, one uses it at a
    /// time. `None` while another process has the lease, or if there is no such link. A lease that ends later than
    /// [`LONGEST_LEASE`] from `now` was made by a clock that has been set back since, and counts as over.
    async fn lease_link(&self, key: &LinkKey, now: i64, until: i64) -> Result<Option<i64>>;

    /// As [`Self::save_link`], for the holder of the lease with this fence. `false`, and nothing is written, if another process
    /// has taken the lease or saved the link since: what it stored is newer.
    async fn save_leased_link(&self, link: Link, fence: i64) -> Result<bool>;

    /// Gives a lease back, if it is still the one with this fence.
    async fn release_link(&self, key: &LinkKey, fence: i64) -> Result<()>;

    /// Looks up a user by username key.
    async fn user(&self, username_key: &str) -> Result<Option<Person>>;

    /// Lists users after `after` (a user id), in order of id.
    async fn people(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<Person>>;

    /// The names that have become System roles.
    async fn system_roles(&self) -> Result<Vec<String>>;
}
