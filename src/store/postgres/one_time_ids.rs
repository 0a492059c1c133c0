//! One-time identifiers.

use async_trait::async_trait;

use crate::store::encoding::once_key;
use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::Repeat;
use crate::store::postgres::parameters::answered;
use crate::store::postgres::rows::value;
use crate::store::{OneTimeIds, Result};

#[async_trait]
impl OneTimeIds for PostgresStore {
    async fn use_once(&self, kind: &str, id: &str, expires_at: i64, now: i64) -> Result<bool> {
        let key = once_key(kind, id);
        let rows = self.call("use_once", &[&key.as_slice(), &expires_at, &now], Repeat::Never).await?;
        answered(value(&rows)?)
    }
}
