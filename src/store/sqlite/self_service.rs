//! What people look up of their own, and what they take away themselves.

use async_trait::async_trait;
use rusqlite::Connection;

use crate::audit::Event;
use crate::store::ids::{SessionId, UserId};
use crate::store::model::{Consent, Session};
use crate::store::self_service::OwnSessions;
use crate::store::sqlite::administration::consent;
use crate::store::sqlite::ends::apps_of_session;
use crate::store::sqlite::rows::{many, run};
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{Ended, Result, SelfService, Tell};

#[async_trait]
impl SelfService for SqliteStore {
    async fn own_sessions(
        &self,
        user_id: &UserId,
        after: Option<&SessionId>,
        now: i64,
        limit: u32,
    ) -> Result<Vec<Session>> {
        let params = (user_id.clone(), after.cloned(), now, limit);
        self.read(move |reader| many(reader.connection, sql::OWN_SESSIONS, params, |row| reader.session_from(row)))
            .await
    }

    async fn own_consents(&self, user_id: &UserId, after: &str, limit: u32) -> Result<Vec<Consent>> {
        let (user_id, after) = (user_id.clone(), after.to_owned());
        self.read(move |reader| {
            many(reader.connection, sql::OWN_CONSENTS, (&user_id, after, limit), |row| consent(&user_id, row))
        })
        .await
    }

    async fn end_own_sessions(
        &self,
        user_id: &UserId,
        which: OwnSessions,
        now: i64,
        event: Event,
        tell: &Tell,
    ) -> Result<Ended> {
        let (user_id, tell) = (user_id.clone(), tell.clone());
        let make = self.event_maker();
        self.write(move |connection| {
            let ids: Vec<SessionId> = match which {
                OwnSessions::One(id) => many(connection, sql::OWN_SESSION, (&id, &user_id), |row| Ok(row.get(0)?))?,
                OwnSessions::AllBut(kept) => {
                    many(connection, sql::OTHER_SESSIONS, (&user_id, &kept), |row| Ok(row.get(0)?))?
                }
            };
            let mut ended = Ended::default();
            for id in &ids {
                ended.apps.extend(apps_of_session(connection, &user_id, id, &tell, now)?);
                end(connection, &user_id, id, now, &mut ended)?;
            }
            if ended.sessions > 0 {
                make(vec![event.ended(ended.sessions, ended.grants)]).append(connection)?;
            }
            Ok(ended)
        })
        .await
    }
}

/// Ends one session with all grants and codes of it.
fn end(connection: &Connection, user: &UserId, id: &SessionId, now: i64, ended: &mut Ended) -> Result<()> {
    let grants = run(connection, sql::REVOKE_ALL_OF_SESSION, (user, id, now))?;
    run(connection, sql::DELETE_CODES_OF_SESSION, [id])?;
    run(connection, sql::DELETE_SESSION, [id])?;
    ended.sessions += 1;
    ended.grants += u64::try_from(grants).unwrap_or(u64::MAX);
    Ok(())
}
