#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Mutex;

use super::watch::{LONGEST, QUIET};
use super::*;

/// The number of slices waited for if something changes in these.
fn waited(changes: impl Fn(u32) -> bool) -> u32 {
    let mut burst = Burst::default();
    (1..).find(|slice| burst.is_over(changes(*slice))).unwrap()
}

#[test]
fn d36_a_burst_of_writes_is_waited_for_and_an_endless_one_is_not() {
    assert_eq!(waited(|_| false), QUIET, "a single save");
    assert_eq!(waited(|slice| slice <= 20), 20 + QUIET, "a hundred writes in a second");
    assert_eq!(waited(|slice| slice % 3 != 0), LONGEST, "writes with short pauses that never end");
    assert!(SLICE * LONGEST < Duration::from_millis(1900), "which leaves time to load within two seconds");
}

/// A running broker that records the generations that a reload applies to it.
struct Recorded {
    serving: Mutex<Arc<Snapshot>>,
    applied: mpsc::UnboundedSender<u64>,
}

#[async_trait]
impl Generations for Recorded {
    fn serving(&self) -> Arc<Snapshot> {
        Arc::clone(&self.serving.lock().unwrap())
    }

    async fn apply(&self, snapshot: Snapshot) -> Result<(), String> {
        let generation = snapshot.generation;
        *self.serving.lock().unwrap() = Arc::new(snapshot);
        self.applied.send(generation).unwrap();
        Ok(())
    }

    async fn refused(&self, _: &str) {}
}

fn prepared(file: &std::path::Path) -> (Inputs, Prepared) {
    let inputs = Inputs { main: file.to_owned(), ..Inputs::default() };
    let options = Options { number: 1, without_secrets: false, now: 0 };
    let prepared = prepare(&inputs, &Disk, options).unwrap();
    (inputs, prepared)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d36_what_is_saved_while_the_broker_starts_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.toml");
    let text = |name: &str| {
        format!(
            "issuer = \"https://sso.example.com\"\n[clients.app]\nclient_name = \"{name}\"\ngrant_types = []\nclient_secret = \"s\"\n"
        )
    };
    std::fs::write(&file, text("Before")).unwrap();
    let (inputs, Prepared { fingerprint, involved, snapshot, .. }) = prepared(&file);
    // Saved after the files were read and before anything watched them.
    std::fs::write(&file, text("After")).unwrap();
    let (applied, mut generations) = mpsc::unbounded_channel();
    let broker = Arc::new(Recorded { serving: Mutex::new(Arc::new(snapshot.unwrap())), applied });
    let watched = Watched { inputs, fingerprint, involved, prepare: from_disk() };
    let clock = crate::env::ManualClock::at(0);
    let reloader = Reloader::new(Arc::clone(&broker) as _, clock, Arc::default(), watched);
    let running = tokio::spawn(reloader.run());
    let generation = tokio::time::timeout(Duration::from_secs(60), generations.recv()).await;
    assert_eq!(generation.unwrap(), Some(2));
    let name = broker.serving().config.clients.get("app").unwrap().client_name.clone();
    assert_eq!(name.as_deref(), Some("After"));
    running.abort();
}

/// Files that keep changing are read once they rest, and other files of the folder do not hold that up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d36_a_hundred_writes_are_not_a_hundred_generations() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.toml");
    let text = |n: u32| {
        format!(
            "issuer = \"https://sso.example.com\"\n[clients.app]\nclient_name = \"App {n}\"\ngrant_types = []\nclient_secret = \"s\"\n"
        )
    };
    std::fs::write(&file, text(0)).unwrap();
    let (inputs, Prepared { fingerprint, involved, snapshot, .. }) = prepared(&file);
    let (applied, mut generations) = mpsc::unbounded_channel();
    let broker = Arc::new(Recorded { serving: Mutex::new(Arc::new(snapshot.unwrap())), applied });
    let watched = Watched { inputs, fingerprint, involved, prepare: from_disk() };
    let clock = crate::env::ManualClock::at(0);
    let reloader = Reloader::new(Arc::clone(&broker) as _, clock, Arc::default(), watched);
    let running = tokio::spawn(reloader.run());
    let path = file.clone();
    let written = tokio::task::spawn_blocking(move || {
        for n in 1..=100 {
            std::fs::write(&path, text(n)).unwrap();
        }
    });
    written.await.unwrap();
    // A busy store in the same folder.
    let store = folder.path().join("broker.db-wal");
    let busy = tokio::task::spawn_blocking(move || {
        for n in 0..2_000_u32 {
            std::fs::write(&store, n.to_string()).unwrap();
            std::thread::yield_now();
        }
    });
    let name = || broker.serving().config.clients.get("app").unwrap().client_name.clone();
    let mut generation = 1;
    while name().as_deref() != Some("App 100") {
        generation = tokio::time::timeout(Duration::from_secs(60), generations.recv()).await.unwrap().unwrap();
    }
    // One, unless the machine is so busy that the writing itself rests for a while.
    assert!(generation <= 5, "{generation}");
    busy.await.unwrap();
    running.abort();
}

