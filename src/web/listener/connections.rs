//! The connections of several listeners together: their limit, and which one is closed for another.
//!
//! Where all are taken, the one that has waited longest for its client is closed: first among those that never sent a whole
//! head, then among those whose body does not come, then among idle ones. So a flood of silent connections closes silent
//! connections, while a client that sends its request at once is served. If new connections had to wait instead, the flood
//! would decide for how long. What is being answered is never closed.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::config::language::limits::Limits as Declared;
use crate::config::resolved::Limits;
use crate::web::listener::descriptors;

/// Connections of the admin listener: a few scrapers and operators.
const ADMINISTRATORS: usize = 64;
/// What a request line may have besides the query: method, path, version.
const REQUEST_LINE: usize = 4096;
/// The least buffer that `hyper` works with.
const LEAST_BUFFER: usize = 8192;

/// What a connection waits for, in the order in which they make room.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waiting {
    /// A handshake, or its first head.
    Begin,
    /// The rest of a body.
    Body,
    /// The next request.
    Next,
}

/// The connections of several listeners together.
pub struct Connections {
    state: Mutex<State>,
    /// Something was closed or began to wait.
    changed: Notify,
    /// The most that a connection reads ahead, in bytes.
    buffer: AtomicUsize,
    /// The most bytes of a header section.
    headers: AtomicUsize,
    /// The most bytes of a request line.
    request_line: AtomicUsize,
}

#[derive(Default)]
struct State {
    most: usize,
    open: usize,
    /// Those of them that were asked to close.
    closing: usize,
    closed_for_room: u64,
    next: u64,
    waiting: BTreeMap<(Waiting, u64), Arc<Slot>>,
}

/// Numbers for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionFigures {
    /// The limit on them.
    pub most: usize,
    /// Open ones.
    pub open: usize,
    /// Those that were closed to make room, since the start.
    pub closed_for_room: u64,
}

impl Connections {
    /// Those of a listener that was given none to share.
    pub(super) fn alone() -> Arc<Self> {
        let limits = Limits::of(&Declared::default());
        let connections = Self::most(descriptors::connections(limits.connections, descriptors::limit()));
        connections.read_ahead(&limits);
        connections
    }

    /// Those of the public listeners, within `limits.connections` and the descriptors that the process may have.
    #[must_use]
    pub fn public(limits: &Limits) -> Arc<Self> {
        let connections = Self::most(0);
        connections.apply(limits);
        connections
    }

    /// Those of the admin listener, which are apart: strangers can't take them.
    #[must_use]
    pub fn admin(limits: &Limits) -> Arc<Self> {
        let connections = Self::most(ADMINISTRATORS);
        connections.read_ahead(limits);
        connections
    }

    fn most(most: usize) -> Arc<Self> {
        let state = Mutex::new(State { most, ..State::default() });
        let [buffer, headers, request_line] = [const { AtomicUsize::new(LEAST_BUFFER) }; 3];
        Arc::new(Self { state, changed: Notify::new(), buffer, headers, request_line })
    }

    /// Applies new limits. Open connections are kept, even if there are more of them than the new limits permit.
    pub fn apply(&self, limits: &Limits) {
        let most = descriptors::connections(limits.connections, descriptors::limit());
        let before = std::mem::replace(&mut self.state().most, most);
        if most < limits.connections && most != before {
            tracing::warn!(
                event = "connections_limited",
                most,
                asked = limits.connections,
                "limits.connections is more than the open files that the process may have leave room for; raise its limit \
                 (LimitNOFILE, ulimit -n)"
            );
        }
        self.read_ahead(limits);
        self.changed.notify_waiters();
    }

    fn read_ahead(&self, limits: &Limits) {
        let request_line = limits.query.saturating_add(REQUEST_LINE);
        let head = limits.headers.saturating_add(request_line);
        self.buffer.store(head.max(LEAST_BUFFER), Ordering::Relaxed);
        self.headers.store(limits.headers, Ordering::Relaxed);
        self.request_line.store(request_line, Ordering::Relaxed);
    }

    pub(super) fn buffer(&self) -> usize {
        self.buffer.load(Ordering::Relaxed)
    }

    pub(super) fn headers(&self) -> usize {
        self.headers.load(Ordering::Relaxed)
    }

    pub(super) fn request_line(&self) -> usize {
        self.request_line.load(Ordering::Relaxed)
    }

    /// Numbers for metrics.
    #[must_use]
    pub fn figures(&self) -> ConnectionFigures {
        let state = self.state();
        ConnectionFigures { most: state.most, open: state.open, closed_for_room: state.closed_for_room }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection, as soon as there is one; where all are taken, another one is closed.
    pub(super) async fn place(self: &Arc<Self>) -> Place {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(place) = self.try_place() {
                return place;
            }
            changed.await;
        }
    }

    fn try_place(self: &Arc<Self>) -> Option<Place> {
        let mut state = self.state();
        if state.open < state.most {
            state.open += 1;
            let slot = Arc::new(Slot::default());
            drop(state);
            let place = Place { connections: Arc::clone(self), slot };
            place.waits(Waiting::Begin);
            return Some(place);
        }
        if state.open - state.closing.min(state.open) >= state.most
            && let Some((_, slot)) = state.waiting.pop_first()
        {
            state.closing += 1;
            state.closed_for_room += 1;
            slot.lock().leaves = true;
            slot.leave.notify_one();
        }
        None
    }
}

