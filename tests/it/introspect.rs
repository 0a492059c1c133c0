//! Introspection and revocation.

use serde_json::json;

use crate::harness::{Answer, Auth, Authorize, BASE, Browser, ISSUER, START, Signing, TestApp, alice, keys};

const API: &str = r#"
[clients.api]
client_secret = "secret-of-api-0123456789abcdef"
grant_types = []
[resources.orders]
uri = "https://api.example.com/orders"
clients = ["app"]
introspect = ["api"]
"#;

fn inactive() -> serde_json::Value {
    json!({ "active": false })
}

#[tokio::test]
async fn a_client_sees_its_own_tokens() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    let reply = app.introspect("app", tokens.access()).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("cache-control"), "no-store");
    let answer = reply.json();
    for (name, value) in [
        ("active", json!(true)),
        ("iss", json!(ISSUER)),
        ("sub", json!(tokens.sub())),
        ("aud", json!("app")),
        ("client_id", json!("app")),
        ("scope", json!("openid profile email groups")),
        ("token_type", json!("Bearer")),
        ("username", json!("alice")),
        ("exp", json!(START + 3600)),
        ("iat", json!(START)),
        ("groups", json!(["staff", "oncall"])),
    ] {
        assert_eq!(answer[name], value, "{name}");
    }
    let refresh = app.introspect("app", tokens.refresh()).await.json();
    assert_eq!(refresh["active"], true);
    assert_eq!(refresh["client_id"], "app");
    assert_eq!(app.introspect("app", tokens.id()).await.json(), inactive(), "an ID token is no access token");
    assert_eq!(app.introspect("app", "x").await.json(), inactive());
}

#[tokio::test]
async fn d28_others_see_nothing_unless_they_are_the_audience_or_declared() {
    let app = TestApp::with(API).await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    for caller in ["other", "api"] {
        assert_eq!(app.introspect(caller, tokens.access()).await.json(), inactive());
        assert_eq!(app.introspect(caller, tokens.refresh()).await.json(), inactive());
    }
    let request = Authorize::of("app").set("resource", "https://api.example.com/orders");
    let answer = browser.open(&app, &request.url(&app)).await;
    let tokens = app.tokens("app", &answer).await;
    let seen = app.introspect("api", tokens.access()).await.json();
    assert_eq!(seen["active"], true);
    assert_eq!(seen["username"], "alice");
    assert_eq!(app.introspect("other", tokens.access()).await.json(), inactive());
    app.revoke("api", tokens.access()).await;
    assert_eq!(app.introspect("api", tokens.access()).await.json()["active"], true, "seeing is not revoking");
}

#[tokio::test]
async fn introspection_needs_an_authenticated_client() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("spa", &alice()).await;
    let form = [("token", tokens.access())];
    let post = async |auth: Auth| app.post("/oauth2/introspect", &auth, &form).await;
    post(Auth::Nothing).await.assert_json_error(401, "invalid_client");
    post(Auth::of("spa")).await.assert_json_error(401, "invalid_client");
    post(Auth::Basic("app".to_owned(), "wrong".to_owned())).await.assert_json_error(401, "invalid_client");
    app.post("/oauth2/introspect", &Auth::of("app"), &[]).await.assert_json_error(400, "invalid_request");
    assert_eq!(app.get("/oauth2/introspect").await.status, 405);
}

#[tokio::test]
async fn tokens_end_by_time_by_sign_out_and_by_policy() {
    let app = TestApp::base().await;
    let (mut browser, tokens) = app.sign_in("app", &alice()).await;
    app.reload(BASE, &["clients.app.require = \"'admins' in groups\""]).await;
    assert_eq!(app.introspect("app", tokens.access()).await.json(), inactive());
    app.reload(BASE, &[]).await;
    browser.open(&app, &format!("/oauth2/logout?id_token_hint={}", tokens.id())).await;
    assert_eq!(app.introspect("app", tokens.access()).await.json(), inactive());
    assert_eq!(app.introspect("app", tokens.refresh()).await.json(), inactive());

    let (_, tokens) = app.sign_in("app", &alice()).await;
    app.wait(3600);
    assert_eq!(app.introspect("app", tokens.access()).await.json(), inactive());
}

#[tokio::test]
async fn roles_and_groups_are_those_of_the_moment() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    app.reload(BASE, &["[users.alice]\ngroups = [\"added-in-the-file\"]"]).await;
    let answer = app.introspect("app", tokens.access()).await.json();
    assert_eq!(answer["groups"], json!(["staff", "oncall", "added-in-the-file"]));
}

