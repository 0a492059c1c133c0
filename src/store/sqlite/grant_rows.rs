//! Grants, as they are written and as they are deleted.

use rusqlite::Connection;

use crate::store::Result;
use crate::store::bounds::GRANTS_OF_APP;
use crate::store::model::{Grant, TokenHash};
use crate::store::rows::GrantRow;
use crate::store::sqlite::rows::{many, one, run};
use crate::store::sqlite::sql;

/// What belonged to a deleted grant: the hash of its code, and that of its newest refresh token.
pub(crate) type Belongings = (Option<[u8; 32]>, Option<[u8; 32]>);

/// Deletes what belonged to grants that were deleted: the code of each, and its refresh tokens, given by the newest one.
pub(crate) fn forget(connection: &Connection, grants: &[Belongings]) -> Result<()> {
    for (code, refresh) in grants {
        if let Some(hash) = code {
            run(connection, sql::DELETE_CODE, [hash])?;
        }
        let mut next = *refresh;
        while let Some(hash) = next {
            next = one(connection, sql::DELETE_REFRESH, [hash], |row| Ok(row.get(0)?))?.flatten();
        }
    }
    Ok(())
}

impl GrantRow {
    /// Stores it; `code` is the code that was redeemed for it.
    pub(crate) fn insert(&self, connection: &Connection, code: Option<TokenHash>) -> Result<()> {
        let Grant { id, client, user_id, session_id, sid, revoked_at, expires_at, .. } = &self.grant;
        let made_in = session_id.as_ref().or(sid.as_ref());
        let code = code.map(|hash| hash.0);
        let row = (id, client, user_id, session_id, made_in, sid, &self.data, revoked_at, expires_at, code);
        run(connection, sql::INSERT_GRANT, row)?;
        if let (Some(user), Some(session)) = (user_id, made_in) {
            let bound = (user, session, client, GRANTS_OF_APP);
            if one(connection, sql::HAS_GRANTS, bound, |_| Ok(()))?.is_some() {
                forget(connection, &many(connection, sql::TRIM_GRANTS, bound, |row| Ok((row.get(0)?, row.get(1)?)))?)?;
            }
        }
        Ok(())
    }
}
