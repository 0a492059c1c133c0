//! A disk of 40 MiB that the store fills, and a file system that is read-only for a while. Both need a mount of their own in a
//! namespace. If the kernel refuses to create one, these tests fail, unless `COUNTERSIGN_TEST_WITHOUT_SMALL_DISK` states that
//! they are to be left out.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use countersign::env::SystemRandomness;
use countersign::store::model::{Login, TokenHash};
use countersign::store::sqlite::{Location, SqliteStore};
use countersign::store::{
    Maintenance as _, PendingBound, PendingSignIns as _, Sessions as _, SignInWritten, StoreError,
};

use crate::fixtures::{NOW, browser, login, person, secret};

const FOLDER: &str = "COUNTERSIGN_TEST_SMALL_DISK";
const LEFT_OUT: &str = "COUNTERSIGN_TEST_WITHOUT_SMALL_DISK";
/// How a mount namespace is made: as any user where that is permitted, else as root.
const NAMESPACES: [&[&str]; 2] = [&["--user", "--map-root-user", "--mount"], &["--mount"]];
const NO_BOUND: PendingBound = PendingBound { rows: u64::MAX, bytes: u64::MAX };

/// Runs a test of this binary where `FOLDER` is a disk of 40 MiB.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn on_a_small_disk(test: &str) {
    let folder = tempfile::tempdir().unwrap();
    let disk = |namespace: &[&str], then: &str| {
        let script = format!("mount -t tmpfs -o size=40m none \"${FOLDER}\" && {then}");
        let mut command = Command::new("unshare");
        command.args(namespace).args(["sh", "-c", &script]).env(FOLDER, folder.path());
        command
    };
    let works = |namespace: &&&[&str]| disk(namespace, "true").output().is_ok_and(|output| output.status.success());
    let Some(namespace) = NAMESPACES.iter().find(works) else {
        let why = "no disk can be mounted here: mount namespaces are not permitted";
        assert!(std::env::var_os(LEFT_OUT).is_some(), "{why}. Run as root, or set {LEFT_OUT}=1 to leave this test out");
        eprintln!("NOT RUN: {test}: {why}");
        return;
    };
    let run = format!("exec \"$0\" --exact full_disk::{test} --ignored --nocapture");
    let output = disk(namespace, &run).arg(std::env::current_exe().unwrap()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(&Location::File(path.to_path_buf()), &[], Arc::new(SystemRandomness::default())).unwrap()
}

fn large(state: &str) -> Login {
    Login { data: "x".repeat(16_000), ..login(state) }
}

/// Begins sign-ins until no space is left; returns how many were stored. A single refusal does not count: the next sign-in
/// finds that the log has been moved, however busy the machine is.
async fn fill(store: &SqliteStore, name: &str) -> usize {
    let (mut kept, mut refused) = (0, 0);
    for n in 0.. {
        match store.save_login(large(&format!("{name}-{n}")), NO_BOUND).await {
            Ok(()) => (kept, refused) = (kept + 1, 0),
            Err(StoreError::Full(_)) if refused == 1 => break,
            Err(StoreError::Full(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    kept
}

#[test]
fn d32_a_disk_that_the_store_filled_is_recovered_from() {
    on_a_small_disk("filled_and_swept");
}

#[test]
fn d32_a_store_starts_on_a_full_disk_and_recovers() {
    on_a_small_disk("filled_and_started_again");
}

#[test]
fn d32_a_store_that_started_read_only_is_written_again() {
    on_a_small_disk("read_only_for_a_while");
}

fn folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

#[tokio::test]
#[ignore = "started by d32_a_disk_that_the_store_filled_is_recovered_from"]
async fn filled_and_swept() {
    let Some(folder) = folder() else { return };
    let store = open(&folder.join("broker.db"));
    assert_eq!(store.finish_sign_in(person("alice").sign_in("s"), NOW).await.unwrap(), SignInWritten::Done);
    let kept = fill(&store, "first").await;
    assert!(kept > 500, "{kept}");
    // The disk stays full, and the store still responds as long as nothing expires; what was stored is readable.
    for _ in 0..50 {
        fill(&store, "more").await;
    }
    assert!(store.session(secret("s")).await.unwrap().is_some());
    assert!(store.take_login(TokenHash::of("first-0"), &[browser()], NOW).await.unwrap().is_some());
    for round in 0..3 {
        while store.sweep(NOW + 600, 500).await.unwrap() {}
        store.ping().await.unwrap();
        let again = fill(&store, &format!("round-{round}")).await;
        assert!(again > kept / 2, "{again} of {kept}");
    }
}

#[tokio::test]
#[ignore = "started by d32_a_store_starts_on_a_full_disk_and_recovers"]
async fn filled_and_started_again() {
    let Some(folder) = folder() else { return };
    let path = folder.join("broker.db");
    let store = open(&path);
    fill(&store, "first").await;
    for _ in 0..10 {
        fill(&store, "more").await;
    }
    drop(store);
    // Other programs may use the remaining space.
    let rest = folder.join("rest");
    drop(std::fs::write(&rest, vec![1; 40 * 1024 * 1024]));
    let store = SqliteStore::open(&Location::File(path.clone()), &[], Arc::new(SystemRandomness::default()));
    let store = match store {
        Ok(store) => store,
        Err(error) => {
            // Not one byte is free: the store starts as soon as there is some space.
            assert!(error.to_string().contains("full") || error.to_string().contains("disk I/O"), "{error}");
            std::fs::OpenOptions::new().write(true).open(&rest).unwrap().set_len(0).unwrap();
            open(&path)
        }
    };
    assert!(store.take_login(TokenHash::of("first-1"), &[browser()], NOW).await.unwrap().is_some());
    while store.sweep(NOW + 600, 500).await.unwrap() {}
    store.save_login(large("after"), NO_BOUND).await.unwrap();
    store.ping().await.unwrap();
}

#[tokio::test]
#[ignore = "started by d32_a_store_that_started_read_only_is_written_again"]
async fn read_only_for_a_while() {
    let Some(folder) = folder() else { return };
    let path = folder.join("broker.db");
    let mount = |how: &str| {
        let status = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&folder).status().unwrap();
        assert!(status.success());
    };
    // A process was killed: its log and its shared memory still exist.
    let copies = folder.join("copies");
    std::fs::create_dir(&copies).unwrap();
    let store = open(&path);
    assert_eq!(store.finish_sign_in(person("alice").sign_in("s"), NOW).await.unwrap(), SignInWritten::Done);
    let endings = ["", "-wal", "-shm", ".key", ".reserve"];
    let name = |folder: &Path, ending: &str| folder.join(format!("broker.db{ending}"));
    for ending in endings {
        std::fs::copy(name(&folder, ending), name(&copies, ending)).unwrap();
    }
    drop(store);
    mount("ro");
    let store = open(&name(&copies, ""));
    assert!(store.session(secret("s")).await.unwrap().is_some(), "it reads");
    for _ in 0..3 {
        assert!(matches!(store.ping().await, Err(StoreError::ReadOnly(_))), "{:?}", store.ping().await);
        assert!(matches!(store.save_login(login("a"), NO_BOUND).await, Err(StoreError::ReadOnly(_))));
    }
    mount("rw");
    store.ping().await.unwrap();
    store.save_login(login("a"), NO_BOUND).await.unwrap();
    assert!(store.take_login(TokenHash::of("a"), &[browser()], NOW).await.unwrap().is_some());
    assert!(store.session(secret("s")).await.unwrap().is_some());
}
