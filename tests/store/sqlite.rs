//! The SQLite backend: the conformance suite on a file and in memory, and additional tests on a file.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use countersign::env::SystemRandomness;
use countersign::store::ids::UserId;
use countersign::store::model::{KeyState, TokenHash};
use countersign::store::sqlite::{Location, OpenError, SqliteStore};
use countersign::store::{
    Accounts as _, Administration as _, Grants as _, Maintenance as _, OneTimeIds as _, PendingSignIns as _, Rotated,
    Sessions as _, SigningKeys as _, Store, StoreError, Tell, Traces as _,
};
use tempfile::TempDir;

use crate::fixtures::{NOW, browser, event, fill, grant_id, login, person, rotation, secret, signing_key};

const KEY_A: &[u8] = b"the first store key of these tests";
const KEY_B: &[u8] = b"the second store key of these tests";

/// An empty store, with what must outlive it.
pub(crate) struct Made {
    pub(crate) store: Arc<dyn Store>,
    _folder: Option<TempDir>,
}

fn open(location: &Location, keys: &[&[u8]]) -> Result<SqliteStore, OpenError> {
    let keys: Vec<Vec<u8>> = keys.iter().map(|key| key.to_vec()).collect();
    SqliteStore::open(location, &keys, Arc::new(SystemRandomness::default()))
}

mod on_a_file {
    use super::{Arc, Location, Made, open};

    async fn make() -> Made {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::File(folder.path().join("broker.db"));
        Made { store: Arc::new(open(&location, &[]).unwrap()), _folder: Some(folder) }
    }

    crate::conformance::conforms!(make);
}

mod in_memory {
    use super::{Arc, Location, Made, open};

    async fn make() -> Made {
        Made { store: Arc::new(open(&Location::Memory, &[]).unwrap()), _folder: None }
    }

    crate::conformance::conforms!(make);
}

/// A folder for a store that does not exist yet.
fn place() -> (TempDir, Location, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state").join("broker.db");
    (folder, Location::File(path.clone()), path)
}

#[test]
fn a_location_is_read_from_its_url() {
    assert_eq!(Location::from_url("sqlite:state/broker.db"), Some(Location::File("state/broker.db".into())));
    assert_eq!(Location::from_url("sqlite:/var/lib/b.db"), Some(Location::File("/var/lib/b.db".into())));
    assert_eq!(Location::from_url("sqlite::memory:"), Some(Location::Memory));
    assert_eq!(Location::from_url("sqlite:"), None);
    assert_eq!(Location::from_url("postgres://db/broker"), None);
}

#[test]
fn another_programs_database_is_named_as_one_even_without_a_key() {
    let (_folder, location, path) = place();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    let said = open(&location, &[]).unwrap_err().to_string();
    assert!(said.contains("is not a Countersign store"), "{said}");
}

#[tokio::test]
async fn files_are_for_their_owner_alone() {
    let (_folder, location, path) = place();
    let store = open(&location, &[]).unwrap();
    fill(&store).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = path.parent().unwrap();
    assert_eq!(mode(folder), 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.path());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["broker.db", "broker.db-shm", "broker.db-wal", "broker.db.key", "broker.db.reserve"]);

    // A file that was restored with a wider mode is narrowed again.
    drop(store);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    open(&location, &[]).unwrap();
    assert_eq!(mode(&path), 0o600);
}

#[tokio::test]
async fn d40_secrets_are_in_no_byte_of_the_files() {
    let (_folder, location, path) = place();
    let store = open(&location, &[KEY_A]).unwrap();
    fill(&store).await;
    for merged in [false, true] {
        let mut bytes = Vec::new();
        for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
            bytes.extend(std::fs::read(entry.unwrap().path()).unwrap());
        }
        assert!(bytes.windows(5).any(|window| window == b"alice"), "merged: {merged}");
        assert!(!bytes.windows(6).any(|window| window == b"CANARY"), "merged: {merged}");
        if !merged {
            // Moves the log into the database, where the rows are searched for next.
            store.ping().await.unwrap();
            rusqlite::Connection::open(&path)
                .unwrap()
                .query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(()))
                .unwrap();
        }
    }
}

#[tokio::test]
async fn everything_outlives_a_restart() {
    let (_folder, location, _) = place();
    let store = open(&location, &[]).unwrap();
    fill(&store).await;
    drop(store);
    let store = open(&location, &[]).unwrap();
    let alice = person("alice");
    assert_eq!(store.take_login(TokenHash::of("state"), &[browser()], NOW).await.unwrap(), Some(login("state")));
    let view = store.session(secret("s")).await.unwrap().unwrap();
    assert_eq!((view.user, view.link), (alice.user(), Some(alice.link())));
    assert_eq!(store.signing_keys().await.unwrap(), [signing_key("k", KeyState::Current)]);
    assert!(!store.use_once("jti", "CANARY-jti", NOW + 60, NOW).await.unwrap());
    let replay = rotation("CANARY-refresh-0", "other", "g");
    let replayed = store.rotate_refresh(replay, NOW + 1).await.unwrap();
    assert_eq!(replayed, Rotated::Replayed("CANARY-refresh-1".to_owned()));
}

