//! Sessions: a finished sign-in is written in one transaction; ending a session revokes the grants bound to it.

use async_trait::async_trait;

use crate::audit::Event;
use crate::store::ids::{SessionId, UserId};
use crate::store::model::{TokenHash, UpstreamSession};
use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::{Parameter, Repeat};
use crate::store::postgres::error::Fate;
use crate::store::postgres::parameters::{self, TellRows};
use crate::store::postgres::rows::{
    Cells, apps, link_columns, session_columns, session_view, session_view_of, user_columns,
};
use crate::store::rows::{EndRows, SignInRows};
use crate::store::{
    AppSession, EndOnce, FromUpstream, Result, SessionView, Sessions, SignIn, SignInWritten, Tell, UpstreamSessions,
};

macro_rules! sessions {
    ($of:literal, $which:literal) => {
        concat!("SELECT ", session_view!(), session_view_of!($of), $which)
    };
}

const BY_SECRET: &str = sessions!("sessions s", " WHERE s.secret = $1");
/// The session with this id, or the one that the grants with this `sid` were moved to.
const BY_ID: &str = sessions!(
    "sessions s",
    " WHERE s.id = coalesce((SELECT id FROM sessions WHERE id = $1),
    (SELECT sso_session FROM grants WHERE sid = $1 AND sid <> sso_session LIMIT 1))"
);
const NEWEST: &str = sessions!("(SELECT * FROM sessions ORDER BY row DESC LIMIT $1) s", " ORDER BY s.row DESC");
const NEWEST_OF_USER: &str =
    sessions!("(SELECT * FROM sessions WHERE user_id = $1 ORDER BY row DESC LIMIT $2) s", " ORDER BY s.row DESC");

impl SignInRows {
    fn parameters<'p>(&'p self, now: &'p i64) -> Vec<Parameter<'p>> {
        let mut all: Vec<Parameter<'p>> = vec![now, &self.only_here];
        all.extend(parameters::account(&self.account));
        all.extend(parameters::link(&self.link));
        all.push(&self.system_roles);
        all.extend(parameters::session(&self.session));
        all.push(&self.replaces);
        all.extend(parameters::some_code(self.code.as_ref()));
        all.extend(parameters::trace(&self.trace));
        all
    }
}

#[async_trait]
impl Sessions for PostgresStore {
    async fn finish_sign_in(&self, sign_in: SignIn, now: i64) -> Result<SignInWritten> {
        let events = self.events(&sign_in.events)?;
        let rows = SignInRows::new(&self.sealer, sign_in)?;
        let tell = TellRows::of(&rows.tell);
        let mut all = rows.parameters(&now);
        all.extend(tell.parameters());
        all.extend(events.parameters());
        let ended = match self.try_call("finish_sign_in", &all, Repeat::Never).await {
            Ok(rows) => apps(&rows)?,
            Err(failure) if matches!(failure.fate, Fate::Refused(_) | Fate::Taken) => {
                return Ok(SignInWritten::Conflict);
            }
            Err(failure) => return Err(self.at_place(failure)),
        };
        Ok(if ended.is_empty() { SignInWritten::Done } else { SignInWritten::Replaced(ended) })
    }

    async fn session(&self, secret: TokenHash) -> Result<Option<SessionView>> {
        let row = self.read_one(BY_SECRET, &[&secret]).await?;
        row.map_or(Ok(None), |row| self.reader().session_view(&mut Cells::of(&row)))
    }

    async fn session_by_id(&self, id: &SessionId) -> Result<Option<SessionView>> {
        let row = self.read_one(BY_ID, &[id]).await?;
        row.map_or(Ok(None), |row| self.reader().session_view(&mut Cells::of(&row)))
    }

    async fn sessions(&self, user_id: Option<&UserId>, limit: u32) -> Result<Vec<SessionView>> {
        let limit = i64::from(limit);
        let rows = match user_id {
            Some(id) => self.read(NEWEST_OF_USER, &[id, &limit]).await?,
            None => self.read(NEWEST, &[&limit]).await?,
        };
        self.reader().session_views(&rows)
    }

    async fn sessions_of_upstream(&self, upstream: UpstreamSessions) -> Result<Vec<FromUpstream>> {
        self.ended_upstream(&upstream).await
    }

    async fn upstream_sessions(&self, id: &SessionId) -> Result<Vec<UpstreamSession>> {
        self.earlier_upstream(id).await
    }

    async fn touch_session(&self, id: &SessionId, now: i64) -> Result<()> {
        self.call("touch_session", &[id, &now], Repeat::Harmless).await.map(drop)
    }

    async fn end_session(&self, id: &SessionId, now: i64, events: Vec<Event>, tell: &Tell) -> Result<Vec<AppSession>> {
        let (events, tell) = (self.events(&events)?, TellRows::of(tell));
        let mut all: Vec<Parameter<'_>> = vec![id, &now];
        all.extend(tell.parameters());
        all.extend(events.parameters());
        apps(&self.call("end_session", &all, Repeat::Never).await?)
    }

    async fn end_once(&self, end: EndOnce, now: i64, events: Vec<Event>) -> Result<Option<Vec<Vec<AppSession>>>> {
        let (rows, events) = (EndRows::new(&self.sealer, end)?, self.events(&events)?);
        self.write_end(&rows, now, &events).await
    }
}
