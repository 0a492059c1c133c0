//! A broker whose store was copied (`countersign store copy`): what people and apps had begun goes on.

use std::sync::Arc;

use countersign::env::SystemRandomness;
use countersign::store::Store;
use countersign::store::postgres::transfer as postgres;
use countersign::store::postgres::{PostgresStore, Target};
use countersign::store::sqlite::transfer::SqliteEnd;
use countersign::store::sqlite::{Location, SqliteStore};
use countersign::store::transfer::copy::{Compared, copy};

use crate::cluster::Database;
use crate::harness::{Authorize, Browser, ISSUER, TestApp, Tokens, alice};

const KEY: &[u8] = b"the key of a store that moves";

#[tokio::test]
async fn sign_ins_sessions_codes_and_refresh_tokens_go_on_in_a_copied_store() {
    let (folder, database) = (tempfile::tempdir().unwrap(), Database::new().await);
    let random = || Arc::new(SystemRandomness::default());
    let keys = [KEY.to_vec()];
    let sqlite = |name: &str| folder.path().join(name);
    let target = Target::from_url(&database.url()).unwrap().unwrap();
    let broker = postgres::Broker { keys: &keys, issuer: ISSUER, random: random() };

    let open = |name: &str| SqliteStore::open(&Location::File(sqlite(name)), &keys, random()).unwrap();
    let app = TestApp::over(Arc::new(open("a.db"))).await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    // A code that is not redeemed yet, and a browser that is at the provider.
    let code = browser.open(&app, &Authorize::of("other").url(&app)).await.param("code");
    let mut waiting = Browser::new();
    let callback = app.at_provider(&mut waiting, &Authorize::of("app"), &alice()).await;

    let moved = async || {
        let (mut from, origin) = SqliteEnd::source(&sqlite("a.db"), &keys, random()).unwrap();
        let mut to = postgres::destination(&target, &broker, &origin).await.unwrap();
        assert!(copy(&mut from, &mut to, &mut |_| {}).await.unwrap().iter().all(Compared::is_equal));
        drop(to);
        let store: Arc<dyn Store> = Arc::new(PostgresStore::open(&target, &keys, random(), ISSUER).await.unwrap());
        store
    };
    let app = app.moved(moved).await;
    let second = Tokens::read(&app.refresh("app", tokens.refresh()).await);
    assert_eq!(second.sub(), tokens.sub());
    assert_eq!(app.userinfo(tokens.access()).await.status, 200, "signed with a key that has moved along");
    let of_code = Tokens::read(&app.redeem("other", &code).await);
    app.redeem("other", &code).await.assert_json_error(400, "invalid_grant");
    app.userinfo(of_code.access()).await.assert_json_error(401, "invalid_token");
    let answered = waiting.get(&app, &callback).await;
    let third = Tokens::read(&app.redeem("app", &answered.param("code")).await);
    let again = browser.open(&app, &Authorize::of("app").set("prompt", "none").url(&app)).await;
    assert!(!again.param("code").is_empty(), "the session is there, without another sign-in");

    // And back.
    let moved = async || {
        let (mut from, origin) = postgres::source(&target, &broker).await.unwrap();
        let mut to = SqliteEnd::destination(&sqlite("b.db"), &keys, &origin, random()).unwrap();
        assert!(copy(&mut from, &mut to, &mut |_| {}).await.unwrap().iter().all(Compared::is_equal));
        drop(to);
        let store: Arc<dyn Store> = Arc::new(open("b.db"));
        store
    };
    let app = app.moved(moved).await;
    for refresh in [second.refresh(), third.refresh()] {
        assert_eq!(Tokens::read(&app.refresh("app", refresh).await).sub(), tokens.sub());
    }
    app.wait(20);
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
}
