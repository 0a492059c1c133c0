//! A cached document that is fetched when it is needed and refreshed in the background, by one fetch at a time.
//!
//! Owns when to fetch and what to serve in the meantime, for one document at one URL: a provider's metadata, the key set of a
//! provider or of an app, an app's request object. It does not own how to fetch or what the document is. `now` comes from the
//! caller. An age that is negative, because the clock was set back, counts as expired.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

/// The lifetimes of a document, in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifetimes {
    /// Served without any fetch.
    pub(crate) fresh: i64,
    /// Served while it is refreshed in the background. For an older document, the caller waits for the fetch.
    pub(crate) stale: i64,
    /// Still served if the fetch fails.
    pub(crate) keep: i64,
    /// How long a failure is remembered, during which no fetch is made.
    pub(crate) failure: i64,
    /// How long no refetch is made after one that did not help.
    pub(crate) cooldown: i64,
}

/// A failed fetch is retried after 15 s, so that a service that has recovered is used again well within a minute.
const FAILURE: i64 = 15;

impl Lifetimes {
    /// Provider metadata. Endpoints rarely change: fresh for an hour, then refreshed in the background.
    pub(crate) const METADATA: Self =
        Self { fresh: 3600, stale: 24 * 3600, keep: 7 * 24 * 3600, failure: FAILURE, cooldown: FAILURE };

    /// Key sets. A key that its owner removed is used for 10 minutes at most, or for a day if the key set can't be
    /// fetched.
    pub(crate) const KEY_SET: Self = Self { fresh: 300, stale: 600, keep: 24 * 3600, failure: FAILURE, cooldown: 10 };

    /// Request objects at a URL of an app, which may change with each request: kept only long enough for simultaneous requests
    /// to share one fetch.
    pub(crate) const REQUEST_OBJECT: Self = Self { fresh: 5, stale: 0, keep: 0, failure: FAILURE, cooldown: 10 };

    /// Request objects whose URL contains their hash (RFC 9101 §5.2), so that they can't change.
    pub(crate) const HASHED_OBJECT: Self =
        Self { fresh: 3600, stale: 24 * 3600, keep: 24 * 3600, failure: FAILURE, cooldown: 10 };
}

/// A document `T`, or the error `E` of the last attempt to fetch it.
pub(crate) struct Cached<T, E> {
    lifetimes: Lifetimes,
    state: Mutex<State<T, E>>,
    /// The permit to fetch. It guards no data: the state is accessed without waiting for it.
    permit: Arc<Semaphore>,
}

struct State<T, E> {
    value: Option<(Arc<T>, i64)>,
    failure: Option<(E, i64)>,
    fruitless_at: Option<i64>,
}

enum Look<T, E> {
    Serve(Arc<T>),
    ServeAndRefresh(Arc<T>),
    Failed(E),
    Fetch,
}

fn within(now: i64, since: i64, span: i64) -> bool {
    (0..span).contains(&now.saturating_sub(since))
}

impl<T: Send + Sync + 'static, E: Clone + Send + 'static> Cached<T, E> {
    pub(crate) fn new(lifetimes: Lifetimes) -> Arc<Self> {
        let state = State { value: None, failure: None, fruitless_at: None };
        Arc::new(Self { lifetimes, state: Mutex::new(state), permit: Arc::new(Semaphore::new(1)) })
    }

    fn state(&self) -> MutexGuard<'_, State<T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, now: i64) -> Look<T, E> {
        let state = self.state();
        let recent_failure =
            state.failure.as_ref().filter(|(_, at)| within(now, *at, self.lifetimes.failure)).map(|(error, _)| error);
        match (&state.value, recent_failure) {
            (Some((value, at)), _) if within(now, *at, self.lifetimes.fresh) => Look::Serve(Arc::clone(value)),
            (Some((value, at)), Some(_)) if now.saturating_sub(*at) < self.lifetimes.keep => {
                Look::Serve(Arc::clone(value))
            }
            (_, Some(error)) => Look::Failed(error.clone()),
            (Some((value, at)), None) if within(now, *at, self.lifetimes.stale) => {
                Look::ServeAndRefresh(Arc::clone(value))
            }
            _ => Look::Fetch,
        }
    }

    /// The document: from the cache, or fetched by this caller, or fetched by another caller.
    pub(crate) async fn get<F, Fut>(self: &Arc<Self>, now: i64, fetch: F) -> Result<Arc<T>, E>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        match self.look(now) {
            Look::Serve(value) => Ok(value),
            Look::Failed(error) => Err(error),
            Look::ServeAndRefresh(value) => {
                if let Ok(permit) = Arc::clone(&self.permit).try_acquire_owned() {
                    let (cached, fetch) = (Arc::clone(self), fetch());
                    tokio::spawn(async move {
                        let outcome = fetch.await;
                        let _kept = cached.keep(now, outcome);
                        drop(permit);
                    });
                }
                Ok(value)
            }
            Look::Fetch => {
                let _permit = self.permit.acquire().await;
                // While this one waited, another caller may have fetched the document, or failed to.
                match self.look(now) {
                    Look::Serve(value) | Look::ServeAndRefresh(value) => Ok(value),
                    Look::Failed(error) => Err(error),
                    Look::Fetch => {
                        let outcome = fetch().await;
                        self.keep(now, outcome)
                    }
                }
            }
        }
    }

    /// Fetches the document even if it is cached, for a probe.
    pub(crate) async fn fetch_now<Fut>(&self, now: i64, fetch: Fut) -> Result<Arc<T>, E>
    where
        Fut: Future<Output = Result<T, E>>,
    {
        let _permit = self.permit.acquire().await;
        let outcome = fetch.await;
        self.keep(now, outcome)
    }

    /// A newer document than `seen`, which lacked something: one that another caller has fetched in the meantime, or one that
    /// is fetched now. A refetch that does not help starts the cooldown; one that helps does not. The owner may therefore
    /// change the document at any time, while a flood of requests for something missing causes one fetch per cooldown.
    pub(crate) async fn refetch<F, Fut>(
        &self,
        seen: &Arc<T>,
        now: i64,
        fetch: F,
        helps: impl FnOnce(&T) -> bool,
    ) -> Option<Arc<T>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let _permit = self.permit.acquire().await;
        {
            let mut state = self.state();
            if let Some((value, _)) = state.value.as_ref().filter(|(value, _)| !Arc::ptr_eq(value, seen)) {
                return Some(Arc::clone(value));
            }
            if state.fruitless_at.is_some_and(|at| within(now, at, self.lifetimes.cooldown)) {
                return None;
            }
            // Set before the fetch, so that a caller that is cancelled during it is counted too.
            state.fruitless_at = Some(now);
        }
        let value = Arc::new(fetch().await.ok()?);
        let mut state = self.state();
        if helps(&value) {
            state.fruitless_at = None;
        }
        state.value = Some((Arc::clone(&value), now));
        state.failure = None;
        Some(value)
    }

    fn keep(&self, now: i64, outcome: Result<T, E>) -> Result<Arc<T>, E> {
        let mut state = self.state();
        match outcome {
            Ok(value) => {
                let value = Arc::new(value);
                state.value = Some((Arc::clone(&value), now));
                state.failure = None;
                Ok(value)
            }
            Err(error) => {
                state.failure = Some((error.clone(), now));
                match &state.value {
                    Some((value, at)) if now.saturating_sub(*at) < self.lifetimes.keep => Ok(Arc::clone(value)),
                    _ => Err(error),
                }
            }
        }
    }
}
