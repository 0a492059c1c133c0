//! Access that the file removes from a client is refused wherever an older grant is used: redemption, refresh, userinfo and
//! introspection.

use serde_json::{Value, json};

use crate::harness::{Auth, Authorize, BASE, Browser, Reply, TestApp, Tokens, alice, claims_of};

const ORDERS: &str = "https://api.example.com/orders";
const BILLS: &str = "https://api.example.com/bills";

/// Two resources, an API that may introspect tokens for them, and a client without users.
const FULL: &str = r#"
[resources.orders]
uri = "https://api.example.com/orders"
scopes = ["orders:read", "orders:write"]
clients = ["app", "robot"]
introspect = ["api"]
[resources.bills]
uri = "https://api.example.com/bills"
clients = ["app"]
introspect = ["api"]
[clients.app]
scopes = ["openid", "profile", "email", "groups", "orders:read", "orders:write", "offline_access"]
access_token_claims = ["email"]
[clients.api]
client_secret = "secret-of-api-0123456789abcdef"
grant_types = []
[clients.robot]
client_secret = "secret-of-robot-0123456789abcdef"
grant_types = ["client_credentials"]
scopes = ["orders:read", "orders:write"]
"#;

const ALL: &str = "openid profile email groups orders:read orders:write offline_access";

fn scopes(list: &[&str]) -> String {
    format!("clients.app.scopes = {list:?}\n")
}

/// A sign-in with every scope: its browser, its tokens, and a code that has not been redeemed.
async fn held(app: &TestApp) -> (Tokens, String) {
    let mut browser = Browser::new();
    let request = Authorize::of("app").set("scope", ALL).add("resource", ORDERS).add("resource", BILLS);
    let tokens = app.sign_in_with(&mut browser, &request, &alice()).await;
    let code = browser.open(app, &request.url(app)).await.param("code");
    (tokens, code)
}

async fn reload(app: &TestApp, more: &str) {
    app.reload(BASE, &[FULL, more]).await;
}

async fn refreshed(app: &TestApp, token: &str, more: &[(&str, &str)]) -> Reply {
    let form = [&[("grant_type", "refresh_token"), ("refresh_token", token)], more].concat();
    app.token(&Auth::of("app"), &form).await
}

#[tokio::test]
async fn d45_a_scope_that_a_client_lost_is_gone_everywhere_and_comes_back_with_the_file() {
    let app = TestApp::with(FULL).await;
    let (tokens, code) = held(&app).await;
    assert_eq!(tokens.body["scope"], ALL);
    let less = "openid profile orders:read offline_access";
    reload(&app, &scopes(&less.split(' ').collect::<Vec<_>>())).await;

    for issued in
        [Tokens::read(&app.redeem("app", &code).await), Tokens::read(&refreshed(&app, tokens.refresh(), &[]).await)]
    {
        assert_eq!(issued.body["scope"], less, "the response says what is left");
        assert_eq!(claims_of(issued.access())["scope"], less);
        assert_eq!(issued.claims().get("email"), None);
        assert_eq!(claims_of(issued.access()).get("groups"), None);
    }
    let userinfo = app.userinfo(tokens.access()).await.json();
    assert_eq!(
        (userinfo.get("email"), userinfo.get("groups"), &userinfo["name"]),
        (None, None, &json!("Alice Example"))
    );
    for caller in ["app", "api"] {
        let answer = app.introspect(caller, tokens.access()).await.json();
        assert_eq!((&answer["active"], &answer["scope"]), (&json!(true), &json!(less)), "{caller}");
        assert_eq!(answer.get("groups"), None, "{caller}");
    }

    reload(&app, "").await;
    assert_eq!(app.introspect("app", tokens.access()).await.json()["scope"], ALL);
    assert_eq!(app.userinfo(tokens.access()).await.json()["email"], "alice@corp.example");
}

#[tokio::test]
async fn d45_a_refresh_token_shows_what_is_left_of_it() {
    let app = TestApp::with(FULL).await;
    let (tokens, _) = held(&app).await;
    reload(&app, &scopes(&["openid", "offline_access"])).await;
    let answer = app.introspect("app", tokens.refresh()).await.json();
    assert_eq!((&answer["active"], &answer["scope"]), (&json!(true), &json!("openid offline_access")));
    // A scope that was granted may be requested, and is left out; one that was not granted is an error, as before.
    let reply = refreshed(&app, tokens.refresh(), &[("scope", "openid email")]).await;
    assert_eq!(Tokens::read(&reply).body["scope"], "openid");
    let next = reply.json()["refresh_token"].as_str().unwrap().to_owned();
    refreshed(&app, &next, &[("scope", "openid roles")]).await.assert_json_error(400, "invalid_scope");
}

#[tokio::test]
async fn d45_without_openid_there_is_no_id_token_and_no_userinfo() {
    let app = TestApp::with(FULL).await;
    let (tokens, code) = held(&app).await;
    reload(&app, &scopes(&["orders:read", "offline_access"])).await;
    app.userinfo(tokens.access()).await.assert_json_error(403, "insufficient_scope");
    for reply in [app.redeem("app", &code).await, refreshed(&app, tokens.refresh(), &[]).await] {
        let issued = Tokens::read(&reply);
        assert_eq!(issued.body["scope"], "orders:read offline_access");
        assert_eq!(issued.body.get("id_token"), None);
        app.userinfo(issued.access()).await.assert_json_error(403, "insufficient_scope");
    }
}

