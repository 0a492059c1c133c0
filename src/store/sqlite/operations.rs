//! The operations of [`Store`]: prepare on the caller's thread (sealing, JSON), then one transaction.

use async_trait::async_trait;
use rusqlite::Connection;

use crate::store::model::{
    Code, Consent, Grant, Interaction, Link, Login, RefreshToken, SigningKey, StoredTrace, TokenHash,
};
use crate::store::sqlite::accounts;
use crate::store::sqlite::accounts::{SignInRows, TraceRow};
use crate::store::sqlite::grants;
use crate::store::sqlite::grants::{CodeRow, RotatedRow, RotationRows};
use crate::store::sqlite::rows::{GrantRow, LinkRow, columns, key_state_name, many, one, open_text, run};
use crate::store::sqlite::writer::Survives;
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{
    AccountQuery, AccountView, AppSession, GrantView, Person, Redeemed, Result, Rotated, Rotation, SessionView, SignIn,
    SignInWritten, Store, UpstreamSessions,
};

/// A one-time identifier as it is stored: hashed, since it comes from outside and may have any length.
fn once_key(kind: &str, id: &str) -> [u8; 32] {
    TokenHash::of(&format!("{}:{kind}{id}", kind.len())).0
}

/// A row that waits for a browser: browser hash, sealed data, end.
type Waiting = ([u8; 32], Vec<u8>, i64);

