//! Accounts, links, sessions: reading them for a decision, writing a finished sign-in, ending what was.

use rusqlite::Connection;
use serde_json::{Map, Value};

use crate::store::model::{LinkKey, Session, StoredTrace, User};
use crate::store::seal::Sealer;
use crate::store::sqlite::grants::CodeRow;
use crate::store::sqlite::rows::{LinkRow, Reader, SessionRow, columns, many, one, run, seal_json};
use crate::store::sqlite::sql;
use crate::store::sqlite::writer::Outcome;
use crate::store::{
    AccountQuery, AccountView, AccountWrite, AppSession, Result, SessionView, SignIn, SignInWritten, UpstreamSessions,
};

/// What the account decision needs to know.
pub(crate) fn accounts(reader: &Reader<'_>, query: &AccountQuery) -> Result<AccountView> {
    let mut view = AccountView::default();
    if let Some(link) = query.key.as_ref().map(|key| reader.link(key)).transpose()?.flatten() {
        view.linked = reader.user(sql::USER, [&link.user_id])?.map(|user| (user, link));
    }
    if let Some(username) = &query.declared {
        view.declared = reader.user(sql::USER_BY_KEY, [username])?;
        if let (Some(user), Some(key)) = (&view.declared, &query.key) {
            let params = (&user.id, &key.provider, &key.issuer);
            let found: Option<i64> = one(reader.connection, sql::IS_LINKED, params, |row| Ok(row.get(0)?))?;
            view.declared_is_linked = found.is_some();
        }
    }
    if let Some((email, providers)) = &query.email {
        view.by_email = by_email(reader, email, providers)?;
    }
    if let Some(key) = &query.username_key {
        let params = (key, char::MAX.to_string());
        view.taken = many(reader.connection, sql::USERNAMES_TAKEN, params, |row| Ok((row.get(0)?, row.get(1)?)))?;
    }
    Ok(view)
}

fn by_email(reader: &Reader<'_>, email: &str, providers: &[(String, String)]) -> Result<Vec<User>> {
    let links = many(reader.connection, sql::LINKS_BY_EMAIL, [email], |row| {
        Ok(((row.get(0)?, row.get(1)?), row.get::<_, String>(2)?))
    })?;
    let mut ids: Vec<String> = Vec::new();
    for (provider, user_id) in links {
        if providers.contains(&provider) && !ids.contains(&user_id) {
            ids.push(user_id);
        }
    }
    ids.iter().filter_map(|id| reader.user(sql::USER, [id]).transpose()).collect()
}

/// A finished sign-in with all that is sealed or encoded in it, so that the writer only writes.
pub(crate) struct SignInRows {
    account: AccountRow,
    link: LinkRow,
    system_roles: Vec<String>,
    session: SessionRow,
    replaces: Option<String>,
    code: Option<CodeRow>,
    trace: TraceRow,
}

enum AccountRow {
    Create(User, Vec<u8>),
    Update(String, Option<Vec<u8>>),
}

impl SignInRows {
    pub(crate) fn new(sealer: &Sealer, sign_in: SignIn) -> Result<Self> {
        let account = match sign_in.account {
            AccountWrite::Create(user) => {
                let profile = seal_profile(sealer, &user.id, &user.profile)?;
                AccountRow::Create(user, profile)
            }
            AccountWrite::Update { user_id, profile } => {
                let profile = profile.map(|profile| seal_profile(sealer, &user_id, &profile)).transpose()?;
                AccountRow::Update(user_id, profile)
            }
        };
        Ok(Self {
            account,
            link: LinkRow::new(sealer, sign_in.link)?,
            system_roles: sign_in.system_roles,
            session: SessionRow::new(sealer, sign_in.session, sign_in.session_secret)?,
            replaces: sign_in.replaces,
            code: sign_in.code.map(CodeRow::new).transpose()?,
            trace: TraceRow::new(sealer, sign_in.trace)?,
        })
    }

    pub(crate) fn write(&self, connection: &Connection, now: i64) -> Result<Outcome<SignInWritten>> {
        let written = self.account.write(connection)? && self.link.upsert(connection)?;
        if !written {
            return Ok(Outcome::Undo(SignInWritten::Conflict));
        }
        for name in &self.system_roles {
            run(connection, sql::INSERT_SYSTEM_ROLE, [name])?;
        }
        let ended = match &self.replaces {
            Some(old) => self.replace(connection, old, now)?,
            None => Vec::new(),
        };
        if !self.session.insert(connection)? {
            return Ok(Outcome::Undo(SignInWritten::Conflict));
        }
        if let Some(code) = &self.code {
            code.insert(connection)?;
        }
        self.trace.insert(connection)?;
        Ok(Outcome::Keep(if ended.is_empty() { SignInWritten::Done } else { SignInWritten::Replaced(ended) }))
    }