#[tokio::test]
async fn d13_reuse_is_found_after_a_restart() {
    let (_folder, location, _) = place();
    let store = open(&location, &[]).unwrap();
    fill(&store).await;
    while store.sweep(NOW + 10, 10).await.unwrap() {}
    drop(store);
    let store = open(&location, &[]).unwrap();
    let reuse = rotation("CANARY-refresh-0", "other", "g");
    assert_eq!(store.rotate_refresh(reuse, NOW + 20).await.unwrap(), Rotated::Reused);
    drop(store);
    let store = open(&location, &[]).unwrap();
    assert_eq!(store.grant(&grant_id("g")).await.unwrap().unwrap().grant.revoked_at, Some(NOW + 20));
    let next = rotation("CANARY-refresh-1", "other", "g");
    assert_eq!(store.rotate_refresh(next, NOW + 20).await.unwrap(), Rotated::Refused);
}

#[tokio::test]
async fn other_keys_do_not_open_a_store() {
    let (_folder, location, _) = place();
    fill(&open(&location, &[KEY_A]).unwrap()).await;
    let Err(OpenError::WrongKey { .. }) = open(&location, &[KEY_B]) else { panic!("opened with another key") };
    let error = open(&location, &[]).unwrap_err();
    assert!(error.to_string().contains("store.encryption_keys"), "{error}");
}

#[tokio::test]
async fn a_second_key_seals_from_now_on_and_the_first_still_opens() {
    let (_folder, location, _) = place();
    fill(&open(&location, &[KEY_A]).unwrap()).await;
    let both = open(&location, &[KEY_B, KEY_A]).unwrap();
    let bob = person("bob");
    both.finish_sign_in(bob.sign_in("b"), NOW).await.unwrap();
    assert!(both.session(secret("s")).await.unwrap().is_some());
    assert!(both.session(secret("b")).await.unwrap().is_some());
    drop(both);

    let second = open(&location, &[KEY_B]).unwrap();
    assert!(second.session(secret("b")).await.unwrap().is_some());
    let Err(StoreError::Corrupt(message)) = second.session(secret("s")).await else { panic!("opened without its key") };
    assert!(message.contains("add it at the end of the list"), "{message}");
}

#[tokio::test]
async fn a_lost_key_file_is_said_and_not_replaced() {
    let (_folder, location, path) = place();
    fill(&open(&location, &[]).unwrap()).await;
    let key = path.with_extension("db.key");
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    let error = open(&location, &[]).unwrap_err();
    assert!(error.to_string().contains("broker.db.key is missing"), "{error}");
    assert!(!key.exists());
    std::fs::write(&key, kept).unwrap();
    open(&location, &[]).unwrap();
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let (_folder, location, path) = place();
    drop(open(&location, &[]).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = open(&location, &[]).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[test]
fn another_programs_database_is_refused() {
    let (_folder, location, path) = place();
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
    assert!(matches!(open(&location, &[KEY_A]).unwrap_err(), OpenError::Foreign { .. }));
    std::fs::write(&path, b"not a database at all, but some text that is long enough to be looked at").unwrap();
    assert!(matches!(open(&location, &[KEY_A]).unwrap_err(), OpenError::Sqlite { .. }));
}

#[test]
fn several_processes_may_start_on_no_store_at_once() {
    // Repeated, because SQLite refuses at once, without waiting, in a short moment of the first start only.
    for _ in 0..20 {
        let (_folder, location, _) = place();
        std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&location, &[]))).collect();
            for start in starts {
                start.join().unwrap().unwrap();
            }
        });
    }
}

#[tokio::test]
async fn a_second_process_reads_and_takes_access_away() {
    let (_folder, location, _) = place();
    let server = open(&location, &[]).unwrap();
    fill(&server).await;
    let command = open(&location, &[]).unwrap();
    assert_eq!(command.people(None, 10).await.unwrap().len(), 1);
    command.set_user_disabled(&UserId::new("user-alice"), true, NOW, event(), &Tell::default()).await.unwrap();
    assert!(server.session(secret("s")).await.unwrap().is_none());
    assert!(server.grant(&grant_id("g")).await.unwrap().unwrap().grant.revoked_at.is_some());
}

