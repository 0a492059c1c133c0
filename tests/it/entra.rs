//! Microsoft Entra ID: issuers of tenants, tokens of both versions, keys, accounts, addresses, overage.

use serde_json::{Value, json};

use crate::harness::services::{Service, graph};
use crate::harness::{Authorize, Browser, Reply, TestApp, with};

/// The address of the sign-in page for accounts of all organisations.
const MANY: &str = "https://login.example/organizations/v2.0";
const HERE: &str = "9f3c0000-0000-0000-0000-00000000000a";
const THERE: &str = "9f3c0000-0000-0000-0000-00000000000b";
const GRAPH: &str = "https://graph.example/v1.0";

/// A broker with one provider for many tenants.
fn file(lines: &str) -> String {
    crate::harness::BASE.replace(
        "issuer = \"https://idp.example\"",
        &format!("preset = \"entra\"\nissuer = \"{MANY}\"\ntenants = [\"{HERE}\"]\n{lines}"),
    )
}

/// The broker, and a provider whose documents name tenants as Microsoft's do.
async fn entra(lines: &str) -> TestApp {
    let app = TestApp::at(&[MANY], &file(lines)).await;
    let idp = app.net.idp_of(MANY);
    idp.edit_discovery(|document| {
        document.insert("issuer".to_owned(), "https://login.example/{tenantid}/v2.0".into());
        document.insert("msgraph_host".to_owned(), "graph.example".into());
    });
    idp.edit_id_token(|claims| {
        let tid = claims.get("tid").and_then(Value::as_str).unwrap_or_default().to_owned();
        let iss = match claims.get("ver").and_then(Value::as_str) {
            Some("1.0") => format!("https://sts.windows.net/{tid}/"),
            _ => format!("https://login.example/{tid}/v2.0"),
        };
        claims.entry("x-iss").or_insert_with(|| iss.into());
        let iss = claims.remove("x-iss").unwrap();
        claims.insert("iss".to_owned(), iss);
    });
    app
}

/// A person as a token of version 2 has her.
fn dora() -> Value {
    json!({
        "sub": "AAAA-pairwise", "oid": "0b1d0000-0000-0000-0000-000000000001", "tid": HERE, "ver": "2.0", "name": "Dora",
        "preferred_username": "dora@corp.example", "email": "dora@corp.example", "groups": ["1b2c0000-0000-0000-0000-000000000001"],
    })
}

async fn attempt(app: &TestApp, person: &Value) -> Reply {
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), person).await
}

#[tokio::test]
async fn tokens_of_both_versions_are_of_the_tenant_that_they_name() {
    let app = entra("").await;
    let claims = app.sign_in("app", &dora()).await.1.claims();
    assert_eq!(claims["preferred_username"], "dora@corp.example");
    assert_eq!(app.net.idp_of(MANY).last_request()["scope"], "openid profile email User.Read");
    let v1 = json!({ "ver": "1.0", "preferred_username": null, "upn": "dora@corp.example", "unique_name": "dora@corp.example" });
    // It is the same account, though its `sub` is another one.
    let again = app.sign_in("app", &with(with(dora(), v1), json!({ "sub": "BBBB" }))).await.1.claims();
    assert_eq!(again["sub"], claims["sub"]);
}

#[tokio::test]
async fn d08_a_token_of_another_tenant_or_issuer_is_refused() {
    let app = entra("").await;
    for iss in [
        format!("https://login.example/{THERE}/v2.0"),
        "https://login.example/{tenantid}/v2.0".to_owned(),
        MANY.to_owned(),
        format!("https://sts.windows.net/{HERE}"),
        format!("https://evil.example/{HERE}/v2.0"),
        String::new(),
    ] {
        attempt(&app, &with(dora(), json!({ "x-iss": iss }))).await.assert_error_page(400, "token_invalid");
    }
    for tid in [json!(null), json!(""), json!("organizations"), json!("../x"), json!("{tenantid}"), json!([HERE])] {
        attempt(&app, &with(dora(), json!({ "tid": tid }))).await.assert_error_page(400, "token_invalid");
    }
    // A tenant that is not listed, though all of its token is right.
    attempt(&app, &with(dora(), json!({ "tid": THERE }))).await.assert_error_page(403, "not_allowed");
    attempt(&app, &with(dora(), json!({ "tid": "9188040d-6c67-4c5b-b112-36a304b66dad" })))
        .await
        .assert_error_page(403, "not_allowed");
    for missing in [json!({ "oid": null }), json!({ "oid": "" }), json!({ "oid": 7 })] {
        attempt(&app, &with(dora(), missing)).await.assert_error_page(400, "token_invalid");
    }
}

#[tokio::test]
async fn d26_a_key_of_one_tenant_signs_for_no_other() {
    let app = entra("").await;
    let idp = app.net.idp_of(MANY);
    let keys = |issuer: &str| {
        let key = |mut key: Value| {
            key["issuer"] = issuer.into();
            key
        };
        json!({ "keys": crate::harness::keys::jwks(false).into_iter().map(key).collect::<Vec<_>>() })
    };
    for (issuer, admitted) in [
        ("https://login.example/{tenantid}/v2.0".to_owned(), true),
        ("https://sts.windows.net/{tenantid}/".to_owned(), true),
        (format!("https://login.example/{HERE}/v2.0"), true),
        (format!("https://login.example/{THERE}/v2.0"), false),
        ("https://login.example/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0".to_owned(), false),
    ] {
        idp.json("jwks", keys(&issuer));
        app.wait(3600 * 25);
        let reply = attempt(&app, &dora()).await;
        assert_eq!(reply.status == 303, admitted, "{issuer}: {reply}");
    }
}

