//! Duplicate requests, such as those of a double click: the second gets the outcome of the first.
//!
//! What a request takes from the store (a sign-in by its `state`, a page's form by its token) can be taken only once. A request
//! for the same thing that arrives while the first is being served, or shortly after, gets the outcome of the first. Outcomes
//! are kept in memory for a few seconds; the owner of an outcome decides whether it may be given out again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::op::outcome::Browser;
use crate::store::model::TokenHash;

/// Seconds for which an outcome is kept.
const KEPT: i64 = 10;
/// Outcomes that are kept at most.
const MOST: usize = 1024;

/// The outcome of a first request.
#[derive(Debug)]
pub struct First<T> {
    /// Hashes of the binding secrets of the browser that it was for.
    browser: Vec<TokenHash>,
    /// The outcome.
    pub outcome: T,
}

impl<T> First<T> {
    /// Whether this is the browser that it was for.
    #[must_use]
    pub fn is_of(&self, browser: &Browser) -> bool {
        self.browser.iter().any(|hash| browser.is_bound_by(*hash))
    }
}

/// What is known of a first request: nothing while it is being served.
type Waiting<T> = watch::Receiver<Option<Arc<First<T>>>>;

/// First requests by what they take.
#[derive(Debug)]
pub struct Doubles<T> {
    firsts: Mutex<HashMap<TokenHash, (i64, Waiting<T>)>>,
}

impl<T> Default for Doubles<T> {
    fn default() -> Self {
        Self { firsts: Mutex::default() }
    }
}

/// Which request it is.
pub enum Turn<'d, T> {
    /// The first request, which is to be served.
    First(Serving<'d, T>),
    /// A later request, with the outcome of the first.
    Later(Arc<First<T>>),
}

/// A first request that is being served. Unless it ends with an outcome, it leaves nothing behind.
pub struct Serving<'d, T> {
    doubles: &'d Doubles<T>,
    key: TokenHash,
    sender: watch::Sender<Option<Arc<First<T>>>>,
}

impl<T> Doubles<T> {
    fn firsts(&self) -> MutexGuard<'_, HashMap<TokenHash, (i64, Waiting<T>)>> {
        self.firsts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a request that takes what `key` names is the first. A later one waits for the first to end.
    pub async fn turn(&self, key: TokenHash, now: i64) -> Turn<'_, T> {
        loop {
            let mut waiting = {
                let mut firsts = self.firsts();
                if let Some((_, waiting)) = firsts.get(&key).filter(|(at, _)| is_recent(*at, now)) {
                    waiting.clone()
                } else {
                    if firsts.len() >= MOST {
                        firsts.retain(|_, (at, _)| is_recent(*at, now));
                    }
                    let (sender, receiver) = watch::channel(None);
                    firsts.insert(key, (now, receiver));
                    return Turn::First(Serving { doubles: self, key, sender });
                }
            };
            // A first request that left nothing behind makes this one the first.
            if let Ok(first) = waiting.wait_for(Option::is_some).await
                && let Some(first) = first.as_ref()
            {
                return Turn::Later(Arc::clone(first));
            }
        }
    }
}

impl<T> Serving<'_, T> {
    /// Keeps the outcome for requests of the same browser that come later.
    pub fn ended(self, browser: &Browser, outcome: T) {
        let hashes = browser.bindings.iter().map(|secret| TokenHash::of(secret)).collect();
        if self.doubles.firsts().len() <= MOST {
            self.sender.send_replace(Some(Arc::new(First { browser: hashes, outcome })));
        }
    }
}

impl<T> Drop for Serving<'_, T> {
    fn drop(&mut self) {
        if self.sender.borrow().is_none() {
            self.doubles.firsts().remove(&self.key);
        }
    }
}

fn is_recent(at: i64, now: i64) -> bool {
    (0..=KEPT).contains(&now.saturating_sub(at))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn key(n: usize) -> TokenHash {
        TokenHash::of(&n.to_string())
    }

    fn browser() -> Browser {
        Browser { bindings: vec!["secret".to_owned()], ..Browser::default() }
    }

    #[tokio::test]
    async fn a_later_request_waits_for_the_outcome_of_the_first() {
        let doubles = Arc::new(Doubles::default());
        let Turn::First(serving) = doubles.turn(key(1), 100).await else { unreachable!() };
        let later = {
            let doubles = Arc::clone(&doubles);
            tokio::spawn(async move {
                match doubles.turn(key(1), 101).await {
                    Turn::Later(first) => (first.outcome, first.is_of(&browser()), first.is_of(&Browser::default())),
                    Turn::First(_) => unreachable!(),
                }
            })
        };
        tokio::task::yield_now().await;
        assert!(!later.is_finished());
        serving.ended(&browser(), "outcome");
        assert_eq!(later.await.unwrap(), ("outcome", true, false));
        assert!(matches!(doubles.turn(key(1), 110).await, Turn::Later(_)));
        assert!(matches!(doubles.turn(key(1), 111).await, Turn::First(_)), "it is forgotten after ten seconds");
        assert!(matches!(doubles.turn(key(1), 99).await, Turn::First(_)), "and when the clock is set back");
    }

    #[tokio::test]
    async fn a_first_request_that_ends_without_an_outcome_leaves_nothing_behind() {
        let doubles = Doubles::<()>::default();
        drop(doubles.turn(key(1), 100).await);
        assert!(matches!(doubles.turn(key(1), 100).await, Turn::First(_)));
        assert!(doubles.firsts().is_empty());
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded() {
        let doubles = Doubles::default();
        for n in 0..2 * MOST {
            if let Turn::First(serving) = doubles.turn(key(n), 100).await {
                serving.ended(&browser(), n);
            }
        }
        assert!(doubles.firsts().len() <= MOST);
    }
}
