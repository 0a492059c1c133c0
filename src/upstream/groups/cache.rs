//! The groups of people, as they were fetched: when they are fetched, and what serves while their source is unavailable.
//!
//! Bounded by people and by names. A failure is remembered for a moment, so that a source that hangs costs one time-out per
//! person; a source that throttles is not asked about anybody until the time that it gave.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::config::resolved::groups_from::GroupsFrom;
use crate::upstream::error::{Document, Unavailable, UnavailableProblem};
use crate::upstream::groups::facts::Facts;

/// The most people whose groups are kept.
const MAX_PEOPLE: usize = 10_000;
/// The most names that are kept, of all people.
const MAX_NAMES: usize = 200_000;
/// Seconds after a failure during which a person's groups are not asked for again.
const COOLDOWN: i64 = 10;
/// The longest time in seconds for which a source that throttles is not asked, whatever it says.
pub(crate) const LONGEST_PAUSE: i64 = 600;

/// The groups that are kept of a provider's people.
#[derive(Default)]
pub(crate) struct GroupsCache(Mutex<State>);

#[derive(Default)]
struct State {
    people: HashMap<String, Person>,
    /// Names of all people.
    names: usize,
    /// Until when the source is not asked.
    throttled_until: i64,
}

#[derive(Default)]
struct Person {
    /// Held while the source is asked about this person.
    turn: Arc<tokio::sync::Mutex<()>>,
    kept: Option<Kept>,
    failed: Option<(Unavailable, i64)>,
}

struct Kept {
    facts: Arc<Facts>,
    names: usize,
    at: i64,
    /// With what settings they were fetched.
    from: GroupsFrom,
}

fn age(now: i64, at: i64) -> Option<i64> {
    Some(now.saturating_sub(at)).filter(|age| *age >= 0)
}

impl GroupsCache {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The groups of a person: those that are kept while they are young, or new ones. While the source is unavailable, those that
    /// are kept serve as `unavailable` and `max_stale` let them; if it refuses, none do.
    pub(crate) async fn get<F, Fut>(
        &self,
        sub: &str,
        from: &GroupsFrom,
        now: i64,
        fetch: F,
    ) -> Result<Arc<Facts>, Unavailable>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Facts, Unavailable>>,
    {
        let turn = Arc::clone(&self.lock().people.entry(sub.to_owned()).or_default().turn);
        let _turn = turn.lock().await;
        if let Some(facts) = self.kept(sub, from, now, from.max_age) {
            return Ok(facts);
        }
        let error = match self.not_now(sub, now) {
            Some(error) => error,
            None => match fetch().await {
                Ok(facts) => return Ok(self.keep(sub, from, now, facts)),
                Err(error) => {
                    self.note(sub, now, &error);
                    error
                }
            },
        };
        let serves = |stale: i64| self.kept(sub, from, now, stale.saturating_add(1));
        from.max_stale.filter(|_| error.problem.passes()).and_then(serves).ok_or(error)
    }

    /// What is kept of a person while it is young.
    pub(crate) fn young(&self, sub: &str, from: &GroupsFrom, now: i64) -> Option<Arc<Facts>> {
        self.kept(sub, from, now, from.max_age)
    }

    /// Forgets what is kept of a person.
    pub(crate) fn forget(&self, sub: &str) {
        let mut state = self.lock();
        let kept = state.people.get_mut(sub).and_then(|person| person.kept.take());
        state.names = state.names.saturating_sub(kept.map_or(0, |kept| kept.names));
    }

    /// What is kept of a person, if it was fetched with these settings and is younger than this.
    fn kept(&self, sub: &str, from: &GroupsFrom, now: i64, younger: i64) -> Option<Arc<Facts>> {
        let state = self.lock();
        let kept = state.people.get(sub)?.kept.as_ref()?;
        let young = age(now, kept.at).is_some_and(|age| age < younger);
        (young && kept.from == *from).then(|| Arc::clone(&kept.facts))
    }

    /// Why the source is not asked about a person now.
    fn not_now(&self, sub: &str, now: i64) -> Option<Unavailable> {
        let state = self.lock();
        let left = state.throttled_until.saturating_sub(now);
        // A clock that was set back does not prolong it.
        if (1..=LONGEST_PAUSE).contains(&left) {
            let problem = UnavailableProblem::Paused(left);
            return Some(Unavailable { document: Document::Groups, url: None, problem });
        }
        let (error, at) = state.people.get(sub)?.failed.as_ref()?;
        age(now, *at).filter(|age| *age < COOLDOWN).map(|_| error.clone())
    }

    fn note(&self, sub: &str, now: i64, error: &Unavailable) {
        let mut state = self.lock();
        if let UnavailableProblem::Paused(seconds) = error.problem {
            state.throttled_until = now.saturating_add(seconds);
        }
        let person = state.people.entry(sub.to_owned()).or_default();
        person.failed = Some((error.clone(), now));
        if !error.problem.passes() {
            let gone = person.kept.take().map_or(0, |kept| kept.names);
            state.names = state.names.saturating_sub(gone);
        }
        state.make_room(now);
    }

