//! The cost of loading and checking a configuration with 1,000 clients and 100 providers, as at every reload.

use std::fmt::Write as _;
use std::path::PathBuf;

use countersign::config::check::check;
use countersign::config::load::files::Memory;
use countersign::config::load::{Inputs, load};

fn main() {
    divan::main();
}

fn text() -> String {
    let mut text = "issuer = \"https://sso.example.com\"\n[roles.admin]\n".to_owned();
    for i in 0..100 {
        let _ = write!(
            text,
            r#"[providers.p{i}]
name = "Provider {i}"
issuer = "https://id{i}.example/realms/staff"
client_id = "countersign"
client_secret = {{ file = "/run/secrets/p{i}" }}
scopes = ["openid", "profile", "email"]
domains = ["corp{i}.example"]
allow = "'staff' in claims.groups"
asserted_roles = ["admin"]
session = {{ max_inactive = "20m", max_lifetime = "8h" }}
[providers.p{i}.claims]
username = "claims.preferred_username.before('@').lower()"
department = "claims.department"
"#
        );
    }
    for i in 0..1000 {
        let _ = write!(
            text,
            r#"[clients.app-{i}]
client_name = "Application {i}"
client_secret = {{ file = "/run/secrets/app-{i}" }}
redirect_uris = ["https://app-{i}.example.com/login/callback", "https://app-{i}.example.com/other"]
post_logout_redirect_uris = ["https://app-{i}.example.com/logout"]
grant_types = ["authorization_code", "refresh_token"]
scopes = ["openid", "profile", "email", "groups", "offline_access"]
providers = ["p{}", "p{}"]
require = "'app-{i}-users' in groups"
tokens = {{ access_token = "15m" }}
[clients.app-{i}.claims]
app_role = "'admin' in roles ? 'Admin' : 'Viewer'"
groups = "roles"
"#,
            i % 100,
            (i + 1) % 100
        );
    }
    text
}

fn setting() -> (Inputs, Memory) {
    let inputs = Inputs { main: PathBuf::from("broker.toml"), ..Inputs::default() };
    (inputs, Memory::of([("broker.toml", text().as_str())]))
}

#[divan::bench]
fn load_1000_clients_100_providers(bencher: divan::Bencher<'_, '_>) {
    let (inputs, files) = setting();
    bencher.bench(|| load(&inputs, &files));
}

#[divan::bench]
fn check_1000_clients_100_providers(bencher: divan::Bencher<'_, '_>) {
    let (inputs, files) = setting();
    let Ok(loaded) = load(&inputs, &files) else { return };
    bencher.bench(|| {
        let checked = check(&loaded, &mut |_, _, _| Vec::new());
        assert!(checked.resolved.is_some());
    });
}
