//! The audit trail. What is read is chained first, so that an event is found as soon as its operation has returned.

use async_trait::async_trait;
use tokio_postgres::Row;

use crate::audit::Event;
use crate::audit::chain::{Hash, Recorded, line};
use crate::store::encoding::{columns, open_text, parse};
use crate::store::event_index::{
    EXPORTED, HOUR, LOOKED_AT, expired, keys_of, place_bytes, signed, unsigned, wanted_keys,
};
use crate::store::postgres::PostgresStore;
use crate::store::postgres::chain::{ENDS, Ends};
use crate::store::postgres::database::Repeat;
use crate::store::postgres::parameters::answered;
use crate::store::postgres::rows::{Cells, value};
use crate::store::{Audit, ChainEnds, EventPage, EventQuery, Result, StoreError};

/// How long a replica may write to an output after it has asked.
const EXPORT_SECONDS: i32 = 30;

/// The first and last event of the hours that a query asks for.
const HOURS: &str = "SELECT min(first), max(last) FROM audit_hours WHERE hour BETWEEN $1 AND $2";
/// The events between $1 and $2 with one of the keys $3, of which the newest $4 are looked at. Those are found that are
/// between the times $5 and $6 and have one of the keys $7 for each number in $8. The oldest one that was looked at has a row
/// in any case.
const BY_KEY: &str = "WITH candidates AS MATERIALIZED (
        SELECT DISTINCT f.seq FROM unnest($3::bytea[]) AS k (key) CROSS JOIN LATERAL (
            SELECT seq FROM audit_keys WHERE key = k.key AND seq BETWEEN $1 AND $2 ORDER BY seq DESC LIMIT $4) f
        ORDER BY f.seq DESC LIMIT $4
    )
    SELECT a.seq, a.data, a.hash, (SELECT min(seq) FROM candidates), (SELECT count(*) FROM candidates)
    FROM candidates c LEFT JOIN audit a ON a.seq = c.seq AND a.at BETWEEN $5 AND $6 AND NOT EXISTS (
        SELECT FROM unnest($7::bytea[], $8::integer[]) AS q (key, number) GROUP BY q.number HAVING NOT bool_or(
            EXISTS (SELECT FROM audit_keys x WHERE x.key = q.key AND x.seq = a.seq)))
    WHERE a.seq IS NOT NULL OR c.seq = (SELECT min(seq) FROM candidates)
    ORDER BY c.seq DESC LIMIT $9";
/// The same of all events.
const ALL: &str = "WITH candidates AS MATERIALIZED (
        SELECT seq, at FROM audit WHERE seq BETWEEN $1 AND $2 ORDER BY seq DESC LIMIT $3
    )
    SELECT a.seq, a.data, a.hash, (SELECT min(seq) FROM candidates), (SELECT count(*) FROM candidates)
    FROM candidates c LEFT JOIN audit a ON a.seq = c.seq AND c.at BETWEEN $4 AND $5
    WHERE a.seq IS NOT NULL OR c.seq = (SELECT min(seq) FROM candidates)
    ORDER BY c.seq DESC LIMIT $6";
const AFTER: &str = "SELECT seq, data, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2";
const OLDEST: &str = "SELECT seq, at, keys, hash FROM audit ORDER BY seq LIMIT $1";
const META: &str = "SELECT value FROM meta WHERE key = $1";

impl PostgresStore {
    /// The line of an event, from its number, data and hash.
    fn line_of(&self, cells: &mut Cells<'_>) -> Result<(u64, String)> {
        let seq = unsigned(cells.next()?);
        let text = open_text(&self.sealer, columns::EVENT, &seq.to_be_bytes(), cells.next()?)?;
        let hash = <[u8; 32]>::try_from(cells.next::<&[u8]>()?);
        let hash = hash.map_err(|_| StoreError::Corrupt("audit.hash has the wrong length".to_owned()))?;
        Ok((seq, line(&text, Hash(hash))))
    }

    /// The rows of a page, one more than its limit if there are more.
    async fn found(&self, query: &EventQuery, oldest: i64, newest: i64) -> Result<Vec<Row>> {
        let (from, to) = (query.from.unwrap_or(i64::MIN), query.to.unwrap_or(i64::MAX));
        let most = i64::from(query.limit).saturating_add(1);
        let looked_at = i64::try_from(LOOKED_AT).unwrap_or(i64::MAX);
        let wanted = wanted_keys(&self.sealer, query);
        let Some((first, others)) = wanted.split_first() else {
            return self.read(ALL, &[&oldest, &newest, &looked_at, &from, &to, &most]).await;
        };
        let first: Vec<Vec<u8>> = first.iter().map(|key| key.to_vec()).collect();
        let numbered =
            others.iter().zip(0_i32..).flat_map(|(keys, number)| keys.iter().map(move |key| (key.to_vec(), number)));
        let (keys, numbers): (Vec<Vec<u8>>, Vec<i32>) = numbered.unzip();
        self.read(BY_KEY, &[&oldest, &newest, &first, &looked_at, &from, &to, &keys, &numbers, &most]).await
    }
}

