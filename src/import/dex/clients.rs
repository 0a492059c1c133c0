//! `staticClients` and `oauth2` of Dex → `[clients.X]`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::import::dex::common::asks_for_approval;
use crate::import::dex::connectors::Connectors;
use crate::import::document::{Document, Mark, Table, Toml, inline};
use crate::import::read::{below, is_set, items, on, text, texts};
use crate::import::words;
use crate::import::words::{Ids, Uris};

/// Scopes that every client of Dex may request.
const SCOPES: &[&str] = &["openid", "profile", "email", "groups", "offline_access"];

/// Converts the clients.
pub(crate) fn convert(dex: &Value, connectors: &Connectors, document: &mut Document) {
    document.push(for_all(dex));
    let all = items(dex, "staticClients");
    let mut ids = Ids::keeping(all.iter().filter_map(|client| text(client, "id")));
    let mut seen = BTreeSet::new();
    for (index, client) in all.iter().enumerate() {
        let id = text(client, "id");
        let wanted = id.clone().or_else(|| text(client, "name")).unwrap_or_default();
        let key = ids.take(&wanted, "app");
        let place = id.clone().unwrap_or_else(|| format!("number {}", index + 1));
        let mut table = one(dex, client, &key, &place, connectors);
        if id.is_some_and(|id| !seen.insert(id)) {
            table.above(Mark::ToDo, format!("the id {place} is there twice; only the first can be active."));
            table.turn_off();
        }
        document.push(table);
    }
}

/// Comments on the settings of `oauth2` for all clients that have no equivalent here.
fn for_all(dex: &Value) -> Table {
    let mut left_out = Table::new(&[]);
    let oauth2 = below(dex, "oauth2");
    let others: Vec<String> = texts(oauth2, "responseTypes").into_iter().filter(|kind| kind != "code").collect();
    if !others.is_empty() {
        let way = "Add \"implicit\" to the grant_types and what they ask for to the response_types of those that use the implicit \
                   or the hybrid flow. The code flow with PKCE works in browsers too.";
        left_out
            .above(Mark::ToDo, format!("the response types {} were open to every client. {way}", others.join(", ")));
    }
    let grants = texts(oauth2, "grantTypes");
    // "implicit" is derived from the response types.
    let taken_over = ["authorization_code", "refresh_token", "implicit"];
    for grant in grants.iter().filter(|grant| !taken_over.contains(&grant.as_str())) {
        match grant.as_str() {
            "urn:ietf:params:oauth:grant-type:device_code" | "urn:ietf:params:oauth:grant-type:token-exchange" => {
                left_out.above(Mark::NotBuilt, format!("the grant type {grant}."));
            }
            "client_credentials" => left_out.above(
                Mark::ToDo,
                "the grant type client_credentials was open to every client: add it to the `grant_types` of those that \
                 use it.",
            ),
            _ => left_out.above(
                Mark::NotSupported,
                format!("the grant type {grant}: passwords are typed at the provider only."),
            ),
        }
    }
    if is_set(oauth2, "passwordConnector") && !grants.iter().any(|grant| grant == "password") {
        left_out.above(
            Mark::NotSupported,
            "`oauth2.passwordConnector`: passwords are typed at the provider only (RFC 9700 §2.4).",
        );
    }
    let pkce = texts(below(oauth2, "pkce"), "codeChallengeMethodsSupported");
    if pkce.iter().any(|method| method == "plain") {
        left_out.above(Mark::NotSupported, "PKCE with `plain`: only S256 is accepted (RFC 9700 §2.1.1).");
    }
    if on(oauth2, "alwaysShowLoginScreen") {
        left_out
            .above(Mark::NotSupported, "`oauth2.alwaysShowLoginScreen`: with one provider people go straight to it.");
    }
    if !items(dex, "staticClients").is_empty() {
        left_out.above(
            Mark::NotSupported,
            "the scopes `federated:id` and `audience:server:client_id:...` of Dex. For tokens that an API accepts, \
             declare [resources.X]; the provider is known to expressions as `provider`.",
        );
    }
    left_out
}

