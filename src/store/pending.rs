//! What waits: sign-ins that left for a provider, and requests that wait for a person. Rows of ten minutes, bound to a browser.

use async_trait::async_trait;

use crate::store::Result;
use crate::store::model::{Interaction, Login, TokenHash};

/// Bytes that a row may have on average. One is about a kilobyte; what a stranger can put into a request is more.
const BYTES_A_ROW: u64 = 4096;

/// How much may wait at once: anybody can begin a sign-in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingBound {
    /// The most rows of all kinds together.
    pub rows: u64,
    /// The most bytes that they hold.
    pub bytes: u64,
}

impl PendingBound {
    /// So many rows, with the bytes that go with them.
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

/// What waits: sign-ins that left for a provider, and requests that wait for a person. Rows of ten minutes, bound to a browser.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch. What is kept beyond a bound takes the place
/// of what has waited longest, of either kind.
#[async_trait]
pub trait PendingSignIns: Send + Sync {
    /// Keeps a sign-in whose browser is sent to the provider.
    async fn save_login(&self, login: Login, bound: PendingBound) -> Result<()>;

    /// Reads a sign-in by its state, leaving it there.
    async fn login(&self, state: TokenHash, now: i64) -> Result<Option<Login>>;

    /// Takes a sign-in by its state: at most one caller gets it. Expired ones are not returned.
    async fn take_login(&self, state: TokenHash, now: i64) -> Result<Option<Login>>;

    /// Keeps a request that waits for a person.
    async fn save_interaction(&self, interaction: Interaction, bound: PendingBound) -> Result<()>;

    /// Reads it, leaving it there.
    async fn interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>>;

    /// Takes it: at most one caller gets it.
    async fn take_interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>>;
}
