//! Leaving a provider alone while it fails: after several failures in a row nothing is sent for a short time, and then one
//! request at a time, until one succeeds. People and apps get their answer at once instead of waiting for one more timeout, and
//! a provider that struggles is not flooded.
//!
//! What can't be reached is counted for the provider as a whole; what answers with an error of the server, for that document
//! alone, so that an endpoint that is broken does not take the others with it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::upstream::error::Document;

/// Failures in a row after which a provider that can't be reached is left alone.
const UNREACHABLE: u32 = 3;
/// The same for a document that the provider answers with errors.
const ERRORS: u32 = 5;
/// For how long, in seconds; longer each time that the next request fails too.
const PAUSES: [i64; 3] = [10, 20, 30];

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Went {
    /// The provider answered.
    Well,
    /// It answered that it can't (5xx, 429), or with something that is not accepted.
    Badly,
    /// It could not be reached in time.
    Nowhere,
}

/// What is counted: one document, or (`None`) the provider as a whole.
type Counted = Option<Document>;

#[derive(Debug, Default)]
struct State {
    /// Failures in a row.
    failures: u32,
    /// How often in a row it was left alone.
    pauses: usize,
    /// Until when nothing is sent.
    until: Option<i64>,
    /// Whether the one request that finds out is under way.
    probing: bool,
}

impl State {
    /// Whether a request may be sent; the clock may have been set back.
    fn may_pass(&self, now: i64) -> bool {
        let longest = PAUSES.last().copied().unwrap_or_default();
        let waits = |until: i64| now < until && until.saturating_sub(now) <= longest;
        self.until.is_none_or(|until| !waits(until) && !self.probing)
    }

    fn failed(&mut self, bound: u32, now: i64) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= bound {
            let pause = PAUSES.get(self.pauses).or(PAUSES.last()).copied().unwrap_or_default();
            self.until = Some(now.saturating_add(pause));
            self.pauses = (self.pauses + 1).min(PAUSES.len());
        }
    }
}

/// The counts of one provider.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<HashMap<Counted, State>>);

/// A request that may be sent. If it is dropped, nothing is known of how it went.
pub(crate) struct Pass<'b> {
    breaker: &'b Breaker,
    document: Document,
    /// Whether it is the one request that finds out how the provider, or the document, does.
    probes: [bool; 2],
}

impl Breaker {
    fn lock(&self) -> MutexGuard<'_, HashMap<Counted, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request for a document would be sent now.
    pub(crate) fn is_open_for(&self, document: Document, now: i64) -> bool {
        may_pass(&self.lock(), document, now)
    }

    /// Lets a request for a document pass; `None` while the provider is left alone.
    pub(crate) fn enter(&self, document: Document, now: i64) -> Option<Pass<'_>> {
        let mut states = self.lock();
        if !may_pass(&states, document, now) {
            return None;
        }
        let probes = [None, Some(document)].map(|counted| {
            let state = states.get_mut(&counted);
            state.is_some_and(|state| {
                state.probing = state.until.is_some();
                state.probing
            })
        });
        Some(Pass { breaker: self, document, probes })
    }
}

fn may_pass(states: &HashMap<Counted, State>, document: Document, now: i64) -> bool {
    [None, Some(document)].iter().all(|counted| states.get(counted).is_none_or(|state| state.may_pass(now)))
}

