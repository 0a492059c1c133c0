//! `clients` and `clientScopes` of a realm → `[clients.X]` and `[scopes.X]`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::import::document::{Document, Mark, Table};
use crate::import::keycloak::client_authentication::authentication;
use crate::import::keycloak::known;
use crate::import::keycloak::mappers::Claims;
use crate::import::keycloak::providers::Providers;
use crate::import::keycloak::realm::{Realm, is_own_client};
use crate::import::keycloak::values::{attribute, own_tokens};
use crate::import::read::{below, distinct, flag, is_set, items, on, text, texts};
use crate::import::words;
use crate::import::words::{Ids, Uris, secret_file};

/// Scopes of Keycloak that have the same name here.
const SAME: &[&str] = &["profile", "email", "address", "phone", "roles", "offline_access"];
/// Scopes of Keycloak whose claims are available here without a scope, or that are unrelated to OpenID Connect.
const NO_SCOPE: &[&str] = &[
    "openid",
    "web-origins",
    "acr",
    "basic",
    "microprofile-jwt",
    "role_list",
    "saml_organization",
    "organization",
    "service_account",
];
/// The default scopes of a client, if neither the client nor the realm defines them.
const DEFAULT_SCOPES: &[&str] = &["profile", "email", "roles"];
const OPTIONAL_SCOPES: &[&str] = &["address", "phone", "offline_access"];

/// Converts the clients, and the scopes that they name.
pub(crate) fn convert(realm: &Realm<'_>, providers: &Providers, document: &mut Document) {
    let clients: Vec<&Value> = items(realm.value, "clients")
        .iter()
        .filter(|client| text(client, "clientId").is_some_and(|id| !is_own_client(&id)))
        .collect();
    scopes(realm, &clients, document);
    let mut ids = Ids::keeping(clients.iter().filter_map(|client| text(client, "clientId")));
    let (mut seen, mut unfilled) = (BTreeSet::new(), BTreeSet::new());
    for client in clients {
        let client_id = text(client, "clientId").unwrap_or_default();
        let key = ids.take(&client_id, "app");
        if text(client, "protocol").as_deref().is_some_and(|protocol| protocol != "openid-connect") {
            document.push(not_oidc(&key, &client_id, client));
            continue;
        }
        let mut table = Table::new(&["clients", &key]);
        let mut claims = Table::new(&["clients", &key, "claims"]);
        unfilled.extend(one(realm, providers, client, &key, &mut table, &mut claims));
        if !seen.insert(client_id.clone()) {
            table.above(Mark::ToDo, format!("the id {client_id} is there twice; only the first can be active."));
            table.turn_off();
            claims.turn_off();
        }
        document.push(table);
        document.push(claims);
    }
    absent_attributes(providers, unfilled, document);
}

/// Declares the attributes that no mapper sets as absent, so that the expressions that read them are valid.
fn absent_attributes(providers: &Providers, unfilled: BTreeSet<String>, document: &mut Document) {
    let Some(first) = providers.keys().into_iter().next() else { return };
    let Some(claims) = document.table(&["providers", &first, "claims"]) else { return };
    for name in unfilled {
        claims.note(Mark::ToDo, format!("nothing filled the attribute {name}: null leaves it absent."));
        claims.set(&name, "null");
    }
}

fn not_oidc(key: &str, client_id: &str, client: &Value) -> Table {
    let mut table = Table::new(&["clients", key]);
    let protocol = text(client, "protocol").unwrap_or_default();
    let way = "Move the app to OpenID Connect, or keep Keycloak for it";
    table.above(Mark::NotSupported, format!("the client {client_id} speaks {protocol}. {way}."));
    table.turn_off();
    table.set("client_secret", secret_file("client", key));
    table.set("redirect_uris", vec!["https://APP/CALLBACK"]);
    table
}

/// The default and the optional scopes of a client.
fn scopes_of(realm: &Realm<'_>, client: &Value) -> (Vec<String>, Vec<String>) {
    let listed = |own: &str, of_realm: &str, otherwise: &[&str]| {
        if client.get(own).is_some() {
            texts(client, own)
        } else if realm.value.get(of_realm).is_some() {
            texts(realm.value, of_realm)
        } else {
            otherwise.iter().map(|scope| (*scope).to_owned()).collect()
        }
    };
    (
        listed("defaultClientScopes", "defaultDefaultClientScopes", DEFAULT_SCOPES),
        listed("optionalClientScopes", "defaultOptionalClientScopes", OPTIONAL_SCOPES),
    )
}

