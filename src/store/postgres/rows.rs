//! Conversion of rows to records. A statement selects the columns of a record with one of the macros, and reads them in the
//! same order.

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::store::encoding::{columns, key_state, link_row, open_json, open_text, parse};
use crate::store::ids::{SessionId, UserId};
use crate::store::model::{Consent, Grant, Link, LinkKey, Session, SigningKey, StoredTrace, User};
use crate::store::seal::Sealer;
use crate::store::{AppSession, Ended, GrantView, NoticeHold, Person, Result, SessionView};

/// The columns of a user, `u`.
macro_rules! user_columns {
    () => {
        "u.id, u.username, u.username_key, u.sub, u.profile, u.disabled, u.created_at"
    };
}
/// The columns of a link, `l`.
macro_rules! link_columns {
    () => {
        "l.provider, l.issuer, l.subject, l.user_id, l.claims, l.claims_at, l.verified_email, l.refresh_token, l.created_at"
    };
}
/// The columns of a session, `s`.
macro_rules! session_columns {
    () => {
        "s.data, s.upstream_id_token, s.last_active"
    };
}
/// The columns of a grant, `g`.
macro_rules! grant_columns {
    () => {
        "g.data, g.session_id, g.revoked_at, g.expires_at, g.dpop_jkt"
    };
}
/// The columns of a session with its user and link.
macro_rules! session_view {
    () => {
        concat!(session_columns!(), ", ", user_columns!(), ", ", link_columns!())
    };
}
/// The tables that these columns come from.
macro_rules! session_view_of {
    ($sessions:literal) => {
        concat!(
            " FROM ",
            $sessions,
            " JOIN users u ON u.id = s.user_id LEFT JOIN links l
            ON l.subject = s.subject AND l.issuer = s.issuer AND l.provider = s.provider"
        )
    };
}
/// The columns of a grant with its user, link and session.
macro_rules! grant_view {
    () => {
        concat!(grant_columns!(), ", ", user_columns!(), ", ", link_columns!(), ", ", session_columns!())
    };
}
/// What a grant `g` is read with.
macro_rules! grant_view_of {
    ($grants:literal) => {
        concat!(
            " FROM ",
            $grants,
            " LEFT JOIN users u ON u.id = g.user_id
            LEFT JOIN links l ON l.subject = g.subject AND l.issuer = g.issuer AND l.provider = g.provider
            LEFT JOIN sessions s ON s.id = g.session_id"
        )
    };
}
pub(crate) use {
    grant_columns, grant_view, grant_view_of, link_columns, session_columns, session_view, session_view_of,
    user_columns,
};

/// The cells of a row, one after the other.
pub(crate) struct Cells<'r> {
    row: &'r Row,
    at: usize,
}

impl<'r> Cells<'r> {
    /// From the first one.
    pub(crate) const fn of(row: &'r Row) -> Self {
        Self { row, at: 0 }
    }

    /// The next one.
    pub(crate) fn next<T: FromSql<'r>>(&mut self) -> Result<T> {
        let value = self.row.try_get(self.at)?;
        self.at += 1;
        Ok(value)
    }

    /// Whether the next one is NULL; then the record that begins here is missing, which has this many columns.
    fn is_missing(&mut self, columns: usize) -> Result<bool> {
        let missing = self.row.try_get::<_, Option<Anything>>(self.at)?.is_none();
        if missing {
            self.at += columns;
        }
        Ok(missing)
    }
}

/// A value of any type.
struct Anything;

impl<'r> FromSql<'r> for Anything {
    fn from_sql(
        _: &tokio_postgres::types::Type,
        _: &'r [u8],
    ) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self)
    }

    fn accepts(_: &tokio_postgres::types::Type) -> bool {
        true
    }
}

/// What reads records.
pub(crate) struct Reader<'a> {
    /// Opens what is sealed.
    pub(crate) sealer: &'a Sealer,
}

