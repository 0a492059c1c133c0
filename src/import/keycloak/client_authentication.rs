//! `clientAuthenticatorType` of a client → its secret, or the keys with which it signs.

use serde_json::Value;

use crate::config::check::urls::{Http, web_url};
use crate::import::document::{Mark, Table};
use crate::import::keycloak::values::attribute;
use crate::import::read::text;
use crate::import::words::{secret_env, secret_file, variable};

pub(crate) fn authentication(client: &Value, key: &str, public: bool, table: &mut Table) {
    if public {
        return table.set("token_endpoint_auth_method", "none");
    }
    let until = "Until then the app needs this client secret";
    match text(client, "clientAuthenticatorType").as_deref() {
        Some("client-jwt") => match attribute(client, "jwks.url").filter(|url| web_url(url, Http::Loopback).is_ok()) {
            Some(url) => {
                table.set("token_endpoint_auth_method", "private_key_jwt");
                return table.set("jwks_uri", url);
            }
            None => {
                let way = "write its public keys as `jwks_uri` or `jwks`, and token_endpoint_auth_method = \"private_key_jwt\"";
                table.note(Mark::ToDo, format!("the app signs with a key of its own: {way}. {until}."));
            }
        },
        Some("client-secret-jwt") => table.set("token_endpoint_auth_method", "client_secret_jwt"),
        Some("client-x509") => {
            let way = "declare [certificates], and write token_endpoint_auth_method = \"tls_client_auth\" and tls_client_auth_subject_dn";
            table.note(Mark::ToDo, format!("the app authenticates by certificate: {way}. {until}."));
        }
        _ => {}
    }
    let env = text(client, "secret").filter(|secret| secret.starts_with("${") || secret.starts_with("$("));
    match env.as_deref().and_then(variable) {
        Some(name) => table.set("client_secret", secret_env(name)),
        None => table.set("client_secret", secret_file("client", key)),
    }
}
