//! The export of a Keycloak realm (`realm.json`) → `broker.toml`: the realm's own settings, roles and groups. Identity
//! providers, clients, protocol mappers and users have files of their own.

mod client_authentication;
mod clients;
mod known;
mod mappers;
mod provider_mappers;
mod provider_settings;
mod providers;
mod realm;
mod users;
mod values;

use serde_json::Value;

use crate::config::language::cel_source::{cel_list, cel_text};
use crate::import::document::{Document, Mark, Table, inline};
use crate::import::read::{below, is_set, items, on, positive, text, yaml_documents};
use crate::import::words;
use crate::import::words::duration;
use realm::{Group, Realm};

/// Keys of which an export has at least one, besides `realm`.
const KNOWN: &[&str] = &["clients", "users", "roles", "identityProviders", "clientScopes", "enabled", "groups"];
/// Sections that are lists.
const LISTS: &[&str] = &["clients", "users", "identityProviders", "identityProviderMappers", "clientScopes", "groups"];

/// Converts the export of a realm.
///
/// # Errors
/// The text is not the export of one realm.
pub(crate) fn import(text: &str, issuer: Option<&str>) -> Result<Document, String> {
    if text.trim().is_empty() {
        return Err("is empty: the export of a Keycloak realm is expected".to_owned());
    }
    let value = only_realm(text.trim_start_matches('\u{feff}'))?;
    if value.get("clientId").is_some() && value.get("realm").is_none() {
        return Err("is one client of Keycloak: export the whole realm".to_owned());
    }
    let Some(name) = self::text(&value, "realm").filter(|_| KNOWN.iter().any(|key| value.get(key).is_some())) else {
        return Err(
            "is not the export of a Keycloak realm: it has no `realm` with `clients`, `users` or `roles`".to_owned()
        );
    };
    if let Some(key) =
        LISTS.iter().find(|key| value.get(*key).is_some_and(|found| !found.is_array() && !found.is_null()))
    {
        return Err(format!("is damaged: `{key}` is not a list, as it is in an export of Keycloak"));
    }
    let realm = Realm::read(&value, name);
    let mut document = Document::default();
    let issuer = head(&realm, issuer, &mut document);
    document.push(endpoints());
    lifetimes(&value, &mut document);
    let mut policy = Table::new(&["policy"]);
    policy.note(Mark::Plain, "Keycloak keeps usernames in lower case.");
    policy.set("ignore_case", vec!["username"]);
    document.push(policy);
    let providers = providers::convert(&realm, &issuer, &mut document);
    roles(&realm, &providers.keys(), &mut document);
    clients::convert(&realm, &providers, &mut document);
    users::convert(&realm, &providers, &mut document);
    Ok(document)
}

/// The realm of an export; in YAML, that of a `KeycloakRealmImport` or of a file for keycloak-config-cli.
fn only_realm(text: &str) -> Result<Value, String> {
    let mut realms = match serde_json::from_str(text) {
        // `kc.sh export` of one realm may be a list with one item.
        Ok(Value::Array(realms)) => realms,
        Ok(value) => vec![value],
        Err(error) if text.trim_start().starts_with(['{', '[']) => {
            return Err(format!("is not JSON: line {}, column {}", error.line(), error.column()));
        }
        Err(_) => yaml_documents(text)?,
    };
    for realm in &mut realms {
        if let Some(inner) = realm.get("spec").and_then(|spec| spec.get("realm")).filter(|inner| inner.is_object()) {
            *realm = inner.clone();
        }
    }
    if realms.iter().any(|realm| realm.get("realm").is_some()) {
        realms.retain(|realm| realm.get("realm").is_some());
    }
    if realms.len() > 1 {
        return Err("has several realms: export one at a time, each is an issuer".to_owned());
    }
    Ok(realms.pop().unwrap_or_default())
}

