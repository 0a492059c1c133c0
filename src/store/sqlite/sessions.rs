//! Sessions: a finished sign-in is written in one transaction; ending a session revokes the grants bound to it.

use async_trait::async_trait;
use rusqlite::Connection;

use crate::audit::Event;
use crate::store::ids::{SessionId, UserId};
use crate::store::model::{TokenHash, UpstreamSession, User};
use crate::store::rows::{AccountRow, EndRows, SignInRows};
use crate::store::sqlite::accounts::{has_access, is_linked};
use crate::store::sqlite::audit::EventRows;
use crate::store::sqlite::ends::{end, user_of_session};
use crate::store::sqlite::rows::{many, one, run};
use crate::store::sqlite::shared::Outcome;
use crate::store::sqlite::writer::Survives;
use crate::store::sqlite::{SqliteStore, sql, upstream_sessions};
use crate::store::{
    AppSession, EndOnce, FromUpstream, Result, SessionView, Sessions, SignIn, SignInWritten, Tell, UpstreamSessions,
};

#[async_trait]
impl Sessions for SqliteStore {
    async fn finish_sign_in(&self, mut sign_in: SignIn, now: i64) -> Result<SignInWritten> {
        let events = self.event_rows(std::mem::take(&mut sign_in.events));
        let rows = SignInRows::new(&self.sealer, sign_in)?;
        self.decide(Survives::Restart, move |connection| rows.write(connection, &events, now)).await
    }

    async fn session(&self, secret: TokenHash) -> Result<Option<SessionView>> {
        self.read(move |reader| {
            let session = reader.session(sql::SESSION_BY_SECRET, [secret.0])?;
            session.map_or(Ok(None), |session| reader.session_view(session))
        })
        .await
    }

    async fn session_by_id(&self, id: &SessionId) -> Result<Option<SessionView>> {
        let id = id.clone();
        self.read(move |reader| {
            let session = match reader.session(sql::SESSION, [&id])? {
                Some(session) => Some(session),
                None => {
                    let now: Option<String> = one(reader.connection, sql::MOVED_TO, [&id], |row| Ok(row.get(0)?))?;
                    now.map(|id| reader.session(sql::SESSION, [id])).transpose()?.flatten()
                }
            };
            session.map_or(Ok(None), |session| reader.session_view(session))
        })
        .await
    }

    async fn sessions(&self, user_id: Option<&UserId>, limit: u32) -> Result<Vec<SessionView>> {
        let user_id = user_id.cloned();
        self.read_long(move |reader| {
            let sessions = match user_id {
                Some(id) => many(reader.connection, sql::SESSIONS_OF_USER, (id, limit), |row| reader.session_from(row)),
                None => many(reader.connection, sql::SESSIONS, [limit], |row| reader.session_from(row)),
            }?;
            sessions.into_iter().filter_map(|session| reader.session_view(session).transpose()).collect()
        })
        .await
    }

    async fn sessions_of_upstream(&self, upstream: UpstreamSessions) -> Result<Vec<FromUpstream>> {
        self.read(move |reader| upstream_sessions::ended(reader, &upstream)).await
    }

    async fn upstream_sessions(&self, id: &SessionId) -> Result<Vec<UpstreamSession>> {
        let id = id.clone();
        self.read(move |reader| upstream_sessions::of(reader, &id)).await
    }

    async fn touch_session(&self, id: &SessionId, now: i64) -> Result<()> {
        let id = id.clone();
        self.write_passing(move |connection| run(connection, sql::TOUCH_SESSION, (id, now)).map(drop)).await
    }

    async fn end_session(&self, id: &SessionId, now: i64, events: Vec<Event>, tell: &Tell) -> Result<Vec<AppSession>> {
        let (id, tell) = (id.clone(), tell.clone());
        let events = self.event_rows(events);
        self.write(move |connection| {
            events.append(connection)?;
            end(connection, &id, &tell, now)
        })
        .await
    }

    async fn end_once(&self, end: EndOnce, now: i64, events: Vec<Event>) -> Result<Option<Vec<Vec<AppSession>>>> {
        let rows = EndRows::new(&self.sealer, end)?;
        let events = self.event_rows(events);
        self.write(move |connection| {
            if !rows.is_first(connection, now)? {
                return Ok(None);
            }
            events.append(connection)?;
            rows.write(connection, now).map(Some)
        })
        .await
    }
}

impl SignInRows {
    fn write(&self, connection: &Connection, events: &EventRows, now: i64) -> Result<Outcome<SignInWritten>> {
        let link = self.link.link();
        let taken = self.only_here && is_linked(connection, &link.user_id, &link.key)?;
        let written = !taken && self.account.write(connection)? && self.link.upsert(connection)?;
        if !written {
            return Ok(Outcome::Undo(SignInWritten::Conflict));
        }
        for name in &self.system_roles {
            run(connection, sql::INSERT_SYSTEM_ROLE, [name])?;
        }
        if !self.session.insert(connection)? {
            return Ok(Outcome::Undo(SignInWritten::Conflict));
        }
        let ended = match &self.replaces {
            Some(old) => self.replace(connection, old, now)?,
            None => Vec::new(),
        };
        if let Some(code) = &self.code {
            code.insert(connection)?;
        }
        self.trace.insert(connection)?;
        events.append(connection)?;
        Ok(Outcome::Keep(if ended.is_empty() { SignInWritten::Done } else { SignInWritten::Replaced(ended) }))
    }

    /// Ends the previous session. Returns the apps that took part in it but not in the new one.
    fn replace(&self, connection: &Connection, old: &SessionId, now: i64) -> Result<Vec<AppSession>> {
        let user = user_of_session(connection, old)?;
        if user.as_ref() == Some(self.session.user_id()) {
            // An app that knows the old session is notified when the new one ends, no matter how much later.
            let session_ends = self.session.expires_at();
            run(connection, sql::KEEP_MOVED_CODES, (&user, old, session_ends))?;
            run(connection, sql::EXTEND_MOVED, (&user, old, session_ends))?;
            run(connection, sql::MOVE_GRANTS, (user, old, self.session.id()))?;
            // Two tabs may sign in at the same time, and the code of the first may not be redeemed yet.
            run(connection, sql::MOVE_CODES, (old, self.session.id()))?;
            upstream_sessions::inherit(connection, old, self.session.id(), self.session.link())?;
        }
        end(connection, old, &self.tell, now)
    }
}

impl AccountRow {
    /// `false` if the name or the subject is taken, or the account no longer exists or is disabled.
    pub(crate) fn write(&self, connection: &Connection) -> Result<bool> {
        match self {
            Self::Create(user, profile) => {
                let User { id, username, username_key, sub, disabled, created_at, .. } = user;
                let row = (id, username, username_key, sub, profile, disabled, created_at);
                Ok(run(connection, sql::INSERT_USER, row)? == 1)
            }
            Self::Update(id, Some(profile)) => Ok(run(connection, sql::UPDATE_PROFILE, (id, profile))? == 1),
            Self::Update(id, None) => has_access(connection, id),
        }
    }
}
