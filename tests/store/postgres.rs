//! The PostgreSQL backend: the conformance suite, and what only several replicas and a server apart bring.

use std::process::Command;
use std::sync::Arc;

use countersign::env::SystemRandomness;
use countersign::store::model::{Grant, KeyState, TokenHash};
use countersign::store::postgres::{OpenError, PostgresStore, Target};
use countersign::store::{
    Accounts as _, Audit as _, Grants as _, Maintenance as _, OneTimeIds as _, PendingBound, PendingSignIns as _,
    Redeemed, Rotated, Sessions as _, SignInWritten, SigningKeys as _, Store, StoreError, Tell,
};
use tokio::task::JoinSet;

use crate::cluster::{Database, cluster, connect};
use crate::conformance::chain;
use crate::fixtures::{
    self, NOW, browser, code, event, grant_id, login, person, refresh, rotation, secret, session_id, signing_key,
};

pub(crate) const KEY: &[u8] = b"the key of the PostgreSQL tests";
pub(crate) const ISSUER: &str = "https://broker.example";

/// What is long enough for a machine under load.
const PATIENT: &str = "?statement_timeout=60000&lock_timeout=60000";

pub(crate) async fn open_as(url: &str, keys: &[&[u8]], issuer: &str) -> Result<PostgresStore, OpenError> {
    let keys: Vec<Vec<u8>> = keys.iter().map(|key| key.to_vec()).collect();
    let target = Target::from_url(url).unwrap().map_err(OpenError::Url)?;
    PostgresStore::open(&target, &keys, Arc::new(SystemRandomness::default()), issuer).await
}

async fn open(url: &str) -> PostgresStore {
    open_as(url, &[KEY], ISSUER).await.unwrap()
}

/// A store in a database of its own.
pub(crate) struct Made {
    pub(crate) store: Arc<dyn Store>,
}

async fn make() -> Made {
    let database = Database::new().await;
    Made { store: Arc::new(open(&format!("{}{PATIENT}", database.url())).await) }
}

mod conforms {
    use super::make;

    crate::conformance::conforms!(make);
}

/// Two replicas on one database.
async fn replicas() -> (Database, [Arc<PostgresStore>; 2]) {
    let database = Database::new().await;
    let url = format!("{}{PATIENT}", database.url());
    let both = [Arc::new(open(&url).await), Arc::new(open(&url).await)];
    (database, both)
}

