//! Ending sessions, and what ends because a provider says so: sessions, grants, and claims that have changed, in one
//! transaction.

use rusqlite::{Connection, Row};

use crate::store::ids::{SessionId, UserId};
use crate::store::model::LinkKey;
use crate::store::rows::EndRows;
use crate::store::sqlite::rows::{many, one, run};
use crate::store::sqlite::{notices, sql};
use crate::store::{AppSession, ChangedClaims, Result, Tell};

impl EndRows {
    /// Remembers the identifier; `false` if it was remembered before.
    pub(super) fn is_first(&self, connection: &Connection, now: i64) -> Result<bool> {
        Ok(run(connection, sql::USE_ONCE, (self.key, self.end.expires_at, now))? == 1)
    }

    pub(super) fn write(&self, connection: &Connection, now: i64) -> Result<Vec<Vec<AppSession>>> {
        let tell = &self.end.tell;
        let apps = self.end.sessions.iter().map(|id| end(connection, id, tell, now)).collect::<Result<_>>()?;
        for (user, key, made_by) in &self.end.grants {
            let LinkKey { provider, issuer, subject } = key;
            run(connection, sql::REVOKE_OLD_GRANTS_BY_LINK, (user, provider, issuer, subject, now, made_by))?;
        }
        for (changed, claims) in self.end.claims.iter().zip(&self.claims) {
            let ChangedClaims { key, verified_email, claims_at, read_at, .. } = changed;
            let LinkKey { provider, issuer, subject } = key;
            let row = (provider, issuer, subject, claims, claims_at, verified_email, read_at);
            run(connection, sql::CHANGE_CLAIMS, row)?;
        }
        Ok(apps)
    }
}

/// Whose session it is.
pub(super) fn user_of_session(connection: &Connection, id: &SessionId) -> Result<Option<UserId>> {
    one(connection, sql::SESSION_USER, [id], |row| Ok(row.get(0)?))
}

/// Ends a session and revokes the grants bound to it.
pub(crate) fn end(connection: &Connection, id: &SessionId, tell: &Tell, now: i64) -> Result<Vec<AppSession>> {
    let Some(user) = user_of_session(connection, id)? else { return Ok(Vec::new()) };
    let apps = apps_of_session(connection, &user, id, tell, now)?;
    run(connection, sql::REVOKE_SESSION, (&user, id, now))?;
    run(connection, sql::DELETE_SESSION, [id])?;
    Ok(apps)
}

/// Reads the apps that took part in a session that ends, and keeps a notice for those that are to be told.
pub(super) fn apps_of_session(
    connection: &Connection,
    user: &UserId,
    id: &SessionId,
    tell: &Tell,
    now: i64,
) -> Result<Vec<AppSession>> {
    let mut apps = many(connection, sql::APPS_OF_SESSION, (user, id), app)?;
    notices::keep(connection, user, &mut apps, tell, now)?;
    Ok(apps)
}

/// An app, from client and `sid`.
pub(super) fn app(row: &Row<'_>) -> Result<AppSession> {
    Ok(AppSession { client: row.get(0)?, sid: row.get(1)?, notice: None })
}
