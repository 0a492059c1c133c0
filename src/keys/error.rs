//! Errors of the signing keys.

use crate::protocol::SigningAlgorithm;
use crate::store::StoreError;

/// How often a change is attempted when other processes change the keys at the same time.
pub(crate) const ATTEMPTS: u32 = 5;

/// Why there are no keys, or no new ones.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No key could be generated.
    #[error("no {} key could be made: {reason}", .algorithm.name())]
    NotMade {
        /// The algorithm of the key.
        algorithm: SigningAlgorithm,
        /// The reason.
        reason: String,
    },
    /// A stored key can't be used.
    #[error("signing key {kid} in the store can't be used: {reason}")]
    Unusable {
        /// Its id.
        kid: String,
        /// The reason.
        reason: &'static str,
    },
    /// Other processes changed the keys at every attempt.
    #[error("the signing keys were changed by other processes {ATTEMPTS} times in a row; try again")]
    Contended,
}
