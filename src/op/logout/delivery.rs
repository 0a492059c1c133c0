//! Delivering logout tokens to apps (OIDC Back-Channel Logout 1.0 §2.5, §2.8): in parallel, bounded, tried again, apart from
//! the request that ended the session.
//!
//! What is under way is in the store too, and is deleted there when it was delivered or given up. If the process ends before,
//! another one takes the notice when the hold on it has expired, and goes on with the attempts that are left. A process that
//! stops gives up its holds, and the others need not wait for that. An app may then be told twice, which it must expect: a
//! response can get lost as well.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::env::{Clock, Random};
use crate::keys::Keys;
use crate::op::logout::logout_token;
use crate::op::logout::logout_token::{LOGOUT_TOKEN_TYPE, Notice};
use crate::outbound::{HttpClient, OutboundError, OutboundPolicy};
use crate::store::Store;
use crate::store::notices::LONGEST_HOLD;

/// Pauses before each further attempt. An app that restarts is available again before the last attempt; after that there are no
/// more.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(25)];

/// Seconds for which a notice is held beyond the time at which its next attempt begins.
pub const HOLD: i64 = 60;

/// Seconds that an attempt may take. With less than that left, the hold is extended first.
const ATTEMPT: i64 = 15;

/// How long a notice waits for its turn at an app before the hold on it is extended.
const TURN: Duration = Duration::from_secs(20);

/// How many seconds the hold is extended for then, and again and again after half of them.
const QUEUED: i64 = LONGEST_HOLD / 2;

/// The most concurrent calls to one app, so that an app that hangs does not delay the others.
const CALLS_PER_APP: usize = 16;

/// Notices of one app that wait here at most. The others wait in the store.
const WAITING_PER_APP: usize = 1_000;

/// Notices that wait here at most, over all apps.
const WAITING: usize = 10_000;

/// The outcome of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Attempt {
    /// 200, or 204, which some frameworks send instead (§2.8).
    Delivered,
    /// The app, or the policy for outbound calls, refuses it: another attempt would not help.
    Refused(String),
    /// No answer, or a server error: worth another attempt.
    Failed(String),
    /// There was none: another process has taken the notice.
    Taken,
    /// The process stops. The next attempt is due at this time.
    Stopped(i64),
}

/// What is under way to one app.
struct ToApp {
    calls: Arc<Semaphore>,
    waiting: usize,
}

impl Default for ToApp {
    fn default() -> Self {
        Self { calls: Arc::new(Semaphore::new(CALLS_PER_APP)), waiting: 0 }
    }
}

/// Delivers notices. One for the life of the process.
pub struct Notifier {
    http: Arc<dyn HttpClient>,
    keys: Arc<Keys>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    pauses: Vec<Duration>,
    turn: Duration,
    /// By client key.
    apps: Mutex<HashMap<String, ToApp>>,
    /// Notices under way.
    waiting: watch::Sender<usize>,
    /// Whether this process leaves them to others.
    stopping: watch::Sender<bool>,
}

impl Notifier {
    /// A notifier with nothing under way.
    #[must_use]
    pub fn new(
        http: Arc<dyn HttpClient>,
        keys: Arc<Keys>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Self {
            http,
            keys,
            store,
            clock,
            random,
            pauses: PAUSES.to_vec(),
            turn: TURN,
            apps: Mutex::default(),
            waiting: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
        }
    }

    /// Sends a notice from a task of its own and returns at once. Where too many wait, it stays in the store, from which it is
    /// taken when the hold on it has expired. Must be called within the runtime.
    pub fn send(self: &Arc<Self>, notice: Notice) {
        let Some((under_way, calls)) = self.begin(&notice.client) else { return };
        tokio::spawn(async move {
            let notifier = Arc::clone(&under_way.notifier);
            notifier.deliver(notice, &calls).await;
            drop(under_way);
        });
    }

