//! What people, apps and operators see when the store's file is damaged.

use std::os::unix::fs::FileExt as _;

use crate::harness::{Authorize, Browser, TestApp, alice};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d31_a_damaged_store_is_an_error_and_not_busy_and_the_broker_is_not_ready() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broker.db");
    let app = TestApp::stored_in(&path).await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    assert_eq!(app.broker.ready().await.0, 200);
    // Everything that was written is moved into the file, and all but its first page is overwritten. The handle is never
    // closed, because that would release the locks of the store.
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    let pages = path.metadata().unwrap().len() / 4096;
    for page in 1..pages {
        file.write_all_at(&[0x5a; 4096], page * 4096).unwrap();
    }
    // Another process writes, so that the pages in this process's memory are read again.
    drop(connection.execute_batch("PRAGMA user_version = 4"));
    let page = browser.open(&app, &Authorize::of("other").url(&app)).await;
    page.assert_error_page(500, "internal_error");
    let reply = app.refresh("app", tokens.refresh()).await;
    reply.assert_json_error(500, "server_error");
    Browser::new().open(&app, &Authorize::of("app").url(&app)).await;
    let (status, said) = app.broker.ready().await;
    assert_eq!(status, 503, "{said}");
    assert!(said.contains("damaged") && said.contains("restore a backup"), "{said}");
    std::mem::forget((file, connection));
}
