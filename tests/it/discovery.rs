//! Discovery, keys, CORS.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{BASE, Browser, Reply, TestApp, alice};

const CONFIGURATION: &str = "/.well-known/openid-configuration";

#[tokio::test]
async fn the_document_says_what_works_and_nothing_else() {
    let app = TestApp::base().await;
    let reply = app.get(CONFIGURATION).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "application/json");
    let document = reply.json();
    for (name, value) in [
        ("issuer", json!("https://sso.example.com")),
        ("authorization_endpoint", json!("https://sso.example.com/oauth2/authorize")),
        ("token_endpoint", json!("https://sso.example.com/oauth2/token")),
        ("userinfo_endpoint", json!("https://sso.example.com/oauth2/userinfo")),
        ("end_session_endpoint", json!("https://sso.example.com/oauth2/logout")),
        ("jwks_uri", json!("https://sso.example.com/oauth2/jwks")),
        ("introspection_endpoint", json!("https://sso.example.com/oauth2/introspect")),
        ("revocation_endpoint", json!("https://sso.example.com/oauth2/revoke")),
        ("response_types_supported", json!(["code"])),
        ("response_modes_supported", json!(["query", "fragment", "form_post"])),
        ("grant_types_supported", json!(["authorization_code", "refresh_token"])),
        ("subject_types_supported", json!(["public"])),
        ("id_token_signing_alg_values_supported", json!(["RS256", "ES256"])),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("claims_parameter_supported", json!(true)),
        ("request_parameter_supported", json!(true)),
        ("pushed_authorization_request_endpoint", json!("https://sso.example.com/oauth2/par")),
        ("request_uri_parameter_supported", json!(false)),
        ("authorization_response_iss_parameter_supported", json!(true)),
        ("token_endpoint_auth_methods_supported", json!(["client_secret_basic", "client_secret_post", "none"])),
    ] {
        assert_eq!(document[name], value, "{name}");
    }
    let list = |name: &str| document[name].as_array().unwrap().clone();
    for scope in ["openid", "profile", "email", "groups", "offline_access"] {
        assert!(list("scopes_supported").contains(&json!(scope)), "{scope}");
    }
    assert!(!list("scopes_supported").contains(&json!("phone")), "no client may have it");
    for claim in ["sub", "iss", "email", "groups", "preferred_username"] {
        assert!(list("claims_supported").contains(&json!(claim)), "{claim}");
    }
    for absent in ["registration_endpoint", "device_authorization_endpoint", "check_session_iframe"] {
        assert!(document.get(absent).is_none(), "{absent}");
    }
    for (name, value) in document.as_object().unwrap() {
        assert!(value.as_array().is_none_or(|list| !list.is_empty()), "{name} is an empty list");
        assert!(!value.is_null(), "{name}");
    }
    assert_eq!(app.get("/.well-known/oauth-authorization-server").await.json(), document);
}

#[tokio::test]
async fn every_endpoint_of_the_document_is_served() {
    let app = TestApp::base().await;
    let document = app.get(CONFIGURATION).await.json();
    let mut served = 0;
    for (name, value) in document.as_object().unwrap() {
        if let Some(url) = value.as_str().filter(|_| name.ends_with("_endpoint") || name == "jwks_uri") {
            assert_ne!(app.get(url).await.status, 404, "{name}");
            served += 1;
        }
    }
    assert_eq!(served, 8);
}

#[tokio::test]
async fn the_document_follows_the_configuration() {
    let overlay = r#"
[endpoints]
token = "/token"
[keys]
algorithms = ["RS256", "EdDSA"]
[clients.robot]
client_secret = "secret-of-robot-0123456789abcdef"
grant_types = ["client_credentials"]
subject_type = "pairwise"
"#;
    let app = TestApp::base().await;
    app.reload(BASE, &[overlay]).await;
    let document = app.get(CONFIGURATION).await.json();
    assert_eq!(document["token_endpoint"], "https://sso.example.com/token");
    assert_eq!(document["grant_types_supported"], json!(["authorization_code", "client_credentials", "refresh_token"]));
    assert_eq!(document["subject_types_supported"], json!(["pairwise", "public"]));
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS256", "EdDSA"]));
    assert_eq!(app.get("/oauth2/token").await.status, 404, "the old path is gone");
}

#[tokio::test]
async fn an_issuer_keeps_its_every_character() {
    let app = TestApp::from(&BASE.replace("https://sso.example.com", "https://sso.example.com/realms/a")).await;
    let document = app.get("/realms/a/.well-known/openid-configuration").await.json();
    assert_eq!(document["issuer"], "https://sso.example.com/realms/a");
    let inserted = app.get("/.well-known/oauth-authorization-server/realms/a").await;
    assert_eq!(inserted.json(), document);
    assert_eq!(app.get(CONFIGURATION).await.status, 404);
}

