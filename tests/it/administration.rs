//! `/api` of the admin listener: users, sessions, the grants of a client, and consents. Its actions only revoke access.

use axum::body::{Body, to_bytes};
use http::{Method, Request};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::harness::{Authorize, BASE, Browser, Receiver, TestApp, alice, bob, with};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn call(app: &TestApp, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
    let mut request = Request::builder().method(method).uri(format!("/api{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    let response = app.broker.admin_router().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn get(app: &TestApp, path: &str) -> (u16, Value) {
    call(app, Method::GET, path, &[], "").await
}

async fn post(app: &TestApp, path: &str, body: Value) -> (u16, Value) {
    call(app, Method::POST, path, &[JSON], &body.to_string()).await
}

/// Posts an action that must succeed.
async fn act(app: &TestApp, path: &str, body: Value) -> Value {
    let (status, answer) = post(app, path, body).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// A page of evil.example whose name now points at 127.0.0.1 is of the same origin, and no browser marks what it asks.
#[tokio::test]
async fn d18_a_name_that_was_pointed_at_the_admin_listener_reads_nothing() {
    let app = TestApp::base().await;
    app.sign_in("app", &alice()).await;
    let ask = async |app: &TestApp, path: &str, host: &'static str, token: &str| {
        let request = Request::get(path).header("host", host).header("authorization", format!("Bearer {token}"));
        let response = app.broker.admin_router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        (status, String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap())
    };
    let names = ["evil.example:9464", "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "[x]", ""];
    for path in ["/api/users", "/api/sessions", "/api/audit", "/status", "/metrics"] {
        for host in names {
            let (status, body) = ask(&app, path, host, "").await;
            assert_eq!(status, 421, "{path} as {host}");
            assert!(body.contains("admin.token") && !body.contains("alice"), "{body}");
        }
        for host in ["127.0.0.1:9464", "localhost:9464", "LOCALHOST", "[::1]:9464", "127.0.0.2"] {
            assert_eq!(ask(&app, path, host, "").await.0, 200, "{path} as {host}");
        }
    }
    assert_eq!(ask(&app, "/healthz", "evil.example", "").await.0, 200, "probes say nothing");
    // Where a token is required, it is what counts.
    let guarded = TestApp::with("admin.token = \"the-token-of-the-administrators\"").await;
    assert_eq!(ask(&guarded, "/status", "admin.example", "the-token-of-the-administrators").await.0, 200);
    assert_eq!(ask(&guarded, "/status", "127.0.0.1:9464", "").await.0, 401);
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once_and_the_answer_says_what_ended() {
    let app = TestApp::base().await;
    let offline = Authorize::of("app").set("scope", "openid offline_access");
    let mut browser = Browser::new();
    let tokens = app.sign_in_with(&mut browser, &offline, &alice()).await;
    app.sign_in("other", &alice()).await;
    let (_, others) = app.sign_in("app", &bob()).await;

    let report = act(&app, "/users/disable", json!({ "user": "Alice" })).await;
    assert_eq!((&report["sessions_ended"], &report["grants_revoked"]), (&json!(2), &json!(2)));
    assert_eq!(report["offline_tokens_until"], json!(app.now() + 3600), "access tokens live for an hour");
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400);
    assert_eq!(app.userinfo(tokens.access()).await.status, 401);
    let again = app.through_provider(&mut Browser::new(), &Authorize::of("app"), &alice()).await;
    again.assert_error_page(403, "user_disabled");
    assert_eq!(app.refresh("app", others.refresh()).await.status, 200, "nobody else is concerned");

    let (_, shown) = get(&app, "/user?user=alice").await;
    assert_eq!((&shown["access"], &shown["sessions"]), (&json!("disabled_at_runtime"), &json!([])));
    act(&app, "/users/enable", json!({ "user": "alice" })).await;
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400, "what ended does not come back");
    app.sign_in("app", &alice()).await;
}

#[tokio::test]
async fn the_file_wins_over_enabling() {
    let app = TestApp::base().await;
    app.sign_in("app", &alice()).await;
    app.reload(BASE, &["users.alice.enabled = false"]).await;
    let (status, answer) = post(&app, "/users/enable", json!({ "user": "alice" })).await;
    assert_eq!(status, 409, "{answer}");
    assert!(answer["error_description"].as_str().unwrap().contains("enabled = false"), "{answer}");
    assert_eq!(get(&app, "/user?user=alice").await.1["access"], json!("disabled_in_file"));
}

#[tokio::test]
async fn a_user_is_found_by_name_sub_and_verified_address() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    app.sign_in("app", &with(bob(), json!({ "email_verified": false }))).await;
    for name in ["alice", "ALICE", &tokens.sub(), "alice%40corp.example", "Alice%40CORP.example"] {
        let (status, shown) = get(&app, &format!("/user?user={name}")).await;
        assert_eq!((status, &shown["username"]), (200, &json!("alice")), "{name}");
    }
    // This address was not verified by anybody.
    assert_eq!(get(&app, "/user?user=bob%40corp.example").await.0, 404);
    assert_eq!(get(&app, "/user?user=nobody").await.0, 404);
    let twin = with(
        bob(),
        json!({ "sub": "3", "preferred_username": "twin", "email": "alice@corp.example", "email_verified": true }),
    );
    app.sign_in("app", &twin).await;
    let (status, answer) = get(&app, "/user?user=alice%40corp.example").await;
    assert_eq!(status, 409, "{answer}");
    let text = answer["error_description"].as_str().unwrap();
    assert!(text.contains("alice, twin") || text.contains("twin, alice"), "{text}");
}

#[tokio::test]
async fn a_renamed_user_keeps_everything_but_the_name() {
    let app = TestApp::with("[users.carol]\n[policy]\nreserved_usernames = [\"root\"]").await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    app.sign_in("app", &bob()).await;
    for (wanted, part) in [
        ("bob", "belongs to another user"),
        ("BOB", "belongs to another user"),
        ("r00t", "reserved"),
        ("carol", "the file declares"),
        ("  ", "1 to 255"),
        ("ali\u{200b}ce", "1 to 255"),
    ] {
        let (status, answer) = post(&app, "/users/rename", json!({ "user": "alice", "username": wanted })).await;
        assert_eq!(status, 409, "{wanted}: {answer}");
        assert!(answer["error_description"].as_str().unwrap().contains(part), "{wanted}: {answer}");
    }
    let answer = act(&app, "/users/rename", json!({ "user": "alice", "username": "Alicia" })).await;
    assert_eq!(answer["username"], json!("Alicia"));
    let refreshed = app.refresh("app", tokens.refresh()).await;
    let claims = crate::harness::claims_of(refreshed.json()["id_token"].as_str().unwrap());
    assert_eq!((&claims["preferred_username"], &claims["sub"]), (&json!("Alicia"), &json!(tokens.sub())));
    let (_, tokens) = app.sign_in("app", &alice()).await;
    assert_eq!(tokens.claims()["preferred_username"], json!("Alicia"), "the provider's name does not come back");
}

#[tokio::test]
async fn sessions_end_one_by_one_or_all_of_a_user_and_the_apps_are_notified() {
    let receiver = Receiver::start().await;
    let notified = format!("clients.app.backchannel_logout_uri = \"{}\"", receiver.url("app"));
    let app = TestApp::with(&notified).await;
    let (mut lost, tokens) = app.sign_in("app", &alice()).await;
    let (mut kept, _) = app.sign_in("app", &alice()).await;
    app.sign_in("app", &bob()).await;

    let (_, listed) = get(&app, "/sessions?user=alice").await;
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 2);
    assert_eq!(get(&app, "/sessions").await.1["sessions"].as_array().unwrap().len(), 3);
    let sid = &tokens.claims()["sid"];
    let report = act(&app, "/sessions/revoke", json!({ "session": sid })).await;
    assert_eq!((&report["sessions_ended"], &report["apps_notified"]), (&json!(1), &json!(["app"])));
    let silent = Authorize::of("app").set("prompt", "none").url(&app);
    lost.open(&app, &silent).await.assert_app_error("app", "login_required");
    assert!(kept.open(&app, &silent).await.location().contains("code="));
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400);
    assert_eq!(post(&app, "/sessions/revoke", json!({ "session": sid })).await.0, 404, "it is gone");

    let report = act(&app, "/sessions/revoke", json!({ "user": "alice" })).await;
    assert_eq!(report["sessions_ended"], json!(1));
    kept.open(&app, &silent).await.assert_app_error("app", "login_required");
    assert_eq!(get(&app, "/sessions").await.1["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_clients_grants_and_codes_are_revoked_and_nobody_elses() {
    let app = TestApp::base().await;
    let offline = Authorize::of("app").set("scope", "openid offline_access");
    let (_, other) = app.sign_in("other", &alice()).await;
    let mut browser = Browser::new();
    let tokens = app.sign_in_with(&mut browser, &offline, &alice()).await;
    let code = browser.open(&app, &Authorize::of("app").url(&app)).await.param("code");
    let report = act(&app, "/clients/revoke", json!({ "client": "app" })).await;
    assert_eq!((&report["sessions_ended"], &report["grants_revoked"]), (&json!(0), &json!(1)));
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400);
    assert_eq!(app.userinfo(tokens.access()).await.status, 401);
    assert_eq!(app.redeem("app", &code).await.status, 400, "a code that was issued before gives nothing");
    assert_eq!(app.refresh("other", other.refresh()).await.status, 200);
    assert_eq!(post(&app, "/clients/revoke", json!({ "client": "nobody" })).await.0, 404);
}

