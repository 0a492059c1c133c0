//! The sessions at providers that a session came from: the latest in its own row, those before it in `upstream_sessions`.

use rusqlite::{Connection, Row};

use crate::store::encoding::{columns, open_text};
use crate::store::ids::SessionId;
use crate::store::model::{LinkKey, Session, UpstreamSession};
use crate::store::sqlite::rows::{Reader, many, run};
use crate::store::sqlite::sql;
use crate::store::{FromUpstream, Result, UpstreamSessions};

/// Gives a new session what its user's previous one came from. A sign-in with the same upstream account takes the place of the
/// earlier one.
pub(super) fn inherit(connection: &Connection, old: &SessionId, new: &SessionId, own: &LinkKey) -> Result<()> {
    run(connection, sql::MOVE_UPSTREAM_SESSIONS, (old, new))?;
    run(connection, sql::KEEP_UPSTREAM_SESSION, (old, new))?;
    run(connection, sql::FORGET_UPSTREAM_SESSION, (new, &own.provider, &own.issuer, &own.subject)).map(drop)
}

/// What a session came from before the last sign-in, the latest first.
pub(super) fn of(reader: &Reader<'_>, id: &SessionId) -> Result<Vec<UpstreamSession>> {
    let earlier = many(reader.connection, sql::UPSTREAM_SESSIONS, [id], |row| earlier(reader, row))?;
    let mut earlier: Vec<UpstreamSession> = earlier.into_iter().map(|(_, upstream)| upstream).collect();
    earlier.sort_by_key(|upstream| std::cmp::Reverse(upstream.at));
    Ok(earlier)
}

/// The sessions that a provider's sign-out ends.
pub(super) fn ended(reader: &Reader<'_>, said: &UpstreamSessions) -> Result<Vec<FromUpstream>> {
    let mut found: Vec<(Session, UpstreamSession)> = Vec::new();
    for session in latest(reader, said)? {
        if said.ends(&session.link, session.upstream_sid.as_deref()) {
            let upstream = session.upstream();
            found.push((session, upstream));
        }
    }
    for (id, upstream) in before(reader, said)? {
        let known = found.iter().any(|(session, _)| session.id == id);
        if !known
            && said.ends(&upstream.link, upstream.sid.as_deref())
            && let Some(session) = reader.session(sql::SESSION, [&id])?
        {
            found.push((session, upstream));
        }
    }
    let view = |(session, upstream)| Ok(reader.session_view(session)?.map(|view| FromUpstream { view, upstream }));
    found.into_iter().filter_map(|one| view(one).transpose()).collect()
}

/// Sessions that may have come last from what the provider names.
fn latest(reader: &Reader<'_>, said: &UpstreamSessions) -> Result<Vec<Session>> {
    match (&said.subject, &said.sid) {
        (Some(subject), _) => {
            let (provider, issuer) = (said.provider.clone(), said.issuer.clone());
            let link = reader.link(&LinkKey { provider, issuer, subject: subject.clone() })?;
            let Some(link) = link else { return Ok(Vec::new()) };
            let params = (&link.user_id, i64::MAX);
            many(reader.connection, sql::SESSIONS_OF_USER, params, |row| reader.session_from(row))
        }
        (None, Some(sid)) => {
            many(reader.connection, sql::SESSIONS_BY_UPSTREAM_SID, [sid], |row| reader.session_from(row))
        }
        (None, None) => Ok(Vec::new()),
    }
}

/// Sessions that may have come earlier from what the provider names.
fn before(reader: &Reader<'_>, said: &UpstreamSessions) -> Result<Vec<(SessionId, UpstreamSession)>> {
    match (&said.subject, &said.sid) {
        (Some(subject), _) => {
            many(reader.connection, sql::UPSTREAM_SESSIONS_BY_SUBJECT, [subject], |row| earlier(reader, row))
        }
        (None, Some(sid)) => many(reader.connection, sql::UPSTREAM_SESSIONS_BY_SID, [sid], |row| earlier(reader, row)),
        (None, None) => Ok(Vec::new()),
    }
}

fn earlier(reader: &Reader<'_>, row: &Row<'_>) -> Result<(SessionId, UpstreamSession)> {
    let sealed_in: String = row.get(6)?;
    let opened = |sealed| open_text(reader.sealer, columns::UPSTREAM_ID_TOKEN, sealed_in.as_bytes(), sealed);
    let upstream = UpstreamSession {
        link: LinkKey { provider: row.get(1)?, issuer: row.get(2)?, subject: row.get(3)? },
        sid: row.get(4)?,
        id_token: row.get_ref(5)?.as_blob_or_null()?.map(opened).transpose()?,
        at: row.get(7)?,
    };
    Ok((row.get(0)?, upstream))
}
