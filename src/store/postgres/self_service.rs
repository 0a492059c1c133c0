//! What people look up of their own, and what they take away themselves.

use async_trait::async_trait;

use crate::audit::Event;
use crate::store::ids::{SessionId, UserId};
use crate::store::model::{Consent, Session};
use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::{Parameter, Repeat};
use crate::store::postgres::parameters::TellRows;
use crate::store::postgres::rows::{Cells, consent, ended};
use crate::store::self_service::OwnSessions;
use crate::store::{Ended, Result, SelfService, Tell};

const OWN_SESSIONS: &str = "SELECT data, NULL::bytea, last_active FROM sessions WHERE user_id = $1
    AND row < coalesce((SELECT row FROM sessions WHERE id = $2), 9223372036854775807)
    AND expires_at > $3 AND last_active + max_inactive > $3 ORDER BY row DESC LIMIT $4";
const OWN_CONSENTS: &str = "SELECT client, scopes, claims, granted_at FROM consents
    WHERE user_id = $1 AND client > $2 ORDER BY client LIMIT $3";

#[async_trait]
impl SelfService for PostgresStore {
    async fn own_sessions(
        &self,
        user_id: &UserId,
        after: Option<&SessionId>,
        now: i64,
        limit: u32,
    ) -> Result<Vec<Session>> {
        let rows = self.read(OWN_SESSIONS, &[user_id, &after, &now, &i64::from(limit)]).await?;
        rows.iter().filter_map(|row| self.reader().session(&mut Cells::of(row)).transpose()).collect()
    }

    async fn own_consents(&self, user_id: &UserId, after: &str, limit: u32) -> Result<Vec<Consent>> {
        let rows = self.read(OWN_CONSENTS, &[user_id, &after, &i64::from(limit)]).await?;
        rows.iter().map(|row| consent(user_id, row)).collect()
    }

    async fn end_own_sessions(
        &self,
        user_id: &UserId,
        which: OwnSessions,
        now: i64,
        event: Event,
        tell: &Tell,
    ) -> Result<Ended> {
        let (one, kept) = match which {
            OwnSessions::One(id) => (Some(id), None),
            OwnSessions::AllBut(id) => (None, Some(id)),
        };
        let (events, tell) = (self.events(&[event])?, TellRows::of(tell));
        let mut all: Vec<Parameter<'_>> = vec![user_id, &one, &kept, &now];
        all.extend(tell.parameters());
        all.extend(events.parameters());
        let rows = self.call("end_own_sessions", &all, Repeat::Never).await?;
        Ok(ended(&rows)?.unwrap_or_default())
    }
}
