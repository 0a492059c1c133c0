//! `connectors` of Dex → `[providers.X]`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::check::urls::{Http, issuer as issuer_problem, path as path_problem, web_url};
use crate::config::language::cel_source::{cel_list, cel_path, cel_text};
use crate::config::language::toml_text;
use crate::import::dex::common::plain_http_off_loopback;
use crate::import::dex::github;
use crate::import::dex::known;
use crate::import::document::{Document, Mark, Table};
use crate::import::read::{below, flag, is_set, items, on, text, texts};
use crate::import::words::{self, Ids, Names, secret_env, secret_file, unknown_keys, variable};

/// The connectors of a configuration, grouped by the result of the import.
#[derive(Debug, Default)]
pub(crate) struct Connectors {
    /// Dex's id → the provider's id, for connectors that became active providers.
    active: BTreeMap<String, String>,
    /// Ids of the connectors that are commented out.
    off: Vec<String>,
}

impl Connectors {
    /// Writes `providers` for a client that is limited to some connectors. It must not become accessible through others.
    pub(crate) fn restrict(&self, allowed: &[String], table: &mut Table) {
        if allowed.is_empty() {
            return;
        }
        let left: Vec<&str> = allowed.iter().filter(|id| !self.active.contains_key(*id)).map(String::as_str).collect();
        if !left.is_empty() {
            let what = left.join(", ");
            let known = left.iter().all(|id| self.off.iter().any(|off| off == id));
            let way =
                if known { "add it to `providers` when its block above is active" } else { "no connector has that id" };
            table.note(Mark::ToDo, format!("`allowedConnectors` has {what} too: {way}."));
        }
        let keys: Vec<&str> = allowed.iter().filter_map(|id| self.active.get(id)).map(String::as_str).collect();
        table.set("providers", keys);
    }
}