fn is_custom(scope: &str) -> bool {
    !SAME.contains(&scope) && !NO_SCOPE.contains(&scope) && is_token(scope)
}

fn is_token(scope: &str) -> bool {
    !scope.is_empty() && scope.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\')
}

/// `[scopes.X]` for the realm's own scopes. Their claims are written as expressions of the clients.
fn scopes(realm: &Realm<'_>, clients: &[&Value], document: &mut Document) {
    let mut seen = BTreeSet::new();
    for client in clients {
        let (default, optional) = scopes_of(realm, client);
        seen.extend(default.into_iter().chain(optional));
    }
    for name in seen {
        if !is_custom(&name) {
            continue;
        }
        let mut table = Table::new(&["scopes", &name]);
        let definition = realm.scope(&name).unwrap_or(&Value::Null);
        let consent = attribute(definition, "consent.screen.text").filter(|text| !text.starts_with("${"));
        if let Some(text) = text(definition, "description").or(consent) {
            table.set("description", text);
        }
        document.push_even_empty(table);
    }
}

/// Converts a client. Returns the attributes that its claims read and that no provider sets.
fn one(
    realm: &Realm<'_>,
    providers: &Providers,
    client: &Value,
    key: &str,
    table: &mut Table,
    claims: &mut Table,
) -> BTreeSet<String> {
    let client_id = text(client, "clientId").unwrap_or_default();
    identity(client, key, &client_id, table);
    let public = on(client, "publicClient") && !on(client, "bearerOnly");
    authentication(client, key, public, table);
    let code = flag(client, "standardFlowEnabled") != Some(false) && !on(client, "bearerOnly");
    grants(client, code, public, table);
    if code {
        redirects(client, public, table);
    }
    let (default, optional) = scopes_of(realm, client);
    let named = default.iter().chain(&optional).filter(|scope| SAME.contains(&scope.as_str()) || is_custom(scope));
    // There are no users, so that the standard scopes have nothing to release.
    let named: Vec<String> = named.filter(|scope| code || is_custom(scope)).cloned().collect();
    let all: Vec<String> = code.then(|| "openid".to_owned()).into_iter().chain(named).collect();
    if !all.is_empty() {
        table.set("scopes", distinct(all));
    }
    if let Some(method) = attribute(client, "pkce.code.challenge.method") {
        if method != "S256" {
            table.note(Mark::Changed, format!("PKCE was {method}; only S256 is accepted (RFC 9700 §2.1.1)."));
        }
        table.set("pkce", "required");
    }
    if on(client, "consentRequired") {
        table.set("consent", "explicit");
    }
    settings(client, table);
    known::client(client, table);
    if !code {
        return BTreeSet::new();
    }
    let mut made = Claims::new(realm, providers, &client_id);
    made.add(client, None);
    add_scopes(&mut made, realm, &default, &optional);
    if made.pairwise {
        table.note(Mark::Changed, "the values of pairwise subjects are new ones.");
        table.set("subject_type", "pairwise");
    }
    let unfilled = std::mem::take(&mut made.unfilled);
    made.write(table, claims);
    if table.is_off() {
        claims.turn_off();
    }
    unfilled
}

/// Adds the claims of a client's scopes.
fn add_scopes(made: &mut Claims<'_, '_>, realm: &Realm<'_>, default: &[String], optional: &[String]) {
    for (scopes, conditional) in [(default, false), (optional, true)] {
        for name in scopes {
            let only = conditional.then_some(name.as_str());
            match (name.as_str(), realm.scope(name)) {
                ("roles", Some(definition)) => made.add(definition, only),
                ("roles", None) if !conditional && !realm.declared_roles().is_empty() => made.add_realm_roles(),
                (name, Some(definition)) if SAME.contains(&name) => made.add_unusual(definition, only),
                (name, Some(definition)) if is_custom(name) => made.add(definition, only),
                _ => {}
            }
        }
    }
}

