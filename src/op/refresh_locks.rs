//! One refresh at a time for each upstream account.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::model::LinkKey;

/// One lock per upstream account: a provider is asked once, however many refreshes arrive at the same time.
#[derive(Debug, Default)]
pub struct RefreshLocks(Mutex<HashMap<LinkKey, Arc<tokio::sync::Mutex<()>>>>);

impl RefreshLocks {
    /// The lock of an upstream account.
    pub(crate) fn of(&self, key: &LinkKey) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(locks.entry(key.clone()).or_default())
    }
}
