//! Codes, which are redeemed once, even if fifty requests arrive at the same time.

use rusqlite::Connection;

use crate::store::bounds::UNUSED_CODES;
use crate::store::encoding::parse;
use crate::store::ids::GrantId;
use crate::store::model::{Code, Consent, RefreshToken, TokenHash};
use crate::store::rows::{CodeRow, GrantRow};
use crate::store::sqlite::consents::remember;
use crate::store::sqlite::refresh::insert_refresh;
use crate::store::sqlite::rows::{Reader, one, run};
use crate::store::sqlite::sql;
use crate::store::sqlite::validity::may_continue;
use crate::store::{Redeemed, Result};

impl CodeRow {
    pub(crate) fn insert(&self, connection: &Connection) -> Result<()> {
        let Code { hash, grant, expires_at, .. } = &self.code;
        run(connection, sql::INSERT_CODE, (hash.0, &grant.id, &grant.sid, &self.data, expires_at))?;
        if one(connection, sql::HAS_UNUSED_CODES, (&grant.sid, UNUSED_CODES), |_| Ok(()))?.is_some() {
            run(connection, sql::TRIM_CODES, (&grant.sid, UNUSED_CODES))?;
        }
        Ok(())
    }

    /// Stores it with the consent that it is based on, and marks its session as active.
    pub(crate) fn save(&self, connection: &Connection, consent: Option<&Consent>, now: i64) -> Result<()> {
        self.insert(connection)?;
        remember(connection, &self.code.grant, consent, now)
    }
}

/// Reads a code, used or not.
pub(crate) fn read(reader: &Reader<'_>, hash: TokenHash) -> Result<Option<Code>> {
    one(reader.connection, sql::CODE, [hash.0], |row| {
        let mut code: Code = parse("codes.data", row.get_ref(0)?.as_bytes()?)?;
        code.used_at = row.get(1)?;
        Ok(code)
    })
}

/// The first use of a code stores its grant; any further use revokes that grant.
pub(crate) fn redeem(
    connection: &Connection,
    hash: TokenHash,
    row: &GrantRow,
    refresh: Option<&RefreshToken>,
    now: i64,
) -> Result<Redeemed> {
    let grant = &row.grant;
    if run(connection, sql::USE_CODE, (hash.0, now, &grant.id, grant.expires_at))? == 0 {
        let first: Option<GrantId> = one(connection, sql::GRANT_OF_USED_CODE, [hash.0], |row| Ok(row.get(0)?))?;
        if let Some(id) = first {
            run(connection, sql::REVOKE_GRANT, (id, now))?;
        }
        return Ok(Redeemed::Refused);
    }
    if !may_continue(connection, grant.user_id.as_ref(), grant.session_id.as_ref(), now)? {
        return Ok(Redeemed::Refused);
    }
    row.insert(connection, Some(hash))?;
    if let Some(token) = refresh {
        insert_refresh(connection, token, None)?;
    }
    Ok(Redeemed::First)
}
