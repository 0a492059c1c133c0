//! The allowed names of keys: ids, names and scopes, as JSON Schema describes them.

use serde_json::{Value, json};

use crate::protocol::OWN_WAYS_IN;

/// Keys of `[clients.X]` that may carry a language tag, as in `"client_name#ja"` (OIDC Registration §2.1).
pub(crate) const LOCALIZED: &[&str] = &["client_name", "logo_uri", "client_uri", "policy_uri", "tos_uri"];

/// Ids of clients, resources and tables.
pub(crate) fn id() -> Value {
    json!({
        "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$",
        "x-expected": "1 to 63 of a-z 0-9 _ -, beginning with a letter or digit"
    })
}

/// Ids of providers; two are reserved.
pub(crate) fn provider_id() -> Value {
    let mut id = id();
    if let Some(id) = id.as_object_mut() {
        id.insert("not".to_owned(), json!({ "enum": OWN_WAYS_IN }));
    }
    id
}

/// Names of users and roles.
pub(crate) fn printable() -> Value {
    json!({
        "pattern": "^[^\\u0000-\\u001f\\u007f]+$",
        "x-expected": "a name without control characters"
    })
}

/// Names of scopes (RFC 6749 §3.3).
pub(crate) fn scope_token() -> Value {
    json!({
        "pattern": "^[\\u0021\\u0023-\\u005b\\u005d-\\u007e]+$",
        "x-expected": "printable ASCII without spaces, quotes and backslashes (RFC 6749 §3.3)"
    })
}

/// Client metadata with a language tag.
pub(crate) fn localized() -> Value {
    let pattern = format!("^({})#[A-Za-z]{{2,8}}(-[A-Za-z0-9]{{1,8}})*$", LOCALIZED.join("|"));
    json!({ pattern: { "type": "string", "minLength": 1 } })
}
