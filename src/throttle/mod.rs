//! Limits on unauthenticated requests: `limits.per_address` and `limits.failed_authentication`, and how many lines of the log
//! one address may cause.
//!
//! Owns the counting (the generic cell rate algorithm, by `governor`), the log line at the beginning of each burst, and the
//! figures. The callers decide what is counted, and what a refusal looks like. The tables are bounded: [`table`].

mod clock;
mod keyed;
mod source;
mod table;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::language::limits::{Limits as Declared, Rate};
use crate::config::resolved::Limits;
use crate::config::resolved::limits::RateLimit;
use crate::env::Clock;
use clock::SteadyClock;
use keyed::Keyed;

pub use keyed::Wait;
pub use source::Source;

/// Whose credentials were wrong.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Claimant {
    /// A client of the file, by its key there.
    Client(String),
    /// Some client that the file does not have: all of them are counted together.
    NoClient,
    /// A user of the admin listener.
    Administrator,
    /// Whoever tries the break-glass account, under whatever username.
    BreakGlass,
}

impl Claimant {
    fn name(&self) -> &str {
        match self {
            Self::Client(key) => key,
            Self::NoClient => "unknown",
            Self::Administrator => "admin listener",
            Self::BreakGlass => "break-glass account",
        }
    }
}

/// What strangers did, for metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Requests that `limits.per_address` refused.
    pub requests_refused: u64,
    /// How often an address began to exceed it.
    pub request_bursts: u64,
    /// Authentications that failed.
    pub failures: u64,
    /// Those of them that `limits.failed_authentication` refused.
    pub failures_refused: u64,
    /// How often a client and address began to exceed it.
    pub failure_bursts: u64,
    /// Lines that were left out of the log.
    pub lines_left_out: u64,
    /// Events that were left out of the audit trail.
    pub rows_left_out: u64,
}

/// Counts what strangers do, for all listeners together.
pub struct Throttle {
    requests: Keyed<Source>,
    failures: Keyed<(Claimant, Source)>,
    lines: Keyed<Source>,
    failed: AtomicU64,
    /// Audit rows that strangers cause: of one source, and of all.
    rows: Keyed<Source>,
    all_rows: Keyed<()>,
    /// Audit rows of refusals of one account.
    refusal_rows: Keyed<String>,
    /// Refusals of one account, and wrong credentials of one client from anywhere: what exceeds these is suspicious.
    refusals: Keyed<String>,
    guesses: Keyed<String>,
}

/// How often something may happen before it is left out, or suspicious.
const fn limit(rate: Rate, burst: u32) -> RateLimit {
    RateLimit { rate, burst }
}

const ROWS_OF_SOURCE: RateLimit = limit(Rate::per_minute(6), 20);
const ROWS_OF_ALL: RateLimit = limit(Rate::per_minute(60), 1000);
const ROWS_OF_ACCOUNT: RateLimit = limit(Rate::per_minute(1), 50);
/// The tenth refusal within the hour is one too many.
const REFUSALS_OF_ACCOUNT: RateLimit = limit(Rate::per_hour(10), 9);
const GUESSES_AT_CLIENT: RateLimit = limit(Rate::per_minute(2), 20);

