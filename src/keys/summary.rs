//! The signing keys, as an operator sees them.

use serde::Serialize;

use crate::keys::KeysError;
use crate::keys::life::{self, KeyPolicy};
use crate::store::Store;
use crate::store::model::{KeyState, SigningKey};

/// A signing key without its private part. Times are in seconds since the Unix epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeySummary {
    /// Its id.
    pub kid: String,
    /// Its algorithm.
    pub alg: String,
    /// Its state.
    pub state: KeyState,
    /// Whether it is in the published key set.
    pub published: bool,
    /// When it was made.
    pub created_at: i64,
    /// When it began to sign.
    pub activated_at: Option<i64>,
    /// When it stopped signing.
    pub retired_at: Option<i64>,
    /// When its successor will sign, at the earliest.
    pub rotation_due_at: Option<i64>,
}

/// The stored keys: those that sign first, then the next ones, then the retired ones.
///
/// # Errors
/// If the store fails.
pub async fn summaries(store: &dyn Store, policy: &KeyPolicy, now: i64) -> Result<Vec<KeySummary>, KeysError> {
    let mut keys = store.signing_keys().await?;
    keys.sort_by_key(|key| {
        let rank = match key.state {
            KeyState::Current => 0,
            KeyState::Next => 1,
            KeyState::Retired => 2,
        };
        (rank, key.algorithm.clone(), std::cmp::Reverse(key.retired_at))
    });
    Ok(keys.iter().map(|key| summary(key, policy, now)).collect())
}

fn summary(key: &SigningKey, policy: &KeyPolicy, now: i64) -> KeySummary {
    let began = key.activated_at.filter(|_| key.state == KeyState::Current);
    KeySummary {
        kid: key.kid.clone(),
        alg: key.algorithm.clone(),
        state: key.state,
        published: life::is_published(key, policy, now),
        created_at: key.created_at,
        activated_at: key.activated_at,
        retired_at: key.retired_at,
        rotation_due_at: began.map(|at| at.saturating_add(policy.rotate_every)),
    }
}