#[tokio::test]
async fn revoking_a_token_ends_its_grant() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    let reply = app.revoke("app", tokens.refresh()).await;
    assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0));
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    assert_eq!(app.introspect("app", tokens.access()).await.json(), inactive());

    let (_, tokens) = app.sign_in("app", &alice()).await;
    app.revoke("app", tokens.access()).await;
    app.userinfo(tokens.access()).await.assert_json_error(401, "invalid_token");
    app.refresh("app", tokens.refresh()).await.assert_json_error(400, "invalid_grant");

    // A public client can revoke its own token too.
    let (_, tokens) = app.sign_in("spa", &alice()).await;
    assert_eq!(app.revoke("spa", tokens.refresh()).await.status, 200);
    app.refresh("spa", tokens.refresh()).await.assert_json_error(400, "invalid_grant");
}

#[tokio::test]
async fn d28_revoking_another_clients_token_has_no_effect() {
    let app = TestApp::base().await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    for token in [tokens.refresh(), tokens.access(), "made-up"] {
        let reply = app.revoke("other", token).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0), "and the answer is the same");
    }
    assert_eq!(app.userinfo(tokens.access()).await.status, 200);
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 200);
}

#[tokio::test]
async fn revocation_needs_a_client_and_a_token() {
    let app = TestApp::base().await;
    app.post("/oauth2/revoke", &Auth::Nothing, &[("token", "x")]).await.assert_json_error(401, "invalid_client");
    app.post("/oauth2/revoke", &Auth::of("app"), &[]).await.assert_json_error(400, "invalid_request");
    let hinted = [("token", "x"), ("token_type_hint", "something_else")];
    assert_eq!(app.post("/oauth2/revoke", &Auth::of("app"), &hinted).await.status, 200);
}

#[tokio::test]
async fn revoking_one_apps_grant_leaves_the_others() {
    let app = TestApp::base().await;
    let (mut browser, first) = app.sign_in("app", &alice()).await;
    let answer = browser.open(&app, &Authorize::of("other").url(&app)).await;
    let second = app.tokens("other", &answer).await;
    app.revoke("app", first.refresh()).await;
    assert_eq!(app.userinfo(second.access()).await.status, 200);
    let again = Browser::clone(&browser).open(&app, &Authorize::of("app").url(&app)).await;
    assert!(again.location().contains("code="), "the session still exists");
}

/// The provider's tokens may be introspected here, by an API that has a claim of its own.
const OPEN: &str = r#"
[providers.staff]
introspect = true
[clients.api]
client_secret = "secret-of-api-0123456789abcdef"
grant_types = []
scopes = ["openid", "profile"]
require = "'staff' in groups"
[clients.api.claims]
level = "'oncall' in groups ? 'high' : 'low'"
"#;

async fn with_provider_tokens(app: &TestApp, answer: serde_json::Value) {
    app.idp().edit_discovery(|document| {
        document.insert("introspection_endpoint".to_owned(), json!("https://idp.example/introspect"));
    });
    app.idp().answer("/introspect", Answer::json(200, &answer));
}

#[tokio::test]
async fn a_providers_token_says_who_that_is_in_normalised_claims() {
    let app = TestApp::with(OPEN).await;
    with_provider_tokens(
        &app,
        json!({ "active": true, "sub": "1", "client_id": "countersign", "exp": START + 60, "scope": "theirs", "groups": ["root"] }),
    )
    .await;
    assert_eq!(app.introspect("api", "their-token").await.json(), inactive(), "nobody has signed in here as this yet");
    let (_, tokens) = app.sign_in("app", &alice()).await;
    let answer = app.introspect("api", "their-token").await.json();
    for (name, value) in [
        ("active", json!(true)),
        ("iss", json!("https://idp.example")),
        ("sub", json!(tokens.sub())),
        ("username", json!("alice")),
        ("name", json!("Alice Example")),
        ("level", json!("high")),
        ("exp", json!(START + 60)),
        ("token_type", json!("Bearer")),
        ("scope", json!("theirs")),
        ("client_id", json!("countersign")),
    ] {
        assert_eq!(answer[name], value, "{name}");
    }
    assert!(answer.get("groups").is_none(), "{answer}");
    let sent = app.idp().calls("/introspect").pop().unwrap();
    assert_eq!(sent.form["token"], "their-token");
}