    /// Ends the session of before; the apps that had a part in it and not in the new one.
    fn replace(&self, connection: &Connection, old: &str, now: i64) -> Result<Vec<AppSession>> {
        let user = user_of_session(connection, old)?;
        if user.as_deref() == Some(self.session.user_id()) {
            run(connection, sql::MOVE_GRANTS, (user, old, self.session.id()))?;
            // Two tabs that sign in at the same time: the code of the first is not redeemed yet.
            run(connection, sql::MOVE_CODES, (old, self.session.id()))?;
        }
        end_session(connection, old, now)
    }
}

impl AccountRow {
    /// `false` when the name or the subject is taken, or the account is gone or disabled.
    fn write(&self, connection: &Connection) -> Result<bool> {
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

/// Whether a user is there and has access.
pub(crate) fn has_access(connection: &Connection, user_id: &str) -> Result<bool> {
    let disabled: Option<bool> = one(connection, sql::USER_DISABLED, [user_id], |row| Ok(row.get(0)?))?;
    Ok(disabled == Some(false))
}

/// A user's attributes, sealed.
pub(crate) fn seal_profile(sealer: &Sealer, user_id: &str, profile: &Map<String, Value>) -> Result<Vec<u8>> {
    seal_json(sealer, columns::PROFILE, user_id.as_bytes(), profile)
}

fn user_of_session(connection: &Connection, id: &str) -> Result<Option<String>> {
    one(connection, sql::SESSION_USER, [id], |row| Ok(row.get(0)?))
}

/// Ends a session and revokes the grants bound to it.
pub(crate) fn end_session(connection: &Connection, id: &str, now: i64) -> Result<Vec<AppSession>> {
    let Some(user) = user_of_session(connection, id)? else { return Ok(Vec::new()) };
    let apps = many(connection, sql::APPS_OF_SESSION, (&user, id), |row| {
        Ok(AppSession { client: row.get(0)?, sid: row.get(1)? })
    })?;
    run(connection, sql::REVOKE_SESSION, (&user, id, now))?;
    run(connection, sql::DELETE_SESSION, [id])?;
    Ok(apps)
}

/// The sessions that a provider's sign-out ends.
pub(crate) fn sessions_of_upstream(reader: &Reader<'_>, upstream: &UpstreamSessions) -> Result<Vec<SessionView>> {
    let UpstreamSessions { provider, issuer, subject, sid } = upstream;
    let sessions = match (subject, sid) {
        (Some(subject), _) => {
            let key = LinkKey { provider: provider.clone(), issuer: issuer.clone(), subject: subject.clone() };
            match reader.link(&key)? {
                Some(link) => {
                    let params = (&link.user_id, i64::MAX);
                    many(reader.connection, sql::SESSIONS_OF_USER, params, |row| reader.session_from(row))?
                }
                None => Vec::new(),
            }
        }
        (None, Some(sid)) => {
            many(reader.connection, sql::SESSIONS_BY_UPSTREAM_SID, [sid], |row| reader.session_from(row))?
        }
        (None, None) => Vec::new(),
    };
    let ends = |session: &Session| {
        session.link.provider == *provider
            && session.link.issuer == *issuer
            && subject.as_ref().is_none_or(|subject| session.link.subject == *subject)
            && match (sid, &session.upstream_sid) {
                (Some(sid), Some(known)) => sid == known,
                _ => true,
            }
    };
    let ended = sessions.into_iter().filter(ends);
    ended.filter_map(|session| reader.session_view(session).transpose()).collect()
}

/// Takes a user's access away, or gives it back.
pub(crate) fn set_disabled(connection: &Connection, user_id: &str, disabled: bool, now: i64) -> Result<()> {
    run(connection, sql::SET_DISABLED, (user_id, disabled))?;
    if disabled {
        run(connection, sql::DELETE_SESSIONS_OF_USER, [user_id])?;
        run(connection, sql::REVOKE_GRANTS_OF_USER, (user_id, now))?;
    }
    Ok(())
}

/// A decision as it is written.
pub(crate) struct TraceRow {
    trace: StoredTrace,
    data: Vec<u8>,
}

impl TraceRow {
    pub(crate) fn new(sealer: &Sealer, trace: StoredTrace) -> Result<Self> {
        Ok(Self { data: sealer.seal(columns::TRACE, trace.id.as_bytes(), trace.data.as_bytes())?, trace })
    }

    pub(crate) fn insert(&self, connection: &Connection) -> Result<()> {
        let StoredTrace { id, user_id, client, at, expires_at, .. } = &self.trace;
        run(connection, sql::INSERT_TRACE, (id, user_id, client, &self.data, at, expires_at)).map(drop)
    }
}
