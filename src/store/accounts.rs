//! Accounts and their links: what a decision needs to know of them, and how they are read.

use async_trait::async_trait;

use crate::store::Result;
use crate::store::ids::UserId;
use crate::store::model::{Link, LinkKey, User};

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
    /// Whether the only one of them has a link at the provider and issuer of the query's `key`.
    pub email_is_linked: bool,
    /// `username_key`s that equal the wanted one or extend it, with the account's id.
    pub taken: Vec<(String, UserId)>,
}

/// One known user with all links, for `plan` and `explain`.
#[derive(Clone, Debug)]
pub struct Person {
    /// The account.
    pub user: User,
    /// Its upstream accounts.
    pub links: Vec<Link>,
}

/// Accounts and their links: what a decision needs to know of them, and how they are read.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// What the account decision needs to know.
    async fn accounts(&self, query: AccountQuery) -> Result<AccountView>;

    /// Refreshes a link that exists; nothing happens when it is gone or another user's.
    async fn save_link(&self, link: Link) -> Result<()>;

    /// A user by username key.
    async fn user(&self, username_key: &str) -> Result<Option<Person>>;

    /// Users after `after` (a user id), in order of id.
    async fn people(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<Person>>;

    /// Names that became System roles.
    async fn system_roles(&self) -> Result<Vec<String>>;
}
