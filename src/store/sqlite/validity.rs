//! Whether what a grant is based on is still valid, checked in the transaction that uses it.

use rusqlite::Connection;

use crate::store::Result;
use crate::store::ids::{SessionId, UserId};
use crate::store::sqlite::accounts::has_access;
use crate::store::sqlite::rows::one;
use crate::store::sqlite::sql;

/// Whether the user still has access, and the session that a grant ends with is still live.
pub(crate) fn may_continue(
    connection: &Connection,
    user_id: Option<&UserId>,
    session_id: Option<&SessionId>,
    now: i64,
) -> Result<bool> {
    if let Some(id) = user_id
        && !has_access(connection, id)?
    {
        return Ok(false);
    }
    match session_id {
        Some(id) => Ok(one(connection, sql::SESSION_LIVE, (id, now), |_| Ok(()))?.is_some()),
        None => Ok(true),
    }
}
