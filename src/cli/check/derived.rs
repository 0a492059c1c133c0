//! Defaults that a schema can't say, because they depend on the entry: a client's name is its id, its scopes are those of every
//! client, its lifetimes are those of `[tokens]`.

use serde::Serialize;

use crate::config::diagnostics::locate::Origin;
use crate::config::language::lifetimes::Tokens;
use crate::config::load::origins::OriginRow;
use crate::config::resolved::{Client, SessionBounds};
use crate::decision::policy::key_segment;
use crate::snapshot::Snapshot;
use crate::upstream::ProviderSettings;

/// The rows of the settings that are not set and have a default, with those of `rows` in the order of the sections.
pub(super) fn with_derived(mut rows: Vec<OriginRow>, snapshot: &Snapshot) -> Vec<OriginRow> {
    for (key, client) in &snapshot.resolved.clients {
        add(&mut rows, &format!("clients.{}", key_segment(key)), of_client(client));
    }
    for (id, settings) in &snapshot.providers {
        let entry = format!("providers.{}", key_segment(id));
        let session = snapshot.resolved.session_of(id);
        let name = snapshot.provider_name(id).to_owned();
        add(&mut rows, &entry, of_provider(settings, name, &session));
    }
    let limits = &snapshot.config.limits;
    add(
        &mut rows,
        "limits",
        vec![
            ("per_address.rate", toml(&limits.per_address.rate.to_string())),
            ("failed_authentication.rate", toml(&limits.failed_authentication.rate.to_string())),
        ],
    );
    rows
}

/// Adds what is not there yet behind the other rows of the entry.
fn add(rows: &mut Vec<OriginRow>, entry: &str, derived: Vec<(&str, String)>) {
    let below = format!("{entry}.");
    let end = rows.iter().rposition(|row| row.path.starts_with(&below) || row.path == entry);
    let mut at = end.map_or(rows.len(), |end| end + 1);
    for (key, value) in derived {
        let path = format!("{below}{key}");
        if value != "null" && !rows.iter().any(|row| row.path == path || row.path.starts_with(&format!("{path}["))) {
            rows.insert(at, OriginRow { path, value, origin: Origin::Default });
            at += 1;
        }
    }
}

/// A value in TOML syntax, as far as it is text, a flag, or a list of texts.
fn toml(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(ToString::to_string).collect();
            format!("[{}]", items.join(", "))
        }
        Ok(value) => value.to_string(),
        Err(_) => "null".to_owned(),
    }
}

fn of_client(client: &Client) -> Vec<(&'static str, String)> {
    let method = client.auth_methods.first().map(|method| method.name());
    let mut derived = vec![
        ("client_id", toml(&client.client_id)),
        ("client_name", toml(&client.name)),
        ("enabled", toml(&client.enabled)),
        ("grant_types", toml(&client.grant_types)),
        ("response_types", toml(&client.response_types)),
        ("scopes", toml(&client.scopes)),
        ("token_endpoint_auth_method", toml(&method)),
        ("id_token_signed_response_alg", toml(&client.id_token_alg.name())),
        ("subject_type", toml(&client.subject_type.name())),
    ];
    derived.extend(of_tokens(&client.tokens));
    derived
}

fn of_tokens(tokens: &Tokens) -> [(&'static str, String); 7] {
    let refresh = &tokens.refresh_token;
    [
        ("tokens.authorization_code", toml(&tokens.authorization_code.to_string())),
        ("tokens.access_token", toml(&tokens.access_token.to_string())),
        ("tokens.id_token", toml(&tokens.id_token.to_string())),
        ("tokens.refresh_token.max_inactive", toml(&refresh.max_inactive.to_string())),
        ("tokens.refresh_token.max_lifetime", toml(&refresh.max_lifetime.to_string())),
        ("tokens.refresh_token.reuse_grace", toml(&refresh.reuse_grace.to_string())),
        ("tokens.refresh_token.rotate", toml(&refresh.rotate)),
    ]
}

fn of_provider(settings: &ProviderSettings, name: String, session: &SessionBounds) -> Vec<(&'static str, String)> {
    vec![
        ("name", toml(&name)),
        ("redirect_uri", toml(&settings.redirect_uri)),
        ("scopes", toml(&settings.scopes)),
        ("claims_from", toml(&settings.claims_from)),
        ("forward", toml(&settings.forward)),
        ("session.max_inactive", toml(&session.max_inactive.to_string())),
        ("session.max_lifetime", toml(&session.max_lifetime.to_string())),
    ]
}
