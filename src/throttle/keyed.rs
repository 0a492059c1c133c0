//! One limit, counted for each key by itself.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::{Quota, RateLimiter};

use crate::config::resolved::limits::RateLimit;
use crate::throttle::clock::SteadyClock;
use crate::throttle::table::Table;

/// How long to wait before something may be done again, in seconds; at least 1 (`Retry-After`, RFC 9110 §10.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub u64);

/// One limit, counted for each key by itself.
pub(super) struct Keyed<K: Clone + Eq + Hash> {
    clock: SteadyClock,
    serving: ArcSwap<Counter<K>>,
    refused: AtomicU64,
    bursts: AtomicU64,
}

/// The key exceeds the limit.
pub(super) struct Refused {
    /// How long it must wait.
    pub(super) wait: Wait,
    /// Whether this is the first refusal of a burst.
    pub(super) first: bool,
}

struct Counter<K: Clone + Eq + Hash> {
    limit: RateLimit,
    table: Arc<Table<K>>,
    cells: RateLimiter<K, Shared<K>, SteadyClock, NoOpMiddleware<Nanos>>,
}

/// The table, which its limiter would own alone.
struct Shared<K>(Arc<Table<K>>);

impl<K: Clone + Eq + Hash> StateStore for Shared<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.0.measure_and_replace(key, decide)
    }
}

impl<K: Clone + Eq + Hash> Counter<K> {
    fn new(clock: SteadyClock, limit: RateLimit) -> Self {
        let step = limit.rate.period() / limit.rate.count();
        let burst = NonZeroU32::new(limit.burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(step).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst);
        let table = Arc::new(Table::new(Nanos::from(step)));
        Self { limit, cells: RateLimiter::new(quota, Shared(Arc::clone(&table)), clock), table }
    }
}

impl<K: Clone + Eq + Hash> Keyed<K> {
    pub(super) fn new(clock: SteadyClock, limit: RateLimit) -> Self {
        let serving = ArcSwap::from_pointee(Counter::new(clock.clone(), limit));
        Self { clock, serving, refused: AtomicU64::new(0), bursts: AtomicU64::new(0) }
    }

    /// The limit in force.
    pub(super) fn limit(&self) -> RateLimit {
        self.serving.load().limit
    }

    /// Applies this limit; if it differs from the one before, counting starts again.
    pub(super) fn apply(&self, limit: RateLimit) {
        if self.limit() != limit {
            self.serving.store(Arc::new(Counter::new(self.clock.clone(), limit)));
        }
    }

    /// Counts one more.
    pub(super) fn count(&self, key: &K) -> Result<(), Refused> {
        let counter = self.serving.load();
        counter.cells.check_key(key).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.clock.now());
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            let first = counter.table.notice(key);
            self.refused.fetch_add(1, Ordering::Relaxed);
            self.bursts.fetch_add(u64::from(first), Ordering::Relaxed);
            Refused { wait: Wait(seconds.max(1)), first }
        })
    }

    /// How many were refused since the start, and how many bursts they were.
    pub(super) fn refused(&self) -> (u64, u64) {
        (self.refused.load(Ordering::Relaxed), self.bursts.load(Ordering::Relaxed))
    }
}
