//! `identityProviders` and `identityProviderMappers` of a realm → `[providers.X]`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::config::check::urls::{Http, issuer as issuer_problem, path as path_problem};
use crate::import::keycloak::plain_http;
use crate::import::keycloak::realm::Realm;
use crate::import::read::{below, is_set, items, on, text};
use crate::import::toml_writer::{Document, Mark, Table};
use crate::import::words;
use crate::import::words::{
    Ids, Names, cel_list, cel_maybe, cel_path, cel_text, claim_refused, secret_env, secret_file, variable,
};

/// The identity providers of a realm, by what became of them.
#[derive(Debug, Default)]
pub(crate) struct Providers {
    /// Alias → id, of those that are active.
    pub(crate) active: BTreeMap<String, String>,
    /// Attributes that mappers fill.
    pub(crate) attributes: BTreeSet<String>,
}

impl Providers {
    /// Ids of those that are active.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.active.values().cloned().collect()
    }
}

/// Keycloak's name of a user attribute → the attribute here.
pub(crate) fn attribute(name: &str) -> String {
    match name {
        "firstName" => "given_name".to_owned(),
        "lastName" => "family_name".to_owned(),
        "emailVerified" => "email_verified".to_owned(),
        "groups" | "roles" => format!("user_{name}"),
        other if claim_refused(other, "Provider").is_some() => format!("user_{other}"),
        other => other.to_owned(),
    }
}

/// How an identity provider becomes a provider.
enum Kind {
    Oidc { issuer: String, keycloak: bool },
    Off(Mark, &'static str, Option<&'static str>),
}

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
            _ => Kind::Off(Mark::NotBuilt, "preset = \"entra\" for accounts of several tenants.", Some("entra")),
        },
        "github" => Kind::Off(Mark::NotBuilt, "preset = \"github\".", Some("github")),
        "apple" => Kind::Off(Mark::NotBuilt, "preset = \"apple\".", Some("apple")),
        "linkedin" | "linkedin-openid-connect" => Kind::Off(Mark::NotBuilt, "preset = \"linkedin\".", Some("linkedin")),
        "facebook" | "bitbucket" | "stackoverflow" | "instagram" | "paypal" | "openshift-v3" | "openshift-v4"
        | "oauth2" => Kind::Off(Mark::NotBuilt, "preset = \"oauth2\", for this OAuth 2.0 service.", Some("oauth2")),
        "twitter" => Kind::Off(Mark::NoEqual, "OAuth 1.0a is not spoken.", None),
        "saml" => Kind::Off(
            Mark::NoEqual,
            "upstream is OpenID Connect, or OAuth 2.0. Most SAML providers speak OpenID Connect too (Entra ID, Okta, AD FS, \
             Google); otherwise keep Keycloak in between and name this realm as issuer.",
            None,
        ),
        _ => Kind::Off(Mark::NoEqual, "this kind of identity provider is not known.", None),
    }
}

