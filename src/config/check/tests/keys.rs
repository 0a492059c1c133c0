//! No key is accepted and ignored: every key of the schema is listed with the file that reads it, or as refused.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::config::check::built::is_refused;
use crate::config::schema::json_schema;

/// How a key is handled.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// This file reads it.
    In(&'static str),
    /// It is refused because it is not built.
    NotBuilt,
    /// It is refused with presets that do not have it.
    WithPreset,
}

use Fate::{In, NotBuilt, WithPreset};

/// Table (`*`: any key or item), how its keys are handled, the keys. A new key is added to those that its file reads.
const KEYS: &[(&str, Fate, &str)] = &[
    ("account", In("decision/policy/compile.rs"), "self_service_certificates"),
    ("admin", In("cli/serve.rs"), "listen"),
    ("admin", In("snapshot/mod.rs"), "token"),
    ("audit", In("op/export.rs"), "file stdout"),
    ("audit", In("config/resolved/mod.rs"), "identify retention"),
    ("break_glass", In("config/resolved/break_glass.rs"), "allow_from clients path session username"),
    ("break_glass", In("decision/policy/compile.rs"), "groups roles"),
    ("break_glass", In("snapshot/mod.rs"), "password_hash"),
    ("break_glass.session", In("config/resolved/break_glass.rs"), "max_inactive max_lifetime"),
    ("certificates", In("cli/serve.rs"), "listen"),
    ("certificates", In("config/resolved/certificates.rs"), "header origin"),
    ("certificates", In("config/resolved/client.rs"), "clients"),
    ("certificates", In("decision/policy/compile.rs"), "create_users username"),
    ("certificates", In("snapshot/client_authorities.rs"), "ca crl"),
    (
        "clients.*",
        In("config/language/client.rs"),
        "tls_client_auth_subject_dn tls_client_auth_san_dns tls_client_auth_san_uri tls_client_auth_san_ip tls_client_auth_san_email",
    ),
    ("clients.*", In("config/resolved/client.rs"), "tls_client_certificate_bound_access_tokens"),
    ("clients.*", In("config/check/response_types.rs"), "security_profile"),
    (
        "clients.*",
        In("config/resolved/client.rs"),
        "access_token_typ allowed_origins application_type backchannel_logout_session_required backchannel_logout_uri client_id client_name client_secret client_secret_hashes client_uri consent contacts default_acr_values default_max_age dpop_bound_access_tokens frontchannel_logout_session_required frontchannel_logout_uri grant_types id_token_signed_response_alg initiate_login_uri jwks jwks_uri logo_uri pkce policy_uri post_logout_redirect_uris redirect_uris request_object_signing_alg request_uris require_auth_time require_pushed_authorization_requests response_types sector_identifier_uri subject_type token_endpoint_auth_method tokens tos_uri userinfo_signed_response_alg",
    ),
    (
        "clients.*",
        In("decision/policy/compile.rs"),
        "access_token_claims claims enabled id_token_claims providers require scopes",
    ),
    ("clients.*.tokens", In("config/language/lifetimes.rs"), "access_token authorization_code id_token refresh_token"),
    (
        "clients.*.tokens.refresh_token",
        In("config/language/lifetimes.rs"),
        "max_inactive max_lifetime reuse_grace rotate",
    ),
    ("config", NotBuilt, "signed_by"),
    ("console", In("decision/policy/compile.rs"), "require"),
    ("device", NotBuilt, "code interval"),
    ("endpoints", NotBuilt, "device_authorization registration"),
    (
        "endpoints",
        In("config/language/server.rs"),
        "authorization end_session introspection jwks pushed_authorization_request revocation token userinfo",
    ),
    ("include.*", In("config/load/include.rs"), "only path"),
    ("keys", In("snapshot/signing.rs"), "rotate_every"),
    ("keys", In("op/discovery.rs"), "algorithms"),
    (
        "limits",
        In("config/resolved/limits.rs"),
        "body connections failed_authentication headers pending_sign_ins per_address query",
    ),
    ("limits.failed_authentication", In("config/resolved/limits.rs"), "burst rate"),
    ("limits.per_address", In("config/resolved/limits.rs"), "burst rate"),
    (
        "policy",
        In("decision/policy/compile.rs"),
        "default_roles default_roles_when ignore_case on_username_conflict reserved_usernames",
    ),
    ("providers.*", WithPreset, "base_url hosted_domains key_id organizations resource subject team_id tenants"),
    (
        "providers.*",
        In("config/resolved/provider.rs"),
        "domains hidden introspect on_refresh reauth redirect_path redirect_uri session name",
    ),
    (
        "providers.*",
        In("decision/policy/compile.rs"),
        "allow asserted_roles claims create_roles create_users email_verified enabled issuer link_by link_with preset sync",
    ),
    (
        "providers.*",
        In("upstream/settings.rs"),
        "allow_http allow_private_network authorization_endpoint backchannel_url ca claims_from client_assertion client_certificate client_id client_key client_secret dpop_bound_access_tokens forward groups_from id_token_signed_response_alg jwks_uri logout post_logout_redirect_uri proxy quirks require_pushed_authorization_requests response_mode scopes signals token_endpoint token_endpoint_auth_method userinfo_endpoint",
    ),
    ("providers.*.on_refresh", In("op/authorize/leave.rs"), "max_age"),
    ("providers.*.on_refresh", In("op/upstream_claims.rs"), "claims max_stale unavailable"),
    ("providers.*.client_assertion", In("upstream/credentials.rs"), "file"),
    (
        "providers.*.groups_from",
        In("config/resolved/groups_from.rs"),
        "attribute claim levels max_age max_groups max_stale names nested source subject unavailable url when",
    ),
    ("providers.*.groups_from", In("config/load/secret_places.rs"), "credentials"),
    ("providers.*.introspect", In("upstream/settings.rs"), "audiences"),
    (
        "providers.*.quirks",
        In("config/resolved/preset.rs"),
        "authorization_params booleans distinguished_names name_once nonce offline_access optional_slash pkce subject_claims tenant_issuer unsupported_prompts",
    ),
    ("providers.*.session", In("config/resolved/provider.rs"), "follow_upstream_expiry max_inactive max_lifetime"),
    ("providers.*.signals", In("upstream/settings.rs"), "audience events issuer jwks_uri"),
    ("providers.*.signals", In("config/resolved/provider.rs"), "path"),
    ("registration", NotBuilt, "initial_access_token metadata_hosts scopes"),
    ("resources.*", In("decision/policy/compile.rs"), "clients scopes"),
    ("resources.*", In("op/authorize/answer.rs"), "access_token"),
    ("resources.*", In("op/introspect.rs"), "introspect"),
    ("resources.*", In("snapshot/mod.rs"), "uri"),
    ("role_rules.*", In("decision/policy/compile.rs"), "each matches provider roles when"),
    ("roles.*", In("analysis/reach/mod.rs"), "description"),
    ("roles.*", In("decision/policy/compile.rs"), "permissions"),
    ("scopes.*", In("decision/policy/compile.rs"), "claims description"),
    ("server", In("cli/serve.rs"), "listen shutdown_grace"),
    ("server", In("snapshot/generation.rs"), "tls"),
    ("server", In("snapshot/proxies.rs"), "trusted_proxies"),
    ("server.tls", In("snapshot/certificate.rs"), "cert key"),
    ("session", In("config/resolved/provider.rs"), "max_inactive max_lifetime"),
    ("store", In("cli/store.rs"), "url"),
    ("store", In("snapshot/generation.rs"), "encryption_keys"),
    ("subject", In("config/resolved/client.rs"), "type"),
    ("tables.*", In("config/load/secrets.rs"), "entries file"),
    ("telemetry", In("config/language/telemetry.rs"), "otlp_endpoint"),
    ("telemetry", In("snapshot/telemetry.rs"), "headers sample_ratio service_name"),
    ("tests.*", In("analysis/mapping_test/compare.rs"), "expect"),
    ("tests.*", In("analysis/mapping_test/mod.rs"), "certificate claims client given name provider refresh scopes"),
    (
        "tests.*.expect",
        In("analysis/mapping_test/compare.rs"),
        "absent access_token claims created groups has_roles id_token lacks_roles link refused roles sub userinfo username",
    ),
    ("tests.*.given.*", In("analysis/mapping_test/given.rs"), "email email_verified provider sub username"),
    ("token_exchange", NotBuilt, "rules"),
    ("token_exchange.rules.*", NotBuilt, "audience client provider"),
    ("tokens", In("config/language/lifetimes.rs"), "access_token authorization_code id_token refresh_token"),
    ("tokens.refresh_token", In("config/language/lifetimes.rs"), "max_inactive max_lifetime reuse_grace rotate"),
    ("ui", In("pages/looks.rs"), "texts"),
    ("ui", In("pages/mod.rs"), "logo_uri color"),
    ("ui", In("snapshot/generation.rs"), "templates"),
    ("users.*", In("decision/policy/compile.rs"), "certificates enabled groups links roles sub"),
    ("users.*.links.*", In("decision/policy/compile.rs"), "email provider sub"),
];