/// The issuer of such a provider may end with a slash, which the address of its discovery document does not show.
#[tokio::test]
async fn a_providers_jwt_is_recognised_when_the_file_has_the_address_of_its_discovery_document() {
    let address = "issuer = \"https://idp.example/.well-known/openid-configuration\"";
    let by_document = OPEN.replace("introspect = true", &format!("introspect = true\n{address}"));
    let jwt = |issuer: &str| keys::sign(Signing::Rs256, &keys::header(Signing::Rs256), &json!({ "iss": issuer }));
    for (named, other) in
        [("https://idp.example/", "https://idp.example//"), ("https://idp.example", "https://idp.example.evil/")]
    {
        let app = TestApp::with(&by_document).await;
        app.idp().edit_discovery(move |document| {
            document.insert("issuer".to_owned(), json!(named));
            document.insert("introspection_endpoint".to_owned(), json!("https://idp.example/introspect"));
        });
        app.idp().edit_id_token(move |claims| drop(claims.insert("iss".to_owned(), json!(named))));
        let answer = json!({ "active": true, "sub": "1", "client_id": "countersign", "iss": named });
        app.idp().answer("/introspect", Answer::json(200, &answer));
        app.sign_in("app", &alice()).await;
        assert_eq!(app.introspect("api", &jwt(named)).await.json()["active"], true, "{named}");
        assert_eq!(app.introspect("api", &jwt(other)).await.json(), inactive(), "{other}");
    }
    // An issuer that is written itself is compared character for character.
    let app = TestApp::with(OPEN).await;
    with_provider_tokens(&app, json!({ "active": true, "sub": "1", "client_id": "countersign" })).await;
    app.sign_in("app", &alice()).await;
    assert_eq!(app.introspect("api", &jwt("https://idp.example/")).await.json(), inactive());
}

#[tokio::test]
async fn a_providers_token_opens_nothing_that_the_file_does_not() {
    let app = TestApp::with(OPEN).await;
    let good = json!({ "active": true, "sub": "1", "client_id": "countersign" });
    with_provider_tokens(&app, good.clone()).await;
    app.sign_in("app", &alice()).await;
    assert_eq!(app.introspect("api", "their-token").await.json()["active"], true);
    for answer in [
        json!({ "active": false, "sub": "1", "aud": "countersign" }),
        json!({ "active": "true", "sub": "1", "aud": "countersign" }),
        json!({ "active": true, "aud": "countersign" }),
        json!({ "active": true, "sub": "2", "aud": "countersign" }),
        json!({ "active": true, "sub": "1", "aud": "countersign", "exp": START - 61 }),
        // A token that was issued to another app of the provider for another purpose, which that app's operator could present.
        json!({ "active": true, "sub": "1" }),
        json!({ "active": true, "sub": "1", "client_id": "mallory", "aud": ["mallory", "account"] }),
    ] {
        with_provider_tokens(&app, answer).await;
        assert_eq!(app.introspect("api", "their-token").await.json(), inactive());
    }
    // A response of another issuer, or another status: the token's state is unknown, and the API must ask again.
    with_provider_tokens(
        &app,
        json!({ "active": true, "sub": "1", "aud": "countersign", "iss": "https://evil.example" }),
    )
    .await;
    assert_eq!(app.introspect("api", "their-token").await.status, 503);
    app.idp().answer("/introspect", Answer::json(500, &json!({})));
    assert_eq!(app.introspect("api", "their-token").await.status, 503);
    // The provider is not asked about a JWT of another issuer.
    let asked = app.idp().count("/introspect");
    let foreign = keys::sign(Signing::Rs256, &keys::header(Signing::Rs256), &json!({ "iss": "https://evil.example" }));
    assert_eq!(app.introspect("api", &foreign).await.json(), inactive());
    assert_eq!(app.idp().count("/introspect"), asked);
    // The caller's own requirement holds, and a provider that is not declared for it is not asked.
    with_provider_tokens(&app, good.clone()).await;
    let outsider = crate::harness::with(alice(), json!({ "sub": "3", "preferred_username": "eve", "groups": [] }));
    app.sign_in("app", &outsider).await;
    with_provider_tokens(&app, json!({ "active": true, "sub": "3", "aud": "countersign" })).await;
    assert_eq!(app.introspect("api", "their-token").await.json(), inactive());
    let closed = TestApp::with(&OPEN.replace("introspect = true", "introspect = false")).await;
    with_provider_tokens(&closed, good).await;
    closed.sign_in("app", &alice()).await;
    assert_eq!(closed.introspect("api", "their-token").await.json(), inactive());
    assert_eq!(closed.idp().count("/introspect"), 0);
}

