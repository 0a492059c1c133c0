//! Pending sign-ins and requests: sign-ins that were sent to a provider, and requests that wait for a user. Each row lasts ten
//! minutes and is bound to a browser.

use async_trait::async_trait;

use crate::store::Result;
use crate::store::model::{Interaction, Login, TokenHash};

/// Average number of bytes allowed for a row. One has about a kilobyte; what a stranger can put into a request is larger.
const BYTES_A_ROW: u64 = 4096;

/// How much may be pending at once, because anybody can begin a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingBound {
    /// The maximum number of rows, of all kinds together.
    pub rows: u64,
    /// The maximum number of bytes that they hold.
    pub bytes: u64,
}

impl PendingBound {
    /// A bound of this many rows, with the bytes allowed for them.
    #[must_use]
    pub const fn of(rows: u64) -> Self {
        Self { rows, bytes: rows.saturating_mul(BYTES_A_ROW) }
    }
}

impl Default for PendingBound {
    fn default() -> Self {
        Self::of(100_000)
    }
}

/// Pending sign-ins and requests: sign-ins that were sent to a provider, and requests that wait for a user. Each row lasts ten
/// minutes and is bound to a browser.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch. A row stored beyond a bound replaces the oldest
/// rows, of either kind.
#[async_trait]
pub trait PendingSignIns: Send + Sync {
    /// Stores a sign-in whose browser is sent to the provider.
    async fn save_login(&self, login: Login, bound: PendingBound) -> Result<()>;

    /// Reads a sign-in by its state without removing it.
    async fn login(&self, state: TokenHash, now: i64) -> Result<Option<Login>>;

    /// Reads and removes a sign-in by its state, if it is bound to one of these browsers: at most one caller gets it. One that
    /// is bound to another browser stays. Expired ones are not returned.
    async fn take_login(&self, state: TokenHash, browsers: &[TokenHash], now: i64) -> Result<Option<Login>>;

    /// Stores a request that waits for a user.
    async fn save_interaction(&self, interaction: Interaction, bound: PendingBound) -> Result<()>;

    /// Reads a request without removing it.
    async fn interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>>;

    /// Reads and removes a request: at most one caller gets it.
    async fn take_interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>>;
}