fn head(realm: &Realm<'_>, issuer: Option<&str>, document: &mut Document) -> String {
    let mut head = Table::new(&[]);
    head.above(
        Mark::Plain,
        format!("Made from the Keycloak realm {}. Read every comment, then run `countersign check`.", realm.name),
    );
    head.above(
        Mark::ToDo,
        "put each secret into the file or variable that is named in its place; paths are relative to this file. Exports \
         hide secrets: look them up in Keycloak.",
    );
    let path: String = url::form_urlencoded::byte_serialize(realm.name.as_bytes()).collect();
    let path = format!("/realms/{}", path.replace('+', "%20"));
    let host = text(below(realm.value, "attributes"), "frontendUrl");
    let found = host.map(|host| format!("{}{path}", host.trim_end_matches('/')));
    let otherwise = format!("{}{path}", words::EXAMPLE_ISSUER);
    let issuer = words::set_issuer(&mut head, issuer, found.as_deref(), &otherwise);
    document.push(head);
    document.push(left_out(realm.value));
    document.push(known::realm(realm.value));
    issuer
}

/// Keycloak's paths below the realm, so that apps that do not use discovery continue to work.
fn endpoints() -> Table {
    let mut table = Table::new(&["endpoints"]);
    table.above(
        Mark::Plain,
        "Keycloak's paths, for apps that do not use discovery; they are relative to the issuer's path. Without this table the \
         defaults apply.",
    );
    for (key, path) in [
        ("authorization", "auth"),
        ("token", "token"),
        ("userinfo", "userinfo"),
        ("end_session", "logout"),
        ("jwks", "certs"),
        ("introspection", "token/introspect"),
        ("revocation", "revoke"),
    ] {
        table.set(key, format!("/protocol/openid-connect/{path}"));
    }
    table
}

/// Features of a realm that a broker does not have.
fn left_out(value: &Value) -> Table {
    let mut table = Table::new(&[]);
    let at_the_provider = "people prove who they are at their provider, which also keeps their passwords and factors";
    let passwords: Vec<&str> = [
        "registrationAllowed",
        "resetPasswordAllowed",
        "verifyEmail",
        "rememberMe",
        "bruteForceProtected",
        "passwordPolicy",
        "otpPolicyType",
        "webAuthnPolicyRpEntityName",
        "requiredActions",
        "requiredCredentials",
        "authenticationFlows",
    ]
    .into_iter()
    .filter(|key| is_set(value, key))
    .collect();
    if !passwords.is_empty() {
        table.above(Mark::NotSupported, format!("`{}`: {at_the_provider}.", passwords.join("`, `")));
    }
    for (key, mark, why) in [
        ("smtpServer", Mark::NotSupported, "the broker sends no e-mail."),
        ("clientPolicies", Mark::NotSupported, "requirements are settings of each client."),
        ("clientProfiles", Mark::NotSupported, "requirements are settings of each client."),
        ("eventsListeners", Mark::Plain, "every event is in the audit trail; `[audit]` sends it elsewhere too."),
        ("loginTheme", Mark::ToDo, "[ui] has a logo, a colour, texts and templates; themes are not taken over."),
        ("organizationsEnabled", Mark::NotSupported, "`domains` of a provider lead people to it by their address."),
        ("userManagedAccessAllowed", Mark::NotSupported, "UMA; `require` of a client says who may use it."),
    ] {
        if is_set(value, key) && !below(value, key).as_object().is_some_and(|it| it.values().all(is_empty_list)) {
            table.above(mark, format!("`{key}`: {why}"));
        }
    }
    if let Some(algorithm) = text(value, "defaultSignatureAlgorithm").filter(|name| name != "RS256") {
        let way = "Tokens are signed with RS256; a client asks for another with `id_token_signed_response_alg`";
        table.above(Mark::Changed, format!("`defaultSignatureAlgorithm` {algorithm}. {way}."));
    }
    let stores = items(below(value, "components"), "org.keycloak.storage.UserStorageProvider");
    for store in stores {
        let (name, kind) = (text(store, "name").unwrap_or_default(), text(store, "providerId").unwrap_or_default());
        table.above(
            Mark::NotSupported,
            format!("user federation {name} ({kind}): keep Keycloak, or use another OpenID provider, for these users."),
        );
    }
    table
}

fn is_empty_list(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty)
}

