//! Apps that are still to be told that a session ended.

use std::collections::BTreeSet;

use async_trait::async_trait;
use tokio_postgres::Row;

use crate::store::notices::LONGEST_HOLD;
use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::Repeat;
use crate::store::postgres::parameters::answered;
use crate::store::postgres::rows::{Cells, value};
use crate::store::{LogoutNotices, NoticeHold, Result, StoredNotice};

#[async_trait]
impl LogoutNotices for PostgresStore {
    async fn take_notices(
        &self,
        now: i64,
        until: i64,
        except: &BTreeSet<String>,
        limit: u32,
    ) -> Result<Vec<StoredNotice>> {
        let (latest, except) = (now.saturating_add(LONGEST_HOLD), except.iter().collect::<Vec<_>>());
        // If the answer is lost, those that were taken are taken again when the hold has expired.
        let limit = i64::from(limit);
        let rows = self.call("take_notices", &[&now, &latest, &except, &until, &limit], Repeat::Never).await?;
        rows.iter().map(notice).collect()
    }

    async fn hold_notice(&self, hold: NoticeHold, attempts: u32, until: i64) -> Result<bool> {
        let attempts = i64::from(attempts);
        let rows = self.call("hold_notice", &[&hold.id, &hold.fence, &attempts, &until], Repeat::Harmless).await?;
        answered(value(&rows)?)
    }

    async fn forget_notice(&self, hold: NoticeHold) -> Result<bool> {
        answered(value(&self.call("forget_notice", &[&hold.id, &hold.fence], Repeat::Harmless).await?)?)
    }
}

fn notice(row: &Row) -> Result<StoredNotice> {
    let mut cells = Cells::of(row);
    Ok(StoredNotice {
        hold: NoticeHold { id: cells.next()?, fence: cells.next()? },
        client: cells.next()?,
        user_id: cells.next()?,
        sub: cells.next()?,
        sid: cells.next()?,
        trace_id: cells.next()?,
        attempts: u32::try_from(cells.next::<i64>()?).unwrap_or(u32::MAX),
        created_at: cells.next()?,
    })
}
