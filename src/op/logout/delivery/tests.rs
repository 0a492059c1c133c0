//! Tests with apps that answer what a test says.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use std::collections::VecDeque;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use url::Url;

use super::*;
use crate::env::{ManualClock, SystemRandomness};
use crate::keys::KeyPolicy;
use crate::protocol::SigningAlgorithm;
use crate::store::ids::SessionId;
use crate::store::model::{Grant, Session, TokenHash, User};
use crate::store::sqlite::{Location, SqliteStore};
use crate::store::{AccountWrite, AppSession, SignIn, SignInWritten, StoredNotice, Tell};

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
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
}

impl World {
    async fn new() -> Self {
        let random = Arc::new(SystemRandomness::default());
        let store = SqliteStore::open(&Location::Memory, &[], Arc::clone(&random) as _).unwrap();
        let (store, clock) = (Arc::new(store) as Arc<dyn Store>, ManualClock::at(NOW));
        let apps = Arc::new(Apps::default());
        let notifier = notifier(&apps, &store, &clock).await;
        Self { apps, notifier, store, clock }
    }

    /// A notice for this client of a session that ended.
    async fn notice(&self, client: &str) -> Notice {
        let id = (&SystemRandomness::default() as &dyn Random).id().unwrap();
        let told = ended(&*self.store, &id, client, self.clock.now()).await;
        Notice {
            hold: told.notice.unwrap(),
            held_until: self.clock.now() + HOLD,
            attempts: 0,
            client: client.to_owned(),
            url: Url::parse(&format!("https://{client}/logout?x=1")).unwrap(),
            audience: "client-id".to_owned(),
            issuer: "https://sso.example.com".to_owned(),
            subject: "sub".to_owned(),
            sid: Some(SessionId::new("sid")),
            algorithm: SigningAlgorithm::ES256,
            trace_id: "trace".to_owned(),
            after: Duration::ZERO,
        }
    }

    /// Sends a notice to this client.
    async fn send(&self, client: &str) {
        self.notifier.send(self.notice(client).await);
    }

