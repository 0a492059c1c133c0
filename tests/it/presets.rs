//! Presets and quirks: sign-ins at providers that behave as the documents of their products say.

use serde_json::{Value, json};

use crate::harness::{Authorize, BASE, Browser, IDP, Reply, TestApp, Tokens, alice, with};

/// The provider `staff` with this preset and these lines.
async fn preset(name: &str, lines: &str) -> TestApp {
    TestApp::with(&format!("[providers.staff]\npreset = \"{name}\"\n{lines}")).await
}

async fn attempt(app: &TestApp, person: &Value) -> Reply {
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), person).await
}

async fn claims(app: &TestApp, person: &Value) -> Value {
    Value::from(app.sign_in("app", person).await.1.claims())
}

/// Keeps nothing in the ID token but what the protocol needs, and these.
fn thin_id_token(app: &TestApp, kept: &'static [&'static str]) {
    const PROTOCOL: [&str; 7] = ["iss", "sub", "aud", "exp", "iat", "nonce", "auth_time"];
    app.idp().edit_id_token(|claims| {
        claims.retain(|name, _| PROTOCOL.contains(&name.as_str()) || kept.contains(&name.as_str()))
    });
}

#[tokio::test]
async fn okta_s_thin_id_token_is_completed_by_userinfo() {
    let app = preset("okta", "").await;
    thin_id_token(&app, &["preferred_username"]);
    let claims = claims(&app, &alice()).await;
    assert_eq!((&claims["groups"], &claims["name"]), (&json!(["staff", "oncall"]), &json!("Alice Example")));
    assert_eq!(app.idp().last_request()["scope"], "openid profile email", "a custom server may not know `groups`");
    let app = preset("okta", "").await;
    app.idp()
        .edit_discovery(|document| drop(document.insert("scopes_supported".to_owned(), json!(["openid", "groups"]))));
    app.sign_in("app", &alice()).await;
    assert_eq!(app.idp().last_request()["scope"], "openid profile email groups");
}

#[tokio::test]
async fn an_issuer_may_be_written_without_its_slash_where_the_preset_says_so() {
    for (name, admitted) in [("authentik", true), ("auth0", true), ("generic", false)] {
        let app = preset(name, "").await;
        let slash = |claims: &mut serde_json::Map<String, Value>, name: &str| {
            drop(claims.insert(name.to_owned(), format!("{IDP}/").into()));
        };
        app.idp().edit_discovery(move |document| slash(document, "issuer"));
        app.idp().edit_id_token(move |claims| slash(claims, "iss"));
        let reply = Browser::new().open(&app, &Authorize::of("app").url(&app)).await;
        assert_eq!(reply.status == 303, admitted, "{name}: {reply}");
        if admitted {
            assert_eq!(claims(&app, &alice()).await["preferred_username"], "alice", "{name}");
        }
    }
}

#[tokio::test]
async fn auth0_s_nickname_is_the_username_and_claims_under_urls_are_mapped() {
    let lines = "[providers.staff.claims]\ngroups = \"claims['https://corp.example/roles']\"\n\
                 [providers.staff.quirks.authorization_params]\nconnection = \"employees\"";
    let app = preset("auth0", lines).await;
    let person = json!({ "sub": "auth0|1", "nickname": "dora", "https://corp.example/roles": ["viewer"] });
    let claims = claims(&app, &person).await;
    assert_eq!((&claims["preferred_username"], &claims["groups"]), (&json!("dora"), &json!(["viewer"])));
    assert_eq!(app.idp().last_request()["connection"], "employees");
}

#[tokio::test]
async fn adfs_gets_its_resource_and_its_userinfo_is_not_asked() {
    let app = preset("adfs", "resource = \"urn:countersign\"").await;
    app.idp().status("userinfo", 401, json!({ "error": "invalid_token" }));
    let person = json!({ "sub": "hpB1", "upn": "dora@corp.example", "unique_name": "CORP\\dora", "group": "sre" });
    let claims = claims(&app, &person).await;
    assert_eq!((&claims["preferred_username"], &claims["groups"]), (&json!("dora@corp.example"), &json!(["sre"])));
    assert_eq!(app.idp().last_request()["resource"], "urn:countersign");
    assert_eq!(app.idp().count("userinfo"), 0);
    let another = Authorize::of("app").set("prompt", "select_account");
    app.through_provider(&mut Browser::new(), &another, &person).await;
    assert!(!app.idp().last_request().contains_key("prompt"));
}

#[tokio::test]
async fn pingfederate_s_address_and_distinguished_names_are_in_userinfo() {
    let app = preset("pingfederate", "").await;
    thin_id_token(&app, &["uid"]);
    let groups = json!(["CN=sre,OU=groups,DC=corp", "cn=Ops\\, Night,ou=groups", "plain"]);
    let person = json!({ "sub": "7", "uid": "dora", "email": "dora@corp.example", "memberof": groups });
    let found = claims(&app, &person).await;
    assert_eq!((&found["email"], &found["preferred_username"]), (&json!("dora@corp.example"), &json!("dora")));
    assert_eq!(found["groups"], json!(["sre", "Ops, Night", "plain"]));
    let one = with(person, json!({ "memberof": "CN=sre,DC=corp" }));
    assert_eq!(claims(&app, &one).await["groups"], json!(["sre"]));
}

