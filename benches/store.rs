//! The store operations of a sign-in, a refresh and a userinfo call, on an SQLite file. `cargo bench --bench store`.
//! Writes include the sync to disk; `parallel` shows how group commit shares it.

#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first failure")]

#[expect(dead_code, reason = "the tests use more of it")]
#[path = "../tests/store/fixtures.rs"]
mod fixtures;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use countersign::env::SystemRandomness;
use countersign::store::model::TokenHash;
use countersign::store::sqlite::{Location, SqliteStore};
use countersign::store::{
    Grants as _, PendingBound, PendingSignIns as _, Redeemed, Rotated, Sessions as _, SignInWritten,
};
use divan::Bencher;
use fixtures::{NOW, browser, code, grant_id, login, person, refresh, rotation, session_id};
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

fn next() -> u64 {
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

struct Bench {
    runtime: Runtime,
    store: Arc<SqliteStore>,
    _folder: tempfile::TempDir,
}

/// A store on the disk of the working directory, since `/tmp` may be in memory.
fn bench() -> Bench {
    let folder = tempfile::tempdir_in(".").unwrap();
    let location = Location::File(folder.path().join("broker.db"));
    let store = SqliteStore::open(&location, &[], Arc::new(SystemRandomness::default())).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    Bench { runtime, store: Arc::new(store), _folder: folder }
}

/// The four writes of a sign-in: leaving for the provider, coming back, finishing with a code, and redeeming it.
async fn sign_in(store: &SqliteStore) {
    let n = next();
    let someone = person(n.to_string());
    let (state, session, grant) = (format!("state-{n}"), format!("session-{n}"), format!("grant-{n}"));
    store.save_login(login(&state), PendingBound::default()).await.unwrap();
    store.take_login(TokenHash::of(&state), &[browser()], NOW).await.unwrap().unwrap();
    let mut written = someone.sign_in(&session);
    written.code = Some(code(&grant, someone.grant(&grant, &session)));
    assert_eq!(store.finish_sign_in(written, NOW).await.unwrap(), SignInWritten::Done);
    let first = refresh(&format!("refresh-{n}"), &grant);
    let hash = TokenHash::of(&grant);
    let redeemed =
        store.redeem_code(hash, someone.grant(&grant, &session), Some(first), NOW, Vec::new()).await.unwrap();
    assert_eq!(redeemed, Redeemed::First);
}

#[divan::bench]
fn sign_in_alone(bencher: Bencher<'_, '_>) {
    let bench = bench();
    bencher.bench_local(|| bench.runtime.block_on(sign_in(&bench.store)));
}

#[divan::bench(sample_count = 20)]
fn sign_in_64_parallel(bencher: Bencher<'_, '_>) {
    let bench = bench();
    bencher.counter(64_usize).bench_local(|| {
        bench.runtime.block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..64 {
                let store = Arc::clone(&bench.store);
                tasks.spawn(async move { sign_in(&store).await });
            }
            tasks.join_all().await;
        });
    });
}

#[divan::bench]
fn redeem_code(bencher: Bencher<'_, '_>) {
    let bench = bench();
    let someone = person("someone");
    bench.runtime.block_on(bench.store.finish_sign_in(someone.sign_in("session"), NOW)).unwrap();
    bencher
        .with_inputs(|| {
            let name = format!("code-{}", next());
            let grant = someone.grant(&name, "session");
            bench.runtime.block_on(bench.store.save_code(code(&name, grant.clone()), None, NOW)).unwrap();
            (TokenHash::of(&name), grant)
        })
        .bench_local_values(|(hash, grant)| {
            let first = refresh(&format!("refresh-{}", next()), grant.id.as_str());
            bench.runtime.block_on(bench.store.redeem_code(hash, grant, Some(first), NOW, Vec::new())).unwrap()
        });
}

#[divan::bench]
fn refresh_rotation(bencher: Bencher<'_, '_>) {
    let bench = bench();
    let someone = person("someone");
    bench.runtime.block_on(async {
        bench.store.finish_sign_in(someone.sign_in("session"), NOW).await.unwrap();
        let grant = someone.grant("grant", "session");
        bench.store.save_code(code("code", grant.clone()), None, NOW).await.unwrap();
        let first = refresh("token-0", "grant");
        bench.store.redeem_code(TokenHash::of("code"), grant, Some(first), NOW, Vec::new()).await.unwrap();
    });
    let mut n = 0;
    bencher.bench_local(|| {
        let mut turn = rotation(&format!("token-{n}"), &format!("token-{}", n + 1), "grant");
        turn.link = Some(someone.link());
        turn.touch_session = Some(session_id("session"));
        n += 1;
        let rotated = bench.runtime.block_on(bench.store.rotate_refresh(turn, NOW)).unwrap();
        assert_eq!(rotated, Rotated::New);
    });
}

#[divan::bench]
fn grant_read(bencher: Bencher<'_, '_>) {
    let bench = bench();
    let someone = person("someone");
    bench.runtime.block_on(async {
        bench.store.finish_sign_in(someone.sign_in("session"), NOW).await.unwrap();
        bench.store.save_grant(someone.grant("grant", "session"), None, NOW, Vec::new()).await.unwrap();
    });
    bencher.bench_local(|| bench.runtime.block_on(bench.store.grant(&grant_id("grant"))).unwrap());
}