fn waiting(connection: &Connection, sql: &str, id: TokenHash) -> Result<Option<Waiting>> {
    one(connection, sql, [id.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}

impl SqliteStore {
    /// Opens a row that waits, unless its time has passed.
    fn open_waiting(
        &self,
        column: &str,
        id: TokenHash,
        row: Option<Waiting>,
        now: i64,
    ) -> Result<Option<(TokenHash, String, i64)>> {
        let Some((browser, sealed, expires_at)) = row.filter(|(_, _, expires_at)| now < *expires_at) else {
            return Ok(None);
        };
        let data = open_text(&self.sealer, column, &id.0, &sealed)?;
        Ok(Some((TokenHash(browser), data, expires_at)))
    }

    fn open_interaction(&self, id: TokenHash, row: Option<Waiting>, now: i64) -> Result<Option<Interaction>> {
        let opened = self.open_waiting(columns::INTERACTION, id, row, now)?;
        Ok(opened.map(|(browser, data, expires_at)| Interaction { id, browser, data, expires_at }))
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn ping(&self) -> Result<()> {
        self.write(|connection| run(connection, sql::PING, []).map(drop)).await?;
        self.read(|reader| one(reader.connection, sql::SEAL_CHECKS, [], |_| Ok(()))).await.map(drop)
    }

    async fn save_login(&self, login: Login) -> Result<()> {
        let data = self.sealer.seal(columns::LOGIN, &login.state.0, login.data.as_bytes())?;
        let row = (login.state.0, login.browser.0, data, login.expires_at);
        self.write_passing(move |connection| run(connection, sql::INSERT_LOGIN, row).map(drop)).await
    }

    async fn take_login(&self, state: TokenHash, now: i64) -> Result<Option<Login>> {
        let row = self.write_passing(move |connection| waiting(connection, sql::TAKE_LOGIN, state)).await?;
        let opened = self.open_waiting(columns::LOGIN, state, row, now)?;
        Ok(opened.map(|(browser, data, expires_at)| Login { state, browser, data, expires_at }))
    }

    async fn save_interaction(&self, interaction: Interaction) -> Result<()> {
        let data = self.sealer.seal(columns::INTERACTION, &interaction.id.0, interaction.data.as_bytes())?;
        let row = (interaction.id.0, interaction.browser.0, data, interaction.expires_at);
        self.write_passing(move |connection| run(connection, sql::INSERT_INTERACTION, row).map(drop)).await
    }

    async fn interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>> {
        let row = self.read(move |reader| waiting(reader.connection, sql::INTERACTION, id)).await?;
        self.open_interaction(id, row, now)
    }

    async fn take_interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>> {
        let row = self.write_passing(move |connection| waiting(connection, sql::TAKE_INTERACTION, id)).await?;
        self.open_interaction(id, row, now)
    }

    async fn accounts(&self, query: AccountQuery) -> Result<AccountView> {
        self.read_recent(move |reader| accounts::accounts(reader, &query)).await
    }

    async fn finish_sign_in(&self, sign_in: SignIn, now: i64) -> Result<SignInWritten> {
        let rows = SignInRows::new(&self.sealer, sign_in)?;
        self.decide(Survives::Restart, move |connection| rows.write(connection, now)).await
    }

    async fn session(&self, secret: TokenHash) -> Result<Option<SessionView>> {
        self.read(move |reader| {
            let session = reader.session(sql::SESSION_BY_SECRET, [secret.0])?;
            session.map_or(Ok(None), |session| reader.session_view(session))
        })
        .await
    }

    async fn session_by_id(&self, id: &str) -> Result<Option<SessionView>> {
        let id = id.to_owned();
        self.read(move |reader| {
            let session = reader.session(sql::SESSION, [id])?;
            session.map_or(Ok(None), |session| reader.session_view(session))
        })
        .await
    }

    async fn sessions(&self, user_id: Option<&str>, limit: u32) -> Result<Vec<SessionView>> {
        let user_id = user_id.map(str::to_owned);
        self.read_long(move |reader| {
            let sessions = match user_id {
                Some(id) => many(reader.connection, sql::SESSIONS_OF_USER, (id, limit), |row| reader.session_from(row)),
                None => many(reader.connection, sql::SESSIONS, [limit], |row| reader.session_from(row)),
            }?;
            sessions.into_iter().filter_map(|session| reader.session_view(session).transpose()).collect()
        })
        .await
    }

    async fn sessions_of_upstream(&self, upstream: UpstreamSessions) -> Result<Vec<SessionView>> {
        self.read(move |reader| accounts::sessions_of_upstream(reader, &upstream)).await
    }

    async fn touch_session(&self, id: &str, now: i64) -> Result<()> {
        let id = id.to_owned();
        self.write_passing(move |connection| run(connection, sql::TOUCH_SESSION, (id, now)).map(drop)).await
    }

    async fn end_session(&self, id: &str, now: i64) -> Result<Vec<AppSession>> {
        let id = id.to_owned();
        self.write(move |connection| accounts::end_session(connection, &id, now)).await
    }

    async fn save_code(&self, code: Code, consent: Option<Consent>, now: i64) -> Result<()> {
        let row = CodeRow::new(code)?;
        self.write_passing(move |connection| row.save(connection, consent.as_ref(), now)).await
    }

    async fn code(&self, hash: TokenHash) -> Result<Option<(Code, Option<SessionView>)>> {
        self.read_recent(move |reader| {
            let Some(code) = grants::code(reader, hash)? else { return Ok(None) };
            let session = code.grant.sid.as_ref().map(|id| reader.session(sql::SESSION, [id])).transpose()?.flatten();
            let view = session.map(|session| reader.session_view(session)).transpose()?.flatten();
            Ok(Some((code, view)))
        })
        .await
    }

    async fn redeem_code(
        &self,
        hash: TokenHash,
        grant: Grant,
        refresh: Option<RefreshToken>,
        now: i64,
    ) -> Result<Redeemed> {
        let grant = GrantRow::new(grant)?;
        self.write(move |connection| grants::redeem(connection, hash, &grant, refresh.as_ref(), now)).await
    }

    async fn save_link(&self, link: Link) -> Result<()> {
        let user_id = link.user_id.clone();
        let row = LinkRow::new(&self.sealer, link)?;
        self.write(move |connection| row.update(connection, &user_id).map(|_| ())).await
    }

    async fn save_grant(&self, grant: Grant, consent: Option<Consent>, now: i64) -> Result<()> {
        let row = GrantRow::new(grant)?;
        self.write(move |connection| grants::save(connection, &row, consent.as_ref(), now)).await
    }

    async fn grant(&self, id: &str) -> Result<Option<GrantView>> {
        let id = id.to_owned();
        self.read(move |reader| reader.grant_view(&id)).await
    }

    async fn revoke_grant(&self, id: &str, now: i64) -> Result<()> {
        let id = id.to_owned();
        self.write(move |connection| run(connection, sql::REVOKE_GRANT, (id, now)).map(drop)).await
    }

    async fn refresh_token(&self, hash: TokenHash) -> Result<Option<(RefreshToken, GrantView)>> {
        self.read(move |reader| {
            let Some(token) = grants::refresh_token(reader, hash)? else { return Ok(None) };
            Ok(reader.grant_view(&token.grant_id)?.map(|grant| (token, grant)))
        })
        .await
    }

    async fn rotate_refresh(&self, rotation: Rotation, now: i64) -> Result<Rotated> {
        let parent = rotation.parent;
        let rows = RotationRows::new(&self.sealer, rotation)?;
        let rotated = self.decide(Survives::PowerCut, move |connection| rows.write(connection, now)).await?;
        Ok(match rotated {
            RotatedRow::New => Rotated::New,
            RotatedRow::Replayed(sealed) => {
                Rotated::Replayed(open_text(&self.sealer, columns::SUCCESSOR, &parent.0, &sealed)?)
            }
            RotatedRow::Reused => Rotated::Reused,
            RotatedRow::Refused => Rotated::Refused,
        })
    }

    async fn consent(&self, user_id: &str, client: &str) -> Result<Option<Consent>> {
        let (user_id, client) = (user_id.to_owned(), client.to_owned());
        self.read(move |reader| grants::consent(reader, &user_id, &client)).await
    }

    async fn revoke_consent(&self, user_id: &str, client: &str, now: i64) -> Result<()> {
        let (user_id, client) = (user_id.to_owned(), client.to_owned());
        self.write(move |connection| {
            run(connection, sql::DELETE_CONSENT, (&user_id, &client))?;
            run(connection, sql::REVOKE_GRANTS_OF_CLIENT, (&user_id, &client, now)).map(drop)
        })
        .await
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        self.read(|reader| many(reader.connection, sql::SIGNING_KEYS, [], |row| reader.signing_key_from(row))).await
    }

    async fn replace_signing_keys(&self, mut expected: Vec<String>, keys: Vec<SigningKey>) -> Result<bool> {
        let sealed = keys
            .iter()
            .map(|key| self.sealer.seal(columns::PRIVATE_KEY, key.kid.as_bytes(), &key.private))
            .collect::<Result<Vec<_>>>()?;
        expected.sort_unstable();
        self.write(move |connection| {
            let there: Vec<String> = many(connection, sql::SIGNING_KIDS, [], |row| Ok(row.get(0)?))?;
            if there != expected {
                return Ok(false);
            }
            run(connection, sql::DELETE_SIGNING_KEYS, [])?;
            for (key, private) in keys.iter().zip(&sealed) {
                let SigningKey { kid, algorithm, state, created_at, activated_at, retired_at, .. } = key;
                let row = (kid, algorithm, private, key_state_name(*state), created_at, activated_at, retired_at);
                run(connection, sql::INSERT_SIGNING_KEY, row)?;
            }
            Ok(true)
        })
        .await
    }

    async fn system_roles(&self) -> Result<Vec<String>> {
        self.read(|reader| many(reader.connection, sql::SYSTEM_ROLES, [], |row| Ok(row.get(0)?))).await
    }

    async fn user(&self, username_key: &str) -> Result<Option<Person>> {
        let key = username_key.to_owned();
        self.read(move |reader| {
            let user = reader.user(sql::USER_BY_KEY, [key])?;
            user.map(|user| reader.person(user)).transpose()
        })
        .await
    }

    async fn people(&self, after: Option<&str>, limit: u32) -> Result<Vec<Person>> {
        let after = after.unwrap_or_default().to_owned();
        self.read_long(move |reader| {
            let users = many(reader.connection, sql::USERS_AFTER, (after, limit), |row| reader.user_from(row))?;
            users.into_iter().map(|user| reader.person(user)).collect()
        })
        .await
    }

    async fn set_user_disabled(&self, user_id: &str, disabled: bool, now: i64) -> Result<()> {
        let id = user_id.to_owned();
        self.write(move |connection| accounts::set_disabled(connection, &id, disabled, now)).await
    }

    async fn rename_user(&self, user_id: &str, username: &str, username_key: &str) -> Result<bool> {
        let row = (user_id.to_owned(), username.to_owned(), username_key.to_owned());
        self.write(move |connection| Ok(run(connection, sql::RENAME_USER, row)? == 1)).await
    }

    async fn save_trace(&self, trace: StoredTrace) -> Result<()> {
        let row = TraceRow::new(&self.sealer, trace)?;
        self.write(move |connection| row.insert(connection)).await
    }

    async fn trace(&self, id: &str, now: i64) -> Result<Option<StoredTrace>> {
        let id = id.to_owned();
        self.read(move |reader| one(reader.connection, sql::TRACE, (id, now), |row| reader.trace_from(row))).await
    }

    async fn use_once(&self, kind: &str, id: &str, expires_at: i64, now: i64) -> Result<bool> {
        let key = once_key(kind, id);
        self.write(move |connection| Ok(run(connection, sql::USE_ONCE, (key, expires_at, now))? == 1)).await
    }

    async fn end_sessions_once(
        &self,
        ids: Vec<String>,
        kind: &str,
        id: &str,
        expires_at: i64,
        now: i64,
    ) -> Result<Option<Vec<Vec<AppSession>>>> {
        let key = once_key(kind, id);
        self.write(move |connection| {
            if run(connection, sql::USE_ONCE, (key, expires_at, now))? != 1 {
                return Ok(None);
            }
            ids.iter().map(|id| accounts::end_session(connection, id, now)).collect::<Result<_>>().map(Some)
        })
        .await
    }

    async fn sweep(&self, now: i64, limit: u32) -> Result<bool> {
        let mut more = false;
        for sql in sql::SWEEPS {
            // One transaction for each kind, so that sign-ins are served in between.
            let swept = self.sweep_kind(sql, now, limit).await?;
            more |= u32::try_from(swept).is_ok_and(|swept| swept >= limit) && limit > 0;
        }
        Ok(more)
    }
}
