//! Delivering logout tokens to apps (OIDC Back-Channel Logout 1.0 §2.5, §2.8): in parallel, bounded, tried again, apart from
//! the request that ended the session. A notice that is not delivered when the process ends is lost: nothing is stored.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Request};
use tokio::sync::{Semaphore, watch};

use crate::env::{Clock, Random};
use crate::keys::Keys;
use crate::op::logout::logout_token;
use crate::op::logout::logout_token::{LOGOUT_TOKEN_TYPE, Notice};
use crate::outbound::{HttpClient, OutboundError, OutboundPolicy};

/// Pauses before each further attempt. An app that restarts is available again before the last attempt; after that there are no
/// more.
const PAUSES: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(25)];

/// The most concurrent calls to one app, so that an app that hangs does not delay the others.
const CALLS_PER_APP: usize = 16;

/// Notices that wait at most, over all apps.
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
}

/// Delivers notices. One for the life of the process.
pub struct Notifier {
    http: Arc<dyn HttpClient>,
    keys: Arc<Keys>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    pauses: Vec<Duration>,
    /// By client key.
    calls: Mutex<HashMap<String, Arc<Semaphore>>>,
    /// Notices under way.
    waiting: watch::Sender<usize>,
}

impl Notifier {
    /// A notifier with nothing under way.
    #[must_use]
    pub fn new(http: Arc<dyn HttpClient>, keys: Arc<Keys>, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self {
            http,
            keys,
            clock,
            random,
            pauses: PAUSES.to_vec(),
            calls: Mutex::default(),
            waiting: watch::Sender::new(0),
        }
    }

    /// Sends a notice from a task of its own and returns at once. Must be called within the runtime.
    pub fn send(self: &Arc<Self>, notice: Notice) {
        let accepted = self.waiting.send_if_modified(|waiting| {
            let room = *waiting < WAITING;
            *waiting += usize::from(room);
            room
        });
        if !accepted {
            tracing::warn!(
                event = "backchannel_logout", outcome = "dropped", client = %notice.client, trace_id = %notice.trace_id,
                "too many logout tokens wait to be sent"
            );
            return;
        }
        let (notifier, done) = (Arc::clone(self), UnderWay(Arc::clone(self)));
        tokio::spawn(async move {
            let _done = done;
            notifier.deliver(&notice).await;
        });
    }

    /// Returns when no notice is under way any more: each was delivered, or failed for good.
    pub async fn idle(&self) {
        // The sender is `self`, so that the channel can't be closed.
        let _ = self.waiting.subscribe().wait_for(|waiting| *waiting == 0).await;
    }

    async fn deliver(&self, notice: &Notice) {
        let pauses = [notice.after].into_iter().chain(self.pauses.iter().copied());
        let (mut attempts, mut last) = (0_u32, Attempt::Failed(String::new()));
        for pause in pauses {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            attempts += 1;
            last = self.attempt(notice).await;
            if !matches!(last, Attempt::Failed(_)) {
                break;
            }
        }
        let Notice { client, trace_id, .. } = notice;
        match last {
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
        }
    }

