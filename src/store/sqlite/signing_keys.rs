//! Signing keys.

use async_trait::async_trait;

use crate::store::encoding::{columns, key_state_name};
use crate::store::model::SigningKey;
use crate::store::sqlite::rows::{many, run};
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{Result, SigningKeys};

#[async_trait]
impl SigningKeys for SqliteStore {
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
}
