//! Client certificates of users, as links.

use async_trait::async_trait;

use crate::audit::Event;
use crate::store::ids::UserId;
use crate::store::model::{Link, LinkKey};
use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::{Parameter, Repeat};
use crate::store::postgres::error::Fate;
use crate::store::postgres::parameters::{self, TellRows, answered, made_in};
use crate::store::postgres::rows::{Cells, ended, link_columns, value};
use crate::store::rows::{AccountRow, GrantRow, LinkRow, TraceRow};
use crate::store::{CertificateGrant, Certificates, Ended, Result, Tell};

const LINKS_AT: &str =
    concat!("SELECT ", link_columns!(), " FROM links l WHERE l.user_id = $1 AND l.provider = $2 ORDER BY l.row");

#[async_trait]
impl Certificates for PostgresStore {
    async fn grant_by_certificate(&self, written: CertificateGrant) -> Result<bool> {
        let CertificateGrant { account, link, grant, trace, events } = written;
        let events = self.events(&events)?;
        let account = AccountRow::new(&self.sealer, account)?;
        let link = link.map(|link| LinkRow::new(&self.sealer, link)).transpose()?;
        let (grant, trace) = (GrantRow::new(grant)?, TraceRow::new(&self.sealer, trace)?);
        let (made_in, names, has_link) = (made_in(&grant), parameters::names(&trace), link.is_some());
        let mut all: Vec<Parameter<'_>> = parameters::account(&account).to_vec();
        all.push(&has_link);
        all.extend(parameters::some_link(link.as_ref()));
        all.extend(parameters::grant(&grant, &made_in));
        all.extend(parameters::trace(&trace));
        all.push(&names);
        all.push(parameters::most_traces(&trace));
        all.extend(events.parameters());
        match self.try_call("grant_by_certificate", &all, Repeat::Never).await {
            Ok(_) => Ok(true),
            Err(failure) if matches!(failure.fate, Fate::Refused(_)) => Ok(false),
            Err(failure) => Err(self.at_place(failure)),
        }
    }

    async fn attach_certificate(&self, link: Link, event: Event) -> Result<bool> {
        let (row, events) = (LinkRow::new(&self.sealer, link)?, self.events(&[event])?);
        let mut all: Vec<Parameter<'_>> = parameters::link(&row).to_vec();
        all.extend(events.parameters());
        answered(value(&self.call("attach_certificate", &all, Repeat::Never).await?)?)
    }

    async fn detach_certificate(
        &self,
        user_id: &UserId,
        key: &LinkKey,
        now: i64,
        event: Event,
        tell: &Tell,
    ) -> Result<Option<Ended>> {
        let (events, tell) = (self.events(&[event])?, TellRows::of(tell));
        let [provider, issuer, subject] = parameters::link_key(key);
        let mut all: Vec<Parameter<'_>> = vec![user_id, provider, issuer, subject, &now];
        all.extend(tell.parameters());
        all.extend(events.parameters());
        ended(&self.call("detach_certificate", &all, Repeat::Never).await?)
    }

    async fn links_at(&self, user_id: &UserId, provider: &str) -> Result<Vec<Link>> {
        let rows = self.read(LINKS_AT, &[user_id, &provider]).await?;
        rows.iter().filter_map(|row| self.reader().link(&mut Cells::of(row)).transpose()).collect()
    }
}