#[tokio::test]
async fn a_revoked_consent_is_asked_for_again() {
    let app = TestApp::with("clients.app.consent = \"explicit\"").await;
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("scope", "openid email");
    let page = app.through_provider(&mut browser, &request, &alice()).await;
    let answer = browser.submit(&app, &page, &[("decision", "allow")]).await;
    let tokens = app.tokens("app", &answer).await;
    let (_, shown) = get(&app, "/user?user=alice").await;
    assert_eq!(shown["consents"][0]["client"], json!("app"), "{shown}");

    act(&app, "/consents/revoke", json!({ "user": "alice", "client": "app" })).await;
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400);
    assert_eq!(browser.open(&app, &request.url(&app)).await.status, 200, "the consent page");
    assert_eq!(post(&app, "/consents/revoke", json!({ "user": "alice", "client": "other" })).await.0, 404);
}

#[tokio::test]
async fn users_are_listed_in_pages() {
    let app = TestApp::base().await;
    for name in ["dora", "alma", "cleo", "ben"] {
        app.sign_in("app", &json!({ "sub": name, "preferred_username": name })).await;
    }
    let (mut names, mut after) = (Vec::new(), String::new());
    loop {
        let (_, page) = get(&app, &format!("/users?limit=3&after={after}")).await;
        names.extend(page["users"].as_array().unwrap().iter().map(|user| user["username"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        after = next.to_owned();
    }
    assert_eq!(names, ["alma", "ben", "cleo", "dora"]);
    for query in ["limit=0", "limit=x", "limit=1001", "offset=1"] {
        assert_eq!(get(&app, &format!("/users?{query}")).await.0, 400, "{query}");
    }
}

#[tokio::test]
async fn no_website_acts_through_an_administrators_browser() {
    let app = TestApp::base().await;
    app.sign_in("app", &alice()).await;
    let body = json!({ "user": "alice" }).to_string();
    for (headers, status) in [
        (&[JSON, ("origin", "https://evil.example")][..], 403),
        (&[JSON, ("sec-fetch-site", "cross-site")], 403),
        (&[JSON, ("sec-fetch-site", "same-origin")], 403),
        (&[("content-type", "text/plain")], 415),
        (&[("content-type", "application/x-www-form-urlencoded")], 415),
        (&[], 415),
    ] {
        assert_eq!(call(&app, Method::POST, "/users/disable", headers, &body).await.0, status, "{headers:?}");
    }
    assert_eq!(call(&app, Method::GET, "/users", &[("sec-fetch-site", "none")], "").await.0, 403);
    for body in ["", "{}", "[]", "{\"user\": 1}", "{\"user\": \"alice\", \"force\": true}"] {
        assert_eq!(call(&app, Method::POST, "/users/disable", &[JSON], body).await.0, 400, "{body}");
    }
    let (_, shown) = get(&app, "/user?user=alice").await;
    assert_eq!(shown["access"], json!("enabled"));
}

#[tokio::test]
async fn the_admin_token_is_needed_where_there_is_one() {
    let app = TestApp::with("admin.token = \"right\"").await;
    assert_eq!(get(&app, "/users").await.0, 401);
    assert_eq!(app.broker.ask_admin("/api/users", "wrong").await, 401);
    assert_eq!(app.broker.ask_admin("/api/users", "right").await, 200);
}

#[tokio::test]
async fn the_signing_keys_are_listed_rotated_and_revoked() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    let signing = |keys: &Value| {
        let keys = keys["keys"].as_array().unwrap().iter();
        let found = keys.clone().find(|key| key["alg"] == "RS256" && key["state"] == "current");
        found.map(|key| key["kid"].as_str().unwrap().to_owned()).unwrap()
    };
    let listed = get(&app, "/keys").await.1;
    let first = signing(&listed);
    assert!(!listed.to_string().contains("private"), "{listed}");
    let answer = act(&app, "/keys/rotate", json!({})).await;
    let second = signing(&get(&app, "/keys").await.1);
    assert_ne!(first, second);
    assert!(answer["signing"].to_string().contains(&second), "{answer}");
    assert_eq!(app.userinfo(tokens.access()).await.status, 200, "what the old key signed is valid until it expires");

    act(&app, "/keys/revoke", json!({ "kid": first })).await;
    assert_eq!(app.userinfo(tokens.access()).await.status, 401, "what a revoked key signed is not");
    let (_, again) = app.sign_in("app", &alice()).await;
    assert_eq!(app.userinfo(again.access()).await.status, 200);
    assert_eq!(post(&app, "/keys/revoke", json!({ "kid": first })).await.0, 404);
    assert_eq!(post(&app, "/keys/rotate", json!({ "now": true })).await.0, 400);

    let events = get(&app, "/audit?event=admin_action").await.1;
    let actions: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["key_revoked", "keys_rotated"], "{events}");
}

#[tokio::test]
async fn a_plan_reads_the_people_with_the_claims_that_it_asks_for() {
    let app = TestApp::base().await;
    app.sign_in("app", &alice()).await;
    app.sign_in("app", &bob()).await;
    let none = act(&app, "/people/read", json!({ "claims": {}, "after": "", "limit": 10 })).await;
    assert_eq!(none["people"].as_array().unwrap().len(), 2, "{none}");
    assert!(!none.to_string().contains("corp.example\""), "no claim was asked for: {none}");
    let provider = none["people"][0]["links"][0]["provider"].as_str().unwrap().to_owned();
    let claims =
        json!({ provider: { "all": false, "groups": [], "read": ["email"], "passed_on": ["preferred_username"] } });
    let first = act(&app, "/people/read", json!({ "claims": claims, "after": "", "limit": 1 })).await;
    let alices = &first["people"][0]["links"][0]["claims"];
    assert_eq!(
        (&alices["email"], &alices["preferred_username"]),
        (&json!("alice@corp.example"), &json!("x")),
        "{first}"
    );
    let second = act(&app, "/people/read", json!({ "claims": claims, "after": first["next"], "limit": 1 })).await;
    assert_eq!(second["people"][0]["username"], json!("bob"));
    assert_eq!(post(&app, "/people/read", json!({ "claims": {}, "after": "", "limit": 0 })).await.0, 400);
    let events = get(&app, "/audit?event=admin_action").await.1;
    let actions: Vec<&str> =
        events["events"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["people_read"; 3], "the first page of each reading is recorded, and the next: {events}");
    // Whoever begins in the middle is in the trail too, and a long reading does not fill it.
    let app = TestApp::base().await;
    app.sign_in("app", &alice()).await;
    for _ in 0..100 {
        let all = act(&app, "/people/read", json!({ "claims": {}, "after": "!", "limit": 10 })).await;
        assert_eq!(all["people"].as_array().unwrap().len(), 1, "{all}");
    }
    let events = get(&app, "/audit?event=admin_action&limit=100").await.1;
    let recorded = events["events"].as_array().unwrap().len();
    assert!((1..=60).contains(&recorded), "{recorded}");
}

#[tokio::test]
async fn a_misspelt_name_is_answered_with_the_nearest_ones() {
    let app = TestApp::base().await;
    app.sign_in("app", &alice()).await;
    app.sign_in("app", &bob()).await;
    let told = async |name: &str| {
        let (status, answer) = get(&app, &format!("/user?user={name}")).await;
        assert_eq!(status, 404, "{name}: {answer}");
        answer["error_description"].as_str().unwrap().to_owned()
    };
    for (typed, near) in [("alcie", "alice"), ("Alicce", "alice"), ("alise", "alice"), ("ali", "alice"), ("bbo", "bob")]
    {
        let text = told(typed).await;
        assert!(text.ends_with(&format!("; did you mean {near}?")), "{typed}: {text}");
    }
    for typed in ["zebra", "x", "alexandra", &"a".repeat(3000)] {
        assert!(!told(typed).await.contains("did you mean"), "{typed}");
    }
    // Actions say the same.
    let (_, answer) = post(&app, "/users/disable", json!({ "user": "alcie" })).await;
    assert!(answer["error_description"].as_str().unwrap().contains("did you mean alice?"), "{answer}");
}
