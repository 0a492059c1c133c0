//! What can only be tested from inside: query plans, and a disk that is full, read-only or locked.

#![expect(clippy::unwrap_used, reason = "tests")]

use crate::store::model::{Login, TokenHash};
use crate::store::{Accounts as _, Grants as _, Maintenance as _, PendingBound, PendingSignIns as _, StoreError};
use std::time::Duration;

use crate::env::SystemRandomness;
use crate::store::sqlite::rows::run;
use crate::store::sqlite::*;

fn open(folder: &tempfile::TempDir) -> SqliteStore {
    let location = Location::File(folder.path().join("state/broker.db"));
    SqliteStore::open(&location, &[], Arc::new(SystemRandomness::default())).unwrap()
}

fn login(state: &str, size: usize) -> Login {
    Login { state: TokenHash::of(state), browser: TokenHash::of("b"), data: "x".repeat(size), expires_at: 100 }
}

/// Statements that read a whole table because the table is small, or in the order in which they return it.
const WHOLE: &[&str] = &[
    "SYSTEM_ROLES",
    "SIGNING_KEYS",
    "SIGNING_KIDS",
    "DELETE_SIGNING_KEYS",
    "SESSIONS",
    "COUNT_PENDING",
    "OLDEST_LOGIN",
    "OLDEST_INTERACTION",
    "GENERATIONS",
    "TRIM_GENERATIONS",
    "REPLICAS",
    "FORGET_REPLICAS",
];

#[test]
fn no_statement_scans_a_table_or_sorts() {
    let connection = open::connect(&Location::Memory, true).unwrap();
    open::migrate(&connection, "memory", None).unwrap();
    for (name, sql) in sql::ALL {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let nulls = vec![rusqlite::types::Null; statement.parameter_count()];
        let steps: Vec<String> = statement
            .query_map(rusqlite::params_from_iter(nulls), |row| row.get(3))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        let plan = steps.join("; ");
        let scans = steps.iter().any(|step| step.starts_with("SCAN")) && !WHOLE.contains(name);
        // The few apps of a sign-out, the keys of this issuer and the processes are sorted, but they are few.
        let sorts = plan.contains("TEMP B-TREE")
            && !["APPS_OF_SESSION", "APPS_OF_USER", "REPLICAS", "SIGNING_KEYS"].contains(name);
        assert!(!scans && !sorts, "{name}: {plan}");
    }
}

#[test]
fn a_store_of_the_first_schema_keeps_what_it_has() {
    let connection = open::connect(&Location::Memory, true).unwrap();
    for migration in schema::MIGRATIONS.iter().take(2) {
        connection.execute_batch(migration).unwrap();
    }
    connection
        .execute_batch(&format!(
            "PRAGMA application_id = {}; PRAGMA user_version = 2; PRAGMA foreign_keys = OFF;
             INSERT INTO sessions (id, secret, user_id, data, last_active, max_inactive, expires_at)
                VALUES ('s', x'01', 'u', '{{\"upstream_sid\":\"up\"}}', 1, 2, 3), ('t', x'02', 'u', '{{}}', 1, 2, 3);
             INSERT INTO codes (hash, grant_id, data, expires_at, keep_until)
                VALUES (x'03', 'g', '{{\"grant\":{{\"sid\":\"s\"}}}}', 4, 5);",
            schema::APPLICATION_ID
        ))
        .unwrap();
    open::migrate(&connection, "memory", None).unwrap();
    let found: Vec<String> =
        rows::many(&connection, sql::SESSIONS_BY_UPSTREAM_SID, ["up"], |row| Ok(row.get(0)?)).unwrap();
    assert_eq!(found, ["s"]);
    assert_eq!(run(&connection, sql::MOVE_CODES, ("s", "t")).unwrap(), 1);
    assert_eq!(run(&connection, sql::MOVE_CODES, ("s", "t")).unwrap(), 0);
}

#[tokio::test]
async fn d32_a_full_disk_refuses_writes_and_recovers_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let limit = async |pages: &'static str| {
        store
            .write(move |connection| {
                Ok(connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?)
            })
            .await
            .unwrap();
    };
    limit("1").await;
    let refused = store.save_login(login("big", 100_000), PendingBound::default()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
    assert!(store.take_login(TokenHash::of("big"), &[TokenHash::of("b")], 0).await.unwrap().is_none());
    limit("4294967294").await;
    store.save_login(login("big", 100_000), PendingBound::default()).await.unwrap();
    assert!(store.take_login(TokenHash::of("big"), &[TokenHash::of("b")], 0).await.unwrap().is_some());
}

