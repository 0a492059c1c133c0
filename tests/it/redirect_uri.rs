//! Redirect URIs: only an identical string is accepted.

use crate::harness::{Authorize, Browser, TestApp, alice};

#[tokio::test]
async fn d14_redirect_uri_mutations_are_error_pages() {
    let app = TestApp::with(
        "[clients.app]\nredirect_uris = [\"https://app.example/cb\", \"https://app.example:8443/a/b?x=1\", \"https://xn--bcher-kva.example/cb\"]",
    )
    .await;
    let registered = "https://app.example:8443/a/b?x=1";
    let mutations = [
        "https://user@app.example/cb",
        "https://app.example@evil.example/cb",
        "https://app.example:443/cb",
        "https://app.example:8443/cb",
        "http://app.example/cb",
        "HTTPS://app.example/cb",
        "https://APP.example/cb",
        "https://app.example./cb",
        "https://app.example/CB",
        "https://app.example/cb/",
        "https://app.example/./cb",
        "https://app.example/x/../cb",
        "https://app.example/cb/..",
        "https://app.example/%63b",
        "https://app.example/cb%2F",
        "https://app.example/cb%2f..%2fevil",
        "https://app.example//cb",
        "https://app.example\\cb",
        "https://app.example/cb#fragment",
        "https://app.example/cb#",
        "https://app.example/cb?",
        "https://app.example/cb?added=1",
        "https://app.example/cb;x",
        "https://app.example/cb ",
        " https://app.example/cb",
        "https://app.example/cb\t",
        "https://app.example/cb\n",
        "https://app.example/cb\0",
        "https://appXexample/cb",
        "https://app.example.evil.example/cb",
        "https://evil.example/https://app.example/cb",
        "https://evil.example?https://app.example/cb",
        "//app.example/cb",
        "/cb",
        "https:app.example/cb",
        "https:///app.example/cb",
        "https://app.example:8443/a/b",
        "https://app.example:8443/a/b?x=2",
        "https://app.example:8443/a/b?x=1&y=2",
        "https://bücher.example/cb",
        "https://XN--BCHER-KVA.example/cb",
        "https://[::1]/cb",
        "http://127.0.0.1/cb",
        "http://localhost/cb",
        "javascript:alert(1)",
        "javascript://app.example/%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "urn:ietf:wg:oauth:2.0:oob",
        "com.example.app:/cb",
        "*",
        "https://*.example/cb",
    ];
    for uri in mutations {
        let reply = Browser::new().open(&app, &Authorize::of("app").set("redirect_uri", uri).url(&app)).await;
        reply.assert_error_page(400, "invalid_redirect_uri");
        assert!(!reply.text().contains("href=\"javascript:"), "{uri}");
        assert_eq!(reply.header("refresh"), "", "{uri}");
    }
    let reply = Browser::new().open(&app, &Authorize::of("app").set("redirect_uri", registered).url(&app)).await;
    assert_eq!(reply.status, 303, "the registered one is taken");
}

#[tokio::test]
async fn d14_only_the_port_of_a_native_clients_loopback_uri_is_free() {
    let native = r#"
[clients.native]
application_type = "native"
token_endpoint_auth_method = "none"
redirect_uris = ["http://127.0.0.1/cb", "http://[::1]/cb", "com.example.app:/cb"]
"#;
    let app = TestApp::with(native).await;
    let open =
        async |uri: &str| Browser::new().open(&app, &Authorize::of("native").set("redirect_uri", uri).url(&app)).await;
    for uri in ["http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", "http://[::1]:1/cb", "com.example.app:/cb"] {
        assert_eq!(open(uri).await.status, 303, "{uri}");
    }
    for uri in [
        "http://127.0.0.1:51004/cb/",
        "http://127.0.0.1:51004/other",
        "http://127.0.0.1:1@evil.example/cb",
        "http://127.0.0.1:1.evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1:99999/cb",
        "http://127.0.0.1:+80/cb",
        "https://127.0.0.1:51004/cb",
        "http://127.0.0.2:51004/cb",
        "http://localhost:51004/cb",
        "http://0x7f.1:51004/cb",
        "com.example.app://evil.example/cb",
        "com.example.app:/cb?x",
    ] {
        open(uri).await.assert_error_page(400, "invalid_redirect_uri");
    }

    // The code is bound to the port in the request.
    let mut browser = Browser::new();
    let request = Authorize::of("native").set("redirect_uri", "http://127.0.0.1:51004/cb");
    let answer = app.through_provider(&mut browser, &request, &alice()).await;
    assert!(answer.location().starts_with("http://127.0.0.1:51004/cb?code="), "{answer}");
}

#[tokio::test]
async fn d14_the_loopback_port_is_free_for_public_native_clients_alone() {
    let clients = r#"
[clients.public-web]
token_endpoint_auth_method = "none"
redirect_uris = ["http://127.0.0.1:5173/cb", "http://localhost:5173/cb"]

[clients.confidential-native]
application_type = "native"
client_secret = "native-secret-of-32-characters-or-more"
redirect_uris = ["http://127.0.0.1:5173/cb", "http://localhost:5173/cb"]
"#;
    let app = TestApp::with(clients).await;
    for client in ["public-web", "confidential-native"] {
        let open = async |uri: &str| {
            Browser::new().open(&app, &Authorize::of(client).set("redirect_uri", uri).url(&app)).await
        };
        for uri in ["http://127.0.0.1:5173/cb", "http://localhost:5173/cb"] {
            assert_eq!(open(uri).await.status, 303, "{client} {uri}");
        }
        for uri in ["http://127.0.0.1:51004/cb", "http://localhost:51004/cb", "http://127.0.0.1/cb"] {
            open(uri).await.assert_error_page(400, "invalid_redirect_uri");
        }
    }
}
