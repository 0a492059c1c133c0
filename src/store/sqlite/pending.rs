//! Pending sign-ins and requests. Both kinds share one sequence of row numbers, which shows the oldest of all.

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, Params};

use crate::store::encoding::{columns, open_text};
use crate::store::model::{Interaction, Login, TokenHash};
use crate::store::sqlite::rows::{many, one, run};
use crate::store::sqlite::tally::{Amount, Tally};
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{PendingBound, PendingSignIns, Result};

/// A pending row: browser hash, sealed data, expiry.
type Waiting = ([u8; 32], Vec<u8>, i64);

/// Reads and removes a pending row.
fn take(connection: &Connection, tally: &Tally, sql: &str, params: impl Params) -> Result<Option<Waiting>> {
    let row = read(connection, sql, params)?;
    if let Some((_, data, _)) = &row {
        tally.change(Amount::default().minus(Amount::row(data.len())));
    }
    Ok(row)
}

fn read(connection: &Connection, sql: &str, params: impl Params) -> Result<Option<Waiting>> {
    one(connection, sql, params, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}

/// Stores a row, replacing the oldest ones if the bound is reached.
fn insert(
    connection: &Connection,
    tally: &Tally,
    (sql, id): (&str, TokenHash),
    (browser, data, expires_at): &Waiting,
    bound: PendingBound,
) -> Result<()> {
    let added = Amount::row(data.len());
    let removed = make_room(connection, tally, added, bound)?;
    run(connection, sql, (id.0, browser, data, expires_at))?;
    tally.change(added.minus(removed));
    Ok(())
}

/// Removes the oldest rows, whatever their kind, until there is room for another.
fn make_room(connection: &Connection, tally: &Tally, added: Amount, bound: PendingBound) -> Result<Amount> {
    let most = |bound: u64| i64::try_from(bound).unwrap_or(i64::MAX);
    let (rows, bytes) = (most(bound.rows), most(bound.bytes));
    let waiting = tally.now(connection)?.plus(added);
    let mut removed = Amount::default();
    loop {
        let left = waiting.minus(removed);
        if left.rows <= rows && left.bytes <= bytes {
            return Ok(removed);
        }
        let Some(oldest) = remove_oldest(connection)? else {
            // No row was found: another process has removed rows that were counted here.
            tally.forget();
            return Ok(Amount::default());
        };
        removed = removed.plus(oldest);
    }
}

fn remove_oldest(connection: &Connection) -> Result<Option<Amount>> {
    let first = |sql: &str| one(connection, sql, [], |row| Ok(row.get::<_, i64>(0)?));
    let remove = match (first(sql::OLDEST_LOGIN)?, first(sql::OLDEST_INTERACTION)?) {
        (Some(login), Some(interaction)) if login > interaction => Some((sql::DELETE_INTERACTION, interaction)),
        (Some(login), _) => Some((sql::DELETE_LOGIN, login)),
        (None, interaction) => interaction.map(|row| (sql::DELETE_INTERACTION, row)),
    };
    let Some((sql, row)) = remove else { return Ok(None) };
    one(connection, sql, [row], |row| Ok(Amount { rows: 1, bytes: row.get(0)? }))
}

/// What one transaction of a sweep did.
pub(super) struct Swept {
    /// How many rows it deleted.
    pub(super) deleted: usize,
    /// Whether no further row of its kind has expired.
    pub(super) done: bool,
}

/// Deletes the expired ones among the next `limit` logins. After the last one, the next call begins with the first.
pub(super) fn sweep_logins(connection: &Connection, tally: &Tally, now: i64, limit: u32) -> Result<Swept> {
    let first = tally.swept_to();
    let rows: Vec<i64> = many(connection, sql::LOGINS_FROM, (first, limit), |row| Ok(row.get(0)?))?;
    let deleted = match rows.last() {
        Some(last) => sweep(connection, tally, sql::SWEEP_LOGINS, (first, last, now))?,
        None => 0,
    };
    let done = u32::try_from(rows.len()).is_ok_and(|examined| examined < limit) || limit == 0;
    tally.set_swept_to(rows.last().copied().filter(|_| !done).unwrap_or_default());
    Ok(Swept { deleted, done })
}

/// Deletes at most `limit` expired interactions, and returns how many there were.
pub(super) fn sweep_interactions(connection: &Connection, tally: &Tally, now: i64, limit: u32) -> Result<usize> {
    sweep(connection, tally, sql::SWEEP_INTERACTIONS, (now, limit))
}

fn sweep(connection: &Connection, tally: &Tally, sql: &str, params: impl Params) -> Result<usize> {
    let swept: Vec<i64> = many(connection, sql, params, |row| Ok(row.get(0)?))?;
    let gone = swept.iter().fold(Amount::default(), |sum, bytes| sum.plus(Amount { rows: 1, bytes: *bytes }));
    tally.change(Amount::default().minus(gone));
    Ok(swept.len())
}

impl SqliteStore {
    /// Opens a pending row, unless it has expired.
    fn open_waiting(
        &self,
        column: &str,
        id: TokenHash,
        row: Option<Waiting>,
        now: i64,
    ) -> Result<Option<(TokenHash, String, i64)>> {
        let Some((browser, sealed, expires_at)) = row.filter(|(_, _, expires_at)| now < *expires_at) else {
            return Ok(None);
        };
        let data = open_text(&self.sealer, column, &id.0, &sealed)?;
        Ok(Some((TokenHash(browser), data, expires_at)))
    }

    fn open_login(&self, state: TokenHash, row: Option<Waiting>, now: i64) -> Result<Option<Login>> {
        let opened = self.open_waiting(columns::LOGIN, state, row, now)?;
        Ok(opened.map(|(browser, data, expires_at)| Login { state, browser, data, expires_at }))
    }

    fn open_interaction(&self, id: TokenHash, row: Option<Waiting>, now: i64) -> Result<Option<Interaction>> {
        let opened = self.open_waiting(columns::INTERACTION, id, row, now)?;
        Ok(opened.map(|(browser, data, expires_at)| Interaction { id, browser, data, expires_at }))
    }

    async fn save_waiting(&self, what: (&'static str, TokenHash), row: Waiting, bound: PendingBound) -> Result<()> {
        let tally = Arc::clone(self.writer.tally());
        self.write_passing(move |connection| insert(connection, &tally, what, &row, bound)).await
    }
}

#[async_trait]
impl PendingSignIns for SqliteStore {
    async fn save_login(&self, login: Login, bound: PendingBound) -> Result<()> {
        let data = self.sealer.seal(columns::LOGIN, &login.state.0, login.data.as_bytes())?;
        let row = (login.browser.0, data, login.expires_at);
        self.save_waiting((sql::INSERT_LOGIN, login.state), row, bound).await
    }

    async fn login(&self, state: TokenHash, now: i64) -> Result<Option<Login>> {
        let row = self.read_recent(move |reader| read(reader.connection, sql::LOGIN, [state.0])).await?;
        self.open_login(state, row, now)
    }

    async fn take_login(&self, state: TokenHash, browsers: &[TokenHash], now: i64) -> Result<Option<Login>> {
        let (tally, browsers) = (Arc::clone(self.writer.tally()), browsers.to_vec());
        let take_own = move |connection: &Connection| {
            for browser in browsers {
                let row = take(connection, &tally, sql::TAKE_LOGIN, (state.0, browser.0))?;
                if row.is_some() {
                    return Ok(row);
                }
            }
            Ok(None)
        };
        let row = self.write_passing(take_own).await?;
        self.open_login(state, row, now)
    }

    async fn save_interaction(&self, interaction: Interaction, bound: PendingBound) -> Result<()> {
        let data = self.sealer.seal(columns::INTERACTION, &interaction.id.0, interaction.data.as_bytes())?;
        let row = (interaction.browser.0, data, interaction.expires_at);
        self.save_waiting((sql::INSERT_INTERACTION, interaction.id), row, bound).await
    }

    async fn interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>> {
        let row = self.read(move |reader| read(reader.connection, sql::INTERACTION, [id.0])).await?;
        self.open_interaction(id, row, now)
    }

    async fn take_interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>> {
        let tally = Arc::clone(self.writer.tally());
        let take_it = move |connection: &Connection| take(connection, &tally, sql::TAKE_INTERACTION, [id.0]);
        let row = self.write_passing(take_it).await?;
        self.open_interaction(id, row, now)
    }
}
