//! Lists for operators, page by page.

use async_trait::async_trait;

use crate::store::ids::UserId;
use crate::store::postgres::PostgresStore;
use crate::store::postgres::database::Parameter;
use crate::store::postgres::rows::{Cells, link_columns, session_columns, session_view, session_view_of, user_columns};
use crate::store::{Listings, Person, Result, SessionView};

macro_rules! people {
    ($of:literal, $order:literal) => {
        concat!(
            "SELECT ",
            user_columns!(),
            ", ",
            link_columns!(),
            " FROM ",
            $of,
            " LEFT JOIN links l ON l.user_id = u.id ORDER BY ",
            $order
        )
    };
}

const USER: &str = people!("(SELECT * FROM users WHERE id = $1) u", "l.row");
// $1 is on the page unless $3 says that the page begins behind it.
const USERS_NAMED: &str = people!(
    "(SELECT * FROM users WHERE username_key >= $1 AND username_key < $2 AND (NOT $3 OR username_key > $1)
        ORDER BY username_key LIMIT $4) u",
    "u.username_key, l.row"
);
const USERNAMES_OF: &str = "SELECT username FROM users WHERE username_key = ANY($1)";
const USERS_WITH_SUB: &str = people!(
    "(SELECT * FROM users WHERE sub >= $1 AND sub < $2 AND (NOT $3 OR sub > $1) ORDER BY sub LIMIT $4) u",
    "u.sub, l.row"
);
const USERS_WITH_ADDRESS: &str = concat!(
    "SELECT e.verified_email, e.row, ",
    user_columns!(),
    ", ",
    link_columns!(),
    " FROM (SELECT verified_email, row, user_id FROM links
        WHERE verified_email >= $1 AND verified_email < $3 AND (verified_email > $1 OR row > $2)
        ORDER BY verified_email, row LIMIT $4) e
    JOIN users u ON u.id = e.user_id LEFT JOIN links l ON l.user_id = u.id ORDER BY e.verified_email, e.row, l.row"
);
const SESSIONS_BEFORE: &str = concat!(
    "SELECT s.row, ",
    session_view!(),
    session_view_of!("(SELECT * FROM sessions WHERE row < $1 ORDER BY row DESC LIMIT $2) s"),
    " ORDER BY s.row DESC"
);
const SESSIONS_OF_USER_BEFORE: &str = concat!(
    "SELECT s.row, ",
    session_view!(),
    session_view_of!("(SELECT * FROM sessions WHERE user_id = $1 AND row < $2 ORDER BY row DESC LIMIT $3) s"),
    " ORDER BY s.row DESC"
);

#[async_trait]
impl Listings for PostgresStore {
    async fn user_by_id(&self, id: &UserId) -> Result<Option<Person>> {
        let rows = self.read(USER, &[id]).await?;
        Ok(self.reader().persons(&rows)?.pop())
    }

    async fn users_named(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<Person>> {
        self.page(USERS_NAMED, prefix, after, limit).await
    }

    async fn usernames_of(&self, username_keys: &[String]) -> Result<Vec<String>> {
        let rows = self.read(USERNAMES_OF, &[&username_keys]).await?;
        rows.iter().map(|row| Cells::of(row).next()).collect()
    }

    async fn users_with_sub(&self, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<Person>> {
        self.page(USERS_WITH_SUB, prefix, after, limit).await
    }

    async fn users_with_address(
        &self,
        prefix: &str,
        after: Option<(&str, i64)>,
        limit: u32,
    ) -> Result<Vec<(String, i64, Person)>> {
        let (from, row) = after.map_or((prefix, 0), |(address, row)| (address.max(prefix), row));
        let rows = self.read(USERS_WITH_ADDRESS, &[&from, &row, &upper_bound(prefix), &i64::from(limit)]).await?;
        let people = self.reader().people(&rows, |cells| Ok((cells.next::<String>()?, cells.next::<i64>()?)))?;
        Ok(people.into_iter().map(|((address, row), person)| (address, row, person)).collect())
    }

    async fn sessions_before(
        &self,
        user_id: Option<&UserId>,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, SessionView)>> {
        let (before, limit) = (before.unwrap_or(i64::MAX), i64::from(limit));
        let rows = match user_id {
            Some(id) => self.read(SESSIONS_OF_USER_BEFORE, &[id, &before, &limit]).await?,
            None => self.read(SESSIONS_BEFORE, &[&before, &limit]).await?,
        };
        let mut views = Vec::new();
        for row in &rows {
            let mut cells = Cells::of(row);
            let number = cells.next()?;
            views.extend(self.reader().session_view(&mut cells)?.map(|view| (number, view)));
        }
        Ok(views)
    }
}

impl PostgresStore {
    async fn page(&self, statement: &str, prefix: &str, after: Option<&str>, limit: u32) -> Result<Vec<Person>> {
        let behind = after.filter(|after| *after >= prefix);
        let parameters: [Parameter<'_>; 4] =
            [&behind.unwrap_or(prefix), &upper_bound(prefix), &behind.is_some(), &i64::from(limit)];
        let rows = self.read(statement, &parameters).await?;
        self.reader().persons(&rows)
    }
}

/// Behind every text that begins with the prefix.
fn upper_bound(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}