impl Reader<'_> {
    /// A user; `None` if it is missing.
    pub(crate) fn user(&self, cells: &mut Cells<'_>) -> Result<Option<User>> {
        if cells.is_missing(7)? {
            return Ok(None);
        }
        let id: UserId = cells.next()?;
        let (username, username_key, sub) = (cells.next()?, cells.next()?, cells.next()?);
        let profile = open_json(self.sealer, columns::PROFILE, id.as_str().as_bytes(), cells.next()?)?;
        let (disabled, created_at) = (cells.next()?, cells.next()?);
        Ok(Some(User { id, username, username_key, sub, profile, disabled, created_at }))
    }

    /// A link; `None` if it is missing.
    pub(crate) fn link(&self, cells: &mut Cells<'_>) -> Result<Option<Link>> {
        if cells.is_missing(9)? {
            return Ok(None);
        }
        let key = LinkKey { provider: cells.next()?, issuer: cells.next()?, subject: cells.next()? };
        let row = link_row(&key);
        let user_id = cells.next()?;
        let claims = open_json(self.sealer, columns::CLAIMS, &row, cells.next()?)?;
        let (claims_at, verified_email) = (cells.next()?, cells.next()?);
        let refresh: Option<&[u8]> = cells.next()?;
        let refresh_token =
            refresh.map(|sealed| open_text(self.sealer, columns::UPSTREAM_REFRESH, &row, sealed)).transpose()?;
        Ok(Some(Link { key, user_id, claims, claims_at, verified_email, refresh_token, created_at: cells.next()? }))
    }

    /// A session; `None` if it is missing.
    pub(crate) fn session(&self, cells: &mut Cells<'_>) -> Result<Option<Session>> {
        if cells.is_missing(3)? {
            return Ok(None);
        }
        let mut session: Session = parse("sessions.data", cells.next::<&str>()?.as_bytes())?;
        let (token, row): (Option<&[u8]>, _) = (cells.next()?, session.id.as_str().as_bytes());
        session.upstream_id_token =
            token.map(|sealed| open_text(self.sealer, columns::UPSTREAM_ID_TOKEN, row, sealed)).transpose()?;
        session.last_active = cells.next()?;
        Ok(Some(session))
    }

    /// A session with its user and link; `None` if it or its user is missing.
    pub(crate) fn session_view(&self, cells: &mut Cells<'_>) -> Result<Option<SessionView>> {
        let (session, user, link) = (self.session(cells)?, self.user(cells)?, self.link(cells)?);
        Ok(session.zip(user).map(|(session, user)| SessionView { session, user, link }))
    }

    /// All session views of an answer.
    pub(crate) fn session_views(&self, rows: &[Row]) -> Result<Vec<SessionView>> {
        rows.iter().filter_map(|row| self.session_view(&mut Cells::of(row)).transpose()).collect()
    }

    /// A grant with its user, link and session.
    pub(crate) fn grant_view(&self, cells: &mut Cells<'_>) -> Result<GrantView> {
        let mut grant: Grant = parse("grants.data", cells.next::<&str>()?.as_bytes())?;
        grant.session_id = cells.next()?;
        grant.revoked_at = cells.next()?;
        grant.expires_at = cells.next()?;
        grant.dpop_jkt = cells.next()?;
        Ok(GrantView { grant, user: self.user(cells)?, link: self.link(cells)?, session: self.session(cells)? })
    }

    /// The people of an answer that has a row for each of their links, in its order. `first` reads what stands before the user.
    pub(crate) fn people<K: PartialEq>(
        &self,
        rows: &[Row],
        first: impl Fn(&mut Cells<'_>) -> Result<K>,
    ) -> Result<Vec<(K, Person)>> {
        let mut people: Vec<(K, Person)> = Vec::new();
        for row in rows {
            let mut cells = Cells::of(row);
            let key = first(&mut cells)?;
            let Some(user) = self.user(&mut cells)? else { continue };
            let link = self.link(&mut cells)?;
            match people.last_mut() {
                Some((last, person)) if *last == key && person.user.id == user.id => person.links.extend(link),
                _ => people.push((key, Person { user, links: link.into_iter().collect() })),
            }
        }
        Ok(people)
    }

    /// As [`Self::people`], where nothing stands before the user.
    pub(crate) fn persons(&self, rows: &[Row]) -> Result<Vec<Person>> {
        Ok(self.people(rows, |_| Ok(()))?.into_iter().map(|((), person)| person).collect())
    }

    /// A signing key.
    pub(crate) fn signing_key(&self, row: &Row) -> Result<SigningKey> {
        let mut cells = Cells::of(row);
        let (kid, algorithm): (String, String) = (cells.next()?, cells.next()?);
        let private = self.sealer.open(columns::PRIVATE_KEY, kid.as_bytes(), cells.next()?)?;
        let state = key_state(cells.next()?)?;
        let (created_at, activated_at, retired_at) = (cells.next()?, cells.next()?, cells.next()?);
        Ok(SigningKey { kid, algorithm, private, state, created_at, activated_at, retired_at })
    }

    /// A decision.
    pub(crate) fn trace(&self, row: &Row) -> Result<StoredTrace> {
        let mut cells = Cells::of(row);
        let id: String = cells.next()?;
        let (user_id, client) = (cells.next()?, cells.next()?);
        let data = open_text(self.sealer, columns::TRACE, id.as_bytes(), cells.next()?)?;
        Ok(StoredTrace { id, names: Vec::new(), user_id, client, data, at: cells.next()?, expires_at: cells.next()? })
    }
}

/// A consent of a user, from client, scopes, claims and time.
pub(crate) fn consent(user_id: &UserId, row: &Row) -> Result<Consent> {
    let mut cells = Cells::of(row);
    Ok(Consent {
        user_id: user_id.clone(),
        client: cells.next()?,
        scopes: parse("consents.scopes", cells.next::<&str>()?.as_bytes())?,
        claims: parse("consents.claims", cells.next::<&str>()?.as_bytes())?,
        granted_at: cells.next()?,
    })
}

/// The apps of an ended session, from client, `sid` and notice.
pub(crate) fn apps(rows: &[Row]) -> Result<Vec<AppSession>> {
    rows.iter().map(|row| app(&mut Cells::of(row))).collect()
}

/// One of them.
pub(crate) fn app(cells: &mut Cells<'_>) -> Result<AppSession> {
    let (client, sid): (String, SessionId) = (cells.next()?, cells.next()?);
    let notice = cells.next::<Option<i64>>()?.map(|id| NoticeHold { id, fence: 0 });
    Ok(AppSession { client, sid, notice })
}

/// What an operation ended; `None` if it changed nothing.
pub(crate) fn ended(rows: &[Row]) -> Result<Option<Ended>> {
    let mut all = None;
    let mut apps = Vec::new();
    for row in rows {
        let mut cells = Cells::of(row);
        let (sessions, grants): (i64, i64) = (cells.next()?, cells.next()?);
        if cells.is_missing(3)? {
            all = Some((sessions.unsigned_abs(), grants.unsigned_abs()));
        } else {
            apps.push(app(&mut cells)?);
        }
    }
    Ok(all.map(|(sessions, grants)| Ended { sessions, grants, apps }))
}

/// The only value of an answer that has one.
pub(crate) fn value<'r, T: FromSql<'r>>(rows: &'r [Row]) -> Result<Option<T>> {
    rows.first().map(|row| Cells::of(row).next()).transpose()
}
