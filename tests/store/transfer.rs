//! `countersign store copy`: between SQLite and PostgreSQL, interrupted, and refused.

#![expect(clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use countersign::audit::Kind;
use countersign::env::SystemRandomness;
use countersign::store::model::{KeyState, LinkKey, StoredTrace, TokenHash};
use countersign::store::sqlite::{Location, OpenError, SqliteStore};
use countersign::store::transfer::tables::TABLES;
use countersign::store::{
    Accounts as _, EventQuery, Maintenance as _, OneTimeIds as _, PendingBound, PendingSignIns as _, Redeemed, Replica,
    Rotated, Rotation, Sessions as _, SignIn, SignInWritten, Store, StoredGeneration, Tell, UpstreamSessions,
};
use serde_json::Value;
use tempfile::TempDir;

use crate::cluster::{Database, connect};
use crate::conformance::chain;
use crate::fixtures::{
    NOW, browser, code, event, fill, grant_id, login, person, refresh, rotation, secret, session_id, signing_key, trace,
};
use crate::postgres::{ISSUER, open_as};

const KEY: &[u8] = b"the key of the copied stores";

/// A configuration whose store is sealed with [`KEY`], and a place for stores.
struct Place {
    folder: TempDir,
}

/// What a command wrote.
#[derive(Debug)]
struct Said {
    exit: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::write(place.path("key"), KEY).unwrap();
        place.configure("encryption_keys = [{ file = \"key\" }]");
        place
    }

    /// Writes the configuration, with these lines in `[store]`.
    fn configure(&self, store: &str) {
        let file = format!(
            "issuer = \"{ISSUER}\"\n[store]\nurl = \"sqlite:broker.db\"\n{store}\n[providers.corp]\nissuer = \
             \"https://idp.example\"\nclient_id = \"c\"\nclient_secret = \"long enough for a test\"\n"
        );
        std::fs::write(self.path("broker.toml"), file).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn sqlite(&self, name: &str) -> String {
        format!("sqlite:{}", self.path(name).display())
    }

    fn command(&self, from: &str, to: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(["store", "copy", from, to, "--json", "--config"]).arg(self.path("broker.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).current_dir("/");
        command
    }

    fn copy(&self, from: &str, to: &str) -> Said {
        let output = self.command(from, to).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Said { exit: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Copies, and returns the rows and hash of every table.
    #[track_caller]
    fn copied(&self, from: &str, to: &str) -> BTreeMap<String, (u64, String)> {
        let said = self.copy(from, to);
        assert_eq!(said.exit, Some(0), "{said:?}");
        let document: Value = serde_json::from_str(&said.out).unwrap();
        let tables = document.get("tables").unwrap().as_array().unwrap();
        let row = |table: &Value| {
            assert!(table["equal"] == true && table["from"] == table["to"], "{table}");
            let name = table["table"].as_str().unwrap().to_owned();
            (name, (table["from"]["rows"].as_u64().unwrap(), table["from"]["sha256"].as_str().unwrap().to_owned()))
        };
        tables.iter().map(row).collect()
    }

    /// The error of a copy that is refused: one line, with exit code 3 or 2.
    #[track_caller]
    fn refused(&self, from: &str, to: &str, exit: i32) -> String {
        let said = self.copy(from, to);
        assert_eq!(said.exit, Some(exit), "{said:?}");
        assert_eq!((said.err.lines().count(), said.out.as_str()), (1, ""), "{said:?}");
        said.err
    }

    fn open(&self, name: &str, keys: &[&[u8]]) -> Result<SqliteStore, OpenError> {
        let keys: Vec<Vec<u8>> = keys.iter().map(|key| key.to_vec()).collect();
        SqliteStore::open(&Location::File(self.path(name)), &keys, Arc::new(SystemRandomness::default()))
    }
}

/// Rows in every table: besides those of [`fill`], a person who has moved from one upstream account to another, codes and grants
/// that have moved with the session, a bound grant, refusals, and what the processes say of themselves.
async fn fill_all(store: &dyn Store) {
    fill(store).await;
    let bob = person("bob");
    assert_eq!(store.finish_sign_in(bob.sign_in("b1"), NOW).await.unwrap(), SignInWritten::Done);
    store.save_code(code("bob-first", bob.grant("bg1", "b1")), None, NOW).await.unwrap();
    let mut bound = bob.offline_grant("bg2", "b1");
    bound.dpop_jkt = None;
    store.save_code(code("bob-used", bound.clone()), Some(bob.consent()), NOW).await.unwrap();
    let first = Some(refresh("bob-r0", "bg2"));
    assert_eq!(
        store.redeem_code(TokenHash::of("bob-used"), bound, first, NOW, vec![event()]).await.unwrap(),
        Redeemed::First
    );
    let turn = Rotation { dpop_jkt: Some("thumbprint".to_owned()), ..rotation("bob-r0", "bob-r1", "bg2") };
    assert_eq!(store.rotate_refresh(turn, NOW + 1).await.unwrap(), Rotated::New);
    let mut again = bob.sign_in_again("b2");
    let key = LinkKey { provider: "partner".to_owned(), ..bob.key() };
    again.link.key = key.clone();
    again.session.link = key;
    again.replaces = Some(session_id("b1"));
    assert!(matches!(
        store.finish_sign_in(again, NOW + 2).await.unwrap(),
        SignInWritten::Done | SignInWritten::Replaced(_)
    ));
    // A session that ended, of which an app is still to be told.
    let ended = SignIn { events: Vec::new(), ..bob.sign_in_again("b3") };
    assert_eq!(store.finish_sign_in(ended, NOW + 2).await.unwrap(), SignInWritten::Done);
    store.save_grant(bob.grant("bg3", "b3"), None, NOW + 2, Vec::new()).await.unwrap();
    let tell = Tell { clients: ["app".to_owned()].into(), trace_id: "a-request".to_owned(), held_until: NOW + 62 };
    assert_eq!(store.end_session(&session_id("b3"), NOW + 2, Vec::new(), &tell).await.unwrap().len(), 1);
    let refused = StoredTrace { user_id: None, names: vec!["Mallory".to_owned()], ..trace("refused") };
    store.save_trace(refused, vec![person("mallory").event(Kind::Refusal).reason("not_allowed")]).await.unwrap();
    let generation = StoredGeneration {
        id: "generation".to_owned(),
        replica: "replica".to_owned(),
        number: 1,
        hash: "0123".to_owned(),
        applied: true,
        data: "CANARY-generation".to_owned(),
        at: NOW,
    };
    store.save_generation(generation).await.unwrap();
    let replica = Replica {
        id: "replica".to_owned(),
        host: "host".to_owned(),
        hash: "0123".to_owned(),
        generation: 1,
        started_at: NOW,
        seen_at: NOW,
    };
    store.replica_seen(replica, 0).await.unwrap();
    // The beginning of the trail has been forgotten, and an output has had a part of it.
    let old = (0..5).map(|n| countersign::audit::Event { at: NOW - 1000 + n, ..event() }).collect();
    store.record(old).await.unwrap();
    store.set_exported("file /var/log/audit log.jsonl", 2).await.unwrap();
}

/// What was begun before the copy goes on after it.
async fn goes_on(store: &dyn Store) {
    let (alice, bob) = (person("alice"), person("bob"));
    let people = store.people(None, 10).await.unwrap();
    let names: Vec<&str> = people.iter().map(|person| person.user.username.as_str()).collect();
    assert_eq!(names, ["alice", "bob"]);
    assert_eq!(people.first().unwrap().user, alice.user());
    assert_eq!(people.first().unwrap().links, [alice.link()]);
    let listed = store.sessions(None, 10).await.unwrap();
    let ids: Vec<String> = listed.iter().map(|view| view.session.id.to_string()).collect();
    assert_eq!(ids, ["b2", "s"], "newest first");
    assert_eq!(store.session(secret("s")).await.unwrap().unwrap().session, alice.session("s"));
    let said = UpstreamSessions {
        provider: "corp".to_owned(),
        issuer: "https://idp.example".to_owned(),
        subject: Some("upstream-bob".to_owned()),
        sid: None,
    };
    let from = store.sessions_of_upstream(said).await.unwrap();
    assert_eq!(from.first().unwrap().upstream.id_token.as_deref(), Some("CANARY-id-token"));
    let told = store.take_notices(NOW + 62, NOW + 122, &BTreeSet::new(), 9).await.unwrap();
    let told: Vec<_> = told.iter().map(|notice| (notice.client.as_str(), notice.sid.as_str())).collect();
    assert_eq!(told, [("app", "b3")]);
    // The code moved to the new session.
    let (moved, view) = store.code(TokenHash::of("bob-first")).await.unwrap().unwrap();
    assert_eq!((moved.grant.sid, view.unwrap().session.id), (Some(session_id("b2")), session_id("b2")));
    let grant = bob.grant("bg1", "b2");
    let redeemed = store.redeem_code(TokenHash::of("bob-first"), grant, None, NOW + 3, vec![event()]).await.unwrap();
    assert_eq!(redeemed, Redeemed::First);
    let bound = store.grant(&grant_id("bg2")).await.unwrap().unwrap();
    assert_eq!((bound.grant.dpop_jkt.as_deref(), bound.user.unwrap().id), (Some("thumbprint"), bob.user_id()));
    // Refresh families go on, with their grace period and their single use.
    let replayed = store.rotate_refresh(rotation("CANARY-refresh-0", "x", "g"), NOW + 3).await.unwrap();
    assert_eq!(replayed, Rotated::Replayed("CANARY-refresh-1".to_owned()));
    let next = store.rotate_refresh(rotation("CANARY-refresh-1", "CANARY-refresh-2", "g"), NOW + 3).await.unwrap();
    assert_eq!(next, Rotated::New);
    let reused = store.rotate_refresh(rotation("CANARY-refresh-0", "y", "g"), NOW + 3).await.unwrap();
    assert_eq!(reused, Rotated::Reused);
    // What was used is not accepted again.
    let twice = store.redeem_code(TokenHash::of("bob-used"), bob.offline_grant("z", "b2"), None, NOW + 3, Vec::new());
    assert_eq!(twice.await.unwrap(), Redeemed::Refused);
    assert!(store.grant(&grant_id("bg2")).await.unwrap().unwrap().grant.revoked_at.is_some());
    assert!(!store.use_once("jti", "CANARY-jti", NOW + 60, NOW).await.unwrap());
    assert_eq!(store.take_login(TokenHash::of("state"), &[browser()], NOW).await.unwrap(), Some(login("state")));
    assert_eq!(store.take_login(TokenHash::of("state"), &[browser()], NOW).await.unwrap(), None);
    assert!(store.interaction(TokenHash::of("interaction"), NOW).await.unwrap().is_some());
    assert_eq!(store.signing_keys().await.unwrap(), [signing_key("k", KeyState::Current)]);
    assert_eq!(store.consent(&bob.user_id(), "app").await.unwrap(), Some(bob.consent()));
    assert_eq!(store.refusals_named("mallory", NOW, 5).await.unwrap().len(), 1);
    assert_eq!(store.trace("trace-s", NOW).await.unwrap().unwrap().data, trace("trace-s").data);
    assert_eq!(store.generations(5).await.unwrap().first().unwrap().data, "CANARY-generation");
    assert_eq!(store.replicas().await.unwrap().len(), 1);
    assert_eq!(store.exported("file /var/log/audit log.jsonl").await.unwrap(), Some(2));
    // The chain is whole, and its events are found by what they say.
    let kinds: Vec<Kind> = chain(store).await.iter().map(|event| event.event.kind).collect();
    assert!(kinds.contains(&Kind::SignIn) && kinds.contains(&Kind::Refusal), "{kinds:?}");
    for indexed in [false, true] {
        let query = EventQuery { account: Some(bob.user_id()), limit: 10, ..EventQuery::default() };
        assert_eq!(store.events(query).await.unwrap().events.len(), 2, "indexed: {indexed}");
        let query = EventQuery { reason: Some("not_allowed".to_owned()), limit: 10, ..EventQuery::default() };
        assert_eq!(store.events(query).await.unwrap().events.len(), 1, "indexed: {indexed}");
        store.sweep(NOW, 100).await.unwrap();
    }
    // The clean-up finds what belongs to a grant.
    store.sweep(NOW + 1_000_000, 100).await.unwrap();
    assert!(store.grant(&grant_id("g")).await.unwrap().is_none());
    assert!(store.refresh_token(TokenHash::of("CANARY-refresh-2")).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_goes_to_postgresql_and_back_with_all_that_it_has() {
    let (place, database) = (Place::new(), Database::new().await);
    fill_all(&place.open("a.db", &[KEY]).unwrap()).await;
    let (a, b, postgres) = (place.sqlite("a.db"), place.sqlite("state/b.db"), database.url());
    let before = std::fs::read(place.path("a.db")).unwrap();
    let there = place.copied(&a, &postgres);
    assert_eq!(std::fs::read(place.path("a.db")).unwrap(), before, "the source is as it was");
    let empty: Vec<&String> = there.iter().filter(|(_, (rows, _))| *rows == 0).map(|(table, _)| table).collect();
    assert!(empty.is_empty(), "the test has no rows in {empty:?}");
    let back = place.copied(&postgres, &b);
    let changed: Vec<&String> = there.keys().filter(|table| there.get(*table) != back.get(*table)).collect();
    assert_eq!(changed, ["audit"], "the copy itself was recorded");

    goes_on(&place.open("state/b.db", &[KEY]).unwrap()).await;
    goes_on(&open_as(&postgres, &[KEY], ISSUER).await.unwrap()).await;
    // And from SQLite to SQLite.
    place.copied(&a, &place.sqlite("c.db"));
    let c = place.open("c.db", &[KEY]).unwrap();
    let last = chain(&c).await.pop().unwrap();
    assert!(last.event.detail.unwrap().contains("a.db"), "the copy is in the trail");
    goes_on(&c).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_goes_from_one_postgresql_database_to_another() {
    let (place, from, to) = (Place::new(), Database::new().await, Database::new().await);
    let store = open_as(&from.url(), &[KEY], ISSUER).await.unwrap();
    fill_all(&store).await;
    for n in 0..1500 {
        store.use_once("jti", &format!("{n}"), NOW + 60, NOW).await.unwrap();
    }
    drop(store);
    // It is killed on the way, and goes on.
    for lines in [2, 13] {
        assert!(killed_after(&place, &from.url(), &to.url(), lines));
        let refused = open_as(&to.url(), &[KEY], ISSUER).await.unwrap_err().to_string();
        assert!(refused.contains("was not finished"), "{refused}");
    }
    let there = place.copied(&from.url(), &to.url());
    let empty: Vec<&String> = there.iter().filter(|(_, (rows, _))| *rows == 0).map(|(table, _)| table).collect();
    assert!(empty.is_empty(), "the test has no rows in {empty:?}");
    assert!(place.refused(&from.url(), &to.url(), 3).contains("is not empty"));
    let columns = "SELECT count(*) FROM users";
    for (database, people) in [(&from, 2_i64), (&to, 2)] {
        let row = connect(&database.name).await.query_one(columns, &[]).await.unwrap();
        assert_eq!(row.get::<_, i64>(0), people, "the source keeps its rows");
    }
    goes_on(&open_as(&to.url(), &[KEY], ISSUER).await.unwrap()).await;
    goes_on(&open_as(&from.url(), &[KEY], ISSUER).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_and_grants_that_changed_in_postgresql_are_the_same_in_sqlite() {
    let (place, database) = (Place::new(), Database::new().await);
    let store = open_as(&database.url(), &[KEY], ISSUER).await.unwrap();
    fill_all(&store).await;
    drop(store);
    place.copied(&database.url(), &place.sqlite("b.db"));
    goes_on(&place.open("b.db", &[KEY]).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_file_goes_with_its_store_or_is_named_for_postgresql() {
    let (place, database) = (Place::new(), Database::new().await);
    place.configure("");
    fill_all(&place.open("a.db", &[]).unwrap()).await;
    let a = place.sqlite("a.db");
    place.copied(&a, &place.sqlite("state/b.db"));
    let key = |name: &str| std::fs::read_to_string(place.path(name)).unwrap();
    assert_eq!(key("a.db.key"), key("state/b.db.key"));
    goes_on(&place.open("state/b.db", &[]).unwrap()).await;

    let said = place.refused(&a, &database.url(), 3);
    assert!(said.contains("a.db.key\" }]"), "{said}");
    place.configure("encryption_keys = [{ file = \"key\" }]");
    let said = place.refused(&a, &database.url(), 3);
    assert!(said.contains("add { file = ") && said.contains("a.db.key"), "{said}");
    place.configure("encryption_keys = [{ file = \"key\" }, { file = \"a.db.key\" }]");
    place.copied(&a, &database.url());
    let text = std::fs::read(place.path("a.db.key")).unwrap();
    let text = text.strip_suffix(b"\n").unwrap();
    goes_on(&open_as(&database.url(), &[KEY, text], ISSUER).await.unwrap()).await;

    // Another key there is not overwritten.
    std::fs::write(place.path("d.db.key"), "another key, which is of no use").unwrap();
    place.configure("");
    let said = place.refused(&a, &place.sqlite("d.db"), 3);
    assert!(said.contains("d.db.key"), "{said}");
}

/// Starts a copy and kills it when it has said this many lines.
fn killed_after(place: &Place, from: &str, to: &str, lines: usize) -> bool {
    let mut child = place.command(from, to).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let whole = said.by_ref().take(lines).count() == lines;
    child.kill().unwrap();
    child.wait().unwrap();
    whole
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d31_a_copy_that_was_killed_goes_on_and_is_no_store_before() {
    let (place, database) = (Place::new(), Database::new().await);
    let store = place.open("a.db", &[KEY]).unwrap();
    fill_all(&store).await;
    for n in 0..1500 {
        store.use_once("jti", &format!("{n}"), NOW + 60, NOW).await.unwrap();
    }
    drop(store);
    let a = place.sqlite("a.db");
    for to in [place.sqlite("b.db"), database.url()] {
        let postgres = to.starts_with("postgres");
        for lines in [1, 2, 6, 13, 17, 19] {
            if !killed_after(&place, &a, &to, lines) {
                panic!("the copy to {to} ended before it had said {lines} lines");
            }
            let opened = if postgres {
                open_as(&to, &[KEY], ISSUER).await.map(drop).map_err(|error| error.to_string())
            } else {
                place.open("b.db", &[KEY]).map(drop).map_err(|error| error.to_string())
            };
            let refused = opened.unwrap_err();
            assert!(refused.contains("was not finished"), "{refused}");
        }
        let said = place.copy(&a, &to);
        assert_eq!(said.exit, Some(0), "{said:?}");
        assert!(said.err.contains("users: the first 2 rows are there already"), "{said:?}");
    }
    goes_on(&place.open("b.db", &[KEY]).unwrap()).await;
    goes_on(&open_as(&database.url(), &[KEY], ISSUER).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_changed_meanwhile_is_copied_anew() {
    let (place, database) = (Place::new(), Database::new().await);
    fill_all(&place.open("a.db", &[KEY]).unwrap()).await;
    let a = place.sqlite("a.db");
    for to in [place.sqlite("b.db"), database.url()] {
        assert!(killed_after(&place, &a, &to, 13));
        let name = format!("carol-{}", to.len());
        let carol = person(&name);
        let store = place.open("a.db", &[KEY]).unwrap();
        assert_eq!(store.finish_sign_in(carol.sign_in(&name), NOW).await.unwrap(), SignInWritten::Done);
        store.take_login(TokenHash::of("state"), &[browser()], NOW).await.unwrap();
        store.save_login(login("state"), PendingBound::default()).await.unwrap();
        drop(store);
        let said = place.copy(&a, &to);
        assert_eq!(said.exit, Some(0), "{said:?}");
        assert!(said.err.contains("is copied anew"), "{said:?}");
    }
    assert_eq!(place.open("b.db", &[KEY]).unwrap().people(None, 9).await.unwrap().len(), 3);
    assert_eq!(open_as(&database.url(), &[KEY], ISSUER).await.unwrap().people(None, 9).await.unwrap().len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_use_is_neither_copied_nor_written() {
    let (place, database) = (Place::new(), Database::new().await);
    let running = place.open("a.db", &[KEY]).unwrap();
    fill_all(&running).await;
    let a = place.sqlite("a.db");
    let said = place.refused(&a, &place.sqlite("b.db"), 3);
    assert!(said.contains("is in use: stop the broker") && !place.path("b.db").exists(), "{said}");
    running.ping().await.unwrap();
    drop(running);
    place.copied(&a, &database.url());

    let running = open_as(&database.url(), &[KEY], ISSUER).await.unwrap();
    running.ping().await.unwrap();
    let said = place.refused(&database.url(), &place.sqlite("b.db"), 3);
    assert!(said.contains("in use by 1 connection named countersign"), "{said}");
    assert!(said.contains("stop every replica"), "{said}");
    drop(running);
    // Somebody else who holds a row, as another copy does.
    let mut other = connect(&database.name).await;
    let held = other.transaction().await.unwrap();
    held.query("SELECT version FROM countersign_store FOR UPDATE", &[]).await.unwrap();
    let said = place.refused(&database.url(), &place.sqlite("b.db"), 3);
    assert!(said.contains("is in use") && said.contains("let another copy end first"), "{said}");
    held.rollback().await.unwrap();
    place.copied(&database.url(), &place.sqlite("b.db"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_copied_is_said_in_one_line_and_left_alone() {
    let (place, database) = (Place::new(), Database::new().await);
    fill_all(&place.open("a.db", &[KEY]).unwrap()).await;
    drop(place.open("empty.db", &[KEY]).unwrap());
    let (a, postgres) = (place.sqlite("a.db"), database.url());
    std::os::unix::fs::symlink(place.path("a.db"), place.path("same.db")).unwrap();
    for (from, to, exit, said) in [
        ("mysql://user:CANARY@db/x", a.as_str(), 2, "FROM is neither an SQLite nor a PostgreSQL URL"),
        (&a, "broker.db", 2, "TO is neither"),
        (&a, "sqlite::memory:", 2, "in the memory of a broker"),
        (&a, "postgres:///broker", 2, "TO names no host"),
        (&a, &a, 2, "is the source and the destination"),
        (&a, &place.sqlite("same.db"), 2, "is the source and the destination"),
        (&place.sqlite("none.db"), &postgres, 3, "there is no store at"),
        (&postgres, &place.sqlite("b.db"), 3, "there is no store at"),
        (&a, &place.sqlite("key/b.db"), 3, "not a folder"),
        (&a, &postgres.replace(&database.name, "missing"), 3, "create it"),
    ] {
        let error = place.refused(from, to, exit);
        assert!(error.contains(said) && !error.contains("CANARY"), "{from} {to}: {error}");
    }
    assert!(!place.path("b.db").exists());
    // A destination that has something, or is another program's.
    place.copied(&a, &place.sqlite("full.db"));
    let full = std::fs::read(place.path("full.db")).unwrap();
    let error = place.refused(&place.sqlite("empty.db"), &place.sqlite("full.db"), 3);
    assert!(error.contains("is not empty (it has rows in users)"), "{error}");
    assert_eq!(std::fs::read(place.path("full.db")).unwrap(), full);
    rusqlite::Connection::open(place.path("theirs.db")).unwrap().execute_batch("CREATE TABLE meta (a)").unwrap();
    for (from, to) in [("a.db", "theirs.db"), ("theirs.db", "b.db")] {
        let error = place.refused(&place.sqlite(from), &place.sqlite(to), 3);
        assert!(error.contains("is not a Countersign store"), "{error}");
    }
    // Other keys, another issuer, another version.
    std::fs::write(place.path("key"), "a key that has sealed nothing here").unwrap();
    let error = place.refused(&a, &postgres, 3);
    assert!(error.contains("is sealed with other keys"), "{error}");
    std::fs::write(place.path("key"), KEY).unwrap();
    place.copied(&a, &postgres);
    let error = place.refused(&a, &postgres, 3);
    assert!(error.contains("is not empty"), "{error}");
    database.execute("UPDATE countersign_store SET issuer = 'https://other.example'").await;
    let error = place.refused(&postgres, &place.sqlite("b.db"), 3);
    assert!(error.contains("is the store of https://other.example"), "{error}");
    database.execute(&format!("UPDATE countersign_store SET issuer = '{ISSUER}', version = 99")).await;
    let error = place.refused(&postgres, &place.sqlite("b.db"), 3);
    assert!(error.contains("newer version"), "{error}");
    database.execute("UPDATE countersign_store SET version = 0").await;
    let error = place.refused(&postgres, &place.sqlite("b.db"), 3);
    assert!(error.contains("schema of an older version"), "{error}");
    for (version, said) in [(99, "newer version"), (1, "schema of an older version")] {
        let connection = rusqlite::Connection::open(place.path("a.db")).unwrap();
        connection.execute_batch(&format!("PRAGMA user_version = {version}")).unwrap();
        drop(connection);
        let error = place.refused(&a, &place.sqlite("b.db"), 3);
        assert!(error.contains(said), "{error}");
    }
    // A role that may not create tables.
    let other = Database::new().await;
    database.execute("DROP ROLE IF EXISTS copies_nothing; CREATE ROLE copies_nothing LOGIN").await;
    let error = place.refused(&place.sqlite("full.db"), &other.url().replace("postgres@", "copies_nothing@"), 3);
    assert!(error.contains("GRANT CREATE, USAGE"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unfinished_copy_belongs_to_its_source() {
    let (place, database) = (Place::new(), Database::new().await);
    fill_all(&place.open("a.db", &[KEY]).unwrap()).await;
    fill_all(&place.open("other.db", &[KEY]).unwrap()).await;
    for to in [place.sqlite("b.db"), database.url()] {
        assert!(killed_after(&place, &place.sqlite("a.db"), &to, 3));
        let error = place.refused(&place.sqlite("other.db"), &to, 3);
        assert!(error.contains("a.db that was not finished, and not one of"), "{error}");
        let error = place.refused(&to, &place.sqlite("c.db"), 3);
        assert!(error.contains("is itself a copy of"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_difference_is_found_and_the_copy_not_used() {
    let (place, database) = (Place::new(), Database::new().await);
    fill_all(&place.open("a.db", &[KEY]).unwrap()).await;
    // A database that changes what is written to it.
    drop(open_as(&database.url(), &[KEY], ISSUER).await.unwrap());
    database
        .execute(
            "CREATE FUNCTION tampered() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN NEW.username := ''eve''; RETURN NEW; END';
            CREATE TRIGGER tampers BEFORE INSERT ON users FOR EACH ROW WHEN (NEW.username = 'bob') EXECUTE FUNCTION tampered()",
        )
        .await;
    let said = place.copy(&place.sqlite("a.db"), &database.url());
    assert_eq!(said.exit, Some(1), "{said:?}");
    assert!(said.err.contains("error: users differ"), "{said:?}");
    assert!(open_as(&database.url(), &[KEY], ISSUER).await.unwrap_err().to_string().contains("was not finished"));
    database.execute("DROP TRIGGER tampers ON users").await;
    let said = place.copy(&place.sqlite("a.db"), &database.url());
    assert_eq!(said.exit, Some(0), "{said:?}");
    assert!(said.err.contains("users: what is there differs"), "{said:?}");
}

/// The columns of the catalogue by table, as a backend has them.
fn catalogued() -> BTreeMap<String, BTreeSet<String>> {
    let names = |columns: &[(&str, _)]| columns.iter().map(|(name, _)| (*name).to_owned()).collect();
    TABLES.iter().map(|table| (table.name.to_owned(), names(table.columns))).collect()
}

/// Adds to a catalogue what a backend computes, or needs for itself.
fn with(mut all: BTreeMap<String, BTreeSet<String>>, more: &[(&str, &[&str])]) -> BTreeMap<String, BTreeSet<String>> {
    for (table, columns) in more {
        all.entry((*table).to_owned()).or_default().extend(columns.iter().map(|name| (*name).to_owned()));
    }
    all
}

/// A new table or column is copied, or is listed here because it is computed from others, or has a meaning only where it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_table_and_column_is_copied_or_made_anew() {
    let place = Place::new();
    drop(place.open("a.db", &[KEY]).unwrap());
    let connection = rusqlite::Connection::open(place.path("a.db")).unwrap();
    let columns = "SELECT m.name, c.name FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'";
    let mut statement = connection.prepare(columns).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    rows.map(Result::unwrap).for_each(|(table, column): (String, String)| {
        found.entry(table).or_default().insert(column);
    });
    let mut expected = catalogued();
    // Two tables here.
    expected.remove("pending");
    let expected = with(
        expected,
        &[
            ("logins", &["state", "browser", "data", "expires_at"]),
            ("interactions", &["id", "browser", "data", "expires_at"]),
            ("links", &["lease_fence", "lease_until"]),
            ("grants", &["refresh"]),
            ("logout_notices", &["id", "fence"]),
            ("sqlite_sequence", &["name", "seq"]),
            ("audit_postings", &["key", "first", "last", "events"]),
            ("audit_hours", &["hour", "first", "last"]),
        ],
    );
    assert_eq!(found, expected, "SQLite");

    let database = Database::new().await;
    drop(open_as(&database.url(), &[KEY], ISSUER).await.unwrap());
    let columns = "SELECT table_name::text, column_name::text FROM information_schema.columns
        WHERE table_schema = 'public'";
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in connect(&database.name).await.query(columns, &[]).await.unwrap() {
        found.entry(row.get(0)).or_default().insert(row.get(1));
    }
    let expected = with(
        catalogued(),
        &[
            ("links", &["row", "lease_fence", "lease_until"]),
            ("logout_notices", &["row", "fence"]),
            ("sessions", &["row", "provider", "issuer", "subject", "created_at"]),
            ("pending", &["seq"]),
            ("codes", &["row", "client", "session_id"]),
            ("grants", &["row", "provider", "issuer", "subject", "dpop_jkt", "created_at"]),
            ("traces", &["row", "owner"]),
            ("generations", &["row"]),
            ("audit_keys", &["key", "seq"]),
            ("audit_hours", &["hour", "first", "last"]),
            // Chained before the copy.
            ("audit_pending", &["row", "id", "data", "sessions", "grants"]),
            ("countersign_store", &["sole", "version", "issuer"]),
            ("locks", &["name", "holder", "fence", "until"]),
        ],
    );
    assert_eq!(found, expected, "PostgreSQL");
}

#[test]
fn a_password_in_a_url_is_not_printed() {
    let place = Place::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = place.refused(&format!("postgres://broker:CANARY@{closed}/broker"), &place.sqlite("b.db"), 3);
    assert!(!error.contains("CANARY") && error.contains(&closed.to_string()), "{error}");
    assert!(!place.path("b.db").exists());
}
