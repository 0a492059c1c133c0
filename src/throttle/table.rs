//! What is kept of each source, in a table that never grows beyond its bound.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use foldhash::quality::RandomState;
use governor::nanos::Nanos;
use governor::state::StateStore;

/// Keys that one half may have.
const HALF: usize = 32_768;

/// What is kept of one key.
#[derive(Clone, Copy)]
struct Entry {
    /// The theoretical arrival time of the algorithm.
    arrival: Nanos,
    /// Whether its present burst has been noticed.
    noticed: bool,
}

/// Two halves: keys that were seen lately, and those before them. When the first is full, the second is forgotten, which
/// gives those keys a new burst. To be forgotten takes as many other keys as a half has since the key was seen last.
pub(super) struct Table<K> {
    halves: Mutex<Halves<K>>,
    /// The time in which one more is allowed.
    step: Nanos,
}

struct Halves<K> {
    young: HashMap<K, Entry, RandomState>,
    old: HashMap<K, Entry, RandomState>,
}

impl<K: Clone + Eq + Hash> Table<K> {
    pub(super) fn new(step: Nanos) -> Self {
        let halves = Halves { young: HashMap::default(), old: HashMap::default() };
        Self { halves: Mutex::new(halves), step }
    }

    fn halves(&self) -> MutexGuard<'_, Halves<K>> {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notices a refusal; `true` for the first of a burst. A burst is over when the key has its whole allowance back.
    pub(super) fn notice(&self, key: &K) -> bool {
        let mut halves = self.halves();
        halves.young.get_mut(key).is_some_and(|entry| !std::mem::replace(&mut entry.noticed, true))
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        let halves = self.halves();
        halves.young.len() + halves.old.len()
    }
}

impl<K: Clone + Eq + Hash> Halves<K> {
    /// The entry of a key, which is among the young ones then.
    fn find(&mut self, key: &K) -> Option<&mut Entry> {
        if !self.young.contains_key(key) {
            let entry = self.old.remove(key)?;
            self.insert(key, entry);
        }
        self.young.get_mut(key)
    }

    fn insert(&mut self, key: &K, entry: Entry) {
        if self.young.len() >= HALF {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key.clone(), entry);
    }
}

impl<K: Clone + Eq + Hash> StateStore for Table<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut halves = self.halves();
        match halves.find(key) {
            Some(entry) => {
                let (answer, arrival) = decide(Some(entry.arrival))?;
                let rested = arrival.saturating_sub(entry.arrival) > self.step;
                *entry = Entry { arrival, noticed: entry.noticed && !rested };
                Ok(answer)
            }
            None => {
                let (answer, arrival) = decide(None)?;
                halves.insert(key, Entry { arrival, noticed: false });
                Ok(answer)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allow(_: Option<Nanos>) -> Result<((), Nanos), ()> {
        Ok(((), Nanos::from(1)))
    }

    #[test]
    fn d42_the_table_is_bounded_and_keeps_who_is_active() {
        let table = Table::new(Nanos::from(1));
        for key in 0..10 * HALF {
            assert_eq!(table.measure_and_replace(&key, allow), Ok(()));
            // One that is always there is never forgotten.
            let known =
                table.measure_and_replace(&usize::MAX, |seen| allow(seen).map(|(_, next)| (seen.is_some(), next)));
            assert_eq!(known, Ok(key > 0));
            assert!(table.len() <= 2 * HALF, "{}", table.len());
        }
    }
}
