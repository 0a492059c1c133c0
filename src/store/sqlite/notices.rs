//! Apps that are still to be told that a session ended.

use std::collections::BTreeSet;

use async_trait::async_trait;
use rusqlite::Connection;

use crate::store::bounds::NOTICES_OF_CLIENT;
use crate::store::encoding::json;
use crate::store::ids::UserId;
use crate::store::notices::LONGEST_HOLD;
use crate::store::sqlite::rows::{many, one, run};
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{AppSession, LogoutNotices, NoticeHold, Result, StoredNotice, Tell};

/// Keeps a notice for those of these apps that are to be told of the end of a session of this user.
pub(super) fn keep(
    connection: &Connection,
    user: &UserId,
    apps: &mut [AppSession],
    tell: &Tell,
    now: i64,
) -> Result<()> {
    for app in apps.iter_mut().filter(|app| tell.clients.contains(&app.client)) {
        if one(connection, sql::HAS_NOTICES, (&app.client, NOTICES_OF_CLIENT - 1), |_| Ok(()))?.is_none() {
            let row = (&app.client, user, &app.sid, &tell.trace_id, tell.held_until, now);
            app.notice = one(connection, sql::INSERT_NOTICE, row, |row| Ok(NoticeHold { id: row.get(0)?, fence: 0 }))?;
        }
    }
    Ok(())
}

#[async_trait]
impl LogoutNotices for SqliteStore {
    async fn take_notices(
        &self,
        now: i64,
        until: i64,
        except: &BTreeSet<String>,
        limit: u32,
    ) -> Result<Vec<StoredNotice>> {
        let (latest, except) = (now.saturating_add(LONGEST_HOLD), json(except)?);
        let which = (now, latest, except.clone());
        // As a rule, none is left: the one connection that writes is not needed then.
        if self.read(|reader| one(reader.connection, sql::IS_NOTICE_LEFT, which, |_| Ok(()))).await?.is_none() {
            return Ok(Vec::new());
        }
        self.write_passing(move |connection| {
            many(connection, sql::TAKE_NOTICES, (now, latest, except, until, limit), |row| {
                Ok(StoredNotice {
                    hold: NoticeHold { id: row.get(0)?, fence: row.get(1)? },
                    client: row.get(2)?,
                    user_id: row.get(3)?,
                    sub: row.get(4)?,
                    sid: row.get(5)?,
                    trace_id: row.get(6)?,
                    attempts: row.get(7)?,
                    created_at: row.get(8)?,
                })
            })
        })
        .await
    }

    async fn hold_notice(&self, hold: NoticeHold, attempts: u32, until: i64) -> Result<bool> {
        let row = (hold.id, hold.fence, attempts, until);
        self.write_passing(move |connection| Ok(run(connection, sql::HOLD_NOTICE, row)? == 1)).await
    }

    async fn forget_notice(&self, hold: NoticeHold) -> Result<bool> {
        let row = (hold.id, hold.fence);
        self.write_passing(move |connection| Ok(run(connection, sql::FORGET_NOTICE, row)? == 1)).await
    }
}
