//! Running statements, and conversion between rows and records.

use rusqlite::{Connection, Params, Row};
use serde_json::{Map, Value};

use crate::store::encoding::{columns, key_state, link_row, open_json, open_text, parse};
use crate::store::ids::{GrantId, UserId};
use crate::store::model::{Grant, Link, LinkKey, Session, SigningKey, StoredTrace, User};
use crate::store::rows::{LinkRow, SessionRow};
use crate::store::seal::Sealer;
use crate::store::sqlite::sql;
use crate::store::{GrantView, Person, Result, SessionView, StoreError};

/// Runs a statement that returns no rows; returns the number of rows that it changed.
pub(crate) fn run(connection: &Connection, sql: &str, params: impl Params) -> Result<usize> {
    Ok(connection.prepare_cached(sql)?.execute(params)?)
}

/// The first row of a statement's result.
pub(crate) fn one<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// All rows of a statement's result.
pub(crate) fn many<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(row)?);
    }
    Ok(all)
}

impl LinkRow {
    /// Inserts or refreshes it; `false` if the upstream account belongs to another user.
    pub(crate) fn upsert(&self, connection: &Connection) -> Result<bool> {
        let user_id = &self.link.user_id;
        if self.update(connection, user_id)? {
            return Ok(true);
        }
        self.insert(connection)
    }

    /// Makes it; `false` when the upstream account is linked already.
    pub(crate) fn insert(&self, connection: &Connection) -> Result<bool> {
        let Link { key, user_id, claims_at, verified_email, created_at, .. } = &self.link;
        let LinkKey { provider, issuer, subject } = key;
        let (claims, refresh) = (&self.claims, &self.refresh_token);
        let row = (provider, issuer, subject, user_id, claims, claims_at, verified_email, refresh, created_at);
        Ok(run(connection, sql::INSERT_LINK, row)? == 1)
    }

    /// Refreshes it; `false` if it does not exist or belongs to another user.
    pub(crate) fn update(&self, connection: &Connection, user_id: &UserId) -> Result<bool> {
        let Link { key, claims_at, verified_email, .. } = &self.link;
        let LinkKey { provider, issuer, subject } = key;
        let row = (provider, issuer, subject, user_id, &self.claims, claims_at, &self.refresh_token);
        if run(connection, sql::UPDATE_LINK, row)? == 0 {
            return Ok(false);
        }
        run(connection, sql::UPDATE_LINK_EMAIL, (provider, issuer, subject, user_id, verified_email))?;
        Ok(true)
    }
}

impl SessionRow {
    /// `false` if its id or its secret is already in use.
    pub(crate) fn insert(&self, connection: &Connection) -> Result<bool> {
        let Session { id, user_id, upstream_sid, last_active, max_inactive, expires_at, .. } = &self.session;
        let (data, token) = (&self.data, &self.upstream_id_token);
        let row = (id, self.secret.0, user_id, data, upstream_sid, token, last_active, max_inactive, expires_at);
        Ok(run(connection, sql::INSERT_SESSION, row)? == 1)
    }
}

/// A connection with what is needed to read records.
pub(crate) struct Reader<'a> {
    /// The connection.
    pub(crate) connection: &'a Connection,
    /// Opens what is sealed.
    pub(crate) sealer: &'a Sealer,
}