#[tokio::test]
async fn d32_a_store_that_filled_up_recovers_by_sweeping() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let limit = "PRAGMA max_page_count = 600";
    store.write(move |connection| Ok(connection.query_row(limit, [], |_| Ok(()))?)).await.unwrap();
    let mut n = 0;
    let full = loop {
        if let Err(error) = store.save_login(login(&format!("l{n}"), 3_000), PendingBound::default()).await {
            break error;
        }
        n += 1;
    };
    assert!(matches!(full, StoreError::Full(_)), "{full:?}");
    assert!(n > 100, "{n}");
    // Existing sign-ins are kept and can be taken; new ones can't begin.
    assert!(store.take_login(TokenHash::of("l0"), &[TokenHash::of("b")], 0).await.unwrap().is_some());
    while store.sweep(100, 50).await.unwrap() {}
    for again in 0..n {
        store.save_login(login(&format!("again-{again}"), 3_000), PendingBound::default()).await.unwrap();
    }
    store.ping().await.unwrap();
}

#[tokio::test]
async fn d32_the_reserve_is_given_up_on_a_full_disk_and_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let reserve = folder.path().join("state/broker.db.reserve");
    assert!(reserve.metadata().unwrap().len() > 1_000_000);
    let file = store.writer.file().unwrap();
    file.disk.note(&StoreError::Full("no room".to_owned()));
    store.save_login(login("a", 1), PendingBound::default()).await.unwrap();
    assert!(!reserve.exists() && !file.disk.is_secure());
    // The database does not grow in the meantime.
    let pages = async || {
        store.read(|reader| Ok(reader.connection.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0))?)).await
    };
    let before = pages().await.unwrap();
    let refused = store.save_login(login("b", 100_000), PendingBound::default()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
    assert_eq!(pages().await.unwrap(), before);
    store.sweep(0, 10).await.unwrap();
    assert!(reserve.exists() && file.disk.is_secure());
    store.save_login(login("b", 100_000), PendingBound::default()).await.unwrap();
}

#[tokio::test]
async fn d32_space_that_was_freed_is_found_when_readiness_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.writer.file().unwrap().disk.note(&StoreError::Full("no room".to_owned()));
    store.save_login(login("a", 1), PendingBound::default()).await.unwrap();
    let refused = store.save_login(login("b", 100_000), PendingBound::default()).await.unwrap_err();
    assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
    store.ping().await.unwrap();
    store.save_login(login("b", 100_000), PendingBound::default()).await.unwrap();
}

#[tokio::test]
async fn d32_a_read_only_store_is_said_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let refused = store.read(|reader| run(reader.connection, sql::PING, [])).await.unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly(_)), "{refused:?}");
}

#[tokio::test]
async fn d32_a_store_that_was_opened_read_only_recovers_when_it_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    store.save_login(login("before", 1), PendingBound::default()).await.unwrap();
    let path = folder.path().join("state/broker.db");
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
    // As after a start on a read-only file system: SQLite opens a file that it can't write for reading.
    *store.writer.connection() = Connection::open_with_flags(path, flags).unwrap();
    let refused = store.save_login(login("a", 1), PendingBound::default()).await.unwrap_err();
    assert!(matches!(refused, StoreError::ReadOnly(_)), "{refused:?}");
    store.save_login(login("a", 1), PendingBound::default()).await.unwrap();
    assert!(store.take_login(TokenHash::of("a"), &[TokenHash::of("b")], 0).await.unwrap().is_some());
    assert!(store.take_login(TokenHash::of("before"), &[TokenHash::of("b")], 0).await.unwrap().is_some());
    store.ping().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d47_sign_ins_that_waited_for_a_locked_store_do_not_join_one_account_by_an_address() {
    use crate::store::Sessions as _;
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&folder));
    let first = sign_in("staff", "s1", None);
    assert_eq!(store.finish_sign_in(first, 1).await.unwrap(), crate::store::SignInWritten::Done);
    let other = open::connect(&store.location, true).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..4 {
        let store = Arc::clone(&store);
        let late = sign_in("partner", &format!("p{n}"), Some(n));
        tasks.spawn(async move { store.finish_sign_in(late, 1).await.unwrap() });
    }
    while store.writer.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    other.execute_batch("COMMIT").unwrap();
    let written = tasks.join_all().await;
    let done = written.iter().filter(|written| **written == crate::store::SignInWritten::Done).count();
    assert_eq!(done, 1, "{written:?}");
}

