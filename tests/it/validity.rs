//! An event that ends a sign-in early takes effect at every endpoint: a table of events and of what each endpoint then accepts.

use serde_json::json;

use crate::harness::{Auth, Authorize, BASE, Browser, PARTNER, TestApp, Tokens, alice};

/// An API that may introspect access tokens, and lifetimes with which a session can be inactive before its tokens expire.
const OVERLAY: &str = r#"
session = { max_inactive = "4m", max_lifetime = "10h" }
tokens.authorization_code = "5m"
[clients.api]
client_secret = "secret-of-api-0123456789abcdef"
grant_types = []
[resources.orders]
uri = "https://api.example.com/orders"
clients = ["app"]
introspect = ["api"]
"#;

/// An event that happens after a sign-in.
#[derive(Clone, Copy, Debug)]
enum Event {
    Nothing,
    ProviderDisabled,
    ProviderRepointed,
    SessionEnded,
    SessionInactive,
    UserDisabledInFile,
    UserDisabledAtRunTime,
    ClientDisabled,
    GrantRevoked,
}

/// Which of the five uses of a sign-in still work: the code, the refresh token, userinfo, introspection of the access token,
/// and introspection of the refresh token.
type Works = [bool; 5];

const ALL: Works = [true; 5];
const NONE: Works = [false; 5];
const ALL_BUT_THE_CODE: Works = [false, true, true, true, true];
const ONLY_THE_CODE: Works = [true, false, false, false, false];

/// What an app has after a sign-in: a code that has not been redeemed, and the tokens of another code.
struct Held {
    code: String,
    tokens: Tokens,
}

impl Held {
    async fn of(app: &TestApp, browser: &mut Browser, scope: &str) -> Self {
        let request = Authorize::of("app").set("scope", scope).set("resource", "https://api.example.com/orders");
        let answer = browser.open(app, &request.url(app)).await;
        let tokens = app.tokens("app", &answer).await;
        let code = browser.open(app, &request.url(app)).await.param("code");
        Self { code, tokens }
    }

    /// Calls every endpoint. The refresh token comes last, because using it replaces it.
    async fn works(&self, app: &TestApp) -> Works {
        let active = async |caller: &str, token: &str| {
            let reply = app.introspect(caller, token).await;
            reply.status == 200 && reply.json()["active"] == json!(true)
        };
        let userinfo = app.userinfo(self.tokens.access()).await.status == 200;
        let access = active("api", self.tokens.access()).await;
        let refresh = active("app", self.tokens.refresh()).await;
        let code = app.redeem("app", &self.code).await.status == 200;
        [code, app.refresh("app", self.tokens.refresh()).await.status == 200, userinfo, access, refresh]
    }
}

async fn happens(event: Event, app: &TestApp, browser: &mut Browser, held: [&Held; 2]) {
    let reload = async |overlay: &str| app.reload(BASE, &[OVERLAY, overlay]).await;
    match event {
        Event::Nothing => {}
        Event::ProviderDisabled => reload("providers.staff.enabled = false").await,
        Event::ProviderRepointed => reload(&format!("providers.staff.issuer = \"{PARTNER}\"")).await,
        Event::SessionEnded => {
            let page = browser.open(app, "/oauth2/logout").await;
            browser.submit(app, &page, &[("decision", "sign_out")]).await;
        }
        Event::SessionInactive => app.wait(240),
        Event::UserDisabledInFile => reload("users.alice.enabled = false").await,
        Event::UserDisabledAtRunTime => app.set_user_disabled("alice", true).await,
        Event::ClientDisabled => reload("clients.app.enabled = false").await,
        Event::GrantRevoked => {
            for held in held {
                app.revoke("app", held.tokens.refresh()).await;
            }
        }
    }
}

#[tokio::test]
async fn every_endpoint_agrees_on_what_is_still_valid() {
    for (event, bound, offline) in [
        (Event::Nothing, ALL, ALL),
        (Event::ProviderDisabled, NONE, NONE),
        (Event::ProviderRepointed, NONE, NONE),
        // With `offline_access`, tokens outlive the session; a code never does.
        (Event::SessionEnded, NONE, ALL_BUT_THE_CODE),
        (Event::SessionInactive, NONE, ALL_BUT_THE_CODE),
        (Event::UserDisabledInFile, NONE, NONE),
        (Event::UserDisabledAtRunTime, NONE, NONE),
        (Event::ClientDisabled, NONE, NONE),
        // The code belongs to another grant.
        (Event::GrantRevoked, ONLY_THE_CODE, ONLY_THE_CODE),
    ] {
        let app = TestApp::with(OVERLAY).await;
        let mut browser = Browser::new();
        app.through_provider(&mut browser, &Authorize::of("other"), &alice()).await;
        let held_bound = Held::of(&app, &mut browser, "openid profile").await;
        let held_offline = Held::of(&app, &mut browser, "openid profile offline_access").await;
        happens(event, &app, &mut browser, [&held_bound, &held_offline]).await;
        assert_eq!(held_offline.works(&app).await, offline, "{event:?}, with offline_access");
        assert_eq!(held_bound.works(&app).await, bound, "{event:?}");
    }
}

#[tokio::test]
async fn what_a_reload_took_away_comes_back_with_the_next() {
    for overlay in ["providers.staff.enabled = false", "clients.app.enabled = false", "users.alice.enabled = false"] {
        let app = TestApp::with(OVERLAY).await;
        let mut browser = Browser::new();
        app.through_provider(&mut browser, &Authorize::of("other"), &alice()).await;
        let held = Held::of(&app, &mut browser, "openid profile").await;
        app.reload(BASE, &[OVERLAY, overlay]).await;
        assert_eq!(held.works(&app).await, NONE, "{overlay}");
        app.reload(BASE, &[OVERLAY]).await;
        assert_eq!(held.works(&app).await, ALL, "{overlay}");
    }
}

#[tokio::test]
async fn a_token_for_a_resource_lives_as_long_as_the_resource_says() {
    let overlay = r#"
[clients.robot]
client_secret = "secret-of-robot-0123456789abcdef"
grant_types = ["client_credentials"]
[resources.orders]
uri = "https://api.example.com/orders"
clients = ["robot"]
access_token = "3h"
"#;
    let app = TestApp::with(overlay).await;
    let form = [("grant_type", "client_credentials"), ("resource", "https://api.example.com/orders")];
    let tokens = Tokens::read(&app.token(&Auth::of("robot"), &form).await);
    assert_eq!(tokens.body["expires_in"], 3 * 3600);
    app.wait(3 * 3600 - 1);
    app.broker.housekeeping().await;
    assert_eq!(app.introspect("robot", tokens.access()).await.json()["active"], true);
    app.wait(1);
    assert_eq!(app.introspect("robot", tokens.access()).await.json()["active"], false);
}
