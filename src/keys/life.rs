//! The life cycle of a signing key, as a pure plan: next (published) → current (signs) → retired (verifies) → removed.
//!
//! A next key is published from the moment its predecessor begins to sign, so that every app has cached it long before it
//! signs. A retired key stays published until the last token that it signed has expired, and verifies hints here until the last
//! session in which it signed one has ended.

use crate::protocol::SigningAlgorithm;
use crate::store::model::{KeyState, SigningKey};

/// Additional seconds for which a retired key is kept: another process may sign with it until it notices the rotation, which
/// takes less than a minute; the rest allows for clock differences.
const MARGIN: i64 = 600;

/// The settings for signing keys. Times are in seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// Algorithms that need a key.
    pub algorithms: Vec<SigningAlgorithm>,
    /// Age at which a current key is replaced.
    pub rotate_every: i64,
    /// The longest lifetime of any token: a key is published for that long before and after it signs.
    pub keep: i64,
    /// The longest lifetime of any session: a key that no longer signs still verifies here for that long, so that the ID tokens
    /// of a session are valid hints as long as it lives.
    pub remember: i64,
}

/// Whether a key belongs in the published key set, because an app may receive a token that it signed or will sign. A key that
/// is kept only for hints does not.
pub(crate) fn is_published(key: &SigningKey, policy: &KeyPolicy, now: i64) -> bool {
    key.retired_at.is_none_or(|retired_at| now < retired_at.saturating_add(policy.keep).saturating_add(MARGIN))
}

/// The occasion of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Occasion<'k> {
    /// The process starts, or adopts what another one changed: generate only the keys without which nothing can be signed.
    Start,
    /// Do everything that is due.
    Upkeep,
    /// Rotate the keys, whether due or not.
    Rotate,
    /// Remove the key with this id at once, and replace it.
    Revoke(&'k str),
}

/// The planned changes.
pub(crate) struct Plan {
    /// The existing keys with their new states, without those to be removed.
    pub(crate) keys: Vec<SigningKey>,
    /// Keys to generate.
    pub(crate) make: Vec<(SigningAlgorithm, KeyState)>,
    /// Whether `keys` differs from the existing keys.
    pub(crate) changed: bool,
}

/// Plans the changes to the existing keys.
pub(crate) fn plan(there: Vec<SigningKey>, policy: &KeyPolicy, now: i64, occasion: Occasion<'_>) -> Plan {
    let mut plan = Plan { keys: there.clone(), make: Vec::new(), changed: false };
    if let Occasion::Revoke(kid) = occasion {
        plan.keys.retain(|key| key.kid != kid);
    }
    if occasion != Occasion::Start {
        plan.retire_removed(policy, now);
    }
    for algorithm in &policy.algorithms {
        plan.advance(*algorithm, policy, now, occasion);
    }
    if occasion != Occasion::Start {
        let needed = policy.keep.max(policy.remember);
        let gone = |retired_at: i64| now >= retired_at.saturating_add(needed).saturating_add(MARGIN);
        plan.keys.retain(|key| !key.retired_at.is_some_and(gone));
    }
    plan.changed = plan.keys != there;
    plan
}

impl Plan {
    /// Retires the keys of algorithms that the policy no longer lists; they verify until their last token has expired.
    fn retire_removed(&mut self, policy: &KeyPolicy, now: i64) {
        let listed = |key: &SigningKey| policy.algorithms.iter().any(|algorithm| algorithm.name() == key.algorithm);
        self.keys.retain(|key| listed(key) || key.state != KeyState::Next);
        for key in self.keys.iter_mut().filter(|key| !listed(key) && key.state == KeyState::Current) {
            retire(key, now);
        }
    }

    fn advance(&mut self, algorithm: SigningAlgorithm, policy: &KeyPolicy, now: i64, occasion: Occasion<'_>) {
        let Some(began) = self.find(algorithm, KeyState::Current).map(|key| key.activated_at.unwrap_or(now)) else {
            // No key signs: use the next key at once if there is one, however briefly it has been published.
            if !self.promote(algorithm, now) {
                self.make.push((algorithm, KeyState::Current));
            }
            if occasion != Occasion::Start && self.find(algorithm, KeyState::Next).is_none() {
                self.make.push((algorithm, KeyState::Next));
            }
            return;
        };
        if occasion == Occasion::Start {
            return;
        }
        let published = self.find(algorithm, KeyState::Next).map(|key| key.created_at);
        let due = now >= began.saturating_add(policy.rotate_every)
            && published.is_some_and(|since| now >= since.saturating_add(policy.keep));
        if due || occasion == Occasion::Rotate {
            if let Some(key) = self.find(algorithm, KeyState::Current) {
                retire(key, now);
            }
            if !self.promote(algorithm, now) {
                self.make.push((algorithm, KeyState::Current));
            }
        }
        if self.find(algorithm, KeyState::Next).is_none() {
            self.make.push((algorithm, KeyState::Next));
        }
    }