    fn keep(&self, sub: &str, from: &GroupsFrom, now: i64, facts: Facts) -> Arc<Facts> {
        let facts = Arc::new(facts);
        let names = facts.values().filter_map(Value::as_array).map(Vec::len).sum();
        let mut state = self.lock();
        let person = state.people.entry(sub.to_owned()).or_default();
        let kept = Kept { facts: Arc::clone(&facts), names, at: now, from: from.clone() };
        let before = person.kept.replace(kept).map_or(0, |kept| kept.names);
        person.failed = None;
        state.names = state.names.saturating_sub(before).saturating_add(names);
        state.make_room(now);
        facts
    }
}

impl State {
    /// Forgets the oldest people where there are too many, and whoever nothing is kept of.
    fn make_room(&mut self, now: i64) {
        if self.people.len() <= MAX_PEOPLE && self.names <= MAX_NAMES {
            return;
        }
        let recent = |at: i64| age(now, at).is_some_and(|age| age < COOLDOWN);
        self.people.retain(|_, person| {
            let failed = person.failed.as_ref().is_some_and(|(_, at)| recent(*at));
            person.kept.is_some() || failed || Arc::strong_count(&person.turn) > 1
        });
        let mut ages: Vec<i64> = self.people.values().filter_map(|person| Some(person.kept.as_ref()?.at)).collect();
        ages.sort_unstable();
        // A quarter at once, so that it is not done at every sign-in.
        let Some(oldest) = ages.get(ages.len() / 4).copied() else { return self.people.clear() };
        let mut room = ages.len() / 4 + 1;
        self.people.retain(|_, person| {
            let goes = room > 0 && person.kept.as_ref().is_none_or(|kept| kept.at <= oldest);
            room = room.saturating_sub(usize::from(goes));
            !goes
        });
        self.names = self.people.values().filter_map(|person| Some(person.kept.as_ref()?.names)).sum();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::sync::OnceLock;

    use serde_json::json;

    use super::*;
    use crate::config::language::provider::Provider;

    fn from() -> &'static GroupsFrom {
        static FROM: OnceLock<GroupsFrom> = OnceLock::new();
        let text = "client_id = \"c\"\ngroups_from = \"gitlab\"";
        FROM.get_or_init(|| GroupsFrom::of(&toml::from_str::<Provider>(text).unwrap()))
    }

    async fn put(cache: &GroupsCache, person: usize, names: usize, now: i64) {
        let facts = json!({ "groups": vec!["group"; names] }).as_object().cloned().unwrap();
        let fetch = || async { Ok(facts) };
        cache.get(&format!("person-{person}"), from(), now, fetch).await.unwrap();
    }

    #[tokio::test]
    async fn people_and_names_are_bounded_and_the_newest_stay() {
        let cache = GroupsCache::default();
        for person in 0..MAX_PEOPLE + 100 {
            put(&cache, person, 1, i64::try_from(person).unwrap()).await;
        }
        assert!(cache.lock().people.len() <= MAX_PEOPLE);
        assert!(cache.lock().people.contains_key(&format!("person-{}", MAX_PEOPLE + 99)));
        let cache = GroupsCache::default();
        for person in 0..500 {
            put(&cache, person, 1000, i64::try_from(person).unwrap()).await;
        }
        let state = cache.lock();
        let (names, people) = (state.names, state.people.len());
        assert!(names <= MAX_NAMES && names == people * 1000, "{names} {people}");
        assert!(state.people.contains_key("person-499"));
    }

    #[tokio::test]
    async fn a_flood_of_failures_is_bounded() {
        let cache = GroupsCache::default();
        let error = || Unavailable { document: Document::Groups, url: None, problem: UnavailableProblem::Status(500) };
        for person in 0..2 * MAX_PEOPLE {
            let now = i64::try_from(person).unwrap();
            let failed = cache.get(&person.to_string(), from(), now, || async { Err(error()) }).await;
            assert_eq!(failed.unwrap_err(), error());
        }
        assert!(cache.lock().people.len() <= MAX_PEOPLE);
    }

    #[tokio::test]
    async fn a_clock_that_was_set_back_neither_prolongs_what_is_kept_nor_a_pause() {
        let cache = GroupsCache::default();
        put(&cache, 1, 1, 10_000).await;
        let fetched = cache.get("person-1", from(), 5_000, || async { Ok(Facts::new()) }).await.unwrap();
        assert!(fetched.is_empty(), "what came from the future is not young");
        let problem = UnavailableProblem::Paused(60);
        let throttled = Unavailable { document: Document::Groups, url: None, problem };
        assert!(cache.get("person-2", from(), 10_000, || async { Err(throttled) }).await.is_err());
        assert!(cache.get("person-3", from(), 10_000, || async { Ok(Facts::new()) }).await.is_err());
        assert!(cache.get("person-3", from(), 5_000, || async { Ok(Facts::new()) }).await.is_ok());
    }
}