/// The issuer, as configured or as the endpoints of a Keycloak tell it.
fn issuer_of(config: &Value) -> Option<String> {
    let from =
        |key: &str| text(config, key).and_then(|url| Some(url.split_once("/protocol/openid-connect/")?.0.to_owned()));
    let issuer = text(config, "issuer").or_else(|| from("authorizationUrl"))?;
    // A list of issuers may be configured; only one can be the issuer of a discovery document.
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

/// The realm as a provider, for people whose passwords it keeps.
fn the_realm_itself(realm: &Realm<'_>, ids: &mut Ids) -> Table {
    let id = ids.take("keycloak", "keycloak");
    let mut table = Table::new(&["providers", &id]);
    table.above(
        Mark::ToDo,
        "people who have a password in this realm, or in its user federation, go on signing in there when the realm stays \
         behind Countersign: register the broker as a client of it, fill this in and remove the `#`. To give the realm's \
         old URL to Countersign, Keycloak needs another one.",
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
        table.note(Mark::ToDo, "plain http: whoever is on the way can read and change sign-ins. Use https.");
        table.set("allow_http", true);
    }
    credentials(config, id, table);
    match text(config, "clientAuthMethod").as_deref() {
        Some(method @ ("client_secret_basic" | "client_secret_post")) => {
            table.set("token_endpoint_auth_method", method)
        }
        Some(method @ ("client_secret_jwt" | "private_key_jwt")) => {
            table.note(
                Mark::NotBuilt,
                format!("token_endpoint_auth_method = \"{method}\": the secret is sent instead."),
            );
        }
        _ => {}
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
        table.set("hidden", true);
    }
    if config.get("backchannelSupported").is_some() && text(config, "logoutUrl").is_none() {
        table.set("logout", false);
    }
    let hosted: Vec<String> = text(config, "hostedDomain")
        .into_iter()
        .flat_map(|it| it.split(',').map(|it| it.trim().to_owned()).collect::<Vec<_>>())
        .collect();
    let conditions = match hosted.as_slice() {
        [] => vec![],
        [any] if any == "*" => vec!["has(claims.hd)".to_owned()],
        domains => vec![format!("claims.hd in {}", cel_list(domains))],
    };
    words::set_allow(table, issuer, &conditions);
    for (key, why) in [
        ("prompt", "apps ask with `prompt`, and that is passed on."),
        ("forwardParameters", "see `forward`."),
        ("allowedClockSkew", "the allowed difference of clocks is fixed."),
        ("filteredByClaim", "write it as `allow`."),
        ("claimFilterName", "write it as `allow`."),
    ] {
        if is_set(config, key) && text(config, key).as_deref() != Some("false") {
            table.note(Mark::NoEqual, format!("`{key}`: {why}"));
        }
    }
    for key in ["storeToken", "addReadTokenRoleOnCreate", "authenticateByDefault"] {
        if on(idp, key) {
            table.note(
                Mark::NoEqual,
                format!("`{key}`: an app never gets the provider's tokens, and names one with `providers`."),
            );
        }
    }
    let flow = text(idp, "firstBrokerLoginFlowAlias").filter(|flow| flow != "first broker login");
    for flow in flow.into_iter().chain(text(idp, "postBrokerLoginFlowAlias")) {
        table.note(Mark::NoEqual, format!("the flow {flow}: see `link_by`, `create_users` and `allow`."));
    }
}

/// The redirect URI that is registered at the provider stays, where the path allows it.
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

/// What the mappers of one identity provider make.
#[derive(Default)]
struct Mapped {
    attributes: Vec<(String, String)>,
    groups: Vec<String>,
    roles: Vec<String>,
    asserted: BTreeSet<String>,
    notes: Vec<String>,
}

impl Mapped {
    fn read(realm: &Realm<'_>, idp: &Value, alias: &str, issuer: &str) -> Self {
        let mut out = Self::default();
        let own = |mapper: &&Value| text(mapper, "identityProviderAlias").as_deref() == Some(alias);
        let all = items(realm.value, "identityProviderMappers").iter().filter(own).chain(items(idp, "mappers"));
        for mapper in all {
            out.add(realm, mapper, alias);
        }
        for group in crate::import::read::texts(realm.value, "defaultGroups") {
            out.groups.push(format!("[{}]", cel_text(&group)));
        }
        if !out.attributes.iter().any(|(name, _)| name == "username") {
            // Keycloak falls back to the address, and then to the subject.
            let first = if issuer == "https://accounts.google.com" { "email" } else { "preferred_username" };
            out.attributes.insert(0, ("username".to_owned(), format!("claims.{first}")));
        }
        out
    }

    #[expect(clippy::unit_arg, reason = "what is understood is done at once; `None` is what has to be noted")]
    fn add(&mut self, realm: &Realm<'_>, mapper: &Value, alias: &str) {
        let config = below(mapper, "config");
        let name = text(mapper, "name").unwrap_or_default();
        let type_name = text(mapper, "identityProviderMapper").unwrap_or_default();
        let done = match type_name.as_str() {
            "hardcoded-attribute-idp-mapper" => {
                let value = text(config, "attribute.value").unwrap_or_default();
                text(config, "attribute").map(|name| self.attributes.push((attribute(&name), cel_text(&value))))
            }
            "oidc-hardcoded-role-idp-mapper" | "hardcoded-role-idp-mapper" => {
                text(config, "role").map(|role| self.role(realm, &role, None))
            }
            "oidc-hardcoded-group-idp-mapper" | "hardcoded-group-idp-mapper" => {
                text(config, "group").map(|group| self.groups.push(format!("[{}]", cel_text(&group))))
            }
            "oidc-role-idp-mapper" | "keycloak-oidc-role-to-role-idp-mapper" => {
                match (text(config, "role"), one(config)) {
                    (Some(role), Some(condition)) => Some(self.role(realm, &role, Some(condition))),
                    _ => None,
                }
            }
            "oidc-advanced-role-idp-mapper" => match (text(config, "role"), several(config)) {
                (Some(role), Some(condition)) => Some(self.role(realm, &role, Some(condition))),
                _ => None,
            },
            "oidc-advanced-group-idp-mapper" => match (text(config, "group"), several(config)) {
                (Some(group), Some(condition)) => {
                    Some(self.groups.push(format!("({condition} ? [{}] : [])", cel_text(&group))))
                }
                _ => None,
            },
            "oidc-username-idp-mapper" => {
                let local = text(config, "target").is_none_or(|target| target == "LOCAL");
                let made = text(config, "template").filter(|_| local).and_then(|text| template(&text, alias));
                made.map(|made| self.attributes.push(("username".to_owned(), made)))
            }
            other if other.ends_with("user-attribute-idp-mapper") || other.ends_with("user-attribute-mapper") => {
                match (text(config, "user.attribute").or_else(|| text(config, "userAttribute")), claim(config)) {
                    (Some(name), Some(path)) => {
                        Some(self.attributes.push((attribute(&name), cel_path("claims", &path))))
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        if done.is_none() {
            let way = "write what it did as an expression in `claims`, or as `allow`";
            self.notes.push(format!("the mapper {name} ({type_name}); {way}."));
        }
    }

    fn role(&mut self, realm: &Realm<'_>, role: &str, condition: Option<String>) {
        let roles = realm.expand([realm.named_in_mapper(role)]);
        let list = cel_list(&roles);
        self.asserted.extend(roles);
        self.roles.push(match condition {
            Some(condition) => format!("({condition} ? {list} : [])"),
            None => list,
        });
    }

    fn write(self, table: &mut Table, claims: &mut Table, known: &mut BTreeSet<String>) {
        table.note(Mark::Plain, "the roles that this provider's mappers give, and no others");
        table.set("asserted_roles", self.asserted.into_iter().collect::<Vec<_>>());
        self.notes.iter().for_each(|note| claims.note(Mark::NoEqual, note.as_str()));
        let mut seen = BTreeSet::new();
        // Of two mappers for one attribute the later counts.
        let mut rows: Vec<(String, String)> = Vec::new();
        for (name, expression) in self.attributes.into_iter().rev() {
            if seen.insert(name.clone()) {
                rows.insert(0, (name, expression));
            }
        }
        for (name, expression) in rows {
            if name == "username" {
                let all = [
                    expression,
                    "claims.preferred_username".to_owned(),
                    "claims.email".to_owned(),
                    "claims.sub".to_owned(),
                ];
                claims.set("username", crate::import::read::distinct(all));
            } else {
                claims.set(&name, expression);
            }
            known.insert(name);
        }
        claims.note(
            Mark::Plain,
            "groups and roles come from mappers only: what the provider itself asserts counts for nothing",
        );
        let sum = |parts: Vec<String>| if parts.is_empty() { "[]".to_owned() } else { parts.join(" + ") };
        claims.set("groups", sum(self.groups));
        claims.set("roles", sum(self.roles));
    }
}

/// The path of a claim: `a.b`, with `\.` for a dot in a name.
pub(crate) fn dotted(text: &str) -> Option<Vec<String>> {
    let marked = text.replace("\\.", "\u{0}");
    let path: Vec<String> = marked.split('.').map(|step| step.replace('\u{0}', ".")).collect();
    path.iter().all(|step| !step.is_empty() && !step.contains(['[', ']'])).then_some(path)
}

fn claim(config: &Value) -> Option<Vec<String>> {
    dotted(&text(config, "claim").or_else(|| text(config, "claim.name")).or_else(|| text(config, "jsonField"))?)
}

fn holds(path: &[String], value: &str) -> String {
    format!("{} in {}.asList()", cel_text(value), cel_maybe("claims", path))
}

fn one(config: &Value) -> Option<String> {
    if let Some(external) = text(config, "external.role") {
        let path = ["realm_access", "roles"].map(str::to_owned);
        return Some(holds(&path, &external));
    }
    Some(holds(&claim(config)?, &text(config, "claim.value")?))
}

/// `claims` of an advanced mapper: JSON in a text, all of which must hold.
fn several(config: &Value) -> Option<String> {
    if on(config, "are.claim.values.regex") {
        return None;
    }
    let pairs: Value = serde_json::from_str(&text(config, "claims")?).ok()?;
    let conditions =
        pairs.as_array()?.iter().map(|pair| Some(holds(&dotted(&text(pair, "key")?)?, &text(pair, "value")?)));
    let conditions: Vec<String> = conditions.collect::<Option<_>>()?;
    (!conditions.is_empty()).then(|| conditions.join(" && "))
}

/// `${ALIAS}.${CLAIM.preferred_username | lowercase}` as an expression.
fn template(text: &str, alias: &str) -> Option<String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if !before.is_empty() {
            parts.push(cel_text(before));
        }
        let (inside, after) = after.split_once('}')?;
        rest = after;
        let mut steps = inside.split('|').map(str::trim);
        let what = steps.next()?;
        let mut part = match what.strip_prefix("CLAIM.") {
            Some(claim) => cel_path("claims", &dotted(claim)?),
            None if what == "ALIAS" => cel_text(alias),
            None => return None,
        };
        for step in steps {
            match step {
                "lowercase" => part.push_str(".lower()"),
                "uppercase" => part.push_str(".upper()"),
                "localpart" => part.push_str(".before('@')"),
                _ => return None,
            }
        }
        parts.push(part);
    }
    if !rest.is_empty() {
        parts.push(cel_text(rest));
    }
    (!parts.is_empty()).then(|| parts.join(" + "))
}