fn identity(client: &Value, key: &str, client_id: &str, table: &mut Table) {
    if client_id != key {
        if client_id.len() <= 255 && client_id.bytes().all(|b| b.is_ascii_graphic()) {
            table.set("client_id", client_id);
        } else {
            let why = "a client id is 1 to 255 printable ASCII characters";
            table.note(Mark::Changed, format!("the client id was {client_id}; {why}. Tell the app the new one."));
        }
    }
    let name = text(client, "name").filter(|name| !name.starts_with("${") && !name.chars().any(char::is_control));
    if let Some(name) = name.filter(|name| name != key) {
        table.set("client_name", name);
    }
    if client.get("enabled") == Some(&Value::Bool(false)) {
        table.set("enabled", false);
    }
    for (key, attribute_name) in [("logo_uri", "logoUri"), ("policy_uri", "policyUri"), ("tos_uri", "tosUri")] {
        words::set_web_url(table, key, attribute(client, attribute_name));
    }
}

fn grants(client: &Value, code: bool, public: bool, table: &mut Table) {
    let mut grants = Vec::new();
    if code {
        grants.push("authorization_code");
        if attribute(client, "use.refresh.tokens").as_deref() != Some("false") {
            grants.push("refresh_token");
        }
    }
    if on(client, "serviceAccountsEnabled") && !public {
        grants.push("client_credentials");
    }
    if grants != ["authorization_code", "refresh_token"] {
        if on(client, "bearerOnly") {
            table.note(Mark::Plain, "`bearerOnly`: an API, which introspects tokens or verifies them itself");
        }
        table.set("grant_types", grants);
    }
    if on(client, "implicitFlowEnabled") {
        let note = "`implicitFlowEnabled`: if the app does use the implicit or the hybrid flow, add \"implicit\" to grant_types \
                    and what it asks for to response_types. The code flow with PKCE works in browsers too.";
        table.note(Mark::ToDo, note);
    }
    if on(client, "directAccessGrantsEnabled") {
        table.note(
            Mark::NotSupported,
            "`directAccessGrantsEnabled`: passwords are typed at the provider only (RFC 9700 §2.4). Programs use the code \
             flow on loopback (RFC 8252), or a client of their own with client_credentials.",
        );
    }
    for (key, what) in [
        ("oauth2.device.authorization.grant.enabled", "the device flow"),
        ("standard.token.exchange.enabled", "token exchange"),
    ] {
        if attribute(client, key).as_deref() == Some("true") {
            table.note(Mark::NotBuilt, format!("{what}, for `{key}`."));
        }
    }
    if attribute(client, "require.pushed.authorization.requests").as_deref() == Some("true") {
        table.set("require_pushed_authorization_requests", true);
    }
    if attribute(client, "tls.client.certificate.bound.access.tokens").as_deref() == Some("true") {
        table.note(Mark::ToDo, "declare [certificates], and remove the `#`.");
        table.set_off("tls_client_certificate_bound_access_tokens", true);
    }
    let signed =
        attribute(client, "request.object.signature.alg").filter(|name| !["any", "none"].contains(&name.as_str()));
    if let Some(algorithm) = signed {
        table.note(
            Mark::ToDo,
            "only request objects signed so are accepted: write the app's `jwks_uri`, and remove the `#`.",
        );
        table.set_off("request_object_signing_alg", algorithm);
    }
    if attribute(client, "oidc.ciba.grant.enabled").as_deref() == Some("true") {
        table.note(Mark::NotSupported, "CIBA, for `oidc.ciba.grant.enabled`.");
    }
}

