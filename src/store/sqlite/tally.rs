//! The number of pending rows and the bytes that they hold, kept in memory: counting them at every insert would read them all.

use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use crate::store::Result;
use crate::store::sqlite::rows::one;
use crate::store::sqlite::sql;

/// A number of rows and the bytes that they hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) rows: i64,
    pub(crate) bytes: i64,
}

impl Amount {
    /// One row.
    pub(crate) fn row(bytes: usize) -> Self {
        Self { rows: 1, bytes: i64::try_from(bytes).unwrap_or(i64::MAX) }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self { rows: self.rows.saturating_add(other.rows), bytes: self.bytes.saturating_add(other.bytes) }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self { rows: self.rows.saturating_sub(other.rows), bytes: self.bytes.saturating_sub(other.bytes) }
    }
}

/// The number of pending rows. It is used only by the holder of the writing connection, and so by one caller at a time.
#[derive(Default)]
pub(crate) struct Tally(Mutex<State>);

#[derive(Default)]
struct State {
    /// The committed amount; `None` before it was counted.
    committed: Option<Amount>,
    /// What the current transaction changes.
    open: Amount,
    /// The row number of the last login that the current sweep has examined; 0 between two sweeps.
    swept_to: i64,
}

impl Tally {
    /// The pending amount, including the changes of the current transaction. The first call counts the rows.
    pub(crate) fn now(&self, connection: &Connection) -> Result<Amount> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let committed = match state.committed {
            Some(committed) => committed,
            None => count(connection)?.minus(state.open),
        };
        state.committed = Some(committed);
        Ok(committed.plus(state.open))
    }

    /// Where the sweep of logins continues: after this row number.
    pub(crate) fn swept_to(&self) -> i64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).swept_to
    }

    /// Notes where the sweep of logins continues.
    pub(crate) fn set_swept_to(&self, row: i64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).swept_to = row;
    }

    /// Records a change made by the current transaction.
    pub(crate) fn change(&self, by: Amount) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.open = state.open.plus(by);
    }

    /// The transaction has ended: its changes are kept if it was committed, and dropped otherwise.
    pub(crate) fn settle(&self, committed: bool) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = std::mem::take(&mut state.open);
        if committed {
            state.committed = state.committed.map(|amount| amount.plus(open));
        }
    }

    /// Counts again at the next use, because the count no longer matches the rows.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }
}

fn count(connection: &Connection) -> Result<Amount> {
    let amount = one(connection, sql::COUNT_PENDING, [], |row| Ok(Amount { rows: row.get(0)?, bytes: row.get(1)? }))?;
    Ok(amount.unwrap_or_default())
}