    async fn attempt(&self, notice: &Notice) -> Attempt {
        let calls = self.calls_of(&notice.client);
        let _call = calls.acquire().await;
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

    fn calls_of(&self, client: &str) -> Arc<Semaphore> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.retain(|_, calls| Arc::strong_count(calls) > 1);
        Arc::clone(calls.entry(client.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(CALLS_PER_APP))))
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

/// Removes a notice from the count when its task ends, however it ends.
struct UnderWay(Arc<Notifier>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.waiting.send_modify(|waiting| *waiting = waiting.saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::collections::VecDeque;

    use async_trait::async_trait;
    use serde_json::{Map, Value, json};
    use url::Url;

    use super::*;
    use crate::env::{ManualClock, SystemRandomness};
    use crate::keys::KeyPolicy;
    use crate::protocol::SigningAlgorithm;
    use crate::store::sqlite::{Location, SqliteStore};

    const NOW: i64 = 1_800_000_000;

    type Answers = VecDeque<Result<u16, OutboundError>>;

    /// Apps by host: each answers what is next on its list, and hangs for ever when there is nothing.
    #[derive(Default)]
    struct Apps {
        answers: Mutex<HashMap<String, Answers>>,
        bodies: Mutex<Vec<(String, Vec<u8>)>>,
        policies: Mutex<Vec<OutboundPolicy>>,
    }

    #[async_trait]
    impl HttpClient for Apps {
        async fn send(
            &self,
            request: Request<Vec<u8>>,
            policy: &OutboundPolicy,
        ) -> Result<http::Response<Vec<u8>>, OutboundError> {
            let host = request.uri().host().unwrap().to_owned();
            self.policies.lock().unwrap().push(policy.clone());
            self.bodies.lock().unwrap().push((host.clone(), request.into_body()));
            let next = self.answers.lock().unwrap().entry(host).or_default().pop_front();
            match next {
                Some(answer) => answer.map(|status| http::Response::builder().status(status).body(Vec::new()).unwrap()),
                None => std::future::pending().await,
            }
        }
    }

    struct World {
        apps: Arc<Apps>,
        notifier: Arc<Notifier>,
        clock: Arc<ManualClock>,
    }

    impl World {
        async fn new() -> Self {
            let random = Arc::new(SystemRandomness::default());
            let store = SqliteStore::open(&Location::Memory, &[], Arc::clone(&random) as _).unwrap();
            let policy =
                KeyPolicy { algorithms: vec![SigningAlgorithm::ES256], rotate_every: 86_400, keep: 3600, remember: 0 };
            let keys = Arc::new(Keys::open(Arc::new(store), &policy, NOW).await.unwrap());
            let (apps, clock) = (Arc::new(Apps::default()), ManualClock::at(NOW));
            let notifier = Notifier::new(Arc::clone(&apps) as _, keys, Arc::clone(&clock) as _, random);
            let notifier = Arc::new(Notifier { pauses: vec![Duration::ZERO; PAUSES.len()], ..notifier });
            Self { apps, notifier, clock }
        }

        fn answers(&self, host: &str, answers: impl IntoIterator<Item = Result<u16, OutboundError>>) {
            self.apps.answers.lock().unwrap().insert(host.to_owned(), answers.into_iter().collect());
        }

        fn tokens(&self, host: &str) -> Vec<String> {
            let bodies = self.apps.bodies.lock().unwrap();
            let of_host = bodies.iter().filter(|(of, _)| of == host);
            of_host.map(|(_, body)| url::form_urlencoded::parse(body).next().unwrap().1.into_owned()).collect()
        }

        fn claims(&self, token: &str) -> Map<String, Value> {
            self.notifier.keys.set().verify(token, LOGOUT_TOKEN_TYPE).unwrap()
        }
    }

    fn notice(host: &str) -> Notice {
        Notice {
            client: host.to_owned(),
            url: Url::parse(&format!("https://{host}/logout?x=1")).unwrap(),
            audience: "client-id".to_owned(),
            issuer: "https://sso.example.com".to_owned(),
            subject: "sub".to_owned(),
            sid: Some(crate::store::ids::SessionId::new("sid")),
            algorithm: SigningAlgorithm::ES256,
            trace_id: "trace".to_owned(),
            after: Duration::ZERO,
        }
    }

    #[tokio::test]
    async fn a_logout_token_has_the_claims_of_the_specification() {
        let world = World::new().await;
        world.answers("app.example", [Ok(200)]);
        world.notifier.send(notice("app.example"));
        world.notifier.idle().await;
        let tokens = world.tokens("app.example");
        assert_eq!(tokens.len(), 1);
        let mut claims = world.claims(&tokens[0]);
        assert_eq!(claims.remove("jti").unwrap().as_str().unwrap().len(), 22);
        let expected = json!({
            "iss": "https://sso.example.com", "sub": "sub", "aud": "client-id", "iat": NOW, "exp": NOW + 120,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} }, "sid": "sid",
        });
        assert_eq!(Value::Object(claims), expected);
        let url = Url::parse("http://app.example").unwrap();
        assert_eq!(*world.apps.policies.lock().unwrap(), [OutboundPolicy::trusting([&url])]);
    }