#[tokio::test]
async fn accounts_are_known_by_the_claims_that_the_quirk_names() {
    let app = preset("generic", "quirks = { subject_claims = [\"oid\", \"tid\"] }").await;
    let at =
        |oid: &str, tid: &str, name: &str| json!({ "sub": "same", "oid": oid, "tid": tid, "preferred_username": name });
    let first = app.sign_in("app", &at("o1", "t1", "ann")).await.1.sub();
    // Another person of the same `sub`, and another tenant with the same object id.
    assert_ne!(app.sign_in("app", &at("o2", "t1", "ben")).await.1.sub(), first);
    assert_ne!(app.sign_in("app", &at("o1", "t2", "cid")).await.1.sub(), first);
    // The same person, whose `sub` is another one.
    let moved = with(at("o1", "t1", "ann"), json!({ "sub": "other" }));
    assert_eq!(app.sign_in("app", &moved).await.1.sub(), first);
    for lacking in [json!({ "oid": null }), json!({ "tid": "" }), json!({ "oid": 7 }), json!({ "tid": ["t1"] })] {
        attempt(&app, &with(at("o1", "t1", "ann"), lacking)).await.assert_error_page(400, "token_invalid");
    }
}

#[tokio::test]
async fn a_refresh_is_of_the_same_account_by_the_claims_that_the_quirk_names() {
    let lines = "scopes = [\"openid\", \"offline_access\"]\nquirks = { subject_claims = [\"oid\"] }\n\
                 on_refresh = { claims = \"upstream\", max_age = \"0s\", unavailable = \"deny\" }";
    let app = TestApp::of(BASE, &[&format!("[providers.staff]\n{lines}")]).await;
    let ann = json!({ "sub": "s1", "oid": "o1", "preferred_username": "ann", "groups": ["a"] });
    let request = Authorize::of("app").set("scope", "openid groups offline_access");
    let tokens = app.sign_in_with(&mut Browser::new(), &request, &ann).await;
    app.wait(60);
    app.idp().knows(&with(ann.clone(), json!({ "groups": ["b"] })));
    let tokens = Tokens::read(&app.refresh("app", tokens.refresh()).await);
    assert_eq!(tokens.claims()["groups"], json!(["b"]));
    app.wait(60);
    app.idp().knows(&with(ann, json!({ "oid": "o2" })));
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400, "somebody else's answer");
}

#[tokio::test]
async fn a_boolean_that_is_sent_as_text_is_one_where_the_quirk_says_so() {
    let app = preset("generic", "").await;
    let text = with(alice(), json!({ "email_verified": "true" }));
    assert_eq!(claims(&app, &text).await["email_verified"], Value::Null);
    let app =
        preset("generic", "quirks = { booleans = [\"email_verified\"] }\nallow = \"claims.email_verified\"").await;
    assert_eq!(claims(&app, &text).await["email_verified"], true);
    for other in [json!("false"), json!("yes"), json!(0), json!(null)] {
        attempt(&app, &with(alice(), json!({ "email_verified": other }))).await.assert_error_page(403, "not_allowed");
    }
}

#[tokio::test]
async fn an_id_token_without_nonce_is_accepted_only_where_the_quirk_says_so() {
    for (lines, nonce, admitted) in [
        ("", json!(null), false),
        ("quirks = { nonce = true }", json!(null), false),
        ("quirks = { nonce = false }", json!(null), true),
        ("quirks = { nonce = false }", json!("another"), false),
        ("quirks = { nonce = false }", json!(""), false),
        ("quirks = { nonce = false }", json!(7), false),
    ] {
        let app = preset("generic", lines).await;
        let sent = nonce.clone();
        app.idp().edit_id_token(move |claims| drop(claims.insert("nonce".to_owned(), sent.clone())));
        let reply = attempt(&app, &alice()).await;
        if admitted {
            assert!(reply.params().contains_key("code"), "{lines} {nonce}: {reply}");
        } else {
            reply.assert_error_page(400, "token_invalid");
        }
    }
}

#[tokio::test]
async fn pkce_and_the_refresh_token_are_asked_for_as_the_quirks_say() {
    let app = preset("generic", "quirks = { pkce = false }").await;
    app.sign_in("app", &alice()).await;
    assert!(!app.idp().last_request().contains_key("code_challenge"));
    assert!(!app.idp().calls("token")[0].form.contains_key("code_verifier"));
    let lines = "scopes = [\"openid\", \"offline_access\"]\nquirks = { offline_access = \"access_type\" }";
    let app = preset("generic", lines).await;
    app.sign_in("app", &alice()).await;
    let sent = app.idp().last_request();
    let sent = |name: &str| sent.get(name).map(String::as_str);
    assert_eq!(
        (sent("scope"), sent("access_type"), sent("prompt")),
        (Some("openid"), Some("offline"), Some("consent"))
    );
    let silent = Authorize::of("app").set("prompt", "login");
    app.through_provider(&mut Browser::new(), &silent, &alice()).await;
    assert_eq!(app.idp().last_request()["prompt"], "login consent");
}
