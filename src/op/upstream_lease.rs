//! The right to ask a provider about one upstream account, of which one process has it at a time.
//!
//! A provider that gives a new refresh token at each use may take a second use of the one before for theft, and end the
//! person's access (RFC 6749 §10.4, RFC 9700 §4.14.2). Within a process, [`refreshes`](crate::op::refreshes) lets one request
//! at a time ask; across the replicas that share a store, a lease on the link does.

use std::time::Duration;

use crate::env::Clock;
use crate::store::model::{Link, LinkKey};
use crate::store::{AccountQuery, Store, StoreError};

/// Seconds that a lease lasts: longer than all calls of a refresh together may take.
const LEASE: i64 = 45;

/// The pause before the lease is asked for again; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(50);
/// How often the lease is asked for: for about ten seconds, in which a provider that answers has answered.
const TRIES: u32 = 20;
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_millis(640);

/// A lease on a link.
pub(super) struct Lease<'s> {
    store: &'s dyn Store,
    key: LinkKey,
    fence: i64,
}

impl<'s> Lease<'s> {
    /// Waits for the lease on this link. `None` if another process has not given it back meanwhile.
    pub(super) async fn take(
        store: &'s dyn Store,
        clock: &dyn Clock,
        key: &LinkKey,
    ) -> Result<Option<Self>, StoreError> {
        let mut pause = PAUSE;
        for attempt in 1..=TRIES {
            let now = clock.now();
            if let Some(fence) = store.lease_link(key, now, now + LEASE).await? {
                return Ok(Some(Self { store, key: key.clone(), fence }));
            }
            if attempt < TRIES {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
        Ok(None)
    }

    /// The link as it is stored now; `None` if it is gone.
    pub(super) async fn stored(&self) -> Result<Option<Link>, StoreError> {
        let query = AccountQuery { key: Some(self.key.clone()), ..AccountQuery::default() };
        Ok(self.store.accounts(query).await?.linked.map(|(_, link)| link))
    }

    /// Saves the link and gives the lease back. `false` if what is stored counts more: a sign-in has brought newer claims, or
    /// another process took the lease when it had expired.
    pub(super) async fn save(&self, link: Link) -> Result<bool, StoreError> {
        self.store.save_leased_link(link, self.fence).await
    }

    /// Gives the lease back. One that can't be given back expires.
    pub(super) async fn release(self) {
        if let Err(error) = self.store.release_link(&self.key, self.fence).await {
            tracing::warn!(provider = %self.key.provider, %error, "the lease on an upstream account could not be given back");
        }
    }
}