    /// What anybody could take from the store at this time.
    async fn left(&self, now: i64) -> Vec<StoredNotice> {
        self.store.take_notices(now, now + HOLD, &BTreeSet::new(), 100).await.unwrap()
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

/// A notifier of a process that starts now, which does not wait.
async fn notifier(apps: &Arc<Apps>, store: &Arc<dyn Store>, clock: &Arc<ManualClock>) -> Arc<Notifier> {
    let notifier = as_built(apps, store, clock).await;
    Arc::new(Notifier { pauses: vec![Duration::ZERO; PAUSES.len()], turn: Duration::ZERO, ..notifier })
}

async fn as_built(apps: &Arc<Apps>, store: &Arc<dyn Store>, clock: &Arc<ManualClock>) -> Notifier {
    let policy = KeyPolicy { algorithms: vec![SigningAlgorithm::ES256], rotate_every: 86_400, keep: 3600, remember: 0 };
    let keys = Arc::new(Keys::open(Arc::clone(store), &policy, NOW).await.unwrap());
    let random = Arc::new(SystemRandomness::default());
    Notifier::new(Arc::clone(apps) as _, keys, Arc::clone(store), Arc::clone(clock) as _, random)
}

/// Ends a session of a person of this name, in which this client took part and which it is told of.
async fn ended(store: &dyn Store, name: &str, client: &str, now: i64) -> AppSession {
    let link = json!({ "provider": "p", "issuer": "https://p.example", "subject": name });
    let user: User = serde_json::from_value(json!({
        "id": name, "username": name, "username_key": name, "sub": name, "profile": {}, "disabled": false, "created_at": now,
    }))
    .unwrap();
    let session: Session = serde_json::from_value(json!({
        "id": name, "user_id": name, "link": link, "amr": [], "created_at": now, "last_active": now, "max_inactive": 3600,
        "expires_at": now + 3600,
    }))
    .unwrap();
    let grant: Grant = serde_json::from_value(json!({
        "id": name, "client": client, "user_id": name, "link": link, "session_id": name, "sid": name, "scopes": [],
        "resources": [], "amr": [], "created_at": now, "expires_at": now + 3600,
    }))
    .unwrap();
    let trace = json!({ "id": name, "data": "{}", "at": now, "expires_at": now + 60 });
    let sign_in = SignIn {
        account: AccountWrite::Create(user),
        only_here: false,
        link: serde_json::from_value(json!({
            "key": link, "user_id": name, "claims": {}, "claims_at": now, "created_at": now,
        }))
        .unwrap(),
        system_roles: Vec::new(),
        session,
        session_secret: TokenHash::of(name),
        replaces: None,
        code: None,
        trace: serde_json::from_value(trace).unwrap(),
        events: Vec::new(),
        tell: Tell::default(),
    };
    assert_eq!(store.finish_sign_in(sign_in, now).await.unwrap(), SignInWritten::Done);
    store.save_grant(grant, None, now, Vec::new()).await.unwrap();
    let tell =
        Tell { clients: BTreeSet::from([client.to_owned()]), trace_id: "trace".to_owned(), held_until: now + HOLD };
    store.end_session(&SessionId::new(name), now, Vec::new(), &tell).await.unwrap().remove(0)
}

#[tokio::test]
async fn a_logout_token_has_the_claims_of_the_specification() {
    let world = World::new().await;
    world.answers("app.example", [Ok(200)]);
    world.send("app.example").await;
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
        world.send(host).await;
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
    world.send("app.example").await;
    world.notifier.idle().await;
    let claims: Vec<_> = world.tokens("app.example").iter().map(|token| world.claims(token)).collect();
    assert_eq!(claims.len(), 2);
    assert_ne!(claims[0]["jti"], claims[1]["jti"]);
    assert_eq!(claims[0]["sid"], claims[1]["sid"]);
    world.clock.advance(7);
    world.answers("app.example", [Ok(200)]);
    world.send("app.example").await;
    world.notifier.idle().await;
    assert_eq!(world.claims(&world.tokens("app.example")[2])["exp"], NOW + 7 + 120);
}

#[tokio::test]
async fn d30_an_app_that_hangs_holds_up_no_other_and_is_not_flooded() {
    let world = World::new().await;
    for _ in 0..CALLS_PER_APP * 3 {
        world.send("hangs.example").await;
    }
    world.answers("app.example", [Ok(200)]);
    world.send("app.example").await;
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
    let last = world.notice("last.example").await;
    world.notifier.send(Notice { after: Duration::from_secs(3600), ..last });
    world.send("first.example").await;
    let only_the_last_is_left = |waiting: &usize| *waiting == 1;
    world.notifier.waiting.subscribe().wait_for(only_the_last_is_left).await.unwrap();
    assert_eq!((world.tokens("first.example").len(), world.tokens("last.example").len()), (1, 0));
}

#[tokio::test]
async fn waiting_notices_are_bounded_and_the_others_stay_in_the_store() {
    let world = World::new().await;
    let notice = world.notice("hangs.example").await;
    for _ in 0..WAITING_PER_APP + 5 {
        world.notifier.send(notice.clone());
    }
    assert_eq!(*world.notifier.waiting.borrow(), WAITING_PER_APP);
    let (room, full) = world.notifier.room();
    assert_eq!(room as usize, WAITING - WAITING_PER_APP);
    assert_eq!(full, BTreeSet::from(["hangs.example".to_owned()]), "others are still taken from the store");
    world.answers("app.example", [Ok(200)]);
    world.send("app.example").await;
    let only_those_left = |waiting: &usize| *waiting == WAITING_PER_APP;
    world.notifier.waiting.subscribe().wait_for(only_those_left).await.unwrap();
    assert_eq!(world.tokens("app.example").len(), 1);
}

#[tokio::test]
async fn what_was_delivered_or_given_up_is_not_in_the_store_any_more() {
    let world = World::new().await;
    world.answers("ok.example", [Ok(200)]);
    world.answers("refuses.example", [Ok(400)]);
    world.answers("gone.example", [Ok(500), Ok(500), Ok(500), Ok(500)]);
    for app in ["ok.example", "refuses.example", "gone.example"] {
        world.send(app).await;
    }
    world.notifier.idle().await;
    assert_eq!(world.left(NOW + 3600).await, []);
}

#[tokio::test]
async fn attempts_go_on_in_another_process() {
    let world = World::new().await;
    world.answers("app.example", [Ok(500), Ok(500)]);
    // The third attempt hangs, and the process with it.
    world.send("app.example").await;
    while world.tokens("app.example").len() < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.left(NOW + HOLD - 1).await, [], "it is held");
    world.clock.advance(HOLD);
    let left = world.left(NOW + HOLD).await;
    assert_eq!(left.iter().map(|notice| notice.attempts).collect::<Vec<_>>(), [2]);
    let other = notifier(&world.apps, &world.store, &world.clock).await;
    world.answers("app.example", [Ok(500), Ok(500), Ok(200)]);
    let taken = world.notice("app.example").await;
    other.send(Notice { hold: left[0].hold, attempts: left[0].attempts, held_until: NOW + 2 * HOLD, ..taken.clone() });
    other.idle().await;
    assert_eq!(world.tokens("app.example").len(), 3 + 2, "the attempts that were left, and no more");
    let left = world.left(NOW + 3 * HOLD).await;
    assert_eq!(left.iter().map(|notice| notice.hold.id).collect::<Vec<_>>(), [taken.hold.id], "it was given up");
}

#[tokio::test]
async fn a_process_that_stops_leaves_its_notices_to_others() {
    let world = World::new().await;
    // One is being called, one waits for its turn, one failed and waits for its next attempt, one is held back.
    world.answers("failed.example", [Ok(503)]);
    let patient = Arc::new(as_built(&world.apps, &world.store, &world.clock).await);
    for _ in 0..=CALLS_PER_APP {
        patient.send(Notice { held_until: NOW + LONGEST_HOLD, ..world.notice("hangs.example").await });
    }
    patient.send(world.notice("failed.example").await);
    patient.send(Notice { after: Duration::from_secs(10), ..world.notice("later.example").await });
    while world.tokens("hangs.example").len() < CALLS_PER_APP || world.tokens("failed.example").is_empty() {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    patient.hand_over().await;
    let mut left: Vec<(i64, String, u32)> = Vec::new();
    for second in [NOW, NOW + 1, NOW + 9, NOW + 10] {
        left.extend(world.left(second).await.into_iter().map(|notice| (second, notice.client, notice.attempts)));
    }
    let hanging = left.iter().filter(|left| **left == (NOW, "hangs.example".to_owned(), 0)).count();
    assert_eq!(hanging, CALLS_PER_APP + 1, "{left:?}");
    left.retain(|(_, client, _)| client != "hangs.example");
    let expected = [(NOW + 1, "failed.example".to_owned(), 1), (NOW + 10, "later.example".to_owned(), 0)];
    assert_eq!(left, expected, "each when its next attempt is due");
    patient.send(world.notice("hangs.example").await);
    patient.idle().await;
    assert_eq!(world.left(NOW).await.len(), 1, "what comes afterwards is left too");
}

#[tokio::test]
async fn who_lost_the_hold_sends_no_more() {
    let world = World::new().await;
    world.answers("app.example", [Ok(500), Ok(200)]);
    let notice = world.notice("app.example").await;
    let taken = world.left(NOW + HOLD).await;
    assert_eq!(taken.len(), 1, "the process was stopped for a while");
    world.notifier.send(notice.clone());
    world.notifier.idle().await;
    assert_eq!(world.tokens("app.example").len(), 1, "the attempt that was under way");
    world.clock.advance(HOLD);
    world.notifier.send(notice);
    world.notifier.idle().await;
    assert_eq!(world.tokens("app.example").len(), 1);
    assert!(world.store.forget_notice(taken[0].hold).await.unwrap(), "who has it now still does");
}

#[tokio::test]
async fn what_waits_long_for_its_turn_is_not_sent_by_two() {
    let world = World::new().await;
    let mut notice = world.notice("app.example").await;
    assert_eq!(world.left(NOW + HOLD).await.len(), 1, "another process has taken it");
    let nothing_free = Semaphore::new(0);
    assert!(world.notifier.turn(&mut notice, &nothing_free).await.is_none());
}
