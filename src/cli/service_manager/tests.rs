#![expect(clippy::unwrap_used, reason = "tests")]

use async_trait::async_trait;

use super::*;
use crate::metrics::StoreFigures;
use crate::store::{Result, StoreError};

/// A service manager that listens at `named`, which is a path or `@` and a name.
fn manager(named: &str, more: &[(&str, &str)]) -> (UnixDatagram, ServiceManager) {
    let address = match named.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name).unwrap(),
        None => SocketAddr::from_pathname(named).unwrap(),
    };
    let listening = UnixDatagram::bind_addr(&address).unwrap();
    listening.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut environment = Environment::from([("NOTIFY_SOCKET".to_owned(), named.to_owned())]);
    environment.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    (listening, ServiceManager::of(&environment).unwrap())
}

fn next(listening: &UnixDatagram) -> String {
    let mut buffer = [0; 8192];
    let length = listening.recv(&mut buffer).unwrap();
    String::from_utf8(buffer.get(..length).unwrap().to_vec()).unwrap()
}

fn watched(manager: ServiceManager, store: impl Maintenance + 'static) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.spawn(Arc::new(manager).watch(Arc::new(store)));
    runtime
}

/// A store that answers, says that the disk is full, or hangs.
enum Store {
    Answers,
    Fails,
    Hangs,
}

#[async_trait]
impl Maintenance for Store {
    async fn ping(&self) -> Result<()> {
        match self {
            Self::Answers => Ok(()),
            Self::Fails => Err(StoreError::Full("no space\nMAINPID=1".into())),
            Self::Hangs => std::future::pending().await,
        }
    }

    async fn count_sessions(&self, _: i64) -> Result<u64> {
        Ok(0)
    }

    fn figures(&self) -> StoreFigures {
        StoreFigures::default()
    }

    fn waiting(&self) -> usize {
        0
    }

    async fn sweep(&self, _: i64, _: u32) -> Result<bool> {
        Ok(false)
    }

    async fn give_back_leases(&self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn it_is_told_through_sockets_with_a_path_and_in_the_abstract_namespace() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify").display().to_string();
    for named in [path, format!("@countersign-test-{}", std::process::id())] {
        let (listening, manager) = manager(&named, &[]);
        manager.stopping();
        assert_eq!(next(&listening), "STOPPING=1\nSTATUS=stopping after the requests under way\n");
    }
}

#[test]
fn what_can_not_be_understood_is_an_error_that_names_the_variable() {
    let of = |variables: &[(&str, &str)]| {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        ServiceManager::of(&owned.collect()).map(|manager| (manager.socket.is_some(), manager.watchdog))
    };
    let socket = ("NOTIFY_SOCKET", "/run/notify");
    assert_eq!(of(&[]).unwrap(), (false, None));
    assert_eq!(of(&[("NOTIFY_SOCKET", "")]).unwrap(), (false, None));
    assert_eq!(of(&[socket]).unwrap(), (true, None));
    assert_eq!(of(&[socket, ("WATCHDOG_USEC", "30000000")]).unwrap(), (true, Some(Duration::from_secs(30))));
    let own = std::process::id().to_string();
    let others = "1";
    assert_eq!(
        of(&[socket, ("WATCHDOG_USEC", "2000"), ("WATCHDOG_PID", &own)]).unwrap().1,
        Some(Duration::from_millis(2))
    );
    assert_eq!(of(&[socket, ("WATCHDOG_USEC", "2000"), ("WATCHDOG_PID", others)]).unwrap().1, None);
    for wrong in [
        ("NOTIFY_SOCKET", "vsock:2:1234"),
        ("NOTIFY_SOCKET", "notify"),
        ("NOTIFY_SOCKET", &format!("/{}", "x".repeat(200))),
        ("WATCHDOG_USEC", "30s"),
        ("WATCHDOG_USEC", "0"),
        ("WATCHDOG_PID", "-1"),
    ] {
        let variables = if wrong.0 == socket.0 { vec![wrong] } else { vec![socket, wrong] };
        assert!(of(&variables).unwrap_err().starts_with(wrong.0), "{wrong:?}");
    }
}

#[test]
fn the_watchdog_is_kept_alive_while_the_store_answers_whatever_it_says() {
    let folder = tempfile::tempdir().unwrap();
    for (store, first) in [
        (Store::Answers, "WATCHDOG=1\n".to_owned()),
        (Store::Fails, "WATCHDOG=1\nSTATUS=the store is full: no space MAINPID=1\n".to_owned()),
    ] {
        let named = folder.path().join(first.len().to_string()).display().to_string();
        let (listening, manager) = manager(&named, &[("WATCHDOG_USEC", "20000")]);
        let runtime = watched(manager, store);
        assert_eq!(next(&listening), first);
        for _ in 0..5 {
            assert_eq!(next(&listening), "WATCHDOG=1\n");
        }
        runtime.shutdown_background();
    }
}

#[test]
fn a_store_that_hangs_leaves_the_watchdog_to_act() {
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().join("notify").display().to_string();
    let (listening, manager) = manager(&named, &[("WATCHDOG_USEC", "20000")]);
    let runtime = watched(manager, Store::Hangs);
    for _ in 0..3 {
        assert_eq!(next(&listening), "STATUS=the store does not answer\n");
    }
    runtime.shutdown_background();
}

#[test]
fn the_status_is_one_line_of_bounded_length() {
    let told = Told {
        phase: Phase::Serving,
        serving: "generation 7 serves".to_owned(),
        refused: Some(format!("broker.toml:1: {}\nWATCHDOG=trigger\r\u{85}é", "é".repeat(3000))),
        store: None,
    };
    let status = told.status();
    assert!(status.starts_with("STATUS=the last reload was refused: broker.toml:1: éé"), "{status}");
    assert!(status.len() <= LONGEST_STATUS + "STATUS=\n".len());
    assert_eq!(status.matches(char::is_control).count(), 1, "{status:?}");
}
