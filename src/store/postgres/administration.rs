//! What an administrator can look up and revoke.

use async_trait::async_trait;

use crate::audit::Event;
use crate::store::ids::UserId;
use crate::store::model::Consent;
use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::{Parameter, Repeat};
use crate::store::postgres::parameters::{TellRows, answered};
use crate::store::postgres::rows::{Cells, consent, ended, link_columns, user_columns, value};
use crate::store::{Administration, Ended, Person, Result, Tell};

/// How many rows of a table one transaction examines while the grants of a client are revoked.
const WINDOW: i32 = 5_000;

const USERS_BY_NAME: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", ",
    link_columns!(),
    " FROM (SELECT * FROM users WHERE username_key > $1 ORDER BY username_key LIMIT $2) u
    LEFT JOIN links l ON l.user_id = u.id ORDER BY u.username_key, l.row"
);
const USER_BY_SUB: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", ",
    link_columns!(),
    " FROM users u LEFT JOIN links l ON l.user_id = u.id WHERE u.sub = $1 ORDER BY l.row"
);
/// One user may have the same address at several providers.
const USERS_BY_ADDRESS: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", ",
    link_columns!(),
    " FROM (SELECT user_id, min(row) AS first FROM
        (SELECT user_id, row FROM links WHERE verified_email = $1 ORDER BY row LIMIT $2) a GROUP BY user_id) f
    JOIN users u ON u.id = f.user_id LEFT JOIN links l ON l.user_id = u.id ORDER BY f.first, l.row"
);
const CONSENTS: &str = "SELECT client, scopes, claims, granted_at FROM consents WHERE user_id = $1 ORDER BY client";

#[async_trait]
impl Administration for PostgresStore {
    async fn users_by_name(&self, after: &str, limit: u32) -> Result<Vec<Person>> {
        let rows = self.read(USERS_BY_NAME, &[&after, &i64::from(limit)]).await?;
        self.reader().persons(&rows)
    }

    async fn user_by_sub(&self, sub: &str) -> Result<Option<Person>> {
        let rows = self.read(USER_BY_SUB, &[&sub]).await?;
        Ok(self.reader().persons(&rows)?.pop())
    }

    async fn users_by_address(&self, address: &str, limit: u32) -> Result<Vec<Person>> {
        let rows = self.read(USERS_BY_ADDRESS, &[&address, &i64::from(limit)]).await?;
        self.reader().persons(&rows)
    }

    async fn consents(&self, user_id: &UserId) -> Result<Vec<Consent>> {
        let rows = self.read(CONSENTS, &[user_id]).await?;
        rows.iter().map(|row| consent(user_id, row)).collect()
    }

    async fn set_user_disabled(
        &self,
        user_id: &UserId,
        disabled: bool,
        now: i64,
        event: Event,
        tell: &Tell,
    ) -> Result<Option<Ended>> {
        let (events, tell) = (self.events(&[event])?, TellRows::of(tell));
        let mut all: Vec<Parameter<'_>> = vec![user_id, &disabled, &now];
        all.extend(tell.parameters());
        all.extend(events.parameters());
        ended(&self.call("set_user_disabled", &all, Repeat::Never).await?)
    }

    async fn rename_user(&self, user_id: &UserId, username: &str, username_key: &str, event: Event) -> Result<bool> {
        let events = self.events(&[event])?;
        let [ids, data] = events.parameters();
        let rows = self.call("rename_user", &[user_id, &username, &username_key, ids, data], Repeat::Never).await?;
        answered(value(&rows)?)
    }

    async fn revoke_client(&self, client: &str, now: i64, event: Event) -> Result<Ended> {
        let mut last: Vec<u8> = Vec::new();
        let deleted = "delete_codes_of_client";
        while let Some(row) = self.call(deleted, &[&client, &last, &WINDOW], Repeat::Harmless).await?.first() {
            last = Cells::of(row).next()?;
        }
        // The codes are deleted first, so none of them can become a grant after it is examined.
        let (mut last, mut grants) = (String::new(), 0);
        let revoked = "revoke_grants_of_client";
        while let Some(row) = self.call(revoked, &[&client, &last, &WINDOW, &now], Repeat::Harmless).await?.first() {
            let mut cells = Cells::of(row);
            last = cells.next()?;
            grants += cells.next::<i64>()?.unsigned_abs();
        }
        if grants > 0 {
            let events = self.events(&[event.ended(0, grants)])?;
            self.call("record", &events.parameters(), Repeat::Never).await?;
        }
        Ok(Ended { grants, ..Ended::default() })
    }

    async fn revoke_consent(&self, user_id: &UserId, client: &str, now: i64, event: Event) -> Result<Option<Ended>> {
        let events = self.events(&[event])?;
        let [ids, data] = events.parameters();
        ended(&self.call("revoke_consent", &[user_id, &client, &now, ids, data], Repeat::Never).await?)
    }
}
