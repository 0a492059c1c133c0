#![expect(clippy::unwrap_used, reason = "tests")]

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::*;
use crate::cli::audit;
use crate::cli::plan::tests::folder;
use crate::config::load::files::Disk;
use crate::env::SystemRandomness;
use crate::store::Accounts as _;
use crate::store::sqlite::SqliteStore;

fn backed_up(folder: &Path, to: &Path, json: bool) -> (Exit, String, String) {
    let source = ConfigArgs { config: folder.join("broker.toml"), overlay: Vec::new() };
    let args = BackupArgs { to: to.to_path_buf(), source, json };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = run(&args, &Environment::new(), &Disk, &mut out, &mut err).unwrap();
    (exit, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

fn usernames(store: &Path) -> Vec<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = SqliteStore::open(&Location::File(store.into()), &[], Arc::new(SystemRandomness::default())).unwrap();
    let people = runtime.block_on(store.people(None, 10)).unwrap();
    people.into_iter().map(|person| person.user.username).collect()
}

#[test]
fn a_backup_is_made_while_the_store_is_used_and_can_be_restored() {
    let folder = folder();
    // A broker has the store open, and has written what is only in its log yet.
    let location = Location::File(folder.path().join("broker.db"));
    let open = SqliteStore::open(&location, &[], Arc::new(SystemRandomness::default())).unwrap();
    let copy = folder.path().join("copy.db");
    let (exit, out, err) = backed_up(folder.path(), &copy, false);
    assert_eq!(exit, Exit::Fine, "{err}");
    assert!(out.contains(": 2 users, ") && out.contains("is whole"), "{out}");
    assert!(err.contains("broker.db.key too") && err.contains("To restore"), "{err}");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    drop(open);

    // Restored in another place, with the key: everybody is there, with what was sealed.
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(&copy, elsewhere.path().join("broker.db")).unwrap();
    std::fs::copy(folder.path().join("broker.db.key"), elsewhere.path().join("broker.db.key")).unwrap();
    assert_eq!(usernames(&elsewhere.path().join("broker.db")), ["alice", "bob"]);

    let args = audit::AuditArgs {
        command: audit::AuditCommand::Tail { lines: 20 },
        broker: crate::cli::admin::BrokerArgs {
            config: ConfigArgs { config: folder.path().join("broker.toml"), overlay: Vec::new() },
            json: false,
        },
    };
    let mut trail = Vec::new();
    audit::run(&args, &Environment::new(), &Disk, &mut trail, &mut Vec::new()).unwrap();
    let trail = String::from_utf8(trail).unwrap();
    assert!(trail.contains("store_backed_up"), "{trail}");
}

#[test]
fn nothing_is_overwritten_and_what_can_not_be_copied_is_named() {
    let folder = folder();
    let there = folder.path().join("there.db");
    std::fs::write(&there, "mine").unwrap();
    let (exit, _, err) = backed_up(folder.path(), &there, false);
    assert!(exit == Exit::CouldNotRun && err.contains("nothing is overwritten"), "{err}");
    assert_eq!(std::fs::read_to_string(&there).unwrap(), "mine");
    let (exit, _, err) = backed_up(folder.path(), &folder.path().join("none/copy.db"), false);
    assert!(
        exit == Exit::CouldNotRun && err.contains("none/copy.db can't be written: its folder does not exist"),
        "{err}"
    );

    let file = std::fs::read_to_string(folder.path().join("broker.toml")).unwrap();
    for (url, said) in [("sqlite::memory:", "in the memory"), ("sqlite:other.db", "there is no store at")] {
        std::fs::write(folder.path().join("broker.toml"), file.replace("sqlite:broker.db", url)).unwrap();
        let (exit, _, err) = backed_up(folder.path(), &folder.path().join("new.db"), true);
        assert!(exit == Exit::CouldNotRun && err.contains(said), "{err}");
    }
    std::fs::write(folder.path().join("broker.toml"), file).unwrap();
    let database = std::fs::read(folder.path().join("broker.db")).unwrap();
    std::fs::write(folder.path().join("broker.db"), "this is no database, and long enough to be read as one").unwrap();
    for name in ["broker.db-wal", "broker.db-shm"] {
        drop(std::fs::remove_file(folder.path().join(name)));
    }
    let (exit, _, err) = backed_up(folder.path(), &folder.path().join("new.db"), false);
    assert!(exit == Exit::CouldNotRun && err.contains("broker.db"), "{err}");
    assert!(!folder.path().join("new.db").exists() && !folder.path().join("new.db.partial").exists());
    assert!(!database.is_empty());
}