fn one(dex: &Value, client: &Value, key: &str, place: &str, connectors: &Connectors) -> Table {
    let mut table = Table::new(&["clients", key]);
    let public = on(client, "public");
    identity(client, key, place, &mut table);
    if public {
        table.set("token_endpoint_auth_method", "none");
    } else if let Some(name) = text(client, "secretEnv") {
        table.set("client_secret", words::secret_env(&name));
    } else {
        table.note(Mark::Plain, format!("`secret` of the static client {place}"));
        table.set("client_secret", words::secret_file("client", key));
    }
    redirects(client, public, &mut table);
    Uris::sort(texts(client, "postLogoutRedirectURIs"), public).write(&mut table, "post_logout_redirect_uris");
    allowed(client, &mut table);
    if on(below(below(dex, "oauth2"), "pkce"), "enforce") {
        table.set("pkce", "required");
    }
    if asks_for_approval(dex) {
        table.set("consent", "explicit");
    }
    if public && on(below(below(dex, "expiry"), "refreshTokens"), "disableRotation") {
        table.note(Mark::Changed, "the refresh tokens of a public client always rotate (RFC 9700 §2.2.2).");
        table.set("tokens", Toml::Inline(vec![("refresh_token".to_owned(), inline([("rotate", true)]))]));
    }
    connectors.restrict(&texts(client, "allowedConnectors"), &mut table);
    let (origins, odd) = words::origins(&texts(below(dex, "web"), "allowedOrigins"));
    if !origins.is_empty() {
        table.set("allowed_origins", origins);
    }
    if !odd.is_empty() {
        let what = odd.join(", ");
        table.note(Mark::NotSupported, format!("`web.allowedOrigins` {what}: name each origin in `allowed_origins`."));
    }
    if is_set(client, "trustedPeers") {
        let peers = texts(client, "trustedPeers").join(", ");
        let way = "Declare the API as [resources.X] and name in its `clients` who may ask for tokens for it";
        table.note(Mark::NotSupported, format!("`trustedPeers` {peers}: no client gets ID tokens for another. {way}."));
    }
    for name in ["ssoSharedWith", "mfaChain"] {
        if is_set(client, name) {
            let way = "`require` says who may use a client";
            table.note(Mark::NotSupported, format!("`{name}`: {way}."));
        }
    }
    table
}

/// `scopes` and `grant_types`, which are no wider than those that Dex allows the client.
fn allowed(client: &Value, table: &mut Table) {
    let allows = |key: &str, name: &str| {
        let allowed = texts(client, key);
        allowed.is_empty() || allowed.iter().any(|one| one == name)
    };
    let scopes = SCOPES.iter().filter(|scope| **scope == "openid" || allows("allowedScopes", scope));
    table.set("scopes", scopes.copied().collect::<Vec<_>>());
    if is_set(client, "allowedGrantTypes") {
        let grants = ["authorization_code", "refresh_token", "client_credentials"].into_iter();
        let grants: Vec<&str> = grants.filter(|grant| allows("allowedGrantTypes", grant)).collect();
        if !grants.contains(&"authorization_code") {
            table.above(
                Mark::ToDo,
                "`allowedGrantTypes` has no authorization_code: say how this client gets its tokens.",
            );
            table.turn_off();
        }
        table.set("grant_types", grants);
    }
}

fn identity(client: &Value, key: &str, place: &str, table: &mut Table) {
    match (text(client, "id"), text(client, "idEnv")) {
        (Some(id), _) if id != key => {
            if id.len() <= 255 && id.bytes().all(|b| b.is_ascii_graphic()) {
                table.set("client_id", id);
            } else {
                let why = "a client id is 1 to 255 printable ASCII characters";
                table.note(Mark::Changed, format!("the client id was {place}; {why}. Tell the app the new one."));
            }
        }
        (None, Some(variable)) => table.note(
            Mark::ToDo,
            format!(
                "Dex reads the client id from the variable {variable}. It is not a secret: write it as `client_id`."
            ),
        ),
        _ => {}
    }
    if let Some(name) = text(client, "name").filter(|name| name != key && !name.chars().any(char::is_control)) {
        table.set("client_name", name);
    }
    words::set_web_url(table, "logo_uri", text(client, "logoURL"));
}

fn redirects(client: &Value, public: bool, table: &mut Table) {
    let (own, others): (Vec<String>, Vec<String>) = texts(client, "redirectURIs")
        .into_iter()
        .partition(|uri| uri != "/device/callback" && !uri.starts_with("urn:"));
    for uri in others {
        if uri.starts_with('/') {
            table.note(Mark::NotBuilt, format!("the device flow, for `{uri}`."));
        } else {
            table.note(
                Mark::NotSupported,
                format!("`{uri}`: codes are not shown to be copied. Use a loopback URI (RFC 8252)."),
            );
        }
    }
    let uris = Uris::sort(own, public);
    if uris.kept.is_empty() {
        let way = if public {
            "Dex accepts any localhost URI of a public client; here the path is named once, and of a native client any \
             port of it is accepted. Name it, and remove the `#`"
        } else {
            "Name it, and remove the `#`"
        };
        table.above(Mark::ToDo, format!("no redirect URI of this client could be kept. {way}."));
        table.turn_off();
    }
    let none = uris.kept.is_empty();
    let loopback = uris.kept.iter().all(|uri| uri.starts_with("http://"));
    uris.write(table, "redirect_uris");
    if public && (none || loopback) {
        table.set("application_type", "native");
    }
    if none {
        table.set("redirect_uris", vec![if public { "http://127.0.0.1/callback" } else { "https://APP/CALLBACK" }]);
    }
}