impl Throttle {
    /// With nothing counted yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, limits: &Limits) -> Self {
        let clock = SteadyClock::new(clock);
        Self {
            requests: Keyed::new(clock.clone(), limits.per_address),
            failures: Keyed::new(clock.clone(), limits.failed_authentication),
            lines: Keyed::new(clock.clone(), Limits::of(&Declared::default()).per_address),
            failed: AtomicU64::new(0),
            rows: Keyed::new(clock.clone(), ROWS_OF_SOURCE),
            all_rows: Keyed::new(clock.clone(), ROWS_OF_ALL),
            refusal_rows: Keyed::new(clock.clone(), ROWS_OF_ACCOUNT),
            refusals: Keyed::new(clock.clone(), REFUSALS_OF_ACCOUNT),
            guesses: Keyed::new(clock, GUESSES_AT_CLIENT),
        }
    }

    /// Applies these limits. Those that did not change keep their counts.
    pub fn apply(&self, limits: &Limits) {
        self.requests.apply(limits.per_address);
        self.failures.apply(limits.failed_authentication);
    }

    /// Counts a request that writes before anyone has signed in.
    ///
    /// # Errors
    /// How long to wait: the address has sent too many.
    pub fn request(&self, source: Source) -> Result<(), Wait> {
        self.requests.count(&source).map_err(|refused| {
            if refused.first {
                let RateLimit { rate, burst } = self.requests.limit();
                tracing::warn!(
                    event = "rate_limited", limit = "limits.per_address", source = %source, %rate, burst,
                    "an address exceeds the limit: its requests are refused until it slows down{}", source.advice()
                );
            }
            refused.wait
        })
    }

    /// Counts an authentication that failed.
    ///
    /// # Errors
    /// How long to wait: too many failed for this client from this address.
    pub fn failed_authentication(&self, claimant: Claimant, source: Source) -> Result<(), Wait> {
        self.failed();
        self.attempt(claimant, source)
    }

    /// Counts an authentication that failed and that was counted as an attempt before.
    pub fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts an attempt before its credentials are looked at, where looking is expensive.
    ///
    /// # Errors
    /// How long to wait: there were too many for this claimant from this address.
    pub fn attempt(&self, claimant: Claimant, source: Source) -> Result<(), Wait> {
        let key = (claimant, source);
        self.failures.count(&key).map_err(|refused| {
            if refused.first {
                let RateLimit { rate, burst } = self.failures.limit();
                tracing::warn!(
                    event = "rate_limited", limit = "limits.failed_authentication", client = key.0.name(), source = %source,
                    %rate, burst, "wrong credentials again and again: further ones are refused until they slow down"
                );
            }
            refused.wait
        })
    }

    /// Whether a stranger's request may leave a line in the log. Lines have the rate that `limits.per_address` has by default,
    /// whatever the file says: a lower one must not hide why people are refused.
    #[must_use]
    pub fn may_log(&self, source: Source) -> bool {
        let outcome = self.lines.count(&source);
        if outcome.as_ref().is_err_and(|refused| refused.first) {
            tracing::warn!(
                event = "log_limited", source = %source,
                "an address causes too many lines: further ones are left out until it slows down"
            );
        }
        outcome.is_ok()
    }

    /// Whether an event that a stranger caused may be recorded: strangers must not fill the disk.
    #[must_use]
    pub fn may_record(&self, source: Source) -> bool {
        self.rows.count(&source).is_ok() && self.all_rows.count(&()).is_ok()
    }

    /// Whether a refusal of this account may be recorded, or another event that is counted under this name.
    #[must_use]
    pub fn may_record_of(&self, account: &str) -> bool {
        self.refusal_rows.count(&account.to_owned()).is_ok()
    }

    /// Counts a refusal of an account; `true` when they begin to be suspiciously many.
    #[must_use]
    pub fn refused_often(&self, account: &str) -> bool {
        self.refusals.count(&account.to_owned()).is_err_and(|refused| refused.first)
    }

    /// Counts wrong credentials of a client, wherever they come from; `true` when they begin to be suspiciously many.
    #[must_use]
    pub fn guessed_often(&self, client: &str) -> bool {
        self.guesses.count(&client.to_owned()).is_err_and(|refused| refused.first)
    }

    /// What strangers did since the start.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let (requests_refused, request_bursts) = self.requests.refused();
        let (failures_refused, failure_bursts) = self.failures.refused();
        Figures {
            requests_refused,
            request_bursts,
            failures: self.failed.load(Ordering::Relaxed),
            failures_refused,
            failure_bursts,
            lines_left_out: self.lines.refused().0,
            rows_left_out: self.rows.refused().0 + self.all_rows.refused().0 + self.refusal_rows.refused().0,
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::env::ManualClock;

    fn limits(rate: &str, burst: u64) -> Limits {
        let mut declared = Declared::default();
        declared.per_address.rate = Rate::parse(rate).unwrap();
        declared.per_address.burst = burst;
        declared.failed_authentication.rate = Rate::parse(rate).unwrap();
        declared.failed_authentication.burst = burst;
        Limits::of(&declared)
    }

    fn source(text: &str) -> Source {
        Source::of(Some(text.parse().unwrap()))
    }

    /// How many of `asked` requests pass.
    fn passed(throttle: &Throttle, from: &str, asked: usize) -> usize {
        (0..asked).filter(|_| throttle.request(source(from)).is_ok()).count()
    }

    #[test]
    fn a_burst_passes_and_then_the_rate_by_address() {
        let clock = ManualClock::at(1_000);
        let throttle = Throttle::new(Arc::clone(&clock) as _, &limits("5/s", 20));
        assert_eq!(passed(&throttle, "192.0.2.1", 100), 20);
        assert_eq!(throttle.request(source("192.0.2.1")), Err(Wait(1)));
        assert_eq!(passed(&throttle, "192.0.2.2", 100), 20, "another address");
        clock.advance(1);
        assert_eq!(passed(&throttle, "192.0.2.1", 100), 5);
        clock.advance(3600);
        assert_eq!(passed(&throttle, "192.0.2.1", 100), 20);
        // IPv6 by /64: one customer.
        assert_eq!(passed(&throttle, "2001:db8:0:1::1", 15) + passed(&throttle, "2001:db8:0:1:ffff::9", 15), 20);
        assert_eq!(passed(&throttle, "2001:db8:0:2::1", 100), 20);
        let figures = throttle.figures();
        assert_eq!((figures.request_bursts, figures.requests_refused), (5, 80 + 1 + 80 + 95 + 80 + 10 + 80));
    }

    #[test]
    fn slow_rates_say_how_long_to_wait() {
        let clock = ManualClock::at(1_000);
        let throttle = Throttle::new(Arc::clone(&clock) as _, &limits("2/m", 1));
        assert_eq!(passed(&throttle, "192.0.2.1", 1), 1);
        assert_eq!(throttle.request(source("192.0.2.1")), Err(Wait(30)));
        clock.advance(29);
        assert_eq!(throttle.request(source("192.0.2.1")), Err(Wait(1)));
        clock.advance(1);
        assert_eq!(throttle.request(source("192.0.2.1")), Ok(()));
    }

    #[test]
    fn a_clock_that_jumps_locks_nobody_out() {
        let clock = ManualClock::at(1_000_000);
        let throttle = Throttle::new(Arc::clone(&clock) as _, &limits("5/s", 20));
        for jump in [-3600, 3600, -999_999, 2_000_000_000] {
            assert_eq!(passed(&throttle, "192.0.2.1", 100), 20, "before a jump by {jump}");
            clock.advance(jump);
            let _ = throttle.request(source("192.0.2.9"));
            clock.advance(4);
        }
    }

    #[test]
    fn failures_count_by_client_and_address() {
        let clock = ManualClock::at(1_000);
        let throttle = Throttle::new(Arc::clone(&clock) as _, &limits("10/m", 20));
        let failed = |client: Claimant, from: &str| {
            (0..50).filter(|_| throttle.failed_authentication(client.clone(), source(from)).is_ok()).count()
        };
        let app = || Claimant::Client("app".to_owned());
        assert_eq!(failed(app(), "192.0.2.1"), 20);
        assert_eq!(failed(app(), "192.0.2.2"), 20);
        assert_eq!(failed(Claimant::Client("other".to_owned()), "192.0.2.1"), 20);
        assert_eq!(failed(Claimant::NoClient, "192.0.2.1"), 20);
        clock.advance(60);
        assert_eq!(failed(app(), "192.0.2.1"), 10);
        let figures = throttle.figures();
        assert_eq!((figures.failures, figures.failures_refused, figures.failure_bursts), (250, 160, 4));
    }

    #[test]
    fn new_limits_hold_at_once_and_old_ones_go_on_counting() {
        let clock = ManualClock::at(1_000);
        let throttle = Throttle::new(Arc::clone(&clock) as _, &limits("5/s", 20));
        assert_eq!(passed(&throttle, "192.0.2.1", 100), 20);
        throttle.apply(&limits("5/s", 20));
        assert_eq!(passed(&throttle, "192.0.2.1", 100), 0, "nothing changed");
        throttle.apply(&limits("5/s", 30));
        assert_eq!(passed(&throttle, "192.0.2.1", 100), 30);
        // The least and the most that a file can say.
        for (rate, burst) in [("1/h", 1_000_000), ("999999999/s", 1_000_000), ("1/h", 1)] {
            throttle.apply(&limits(rate, burst));
            assert_eq!(passed(&throttle, "192.0.2.1", 1), 1, "{rate} {burst}");
        }
    }
}
