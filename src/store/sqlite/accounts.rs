//! Accounts and links, read for a decision.

use async_trait::async_trait;
use rusqlite::Connection;

use crate::store::accounts::LONGEST_LEASE;
use crate::store::ids::UserId;
use crate::store::model::{Link, LinkKey, User};
use crate::store::rows::LinkRow;
use crate::store::sqlite::rows::{Reader, many, one, run};
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{AccountQuery, AccountView, Accounts, Person, Result};

#[async_trait]
impl Accounts for SqliteStore {
    async fn accounts(&self, query: AccountQuery) -> Result<AccountView> {
        self.read_recent(move |reader| find(reader, &query)).await
    }

    async fn save_link(&self, link: Link) -> Result<()> {
        let user_id = link.user_id.clone();
        let row = LinkRow::new(&self.sealer, link)?;
        self.write(move |connection| row.update(connection, &user_id).map(|_| ())).await
    }

    async fn lease_link(&self, key: &LinkKey, now: i64, until: i64) -> Result<Option<i64>> {
        let LinkKey { provider, issuer, subject } = key.clone();
        let row = (provider, issuer, subject, now, now.saturating_add(LONGEST_LEASE), until);
        self.write_passing(move |connection| one(connection, sql::LEASE_LINK, row, |row| Ok(row.get(0)?))).await
    }

    async fn save_leased_link(&self, link: Link, fence: i64) -> Result<bool> {
        let (user_id, LinkKey { provider, issuer, subject }) = (link.user_id.clone(), link.key.clone());
        let row = LinkRow::new(&self.sealer, link)?;
        self.write(move |connection| {
            let held = one(connection, sql::IS_LEASED, (provider, issuer, subject, fence), |_| Ok(()))?.is_some();
            Ok(held && row.update(connection, &user_id)?)
        })
        .await
    }

    async fn release_link(&self, key: &LinkKey, fence: i64) -> Result<()> {
        let LinkKey { provider, issuer, subject } = key.clone();
        let row = (provider, issuer, subject, fence);
        self.write_passing(move |connection| run(connection, sql::RELEASE_LINK, row).map(drop)).await
    }

    async fn user(&self, username_key: &str) -> Result<Option<Person>> {
        let key = username_key.to_owned();
        self.read(move |reader| {
            let user = reader.user(sql::USER_BY_KEY, [key])?;
            user.map(|user| reader.person(user)).transpose()
        })
        .await
    }

    async fn people(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<Person>> {
        let after = after.map_or_else(String::new, |id| id.as_str().to_owned());
        self.read_long(move |reader| {
            let users = many(reader.connection, sql::USERS_AFTER, (after, limit), |row| reader.user_from(row))?;
            users.into_iter().map(|user| reader.person(user)).collect()
        })
        .await
    }

    async fn system_roles(&self) -> Result<Vec<String>> {
        self.read(|reader| many(reader.connection, sql::SYSTEM_ROLES, [], |row| Ok(row.get(0)?))).await
    }
}

/// Reads what the account decision needs to know.
fn find(reader: &Reader<'_>, query: &AccountQuery) -> Result<AccountView> {
    let mut view = AccountView::default();
    if let Some(link) = query.key.as_ref().map(|key| reader.link(key)).transpose()?.flatten() {
        view.linked = reader.user(sql::USER, [&link.user_id])?.map(|user| (user, link));
    }
    if let Some(username) = &query.declared {
        view.declared = reader.user(sql::USER_BY_KEY, [username])?;
        if let (Some(user), Some(key)) = (&view.declared, &query.key) {
            view.declared_is_linked = is_linked(reader.connection, &user.id, key)?;
        }
    }
    if let Some((email, providers)) = &query.email {
        view.by_email = by_email(reader, email, providers)?;
        if let ([user], Some(key)) = (view.by_email.as_slice(), &query.key) {
            view.email_is_linked = is_linked(reader.connection, &user.id, key)?;
        }
    }
    if let Some(key) = &query.username_key {
        let params = (key, char::MAX.to_string());
        view.taken = many(reader.connection, sql::USERNAMES_TAKEN, params, |row| Ok((row.get(0)?, row.get(1)?)))?;
    }
    Ok(view)
}

fn by_email(reader: &Reader<'_>, email: &str, providers: &[(String, String)]) -> Result<Vec<User>> {
    let links = many(reader.connection, sql::LINKS_BY_EMAIL, [email], |row| {
        Ok(((row.get(0)?, row.get(1)?), row.get::<_, UserId>(2)?))
    })?;
    let mut ids: Vec<UserId> = Vec::new();
    for (provider, user_id) in links {
        if providers.contains(&provider) && !ids.contains(&user_id) {
            ids.push(user_id);
        }
    }
    ids.iter().filter_map(|id| reader.user(sql::USER, [id]).transpose()).collect()
}

/// Whether an account has an upstream account at the provider and issuer of `key`.
pub(crate) fn is_linked(connection: &Connection, user_id: &UserId, key: &LinkKey) -> Result<bool> {
    Ok(one(connection, sql::IS_LINKED, (user_id, &key.provider, &key.issuer), |_| Ok(()))?.is_some())
}

/// Whether a user exists and is not disabled.
pub(crate) fn has_access(connection: &Connection, user_id: &UserId) -> Result<bool> {
    let disabled: Option<bool> = one(connection, sql::USER_DISABLED, [user_id], |row| Ok(row.get(0)?))?;
    Ok(disabled == Some(false))
}