impl Reader<'_> {
    /// The user that a statement finds.
    pub(crate) fn user(&self, sql: &str, params: impl Params) -> Result<Option<User>> {
        one(self.connection, sql, params, |row| self.user_from(row))
    }

    pub(crate) fn user_from(&self, row: &Row<'_>) -> Result<User> {
        let id: UserId = row.get(0)?;
        let profile = open_json(self.sealer, columns::PROFILE, id.as_str().as_bytes(), row.get_ref(4)?.as_blob()?)?;
        Ok(User {
            id,
            username: row.get(1)?,
            username_key: row.get(2)?,
            sub: row.get(3)?,
            profile,
            disabled: row.get(5)?,
            created_at: row.get(6)?,
        })
    }

    /// The link of an upstream account.
    pub(crate) fn link(&self, key: &LinkKey) -> Result<Option<Link>> {
        let params = (&key.provider, &key.issuer, &key.subject);
        one(self.connection, sql::LINK, params, |row| self.link_from(row))
    }

    pub(crate) fn link_from(&self, row: &Row<'_>) -> Result<Link> {
        let key = LinkKey { provider: row.get(0)?, issuer: row.get(1)?, subject: row.get(2)? };
        let bound = link_row(&key);
        let claims: Map<String, Value> = open_json(self.sealer, columns::CLAIMS, &bound, row.get_ref(4)?.as_blob()?)?;
        let refresh = row.get_ref(7)?.as_blob_or_null()?;
        Ok(Link {
            key,
            user_id: row.get(3)?,
            claims,
            claims_at: row.get(5)?,
            verified_email: row.get(6)?,
            refresh_token: refresh
                .map(|sealed| open_text(self.sealer, columns::UPSTREAM_REFRESH, &bound, sealed))
                .transpose()?,
            created_at: row.get(8)?,
        })
    }

    /// A user with all of their links.
    pub(crate) fn person(&self, user: User) -> Result<Person> {
        let links = many(self.connection, sql::LINKS_OF_USER, [&user.id], |row| self.link_from(row))?;
        Ok(Person { user, links })
    }

    /// The session that a statement finds.
    pub(crate) fn session(&self, sql: &str, params: impl Params) -> Result<Option<Session>> {
        one(self.connection, sql, params, |row| self.session_from(row))
    }

    pub(crate) fn session_from(&self, row: &Row<'_>) -> Result<Session> {
        let mut session: Session = parse("sessions.data", row.get_ref(1)?.as_bytes()?)?;
        session.upstream_id_token = row
            .get_ref(2)?
            .as_blob_or_null()?
            .map(|sealed| open_text(self.sealer, columns::UPSTREAM_ID_TOKEN, session.id.as_str().as_bytes(), sealed))
            .transpose()?;
        session.last_active = row.get(3)?;
        Ok(session)
    }

    /// A session with its user and link.
    pub(crate) fn session_view(&self, session: Session) -> Result<Option<SessionView>> {
        let Some(user) = self.user(sql::USER, [&session.user_id])? else { return Ok(None) };
        let link = self.link(&session.link)?;
        Ok(Some(SessionView { session, user, link }))
    }

    /// A grant with its user, link and session.
    pub(crate) fn grant_view(&self, id: &GrantId) -> Result<Option<GrantView>> {
        let grant = one(self.connection, sql::GRANT, [id], |row| {
            let mut grant: Grant = parse("grants.data", row.get_ref(0)?.as_bytes()?)?;
            grant.session_id = row.get(1)?;
            grant.revoked_at = row.get(2)?;
            grant.expires_at = row.get(3)?;
            Ok(grant)
        })?;
        let Some(grant) = grant else { return Ok(None) };
        let user = grant.user_id.as_ref().map(|id| self.user(sql::USER, [id])).transpose()?.flatten();
        let link = grant.link.as_ref().map(|key| self.link(key)).transpose()?.flatten();
        let session = grant.session_id.as_ref().map(|id| self.session(sql::SESSION, [id])).transpose()?.flatten();
        Ok(Some(GrantView { grant, user, link, session }))
    }

    pub(crate) fn signing_key_from(&self, row: &Row<'_>) -> Result<SigningKey> {
        let kid: String = row.get(0)?;
        let private = self.sealer.open(columns::PRIVATE_KEY, kid.as_bytes(), row.get_ref(2)?.as_blob()?)?;
        Ok(SigningKey {
            private,
            algorithm: row.get(1)?,
            state: key_state(row.get_ref(3)?.as_str()?)?,
            created_at: row.get(4)?,
            activated_at: row.get(5)?,
            retired_at: row.get(6)?,
            kid,
        })
    }

    pub(crate) fn trace_from(&self, row: &Row<'_>) -> Result<StoredTrace> {
        let id: String = row.get(0)?;
        Ok(StoredTrace {
            data: open_text(self.sealer, columns::TRACE, id.as_bytes(), row.get_ref(3)?.as_blob()?)?,
            user_id: row.get(1)?,
            client: row.get(2)?,
            at: row.get(4)?,
            expires_at: row.get(5)?,
            names: Vec::new(),
            id,
        })
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as Code;
        let kind = match error.sqlite_error_code() {
            Some(Code::DiskFull) => Self::Full,
            Some(Code::ReadOnly) => Self::ReadOnly,
            Some(Code::DatabaseCorrupt | Code::NotADatabase) => Self::Damaged,
            Some(
                Code::DatabaseBusy
                | Code::DatabaseLocked
                | Code::SystemIoFailure
                | Code::CannotOpen
                | Code::OutOfMemory
                | Code::PermissionDenied
                | Code::FileLockingProtocolFailed
                | Code::OperationAborted
                | Code::OperationInterrupted,
            ) => Self::Unavailable,
            _ => Self::Corrupt,
        };
        kind(error.to_string())
    }
}

impl From<rusqlite::types::FromSqlError> for StoreError {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Corrupt(error.to_string())
    }
}