/// What is known of one connection.
#[derive(Default)]
struct Slot {
    now: Mutex<Now>,
    /// It must close.
    leave: Notify,
    /// How many requests have come.
    requests: AtomicU64,
}

#[derive(Default)]
struct Now {
    waiting: Option<(Waiting, u64)>,
    leaves: bool,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection, given back when this goes.
pub(super) struct Place {
    connections: Arc<Connections>,
    slot: Arc<Slot>,
}

impl Place {
    /// The connections that this is one of.
    pub(super) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// The connection waits for its client from now on.
    pub(super) fn waits(&self, waiting: Waiting) {
        let mut state = self.connections.state();
        let mut now = self.slot.lock();
        if now.leaves || now.waiting.is_some_and(|(before, _)| before == waiting) {
            return;
        }
        if let Some(before) = now.waiting.take() {
            state.waiting.remove(&before);
        }
        let key = (waiting, state.next);
        state.next += 1;
        state.waiting.insert(key, Arc::clone(&self.slot));
        now.waiting = Some(key);
        drop((state, now));
        self.connections.changed.notify_waiters();
    }

    /// A request has come: its head is whole.
    pub(super) fn begins(&self) {
        self.slot.requests.fetch_add(1, Ordering::Relaxed);
        self.works();
    }

    /// How many requests have come.
    pub(super) fn requests(&self) -> u64 {
        self.slot.requests.load(Ordering::Relaxed)
    }

    /// The connection is at work, and is not closed for others.
    pub(super) fn works(&self) {
        let mut state = self.connections.state();
        let mut now = self.slot.lock();
        if let Some(before) = now.waiting.take() {
            state.waiting.remove(&before);
        }
        // Its request came while it was being closed: it is answered first, and another one is closed instead.
        if std::mem::take(&mut now.leaves) {
            state.closing = state.closing.saturating_sub(1);
            drop((state, now));
            self.connections.changed.notify_waiters();
        }
    }

    /// What the connection waits for.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        self.slot.lock().waiting.map(|(waiting, _)| waiting)
    }

    /// Waits until the connection must close to make room.
    pub(super) async fn must_close(&self) {
        self.slot.leave.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.connections.state();
        let now = self.slot.lock();
        if let Some(before) = now.waiting {
            state.waiting.remove(&before);
        }
        state.open = state.open.saturating_sub(1);
        if now.leaves {
            state.closing = state.closing.saturating_sub(1);
        }
        drop((state, now));
        self.connections.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::task::Poll;

    use super::*;

    async fn at_once<F: Future>(future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        std::future::poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    #[tokio::test]
    async fn d42_whoever_waits_longest_makes_room_and_nobody_at_work_does() {
        let connections = Connections::most(4);
        let [working, idle, half_body, silent] = [
            at_once(connections.place()).await.unwrap(),
            at_once(connections.place()).await.unwrap(),
            at_once(connections.place()).await.unwrap(),
            at_once(connections.place()).await.unwrap(),
        ];
        working.works();
        idle.waits(Waiting::Next);
        half_body.waits(Waiting::Body);
        let mut newcomers = Vec::new();
        for closing in [silent, half_body, idle] {
            assert!(at_once(closing.must_close()).await.is_none(), "nobody else came");
            let mut newcomer = pin!(connections.place());
            assert!(at_once(newcomer.as_mut()).await.is_none(), "the other one is still closing");
            assert!(at_once(closing.must_close()).await.is_some());
            drop(closing);
            let newcomer = newcomer.await;
            newcomer.works();
            newcomers.push(newcomer);
        }
        assert!(at_once(connections.place()).await.is_none(), "all are at work");
        assert!(at_once(working.must_close()).await.is_none());
        assert_eq!(connections.figures(), ConnectionFigures { most: 4, open: 4, closed_for_room: 3 });
        drop((working, newcomers));
        assert_eq!(connections.figures().open, 0);
    }

    #[tokio::test]
    async fn d42_one_place_closes_one_connection() {
        let connections = Connections::most(2);
        let (first, second) = (connections.place().await, connections.place().await);
        let mut newcomer = pin!(connections.place());
        assert!(at_once(newcomer.as_mut()).await.is_none());
        second.works();
        second.waits(Waiting::Next);
        assert!(at_once(newcomer.as_mut()).await.is_none());
        assert!(at_once(second.must_close()).await.is_none(), "one is closing already");
        assert!(at_once(first.must_close()).await.is_some());
        drop(first);
        assert!(at_once(newcomer).await.is_some());
    }

    #[tokio::test]
    async fn more_places_are_taken_at_once() {
        let connections = Connections::most(1);
        let only = connections.place().await;
        only.works();
        let mut newcomer = pin!(connections.place());
        assert!(at_once(newcomer.as_mut()).await.is_none());
        connections.state().most = 2;
        connections.changed.notify_waiters();
        assert!(at_once(newcomer).await.is_some());
    }
}
