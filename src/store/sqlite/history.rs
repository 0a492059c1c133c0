//! The history of the configuration.

use async_trait::async_trait;

use crate::store::encoding::{columns, open_text};
use crate::store::history::REMEMBERED;
use crate::store::sqlite::rows::{many, run};
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{History, Replica, Result, StoredGeneration};

#[async_trait]
impl History for SqliteStore {
    async fn save_generation(&self, generation: StoredGeneration) -> Result<()> {
        let StoredGeneration { id, replica, number, hash, applied, data, at } = generation;
        let data = self.sealer.seal(columns::GENERATION, id.as_bytes(), data.as_bytes())?;
        self.write(move |connection| {
            run(connection, sql::INSERT_GENERATION, (id, replica, number, hash, applied, data, at))?;
            run(connection, sql::TRIM_GENERATIONS, [REMEMBERED]).map(drop)
        })
        .await
    }

    async fn generations(&self, limit: u32) -> Result<Vec<StoredGeneration>> {
        self.read(move |reader| {
            many(reader.connection, sql::GENERATIONS, [limit], |row| {
                let id: String = row.get(0)?;
                let data = open_text(reader.sealer, columns::GENERATION, id.as_bytes(), row.get_ref(5)?.as_blob()?)?;
                Ok(StoredGeneration {
                    id,
                    replica: row.get(1)?,
                    number: row.get(2)?,
                    hash: row.get(3)?,
                    applied: row.get(4)?,
                    data,
                    at: row.get(6)?,
                })
            })
        })
        .await
    }

    async fn replica_seen(&self, replica: Replica, forget_before: i64) -> Result<()> {
        let Replica { id, host, hash, generation, started_at, seen_at } = replica;
        self.write_passing(move |connection| {
            run(connection, sql::FORGET_REPLICAS, [forget_before])?;
            run(connection, sql::UPSERT_REPLICA, (id, host, hash, generation, started_at, seen_at)).map(drop)
        })
        .await
    }

    async fn replicas(&self) -> Result<Vec<Replica>> {
        self.read(|reader| {
            many(reader.connection, sql::REPLICAS, [], |row| {
                Ok(Replica {
                    id: row.get(0)?,
                    host: row.get(1)?,
                    hash: row.get(2)?,
                    generation: row.get(3)?,
                    started_at: row.get(4)?,
                    seen_at: row.get(5)?,
                })
            })
        })
        .await
    }
}
