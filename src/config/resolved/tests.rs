//! Defaults and derived values.

use crate::config::language::Config;
use crate::config::language::scalar::Duration;
use crate::config::resolved::*;
use crate::protocol::{ClientAuthMethod, GrantType, ResponseType};

fn resolved(text: &str) -> Resolved {
    let issuer = "issuer = \"https://sso.example.com/base/\"\n";
    Resolved::of(&toml::from_str::<Config>(&format!("{issuer}{text}")).unwrap())
}

fn client(lines: &str) -> Arc<Client> {
    Arc::clone(resolved(&format!("[clients.app]\n{lines}")).clients.get("app").unwrap())
}

fn provider(lines: &str) -> Provider {
    resolved(&format!("[providers.corp]\nclient_id = \"c\"\n{lines}")).providers.get("corp").unwrap().clone()
}

#[test]
fn a_client_that_says_nothing_gets_the_code_flow() {
    let app = client("");
    assert_eq!((app.client_id.as_str(), app.name.as_str(), app.enabled), ("app", "app", true));
    assert_eq!(app.grant_types, [GrantType::AuthorizationCode, GrantType::RefreshToken]);
    assert_eq!(app.response_types, [ResponseType::Code]);
    assert_eq!(app.scopes, ["openid", "profile", "email", "groups"]);
    assert!(!app.pkce_required && !app.is_public() && !app.any_loopback_port);
    assert_eq!(client("grant_types = [\"client_credentials\"]").response_types, []);
}

#[test]
fn how_a_client_authenticates_follows_from_what_it_has() {
    use ClientAuthMethod::{ClientSecretBasic, ClientSecretPost, None, PrivateKeyJwt};
    for (lines, methods) in [
        ("client_secret = { env = \"X\" }", vec![ClientSecretBasic, ClientSecretPost]),
        ("jwks_uri = \"https://app.example/keys\"", vec![PrivateKeyJwt]),
        ("jwks_uri = \"https://app.example/keys\"\nclient_secret = \"s\"", vec![ClientSecretBasic, ClientSecretPost]),
        ("grant_types = [\"implicit\"]", vec![None]),
        ("grant_types = [\"implicit\"]\nclient_secret_hashes = [\"x\"]", vec![ClientSecretBasic, ClientSecretPost]),
        ("token_endpoint_auth_method = \"none\"", vec![None]),
    ] {
        assert_eq!(client(lines).auth_methods, methods, "{lines}");
    }
}

#[test]
fn only_a_public_native_client_may_use_any_loopback_port() {
    let (public, native) = ("token_endpoint_auth_method = \"none\"\n", "application_type = \"native\"\n");
    for (lines, free) in [
        (format!("{public}{native}"), true),
        (public.to_owned(), false),
        (format!("{native}client_secret = \"s\"\n"), false),
        ("client_secret = \"s\"\n".to_owned(), false),
    ] {
        let app = client(&format!("{lines}redirect_uris = [\"http://127.0.0.1/cb\"]"));
        assert!(app.has_redirect_uri("http://127.0.0.1/cb"), "{lines}");
        assert_eq!(app.has_redirect_uri("http://127.0.0.1:51004/cb"), free, "{lines}");
    }
}

#[test]
fn a_callback_is_below_the_issuer_unless_it_is_registered_elsewhere() {
    for (lines, uri, path) in [
        ("", "https://sso.example.com/base/callback/corp", "/base/callback/corp"),
        ("redirect_path = \"/cb\"", "https://sso.example.com/base/cb", "/base/cb"),
        ("redirect_uri = \"https://old.example/auth/cb\"", "https://old.example/auth/cb", "/auth/cb"),
    ] {
        let corp = provider(lines);
        assert_eq!((corp.redirect_uri.as_str(), corp.callback_path.as_str()), (uri, path), "{lines}");
    }
}

#[test]
fn a_provider_narrows_the_session_and_never_widens_it() {
    let bounds = |lines: &str| provider(lines).session;
    let default = bounds("");
    assert_eq!((default.max_inactive, default.max_lifetime), (Duration::minutes(30), Duration::hours(12)));
    let own = bounds("session = { max_inactive = \"5m\", max_lifetime = \"7d\", follow_upstream_expiry = true }");
    assert_eq!((own.max_inactive, own.max_lifetime), (Duration::minutes(5), Duration::hours(12)));
    assert!(own.follow_upstream_expiry);
}

#[test]
fn hidden_providers_are_for_clients_that_name_them() {
    let resolved = resolved(
        r#"[providers]
a = { client_id = "c" }
b = { client_id = "c", hidden = true }
c = { client_id = "c", enabled = false }
[clients.any]
[clients.some]
providers = ["b", "c"]
"#,
    );
    let ids = |found: Vec<&Provider>| found.into_iter().map(|provider| provider.id.clone()).collect::<Vec<_>>();
    let (any, some) = (resolved.clients.get("any").unwrap(), resolved.clients.get("some").unwrap());
    assert_eq!(ids(resolved.accepted(any).collect()), ["a"]);
    assert_eq!(ids(resolved.accepted(some).collect()), ["b"]);
    assert!(resolved.accepts(some, "b") && !resolved.accepts(some, "a") && !resolved.accepts(some, "c"));
    assert!(resolved.accepts(any, "a") && !resolved.accepts(any, "b"));
}