#[tokio::test]
async fn keys_are_published_without_their_private_parts() {
    let app = TestApp::base().await;
    let reply = app.get("/oauth2/jwks").await;
    assert!(reply.header("cache-control").contains("max-age="), "{reply}");
    assert!(!reply.header("cache-control").contains("no-store"));
    let document = reply.json();
    let keys = document["keys"].as_array().unwrap();
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "k", "oth"] {
            assert!(key.get(private).is_none(), "{private}");
        }
        assert_eq!(key["use"], "sig");
        assert!(key["kid"].as_str().is_some_and(|kid| !kid.is_empty()));
    }
    let algorithms: Vec<&Value> = keys.iter().map(|key| &key["alg"]).collect();
    assert!(algorithms.contains(&&json!("RS256")) && algorithms.contains(&&json!("ES256")), "{algorithms:?}");
}

#[tokio::test]
async fn rotated_keys_go_on_verifying_until_the_last_token_is_gone() {
    let app =
        TestApp::with("keys.rotate_every = \"30d\"\nsession = { max_inactive = \"90d\", max_lifetime = \"90d\" }")
            .await;
    app.broker.housekeeping().await;
    app.wait(30 * 86_400 - 60);
    app.broker.housekeeping().await;
    let (_, before) = app.sign_in("app", &alice()).await;
    let kid = |token: &str| crate::harness::jwt::header_of(token)["kid"].clone();
    app.wait(3000);
    app.broker.housekeeping().await;
    let (_, after) = app.sign_in("app", &alice()).await;
    assert_ne!(kid(before.id()), kid(after.id()), "another key signs");
    for tokens in [&before, &after] {
        crate::harness::jwt::verified(&app, tokens.id(), "app").await;
        assert_eq!(app.userinfo(tokens.access()).await.status, 200);
    }
}

fn with_origin(origin: &str) -> Browser {
    Browser { headers: vec![("origin", origin.to_owned())], ..Browser::default() }
}

async fn call(app: &TestApp, origin: &str, method: Method, path: &str) -> Reply {
    let form: Option<&[(&str, &str)]> = if method == Method::POST { Some(&[]) } else { None };
    with_origin(origin).send(app, method, path, form, &[]).await
}

#[tokio::test]
async fn cors_opens_public_documents_to_all_and_endpoints_to_the_apps() {
    let app =
        TestApp::with("clients.spa.allowed_origins = [\"https://admin.spa.example\"]\nclients.other.enabled = false")
            .await;
    let allowed = |reply: &Reply| reply.header("access-control-allow-origin").to_owned();
    for path in [CONFIGURATION, "/oauth2/jwks"] {
        assert_eq!(allowed(&call(&app, "https://anywhere.example", Method::GET, path).await), "*");
    }
    for (path, method) in
        [("/oauth2/token", Method::POST), ("/oauth2/userinfo", Method::GET), ("/oauth2/revoke", Method::POST)]
    {
        for origin in ["https://spa.example", "https://admin.spa.example", "https://app.example"] {
            let reply = call(&app, origin, method.clone(), path).await;
            assert_eq!(allowed(&reply), origin, "{path}");
            assert!(reply.header("vary").contains("Origin"));
            assert!(reply.header("access-control-expose-headers").contains("WWW-Authenticate"));
        }
        for origin in [
            "https://evil.example",
            "https://spa.example.evil.example",
            "http://spa.example",
            "null",
            "https://other.example",
        ] {
            assert_eq!(allowed(&call(&app, origin, method.clone(), path).await), "", "{path} {origin}");
        }
    }
    for path in ["/oauth2/authorize", "/oauth2/logout", "/oauth2/introspect", "/", "/consent", "/callback/staff"] {
        let reply = call(&app, "https://spa.example", Method::GET, path).await;
        assert_eq!(allowed(&reply), "", "{path}");
    }
}

#[tokio::test]
async fn preflights_allow_what_apps_send_and_never_credentials() {
    let app = TestApp::base().await;
    let headers = [("access-control-request-method", "POST"), ("access-control-request-headers", "authorization,dpop")];
    for path in ["/oauth2/token", "/oauth2/userinfo"] {
        let reply = with_origin("https://spa.example").send(&app, Method::OPTIONS, path, None, &headers).await;
        assert!(reply.status.is_success(), "{reply}");
        assert_eq!(reply.header("access-control-allow-origin"), "https://spa.example");
        let allowed = reply.header("access-control-allow-headers").to_lowercase();
        assert!(allowed.contains("authorization") && allowed.contains("dpop"), "{allowed}");
        assert!(reply.header("access-control-allow-methods").contains("POST"));
        assert_eq!(reply.header("access-control-allow-credentials"), "");
        let reply = with_origin("https://evil.example").send(&app, Method::OPTIONS, path, None, &headers).await;
        assert_eq!(reply.header("access-control-allow-origin"), "");
        assert_eq!(reply.header("access-control-allow-methods"), "");
    }
}
