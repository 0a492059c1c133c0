//! Limits requests to providers: one at a time for each upstream account, and none for a few seconds after a failure.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::store::model::LinkKey;

/// Seconds after a failure during which the provider is not asked about this account again. Requests that waited for the
/// attempt, and later ones, get its result at once: a provider that hangs causes one time-out per person, not one per app.
const COOLDOWN: i64 = 10;

/// What is known of the last request about one upstream account.
#[derive(Debug, Default)]
pub(crate) struct Attempt {
    failed_at: Option<i64>,
}

impl Attempt {
    /// Whether the provider failed a moment ago. A clock that was set back does not prolong it.
    pub(crate) fn failed_just_now(&self, now: i64) -> bool {
        self.failed_at.is_some_and(|failed_at| (failed_at - COOLDOWN..failed_at + COOLDOWN).contains(&now))
    }

    /// Notes how an attempt ended, at `now`.
    pub(crate) fn ended(&mut self, failed: bool, now: i64) {
        self.failed_at = failed.then_some(now);
    }
}

/// The attempts under way and those that failed just now, by upstream account.
#[derive(Debug, Default)]
pub struct Refreshes(Mutex<HashMap<LinkKey, Arc<tokio::sync::Mutex<Attempt>>>>);

impl Refreshes {
    /// The attempt of an upstream account, to be held while the provider is asked.
    pub(crate) fn of(&self, key: &LinkKey, now: i64) -> Arc<tokio::sync::Mutex<Attempt>> {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        attempts.retain(|_, attempt| {
            Arc::strong_count(attempt) > 1 || attempt.try_lock().is_ok_and(|attempt| attempt.failed_just_now(now))
        });
        Arc::clone(attempts.entry(key.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(subject: &str) -> LinkKey {
        LinkKey { provider: "p".to_owned(), issuer: "https://p.example".to_owned(), subject: subject.to_owned() }
    }

    #[tokio::test]
    async fn a_failure_is_remembered_for_a_moment_and_then_forgotten() {
        let refreshes = Refreshes::default();
        refreshes.of(&key("a"), 100).lock().await.ended(true, 105);
        for (now, failed) in [(105, true), (114, true), (115, false), (99, true), (94, false)] {
            assert_eq!(refreshes.of(&key("a"), 105).lock().await.failed_just_now(now), failed, "{now}");
        }
        drop(refreshes.of(&key("b"), 200));
        assert_eq!(refreshes.0.lock().unwrap_or_else(PoisonError::into_inner).len(), 1, "only what was asked for last");
        refreshes.of(&key("a"), 200).lock().await.ended(true, 200);
        refreshes.of(&key("a"), 201).lock().await.ended(false, 201);
        assert!(!refreshes.of(&key("a"), 201).lock().await.failed_just_now(201), "a success ends it");
    }
}
