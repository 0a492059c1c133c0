//! The test harness: a broker composed by the product's own code, fake providers, a browser, and apps that receive requests.

pub(crate) mod app;
pub(crate) mod browser;
pub(crate) mod certificates;
pub(crate) mod compose;
pub(crate) mod github;
pub(crate) mod jwt;
pub(crate) mod log;
pub(crate) mod receiver;
pub(crate) mod recorded;
pub(crate) mod services;
pub(crate) mod tls;

pub(crate) use crate::support::keys;
pub(crate) use crate::support::provider::Answer;
pub(crate) use app::{Auth, Authorize, TestApp, Tokens};
pub(crate) use browser::{Browser, Form, Reply};
pub(crate) use jwt::claims_of;
pub(crate) use keys::Signing;
pub(crate) use receiver::Receiver;

use serde_json::{Value, json};

/// The broker of most tests.
pub(crate) const ISSUER: &str = "https://sso.example.com";
/// The provider `staff` of most tests.
pub(crate) const IDP: &str = "https://idp.example";
/// The provider `partner`, for tests with a second provider.
pub(crate) const PARTNER: &str = "https://partner.example/realms/main";
/// The time at which the tests begin: 2026-11-01T00:00:00Z.
pub(crate) const START: i64 = 1_793_491_200;
/// A PKCE verifier, and its S256 challenge.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// One provider, two confidential clients, a public one, an API.
pub(crate) const BASE: &str = r#"
issuer = "https://sso.example.com"
store.url = "sqlite::memory:"

[providers.staff]
name = "Staff accounts"
issuer = "https://idp.example"
client_id = "countersign"
client_secret = "the-brokers-secret-at-the-provider"

[clients.app]
client_name = "The App"
client_secret = "secret-of-app-0123456789abcdef0123456789"
redirect_uris = ["https://app.example/cb"]
post_logout_redirect_uris = ["https://app.example/bye"]
scopes = ["openid", "profile", "email", "groups", "roles", "offline_access"]

[clients.other]
client_secret = "secret-of-other-0123456789abcdef01234567"
redirect_uris = ["https://other.example/cb"]
scopes = ["openid", "profile", "email", "groups", "roles", "offline_access"]

[clients.spa]
token_endpoint_auth_method = "none"
redirect_uris = ["https://spa.example/cb"]
scopes = ["openid", "profile", "email", "groups", "offline_access"]
"#;

/// An overlay for [`BASE`] with a second provider.
pub(crate) const WITH_PARTNER: &str = r#"
[providers.partner]
name = "Partner accounts"
issuer = "https://partner.example/realms/main"
client_id = "countersign"
client_secret = "the-brokers-secret-at-the-provider"
"#;

/// The claims of Alice.
pub(crate) fn alice() -> Value {
    json!({
        "sub": "1",
        "preferred_username": "alice",
        "name": "Alice Example",
        "given_name": "Alice",
        "family_name": "Example",
        "email": "alice@corp.example",
        "email_verified": true,
        "picture": "https://idp.example/alice.png",
        "groups": ["staff", "oncall"],
    })
}

/// The claims of Bob.
pub(crate) fn bob() -> Value {
    json!({ "sub": "2", "preferred_username": "bob", "name": "Bob", "email": "bob@corp.example", "groups": ["staff"] })
}

/// A person with some claims set, or removed where the value is null.
pub(crate) fn with(mut person: Value, change: Value) -> Value {
    let object = person.as_object_mut().unwrap();
    for (name, value) in change.as_object().unwrap() {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    person
}
