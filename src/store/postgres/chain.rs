//! Chaining events: what operations have written to `audit_pending` is appended to the chain, many events at a time, by one
//! replica at a time. All replicas have one chain, whose id is the store's.

use tokio_postgres::{Row, Transaction};

use crate::audit::chain::{Draft, Place};
use crate::store::encoding::columns;
use crate::store::event_index::{ANCHOR, REPLICA, keys_of, place_from, signed, unsigned};
use crate::store::postgres::PostgresStore;
use crate::store::postgres::error::Failure;
use crate::store::postgres::events::EventRows;
use crate::store::postgres::rows::Cells;
use crate::store::postgres::schema::call;
use crate::store::{Result, StoreError};

/// How many events one transaction chains.
const BATCH: i64 = 1000;
/// How often a batch is tried, when it was undone by the server.
const ATTEMPTS: u32 = 3;

const IS_PENDING: &str = "SELECT EXISTS (SELECT FROM audit_pending)";
const LOCK: &str = "SELECT name FROM locks WHERE name = 'audit' FOR UPDATE";
const PENDING_EVENTS: &str = "SELECT row, id, data, sessions, grants FROM audit_pending ORDER BY row LIMIT $1";
/// The last event, else the anchor; and the id of the chain.
pub(crate) const ENDS: &str = "SELECT (SELECT value FROM meta WHERE key = 'replica'),
    (SELECT value FROM meta WHERE key = 'audit_anchor'), l.seq, l.hash
    FROM (SELECT 1) one LEFT JOIN (SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1) l ON true";

/// The ends of the chain.
pub(crate) struct Ends {
    pub(crate) replica: Option<String>,
    pub(crate) anchor: Option<Place>,
    pub(crate) last: Option<Place>,
}

impl Ends {
    /// From a row of [`ENDS`].
    pub(crate) fn of(row: &Row) -> Result<Self> {
        let mut cells = Cells::of(row);
        let (replica, anchor): (Option<Vec<u8>>, Option<&[u8]>) = (cells.next()?, cells.next()?);
        let (seq, hash): (Option<i64>, Option<&[u8]>) = (cells.next()?, cells.next()?);
        let text = |bytes| String::from_utf8(bytes).map_err(|_| broken(REPLICA));
        let anchor = anchor.map(place_from).transpose()?;
        let last = match (seq, hash) {
            (Some(seq), Some(hash)) => {
                let hash = crate::audit::chain::Hash(hash.try_into().map_err(|_| broken("hash"))?);
                Some(Place { seq: unsigned(seq), hash })
            }
            _ => anchor,
        };
        Ok(Self { replica: replica.map(text).transpose()?, anchor, last })
    }
}

fn broken(what: &str) -> StoreError {
    StoreError::Corrupt(format!("{what} of the audit trail does not have the expected form ({ANCHOR})"))
}

/// Links as they are written, column by column.
#[derive(Default)]
struct Links {
    rows: Vec<i64>,
    seqs: Vec<i64>,
    ats: Vec<i64>,
    keys: Vec<Vec<u8>>,
    data: Vec<Vec<u8>>,
    hashes: Vec<Vec<u8>>,
    index_keys: Vec<Vec<u8>>,
    index_seqs: Vec<i64>,
}

impl PostgresStore {
    /// Chains what was recorded so far.
    pub(crate) async fn chain(&self) -> Result<()> {
        let pending = self.read(IS_PENDING, &[]).await?;
        if crate::store::postgres::rows::value(&pending)? != Some(true) {
            return Ok(());
        }
        let mut failures = 0;
        loop {
            match tokio::time::timeout(self.database.answer_within(), self.chain_batch()).await {
                Ok(Ok(chained)) if chained < BATCH => return Ok(()),
                Ok(Ok(_)) => {}
                Ok(Err(failure))
                    if failure.fate == crate::store::postgres::error::Fate::Undone && failures < ATTEMPTS =>
                {
                    failures += 1;
                }
                Ok(Err(failure)) => return Err(self.at_place(failure)),
                Err(_) => return Err(StoreError::Unavailable(format!("{}: the server does not answer", self.name))),
            }
        }
    }

    /// Chains up to [`BATCH`] events, and returns how many.
    async fn chain_batch(&self) -> std::result::Result<i64, Failure> {
        let mut connection = self.database.connection().await?;
        let transaction = connection.build_transaction().start().await?;
        let locked = transaction.prepare_cached(LOCK).await?;
        transaction.query(&locked, &[]).await?;
        let statement = transaction.prepare_cached(PENDING_EVENTS).await?;
        let pending = transaction.query(&statement, &[&BATCH]).await?;
        let Some(last) = pending.len().checked_sub(1) else { return Ok(0) };
        let ends = transaction.prepare_cached(ENDS).await?;
        let ends = Ends::of(&transaction.query_one(&ends, &[]).await?).map_err(corrupt)?;
        let replica = self.chain_id(&transaction, ends.replica).await?;
        let links = self.links(&pending, &replica, ends.last).map_err(corrupt)?;
        let append = transaction.prepare_cached(&call("append_links", 8)).await?;
        let Links { rows, seqs, ats, keys, data, hashes, index_keys, index_seqs } = &links;
        transaction.query(&append, &[rows, seqs, ats, keys, data, hashes, index_keys, index_seqs]).await?;
        transaction.commit().await?;
        Ok(i64::try_from(last).map_or(BATCH, |last| last + 1))
    }

    /// The id of the chain, which is made with its first event.
    async fn chain_id(
        &self,
        transaction: &deadpool_postgres::Transaction<'_>,
        known: Option<String>,
    ) -> std::result::Result<String, Failure> {
        if let Some(id) = known {
            return Ok(id);
        }
        let transaction: &Transaction<'_> = transaction;
        let id = self.random.id().map_err(|error| corrupt(StoreError::Unavailable(error.to_string())))?;
        let set = "INSERT INTO meta (key, value) VALUES ($1, $2)";
        transaction.execute(set, &[&REPLICA, &id.as_bytes()]).await?;
        Ok(id)
    }

    /// The links of these events after a place.
    fn links(&self, pending: &[Row], replica: &str, mut previous: Option<Place>) -> Result<Links> {
        let mut links = Links::default();
        for row in pending {
            let mut cells = Cells::of(row);
            let (number, id): (i64, &str) = (cells.next()?, cells.next()?);
            let (keys, mut event) = EventRows::open(&self.sealer, id, cells.next()?)?;
            let ended: (Option<i64>, Option<i64>) = (cells.next()?, cells.next()?);
            if let (Some(sessions), Some(grants)) = ended {
                event = event.ended(sessions.unsigned_abs(), grants.unsigned_abs());
            }
            let (text, place) = Draft::of(&event).link(replica, previous);
            for key in keys_of(&keys) {
                links.index_keys.push(key.to_vec());
                links.index_seqs.push(signed(place.seq));
            }
            links.rows.push(number);
            links.seqs.push(signed(place.seq));
            links.ats.push(event.at);
            links.keys.push(keys);
            links.data.push(self.sealer.seal(columns::EVENT, &place.seq.to_be_bytes(), text.as_bytes())?);
            links.hashes.push(place.hash.0.to_vec());
            previous = Some(place);
        }
        Ok(links)
    }
}

/// An error that the server has no part in.
fn corrupt(error: StoreError) -> Failure {
    Failure { error, fate: crate::store::postgres::error::Fate::Failed, spent: false }
}