/// Lifespans, which Keycloak states in seconds.
fn lifetimes(value: &Value, document: &mut Document) {
    const LONGEST_CODE: u64 = 300;
    let seconds = |key: &str| positive(value, key).map(|seconds| seconds.min(words::LONGEST));
    let mut tokens = Table::new(&["tokens"]);
    if let Some(code) = seconds("accessCodeLifespan") {
        if code > LONGEST_CODE {
            tokens.note(Mark::Changed, "`authorization_code` is at most five minutes.");
        }
        tokens.set("authorization_code", duration(code.min(LONGEST_CODE)));
    }
    if let Some(access) = seconds("accessTokenLifespan") {
        tokens.set("access_token", duration(access));
        tokens.set("id_token", duration(access));
    }
    let inactive = seconds("offlineSessionIdleTimeout");
    let lifetime = seconds("offlineSessionMaxLifespan").filter(|_| on(value, "offlineSessionMaxLifespanEnabled"));
    if inactive.is_some() || lifetime.is_some() {
        const DEFAULT_LIFETIME: u64 = 180 * 86_400;
        let inactive = inactive.unwrap_or(30 * 86_400);
        let lifetime = lifetime.unwrap_or(DEFAULT_LIFETIME.max(inactive));
        let entries = [("max_inactive", duration(inactive.min(lifetime))), ("max_lifetime", duration(lifetime))];
        tokens.set("refresh_token", inline(entries));
    }
    if value.get("revokeRefreshToken") == Some(&Value::Bool(false)) {
        tokens.note(Mark::Changed, "refresh tokens rotate. `rotate = false` in `refresh_token` is how it was.");
    }
    document.push(tokens);

    let mut session = Table::new(&["session"]);
    let (inactive, lifetime) = (seconds("ssoSessionIdleTimeout"), seconds("ssoSessionMaxLifespan"));
    let longest = lifetime.unwrap_or(12 * 3600);
    if let Some(inactive) = inactive {
        session.set("max_inactive", duration(inactive.min(longest)));
    }
    if let Some(lifetime) = lifetime {
        // The default for inactivity must not exceed this value.
        if inactive.is_none() && lifetime < 1800 {
            session.set("max_inactive", duration(lifetime));
        }
        session.set("max_lifetime", duration(lifetime));
    }
    document.push(session);
}

/// `[roles.X]`, and the rules by which groups and the realm's defaults grant them.
fn roles(realm: &Realm<'_>, providers: &[String], document: &mut Document) {
    for (name, description) in realm.declared_roles() {
        let mut table = Table::new(&["roles", name]);
        if let Some(description) = description {
            table.set("description", description.as_str());
        }
        document.push_even_empty(table);
    }
    let defaults = realm.default_roles();
    if !defaults.is_empty() && !providers.is_empty() {
        let when = format!("provider in {}", cel_list(providers));
        document.push(rule("Keycloak's default roles: everyone has them", &when, defaults));
    }
    for group in realm.groups() {
        unsupported_group_attributes(&group, document);
        let roles = realm.roles_of(group.value);
        if roles.is_empty() {
            continue;
        }
        let (path, below) = (cel_text(&group.path), cel_text(&format!("{}/", group.path)));
        let who = if providers.len() > 1 { format!("provider in {} && ", cel_list(providers)) } else { String::new() };
        let when = format!("{who}groups.exists(g, g == {path} || g.startsWith({below}))");
        document.push(rule(&format!("roles of the group {} and those below it", group.path), &when, roles));
    }
}

fn unsupported_group_attributes(group: &Group<'_>, document: &mut Document) {
    if is_set(group.value, "attributes") {
        let mut table = Table::new(&[]);
        let way = "Write an expression over `groups` in the claims of the client that needs them";
        table.above(Mark::NotSupported, format!("the attributes of the group {}. {way}.", group.path));
        document.push(table);
    }
}

fn rule(why: &str, when: &str, roles: Vec<String>) -> Table {
    let mut table = Table::list("role_rules");
    table.above(Mark::Plain, why);
    let (roles, odd): (Vec<String>, Vec<String>) = roles.into_iter().partition(|role| !role.contains('{'));
    odd.iter()
        .for_each(|role| table.note(Mark::ToDo, format!("{role}: a rule can't give a role with `{{` in its name.")));
    table.set("when", when);
    if roles.is_empty() {
        table.turn_off();
    }
    table.set("roles", roles);
    table
}
