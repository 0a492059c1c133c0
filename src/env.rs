//! Time and randomness, which everything else takes as parameters, so that tests can move the clock and repeat what was drawn.
//! The only module that reads the system clock or asks the operating system for random bytes; `clippy.toml` forbids both
//! elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The time, in whole seconds since the Unix epoch. A handler reads it once and passes it on as `now`.
pub trait Clock: Send + Sync {
    /// Seconds since the Unix epoch.
    fn now(&self) -> i64;

    /// Nanoseconds since the Unix epoch, for traces. Nothing is decided by them.
    fn nanoseconds(&self) -> u64 {
        u64::try_from(self.now()).unwrap_or_default().saturating_mul(1_000_000_000)
    }
}

/// The machine's clock.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    fn now(&self) -> i64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    fn nanoseconds(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A clock for tests, which changes only when it is told to.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`, in seconds since the Unix epoch.
    #[must_use]
    pub fn at(now: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(now)))
    }

    /// Moves the clock by `seconds`, backwards when negative.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Measures how long something takes, for metrics. Nothing is decided by it, so that tests need not replace it.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// One that starts now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Seconds since it was started.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// Microseconds of the monotonic clock of the system (`CLOCK_MONOTONIC`), for service managers. Nothing is decided by them.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
pub fn monotonic_microseconds() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec.saturating_mul(1_000_000).saturating_add(time.tv_nsec / 1_000)
}

/// The name of this host, as far as the system tells it; empty otherwise. Operators tell processes apart by it. It is not read
/// from `/proc`, which a sandbox may hide.
#[must_use]
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().trim().chars().take(64).collect()
}

/// The digits of Crockford's base 32.
const DIGITS: [u8; 32] = *b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// How many of them a trace id has.
const TRACE_ID: usize = 10;

/// A trace id as it was issued, whatever the case in which it was typed, with spaces and hyphens, and with the letters that are
/// read as digits. `None` if it can't be one.
#[must_use]
pub fn read_trace_id(typed: &str) -> Option<String> {
    let letters = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| match c.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        c => c,
    });
    let id: String = letters.collect();
    let known = |c: char| u8::try_from(c).is_ok_and(|byte| DIGITS.contains(&byte));
    (id.len() == TRACE_ID && id.chars().all(known)).then_some(id)
}

/// Random bytes for identifiers, secrets and nonces.
pub trait Random: Send + Sync {
    /// Fills `buffer` with unpredictable bytes.
    ///
    /// # Errors
    /// When the generator is not available. Nothing may be issued then.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomUnavailable>;
}

/// The generator returned an error.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the random generator is not available")]
pub struct RandomUnavailable;

/// The operating system's generator.
#[derive(Debug)]
pub struct SystemRandomness(SystemRandom);

impl Default for SystemRandomness {
    fn default() -> Self {
        Self(SystemRandom::new())
    }
}

impl Random for SystemRandomness {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks for random bytes")]
    fn fill(&self, buffer: &mut [u8]) -> Result<(), RandomUnavailable> {
        self.0.fill(buffer).map_err(|_| RandomUnavailable)
    }
}

impl dyn Random + '_ {
    /// An unguessable value: 256 random bits, base64url, 43 characters.
    ///
    /// # Errors
    /// When the generator is not available.
    pub fn secret(&self) -> Result<String, RandomUnavailable> {
        let [secret] = self.secrets()?;
        Ok(secret)
    }

    /// Several unguessable values, from one call of the generator, whose cost hardly depends on the length.
    ///
    /// # Errors
    /// When the generator is not available.
    pub fn secrets<const N: usize>(&self) -> Result<[String; N], RandomUnavailable> {
        let mut bytes = [[0_u8; 32]; N];
        self.fill(bytes.as_flattened_mut())?;
        Ok(bytes.map(|secret| URL_SAFE_NO_PAD.encode(secret)))
    }

    /// A trace id: ten letters and digits that can be read aloud, of Crockford's base 32, which has no I, L, O and U. It is no
    /// secret, and not unique for all time: what is kept under one is replaced by what comes later.
    ///
    /// # Errors
    /// When the generator is not available.
    pub fn trace_id(&self) -> Result<String, RandomUnavailable> {
        let mut bytes = [0_u8; TRACE_ID];
        self.fill(&mut bytes)?;
        let digit = |byte: &u8| DIGITS.get(usize::from(byte % 32)).copied().map_or('0', char::from);
        Ok(bytes.iter().map(digit).collect())
    }

    /// A unique identifier: 128 random bits, base64url, 22 characters.
    ///
    /// # Errors
    /// When the generator is not available.
    pub fn id(&self) -> Result<String, RandomUnavailable> {
        let mut bytes = [0_u8; 16];
        self.fill(&mut bytes)?;
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_is_read_out_is_understood_however_it_is_typed() {
        let id = (&SystemRandomness::default() as &dyn Random).trace_id().unwrap();
        assert_eq!(read_trace_id(&id).as_deref(), Some(id.as_str()));
        assert_eq!(read_trace_id(&id.to_lowercase()), Some(id));
        assert_eq!(read_trace_id(" oil0i-abcde ").as_deref(), Some("01101ABCDE"));
        for wrong in ["", "ABCDEFGH1", "ABCDEFGH123", "ABCDEFGHU1", "ABCDEFGHé1"] {
            assert_eq!(read_trace_id(wrong), None, "{wrong}");
        }
    }
}
