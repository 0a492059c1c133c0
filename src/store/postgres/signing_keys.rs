//! Signing keys.

use async_trait::async_trait;

use crate::store::encoding::{columns, key_state_name};
use crate::store::model::SigningKey;
use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::{Parameter, Repeat};
use crate::store::postgres::parameters::answered;
use crate::store::postgres::rows::value;
use crate::store::{Result, SigningKeys};

const SIGNING_KEYS: &str =
    "SELECT kid, algorithm, private, state, created_at, activated_at, retired_at FROM signing_keys
    ORDER BY created_at, kid";

#[async_trait]
impl SigningKeys for PostgresStore {
    async fn signing_keys(&self) -> Result<Vec<SigningKey>> {
        let rows = self.read(SIGNING_KEYS, &[]).await?;
        rows.iter().map(|row| self.reader().signing_key(row)).collect()
    }

    async fn replace_signing_keys(&self, mut expected: Vec<String>, keys: Vec<SigningKey>) -> Result<bool> {
        expected.sort_unstable();
        let sealed = keys.iter().map(|key| self.sealer.seal(columns::PRIVATE_KEY, key.kid.as_bytes(), &key.private));
        let privates = sealed.collect::<Result<Vec<_>>>()?;
        let texts = |of: fn(&SigningKey) -> &str| keys.iter().map(of).collect::<Vec<_>>();
        let (kids, algorithms) = (texts(|key| &key.kid), texts(|key| &key.algorithm));
        let states = texts(|key| key_state_name(key.state));
        let created: Vec<i64> = keys.iter().map(|key| key.created_at).collect();
        let times = |of: fn(&SigningKey) -> Option<i64>| keys.iter().map(of).collect::<Vec<_>>();
        let (activated, retired) = (times(|key| key.activated_at), times(|key| key.retired_at));
        let all: [Parameter<'_>; 8] =
            [&expected, &kids, &algorithms, &privates, &states, &created, &activated, &retired];
        answered(value(&self.call("replace_signing_keys", &all, Repeat::Never).await?)?)
    }
}
