//! `identityProviders` and `identityProviderMappers` of a realm → `[providers.X]`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::config::check::urls::{Http, issuer as issuer_problem, path as path_problem};
use crate::import::document::{Document, Mark, Table};
use crate::import::keycloak::provider_mappers::Mapped;
use crate::import::keycloak::provider_settings;
use crate::import::keycloak::realm::Realm;
use crate::import::keycloak::values::plain_http;
use crate::import::read::{below, is_set, items, on, text};
use crate::import::words;
use crate::import::words::{Ids, Names, secret_env, secret_file, variable};

/// The identity providers of a realm that were imported.
#[derive(Debug, Default)]
pub(crate) struct Providers {
    /// Alias → id, for those that are active.
    pub(crate) active: BTreeMap<String, String>,
    /// Attributes that their mappers set.
    pub(crate) attributes: BTreeSet<String>,
}

impl Providers {
    /// Ids of the active providers.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.active.values().cloned().collect()
    }
}

/// How an identity provider is converted.
enum Kind {
    Oidc { issuer: String, keycloak: bool },
    Off(Mark, &'static str, Option<&'static str>),
}

/// What is left to do for a provider whose preset is not plain OpenID Connect.
const READY: &str =
    "the preset is for this provider. Complete the lines, register the new callback, and remove the `#`.";

fn kind(idp: &Value) -> Kind {
    let config = below(idp, "config");
    match text(idp, "providerId").unwrap_or_default().as_str() {
        id @ ("oidc" | "keycloak-oidc") => match issuer_of(config) {
            Some(issuer) => {
                let keycloak = id == "keycloak-oidc" || issuer.contains("/realms/");
                Kind::Oidc { issuer, keycloak }
            }
            None => Kind::Off(
                Mark::ToDo,
                "its issuer is not in the export. Write it as the provider's discovery document states it.",
                None,
            ),
        },
        "google" => Kind::Oidc { issuer: "https://accounts.google.com".to_owned(), keycloak: false },
        "gitlab" => Kind::Oidc { issuer: "https://gitlab.com".to_owned(), keycloak: false },
        "microsoft" => match text(config, "tenantId").or_else(|| text(config, "tenant")) {
            Some(tenant) if tenant.len() == 36 && tenant.chars().all(|c| c.is_ascii_hexdigit() || c == '-') => {
                Kind::Oidc { issuer: format!("https://login.microsoftonline.com/{tenant}/v2.0"), keycloak: false }
            }
            _ => Kind::Off(
                Mark::ToDo,
                "accounts of several tenants: write the ids of those that may sign in into `tenants`.",
                Some("entra"),
            ),
        },
        "github" => Kind::Off(Mark::ToDo, READY, Some("github")),
        "apple" => Kind::Off(Mark::ToDo, READY, Some("apple")),
        "linkedin" | "linkedin-openid-connect" => Kind::Off(Mark::ToDo, READY, Some("linkedin")),
        "facebook" | "bitbucket" | "stackoverflow" | "instagram" | "paypal" | "openshift-v3" | "openshift-v4"
        | "oauth2" => Kind::Off(Mark::ToDo, READY, Some("oauth2")),
        "twitter" => Kind::Off(Mark::NotSupported, "OAuth 1.0a is not implemented.", None),
        "saml" => Kind::Off(
            Mark::NotSupported,
            "identity providers are connected by OpenID Connect or OAuth 2.0. Most SAML providers speak OpenID Connect too (Entra ID, Okta, AD FS, \
             Google); otherwise keep Keycloak in between, with this realm as issuer.",
            None,
        ),
        _ => Kind::Off(Mark::NotSupported, "this kind of identity provider is not known.", None),
    }
}

/// The issuer, as configured or as derived from the endpoints of a Keycloak server.
fn issuer_of(config: &Value) -> Option<String> {
    let from =
        |key: &str| text(config, key).and_then(|url| Some(url.split_once("/protocol/openid-connect/")?.0.to_owned()));
    let issuer = text(config, "issuer").or_else(|| from("authorizationUrl"))?;
    // The setting may contain a list of issuers; only one can be the issuer of a discovery document.
    issuer_problem(&issuer, Http::Anywhere).is_ok().then_some(issuer)
}

/// Converts the identity providers.
pub(crate) fn convert(realm: &Realm<'_>, issuer: &str, document: &mut Document) -> Providers {
    let mut out = Providers::default();
    let (mut ids, mut names) = (Ids::of_providers(), Names::default());
    for idp in items(realm.value, "identityProviders") {
        let alias = text(idp, "alias").unwrap_or_else(|| "provider".to_owned());
        let id = ids.take(&alias, "provider");
        let mut table = Table::new(&["providers", &id]);
        let type_name = text(idp, "providerId").unwrap_or_default();
        table.above(Mark::Plain, format!("identity provider {alias}, type {type_name}"));
        let name = text(idp, "displayName").filter(|name| !name.starts_with("${"));
        if let Some(name) = names.take(name.as_deref(), &id) {
            table.set("name", name);
        }
        let mut claims = Table::new(&["providers", &id, "claims"]);
        match kind(idp) {
            Kind::Oidc { issuer: upstream, keycloak } => {
                if keycloak {
                    table.set("preset", "keycloak");
                }
                let mapped = Mapped::read(realm, idp, &alias, &upstream);
                oidc(idp, &id, &upstream, &mut table);
                callback(&alias, issuer, &id, &mut table);
                mapped.write(&mut table, &mut claims, &mut out.attributes);
                out.active.insert(alias, id);
            }
            Kind::Off(mark, why, preset) => {
                table.above(mark, why);
                table.turn_off();
                match preset {
                    Some(preset) => table.set("preset", preset),
                    None => table.set("issuer", "https://ISSUER"),
                }
                credentials(below(idp, "config"), &id, &mut table);
            }
        }
        document.push(table);
        document.push(claims);
    }
    if out.active.is_empty() || items(realm.value, "users").iter().any(|user| is_set(user, "credentials")) {
        document.push(the_realm_itself(realm, &mut ids));
    }
    out
}