/// An API of the provider's other apps: its tokens name it, or an audience that all of them share, and not the broker.
#[tokio::test]
async fn d28_a_providers_tokens_for_other_audiences_are_active_only_where_the_file_declares_these() {
    let declared =
        OPEN.replace("introspect = true", "introspect = { audiences = [\"account\", \"https://api.example\"] }");
    for (aud, active) in [
        (json!("account"), true),
        (json!(["other", "https://api.example"]), true),
        (json!("countersign"), true),
        (json!("https://api.example/"), false),
        (json!(["other"]), false),
        (json!(null), false),
        (json!({ "account": true }), false),
    ] {
        for (file, active) in [(&declared[..], active), (OPEN, aud == json!("countersign"))] {
            let app = TestApp::with(file).await;
            let token = json!({ "active": true, "sub": "1", "client_id": "shop", "azp": "shop", "aud": aud });
            with_provider_tokens(&app, token).await;
            app.sign_in("app", &alice()).await;
            let answer = app.introspect("api", "their-token").await.json();
            assert_eq!(answer["active"], active, "{aud}: {answer}");
            if active {
                assert_eq!((&answer["username"], &answer["aud"]), (&json!("alice"), &aud));
            }
        }
    }
    // What the API requires holds for these tokens too, and so does what the file says of the person.
    let strict = declared.replace("'staff' in groups", "'nobody' in groups");
    let app = TestApp::with(&strict).await;
    with_provider_tokens(&app, json!({ "active": true, "sub": "1", "client_id": "shop", "aud": "account" })).await;
    app.sign_in("app", &alice()).await;
    assert_eq!(app.introspect("api", "their-token").await.json(), inactive());
}

#[tokio::test]
async fn a_bound_token_of_a_providers_stays_bound_and_old_facts_count_as_little_as_at_a_refresh() {
    let deny = "[providers.staff]\non_refresh = { claims = \"deny\" }\n";
    for (overlay, active) in [("", true), (deny, false)] {
        let app = TestApp::of(BASE, &[OPEN, overlay]).await;
        let bound = json!({ "active": true, "sub": "1", "azp": "countersign", "cnf": { "jkt": "a-thumbprint" } });
        with_provider_tokens(&app, bound).await;
        app.sign_in("app", &alice()).await;
        let answer = app.introspect("api", "their-token").await.json();
        assert_eq!(answer["active"], active, "{answer}");
        if active {
            assert_eq!((&answer["token_type"], &answer["cnf"]["jkt"]), (&json!("DPoP"), &json!("a-thumbprint")));
        }
    }
}

#[tokio::test]
async fn d40_a_token_is_shown_to_nobody_but_whose_it_is() {
    let app = TestApp::with(OPEN).await;
    with_provider_tokens(&app, json!({ "active": true, "sub": "1", "aud": "countersign" })).await;
    let (_, tokens) = app.sign_in("app", &alice()).await;
    // The broker's own tokens: another client's, a revoked one, and a revoked access token.
    assert_eq!(app.introspect("api", tokens.refresh()).await.json(), inactive());
    app.revoke("app", tokens.refresh()).await;
    assert_eq!(app.introspect("app", tokens.refresh()).await.json(), inactive());
    assert_eq!(app.introspect("app", tokens.access()).await.json(), inactive());
    assert_eq!(app.idp().count("/introspect"), 0);
    // With two providers, an opaque token could have been issued by either.
    let partner = format!("{}\nintrospect = true\n", crate::harness::WITH_PARTNER);
    let two = TestApp::of(BASE, &[OPEN, &partner]).await;
    with_provider_tokens(&two, json!({ "active": true, "sub": "1", "aud": "countersign" })).await;
    let request = Authorize::of("app").set("provider", "staff");
    two.sign_in_with(&mut Browser::new(), &request, &alice()).await;
    assert_eq!(two.introspect("api", "opaque").await.json(), inactive());
    assert_eq!((two.idp().count("/introspect"), two.partner().count("/introspect")), (0, 0));
    let jwt = keys::sign(Signing::Rs256, &keys::header(Signing::Rs256), &json!({ "iss": "https://idp.example" }));
    assert_eq!(two.introspect("api", &jwt).await.json()["active"], true);
    assert_eq!((two.idp().count("/introspect"), two.partner().count("/introspect")), (1, 0));
}