/// One row in every table that has a sealed column, and an event.
async fn fill(store: &PostgresStore) {
    fixtures::fill(store).await;
    store.record(vec![event().detail("CANARY-event")]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_step_of_a_sign_in_may_meet_another_replica() {
    let (_database, [a, b]) = replicas().await;
    let alice = person("alice");
    a.save_login(login("state"), PendingBound::default()).await.unwrap();
    assert!(b.take_login(TokenHash::of("state"), &[browser()], NOW).await.unwrap().is_some());
    assert!(a.take_login(TokenHash::of("state"), &[browser()], NOW).await.unwrap().is_none());
    let mut sign_in = alice.sign_in("s");
    sign_in.code = Some(code("c", alice.grant("g", "s")));
    assert_eq!(a.finish_sign_in(sign_in, NOW).await.unwrap(), SignInWritten::Done);
    assert!(b.session(secret("s")).await.unwrap().is_some());
    let first = Some(refresh("r0", "g"));
    let redeemed = b.redeem_code(TokenHash::of("c"), alice.grant("g", "s"), first, NOW, vec![event()]).await.unwrap();
    assert_eq!(redeemed, Redeemed::First);
    assert_eq!(a.rotate_refresh(rotation("r0", "r1", "g"), NOW).await.unwrap(), Rotated::New);
    assert_eq!(b.rotate_refresh(rotation("r0", "x", "g"), NOW).await.unwrap(), Rotated::Replayed("r1".to_owned()));
    assert!(b.use_once("jti", "one", NOW + 60, NOW).await.unwrap());
    assert!(!a.use_once("jti", "one", NOW + 60, NOW).await.unwrap());
    assert!(a.replace_signing_keys(Vec::new(), vec![signing_key("k", KeyState::Current)]).await.unwrap());
    assert!(!b.replace_signing_keys(Vec::new(), vec![signing_key("other", KeyState::Current)]).await.unwrap());
    assert_eq!(b.signing_keys().await.unwrap(), [signing_key("k", KeyState::Current)]);
    // What all of them recorded is one chain, and both read the same.
    let of_a: Vec<_> = chain(&*a).await.into_iter().map(|event| event.hash).collect();
    let of_b: Vec<_> = chain(&*b).await.into_iter().map(|event| event.hash).collect();
    assert_eq!((of_a.len(), of_a), (4, of_b));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stops_gives_back_its_leases() {
    let (database, [a, b]) = replicas().await;
    let reader = connect(&database.name).await;
    let left = async || reader.query_one("SELECT count(*) FROM used_once", &[]).await.unwrap().get::<_, i64>(0);
    let output = "file /var/log/audit.jsonl";
    assert!(!a.sweep(NOW, 100).await.unwrap() && a.may_export(output).await.unwrap());
    assert!(b.use_once("jti", "expires", NOW + 1, NOW).await.unwrap());
    assert!(!b.sweep(NOW + 60, 100).await.unwrap() && !b.may_export(output).await.unwrap());
    assert_eq!(left().await, 1, "the other replica holds both leases");
    a.give_back_leases().await.unwrap();
    assert!(!b.sweep(NOW + 60, 100).await.unwrap() && b.may_export(output).await.unwrap());
    assert_eq!(left().await, 0);
    // What others hold can't be given back.
    a.give_back_leases().await.unwrap();
    assert!(!a.may_export(output).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d11_redemptions_at_several_replicas_leave_nothing() {
    let (_database, [a, b]) = replicas().await;
    let alice = person("alice");
    fill(&a).await;
    a.save_code(code("c", alice.grant("once", "s")), None, NOW).await.unwrap();
    let mut tasks = JoinSet::new();
    for n in 0..50 {
        let store = Arc::clone(if n % 2 == 0 { &a } else { &b });
        let grant = alice.grant("once", "s");
        tasks.spawn(async move {
            let first = Some(refresh(&format!("r{n}"), "once"));
            store.redeem_code(TokenHash::of("c"), grant, first, NOW, vec![event()]).await.unwrap()
        });
    }
    let firsts = tasks.join_all().await.into_iter().filter(|redeemed| *redeemed == Redeemed::First).count();
    assert_eq!(firsts, 1);
    let grant = b.grant(&grant_id("once")).await.unwrap().unwrap().grant;
    assert_eq!(grant.revoked_at, Some(NOW));
}

#[tokio::test]
async fn one_replica_sweeps_at_a_time() {
    let (database, [a, b]) = replicas().await;
    let expired = || async {
        a.use_once("jti", "a", NOW + 1, NOW).await.unwrap();
        a.sweep(NOW, 10).await.unwrap();
    };
    expired().await;
    assert!(!b.sweep(NOW + 10, 10).await.unwrap());
    let left = async || {
        let count = "SELECT count(*) FROM used_once";
        connect(&database.name).await.query_one(count, &[]).await.unwrap().get::<_, i64>(0)
    };
    assert_eq!(left().await, 1, "the other one holds the lease");
    // It has ended: the lease runs out.
    database.execute("UPDATE locks SET until = now() - interval '1 second' WHERE name = 'sweep'").await;
    assert!(!b.sweep(NOW + 10, 10).await.unwrap());
    assert_eq!(left().await, 0);
    expired().await;
    assert!(!a.sweep(NOW + 10, 10).await.unwrap());
    assert_eq!(left().await, 1, "now it is the first one that waits");
}

#[tokio::test]
async fn an_output_is_written_by_one_replica_at_a_time() {
    let (database, [a, b]) = replicas().await;
    assert!(a.may_export("stdout").await.unwrap() && a.may_export("stdout").await.unwrap());
    assert!(!b.may_export("stdout").await.unwrap());
    assert!(b.may_export("file /var/log/audit.jsonl").await.unwrap(), "another output");
    // The first one has ended.
    database.execute("UPDATE locks SET until = now() - interval '1 second' WHERE name = 'export stdout'").await;
    assert!(b.may_export("stdout").await.unwrap());
    assert!(!a.may_export("stdout").await.unwrap());
}

#[tokio::test]
async fn d40_secrets_are_in_no_table() {
    let database = Database::new().await;
    let store = open(&database.url()).await;
    fill(&store).await;
    for chained in [false, true] {
        if chained {
            chain(&store).await;
        }
        let cluster = cluster();
        let dump = Command::new(format!("{}pg_dump", cluster.programs))
            .args(["-h", cluster.folder.to_str().unwrap(), "-p", &cluster.port.to_string(), "-U", "postgres"])
            .args(["--inserts", &database.name])
            .output()
            .unwrap();
        let text = String::from_utf8(dump.stdout).unwrap();
        assert!(text.contains("user-alice"), "{}", String::from_utf8_lossy(&dump.stderr));
        let hex: String = b"CANARY".iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(!text.contains("CANARY") && !text.contains(&hex), "chained: {chained}");
    }
}

#[tokio::test]
async fn tables_that_were_empty_when_they_were_analysed_are_read_by_their_indexes() {
    let database = Database::new().await;
    let elsewhere = connect(&database.name).await;
    // What a connection has read is counted at the latest when it ends.
    let ended = async || {
        let others = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        while !elsewhere.query(others, &[]).await.unwrap().is_empty() {}
    };
    drop(open(&database.url()).await);
    ended().await;
    elsewhere.batch_execute("ANALYZE; SELECT pg_stat_reset()").await.unwrap();
    let store = open(&database.url()).await;
    fill(&store).await;
    for _ in 0..10 {
        assert!(store.session(secret("s")).await.unwrap().is_some());
    }
    drop(store);
    ended().await;
    let whole = "SELECT relname::text FROM pg_stat_user_tables WHERE seq_scan > 0 AND relname IN
        ('users', 'links', 'sessions', 'codes', 'grants', 'refresh_tokens', 'traces', 'logins')";
    let whole = elsewhere.query(whole, &[]).await.unwrap();
    let whole: Vec<String> = whole.iter().map(|row| row.get(0)).collect();
    assert_eq!(whole, [""; 0]);
}

#[tokio::test]
async fn a_connection_that_is_cut_is_made_again() {
    let database = Database::new().await;
    let store = open(&database.url()).await;
    fill(&store).await;
    for n in 0..5 {
        database.cut().await;
        assert!(store.session(secret("s")).await.unwrap().is_some());
        database.cut().await;
        store.save_login(login(&format!("after-{n}")), PendingBound::default()).await.unwrap();
    }
    store.ping().await.unwrap();
}

#[tokio::test]
async fn a_server_that_is_away_is_said_and_comes_back_by_itself() {
    let database = Database::new().await;
    let store = open(&database.url()).await;
    fill(&store).await;
    let name = &database.name;
    let elsewhere = connect("postgres").await;
    elsewhere.batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await.unwrap();
    database.cut().await;
    for _ in 0..3 {
        let failed = store.session(secret("s")).await;
        assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
        assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    }
    elsewhere.batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await.unwrap();
    assert!(store.session(secret("s")).await.unwrap().is_some());
    store.ping().await.unwrap();
}

#[tokio::test]
async fn d32_a_server_that_became_read_only_is_left_and_found_again() {
    let database = Database::new().await;
    let store = open(&database.url()).await;
    fill(&store).await;
    // As on a standby: every transaction is read-only.
    database.execute(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name)).await;
    database.cut().await;
    let failed = store.use_once("jti", "x", NOW + 60, NOW).await;
    assert!(failed.as_ref().is_err_and(StoreError::passes), "{failed:?}");
    let elsewhere = connect("postgres").await;
    let reset = format!("ALTER DATABASE {} RESET default_transaction_read_only", database.name);
    elsewhere.batch_execute(&reset).await.unwrap();
    assert!(store.use_once("jti", "x", NOW + 60, NOW).await.unwrap(), "nothing was written before");
}

#[tokio::test]
async fn d33_a_lock_that_somebody_holds_is_waited_for_and_then_said() {
    let database = Database::new().await;
    let store = open(&format!("{}?lock_timeout=50", database.url())).await;
    let mut other = connect(&database.name).await;
    let held = other.transaction().await.unwrap();
    held.execute("SELECT FROM locks WHERE name = 'signing_keys' FOR UPDATE", &[]).await.unwrap();
    let keys = || vec![signing_key("k", KeyState::Current)];
    let failed = store.replace_signing_keys(Vec::new(), keys()).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    held.rollback().await.unwrap();
    assert!(store.replace_signing_keys(Vec::new(), keys()).await.unwrap());
}

#[tokio::test]
async fn d33_a_statement_that_takes_too_long_is_given_up() {
    let database = Database::new().await;
    let store = open(&format!("{}?statement_timeout=1500&pool_max_conns=1", database.url())).await;
    let mut other = connect(&database.name).await;
    let held = other.transaction().await.unwrap();
    held.batch_execute("LOCK TABLE used_once IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let (first, second) =
        tokio::join!(store.use_once("jti", "a", NOW + 60, NOW), store.use_once("jti", "b", NOW + 60, NOW));
    for failed in [first, second] {
        assert!(matches!(failed, Err(StoreError::Unavailable(_))), "{failed:?}");
    }
    held.rollback().await.unwrap();
    assert!(store.use_once("jti", "a", NOW + 60, NOW).await.unwrap(), "nothing was written before");
}

#[tokio::test]
async fn a_text_that_the_server_cannot_store_is_nobodys() {
    let database = Database::new().await;
    let store = open(&database.url()).await;
    fill(&store).await;
    assert!(store.user("key-alice\0").await.unwrap().is_none());
    let mut sign_in = person("eve").sign_in("e");
    sign_in.link.key.subject = "eve\0".to_owned();
    assert!(matches!(store.finish_sign_in(sign_in, NOW).await, Err(StoreError::Corrupt(_))));
    assert!(store.user("key-eve").await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn notices_for_one_app_are_bounded_and_do_not_crowd_out_others() {
    let (database, [a, _]) = replicas().await;
    let alice = person("alice");
    assert_eq!(a.finish_sign_in(alice.sign_in("s"), NOW).await.unwrap(), SignInWritten::Done);
    for (id, client) in [("g1", "app"), ("g2", "other")] {
        let grant = Grant { client: client.to_owned(), ..alice.grant(id, "s") };
        a.save_grant(grant, None, NOW, Vec::new()).await.unwrap();
    }
    database
        .execute(
            "INSERT INTO logout_notices (client, user_id, sub, sid, trace_id, held_until, created_at)
                SELECT 'app', 'u', 'u', n::text, '', 0, 0 FROM generate_series(1, 10000) AS n",
        )
        .await;
    let clients = ["app".to_owned(), "other".to_owned()].into();
    let tell = Tell { clients, trace_id: String::new(), held_until: NOW };
    let apps = a.end_session(&session_id("s"), NOW, Vec::new(), &tell).await.unwrap();
    let kept = |client: &str| apps.iter().any(|app| app.client == client && app.notice.is_some());
    assert_eq!((apps.len(), kept("app"), kept("other")), (2, false, true));
}