/// The realm itself as an identity provider, for users who have a password in it.
fn the_realm_itself(realm: &Realm<'_>, ids: &mut Ids) -> Table {
    let id = ids.take("keycloak", "keycloak");
    let mut table = Table::new(&["providers", &id]);
    table.above(
        Mark::ToDo,
        "users who have a password in this realm, or in its user federation, can go on using it when the realm becomes an \
         identity provider of Countersign: register the broker as a client of the realm, complete this table and remove \
         the `#`. If Countersign takes over the realm's URL, Keycloak needs another one.",
    );
    table.turn_off();
    table.set("preset", "keycloak");
    table.set("issuer", format!("https://KEYCLOAK/realms/{}", realm.name));
    table.set("client_id", "countersign");
    table.set("client_secret", secret_file("provider", &id));
    table
}

fn credentials(config: &Value, id: &str, table: &mut Table) {
    match text(config, "clientId") {
        Some(client_id) => table.set("client_id", client_id),
        None => {
            table.note(Mark::ToDo, "the client id that the provider gave.");
            table.set("client_id", "CLIENT-ID");
        }
    }
    if text(config, "clientAuthMethod").as_deref() == Some("private_key_jwt") {
        let way =
            "Make a key for the broker, and give the provider ISSUER/oauth2/rp-jwks as the address of its public keys";
        table.note(Mark::ToDo, format!("Keycloak signed with a key of the realm. {way}."));
        return table.set("client_key", secret_file("provider", &format!("{id}-key")));
    }
    let env = text(config, "clientSecret").filter(|secret| secret.starts_with("${") || secret.starts_with("$("));
    match env.as_deref().and_then(variable) {
        Some(name) => table.set("client_secret", secret_env(name)),
        None => table.set("client_secret", secret_file("provider", id)),
    }
}

fn oidc(idp: &Value, id: &str, issuer: &str, table: &mut Table) {
    let config = below(idp, "config");
    if idp.get("enabled") == Some(&Value::Bool(false)) {
        table.set("enabled", false);
    }
    table.set("issuer", issuer);
    if plain_http(issuer) {
        table.note(Mark::ToDo, "plain http: anyone on the network path can read and change sign-ins. Use https.");
        table.set("allow_http", true);
    }
    credentials(config, id, table);
    let method = text(config, "clientAuthMethod").unwrap_or_default();
    if ["client_secret_basic", "client_secret_post", "client_secret_jwt"].contains(&method.as_str()) {
        table.set("token_endpoint_auth_method", method);
    }
    let scopes: Vec<String> =
        text(config, "defaultScope").unwrap_or_default().split_ascii_whitespace().map(str::to_owned).collect();
    if !scopes.is_empty()
        && scopes.iter().all(|scope| scope.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\'))
    {
        let all = std::iter::once("openid".to_owned()).chain(scopes);
        table.set("scopes", crate::import::read::distinct(all));
    }
    table.note(Mark::Plain, "`trustEmail`");
    table.set("email_verified", if on(idp, "trustEmail") { "always" } else { "never" });
    if on(idp, "linkOnly") {
        table.note(Mark::Changed, "`linkOnly`: only people who are declared in this file can sign in with it.");
        table.set("create_users", false);
    }
    if on(idp, "hideOnLogin") || on(config, "hideOnLoginPage") {
        let text =
            "`hideOnLogin`: only clients that name it in their `providers` reach it; in Keycloak, any by kc_idp_hint.";
        table.note(Mark::Changed, text);
        table.set("hidden", true);
    }
    if config.get("backchannelSupported").is_some() && text(config, "logoutUrl").is_none() {
        table.set("logout", false);
    }
    if on(config, "disableUserInfo") {
        table.set("claims_from", vec!["id_token"]);
    }
    let conditions = provider_settings::conditions(config, table);
    words::set_allow(table, issuer, &conditions);
    provider_settings::endpoints(config, issuer, table);
    provider_settings::left_out(idp, config, table);
}

/// Keeps the redirect URI that is registered at the provider, if its path permits it.
fn callback(alias: &str, issuer: &str, id: &str, table: &mut Table) {
    let path = format!("/broker/{alias}/endpoint");
    let base = issuer.trim_end_matches('/');
    if path_problem(&path).is_ok() {
        table.note(Mark::Plain, format!("Keycloak's redirect URI, registered at the provider: {base}{path}"));
        table.set("redirect_path", path);
    } else {
        table.note(Mark::ToDo, format!("register the redirect URI {base}/callback/{id} at the provider."));
    }
}
