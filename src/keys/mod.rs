//! The life cycle of the broker's signing keys: they are generated, published, used, rotated and removed.
//!
//! `life` plans which keys should exist, `set` is an immutable set of keys that signs and verifies, and [`Keys`] keeps the
//! current set in step with the store, which several processes may share. [`jose`](crate::jose) implements signing and
//! verifying; the caller owns the claims of a token and checks its times.

mod error;
mod life;
mod set;
mod summary;
mod tag;

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::protocol::SigningAlgorithm;
use crate::store::Store;
use crate::store::model::{KeyState, SigningKey};
use error::ATTEMPTS;
pub use error::KeysError;
pub use life::KeyPolicy;
use life::{Occasion, Plan};
pub use set::{SignError, SigningKeys};
pub use summary::{KeySummary, summaries};

/// The signing keys of this process, in step with the store.
pub struct Keys {
    store: Arc<dyn Store>,
    set: ArcSwap<SigningKeys>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("set", &self.set.load()).finish_non_exhaustive()
    }
}

impl Keys {
    /// Reads the keys, and generates those without which nothing can be signed: one for each algorithm of the policy that has
    /// none, as at the first start. Everything else is left to [`Self::ensure`], which must be called soon afterwards and then
    /// at least every minute, and to [`Self::adopt`], every second.
    ///
    /// # Errors
    /// If the store fails or holds an unusable key, or no key can be generated.
    pub async fn open(store: Arc<dyn Store>, policy: &KeyPolicy, now: i64) -> Result<Self, KeysError> {
        let keys = bring_about(&*store, policy, now, Occasion::Start).await?;
        let set = SigningKeys::new(&keys, |key| life::is_published(key, policy, now))?;
        Ok(Self { store, set: ArcSwap::from_pointee(set) })
    }

    /// The current set of keys; hold it for one request.
    #[must_use]
    pub fn set(&self) -> Arc<SigningKeys> {
        self.set.load_full()
    }

    /// Performs what is due (publishing a next key, rotating, removing) and adopts the changes of other processes. `true` if
    /// the set changed.
    ///
    /// # Errors
    /// As [`Self::open`]; the previous keys stay in use.
    pub async fn ensure(&self, policy: &KeyPolicy, now: i64) -> Result<bool, KeysError> {
        self.follow(policy, now, Occasion::Upkeep).await
    }

    /// Adopts the changes of other processes, and generates only a key without which nothing can be signed. Unlike
    /// [`Self::ensure`], it retires no key of an algorithm that only another process's policy lists, as while a new
    /// configuration is rolled out. `true` if the set changed.
    ///
    /// # Errors
    /// As [`Self::open`]; the previous keys stay in use.
    pub async fn adopt(&self, policy: &KeyPolicy, now: i64) -> Result<bool, KeysError> {
        self.follow(policy, now, Occasion::Start).await
    }

    /// Rotates every key at once, regardless of its age. Tokens that were signed before can still be verified.
    ///
    /// # Errors
    /// As [`Self::open`]; the previous keys stay in use.
    pub async fn rotate_now(&self, policy: &KeyPolicy, now: i64) -> Result<(), KeysError> {
        self.follow(policy, now, Occasion::Rotate).await.map(drop)
    }

    /// Removes a key at once, and replaces it: nothing that it signed is accepted here any more. `false` if there is no such
    /// key.
    ///
    /// # Errors
    /// As [`Self::open`]; the previous keys stay in use.
    pub async fn revoke(&self, kid: &str, policy: &KeyPolicy, now: i64) -> Result<bool, KeysError> {
        if !self.store.signing_keys().await?.iter().any(|key| key.kid == kid) {
            return Ok(false);
        }
        self.follow(policy, now, Occasion::Revoke(kid)).await.map(|_| true)
    }

    async fn follow(&self, policy: &KeyPolicy, now: i64, occasion: Occasion<'_>) -> Result<bool, KeysError> {
        let keys = bring_about(&*self.store, policy, now, occasion).await?;
        let published = |key: &SigningKey| life::is_published(key, policy, now);
        if self.set.load().holds(&keys, published) {
            return Ok(false);
        }
        self.set.store(Arc::new(SigningKeys::new(&keys, published)?));
        Ok(true)
    }
}

/// Plans from the stored keys, generates the missing ones and stores the result; starts again if another process was faster.
async fn bring_about(
    store: &dyn Store,
    policy: &KeyPolicy,
    now: i64,
    occasion: Occasion<'_>,
) -> Result<Vec<SigningKey>, KeysError> {
    for _ in 0..ATTEMPTS {
        let there = store.signing_keys().await?;
        let expected = there.iter().map(|key| key.kid.clone()).collect();
        let Plan { mut keys, make, changed } = life::plan(there, policy, now, occasion);
        if !changed && make.is_empty() {
            return Ok(keys);
        }
        for (algorithm, state) in make {
            keys.push(make_key(algorithm, state, now).await?);
        }
        if store.replace_signing_keys(expected, keys.clone()).await? {
            return Ok(keys);
        }
    }
    Err(KeysError::Contended)
}

/// Generates a key on a blocking thread, because an RSA key takes tens of milliseconds.
async fn make_key(algorithm: SigningAlgorithm, state: KeyState, now: i64) -> Result<SigningKey, KeysError> {
    let not_made = |reason: String| KeysError::NotMade { algorithm, reason };
    let made = tokio::task::spawn_blocking(move || set::generate(algorithm)).await;
    let (kid, private) = made.map_err(|e| not_made(e.to_string()))?.map_err(|e| not_made(e.to_owned()))?;
    Ok(SigningKey {
        kid,
        algorithm: algorithm.name().to_owned(),
        private,
        state,
        created_at: now,
        activated_at: (state == KeyState::Current).then_some(now),
        retired_at: None,
    })
}

#[cfg(test)]
mod tests;
