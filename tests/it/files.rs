//! Reloads from disk: the effect of a bad, half-written or missing file, and reloads while people sign in.

use std::path::PathBuf;
use std::sync::Arc;

use countersign::snapshot::reload::{Reloaded, Reloader};
use tokio::task::JoinSet;

use crate::harness::{Authorize, BASE, Browser, TestApp, alice};

/// A broker whose configuration file is on disk.
async fn on_disk() -> (TestApp, Reloader, PathBuf, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("broker.toml");
    std::fs::write(&file, BASE).unwrap();
    let app = TestApp::base().await;
    let reloader = app.broker.reloader(&file);
    (app, reloader, file, folder)
}

/// The file with this setting of `clients.app`.
fn with_name(name: &str) -> String {
    BASE.replace("client_name = \"The App\"", &format!("client_name = \"{name}\""))
}

#[tokio::test]
async fn the_status_of_a_refused_reload_shows_no_password_of_a_url() {
    let (app, mut reloader, file, _folder) = on_disk().await;
    for url in [
        "postgres://u:canary@h/db",
        "postgres://h/db?password=canary",
        "u:canary@h",
        "postgres://u:pass?canary@h/db",
        "postgres://u:pass?word&canary=x@h/db?sslmode=disable",
    ] {
        let key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let store = format!("\"{url}\"\nstore.encryption_keys = [\"{key}\"]");
        std::fs::write(&file, BASE.replace("\"sqlite::memory:\"", &store)).unwrap();
        let outcome = format!("{:?}", reloader.reload().await);
        let status = app.broker.status().await;
        assert!(status.contains("\"reload_failed\":true") && status.contains("store.url"), "{status}");
        assert!(!outcome.contains("canary") && !status.contains("canary"), "{outcome}\n{status}");
    }
}

/// The app's name as people see it at sign-out.
async fn name_shown(app: &TestApp) -> String {
    let page = app.get("/oauth2/logout?client_id=app&post_logout_redirect_uri=https://app.example/bye").await;
    assert!(page.status.is_redirection(), "{page}");
    let (mut browser, _) = app.sign_in("app", &alice()).await;
    browser.open(app, "/oauth2/logout?client_id=app").await.text()
}

#[tokio::test]
async fn d36_a_save_is_applied_once() {
    let (app, mut reloader, file, _folder) = on_disk().await;
    assert_eq!(reloader.reload().await, Reloaded::Unchanged);
    std::fs::write(&file, with_name("Renamed")).unwrap();
    assert_eq!(reloader.reload().await, Reloaded::Applied(2));
    assert_eq!(reloader.reload().await, Reloaded::Unchanged);
    assert!(name_shown(&app).await.contains("Renamed"));
    // Renamed into place, as editors and ConfigMaps do, with the same content: nothing changes.
    let beside = file.with_extension("new");
    std::fs::write(&beside, with_name("Renamed")).unwrap();
    std::fs::rename(&beside, &file).unwrap();
    assert_eq!(reloader.reload().await, Reloaded::Unchanged);
}

#[tokio::test]
async fn d35_a_file_with_problems_leaves_the_old_one_serving_and_raises_the_alarm() {
    let (app, mut reloader, file, _folder) = on_disk().await;
    let half = BASE.split_at(BASE.len() / 2).0.to_owned() + "\n[clients.app";
    for bad in [
        String::new(),
        "not toml at all {{{".to_owned(),
        half,
        with_name("Renamed") + "\n[clients.app2]\nno_such_key = 1\n",
        with_name("Renamed").replace("[providers.staff]", "[providers.staff]\nallow = \"no_such(claims)\""),
        with_name("Renamed").replace("https://app.example/cb", "not a url"),
        with_name("Renamed") + "\n[clients.app3]\nrequire = \"nonsense in\"\n",
        with_name("Renamed").replace("https://sso.example.com", "https://elsewhere.example"),
        with_name("Renamed").replace("sqlite::memory:", "sqlite:other.db"),
    ] {
        std::fs::write(&file, &bad).unwrap();
        let outcome = reloader.reload().await;
        assert!(matches!(&outcome, Reloaded::Refused(problems) if !problems.is_empty()), "{bad}: {outcome:?}");
        assert!(app.broker.reload_failed());
        assert!(name_shown(&app).await.contains("The App"), "the old one serves");
    }
    std::fs::write(&file, [0xff, 0xfe, 0x00]).unwrap();
    assert!(matches!(reloader.reload().await, Reloaded::Refused(_)), "not text");
    std::fs::remove_file(&file).unwrap();
    assert!(matches!(reloader.reload().await, Reloaded::Refused(_)), "deleted");
    std::fs::create_dir(&file).unwrap();
    assert!(matches!(reloader.reload().await, Reloaded::Refused(_)), "a directory");
    assert!(name_shown(&app).await.contains("The App"));
    std::fs::remove_dir(&file).unwrap();
    std::fs::write(&file, with_name("Renamed")).unwrap();
    assert!(matches!(reloader.reload().await, Reloaded::Applied(_)), "and recovers by itself");
    assert!(!app.broker.reload_failed());
}

#[tokio::test]
async fn a_reload_problem_shows_no_secret() {
    let (_app, mut reloader, file, _folder) = on_disk().await;
    std::fs::write(&file, BASE.replace("redirect_uris = [\"https://app", "redirect_urls = [\"https://app")).unwrap();
    let Reloaded::Refused(problems) = reloader.reload().await else { panic!("accepted") };
    assert!(problems.contains("redirect_uris"), "the nearest key: {problems}");
    for secret in [crate::harness::app::secret_of("app"), crate::support::provider::IDP_SECRET.to_owned()] {
        assert!(!problems.contains(&secret), "{problems}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d37_no_sign_in_fails_while_the_file_is_reloaded_again_and_again() {
    let (app, mut reloader, file, _folder) = on_disk().await;
    let app = Arc::new(app);
    let mut tasks = JoinSet::new();
    for _ in 0..40 {
        let app = Arc::clone(&app);
        tasks.spawn(async move {
            let mut browser = Browser::new();
            let callback = app.at_provider(&mut browser, &Authorize::of("app"), &alice()).await;
            tokio::task::yield_now().await;
            let answer = browser.open(&app, &callback).await;
            let tokens = app.tokens("app", &answer).await;
            assert_eq!(app.userinfo(tokens.access()).await.status, 200);
            assert_eq!(app.refresh("app", tokens.refresh()).await.status, 200);
        });
    }
    for n in 0..20 {
        std::fs::write(&file, with_name(&format!("Generation {n}"))).unwrap();
        assert!(matches!(reloader.reload().await, Reloaded::Applied(_)));
    }
    tasks.join_all().await;
}
