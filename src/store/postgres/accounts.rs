//! Accounts and links, read for a decision.

use async_trait::async_trait;

use crate::store::accounts::LONGEST_LEASE;
use crate::store::ids::UserId;
use crate::store::model::{Link, LinkKey};
use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::{Parameter, Repeat};
use crate::store::postgres::parameters;
use crate::store::postgres::rows::{Cells, link_columns, user_columns, value};
use crate::store::rows::LinkRow;
use crate::store::{AccountQuery, AccountView, Accounts, Person, Result};

/// What stands in place of a link.
macro_rules! no_link {
    () => {
        "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL"
    };
}
/// Whether a user has a link at the provider and issuer of the query's key.
macro_rules! linked_here {
    () => {
        "EXISTS (SELECT FROM links k WHERE k.user_id = u.id AND k.provider = $1 AND k.issuer = $2)"
    };
}

/// The answers to an [`AccountQuery`], each with the number of its question.
const ACCOUNTS: &str = concat!(
    "SELECT 1 AS part, 0::bigint AS place, ",
    user_columns!(),
    ", ",
    link_columns!(),
    ", true FROM links l JOIN users u ON u.id = l.user_id WHERE l.provider = $1 AND l.issuer = $2 AND l.subject = $3
    UNION ALL SELECT 2, 0, ",
    user_columns!(),
    ", ",
    no_link!(),
    ", ",
    linked_here!(),
    " FROM users u WHERE u.username_key = $4
    UNION ALL SELECT 3, f.first, ",
    user_columns!(),
    ", ",
    no_link!(),
    ", ",
    linked_here!(),
    " FROM (SELECT user_id, min(row) AS first FROM links WHERE verified_email = $5
        AND (provider, issuer) IN (SELECT * FROM unnest($6::text[], $7::text[])) GROUP BY user_id) f
        JOIN users u ON u.id = f.user_id
    UNION ALL (SELECT 4, 0, id, '', username_key, '', ''::bytea, false, 0, ",
    no_link!(),
    ", false FROM users WHERE username_key >= $8 AND username_key < $8 || $9 ORDER BY username_key LIMIT 1000)
    ORDER BY part, place, username_key"
);
const USER_BY_KEY: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", ",
    link_columns!(),
    " FROM users u LEFT JOIN links l ON l.user_id = u.id WHERE u.username_key = $1 ORDER BY l.row"
);
const USERS_AFTER: &str = concat!(
    "SELECT ",
    user_columns!(),
    ", ",
    link_columns!(),
    " FROM (SELECT * FROM users WHERE id > $1 ORDER BY id LIMIT $2) u LEFT JOIN links l ON l.user_id = u.id
    ORDER BY u.id, l.row"
);
/// Whatever is saved of a link ends the lease on it.
macro_rules! update_link {
    ($which:literal) => {
        concat!(
            "UPDATE links SET claims = $5, claims_at = $6, verified_email = $7, refresh_token = $8,
            lease_fence = lease_fence + 1, lease_until = 0
            WHERE provider = $1 AND issuer = $2 AND subject = $3 AND user_id = $4",
            $which
        )
    };
}
const UPDATE_LINK: &str = update_link!("");
const UPDATE_LEASED_LINK: &str = update_link!(" AND lease_fence = $9 RETURNING true");
const LEASE_LINK: &str = "UPDATE links SET lease_fence = lease_fence + 1, lease_until = $6
    WHERE provider = $1 AND issuer = $2 AND subject = $3 AND (lease_until <= $4 OR lease_until > $5)
    RETURNING lease_fence";
const RELEASE_LINK: &str = "UPDATE links SET lease_until = 0
    WHERE provider = $1 AND issuer = $2 AND subject = $3 AND lease_fence = $4";
const SYSTEM_ROLES: &str = "SELECT name FROM system_roles ORDER BY name";

#[async_trait]
impl Accounts for PostgresStore {
    async fn accounts(&self, query: AccountQuery) -> Result<AccountView> {
        let [provider, issuer, subject] = parameters::some_link_key(query.key.as_ref());
        let (email, providers) = query.email.as_ref().map(|(email, providers)| (email, providers.as_slice())).unzip();
        let (ids, issuers): (Vec<&str>, Vec<&str>) =
            providers.unwrap_or_default().iter().map(|(id, issuer)| (id.as_str(), issuer.as_str())).unzip();
        let last = char::MAX.to_string();
        let all: [Parameter<'_>; 9] =
            [provider, issuer, subject, &query.declared, &email, &ids, &issuers, &query.username_key, &last];
        let mut view = AccountView::default();
        for row in self.read(ACCOUNTS, &all).await? {
            let mut cells = Cells::of(&row);
            let (part, _): (i32, i64) = (cells.next()?, cells.next()?);
            if part == 4 {
                let (id, _, key): (UserId, &str, String) = (cells.next()?, cells.next()?, cells.next()?);
                view.taken.push((key, id));
                continue;
            }
            let Some(user) = self.reader().user(&mut cells)? else { continue };
            let link = self.reader().link(&mut cells)?;
            let linked_here: bool = cells.next()?;
            match part {
                1 => view.linked = link.map(|link| (user, link)),
                2 => (view.declared, view.declared_is_linked) = (Some(user), linked_here),
                _ => {
                    view.email_is_linked = linked_here && view.by_email.is_empty();
                    view.by_email.push(user);
                }
            }
        }
        Ok(view)
    }

    async fn save_link(&self, link: Link) -> Result<()> {
        let row = LinkRow::new(&self.sealer, link)?;
        let [all @ .., _created] = parameters::link(&row);
        self.write(UPDATE_LINK, &all, Repeat::Harmless).await.map(drop)
    }

    async fn lease_link(&self, key: &LinkKey, now: i64, until: i64) -> Result<Option<i64>> {
        let [provider, issuer, subject] = parameters::link_key(key);
        let latest = now.saturating_add(LONGEST_LEASE);
        let all: [Parameter<'_>; 6] = [provider, issuer, subject, &now, &latest, &until];
        // If the answer is lost, nobody has the lease until it expires.
        value(&self.write(LEASE_LINK, &all, Repeat::Never).await?)
    }

    async fn save_leased_link(&self, link: Link, fence: i64) -> Result<bool> {
        let row = LinkRow::new(&self.sealer, link)?;
        let [all @ .., _created] = parameters::link(&row);
        let mut all: Vec<Parameter<'_>> = all.to_vec();
        all.push(&fence);
        Ok(!self.write(UPDATE_LEASED_LINK, &all, Repeat::Harmless).await?.is_empty())
    }

    async fn release_link(&self, key: &LinkKey, fence: i64) -> Result<()> {
        let [provider, issuer, subject] = parameters::link_key(key);
        self.write(RELEASE_LINK, &[provider, issuer, subject, &fence], Repeat::Harmless).await.map(drop)
    }

    async fn user(&self, username_key: &str) -> Result<Option<Person>> {
        let rows = self.read(USER_BY_KEY, &[&username_key]).await?;
        Ok(self.reader().persons(&rows)?.pop())
    }

    async fn people(&self, after: Option<&UserId>, limit: u32) -> Result<Vec<Person>> {
        let after = after.map_or("", UserId::as_str);
        let rows = self.read(USERS_AFTER, &[&after, &i64::from(limit)]).await?;
        self.reader().persons(&rows)
    }

    async fn system_roles(&self) -> Result<Vec<String>> {
        let rows = self.read(SYSTEM_ROLES, &[]).await?;
        rows.iter().map(|row| Cells::of(row).next()).collect()
    }
}