    #[tokio::test]
    async fn transient_failures_are_tried_again_and_others_are_not() {
        let connect = || Err(OutboundError::Connect("refused".to_owned()));
        let broken = || Err(OutboundError::Failed("reset".to_owned()));
        let cases = [
            ("ok.example", vec![Ok(204)], 1),
            ("slow.example", vec![Err(OutboundError::Timeout), connect(), Ok(200)], 3),
            ("busy.example", vec![Ok(503), Ok(429), broken(), Ok(200)], 4),
            ("gone.example", vec![Ok(500), Ok(500), Ok(500), Ok(502), Ok(200)], 4),
            ("bad.example", vec![Ok(400), Ok(200)], 1),
            ("moved.example", vec![Err(OutboundError::Redirect(302)), Ok(200)], 1),
            ("lost.example", vec![Ok(404), Ok(200)], 1),
            ("huge.example", vec![Err(OutboundError::TooLarge(1)), Ok(200)], 1),
        ];
        let world = World::new().await;
        for (host, answers, _) in &cases {
            world.answers(host, answers.clone());
            world.notifier.send(notice(host));
        }
        world.notifier.idle().await;
        for (host, _, attempts) in cases {
            assert_eq!(world.tokens(host).len(), attempts, "{host}");
        }
        assert!(PAUSES.is_sorted_by(|shorter, longer| shorter < longer), "each pause is longer than the one before");
    }

    #[tokio::test]
    async fn each_attempt_has_its_own_token() {
        let world = World::new().await;
        world.answers("app.example", [Ok(500), Ok(200)]);
        world.notifier.send(notice("app.example"));
        world.notifier.idle().await;
        let claims: Vec<_> = world.tokens("app.example").iter().map(|token| world.claims(token)).collect();
        assert_eq!(claims.len(), 2);
        assert_ne!(claims[0]["jti"], claims[1]["jti"]);
        assert_eq!(claims[0]["sid"], claims[1]["sid"]);
        world.clock.advance(7);
        world.answers("app.example", [Ok(200)]);
        world.notifier.send(notice("app.example"));
        world.notifier.idle().await;
        assert_eq!(world.claims(&world.tokens("app.example")[2])["exp"], NOW + 7 + 120);
    }

    #[tokio::test]
    async fn d30_an_app_that_hangs_holds_up_no_other_and_is_not_flooded() {
        let world = World::new().await;
        for _ in 0..CALLS_PER_APP * 3 {
            world.notifier.send(notice("hangs.example"));
        }
        world.answers("app.example", [Ok(200)]);
        world.notifier.send(notice("app.example"));
        let only_those_left = |waiting: &usize| *waiting == CALLS_PER_APP * 3;
        world.notifier.waiting.subscribe().wait_for(only_those_left).await.unwrap();
        assert_eq!(world.tokens("app.example").len(), 1);
        assert_eq!(world.tokens("hangs.example").len(), CALLS_PER_APP);
    }

    #[tokio::test]
    async fn a_notice_is_held_back_and_others_pass_it() {
        let world = World::new().await;
        world.answers("first.example", [Ok(200)]);
        world.answers("last.example", [Ok(200)]);
        world.notifier.send(Notice { after: Duration::from_secs(3600), ..notice("last.example") });
        world.notifier.send(notice("first.example"));
        let only_the_last_is_left = |waiting: &usize| *waiting == 1;
        world.notifier.waiting.subscribe().wait_for(only_the_last_is_left).await.unwrap();
        assert_eq!((world.tokens("first.example").len(), world.tokens("last.example").len()), (1, 0));
    }

    #[tokio::test]
    async fn waiting_notices_are_bounded() {
        let world = World::new().await;
        for _ in 0..WAITING + 5 {
            world.notifier.send(notice("hangs.example"));
        }
        assert_eq!(*world.notifier.waiting.borrow(), WAITING);
    }
}