/// Redirect URIs, sign-out URIs and origins. Relative ones are resolved against `rootUrl`.
fn redirects(client: &Value, public: bool, table: &mut Table) {
    let root = text(client, "rootUrl").unwrap_or_default();
    let absolute =
        |uri: String| if uri.starts_with('/') { format!("{}{uri}", root.trim_end_matches('/')) } else { uri };
    let uris = Uris::sort(texts(client, "redirectUris").into_iter().map(absolute), public);
    let kept = uris.kept.clone();
    if kept.is_empty() {
        let way = "Write the URIs that the app really sends, and remove the `#`";
        table.above(Mark::ToDo, format!("no redirect URI of this client could be kept. {way}."));
        table.turn_off();
    }
    uris.write(table, "redirect_uris");
    if kept.is_empty() {
        table.set("redirect_uris", vec!["https://APP/CALLBACK"]);
    }
    if public && !kept.is_empty() && kept.iter().all(|uri| !uri.starts_with("https://")) {
        table.set("application_type", "native");
    }
    let after: Vec<String> = attribute(client, "post.logout.redirect.uris")
        .map(|all| {
            all.split("##").map(str::trim).filter(|uri| !uri.is_empty() && *uri != "-").map(str::to_owned).collect()
        })
        .unwrap_or_default();
    let after = after.into_iter().flat_map(|uri| if uri == "+" { kept.clone() } else { vec![absolute(uri)] });
    Uris::sort(after, public).write(table, "post_logout_redirect_uris");
    let channel = |key: &str| attribute(client, key).filter(|url| !url.is_empty()).map(absolute);
    words::set_web_url(table, "backchannel_logout_uri", channel("backchannel.logout.url"));
    let origin = |uri: &str| url::Url::parse(uri).ok().map(|url| url.origin());
    match channel("frontchannel.logout.url") {
        Some(front) if !kept.iter().any(|uri| origin(uri) == origin(&front)) => table.note(
            Mark::NotSupported,
            format!(
                "`frontchannel.logout.url` {front}: it needs the origin of a redirect URI (Front-Channel Logout §2)."
            ),
        ),
        front => words::set_web_url(table, "frontchannel_logout_uri", front),
    }
    // `+` stands for the origins of the redirect URIs, which are allowed here anyway.
    let listed: Vec<String> =
        texts(client, "webOrigins").into_iter().filter(|origin| origin != "+").map(absolute).collect();
    let (origins, odd) = words::origins(&listed);
    if !origins.is_empty() {
        table.set("allowed_origins", origins);
    }
    if !odd.is_empty() {
        let what = odd.join(", ");
        table.note(Mark::NotSupported, format!("`webOrigins` {what}: name each origin in `allowed_origins`."));
    }
}

/// Algorithms for which the broker has keys by default.
const OWN_ALGORITHMS: &[&str] = &["RS256", "ES256"];

fn settings(client: &Value, table: &mut Table) {
    for (key, from) in [
        ("id_token_signed_response_alg", "id.token.signed.response.alg"),
        ("userinfo_signed_response_alg", "user.info.response.signature.alg"),
    ] {
        let Some(algorithm) =
            attribute(client, from).filter(|name| !["any", "unsigned", "none"].contains(&name.as_str()))
        else {
            continue;
        };
        if OWN_ALGORITHMS.contains(&algorithm.as_str()) {
            table.set(key, algorithm);
        } else {
            let way = "add it to `algorithms` in [keys], if it is one of those, and name it here";
            table.note(Mark::ToDo, format!("`{key}` was {algorithm}: {way}."));
        }
    }
    if let Some(seconds) =
        attribute(client, "access.token.lifespan").and_then(|text| text.parse().ok()).filter(|it| *it > 0)
    {
        table.set("tokens", own_tokens(seconds));
    }
    if attribute(client, "dpop.bound.access.tokens").as_deref() == Some("true") {
        table.set("dpop_bound_access_tokens", true);
    }
    if on(client, "authorizationServicesEnabled") || is_set(client, "authorizationSettings") {
        let way = "`require` says who may use the app; finer decisions are the app's, by roles and permissions";
        table.note(Mark::NotSupported, format!("`authorizationSettings`: {way}."));
    }
    if flag(client, "fullScopeAllowed") == Some(false) {
        let way = "Narrow `roles` in this client's claims, for example roles = \"roles.filter(r, r in ['viewer'])\"";
        table.note(Mark::ToDo, format!("`fullScopeAllowed` is off: Keycloak gave this app only some roles. {way}."));
    }
    if below(client, "authenticationFlowBindingOverrides").as_object().is_some_and(|flows| !flows.is_empty()) {
        table.note(Mark::NotSupported, "`authenticationFlowBindingOverrides`: see `providers` and `require`.");
    }
}
