//! Accounts and their links: what a decision needs to know about them, and the operations that read them.

use async_trait::async_trait;

use crate::store::Result;
use crate::store::ids::UserId;
use crate::store::model::{Link, LinkKey, User};

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

    /// Refreshes an existing link. Nothing is written if it no longer exists or belongs to another user.
    async fn save_link(&self, link: Link) -> Result<()>;

    /// Looks up a user by username key.
    async fn user(&self, username_key: &str) -> Result<Option<Person>>;

    /// Lists users after `after` (a user id), in order of id.
    async fn people(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<Person>>;

    /// The names that have become System roles.
    async fn system_roles(&self) -> Result<Vec<String>>;
}
