//! The history of the configuration.

use async_trait::async_trait;

use crate::store::encoding::{columns, open_text};
use crate::store::history::REMEMBERED;
use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::{Parameter, Repeat};
use crate::store::postgres::rows::Cells;
use crate::store::{History, Replica, Result, StoredGeneration};

const GENERATIONS: &str =
    "SELECT id, replica, number, hash, applied, data, at FROM generations ORDER BY row DESC LIMIT $1";
const REPLICAS: &str = "SELECT id, host, hash, generation, started_at, seen_at FROM replicas ORDER BY started_at, id";

#[async_trait]
impl History for PostgresStore {
    async fn save_generation(&self, generation: StoredGeneration) -> Result<()> {
        let StoredGeneration { id, replica, number, hash, applied, data, at } = generation;
        let data = self.sealer.seal(columns::GENERATION, id.as_bytes(), data.as_bytes())?;
        let most = REMEMBERED.cast_signed();
        let all: [Parameter<'_>; 8] = [&id, &replica, &number, &hash, &applied, &data, &at, &most];
        self.call("save_generation", &all, Repeat::Never).await.map(drop)
    }

    async fn generations(&self, limit: u32) -> Result<Vec<StoredGeneration>> {
        let rows = self.read(GENERATIONS, &[&i64::from(limit)]).await?;
        let read = |row| {
            let mut cells = Cells::of(row);
            let id: String = cells.next()?;
            let (replica, number, hash, applied) = (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
            let data = open_text(&self.sealer, columns::GENERATION, id.as_bytes(), cells.next()?)?;
            Ok(StoredGeneration { id, replica, number, hash, applied, data, at: cells.next()? })
        };
        rows.iter().map(read).collect()
    }

    async fn replica_seen(&self, replica: Replica, forget_before: i64) -> Result<()> {
        let Replica { id, host, hash, generation, started_at, seen_at } = replica;
        let all: [Parameter<'_>; 7] = [&id, &host, &hash, &generation, &started_at, &seen_at, &forget_before];
        self.call("replica_seen", &all, Repeat::Harmless).await.map(drop)
    }

    async fn replicas(&self) -> Result<Vec<Replica>> {
        let rows = self.read(REPLICAS, &[]).await?;
        let read = |row| {
            let mut cells = Cells::of(row);
            Ok(Replica {
                id: cells.next()?,
                host: cells.next()?,
                hash: cells.next()?,
                generation: cells.next()?,
                started_at: cells.next()?,
                seen_at: cells.next()?,
            })
        };
        rows.iter().map(read).collect()
    }
}
