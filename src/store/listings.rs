//! Lists for operators, page by page. Each page is found by an index, however long the list is: the next one begins behind the
//! last row of the one before (a keyset), so that rows that come and go meanwhile neither hide others nor show them twice.

use async_trait::async_trait;

use crate::store::ids::UserId;
use crate::store::{Person, Result, SessionView};

/// Lists for operators, page by page.
///
/// Each operation is one transaction.
#[async_trait]
pub trait Listings: Send + Sync {
    /// The user with this id.
    async fn user_by_id(&self, id: &UserId) -> Result<Option<Person>>;

    /// Users whose `username_key` begins with `prefix` and comes after `after`, in order of that key.
    async fn users_named(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<Person>>;

    /// The usernames of the users who have one of these `username_key`s, in any order.
    async fn usernames_of(&self, username_keys: &[String]) -> Result<Vec<String>>;

    /// Users whose public subject begins with `prefix` and comes after `after`, in order of the subject.
    async fn users_with_sub(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<Person>>;

    /// Users with a verified address (lower case) that begins with `prefix`, each with the address and with the position of
    /// the entry, in order of the addresses. `after` is the address and the position of the last entry of the page before.
    async fn users_with_address(
        &self,
        prefix: &str,
        after: Option<(&str, i64)>,
        limit: u32,
    ) -> Result<Vec<(String, i64, Person)>>;

    /// Sessions, newest first, each with its position; of one user when named. `before` is the position of the last one of the
    /// page before.
    async fn sessions_before(
        &self,
        user_id: Option<&UserId>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, SessionView)>>;
}