impl Pass<'_> {
    /// Counts how it went. `true` if the provider, or the document, is left alone from now on.
    pub(crate) fn ended(self, went: Went, now: i64) -> bool {
        let mut states = self.breaker.lock();
        let mut alone = false;
        let nowhere = went == Went::Nowhere;
        for (counted, failed, bound) in
            [(None, nowhere, UNREACHABLE), (Some(self.document), went != Went::Well, ERRORS)]
        {
            if failed {
                let state = states.entry(counted).or_default();
                state.failed(bound, now);
                alone |= state.failures >= bound;
            } else {
                states.remove(&counted);
            }
        }
        alone
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut states = self.breaker.lock();
        // A request that was sent before the provider was left alone is not the one that finds out.
        for (counted, probes) in [None, Some(self.document)].into_iter().zip(self.probes) {
            if let Some(state) = states.get_mut(&counted).filter(|_| probes) {
                state.probing = false;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn send(breaker: &Breaker, document: Document, went: Went, now: i64) -> bool {
        breaker.enter(document, now).map(|pass| pass.ended(went, now)).is_some()
    }

    #[test]
    fn it_is_left_alone_after_failures_in_a_row_and_asked_one_at_a_time() {
        let breaker = Breaker::default();
        for _ in 0..2 {
            assert!(send(&breaker, Document::TokenResponse, Went::Nowhere, NOW));
        }
        assert!(send(&breaker, Document::TokenResponse, Went::Well, NOW), "not in a row");
        for document in [Document::Discovery, Document::TokenResponse, Document::KeySet] {
            assert!(send(&breaker, document, Went::Nowhere, NOW));
        }
        assert!(!send(&breaker, Document::Userinfo, Went::Well, NOW), "nothing of it");
        assert!(!breaker.is_open_for(Document::Userinfo, NOW + 9));

        let probe = breaker.enter(Document::Discovery, NOW + 10).unwrap();
        assert!(breaker.enter(Document::Discovery, NOW + 10).is_none(), "one at a time");
        probe.ended(Went::Nowhere, NOW + 10);
        assert!(!breaker.is_open_for(Document::Discovery, NOW + 29), "longer than before");
        // A request that nobody waited for holds nothing up.
        drop(breaker.enter(Document::Discovery, NOW + 30).unwrap());
        assert!(send(&breaker, Document::Discovery, Went::Well, NOW + 30));
        assert!(breaker.is_open_for(Document::Userinfo, NOW + 30));
    }

    #[test]
    fn d24_a_request_of_before_is_not_the_one_that_finds_out() {
        let breaker = Breaker::default();
        let before = [Document::Userinfo; 3].map(|document| breaker.enter(document, NOW).unwrap());
        for document in [Document::Discovery, Document::TokenResponse, Document::KeySet] {
            assert!(send(&breaker, document, Went::Nowhere, NOW));
        }
        let probe = breaker.enter(Document::Discovery, NOW + 10).unwrap();
        // Browsers that no longer wait, and one that is told late.
        let [first, second, late] = before;
        drop((first, second));
        assert!(breaker.enter(Document::Discovery, NOW + 10).is_none(), "still one at a time");
        late.ended(Went::Nowhere, NOW + 10);
        assert!(!breaker.is_open_for(Document::Discovery, NOW + 31), "the one that finds out is still under way");
        drop(probe);
        assert!(breaker.is_open_for(Document::Discovery, NOW + 31));
    }

    #[test]
    fn an_endpoint_that_is_broken_does_not_take_the_others_with_it() {
        let breaker = Breaker::default();
        for _ in 0..5 {
            assert!(send(&breaker, Document::Introspection, Went::Badly, NOW));
            assert!(send(&breaker, Document::TokenResponse, Went::Well, NOW));
        }
        assert!(!send(&breaker, Document::Introspection, Went::Well, NOW));
        assert!(breaker.is_open_for(Document::TokenResponse, NOW));
    }

    #[test]
    fn pauses_are_short_whatever_the_clock_does() {
        let breaker = Breaker::default();
        let mut now = NOW;
        for _ in 0..20 {
            for _ in 0..5 {
                send(&breaker, Document::TokenResponse, Went::Nowhere, now);
            }
            assert!(!breaker.is_open_for(Document::TokenResponse, now));
            now += 30;
            assert!(breaker.is_open_for(Document::TokenResponse, now));
        }
        send(&breaker, Document::TokenResponse, Went::Nowhere, now);
        assert!(breaker.is_open_for(Document::TokenResponse, now - 3600), "the clock was set back");
    }
}
