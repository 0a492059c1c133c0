//! What ends because a provider says so: sessions, grants, and claims that have changed, in one transaction.

use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::{Parameter, Repeat};
use crate::store::postgres::events::EventRows;
use crate::store::postgres::parameters::TellRows;
use crate::store::postgres::rows::{Cells, app};
use crate::store::rows::EndRows;
use crate::store::{AppSession, Result};

impl PostgresStore {
    /// The apps of each session; `None` if the identifier was used before.
    pub(crate) async fn write_end(
        &self,
        rows: &EndRows,
        now: i64,
        events: &EventRows,
    ) -> Result<Option<Vec<Vec<AppSession>>>> {
        let (end, once) = (&rows.end, rows.key.as_slice());
        let users: Vec<_> = end.grants.iter().map(|(user, ..)| user).collect();
        let providers: Vec<_> = end.grants.iter().map(|(_, key, _)| &key.provider).collect();
        let issuers: Vec<_> = end.grants.iter().map(|(_, key, _)| &key.issuer).collect();
        let subjects: Vec<_> = end.grants.iter().map(|(_, key, _)| &key.subject).collect();
        let made_by: Vec<i64> = end.grants.iter().map(|(.., made_by)| *made_by).collect();
        let mut all: Vec<Parameter<'_>> = vec![&once, &end.expires_at, &now, &end.sessions];
        all.extend([&users as Parameter<'_>, &providers, &issuers, &subjects, &made_by]);
        let claims_providers: Vec<_> = end.claims.iter().map(|changed| &changed.key.provider).collect();
        let claims_issuers: Vec<_> = end.claims.iter().map(|changed| &changed.key.issuer).collect();
        let claims_subjects: Vec<_> = end.claims.iter().map(|changed| &changed.key.subject).collect();
        let claims_at: Vec<i64> = end.claims.iter().map(|changed| changed.claims_at).collect();
        let emails: Vec<_> = end.claims.iter().map(|changed| &changed.verified_email).collect();
        let read_at: Vec<i64> = end.claims.iter().map(|changed| changed.read_at).collect();
        all.extend([&claims_providers as Parameter<'_>, &claims_issuers, &claims_subjects, &rows.claims]);
        all.extend([&claims_at as Parameter<'_>, &emails, &read_at]);
        let tell = TellRows::of(&end.tell);
        all.extend(tell.parameters());
        all.extend(events.parameters());
        let answer = self.call("end_once", &all, Repeat::Never).await?;
        if answer.is_empty() {
            return Ok(None);
        }
        let mut ended: Vec<Vec<AppSession>> = end.sessions.iter().map(|_| Vec::new()).collect();
        for row in &answer {
            let mut cells = Cells::of(row);
            let number = usize::try_from(cells.next::<i32>()?).unwrap_or_default();
            if let Some(apps) = number.checked_sub(1).and_then(|at| ended.get_mut(at)) {
                apps.push(app(&mut cells)?);
            }
        }
        Ok(Some(ended))
    }
}