/// The text with which code refers to a key.
fn field(key: &str) -> &str {
    if key == "type" { "kind" } else { key }
}

fn walk(path: &str, schema: &Value, root: &Value, found: &mut BTreeSet<String>) {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let definition = root.pointer(name.trim_start_matches('#')).unwrap();
        // A secret's own keys say where its value is.
        if definition.get("x-secret").is_none() {
            walk(path, definition, root, found);
        }
    }
    for list in ["anyOf", "oneOf"] {
        for one in schema.get(list).and_then(Value::as_array).into_iter().flatten() {
            walk(path, one, root, found);
        }
    }
    for (key, below) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        found.insert(here.clone());
        walk(&here, below, root, found);
    }
    for all in ["additionalProperties", "items"] {
        if let Some(below) = schema.get(all).filter(|below| below.is_object()) {
            walk(&format!("{path}.*"), below, root, found);
        }
    }
}

#[test]
fn every_key_is_read_or_refused() {
    let schema = json_schema();
    let mut keys = BTreeSet::new();
    walk("", &schema, &schema, &mut keys);
    keys.retain(|key| key.contains('.'));
    let listed: BTreeSet<String> =
        KEYS.iter().flat_map(|(table, _, keys)| keys.split(' ').map(move |key| format!("{table}.{key}"))).collect();
    let missing: Vec<_> = keys.difference(&listed).collect();
    assert!(missing.is_empty(), "list these keys above, with the file that reads them: {missing:#?}");
    let gone: Vec<_> = listed.difference(&keys).collect();
    assert!(gone.is_empty(), "these keys are no longer in the language: {gone:#?}");
}

#[test]
fn what_is_listed_is_so() {
    for (table, fate, keys) in KEYS {
        for key in keys.split(' ') {
            let path = format!("{table}.{key}");
            match fate {
                In(file) => {
                    let text = std::fs::read_to_string(format!("src/{file}")).unwrap();
                    let word = |c: char| c.is_alphanumeric() || c == '_';
                    let read = text.split(|c: char| !word(c)).any(|name| name == field(key));
                    assert!(read, "src/{file} does not read {path}");
                    assert!(!is_refused(&path), "{path} is read and refused");
                }
                NotBuilt => assert!(is_refused(&path), "{path} is neither read nor refused"),
                WithPreset => {
                    let text = std::fs::read_to_string("src/config/check/provider_preset.rs").unwrap();
                    assert!(text.contains(&format!("(\"{key}\", &[")), "{path} is accepted with any preset");
                }
            }
        }
    }
}
