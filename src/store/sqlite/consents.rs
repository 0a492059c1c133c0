//! Remembered consents.

use rusqlite::Connection;

use crate::store::Result;
use crate::store::encoding::{json, parse};
use crate::store::ids::UserId;
use crate::store::model::{Consent, Grant};
use crate::store::sqlite::rows::{Reader, one, run};
use crate::store::sqlite::sql;

/// Remembers the consent that a grant is based on, and marks its session as active.
pub(crate) fn remember(connection: &Connection, grant: &Grant, consent: Option<&Consent>, now: i64) -> Result<()> {
    if let Some(Consent { user_id, client, scopes, claims, granted_at }) = consent {
        run(connection, sql::UPSERT_CONSENT, (user_id, client, json(scopes)?, json(claims)?, granted_at))?;
    }
    if let Some(session) = grant.session_id.as_ref().or(grant.sid.as_ref()) {
        run(connection, sql::TOUCH_SESSION, (session, now))?;
    }
    Ok(())
}

/// Reads a remembered consent.
pub(crate) fn read(reader: &Reader<'_>, user_id: &UserId, client: &str) -> Result<Option<Consent>> {
    one(reader.connection, sql::CONSENT, (user_id, client), |row| {
        Ok(Consent {
            user_id: user_id.clone(),
            client: client.to_owned(),
            scopes: parse("consents.scopes", row.get_ref(0)?.as_bytes()?)?,
            claims: parse("consents.claims", row.get_ref(1)?.as_bytes()?)?,
            granted_at: row.get(2)?,
        })
    })
}