/// A sign-in of one account: its first, or a further one that was linked by an address.
fn sign_in(provider: &str, subject: &str, again: Option<usize>) -> crate::store::SignIn {
    use crate::store::AccountWrite;
    use crate::store::ids::{SessionId, UserId};
    use crate::store::model::{Device, Link, LinkKey, Session, StoredTrace, User};
    let key = LinkKey { provider: provider.to_owned(), issuer: "i".to_owned(), subject: subject.to_owned() };
    let id = UserId::new("anna");
    let user = User {
        id: id.clone(),
        username: "anna".to_owned(),
        username_key: "anna".to_owned(),
        sub: "sub".to_owned(),
        profile: serde_json::Map::new(),
        disabled: false,
        created_at: 1,
    };
    let account = match again {
        None => AccountWrite::Create(user),
        Some(_) => AccountWrite::Update { user_id: id.clone(), profile: None },
    };
    let session = Session {
        id: SessionId::new(format!("session-{subject}")),
        user_id: id.clone(),
        link: key.clone(),
        auth_time: None,
        acr: None,
        amr: Vec::new(),
        upstream_id_token: None,
        upstream_sid: None,
        device: Device::default(),
        created_at: 1,
        last_active: 1,
        max_inactive: 60,
        expires_at: 100,
    };
    let link = Link {
        key,
        user_id: id,
        claims: serde_json::Map::new(),
        claims_at: 1,
        verified_email: None,
        refresh_token: None,
        created_at: 1,
    };
    crate::store::SignIn {
        account,
        only_here: again.is_some(),
        link,
        system_roles: Vec::new(),
        session,
        session_secret: TokenHash::of(subject),
        replaces: None,
        code: None,
        trace: StoredTrace {
            id: format!("trace-{subject}"),
            names: Vec::new(),
            user_id: None,
            client: None,
            data: String::new(),
            at: 1,
            expires_at: 100,
        },
        tell: crate::store::Tell::default(),
        events: Vec::new(),
    }
}

#[tokio::test]
async fn d33_a_locked_store_is_refused_in_bounded_time_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::File(folder.path().join("state/broker.db"));
    let random = Arc::new(SystemRandomness::default());
    let store = SqliteStore::open_with_wait(&location, &[], random, Duration::from_millis(20)).unwrap();
    let other = open::connect(&store.location, true).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(store.save_login(login("a", 1), PendingBound::default()).await, Err(StoreError::Unavailable(_))));
    assert!(store.system_roles().await.unwrap().is_empty());
    other.execute_batch("COMMIT").unwrap();
    store.save_login(login("a", 1), PendingBound::default()).await.unwrap();
}

#[tokio::test]
async fn a_read_does_not_wait_for_a_write() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&folder));
    let (begun, begins) = std::sync::mpsc::channel();
    let (end, ends) = std::sync::mpsc::channel::<()>();
    let writing = Arc::clone(&store);
    let write = tokio::spawn(async move {
        let hold = move |connection: &Connection| {
            run(connection, sql::INSERT_SYSTEM_ROLE, ["held"])?;
            begun.send(()).unwrap();
            ends.recv().unwrap();
            Ok(())
        };
        writing.write(hold).await
    });
    tokio::task::spawn_blocking(move || begins.recv()).await.unwrap().unwrap();
    assert!(store.code(TokenHash::of("c")).await.unwrap().is_none());
    assert!(store.system_roles().await.unwrap().is_empty());
    end.send(()).unwrap();
    write.await.unwrap().unwrap();
    assert_eq!(store.system_roles().await.unwrap(), ["held"]);
}

#[tokio::test]
async fn a_failed_operation_takes_nothing_else_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&folder));
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..100 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            store
                .write(move |connection| {
                    run(connection, sql::INSERT_SYSTEM_ROLE, [format!("role-{n:02}")])?;
                    if n % 2 == 0 { Ok(()) } else { Err(StoreError::Corrupt("no".to_owned())) }
                })
                .await
                .is_ok()
        });
    }
    let kept = tasks.join_all().await.into_iter().filter(|ok| *ok).count();
    let expected: Vec<String> = (0..100).step_by(2).map(|n| format!("role-{n:02}")).collect();
    assert_eq!((kept, store.system_roles().await.unwrap()), (50, expected));
}

#[tokio::test]
async fn the_log_starts_over_instead_of_growing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&folder));
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..64 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for n in 0..64 {
                store.save_login(login(&format!("{worker}-{n}"), 4_000), PendingBound::default()).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    // 4,096 logins of two pages each, and the pages of their indexes, would take more than 80 MB if the log held all of them.
    let log = std::fs::metadata(folder.path().join("state/broker.db-wal")).unwrap().len();
    assert!(log < 40_000_000, "{log}");
}

/// How many steps of SQLite's machine a page of a list takes, deep inside the list: what it costs, whatever the machine.
fn steps_of_a_page(connection: &Connection, sql: &str, params: impl rusqlite::Params) -> (usize, i32) {
    let mut statement = connection.prepare(sql).unwrap();
    let mut rows = statement.query(params).unwrap();
    let mut found = 0;
    while rows.next().unwrap().is_some() {
        found += 1;
    }
    drop(rows);
    (found, statement.get_status(rusqlite::StatementStatus::VmStep))
}