#[tokio::test]
async fn d24_a_discovery_document_of_another_provider_is_refused() {
    for issuer in [
        "https://evil.example/{tenantid}/v2.0".to_owned(),
        "https://login.example/{tenant}/v2.0".to_owned(),
        format!("https://login.example/{THERE}/v2.0"),
        "{tenantid}".to_owned(),
    ] {
        let app = entra("").await;
        let named = issuer.clone();
        app.net
            .idp_of(MANY)
            .edit_discovery(move |document| drop(document.insert("issuer".to_owned(), named.clone().into())));
        let page = Browser::new().open(&app, &Authorize::of("app").url(&app)).await;
        assert!(page.status != 303 || !page.location().starts_with("https://login.example"), "{issuer}: {page}");
    }
}

#[tokio::test]
async fn d03_an_address_counts_as_verified_only_by_xms_edov() {
    let app = entra("").await;
    let verified = |claims: serde_json::Map<String, Value>| claims.get("email_verified").cloned();
    assert_eq!(verified(app.sign_in("app", &dora()).await.1.claims()), None);
    let claimed = with(dora(), json!({ "email_verified": true }));
    assert_eq!(verified(app.sign_in("app", &claimed).await.1.claims()), None, "the tenant's own word");
    for (edov, expected) in [
        (json!(true), true),
        (json!("1"), true),
        (json!(1), true),
        (json!("true"), true),
        (json!(false), false),
        (json!("0"), false),
    ] {
        let claims = app.sign_in("app", &with(dora(), json!({ "xms_edov": edov }))).await.1.claims();
        assert_eq!(verified(claims), Some(json!(expected)), "{edov}");
    }
}

#[tokio::test]
async fn overage_is_resolved_by_graph_of_the_provider_s_own_cloud() {
    let app = entra("").await;
    let groups = vec![("1b2c0000-0000-0000-0000-000000000001".to_owned(), "sre".to_owned())];
    let service = Service::at(&app, GRAPH, graph(GRAPH, groups, 100));
    let overage = json!({
        "groups": null, "_claim_names": { "groups": "src1" },
        "_claim_sources": { "src1": { "endpoint": "https://graph.windows.net/x/users/y/getMemberObjects" } },
    });
    let claims = app.sign_in("app", &with(dora(), overage.clone())).await.1.claims();
    assert_eq!((&claims["groups"], service.count()), (&json!(["1b2c0000-0000-0000-0000-000000000001"]), 1));
    assert!(!app.net.asked().iter().any(|url| url.contains("graph.windows.net")));
    // Where the preset's source is switched off, the token says what it says.
    let app = entra("groups_from = \"token\"").await;
    let service = Service::at(&app, GRAPH, graph(GRAPH, Vec::new(), 100));
    assert_eq!(app.sign_in("app", &with(dora(), overage)).await.1.claims()["groups"], json!([]));
    assert_eq!((service.count(), app.net.idp_of(MANY).last_request()["scope"].as_str()), (0, "openid profile email"));
}

#[tokio::test]
async fn app_roles_and_guests_are_the_policy_s() {
    let lines = "asserted_roles = [\"auditor\"]\nallow = \"claims.?acct.orValue(0) == 0\"";
    let app = TestApp::at(&[MANY], &format!("{}\n[roles.auditor]", file(lines))).await;
    app.net.idp_of(MANY).edit_discovery(|document| {
        drop(document.insert("issuer".to_owned(), "https://login.example/{tenantid}/v2.0".into()))
    });
    app.net.idp_of(MANY).edit_id_token(|claims| {
        drop(claims.insert("iss".to_owned(), format!("https://login.example/{HERE}/v2.0").into()))
    });
    let request = Authorize::of("app").set("scope", "openid roles");
    let person = with(dora(), json!({ "roles": ["auditor", "owner"], "acct": 0 }));
    assert_eq!(app.sign_in_with(&mut Browser::new(), &request, &person).await.claims()["roles"], json!(["auditor"]));
    attempt(&app, &with(person, json!({ "acct": 1 }))).await.assert_error_page(403, "not_allowed");
}

#[tokio::test]
async fn a_framed_sign_out_of_a_tenant_ends_the_session() {
    let app = entra("").await;
    let person = with(dora(), json!({ "sid": "s-1" }));
    let (mut browser, _) = app.sign_in("app", &person).await;
    let iss = format!("https://login.example/{HERE}/v2.0");
    let path = |iss: &str| format!("/frontchannel-logout/staff?iss={iss}&sid=s-1");
    assert_eq!(app.get(&path(&format!("https://login.example/{THERE}/v2.0"))).await.status, 400);
    assert_eq!(app.get(&path(&iss)).await.status, 200);
    let silent = Authorize::of("app").set("prompt", "none");
    let reply = browser.open(&app, &silent.url(&app)).await;
    assert_eq!(reply.params().get("error").map(String::as_str), Some("login_required"), "{reply}");
}