    /// Makes the next key current; `false` if there is none.
    fn promote(&mut self, algorithm: SigningAlgorithm, now: i64) -> bool {
        let Some(key) = self.find(algorithm, KeyState::Next) else { return false };
        key.state = KeyState::Current;
        key.activated_at = Some(now);
        true
    }

    fn find(&mut self, algorithm: SigningAlgorithm, state: KeyState) -> Option<&mut SigningKey> {
        self.keys.iter_mut().find(|key| key.state == state && key.algorithm == algorithm.name())
    }
}

fn retire(key: &mut SigningKey, now: i64) {
    key.state = KeyState::Retired;
    key.retired_at = Some(now);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const DAY: i64 = 86_400;
    const HOUR: i64 = 3600;
    const NOW: i64 = 1_800_000_000;

    fn policy(algorithms: &[SigningAlgorithm]) -> KeyPolicy {
        KeyPolicy { algorithms: algorithms.to_vec(), rotate_every: 90 * DAY, keep: HOUR, remember: 0 }
    }

    /// Applies a plan; new keys are named after the time at which they are made.
    fn apply(there: Vec<SigningKey>, policy: &KeyPolicy, now: i64, occasion: Occasion<'_>) -> Vec<SigningKey> {
        let Plan { mut keys, make, .. } = plan(there, policy, now, occasion);
        for (algorithm, state) in make {
            keys.push(SigningKey {
                kid: format!("{}-{state:?}-{now}", algorithm.name()),
                algorithm: algorithm.name().to_owned(),
                private: Vec::new(),
                state,
                created_at: now,
                activated_at: (state == KeyState::Current).then_some(now),
                retired_at: None,
            });
        }
        keys
    }

    fn states(keys: &[SigningKey]) -> Vec<(&str, KeyState)> {
        keys.iter().map(|key| (key.kid.as_str(), key.state)).collect()
    }

    use KeyState::{Current, Next, Retired};
    use SigningAlgorithm::{ES256, RS256};

    #[test]
    fn a_start_makes_only_what_signs() {
        let keys = apply(Vec::new(), &policy(&[RS256, ES256]), NOW, Occasion::Start);
        assert_eq!(keys.iter().map(|key| key.state).collect::<Vec<_>>(), [Current, Current]);
        let again = plan(keys.clone(), &policy(&[RS256, ES256]), NOW + 100 * DAY, Occasion::Start);
        assert!(!again.changed && again.make.is_empty());
    }

    #[test]
    fn a_key_is_published_before_it_signs_and_after() {
        let policy = policy(&[ES256]);
        let first = apply(Vec::new(), &policy, NOW, Occasion::Start);
        let ready = apply(first, &policy, NOW, Occasion::Upkeep);
        let (a, b) = (format!("ES256-Current-{NOW}"), format!("ES256-Next-{NOW}"));
        assert_eq!(states(&ready), [(a.as_str(), Current), (b.as_str(), Next)]);

        let early = apply(ready.clone(), &policy, NOW + 90 * DAY - 1, Occasion::Upkeep);
        assert_eq!(early, ready);

        let turn = NOW + 90 * DAY;
        let rotated = apply(ready, &policy, turn, Occasion::Upkeep);
        let c = format!("ES256-Next-{turn}");
        assert_eq!(states(&rotated), [(a.as_str(), Retired), (b.as_str(), Current), (c.as_str(), Next)]);

        let kept = apply(rotated.clone(), &policy, turn + HOUR, Occasion::Upkeep);
        assert_eq!(kept, rotated);
        let gone = apply(rotated, &policy, turn + HOUR + MARGIN, Occasion::Upkeep);
        assert_eq!(states(&gone), [(b.as_str(), Current), (c.as_str(), Next)]);
    }

    #[test]
    fn a_next_key_waits_until_every_cache_has_it() {
        let policy = KeyPolicy { rotate_every: HOUR / 2, ..policy(&[ES256]) };
        let ready = apply(Vec::new(), &policy, NOW, Occasion::Upkeep);
        assert_eq!(apply(ready.clone(), &policy, NOW + HOUR - 1, Occasion::Upkeep), ready);
        assert_ne!(apply(ready.clone(), &policy, NOW + HOUR, Occasion::Upkeep), ready);
    }

    #[test]
    fn a_rotation_asked_for_happens_at_once() {
        let policy = policy(&[ES256]);
        let only = apply(Vec::new(), &policy, NOW, Occasion::Start);
        let rotated = apply(only, &policy, NOW + 1, Occasion::Rotate);
        assert_eq!(rotated.iter().map(|key| key.state).collect::<Vec<_>>(), [Retired, Current, Next]);
        let again = apply(rotated, &policy, NOW + 2, Occasion::Rotate);
        assert_eq!(again.iter().filter(|key| key.state == Current).count(), 1);
        assert_eq!(again.iter().filter(|key| key.state == Retired).count(), 2);
    }

    #[test]
    fn a_revoked_key_is_gone_and_the_next_one_signs() {
        let policy = policy(&[ES256]);
        let ready = apply(Vec::new(), &policy, NOW, Occasion::Upkeep);
        let (a, b) = (format!("ES256-Current-{NOW}"), format!("ES256-Next-{NOW}"));
        let (later, c) = (NOW + 5, format!("ES256-Next-{}", NOW + 5));
        let without_current = apply(ready.clone(), &policy, later, Occasion::Revoke(&a));
        assert_eq!(states(&without_current), [(b.as_str(), Current), (c.as_str(), Next)]);
        let without_next = apply(ready, &policy, later, Occasion::Revoke(&b));
        assert_eq!(states(&without_next), [(a.as_str(), Current), (c.as_str(), Next)]);
    }

    #[test]
    fn a_removed_algorithm_verifies_until_its_last_token_has_expired() {
        let keys = apply(Vec::new(), &policy(&[RS256, ES256]), NOW, Occasion::Upkeep);
        let removed = apply(keys, &policy(&[RS256]), NOW + DAY, Occasion::Upkeep);
        let es: Vec<_> = removed.iter().filter(|key| key.algorithm == "ES256").collect();
        assert_eq!(es.iter().map(|key| key.state).collect::<Vec<_>>(), [Retired]);
        let gone = apply(removed, &policy(&[RS256]), NOW + DAY + HOUR + MARGIN, Occasion::Upkeep);
        assert!(gone.iter().all(|key| key.algorithm == "RS256"));
        let back = apply(gone, &policy(&[RS256, ES256]), NOW + 2 * DAY, Occasion::Upkeep);
        assert_eq!(back.iter().filter(|key| key.algorithm == "ES256" && key.state == Current).count(), 1);
    }

    #[test]
    fn a_retired_key_verifies_hints_while_a_session_may_live() {
        let policy = KeyPolicy { remember: 12 * HOUR, ..policy(&[ES256]) };
        let ready = apply(Vec::new(), &policy, NOW, Occasion::Upkeep);
        let turn = NOW + 90 * DAY;
        let rotated = apply(ready, &policy, turn, Occasion::Upkeep);
        let first = rotated.first().unwrap();
        assert!(is_published(first, &policy, turn + HOUR + MARGIN - 1));
        assert!(!is_published(first, &policy, turn + HOUR + MARGIN));
        assert!(rotated.iter().skip(1).all(|key| is_published(key, &policy, turn + 80 * DAY)));
        let kept = apply(rotated.clone(), &policy, turn + 12 * HOUR + MARGIN - 1, Occasion::Upkeep);
        assert_eq!(kept, rotated);
        let gone = apply(rotated, &policy, turn + 12 * HOUR + MARGIN, Occasion::Upkeep);
        assert_eq!(gone.len(), 2);
    }

    #[test]
    fn a_clock_set_back_changes_nothing() {
        let policy = policy(&[ES256]);
        let ready = apply(Vec::new(), &policy, NOW, Occasion::Upkeep);
        let rotated = apply(ready, &policy, NOW + 90 * DAY, Occasion::Upkeep);
        assert_eq!(apply(rotated.clone(), &policy, NOW + 90 * DAY - HOUR, Occasion::Upkeep), rotated);
        assert_eq!(rotated.first().unwrap().state, Retired);
    }
}
