//! The audit trail: what is recorded of sign-ins, refusals, tokens, sign-outs, reloads and administrators, and how it is read.

use axum::body::{Body, to_bytes};
use countersign::audit::chain::Verifier;
use countersign::store::EventQuery;
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::harness::{Answer, Auth, Authorize, BASE, Browser, TestApp, WITH_PARTNER, alice, bob, log, with};

/// The audit trail, the oldest first, verified.
async fn trail(app: &TestApp) -> Vec<Value> {
    let mut verifier = Verifier::default();
    let lines = app.broker.store.events_after(0, u32::MAX).await.unwrap();
    for line in &lines {
        verifier.next(line, false).unwrap();
    }
    lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The kinds of the events, with their pattern, action or reason.
fn kinds(events: &[Value]) -> Vec<String> {
    let more = |event: &Value| ["pattern", "action", "reason"].map(|key| event[key].as_str().unwrap_or("").to_owned());
    let told = |event: &Value| format!("{} {}", event["event"].as_str().unwrap(), more(event).concat());
    events.iter().map(|event| told(event).trim().to_owned()).collect()
}

async fn get(app: &TestApp, path: &str) -> (u16, Value) {
    let request = Request::get(format!("/api{path}")).body(Body::empty()).unwrap();
    let response = app.broker.admin_router().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn refused(app: &TestApp, person: &Value) {
    let reply = app.through_provider(&mut Browser::at("198.51.100.7"), &Authorize::of("app"), person).await;
    assert_eq!(reply.status, 403, "{}", reply.text());
}

#[tokio::test]
async fn everything_that_happens_is_recorded_once_with_whom_it_concerns() {
    log::capture();
    let app = TestApp::base().await;
    let mut browser = Browser::at("198.51.100.101");
    let tokens = app.sign_in_with(&mut browser, &Authorize::of("app"), &alice()).await;
    let tokens = app.refresh("app", tokens.refresh()).await.json();
    app.revoke("app", tokens["refresh_token"].as_str().unwrap()).await;
    let (_, again) = app.sign_in("app", &alice()).await;
    app.get(&format!("/oauth2/logout?id_token_hint={}", again.id())).await;
    app.reload(BASE, &["clients.app.require = \"false\"\nroles.admin.permissions = [\"all\"]"]).await;
    refused(&app, &alice()).await;
    let events = trail(&app).await;
    assert_eq!(
        kinds(&events),
        [
            "sign_in",
            "account_created",
            "token_issued",
            "token_refreshed",
            "token_revoked",
            "sign_in",
            "token_issued",
            "logout",
            "reload",
            "role_changed",
            "refusal client_requirement_not_met",
        ]
    );
    let first = &events[0];
    for (name, expected) in [
        ("user", json!("alice")),
        ("client", json!("app")),
        ("provider", json!("staff")),
        ("address", json!("198.51.100.101")),
        ("at", json!(crate::harness::START)),
    ] {
        assert_eq!(first[name], expected, "{first}");
    }
    for event in events.iter().filter(|event| event["event"] != "reload" && event["event"] != "role_changed") {
        assert_eq!((&event["user"], &event["sub"]), (&first["user"], &first["sub"]), "{event}");
        assert!(event["trace_id"].is_string(), "{event}");
        // Each has one line in the log, with the same fields.
        let trace = format!("\"trace_id\":{}", event["trace_id"]);
        let kind = format!("\"event\":{}", event["event"]);
        let lines = log::lines(&[&trace, &kind, &format!("\"user\":\"alice\",\"sub\":{}", event["sub"])]);
        assert_eq!(lines.len(), 1, "{event}: {lines:#?}");
    }
    let refusal = events.last().unwrap();
    let told = log::lines(&[&format!("\"trace_id\":{}", refusal["trace_id"])]);
    assert_eq!(told.len(), 1, "a refusal is told once: {told:#?}");
}

#[tokio::test]
async fn identify_leaves_names_out_of_events_and_lines() {
    log::capture();
    for (identify, user, sub) in [("username", true, true), ("sub", false, true), ("none", false, false)] {
        let app = TestApp::with(&format!("audit.identify = \"{identify}\"")).await;
        let person = with(alice(), json!({ "preferred_username": format!("somebody-{identify}") }));
        app.sign_in("app", &person).await;
        let events = trail(&app).await;
        assert!(!events.is_empty());
        assert!(events.iter().all(|event| event["user"].is_string() == user && event["sub"].is_string() == sub));
        let named = log::lines(&[&format!("somebody-{identify}")]);
        assert_eq!(!named.is_empty(), user, "{named:#?}");
        // The store still finds them.
        let account = app.broker.store.user(&format!("somebody-{identify}")).await.unwrap().unwrap().user.id;
        let query = EventQuery { account: Some(account), limit: 10, ..EventQuery::default() };
        assert_eq!(app.broker.store.events(query).await.unwrap().events.len(), events.len());
    }
}

#[tokio::test]
async fn suspicious_patterns_are_events_of_their_own() {
    let overlay = format!("{WITH_PARTNER}link_by = \"verified_email\"\nlink_with = [\"staff\"]\n");
    let app = TestApp::with(&overlay).await;
    let request = |provider: &str| Authorize::of("app").set("provider", provider);
    let tokens = app.sign_in_with(&mut Browser::new(), &request("staff"), &alice()).await;
    // A refresh token that is used again.
    app.refresh("app", tokens.refresh()).await;
    app.wait(60);
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    // One client's secret guessed from many addresses, each of which stays below its limit.
    for n in 0..25 {
        let wrong = Auth::Basic("app".to_owned(), "guessed".to_owned());
        let mut guesser = Browser::at(&format!("203.0.113.{n}"));
        let form = [("grant_type", "client_credentials")];
        app.post_as(&mut guesser, "/oauth2/token", &wrong, &form).await.assert_json_error(401, "invalid_client");
    }
    // One account refused again and again.
    app.reload(BASE, &[overlay.as_str(), "clients.app.require = \"false\""]).await;
    for _ in 0..12 {
        let reply = app.through_provider(&mut Browser::new(), &request("staff"), &alice()).await;
        assert_eq!(reply.status, 403, "{}", reply.text());
    }
    // The first sign-in through another upstream account.
    app.reload(BASE, &[overlay.as_str()]).await;
    app.sign_in_with(&mut Browser::new(), &request("partner"), &with(alice(), json!({ "sub": "77" }))).await;
    let events = trail(&app).await;
    assert!(kinds(&events).contains(&"account_linked".to_owned()), "{events:#?}");
    let patterns: Vec<&str> = events.iter().filter_map(|event| event["pattern"].as_str()).collect();
    assert_eq!(patterns, ["refresh_reuse", "many_wrong_secrets", "many_refusals", "new_link"]);
    let metrics = app.broker.metrics().await;
    for pattern in ["refresh_reuse", "many_wrong_secrets", "many_refusals", "new_link"] {
        let line = format!("countersign_suspicious_total{{pattern=\"{pattern}\"}} 1\n");
        assert!(metrics.contains(&line), "{metrics}");
    }
}

#[tokio::test]
async fn a_rotation_of_the_signing_keys_is_recorded_once() {
    let app = TestApp::base().await;
    let rotations = async || trail(&app).await.into_iter().filter(|event| event["event"] == "keys_rotated").collect();
    // What is due at the start happens first.
    app.broker.housekeeping().await;
    let before: Vec<Value> = rotations().await;
    app.broker.housekeeping().await;
    assert_eq!(rotations().await, before, "nothing was due");
    app.wait(91 * 86_400);
    app.broker.housekeeping().await;
    app.broker.housekeeping().await;
    let after: Vec<Value> = rotations().await;
    assert_eq!(after.len(), before.len() + 1, "{after:#?}");
    assert!(after.last().unwrap()["detail"].as_str().unwrap().contains("RS256 "), "{after:#?}");
}

#[tokio::test]
async fn d42_refusals_and_failures_do_not_fill_the_audit_trail() {
    let app =
        TestApp::with("clients.app.require = \"false\"\nlimits.per_address = { rate = \"999999/s\", burst = 100000 }")
            .await;
    for _ in 0..120 {
        refused(&app, &alice()).await;
    }
    let recorded = trail(&app).await.len();
    assert!((20..=60).contains(&recorded), "{recorded}");
    let metrics = app.broker.metrics().await;
    let counted = "client=\"app\",outcome=\"refused\",reason=\"client_requirement_not_met\"} 120\n";
    assert!(metrics.contains(counted), "all of them are counted: {metrics}");
    // The provider's errors, which anybody can bring back.
    for _ in 0..120 {
        let mut browser = Browser::at("198.51.100.9");
        let callback = app.at_provider(&mut browser, &Authorize::of("app"), &bob()).await;
        let (path, query) = callback.split_once('?').unwrap();
        let state = query.split('&').find(|pair| pair.starts_with("state=")).unwrap();
        browser.open(&app, &format!("{path}?{state}&error=access_denied")).await;
    }
    let failures = trail(&app).await.len() - recorded;
    assert!((1..=30).contains(&failures), "{failures}");
}

#[tokio::test]
async fn the_trail_is_queried_by_whom_and_what_it_concerns() {
    let app = TestApp::base().await;
    app.sign_in("app", &alice()).await;
    app.wait(7200);
    app.sign_in("other", &bob()).await;
    app.reload(BASE, &["clients.app.require = \"false\""]).await;
    refused(&app, &alice()).await;
    for housekeeping in [false, true] {
        if housekeeping {
            app.broker.housekeeping().await;
        }
        let now = app.now();
        for (query, expected) in [
            ("", 8),
            ("?user=alice", 4),
            ("?user=ALICE&event=refusal", 1),
            ("?user=bob%40corp.example&client=app", 404),
            ("?user=bob&client=app", 0),
            ("?client=other", 3),
            ("?provider=staff", 7),
            ("?provider=other", 0),
            ("?reason=client_requirement_not_met", 1),
            ("?address=198.51.100.7", 1),
            (&format!("?from={}", now - 10), 5),
            (&format!("?to={}", now - 10), 3),
            ("?event=nothing", 404),
            ("?colour=red", 400),
            ("?limit=0", 400),
            ("?from=yesterday", 400),
        ] {
            let (status, answer) = get(&app, &format!("/audit{query}")).await;
            let found = answer["events"].as_array().map_or(usize::from(status), Vec::len);
            assert_eq!(found, expected, "{query}: {answer}");
        }
        let (_, first) = get(&app, "/audit?limit=3").await;
        let (_, second) = get(&app, &format!("/audit?limit=10&before={}", first["next"])).await;
        assert_eq!((second["events"].as_array().unwrap().len(), &second["next"]), (5, &Value::Null));
    }
    let (_, chain) = get(&app, "/audit/chain?after=0&limit=5000").await;
    assert_eq!((chain["lines"].as_array().unwrap().len(), &chain["last"][0]), (8, &json!(8)));
}

#[tokio::test]
async fn d44_events_and_traces_live_by_retention() {
    let app = TestApp::with("audit.retention = \"2d\"").await;
    app.sign_in("app", &alice()).await;
    let trace = trail(&app).await[0]["trace_id"].as_str().unwrap().to_owned();
    app.wait(86_400);
    app.sign_in("app", &bob()).await;
    app.wait(86_400 + 60);
    app.broker.housekeeping().await;
    let left = trail_after_retention(&app).await;
    assert!(left.iter().all(|event| event["user"] == "bob") && left.len() == 3, "{left:#?}");
    assert!(app.broker.store.trace(&trace, app.now()).await.unwrap().is_none());
    // A shorter retention counts for what is there already.
    app.reload(BASE, &["audit.retention = \"1h\""]).await;
    app.broker.housekeeping().await;
    assert_eq!(kinds(&trail_after_retention(&app).await), ["reload"]);
}

async fn trail_after_retention(app: &TestApp) -> Vec<Value> {
    let mut verifier = Verifier::after(app.broker.store.chain_ends().await.unwrap().anchor);
    let lines = app.broker.store.events_after(0, u32::MAX).await.unwrap();
    lines.iter().map(|line| verifier.next(line, false).map(|event| json!(event)).unwrap()).collect()
}

#[tokio::test]
async fn events_follow_to_a_file_and_a_failing_file_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("audit.jsonl");
    let missing = folder.path().join("later").join("audit.jsonl");
    let app = TestApp::with(&format!("audit.file = \"{}\"", file.display())).await;
    let lines = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default();
    app.sign_in("app", &alice()).await;
    app.broker.export_events().await;
    app.broker.export_events().await;
    assert_eq!(lines(&file).lines().count(), 3, "each once");
    // Rotated by renaming it.
    let rotated = folder.path().join("audit.jsonl.1");
    std::fs::rename(&file, &rotated).unwrap();
    app.sign_in("app", &bob()).await;
    app.broker.export_events().await;
    let whole = format!("{}{}", lines(&rotated), lines(&file));
    let mut verifier = Verifier::default();
    whole.lines().for_each(|line| drop(verifier.next(line, false).unwrap()));
    assert_eq!(verifier.count, 6);
    // A file that can't be written loses nothing, and the metric tells.
    app.reload(BASE, &[&format!("audit.file = \"{}\"", missing.display())]).await;
    app.broker.export_events().await;
    assert!(app.broker.metrics().await.contains("countersign_audit_output_failed 1\n"));
    app.sign_in("other", &bob()).await;
    std::fs::create_dir(missing.parent().unwrap()).unwrap();
    app.broker.export_events().await;
    assert!(app.broker.metrics().await.contains("countersign_audit_output_failed 0\n"));
    let mut verifier = Verifier::default();
    lines(&missing).lines().for_each(|line| drop(verifier.next(line, false).unwrap()));
    assert_eq!(verifier.count, 9, "an output that is new has what the store has");
}

#[tokio::test]
async fn somebody_who_was_refused_at_the_door_is_found_by_name_and_the_condition_is_kept() {
    let app = TestApp::with("providers.staff.allow = \"'platform' in claims.groups\"").await;
    let mallory = with(
        alice(),
        json!({ "sub": "upstream-7", "preferred_username": "Mallory", "email": "m@else.example", "groups": ["/platform"] }),
    );
    refused(&app, &mallory).await;
    for name in ["mallory", "M@else.example", "upstream-7"] {
        let found = app.broker.store.refusals_named(name, app.now(), 5).await.unwrap();
        let [trace] = found.as_slice() else { panic!("{name}: {}", found.len()) };
        let kept = countersign::analysis::explain::Kept::read(&trace.data).unwrap();
        let by = kept.refused_by.unwrap();
        assert_eq!(by.near_misses, ["'/platform' is not 'platform'"]);
        assert_eq!(
            (by.values[0].name.as_str(), by.values[0].value.clone()),
            ("claims.groups", Some(json!(["/platform"])))
        );
    }
    assert!(app.broker.store.refusals_named("alice", app.now(), 5).await.unwrap().is_empty());
    // Names of people who have an account are not kept with the refusal.
    app.reload(BASE, &[]).await;
    app.sign_in("app", &bob()).await;
    app.reload(BASE, &["clients.app.require = \"false\""]).await;
    refused(&app, &bob()).await;
    assert!(app.broker.store.refusals_named("bob", app.now(), 5).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_refusal_for_a_missing_role_keeps_what_came_close_to_its_rules() {
    let rules = "[roles.admin]\n[[role_rules]]\nwhen = \"'platform' in groups\"\nroles = [\"admin\"]\n[clients.app]\nrequire = \"'admin' in roles\"";
    let app = TestApp::with(rules).await;
    let mallory =
        with(alice(), json!({ "sub": "upstream-8", "preferred_username": "mallory", "groups": ["/platform"] }));
    refused(&app, &mallory).await;
    let found = app.broker.store.refusals_named("mallory", app.now(), 5).await.unwrap();
    let [trace] = found.as_slice() else { panic!("{}", found.len()) };
    let by = countersign::analysis::explain::Kept::read(&trace.data).unwrap().refused_by.unwrap();
    assert_eq!(by.expression, "'admin' in roles");
    let [miss] = by.near_misses.as_slice() else { panic!("{by:?}") };
    assert!(miss.starts_with("'/platform' is not 'platform': no role admin  ["), "{miss}");
}

#[tokio::test]
async fn a_failure_at_the_provider_is_kept_and_explained() {
    let app = TestApp::base().await;
    app.idp().answer("token", Answer::json(401, &json!({ "error": "invalid_client" })));
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), &alice()).await;
    let events = trail(&app).await;
    let [failure] = events.as_slice() else { panic!("{events:#?}") };
    assert_eq!((&failure["event"], &failure["provider"]), (&json!("upstream_failure"), &json!("staff")));
    let trace = app.broker.store.trace(failure["trace_id"].as_str().unwrap(), app.now()).await.unwrap().unwrap();
    let printed = countersign::analysis::explain::Kept::read(&trace.data).unwrap().print(trace.at, Some("app"));
    assert!(printed.contains("invalid_client") && printed.contains(failure["reason"].as_str().unwrap()), "{printed}");
}
