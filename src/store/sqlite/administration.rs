//! What an administrator can look up and revoke.

use async_trait::async_trait;
use rusqlite::{Connection, Row};

use crate::audit::Event;
use crate::store::encoding::parse;
use crate::store::ids::UserId;
use crate::store::model::Consent;
use crate::store::sqlite::rows::{Reader, many, one, run};
use crate::store::sqlite::{SqliteStore, ends, notices, sql};
use crate::store::{Administration, Ended, Person, Result, Tell};

/// How many rows of a table one transaction examines while the grants of a client are revoked.
const WINDOW: i64 = 5_000;

#[async_trait]
impl Administration for SqliteStore {
    async fn users_by_name(&self, after: &str, limit: u32) -> Result<Vec<Person>> {
        let after = after.to_owned();
        self.read_long(move |reader| {
            let users = many(reader.connection, sql::USERS_BY_NAME, (after, limit), |row| reader.user_from(row))?;
            users.into_iter().map(|user| reader.person(user)).collect()
        })
        .await
    }

    async fn user_by_sub(&self, sub: &str) -> Result<Option<Person>> {
        let sub = sub.to_owned();
        self.read(move |reader| {
            let user = reader.user(sql::USER_BY_SUB, [sub])?;
            user.map(|user| reader.person(user)).transpose()
        })
        .await
    }

    async fn users_by_address(&self, address: &str, limit: u32) -> Result<Vec<Person>> {
        let address = address.to_owned();
        self.read(move |reader| {
            let found: Vec<UserId> =
                many(reader.connection, sql::USERS_BY_ADDRESS, (address, limit), |row| Ok(row.get(0)?))?;
            // One user may have the same address at several providers.
            let mut ids: Vec<UserId> = Vec::new();
            for id in found {
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
            let users = ids.iter().filter_map(|id| reader.user(sql::USER, [id]).transpose());
            users.map(|user| reader.person(user?)).collect()
        })
        .await
    }

    async fn consents(&self, user_id: &UserId) -> Result<Vec<Consent>> {
        let user_id = user_id.clone();
        self.read(move |reader| consents(reader, &user_id)).await
    }

    async fn set_user_disabled(
        &self,
        user_id: &UserId,
        disabled: bool,
        now: i64,
        event: Event,
        tell: &Tell,
    ) -> Result<Option<Ended>> {
        let (id, tell) = (user_id.clone(), tell.clone());
        let make = self.event_maker();
        self.write(move |connection| {
            let Some(ended) = set_disabled(connection, &id, disabled, &tell, now)? else { return Ok(None) };
            make(vec![event.ended(ended.sessions, ended.grants)]).append(connection)?;
            Ok(Some(ended))
        })
        .await
    }

    async fn rename_user(&self, user_id: &UserId, username: &str, username_key: &str, event: Event) -> Result<bool> {
        let row = (user_id.clone(), username.to_owned(), username_key.to_owned());
        let event = self.event_rows(vec![event]);
        self.write(move |connection| {
            let renamed = run(connection, sql::RENAME_USER, row)? == 1;
            if renamed {
                event.append(connection)?;
            }
            Ok(renamed)
        })
        .await
    }

    async fn revoke_client(&self, client: &str, now: i64, event: Event) -> Result<Ended> {
        let last = self.last(sql::LAST_CODE).await?;
        self.each_window(last, |from, to| {
            let client = client.to_owned();
            move |connection| run(connection, sql::DELETE_CODES_BETWEEN, (from, to, client))
        })
        .await?;
        // The codes are deleted first, so none of them can become a grant after the last one that is examined.
        let last = self.last(sql::LAST_GRANT).await?;
        let grants = self.each_window(last, |from, to| {
            let client = client.to_owned();
            move |connection| run(connection, sql::REVOKE_GRANTS_BETWEEN, (from, to, client, now))
        });
        let grants = grants.await?;
        if grants > 0 {
            let event = self.event_rows(vec![event.ended(0, grants)]);
            self.write(move |connection| event.append(connection)).await?;
        }
        Ok(Ended { grants, ..Ended::default() })
    }

    async fn revoke_consent(&self, user_id: &UserId, client: &str, now: i64, event: Event) -> Result<Option<Ended>> {
        let (user_id, client) = (user_id.clone(), client.to_owned());
        let make = self.event_maker();
        self.write(move |connection| {
            let forgotten = run(connection, sql::DELETE_CONSENT, (&user_id, &client))?;
            let codes = run(connection, sql::DELETE_CODES_OF_CONSENT, (&user_id, &client))?;
            let grants = run(connection, sql::REVOKE_GRANTS_OF_CLIENT, (&user_id, &client, now))?;
            if forgotten + codes + grants == 0 {
                return Ok(None);
            }
            make(vec![event.ended(0, count(grants))]).append(connection)?;
            Ok(Some(Ended { grants: count(grants), ..Ended::default() }))
        })
        .await
    }
}

impl SqliteStore {
    /// The highest row number of a table; 0 when it is empty.
    async fn last(&self, statement: &'static str) -> Result<i64> {
        let last =
            self.read(move |reader| one(reader.connection, statement, [], |row| Ok(row.get::<_, Option<i64>>(0)?)));
        Ok(last.await?.flatten().unwrap_or_default())
    }

    /// Runs an operation on successive windows of row numbers, up to `last`. Returns how many rows it changed.
    async fn each_window<F>(&self, last: i64, mut operation: impl FnMut(i64, i64) -> F + Send) -> Result<u64>
    where
        F: FnOnce(&Connection) -> Result<usize> + Send + 'static,
    {
        let (mut from, mut changed) = (0, 0);
        while from < last {
            let to = from.saturating_add(WINDOW);
            changed += count(self.write(operation(from, to)).await?);
            from = to;
        }
        Ok(changed)
    }
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

fn consents(reader: &Reader<'_>, user_id: &UserId) -> Result<Vec<Consent>> {
    many(reader.connection, sql::CONSENTS_OF_USER, [user_id], |row| consent(user_id, row))
}

/// A consent of a user, from its row.
pub(super) fn consent(user_id: &UserId, row: &Row<'_>) -> Result<Consent> {
    Ok(Consent {
        user_id: user_id.clone(),
        client: row.get(0)?,
        scopes: parse("consents.scopes", row.get_ref(1)?.as_bytes()?)?,
        claims: parse("consents.claims", row.get_ref(2)?.as_bytes()?)?,
        granted_at: row.get(3)?,
    })
}

/// Disables or enables a user; `None` if nothing changes.
fn set_disabled(
    connection: &Connection,
    user_id: &UserId,
    disabled: bool,
    tell: &Tell,
    now: i64,
) -> Result<Option<Ended>> {
    if run(connection, sql::SET_DISABLED, (user_id, disabled))? == 0 {
        return Ok(None);
    }
    if !disabled {
        return Ok(Some(Ended::default()));
    }
    let mut apps = many(connection, sql::APPS_OF_USER, [user_id], ends::app)?;
    notices::keep(connection, user_id, &mut apps, tell, now)?;
    let sessions = run(connection, sql::DELETE_SESSIONS_OF_USER, [user_id])?;
    let live: Option<i64> = one(connection, sql::LIVE_GRANTS_OF_USER, (user_id, now), |row| Ok(row.get(0)?))?;
    run(connection, sql::REVOKE_GRANTS_OF_USER, (user_id, now))?;
    let grants = live.and_then(|live| u64::try_from(live).ok()).unwrap_or_default();
    Ok(Some(Ended { sessions: count(sessions), grants, apps }))
}