#[tokio::test]
async fn d45_a_grant_without_offline_access_dies_with_its_session() {
    for session_lives in [true, false] {
        let app = TestApp::with(FULL).await;
        let (tokens, code) = held(&app).await;
        reload(&app, &scopes(&["openid", "orders:read"])).await;
        if session_lives {
            let issued = Tokens::read(&app.redeem("app", &code).await);
            assert_eq!(issued.body["scope"], "openid orders:read");
            app.wait(31 * 60);
            // The code that was redeemed now is bound to the session permanently.
            reload(&app, "").await;
            app.refresh("app", issued.refresh()).await.assert_json_error(400, "invalid_grant");
        } else {
            assert_eq!(refreshed(&app, tokens.refresh(), &[]).await.status, 200);
            app.wait(31 * 60);
            app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
            app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
            assert_eq!(app.introspect("app", tokens.access()).await.json(), json!({ "active": false }));
            assert_eq!(app.introspect("app", tokens.refresh()).await.json(), json!({ "active": false }));
        }
    }
}

#[tokio::test]
async fn d45_a_resource_that_lost_the_client_is_no_audience_any_more() {
    for lost in ["resources.orders.clients = [\"robot\"]", "resources.orders.uri = \"https://api.example.com/moved\""] {
        let app = TestApp::with(FULL).await;
        let (tokens, code) = held(&app).await;
        let only = Tokens::read(&refreshed(&app, tokens.refresh(), &[("resource", ORDERS)]).await);
        assert_eq!(claims_of(only.access())["aud"], ORDERS);
        reload(&app, lost).await;

        let redeemed = Tokens::read(&app.redeem("app", &code).await);
        assert_eq!(claims_of(redeemed.access())["aud"], BILLS, "{lost}");
        let again = Tokens::read(&refreshed(&app, only.refresh(), &[]).await);
        assert_eq!(claims_of(again.access())["aud"], BILLS, "{lost}");
        refreshed(&app, again.refresh(), &[("resource", ORDERS)]).await.assert_json_error(400, "invalid_target");

        // A token for the removed resource alone is refused; a token for both keeps the other audience.
        for caller in ["app", "api"] {
            assert_eq!(app.introspect(caller, only.access()).await.json(), json!({ "active": false }), "{lost}");
            assert_eq!(app.introspect(caller, tokens.access()).await.json()["aud"], BILLS, "{lost}");
        }
        app.userinfo(only.access()).await.assert_json_error(401, "invalid_token");
    }
}

#[tokio::test]
async fn d45_a_resource_that_is_gone_takes_its_scopes_along() {
    let app = TestApp::with(FULL).await;
    let (tokens, _) = held(&app).await;
    let without = FULL.split("[resources.bills]").next().unwrap().replace(", \"orders:write\"", "");
    let rest = FULL.split("[resources.bills]").nth(1).unwrap().replace(", \"orders:write\"", "");
    app.reload(BASE, &[&format!("{without}[resources.bills]{rest}")]).await;
    let issued = Tokens::read(&refreshed(&app, tokens.refresh(), &[]).await);
    assert_eq!(issued.body["scope"], "openid profile email groups orders:read offline_access");
    assert_eq!(app.introspect("api", tokens.access()).await.json()["scope"], issued.body["scope"]);
}

#[tokio::test]
async fn d45_a_clients_own_token_follows_the_file_too() {
    let app = TestApp::with(FULL).await;
    let form = [("grant_type", "client_credentials"), ("scope", "orders:read orders:write"), ("resource", ORDERS)];
    let tokens = Tokens::read(&app.token(&Auth::of("robot"), &form).await);
    assert_eq!(tokens.body["scope"], "orders:read orders:write");
    reload(&app, "clients.robot.scopes = [\"orders:read\"]").await;
    let answer = app.introspect("api", tokens.access()).await.json();
    assert_eq!((&answer["active"], &answer["scope"]), (&json!(true), &json!("orders:read")));
    reload(&app, "resources.orders.clients = [\"app\"]").await;
    for caller in ["api", "robot"] {
        assert_eq!(app.introspect(caller, tokens.access()).await.json(), json!({ "active": false }), "{caller}");
    }
}

#[tokio::test]
async fn d45_a_claim_that_a_client_lost_is_gone_from_introspection() {
    let app = TestApp::with(FULL).await;
    let (tokens, _) = held(&app).await;
    assert_eq!(app.introspect("api", tokens.access()).await.json()["email"], "alice@corp.example");
    reload(&app, "clients.app.access_token_claims = []").await;
    let answer = app.introspect("api", tokens.access()).await.json();
    assert_eq!(answer.get("email"), None::<&Value>);
    assert_eq!(answer["groups"], json!(["staff", "oncall"]));
}
