//! Decisions, kept for `explain --trace`.

use async_trait::async_trait;

use crate::audit::Event;
use crate::store::bounds::{REFUSALS_OF_NAME, REFUSED};
use crate::store::model::StoredTrace;
use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::{Parameter, Repeat};
use crate::store::postgres::parameters;
use crate::store::rows::TraceRow;
use crate::store::{Result, Traces};

const TRACE: &str = "SELECT id, user_id, client, data, at, expires_at FROM traces WHERE id = $1 AND expires_at > $2";
const REFUSALS_NAMED: &str = "SELECT t.id, t.user_id, t.client, t.data, t.at, t.expires_at
    FROM (SELECT trace FROM refused_names WHERE key = ANY ($1) LIMIT $3) n JOIN traces t ON t.id = n.trace
    WHERE t.expires_at > $2 ORDER BY t.at DESC LIMIT $4";

#[async_trait]
impl Traces for PostgresStore {
    async fn save_trace(&self, trace: StoredTrace, events: Vec<Event>) -> Result<()> {
        let (row, events) = (TraceRow::new(&self.sealer, trace)?, self.events(&events)?);
        let names = parameters::names(&row);
        let mut all: Vec<Parameter<'_>> = parameters::trace(&row).to_vec();
        all.push(&names);
        all.push(parameters::most_traces(&row));
        all.extend(events.parameters());
        self.call("save_trace", &all, Repeat::Never).await.map(drop)
    }

    async fn refusals_named(&self, name: &str, now: i64, limit: u32) -> Result<Vec<StoredTrace>> {
        let keys: Vec<Vec<u8>> =
            self.sealer.index_keys(REFUSED, &name.to_lowercase()).map(|key| key.to_vec()).collect();
        let most = i64::from(REFUSALS_OF_NAME).saturating_mul(i64::try_from(keys.len()).unwrap_or(1));
        let rows = self.read(REFUSALS_NAMED, &[&keys, &now, &most, &i64::from(limit)]).await?;
        rows.iter().map(|row| self.reader().trace(row)).collect()
    }

    async fn trace(&self, id: &str, now: i64) -> Result<Option<StoredTrace>> {
        let row = self.read_one(TRACE, &[&id, &now]).await?;
        row.map(|row| self.reader().trace(&row)).transpose()
    }
}
