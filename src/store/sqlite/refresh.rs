//! Refresh token families: a token is used once, and is accepted again only within the grace period.

use rusqlite::Connection;

use crate::store::Result;
use crate::store::ids::{GrantId, SessionId, UserId};
use crate::store::model::{RefreshToken, TokenHash};
use crate::store::rows::RotationRows;
use crate::store::sqlite::rows::{Reader, one, run};
use crate::store::sqlite::shared::Outcome;
use crate::store::sqlite::sql;
use crate::store::sqlite::validity::may_continue;

/// Stores a refresh token as the newest one of its grant.
pub(crate) fn insert_refresh(connection: &Connection, token: &RefreshToken, parent: Option<TokenHash>) -> Result<()> {
    let RefreshToken { hash, grant_id, created_at, used_at, expires_at, family_expires_at } = token;
    let row = (hash.0, grant_id, parent.map(|hash| hash.0), created_at, used_at, expires_at, family_expires_at);
    run(connection, sql::INSERT_REFRESH, row)?;
    run(connection, sql::NEWEST_REFRESH, (grant_id, hash.0)).map(drop)
}

/// Reads a refresh token, used or not.
pub(crate) fn read(reader: &Reader<'_>, hash: TokenHash) -> Result<Option<RefreshToken>> {
    one(reader.connection, sql::REFRESH_TOKEN, [hash.0], |row| {
        Ok(RefreshToken {
            hash,
            grant_id: row.get(0)?,
            created_at: row.get(1)?,
            used_at: row.get(2)?,
            expires_at: row.get(3)?,
            family_expires_at: row.get(4)?,
        })
    })
}

/// [`crate::store::Rotated`], with its replayed token still sealed.
pub(crate) enum RotatedRow {
    New,
    Replayed(Vec<u8>),
    Reused,
    Refused,
}

/// The parts of a refresh token's row that its use depends on.
struct Presented {
    grant_id: GrantId,
    parent: Option<[u8; 32]>,
    used_at: Option<i64>,
    ends_at: i64,
    successor: Option<Vec<u8>>,
    successor_until: Option<i64>,
}

impl Presented {
    /// The successor while it may be handed out again. A clock that was set back does not make it available again.
    fn replay(self, now: i64, grace: i64) -> Option<Vec<u8>> {
        let recent = self.used_at.is_some_and(|used| now >= used.saturating_sub(grace));
        let open = self.successor_until.is_some_and(|until| now < until);
        self.successor.filter(|_| recent && open)
    }
}

impl RotationRows {
    pub(crate) fn write(&self, connection: &Connection, now: i64) -> Result<Outcome<RotatedRow>> {
        let Some(token) = self.presented(connection)? else { return Ok(Outcome::Undo(RotatedRow::Refused)) };
        let rests_on = one(connection, sql::GRANT_STANDING, [&token.grant_id], |row| {
            Ok((row.get::<_, Option<UserId>>(0)?, row.get::<_, Option<SessionId>>(1)?, row.get::<_, i64>(2)?))
        })?;
        let Some((user_id, session_id, grant_ends)) = rests_on else { return Ok(Outcome::Undo(RotatedRow::Refused)) };
        let lives = now < grant_ends && may_continue(connection, user_id.as_ref(), session_id.as_ref(), now)?;
        if token.used_at.is_some() {
            let grant_id = token.grant_id.clone();
            return Ok(match token.replay(now, self.rotation.grace) {
                Some(sealed) if lives => Outcome::Undo(RotatedRow::Replayed(sealed)),
                Some(_) => Outcome::Undo(RotatedRow::Refused),
                None => {
                    run(connection, sql::REVOKE_GRANT, (grant_id, now))?;
                    Outcome::Keep(RotatedRow::Reused)
                }
            });
        }
        if !lives || now >= token.ends_at || !self.update_account(connection, user_id.as_ref())? {
            return Ok(Outcome::Undo(RotatedRow::Refused));
        }
        self.use_token(connection, &token, now)?;
        if let Some(session) = &self.rotation.touch_session {
            run(connection, sql::TOUCH_SESSION, (session, now))?;
        }
        if let Some(jkt) = &self.rotation.dpop_jkt {
            run(connection, sql::BIND_GRANT, (&token.grant_id, jkt))?;
        }
        let extended = (&token.grant_id, self.rotation.grant_expires_at);
        if run(connection, sql::EXTEND_GRANT, extended)? == 1 {
            run(connection, sql::KEEP_CODE_OF, extended)?;
        }
        Ok(Outcome::Keep(RotatedRow::New))
    }

    fn presented(&self, connection: &Connection) -> Result<Option<Presented>> {
        one(connection, sql::REFRESH_USE, [self.rotation.parent.0], |row| {
            Ok(Presented {
                grant_id: row.get(0)?,
                parent: row.get(1)?,
                used_at: row.get(2)?,
                ends_at: row.get::<_, i64>(3)?.min(row.get(4)?),
                successor: row.get(5)?,
                successor_until: row.get(6)?,
            })
        })
    }

    /// `false` if the link no longer exists or the account is disabled.
    fn update_account(&self, connection: &Connection, user_id: Option<&UserId>) -> Result<bool> {
        if let (Some(link), Some(user_id)) = (&self.link, user_id)
            && !link.update(connection, user_id)?
        {
            return Ok(false);
        }
        match &self.profile {
            Some((id, profile)) => Ok(run(connection, sql::UPDATE_PROFILE, (id, profile))? == 1),
            None => Ok(true),
        }
    }

    fn use_token(&self, connection: &Connection, token: &Presented, now: i64) -> Result<()> {
        let parent = self.rotation.parent;
        if let Some((successor, _)) = &self.rotation.successor {
            let until = self.successor.as_ref().map(|_| now.saturating_add(self.rotation.grace));
            run(connection, sql::USE_REFRESH, (parent.0, now, &self.successor, until))?;
            insert_refresh(connection, successor, Some(parent))?;
        } else {
            run(connection, sql::KEEP_REFRESH, (parent.0, self.rotation.keep_until))?;
        }
        if let Some(grandparent) = token.parent {
            run(connection, sql::FORGET_SUCCESSOR, [grandparent])?;
        }
        Ok(())
    }
}