/// How a connector is converted.
enum Kind {
    /// To an OpenID Connect provider with this issuer.
    Oidc(String),
    /// To GitHub.
    Github,
    /// To a commented-out provider, with the reason and its future preset.
    Off(Mark, String, Option<&'static str>),
}

/// What an operator has to add to a provider for the accounts of several tenants.
const SEVERAL_TENANTS: &str =
    "accounts of several tenants: write the ids of those that may sign in into `tenants`, and remove the `#`.";

fn kind(name: &str, config: &Value) -> Kind {
    let off = |mark, why: &str| Kind::Off(mark, why.to_owned(), None);
    let ready = |preset| {
        let why = format!(
            "preset = \"{preset}\" is for this connector. Complete the lines, register the new callback, and remove the `#`."
        );
        Kind::Off(Mark::ToDo, why, Some(preset))
    };
    match name {
        "oidc" => match text(config, "issuer") {
            Some(issuer) => Kind::Oidc(issuer),
            None => off(Mark::ToDo, "this connector has no `issuer`."),
        },
        "google" => Kind::Oidc(text(config, "issuer").unwrap_or_else(|| "https://accounts.google.com".to_owned())),
        "gitlab" => Kind::Oidc(text(config, "baseURL").unwrap_or_else(|| "https://gitlab.com".to_owned())),
        "microsoft" => {
            let tenant = text(config, "tenant").unwrap_or_else(|| "common".to_owned());
            let one = tenant.len() == 36 && tenant.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
            let host = text(config, "apiURL").unwrap_or_else(|| "https://login.microsoftonline.com".to_owned());
            let several = || Kind::Off(Mark::ToDo, SEVERAL_TENANTS.to_owned(), Some("entra"));
            if one { Kind::Oidc(format!("{}/{tenant}/v2.0", host.trim_end_matches('/'))) } else { several() }
        }
        "github" => Kind::Github,
        "linkedin" => ready("linkedin"),
        "oauth" | "bitbucket-cloud" | "openshift" => ready("oauth2"),
        "gitea" => off(
            Mark::ToDo,
            "Gitea and Forgejo are OpenID providers: register the broker there as an OAuth 2.0 application, and write \
             `issuer` as its discovery document states it.",
        ),
        "mockCallback" | "mockPassword" => {
            off(Mark::NotSupported, "connectors for tests. `countersign dev` simulates a provider with a few people.")
        }
        "ldap" | "saml" | "authproxy" | "keystone" | "atlassian-crowd" => off(
            Mark::NotSupported,
            "upstream is OpenID Connect, or OAuth 2.0. Put an OpenID provider that speaks this protocol in between \
             (Keycloak, authentik, Entra ID, AD FS) and name its issuer here.",
        ),
        _ => off(Mark::NotSupported, "this type of connector is not known."),
    }
}

/// Converts the connectors.
pub(crate) fn convert(dex: &Value, issuer: &str, ids: &mut Ids, document: &mut Document) -> Connectors {
    let mut out = Connectors::default();
    let mut names = Names::default();
    let all = items(dex, "connectors");
    let called = |one: &&Value| matches!(kind(&kind_name(one), below(one, "config")), Kind::Oidc(_) | Kind::Github);
    let callbacks = all.iter().filter(called).count();
    for connector in all {
        let (config, type_name) = (below(connector, "config"), kind_name(connector));
        let id = text(connector, "id").unwrap_or_else(|| type_name.clone());
        let key = ids.take(&id, "provider");
        let mut table = Table::new(&["providers", &key]);
        table.above(Mark::Plain, format!("connector {id}, type {type_name}"));
        if let Some(name) = names.take(text(connector, "name").as_deref(), &key) {
            table.set("name", name);
        }
        if is_set(connector, "grantTypes") {
            table.note(
                Mark::NotSupported,
                "`grantTypes` of a connector: `grant_types` of each client says how it may be used.",
            );
        }
        let mut claims = Table::new(&["providers", &key, "claims"]);
        match kind(&type_name, config) {
            Kind::Oidc(upstream) if usable(&upstream) => {
                oidc(config, &key, &type_name, &upstream, &mut table);
                callback(config, &key, issuer, callbacks == 1, &mut table);
                mapping(config, &type_name, &mut claims);
                out.active.insert(id, key);
            }
            Kind::Oidc(upstream) => {
                let why = "its issuer is no URL that can be read here (a variable, or a template)";
                table.above(Mark::ToDo, format!("{why}. Write it, and remove the `#`."));
                table.turn_off();
                claims.turn_off();
                oidc(config, &key, &type_name, &upstream, &mut table);
                mapping(config, &type_name, &mut claims);
                out.off.push(id);
            }
            Kind::Github => {
                credentials(config, &key, &mut table);
                github::convert(config, &mut table, &mut claims);
                callback(config, &key, issuer, callbacks == 1, &mut table);
                out.active.insert(id, key);
            }
            Kind::Off(mark, why, preset) => {
                table.above(mark, why);
                table.turn_off();
                inactive(config, &key, preset, &mut table);
                out.off.push(id);
            }
        }
        document.push(table);
        document.push(claims);
    }
    out
}

fn kind_name(connector: &Value) -> String {
    text(connector, "type").unwrap_or_else(|| "unknown".to_owned())
}

fn usable(issuer: &str) -> bool {
    issuer_problem(issuer, Http::Anywhere).is_ok()
}

/// The table of a connector that is commented out: only settings that are not secret and have an equivalent.
fn inactive(config: &Value, key: &str, preset: Option<&'static str>, table: &mut Table) {
    match preset {
        Some(preset) => table.set("preset", preset),
        None => table.set("issuer", "https://ISSUER"),
    }
    credentials(config, key, table);
    if preset == Some("entra") {
        table.set(
            "issuer",
            format!(
                "https://login.microsoftonline.com/{}/v2.0",
                text(config, "tenant").unwrap_or_else(|| "common".to_owned())
            ),
        );
        table.set("tenants", vec!["TENANT-ID"]);
    }
    let taken = ["clientID", "clientSecret", "redirectURI", "tenant"];
    let keys = config.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
    let left: Vec<&str> = keys.filter(|key| !taken.contains(key) && is_set(config, key)).collect();
    if !left.is_empty() {
        table.note(Mark::NotSupported, format!("`{}` of its `config`: not imported.", left.join("`, `")));
    }
    if is_set(config, "groups") || is_set(config, "teams") {
        table.note(Mark::ToDo, "Dex lets only some groups or teams in: say so in `allow` before this becomes active.");
    }
}

fn credentials(config: &Value, key: &str, table: &mut Table) {
    match text(config, "clientID") {
        Some(id) if id.starts_with('$') => {
            let name = variable(&id).unwrap_or_else(|| id.trim_start_matches('$')).to_owned();
            table.note(
                Mark::ToDo,
                format!("Dex reads the client id from the variable {name}. It is not a secret: write it here."),
            );
            table.set("client_id", id);
        }
        Some(id) => table.set("client_id", id),
        None => {
            table.note(Mark::ToDo, "the client id that the provider gave.");
            table.set("client_id", "CLIENT-ID");
        }
    }
    match text(config, "clientSecret") {
        Some(secret) if variable(&secret).is_some() => {
            table.set("client_secret", secret_env(variable(&secret).unwrap_or_default()));
        }
        _ => {
            table.note(Mark::Plain, "`clientSecret` of this connector");
            table.set("client_secret", secret_file("provider", key));
        }
    }
}

fn oidc(config: &Value, key: &str, type_name: &str, issuer: &str, table: &mut Table) {
    table.set("issuer", issuer);
    if plain_http_off_loopback(issuer) {
        table.note(Mark::ToDo, "plain http: anyone on the network path can read and change sign-ins. Use https.");
        table.set("allow_http", true);
    }
    credentials(config, key, table);
    match flag(config, "basicAuthUnsupported") {
        Some(true) => table.set("token_endpoint_auth_method", "client_secret_post"),
        Some(false) => table.set("token_endpoint_auth_method", "client_secret_basic"),
        None => {}
    }
    let scopes = texts(config, "scopes").into_iter().filter(|scope| scope != "openid");
    let scopes: Vec<String> = std::iter::once("openid".to_owned()).chain(scopes).collect();
    if scopes.len() > 1
        && scopes.iter().all(|scope| scope.chars().all(|c| c.is_ascii_graphic() && c != '"' && c != '\\'))
    {
        table.set("scopes", scopes);
    }
    if type_name == "oidc" && !on(config, "getUserInfo") {
        table.set("claims_from", vec!["id_token"]);
    }
    if on(config, "insecureSkipEmailVerified") {
        table.set("email_verified", "always");
    }
    table.note(Mark::Plain, "Dex has no roles: none are taken from this provider. Name those that it may give.");
    table.set("asserted_roles", Vec::<String>::new());
    let mut conditions = Vec::new();
    let domains = texts(config, "hostedDomains");
    if !domains.is_empty() {
        conditions.push(format!("claims.hd in {}", cel_list(&domains)));
    }
    let groups = allowed_groups(config, type_name);
    if !groups.is_empty() {
        conditions.push(format!("user.groups.intersects({})", cel_list(&groups)));
    }
    words::set_allow(table, issuer, &conditions);
    discovery(config, table);
    left_out(config, type_name, table);
}

fn allowed_groups(config: &Value, type_name: &str) -> Vec<String> {
    let key = if ["microsoft", "gitlab", "google"].contains(&type_name) { "groups" } else { "allowedGroups" };
    texts(config, key)
}

/// `providerDiscoveryOverrides`: written if it has all endpoints, otherwise a comment.
fn discovery(config: &Value, table: &mut Table) {
    let overrides = below(config, "providerDiscoveryOverrides");
    let url = |key: &str| text(overrides, key).filter(|url| web_url(url, Http::Loopback).is_ok());
    match (url("authURL"), url("tokenURL"), url("jwksURL")) {
        (Some(authorization), Some(token), Some(jwks)) => {
            table.set("authorization_endpoint", authorization);
            table.set("token_endpoint", token);
            table.set("jwks_uri", jwks);
        }
        _ if is_set(config, "providerDiscoveryOverrides") => table.note(
            Mark::NotSupported,
            "`providerDiscoveryOverrides` of single endpoints: write all of `authorization_endpoint`, `token_endpoint`, \
             `jwks_uri`, or `backchannel_url` where the broker reaches the provider under another address.",
        ),
        _ => {}
    }
}

/// How groups from Google's directory are had.
const CLOUD_IDENTITY: &str = "write groups_from = { source = \"cloud_identity\", credentials = { file = \"...\" } } into the provider, \
                              and give the service account Cloud Identity's groups.readonly scope.";

fn left_out(config: &Value, type_name: &str, table: &mut Table) {
    for (key, mark, why) in [
        ("insecureSkipVerify", Mark::NotSupported, "certificates are always verified."),
        ("issuerAlias", Mark::NotSupported, "the issuer is compared character for character (OIDC Discovery §4.3)."),
        ("acrValues", Mark::NotSupported, "apps ask for `acr_values`, and those are passed on."),
        ("promptType", Mark::NotSupported, "apps ask with `prompt`, and that is passed on."),
        (
            "claimModifications",
            Mark::NotSupported,
            "write it as an expression in `claims`, for example groups = \"...\".",
        ),
        ("serviceAccountFilePath", Mark::ToDo, CLOUD_IDENTITY),
        ("adminEmail", Mark::ToDo, "write it as `subject` into groups_from."),
        (
            "domainToAdminEmail",
            Mark::NotSupported,
            "groups_from has one `subject`: declare a provider for each domain.",
        ),
        ("onlySecurityGroups", Mark::NotSupported, "choose the groups in the provider's own token configuration."),
        ("groupNameFormat", Mark::NotSupported, "groups are those of the token. A [tables.X] turns ids into names."),
        (
            "useLoginAsID",
            Mark::NotSupported,
            "an account is known by the provider's `iss` and `sub`, which never change.",
        ),
        ("getGroupsPermission", Mark::NotSupported, "groups are those of the token."),
        ("fetchTransitiveGroupMembership", Mark::ToDo, "groups of groups count unless groups_from has nested = false."),
        ("emailToLowercase", Mark::ToDo, "write email = \"claims.email.lower()\" into its claims."),
        ("preferredUsernameField", Mark::ToDo, "choose the claim with `username` in its claims."),
        ("domainHint", Mark::NotSupported, "no domain is sent to the provider."),
        ("graphURL", Mark::ToDo, "write it as `url` into groups_from = { source = \"graph\", url = \"...\" }."),
        ("userIDKey", Mark::NotSupported, "an account is known by the provider's `iss` and `sub`, which never change."),
    ] {
        if is_set(config, key) && text(config, key).as_deref() != Some("sub") {
            table.note(mark, format!("`{key}`: {why}"));
        }
    }
    for note in unknown_keys(config, known::CONNECTOR_CONFIG) {
        table.note(Mark::ToDo, note);
    }
    if let Some(ca) = texts(config, "rootCAs").into_iter().next() {
        table.note(Mark::ToDo, "`rootCAs`: put the certificates into one PEM file, name it here and remove the `#`.");
        table.set_off("ca", ca);
    }
    if type_name == "microsoft" && is_set(config, "groups") {
        table.note(
            Mark::Changed,
            "Dex asks Graph for the names of groups. Entra ID puts ids into the token: let `allow` name those, or turn \
             them into names with a [tables.X] and groups = \"claims.groups.lookup('X')\".",
        );
    }
}

/// Dex has one callback for all connectors; here, each provider has its own.
fn callback(config: &Value, key: &str, issuer: &str, only: bool, table: &mut Table) {
    let registered = text(config, "redirectURI");
    let path = registered.as_deref().and_then(|uri| uri.strip_prefix(issuer.trim_end_matches('/')));
    match path.filter(|path| only && path_problem(path).is_ok() && path.starts_with("/callback")) {
        Some(path) => table.set("redirect_path", path),
        None => {
            let new = format!("{}/callback/{key}", issuer.trim_end_matches('/'));
            let old = registered.map(|uri| format!(" beside {}", toml_text::string(&uri))).unwrap_or_default();
            table.note(Mark::ToDo, format!("register the redirect URI {new} at the provider{old}."));
        }
    }
}

fn mapping(config: &Value, type_name: &str, claims: &mut Table) {
    let own = below(config, "claimMapping");
    let standard_first = !on(config, "overrideClaimMapping");
    let alternatives = |claim: &str, standard: &str| -> Vec<String> {
        let (standard, own) = (format!("claims.{standard}"), cel_path("claims", &[claim.to_owned()]));
        if standard_first { vec![standard, own] } else { vec![own, standard] }
    };
    // Dex does not need a username, but an account here does.
    let mut username = match text(own, "preferred_username") {
        Some(claim) => alternatives(&claim, "preferred_username"),
        None => vec!["claims.preferred_username".to_owned()],
    };
    username.push("claims.email".to_owned());
    username.push("claims.sub".to_owned());
    claims.set("username", crate::import::read::distinct(username));
    if let Some(claim) = text(config, "userNameKey").filter(|claim| claim != "name") {
        claims.set("name", cel_path("claims", &[claim]));
    }
    if let Some(claim) = text(own, "email").filter(|claim| claim != "email") {
        claims.set("email", alternatives(&claim, "email"));
    }
    groups(config, type_name, text(own, "groups"), claims);
}

fn groups(config: &Value, type_name: &str, own: Option<String>, claims: &mut Table) {
    let allowed = allowed_groups(config, type_name);
    let taken = type_name != "oidc" || on(config, "insecureEnableGroups") || !allowed.is_empty();
    if !taken {
        claims.note(
            Mark::Plain,
            "`insecureEnableGroups` is off: Dex takes no groups from this provider. Without this line they are taken.",
        );
        return claims.set("groups", "[]");
    }
    let source = cel_path("claims", &[own.unwrap_or_else(|| "groups".to_owned())]);
    let passed_on = type_name == "microsoft" && !on(config, "useGroupsAsWhitelist");
    if !allowed.is_empty() && !passed_on {
        let among: Vec<String> = allowed.iter().map(|group| cel_text(group)).collect();
        claims.set("groups", format!("{source}.asList().filter(g, g in [{}])", among.join(", ")));
    } else if source != "claims.groups" {
        claims.set("groups", source);
    }
}