#[test]
fn pages_of_a_hundred_thousand_users_and_sessions_cost_as_much_as_those_of_a_few() {
    let connection = open::connect(&Location::Memory, true).unwrap();
    open::migrate(&connection, "memory", None).unwrap();
    connection
        .execute_batch(
            "PRAGMA foreign_keys = OFF;
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
             INSERT INTO users (id, username, username_key, sub, profile, disabled, created_at)
             SELECT 'u' || i, 'name' || i, printf('name%06d', i), printf('sub%06d', i), x'', 0, 0 FROM n;
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
             INSERT INTO links (subject, issuer, provider, user_id, claims, claims_at, verified_email, created_at)
             SELECT 's' || i, 'https://idp.example', 'corp', 'u' || i, x'', 0, printf('mail%06d@corp.example', i), 0 FROM n;
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
             INSERT INTO sessions (id, secret, user_id, data, last_active, max_inactive, expires_at)
             SELECT 's' || i, CAST(i AS BLOB), 'u' || (i % 2), '{}', 0, 0, 0 FROM n;",
        )
        .unwrap();
    let end = char::MAX.to_string();
    let deep = ("name050000", "name\u{10ffff}", 26);
    let by_address = ("mail050000@corp.example", 50_000, "mail\u{10ffff}", 26);
    for (name, (found, steps)) in [
        ("first users", steps_of_a_page(&connection, sql::USERS_NAMED, ("", &end, 26))),
        ("users", steps_of_a_page(&connection, sql::USERS_NAMED, deep)),
        ("subs", steps_of_a_page(&connection, sql::USERS_WITH_SUB, ("sub050000", "sub\u{10ffff}", 26))),
        ("addresses", steps_of_a_page(&connection, sql::USERS_WITH_ADDRESS, by_address)),
        ("sessions", steps_of_a_page(&connection, sql::SESSIONS_BEFORE, (50_000, 26))),
        ("of a user", steps_of_a_page(&connection, sql::SESSIONS_OF_USER_BEFORE, ("u1", 50_000, 26))),
    ] {
        assert_eq!(found, 26, "{name}");
        assert!(steps < 2_000, "{name}: {steps} steps");
    }
}

/// A store with this many people, each with a link and an event, and the steps for what `explain` and `audit query` read of
/// one.
fn steps_for_one_of(number: i64) -> Vec<(&'static str, usize, i32)> {
    let connection = open::connect(&Location::Memory, true).unwrap();
    open::migrate(&connection, "memory", None).unwrap();
    run(&connection, "BEGIN", []).unwrap();
    for n in 0..number {
        let (id, name, sub) = (format!("id-{n}"), format!("name-{n}"), format!("sub-{n}"));
        run(&connection, sql::INSERT_USER, (&id, &name, &name, &sub, Vec::new(), false, n)).unwrap();
        let address = format!("{name}@example.com");
        let link = ("corp", "https://id.example", &sub, &id, Vec::new(), n, address, None::<Vec<u8>>, n);
        run(&connection, sql::INSERT_LINK, link).unwrap();
        run(&connection, sql::INSERT_EVENT, (n + 1, n, Vec::new(), Vec::new(), [0_u8; 32])).unwrap();
        run(&connection, sql::INSERT_EVENT_POSTING, (n.to_be_bytes(), n + 1, n + 1, Vec::new())).unwrap();
    }
    run(&connection, "COMMIT", []).unwrap();
    let n = number / 2;
    let of = |name: &str| format!("{name}-{n}");
    let found = [
        ("by name", steps_of_a_page(&connection, sql::USER_BY_KEY, [of("name")])),
        ("by sub", steps_of_a_page(&connection, sql::USER_BY_SUB, [of("sub")])),
        ("by address", steps_of_a_page(&connection, sql::USERS_BY_ADDRESS, (format!("name-{n}@example.com"), 10))),
        ("links", steps_of_a_page(&connection, sql::LINKS_OF_USER, [of("id")])),
        ("event", steps_of_a_page(&connection, sql::EVENT, [n])),
        ("events", steps_of_a_page(&connection, sql::EVENT_POSTINGS, (n.to_be_bytes(), i64::MAX))),
    ];
    found.into_iter().map(|(what, (found, steps))| (what, found, steps)).collect()
}

#[test]
fn explaining_and_auditing_somebody_takes_the_same_steps_however_many_people_there_are() {
    let few = steps_for_one_of(10);
    assert!(few.iter().all(|(_, found, steps)| *found == 1 && *steps < 100), "{few:?}");
    assert_eq!(steps_for_one_of(5_000), few);
}