/// A store in the folder of the file is written all the time, and a reload costs as much as the configuration is long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d36_a_busy_store_beside_the_file_causes_no_reload() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.toml");
    std::fs::write(&file, "issuer = \"https://sso.example.com\"\n").unwrap();
    let (inputs, Prepared { fingerprint, involved, snapshot, .. }) = prepared(&file);
    let (read, mut reads) = mpsc::unbounded_channel();
    let disk = from_disk();
    let prepare: Prepare = Arc::new(move |inputs, options| {
        read.send(()).unwrap();
        disk(inputs, options)
    });
    let (applied, _generations) = mpsc::unbounded_channel();
    let broker = Arc::new(Recorded { serving: Mutex::new(Arc::new(snapshot.unwrap())), applied });
    let watched = Watched { inputs, fingerprint, involved, prepare };
    let reloader = Reloader::new(broker as _, crate::env::ManualClock::at(0), Arc::default(), watched);
    let running = tokio::spawn(reloader.run());
    reads.recv().await.unwrap();

    let store = folder.path().join("broker.db-wal");
    let busy = tokio::spawn(async move {
        loop {
            tokio::fs::write(&store, "a page").await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    let again = tokio::time::timeout(SLICE * (QUIET + 10), reads.recv()).await;
    assert!(again.is_err(), "the files were read although none of them had changed");
    std::fs::write(&file, "issuer = \"https://login.example.com\"\n").unwrap();
    tokio::time::timeout(Duration::from_secs(60), reads.recv()).await.unwrap().unwrap();
    busy.abort();
    running.abort();
}

/// A shadow needs no secrets, opens nothing, and keeps what it had when a change has problems.
#[tokio::test]
async fn a_shadow_is_reloaded_too() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shadow.toml");
    let text = |port: u16, when: &str| {
        format!(
            "issuer = \"https://sso.example.com\"\n[server]\nlisten = [\"127.0.0.1:{port}\"]\n[providers.corp]\n\
             issuer = \"https://id.example\"\nclient_id = \"c\"\nclient_secret = {{ file = \"not-here\" }}\nallow = \"{when}\"\n"
        )
    };
    std::fs::write(&file, text(1, "'a' in claims.groups")).unwrap();
    let inputs = Inputs { main: file.clone(), ..Inputs::default() };
    let options = Options { number: 1, without_secrets: true, now: 0 };
    let Prepared { fingerprint, involved, snapshot, .. } = prepare(&inputs, &Disk, options).unwrap();
    let shadow = Arc::new(crate::snapshot::shadow::Shadow::new(file.clone(), snapshot.unwrap()));
    let watched = Watched { inputs, fingerprint, involved, prepare: from_disk() };
    let clock = crate::env::ManualClock::at(0);
    let mut reloader = Reloader::new(Arc::clone(&shadow) as _, clock, Arc::default(), watched).that_only_decides();
    let allow = || {
        shadow.current().policy.providers.get("corp").unwrap().allow.as_ref().unwrap().expression.source().to_owned()
    };

    std::fs::write(&file, text(2, "'b' in claims.groups")).unwrap();
    assert_eq!(reloader.reload().await, Reloaded::Applied(2), "another address needs no restart");
    assert_eq!(allow(), "'b' in claims.groups");
    std::fs::write(&file, "issuer = 1").unwrap();
    assert!(matches!(reloader.reload().await, Reloaded::Refused(_)));
    assert_eq!(allow(), "'b' in claims.groups");
}

/// While the file is away, whatever else happens in its folder is no new problem.
#[tokio::test]
async fn a_file_that_is_away_is_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.toml");
    let text = "issuer = \"https://sso.example.com\"\n[clients.app]\ngrant_types = []\nclient_secret = \"s\"\n";
    std::fs::write(&file, text).unwrap();
    let (inputs, Prepared { fingerprint, involved, snapshot, .. }) = prepared(&file);
    let broker =
        Arc::new(Recorded { serving: Mutex::new(Arc::new(snapshot.unwrap())), applied: mpsc::unbounded_channel().0 });
    let (status, watched) =
        (Arc::new(ReloadStatus::default()), Watched { inputs, fingerprint, involved, prepare: from_disk() });
    let clock = crate::env::ManualClock::at(0);
    let mut reloader = Reloader::new(broker, clock, Arc::clone(&status), watched);
    for _ in 0..2 {
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(reloader.reload().await, Reloaded::Refused(why) if why.contains("can't be read")));
        assert_eq!(reloader.reload().await, Reloaded::Unchanged);
        assert!(status.failed(), "it is still away");
        std::fs::write(&file, text).unwrap();
        assert_eq!(reloader.reload().await, Reloaded::Unchanged);
        assert!(!status.failed(), "it is back");
    }
}
