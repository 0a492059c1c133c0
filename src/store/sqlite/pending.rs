//! What waits for a browser to return.

use async_trait::async_trait;
use rusqlite::Connection;

use crate::store::model::{Interaction, Login, TokenHash};
use crate::store::sqlite::rows::{columns, one, open_text, run};
use crate::store::sqlite::{SqliteStore, sql};
use crate::store::{PendingSignIns, Result};

/// A row that waits for a browser: browser hash, sealed data, end.
type Waiting = ([u8; 32], Vec<u8>, i64);

fn waiting(connection: &Connection, sql: &str, id: TokenHash) -> Result<Option<Waiting>> {
    one(connection, sql, [id.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
}

impl SqliteStore {
    /// Opens a row that waits, unless its time has passed.
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
}

#[async_trait]
impl PendingSignIns for SqliteStore {
    async fn save_login(&self, login: Login) -> Result<()> {
        let data = self.sealer.seal(columns::LOGIN, &login.state.0, login.data.as_bytes())?;
        let row = (login.state.0, login.browser.0, data, login.expires_at);
        self.write_passing(move |connection| run(connection, sql::INSERT_LOGIN, row).map(drop)).await
    }

    async fn login(&self, state: TokenHash, now: i64) -> Result<Option<Login>> {
        let row = self.read(move |reader| waiting(reader.connection, sql::LOGIN, state)).await?;
        self.open_login(state, row, now)
    }

    async fn take_login(&self, state: TokenHash, now: i64) -> Result<Option<Login>> {
        let row = self.write_passing(move |connection| waiting(connection, sql::TAKE_LOGIN, state)).await?;
        self.open_login(state, row, now)
    }

    async fn save_interaction(&self, interaction: Interaction) -> Result<()> {
        let data = self.sealer.seal(columns::INTERACTION, &interaction.id.0, interaction.data.as_bytes())?;
        let row = (interaction.id.0, interaction.browser.0, data, interaction.expires_at);
        self.write_passing(move |connection| run(connection, sql::INSERT_INTERACTION, row).map(drop)).await
    }

    async fn interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>> {
        let row = self.read(move |reader| waiting(reader.connection, sql::INTERACTION, id)).await?;
        self.open_interaction(id, row, now)
    }

    async fn take_interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>> {
        let row = self.write_passing(move |connection| waiting(connection, sql::TAKE_INTERACTION, id)).await?;
        self.open_interaction(id, row, now)
    }
}
