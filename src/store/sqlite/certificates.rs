//! Client certificates of users, as links.

use async_trait::async_trait;
use rusqlite::Connection;

use crate::audit::Event;
use crate::store::ids::{SessionId, UserId};
use crate::store::model::{Link, LinkKey};
use crate::store::rows::{AccountRow, GrantRow, LinkRow, TraceRow};
use crate::store::sqlite::accounts::has_access;
use crate::store::sqlite::ends::end;
use crate::store::sqlite::rows::{many, run};
use crate::store::sqlite::shared::Outcome;
use crate::store::sqlite::writer::Survives;
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{CertificateGrant, Certificates, Ended, Result, Tell};

#[async_trait]
impl Certificates for SqliteStore {
    async fn grant_by_certificate(&self, written: CertificateGrant) -> Result<bool> {
        let CertificateGrant { account, link, grant, trace, events } = written;
        let events = self.event_rows(events);
        let account = AccountRow::new(&self.sealer, account)?;
        let link = link.map(|link| LinkRow::new(&self.sealer, link)).transpose()?;
        let (grant, trace) = (GrantRow::new(grant)?, TraceRow::new(&self.sealer, trace)?);
        self.decide(Survives::PowerCut, move |connection| {
            let linked = match &link {
                Some(link) => account.write(connection)? && link.upsert(connection)?,
                None => account.write(connection)? && is_link(connection, &grant)?,
            };
            if !linked {
                return Ok(Outcome::Undo(false));
            }
            grant.insert(connection, None)?;
            trace.insert_alone(connection)?;
            events.append(connection)?;
            Ok(Outcome::Keep(true))
        })
        .await
    }

    async fn attach_certificate(&self, link: Link, event: Event) -> Result<bool> {
        let user = link.user_id.clone();
        let row = LinkRow::new(&self.sealer, link)?;
        let event = self.event_rows(vec![event]);
        self.write(move |connection| {
            let attached = has_access(connection, &user)? && row.insert(connection)?;
            if attached {
                event.append(connection)?;
            }
            Ok(attached)
        })
        .await
    }

    async fn detach_certificate(
        &self,
        user_id: &UserId,
        key: &LinkKey,
        now: i64,
        event: Event,
        tell: &Tell,
    ) -> Result<Option<Ended>> {
        let (user, key, tell) = (user_id.clone(), key.clone(), tell.clone());
        let make = self.event_maker();
        self.write(move |connection| {
            let detached = detach(connection, &user, &key, &tell, now)?;
            if let Some(ended) = &detached {
                make(vec![event.ended(ended.sessions, ended.grants)]).append(connection)?;
            }
            Ok(detached)
        })
        .await
    }

    async fn links_at(&self, user_id: &UserId, provider: &str) -> Result<Vec<Link>> {
        let (user, provider) = (user_id.clone(), provider.to_owned());
        self.read(move |reader| many(reader.connection, sql::LINKS_AT, (user, provider), |row| reader.link_from(row)))
            .await
    }
}

/// Whether the link of a grant is its user's.
fn is_link(connection: &Connection, row: &GrantRow) -> Result<bool> {
    let (Some(key), Some(user)) = (&row.grant.link, &row.grant.user_id) else { return Ok(false) };
    let LinkKey { provider, issuer, subject } = key;
    let owner: Vec<UserId> = many(connection, sql::OWNER_OF_LINK, (provider, issuer, subject), |row| Ok(row.get(0)?))?;
    Ok(owner.first() == Some(user))
}

fn detach(connection: &Connection, user: &UserId, key: &LinkKey, tell: &Tell, now: i64) -> Result<Option<Ended>> {
    let LinkKey { provider, issuer, subject } = key;
    if run(connection, sql::DELETE_LINK, (provider, issuer, subject, user))? == 0 {
        return Ok(None);
    }
    let sessions: Vec<SessionId> =
        many(connection, sql::SESSIONS_BY_LINK, (user, provider, issuer, subject), |row| Ok(row.get(0)?))?;
    let grants = run(connection, sql::REVOKE_GRANTS_BY_LINK, (user, provider, issuer, subject, now))?;
    let mut ended = Ended { sessions: sessions.len() as u64, grants: grants as u64, apps: Vec::new() };
    for session in &sessions {
        ended.apps.extend(end(connection, session, tell, now)?);
    }
    Ok(Some(ended))
}
