//! kill -9 while writing: every acknowledged write is stored, and the invariants hold. The writing process is this test binary
//! itself, started again with `WRITES_TO` set.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use countersign::audit::Kind;
use countersign::env::SystemRandomness;
use countersign::store::model::TokenHash;
use countersign::store::sqlite::{Location, SqliteStore};
use countersign::store::{
    Audit as _, EventQuery, Grants as _, Maintenance as _, Redeemed, Rotated, Sessions as _, SignInWritten, Traces as _,
};

use crate::fixtures::{NOW, code, grant_id, person, refresh, rotation, secret};

const WRITES_TO: &str = "COUNTERSIGN_TEST_WRITES_TO";
const ROUNDS: usize = 20;
const WRITERS: usize = 4;

fn open(path: &Path) -> Arc<SqliteStore> {
    let location = Location::File(path.to_path_buf());
    Arc::new(SqliteStore::open(&location, &[], Arc::new(SystemRandomness::default())).unwrap())
}

/// Prints what was acknowledged, as one line that appears complete or not at all.
fn acknowledge(what: &str, name: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("@{what} {name}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// Signs in, redeems, refreshes and revokes, printing each acknowledged write, until it is killed.
async fn write_forever(store: Arc<SqliteStore>, writer: String) {
    for n in 0_u64.. {
        let name = format!("{writer}-{n}");
        let someone = person(&name);
        let event = |kind| vec![someone.event(kind).client(&name)];
        let mut sign_in = someone.sign_in(&name);
        sign_in.events = event(Kind::SignIn);
        sign_in.code = Some(code(&name, someone.grant(&name, &name)));
        assert_eq!(store.finish_sign_in(sign_in, NOW).await.unwrap(), SignInWritten::Done);
        acknowledge("signed-in", &name);
        let first = refresh(&format!("{name}-0"), &name);
        let grant = someone.grant(&name, &name);
        let issued = event(Kind::TokenIssued);
        let redeemed = store.redeem_code(TokenHash::of(&name), grant, Some(first), NOW, issued).await.unwrap();
        assert_eq!(redeemed, Redeemed::First);
        acknowledge("redeemed", &name);
        let mut turn = rotation(&format!("{name}-0"), &format!("{name}-1"), &name);
        turn.events = event(Kind::TokenRefreshed);
        assert_eq!(store.rotate_refresh(turn, NOW).await.unwrap(), Rotated::New);
        acknowledge("refreshed", &name);
        store.revoke_grant(&grant_id(&name), NOW, event(Kind::TokenRevoked)).await.unwrap();
        acknowledge("revoked", &name);
    }
}

/// The writing process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started by d31_kill_9_loses_no_answered_write"]
async fn writing_process() {
    let Some(path) = std::env::var_os(WRITES_TO) else { return };
    let store = open(&PathBuf::from(path));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let name = format!("{}-{writer}", std::process::id());
        writers.spawn(write_forever(Arc::clone(&store), name));
    }
    writers.join_all().await;
}

/// Starts the writing process, kills it after `lines` acknowledgements, and returns the last one for each name.
fn write_until_killed(path: &Path, lines: usize) -> HashMap<String, String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::writing_process", "--ignored", "--nocapture"])
        .env(WRITES_TO, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answers = HashMap::new();
    let mut seen = 0;
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        // The test harness may have printed the beginning of the line.
        let Some((what, name)) = line.split_once('@').and_then(|(_, answer)| answer.split_once(' ')) else { continue };
        answers.insert(name.to_owned(), what.to_owned());
        seen += 1;
        if seen == lines {
            child.kill().unwrap();
        }
    }
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(9), "it ended by itself: {status}");
    assert!(seen >= lines);
    answers
}

/// What must be stored after the last acknowledgement for `name`; the next write may be stored too.
async fn check(store: &SqliteStore, name: &str, answer: &str) {
    let view = store.session(secret(name)).await.unwrap().unwrap();
    assert_eq!(view.user, person(name).user());
    assert!(store.trace(&format!("trace-{name}"), NOW).await.unwrap().is_some());
    let used = store.code(TokenHash::of(name)).await.unwrap().unwrap().0.used_at.is_some();
    let grant = store.grant(&grant_id(name)).await.unwrap();
    let (first, second) = (TokenHash::of(&format!("{name}-0")), TokenHash::of(&format!("{name}-1")));
    let tokens = (store.refresh_token(first).await.unwrap(), store.refresh_token(second).await.unwrap());
    assert_eq!((used, used), (grant.is_some(), tokens.0.is_some()), "a code, its grant and its family are one");
    if answer != "signed-in" {
        assert!(used, "{name} was {answer}");
    }
    let exchanged = tokens.0.is_some_and(|(token, _)| token.used_at.is_some());
    assert_eq!(exchanged, tokens.1.is_some(), "a token is used when its successor is there");
    if matches!(answer, "refreshed" | "revoked") {
        assert!(exchanged, "{name} was {answer}");
    }
    let revoked = grant.is_some_and(|view| view.grant.revoked_at.is_some());
    assert!(revoked || answer != "revoked");
    // Each write has its event, and each event its write.
    let query = EventQuery { client: Some(name.to_owned()), limit: 10, ..EventQuery::default() };
    let recorded: Vec<Kind> = store.events(query).await.unwrap().events.iter().map(|event| event.event.kind).collect();
    let written = [
        (revoked, Kind::TokenRevoked),
        (exchanged, Kind::TokenRefreshed),
        (used, Kind::TokenIssued),
        (true, Kind::SignIn),
    ];
    let written: Vec<Kind> = written.into_iter().filter_map(|(is, kind)| is.then_some(kind)).collect();
    assert_eq!(recorded, written, "{name} was {answer}");
}

#[tokio::test]
async fn d31_kill_9_loses_no_answered_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broker.db");
    let mut all = HashMap::new();
    for round in 0..ROUNDS {
        all.extend(write_until_killed(&path, 5 + 7 * round));
        let store = open(&path);
        for (name, answer) in &all {
            check(&store, name, answer).await;
        }
        crate::conformance::chain(&*store).await;
        // What is indexed and what is not yet are both found in the next round.
        if round % 2 == 0 {
            store.sweep(0, 50).await.unwrap();
        }
        drop(store);
        let sound: String = rusqlite::Connection::open(&path)
            .unwrap()
            .query_row("PRAGMA integrity_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(sound, "ok");
    }
    assert!(all.len() >= ROUNDS);
}
