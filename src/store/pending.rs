//! What waits: sign-ins that left for a provider, and requests that wait for a person. Rows of ten minutes, bound to a browser.

use async_trait::async_trait;

use crate::store::Result;
use crate::store::model::{Interaction, Login, TokenHash};

/// What waits: sign-ins that left for a provider, and requests that wait for a person. Rows of ten minutes, bound to a browser.
///
/// Each operation is one transaction. `now` is in seconds since the Unix epoch.
#[async_trait]
pub trait PendingSignIns: Send + Sync {
    /// Keeps a sign-in that leaves for the provider.
    async fn save_login(&self, login: Login) -> Result<()>;

    /// Reads a sign-in by its state, leaving it there.
    async fn login(&self, state: TokenHash, now: i64) -> Result<Option<Login>>;

    /// Takes a sign-in by its state: at most one caller gets it. Expired ones are not returned.
    async fn take_login(&self, state: TokenHash, now: i64) -> Result<Option<Login>>;

    /// Keeps a request that waits for a person.
    async fn save_interaction(&self, interaction: Interaction) -> Result<()>;

    /// Reads it, leaving it there.
    async fn interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>>;

    /// Takes it: at most one caller gets it.
    async fn take_interaction(&self, id: TokenHash, now: i64) -> Result<Option<Interaction>>;
}
