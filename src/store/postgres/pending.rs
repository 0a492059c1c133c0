//! Pending sign-ins and requests.

use async_trait::async_trait;
use tokio_postgres::Row;

use crate::store::encoding::{columns, open_text};
use crate::store::model::{Interaction, Login, TokenHash};
use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::{Parameter, Repeat, passing};
use crate::store::postgres::rows::Cells;
use crate::store::{PendingBound, PendingSignIns, Result};

/// A kind of row: its name, and the name of its sealed column.
#[derive(Clone, Copy)]
struct Kind(&'static str, &'static str);

const LOGIN: Kind = Kind("login", columns::LOGIN);
const INTERACTION: Kind = Kind("interaction", columns::INTERACTION);

const READ: &str = "SELECT browser, data, expires_at FROM pending WHERE kind = $1 AND id = $2";
const SAVE: &str = concat!(
    "INSERT INTO pending (kind, id, browser, data, expires_at)
    SELECT $1::text, $2::bytea, $3::bytea, $4::bytea, $5::bigint WHERE ",
    passing!(),
    " ON CONFLICT (id) DO NOTHING"
);
macro_rules! take {
    ($($which:literal)?) => {
        concat!(
            "DELETE FROM pending WHERE kind = $1 AND id = $2",
            $($which,)?
            " AND ",
            passing!(),
            " RETURNING browser, data, expires_at"
        )
    };
}
const TAKE: &str = take!();
const TAKE_OWN: &str = take!(" AND browser = ANY ($3)");

/// What a row holds: browser, data, expiry.
type Waiting = (TokenHash, String, i64);

impl PostgresStore {
    async fn save_waiting(&self, kind: Kind, id: TokenHash, row: Waiting, bound: PendingBound) -> Result<()> {
        let (browser, data, expires_at) = row;
        let data = self.sealer.seal(kind.1, &id.0, data.as_bytes())?;
        let mut all: Vec<Parameter<'_>> = vec![&kind.0, &id, &browser, &data, &expires_at];
        if self.room.take(data.len()) {
            return self.write(SAVE, &all, Repeat::Harmless).await.map(drop);
        }
        let most = |bound: u64| i64::try_from(bound).unwrap_or(i64::MAX);
        let (rows, bytes) = (most(bound.rows), most(bound.bytes));
        all.extend([&rows as Parameter<'_>, &bytes]);
        let answer = self.call("save_and_count_pending", &all, Repeat::Harmless).await?;
        if let Some(row) = answer.first() {
            let mut cells = Cells::of(row);
            self.room.found(cells.next()?, cells.next()?);
        }
        Ok(())
    }

    /// Opens a row, unless it has expired.
    fn open_waiting(&self, kind: Kind, id: TokenHash, row: Option<&Row>, now: i64) -> Result<Option<Waiting>> {
        let Some(row) = row else { return Ok(None) };
        let mut cells = Cells::of(row);
        let (browser, sealed, expires_at): (_, &[u8], i64) = (cells.next()?, cells.next()?, cells.next()?);
        if now >= expires_at {
            return Ok(None);
        }
        Ok(Some((browser, open_text(&self.sealer, kind.1, &id.0, sealed)?, expires_at)))
    }

    async fn waiting_row(&self, kind: Kind, id: TokenHash, now: i64) -> Result<Option<Waiting>> {
        let row = self.read_one(READ, &[&kind.0, &id]).await?;
        self.open_waiting(kind, id, row.as_ref(), now)
    }
}

fn login(state: TokenHash, (browser, data, expires_at): Waiting) -> Login {
    Login { state, browser, data, expires_at }
}

fn interaction(id: TokenHash, (browser, data, expires_at): Waiting) -> Interaction {
    Interaction { id, browser, data, expires_at }
}

#[async_trait]
impl PendingSignIns for PostgresStore {
    async fn save_login(&self, login: Login, bound: PendingBound) -> Result<()> {
        let Login { state, browser, data, expires_at } = login;
        self.save_waiting(LOGIN, state, (browser, data, expires_at), bound).await
    }

    async fn login(&self, state: TokenHash, now: i64) -> Result<Option<Login>> {
        Ok(self.waiting_row(LOGIN, state, now).await?.map(|row| login(state, row)))
    }

    async fn take_login(&self, state: TokenHash, browsers: &[TokenHash], now: i64) -> Result<Option<Login>> {
        let rows = self.write(TAKE_OWN, &[&LOGIN.0, &state, &browsers], Repeat::Never).await?;
        Ok(self.open_waiting(LOGIN, state, rows.first(), now)?.map(|row| login(state, row)))
    }

    async fn save_interaction(&self, interaction: Interaction, bound: PendingBound) -> Result<()> {
        let Interaction { id, browser, data, expires_at } = interaction;
        self.save_waiting(INTERACTION, id, (browser, data, expires_at), bound).await
    }

    async fn interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>> {
        Ok(self.waiting_row(INTERACTION, id, now).await?.map(|row| interaction(id, row)))
    }

    async fn take_interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>> {
        let rows = self.write(TAKE, &[&INTERACTION.0, &id], Repeat::Never).await?;
        Ok(self.open_waiting(INTERACTION, id, rows.first(), now)?.map(|row| interaction(id, row)))
    }
}