    /// How many more notices there is room for, and the apps for which there is none.
    #[must_use]
    pub fn room(&self) -> (u32, BTreeSet<String>) {
        let room = WAITING.saturating_sub(*self.waiting.borrow());
        let apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        let full = apps.iter().filter(|(_, app)| app.waiting >= WAITING_PER_APP);
        (u32::try_from(room).unwrap_or(u32::MAX), full.map(|(client, _)| client.clone()).collect())
    }

    /// Returns when no notice is under way any more: each was delivered, or failed for good.
    pub async fn idle(&self) {
        // The sender is `self`, so that the channel can't be closed.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting == 0).await;
    }

    /// Stops what is under way, and gives up the holds on it: another process goes on when the next attempt is due. Returns when
    /// the store has been told.
    pub async fn hand_over(&self) {
        self.stopping.send_replace(true);
        self.idle().await;
    }

    /// Counts a notice as under way; `None` where there is no room for it.
    fn begin(self: &Arc<Self>, client: &str) -> Option<(UnderWay, Arc<Semaphore>)> {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = apps.get(client).map_or(0, |app| app.waiting);
        if waiting >= WAITING_PER_APP || *self.waiting.borrow() >= WAITING {
            return None;
        }
        let app = apps.entry(client.to_owned()).or_default();
        app.waiting += 1;
        self.waiting.send_modify(|waiting| *waiting += 1);
        let under_way = UnderWay { notifier: Arc::clone(self), client: client.to_owned() };
        Some((under_way, Arc::clone(&app.calls)))
    }

    async fn deliver(&self, mut notice: Notice, calls: &Semaphore) {
        let mut due = self.clock.now().saturating_add_unsigned(notice.after.as_secs());
        let mut stopping = self.stopping.subscribe();
        let last = tokio::select! {
            biased;
            last = self.attempts(&mut notice, &mut due, calls) => last,
            _ = stopping.wait_for(|stopping| *stopping) => Attempt::Stopped(due),
        };
        let Notice { client, trace_id, attempts, .. } = &notice;
        match &last {
            Attempt::Delivered => tracing::info!(
                event = "backchannel_logout",
                outcome = "delivered",
                client,
                attempts,
                trace_id,
                "an app was notified that a session ended"
            ),
            Attempt::Refused(error) => tracing::warn!(
                event = "backchannel_logout",
                outcome = "refused",
                client,
                attempts,
                trace_id,
                error,
                "an app refused a logout token"
            ),
            Attempt::Failed(error) => tracing::warn!(
                event = "backchannel_logout",
                outcome = "failed",
                client,
                attempts,
                trace_id,
                error,
                "an app could not be notified that a session ended"
            ),
            Attempt::Taken => return,
            Attempt::Stopped(due) => return self.give_up_hold(&notice, *due).await,
        }
        if let Err(error) = self.store.forget_notice(notice.hold).await {
            tracing::warn!(
                client, trace_id, %error,
                "a logout token that was sent is still in the store, and will be sent again"
            );
        }
    }

    /// All attempts, up to the last one. `due` is when the next one is made.
    async fn attempts(&self, notice: &mut Notice, due: &mut i64, calls: &Semaphore) -> Attempt {
        pause(notice.after).await;
        loop {
            let last = self.attempt(notice, calls).await;
            notice.attempts += 1;
            let left = usize::try_from(notice.attempts).ok().and_then(|made| self.pauses.get(made - 1)).copied();
            let (Attempt::Failed(_), Some(wait)) = (&last, left) else { return last };
            *due = self.clock.now().saturating_add_unsigned(wait.as_secs());
            if !self.hold(notice, due.saturating_add(HOLD)).await {
                return Attempt::Taken;
            }
            pause(wait).await;
        }
    }

    /// Leaves a notice to other processes, from when its next attempt is due.
    async fn give_up_hold(&self, notice: &Notice, due: i64) {
        let Notice { client, trace_id, attempts, .. } = notice;
        match self.store.hold_notice(notice.hold, *attempts, due.max(self.clock.now())).await {
            Ok(_) => tracing::info!(
                event = "backchannel_logout",
                outcome = "handed_over",
                client,
                attempts,
                trace_id,
                "a logout token is left to another process, because this one stops"
            ),
            Err(error) => tracing::warn!(
                client, trace_id, %error,
                "a logout token can't be handed over; another process sends it in a minute"
            ),
        }
    }