#[async_trait]
impl Audit for PostgresStore {
    async fn record(&self, events: Vec<Event>) -> Result<()> {
        let events = self.events(&events)?;
        self.call("record", &events.parameters(), Repeat::Never).await.map(drop)
    }

    async fn events(&self, query: EventQuery) -> Result<EventPage> {
        self.chain().await?;
        let (mut oldest, mut newest) = (0, query.before.map_or(i64::MAX, |before| signed(before.saturating_sub(1))));
        if query.from.is_some() || query.to.is_some() {
            let (from, to) = (query.from.unwrap_or(i64::MIN), query.to.unwrap_or(i64::MAX));
            let rows = self.read(HOURS, &[&from.div_euclid(HOUR), &to.div_euclid(HOUR)]).await?;
            let mut cells = Cells::of(answered(rows.first())?);
            let (first, last): (Option<i64>, Option<i64>) = (cells.next()?, cells.next()?);
            (oldest, newest) = (first.unwrap_or(i64::MAX), newest.min(last.unwrap_or(0)));
        }
        let rows = self.found(&query, oldest, newest).await?;
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let (mut found, mut stopped): (Vec<(u64, Recorded)>, _) = (Vec::new(), None);
        for row in &rows {
            let (lowest, count): (Option<i64>, i64) = (row.try_get(3)?, row.try_get(4)?);
            stopped = lowest.filter(|_| usize::try_from(count).is_ok_and(|count| count >= LOOKED_AT)).map(unsigned);
            if row.try_get::<_, Option<i64>>(0)?.is_some() {
                let (seq, line) = self.line_of(&mut Cells::of(row))?;
                found.push((seq, parse(columns::EVENT, line.as_bytes())?));
            }
        }
        let more = found.len() > limit;
        found.truncate(limit);
        let next = if more { found.last().map(|(seq, _)| *seq) } else { stopped };
        Ok(EventPage { events: found.into_iter().map(|(_, event)| event).collect(), next })
    }

    async fn events_after(&self, seq: u64, limit: u32) -> Result<Vec<String>> {
        self.chain().await?;
        let rows = self.read(AFTER, &[&signed(seq), &i64::from(limit)]).await?;
        rows.iter().map(|row| self.line_of(&mut Cells::of(row)).map(|(_, line)| line)).collect()
    }

    async fn chain_ends(&self) -> Result<ChainEnds> {
        self.chain().await?;
        let ends = Ends::of(&answered(self.read_one(ENDS, &[]).await?)?)?;
        Ok(ChainEnds { replica: ends.replica.unwrap_or_default(), anchor: ends.anchor, last: ends.last })
    }

    async fn may_export(&self, output: &str) -> Result<bool> {
        Ok(self.lease(&format!("export {output}"), EXPORT_SECONDS).await?.is_some())
    }

    async fn exported(&self, output: &str) -> Result<Option<u64>> {
        let rows = self.read(META, &[&format!("{EXPORTED}{output}")]).await?;
        let bytes: Option<&[u8]> = value(&rows)?;
        Ok(bytes.and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()).map(u64::from_be_bytes))
    }

    async fn set_exported(&self, output: &str, seq: u64) -> Result<()> {
        let (name, seq) = (format!("{EXPORTED}{output}"), seq.to_be_bytes());
        self.call("set_passing_meta", &[&name, &seq.as_slice()], Repeat::Harmless).await.map(drop)
    }

    async fn forget_events(&self, cutoff: i64, now: i64, limit: u32) -> Result<bool> {
        self.chain().await?;
        let rows = self.read(OLDEST, &[&i64::from(limit)]).await?;
        let mut oldest: Vec<(i64, i64, &[u8], &[u8])> = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut cells = Cells::of(row);
            oldest.push((cells.next()?, cells.next()?, cells.next()?, cells.next()?));
        }
        oldest.truncate(expired(oldest.iter().map(|(_, at, ..)| *at), cutoff, now));
        let Some((newest, _, _, hash)) = oldest.last() else { return Ok(false) };
        let keys = oldest.iter().flat_map(|(seq, _, keys, _)| keys_of(keys).map(|key| (key.to_vec(), *seq)));
        let (keys, seqs): (Vec<Vec<u8>>, Vec<i64>) = keys.unzip();
        let hours: Vec<i64> = oldest.iter().map(|(_, at, ..)| at.div_euclid(HOUR)).collect();
        let anchor = place_bytes(unsigned(*newest), hash);
        self.call("forget_links", &[newest, &keys, &seqs, &hours, &anchor], Repeat::Harmless).await?;
        Ok(rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX))
    }
}
