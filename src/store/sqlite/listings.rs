//! Lists for operators, page by page.

use async_trait::async_trait;

use crate::store::ids::UserId;
use crate::store::sqlite::rows::{Reader, many};
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{Listings, Person, Result, SessionView};

#[async_trait]
impl Listings for SqliteStore {
    async fn user_by_id(&self, id: &UserId) -> Result<Option<Person>> {
        let id = id.clone();
        self.read(move |reader| {
            let user = reader.user(sql::USER, [id])?;
            user.map(|user| reader.person(user)).transpose()
        })
        .await
    }

    async fn users_named(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<Person>> {
        let bounds = (lower_bound(prefix, after), upper_bound(prefix), limit);
        self.read_long(move |reader| people(reader, sql::USERS_NAMED, bounds)).await
    }

    async fn usernames_of(&self, username_keys: &[String]) -> Result<Vec<String>> {
        let keys = username_keys.to_vec();
        self.read_long(move |reader| {
            let name =
                |key: String| many(reader.connection, sql::USERNAME_OF, [key], |row| Ok(row.get::<_, String>(0)?));
            let found: Result<Vec<Vec<String>>> = keys.into_iter().map(name).collect();
            Ok(found?.concat())
        })
        .await
    }

    async fn users_with_sub(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<Person>> {
        let bounds = (lower_bound(prefix, after), upper_bound(prefix), limit);
        self.read_long(move |reader| people(reader, sql::USERS_WITH_SUB, bounds)).await
    }

    async fn users_with_address(
        &self,
        prefix: &str,
        after: Option<(&str, i64)>,
        limit: u32,
    ) -> Result<Vec<(String, i64, Person)>> {
        let (from, row) = after.map_or((prefix, 0), |(address, row)| (address.max(prefix), row));
        let bounds = (from.to_owned(), row, upper_bound(prefix), limit);
        self.read_long(move |reader| {
            let entries = many(reader.connection, sql::USERS_WITH_ADDRESS, bounds, |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, UserId>(2)?))
            })?;
            let mut found = Vec::new();
            for (address, row, id) in entries {
                if let Some(user) = reader.user(sql::USER, [id])? {
                    found.push((address, row, reader.person(user)?));
                }
            }
            Ok(found)
        })
        .await
    }

    async fn sessions_before(
        &self,
        user_id: Option<&UserId>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, SessionView)>> {
        let (user_id, before) = (user_id.cloned(), before.unwrap_or(i64::MAX));
        self.read_long(move |reader| {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(4)?, reader.session_from(row)?));
            let sessions = match user_id {
                Some(id) => many(reader.connection, sql::SESSIONS_OF_USER_BEFORE, (id, before, limit), read),
                None => many(reader.connection, sql::SESSIONS_BEFORE, (before, limit), read),
            }?;
            let views = sessions.into_iter().filter_map(|(row, session)| {
                reader.session_view(session).map(|view| view.map(|view| (row, view))).transpose()
            });
            views.collect()
        })
        .await
    }
}

/// The first text that can be on the page: the prefix itself, or the first one behind `after`.
fn lower_bound(prefix: &str, after: Option<&str>) -> String {
    match after {
        Some(after) if after >= prefix => format!("{after}\0"),
        _ => prefix.to_owned(),
    }
}

/// Behind every text that begins with the prefix.
fn upper_bound(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

fn people(reader: &Reader<'_>, statement: &str, bounds: (String, String, u32)) -> Result<Vec<Person>> {
    let users = many(reader.connection, statement, bounds, |row| reader.user_from(row))?;
    users.into_iter().map(|user| reader.person(user)).collect()
}