    async fn attempt(&self, notice: &mut Notice, calls: &Semaphore) -> Attempt {
        let Some(_call) = self.turn(notice, calls).await else { return Attempt::Taken };
        let request = match self.request(notice) {
            Ok(request) => request,
            Err(error) => return Attempt::Failed(error),
        };
        // The operator wrote the URL: its host may be anywhere.
        match self.http.send(request, &OutboundPolicy::trusting([&notice.url])).await {
            Ok(response) => match response.status().as_u16() {
                200 | 204 => Attempt::Delivered,
                status @ (429 | 500..=599) => Attempt::Failed(format!("status {status}")),
                status => Attempt::Refused(format!("status {status}")),
            },
            Err(error @ (OutboundError::Timeout | OutboundError::Connect(_) | OutboundError::Failed(_))) => {
                Attempt::Failed(error.to_string())
            }
            Err(error) => Attempt::Refused(error.to_string()),
        }
    }

    /// Waits until fewer than [`CALLS_PER_APP`] calls to the app are under way. `None` if another process has taken the notice.
    async fn turn<'c>(&self, notice: &mut Notice, calls: &'c Semaphore) -> Option<SemaphorePermit<'c>> {
        let mut patience = self.turn;
        let call = loop {
            match tokio::time::timeout(patience, calls.acquire()).await {
                // The semaphore is never closed.
                Ok(call) => break call.ok()?,
                Err(_) if self.hold(notice, self.clock.now() + QUEUED).await => {
                    patience = Duration::from_secs(QUEUED.unsigned_abs() / 2);
                }
                Err(_) => return None,
            }
        };
        let now = self.clock.now();
        let held = now + ATTEMPT <= notice.held_until || self.hold(notice, now + HOLD).await;
        held.then_some(call)
    }

    /// Holds a notice until this time, and remembers the attempts. `false` if another process has taken it. The notice is sent
    /// even if the store can't say whether it is still held: an app that is told twice is better than one that is not told.
    async fn hold(&self, notice: &mut Notice, until: i64) -> bool {
        match self.store.hold_notice(notice.hold, notice.attempts, until).await {
            Ok(held) => {
                notice.held_until = until;
                held
            }
            Err(error) => {
                let Notice { client, trace_id, .. } = &*notice;
                tracing::warn!(
                    client, trace_id, %error,
                    "the store can't hold a logout token; another replica may send it too"
                );
                true
            }
        }
    }

    /// The request with a new logout token. Each attempt has its own, so that an app that noted the `jti` and failed afterwards
    /// does not take the next one for a replay.
    fn request(&self, notice: &Notice) -> Result<Request<Vec<u8>>, String> {
        let jti = self.random.id().map_err(|error| error.to_string())?;
        let claims = logout_token::claims(notice, &jti, self.clock.now());
        let token = self.keys.set().sign(notice.algorithm, LOGOUT_TOKEN_TYPE, &claims);
        let token = token.map_err(|error| error.to_string())?;
        let body = url::form_urlencoded::Serializer::new(String::new()).append_pair("logout_token", &token).finish();
        Request::builder()
            .method(Method::POST)
            .uri(notice.url.as_str())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(ACCEPT, "*/*")
            .body(body.into_bytes())
            .map_err(|_| "its URL can't be called".to_owned())
    }
}

async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// Removes a notice from the counts when its task ends, however it ends.
struct UnderWay {
    notifier: Arc<Notifier>,
    client: String,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut apps = self.notifier.apps.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(app) = apps.get_mut(&self.client) {
            app.waiting = app.waiting.saturating_sub(1);
            if app.waiting == 0 {
                apps.remove(&self.client);
            }
        }
        drop(apps);
        self.notifier.waiting.send_modify(|waiting| *waiting = waiting.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests;
