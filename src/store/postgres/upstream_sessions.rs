//! The sessions at providers that a session came from: the latest in its own row, those before it in `upstream_sessions`.

use crate::store::encoding::{columns, open_text};
use crate::store::ids::SessionId;
use crate::store::model::{LinkKey, UpstreamSession};
use crate::store::postgres::PostgresStore;
use crate::store::postgres::rows::{
    Cells, Reader, link_columns, session_columns, session_view, session_view_of, user_columns,
};
use crate::store::{FromUpstream, Result, UpstreamSessions};

macro_rules! latest {
    ($which:literal) => {
        concat!("SELECT ", session_view!(), session_view_of!("sessions s"), $which)
    };
}
/// What a session came from before, with that session.
macro_rules! before {
    ($which:literal) => {
        concat!(
            "SELECT e.provider, e.issuer, e.subject, e.sid, e.id_token, e.sealed_in, e.at, ",
            session_view!(),
            session_view_of!("upstream_sessions e JOIN sessions s ON s.id = e.session_id"),
            $which
        )
    };
}

const LATEST_OF_LINK: &str = latest!(
    " WHERE s.user_id = (SELECT user_id FROM links WHERE provider = $1 AND issuer = $2 AND subject = $3) ORDER BY s.row DESC"
);
const LATEST_BY_SID: &str = latest!(" WHERE s.upstream_sid = $1");
const BEFORE_BY_SUBJECT: &str = before!(" WHERE e.subject = $1");
const BEFORE_BY_SID: &str = before!(" WHERE e.sid = $1");
const OF_SESSION: &str = "SELECT provider, issuer, subject, sid, id_token, sealed_in, at FROM upstream_sessions
    WHERE session_id = $1 ORDER BY at DESC";

impl PostgresStore {
    /// The sessions that a provider's sign-out ends.
    pub(crate) async fn ended_upstream(&self, said: &UpstreamSessions) -> Result<Vec<FromUpstream>> {
        let UpstreamSessions { provider, issuer, subject, sid } = said;
        let (latest, before) = match (subject, sid) {
            (Some(subject), _) => (
                self.read(LATEST_OF_LINK, &[provider, issuer, subject]).await?,
                self.read(BEFORE_BY_SUBJECT, &[subject]).await?,
            ),
            (None, Some(sid)) => (self.read(LATEST_BY_SID, &[sid]).await?, self.read(BEFORE_BY_SID, &[sid]).await?),
            (None, None) => return Ok(Vec::new()),
        };
        let mut found: Vec<FromUpstream> = Vec::new();
        for view in self.reader().session_views(&latest)? {
            if said.ends(&view.session.link, view.session.upstream_sid.as_deref()) {
                let upstream = view.session.upstream();
                found.push(FromUpstream { view, upstream });
            }
        }
        for row in &before {
            let mut cells = Cells::of(row);
            let upstream = self.reader().upstream_session(&mut cells)?;
            let Some(view) = self.reader().session_view(&mut cells)? else { continue };
            let known = found.iter().any(|known| known.view.session.id == view.session.id);
            if !known && said.ends(&upstream.link, upstream.sid.as_deref()) {
                found.push(FromUpstream { view, upstream });
            }
        }
        Ok(found)
    }

    /// What a session came from before the last sign-in, the latest first.
    pub(crate) async fn earlier_upstream(&self, id: &SessionId) -> Result<Vec<UpstreamSession>> {
        let rows = self.read(OF_SESSION, &[id]).await?;
        rows.iter().map(|row| self.reader().upstream_session(&mut Cells::of(row))).collect()
    }
}

impl Reader<'_> {
    fn upstream_session(&self, cells: &mut Cells<'_>) -> Result<UpstreamSession> {
        let link = LinkKey { provider: cells.next()?, issuer: cells.next()?, subject: cells.next()? };
        let (sid, sealed, sealed_in): (_, Option<&[u8]>, &str) = (cells.next()?, cells.next()?, cells.next()?);
        let opened = |sealed| open_text(self.sealer, columns::UPSTREAM_ID_TOKEN, sealed_in.as_bytes(), sealed);
        Ok(UpstreamSession { link, sid, id_token: sealed.map(opened).transpose()?, at: cells.next()? })
    }
}
