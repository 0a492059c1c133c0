//! The clock of the rate limits: the injected one, made steady.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::Clock;
use governor::nanos::Nanos;

/// The most that one step counts: enough for every limit to recover.
const LONGEST_STEP: u64 = 10 * 365 * 86_400;

/// Time that only goes forward. Where the machine's clock is set back it does not move for that reading, and a step
/// ahead counts as time that has passed: in neither direction is anybody locked out.
#[derive(Clone)]
pub(super) struct SteadyClock {
    clock: Arc<dyn crate::env::Clock>,
    reading: Arc<Mutex<Reading>>,
}

struct Reading {
    /// What the machine's clock showed, in seconds since the Unix epoch.
    shown: i64,
    /// Seconds that have passed since the start.
    passed: u64,
}

impl SteadyClock {
    pub(super) fn new(clock: Arc<dyn crate::env::Clock>) -> Self {
        let shown = clock.now();
        Self { clock, reading: Arc::new(Mutex::new(Reading { shown, passed: 0 })) }
    }
}

impl Clock for SteadyClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = self.clock.now();
        let step = u64::try_from(shown.saturating_sub(reading.shown)).unwrap_or(0);
        reading.shown = shown;
        reading.passed = reading.passed.saturating_add(step.min(LONGEST_STEP));
        Duration::from_secs(reading.passed).into()
    }
}