#[tokio::test]
async fn d31_a_lost_database_is_said_and_no_new_store_begun() {
    let (_folder, location, path) = place();
    for keys in [&[][..], &[KEY_A]] {
        fill(&open(&location, &[]).unwrap()).await;
        let kept = std::fs::read(&path).unwrap();
        for emptied in [false, true] {
            std::fs::remove_file(&path).unwrap();
            if emptied {
                std::fs::write(&path, b"").unwrap();
            }
            let Err(lost) = open(&location, keys) else { panic!("began a new store") };
            let OpenError::Lost { signs, .. } = &lost else { panic!("{lost}") };
            assert_eq!(signs.0, [path.with_extension("db.key"), path.with_extension("db.reserve")]);
            assert!(lost.to_string().contains("every user gets another sub"), "{lost}");
            assert_eq!(path.exists(), emptied, "nothing is made");
            std::fs::write(&path, &kept).unwrap();
        }
        // A database without a table is not a store either.
        std::fs::remove_file(&path).unwrap();
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA user_version = 0; VACUUM;").unwrap();
        drop(connection);
        assert!(matches!(open(&location, keys), Err(OpenError::Lost { .. })));
        // The remedy that the error names.
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_file(path.with_extension("db.key")).unwrap();
        std::fs::remove_file(path.with_extension("db.reserve")).unwrap();
        open(&location, keys).unwrap();
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}

#[tokio::test]
async fn d31_a_first_start_that_was_interrupted_is_gone_on_with() {
    let (_folder, location, path) = place();
    let beside = |ending: &str| path.with_extension(format!("db{ending}"));
    for (database, log) in [(None, None), (Some(&b""[..]), None), (Some(&b""[..]), Some(&b""[..]))] {
        drop(open(&location, &[]).unwrap());
        // The key was created, and then the process ended.
        std::fs::rename(beside(".key"), beside(".key.new")).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::remove_file(beside(".reserve")).unwrap();
        database.into_iter().for_each(|bytes| std::fs::write(&path, bytes).unwrap());
        log.into_iter().for_each(|bytes| std::fs::write(beside("-wal"), bytes).unwrap());
        fill(&open(&location, &[]).unwrap()).await;
        assert!(beside(".key").exists() && !beside(".key.new").exists());
        std::fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
    // The store was created, and the process ended before the key got its final name.
    fill(&open(&location, &[]).unwrap()).await;
    std::fs::rename(beside(".key"), beside(".key.new")).unwrap();
    let store = open(&location, &[]).unwrap();
    assert!(store.session(secret("s")).await.unwrap().is_some());
    assert!(beside(".key").exists());
}

#[tokio::test]
async fn d31_a_damaged_database_is_said_to_be_damaged_and_not_ready() {
    let (_folder, location, path) = place();
    fill(&open(&location, &[]).unwrap()).await;
    // Without the free pages that migrations leave: nothing is read from those.
    rusqlite::Connection::open(&path).unwrap().execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);").unwrap();
    let sound = std::fs::read(&path).unwrap();
    let pages = sound.len() / 4096;
    for page in 1..pages {
        let mut broken = sound.clone();
        broken.get_mut(page * 4096..(page + 1) * 4096).unwrap().fill(0x5a);
        std::fs::write(&path, broken).unwrap();
        let Ok(store) = open(&location, &[]) else { continue };
        let ready = store.ping().await;
        assert!(matches!(ready, Err(StoreError::Damaged(_))), "page {page}: {ready:?}");
        assert!(ready.unwrap_err().to_string().contains("restore a backup"));
    }
    std::fs::write(&path, sound).unwrap();
    open(&location, &[]).unwrap().ping().await.unwrap();
}

#[tokio::test]
async fn d31_damage_that_an_operation_meets_is_remembered() {
    let (_folder, location, path) = place();
    let store = open(&location, &[]).unwrap();
    fill(&store).await;
    // Moves the log into the database, and then the table of traces is overwritten under the running store.
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let root: u64 = connection
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_traces_1'", [], |row| row.get(0))
        .map(|page: i64| page.unsigned_abs())
        .unwrap();
    store.ping().await.unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[0x5a; 4096], (root - 1) * 4096).unwrap();
    let met = store.trace("trace-s", NOW).await;
    assert!(matches!(met, Err(StoreError::Damaged(_))), "{met:?}");
    assert!(matches!(store.ping().await, Err(StoreError::Damaged(_))));
    std::mem::forget(file);
    drop(connection);
}

#[test]
fn d31_a_lost_database_is_noticed_where_the_file_names_the_keys_too() {
    let (_folder, location, path) = place();
    drop(open(&location, &[KEY_A]).unwrap());
    assert!(!path.with_extension("db.key").exists());
    std::fs::write(&path, b"").unwrap();
    let Err(OpenError::Lost { signs, .. }) = open(&location, &[KEY_A]) else { panic!("began a new store") };
    assert_eq!(signs.0, [path.with_extension("db.reserve")]);
    assert!(open(&location, &[]).is_err());
    assert!(!path.with_extension("db.key.new").exists(), "no key is made for it");
    // An empty file alone is a location that somebody prepared.
    std::fs::remove_file(path.with_extension("db.reserve")).unwrap();
    open(&location, &[KEY_A]).unwrap();
}
