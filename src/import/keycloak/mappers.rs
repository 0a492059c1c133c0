//! Protocol mappers of a realm's clients and client scopes → expressions in `[clients.X.claims]`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::config::language::cel_source::{cel_list, cel_path, cel_text};
use crate::import::document::{Mark, Table};
use crate::import::keycloak::provider_mappers::{attribute, dotted};
use crate::import::keycloak::providers::Providers;
use crate::import::keycloak::realm::{Realm, client_role};
use crate::import::read::{below, items, on, text};
use crate::import::words::claim_refused;

/// Attributes that every provider sets without a mapper.
const DEFAULT_ATTRIBUTES: &[&str] =
    &["username", "name", "given_name", "family_name", "email", "email_verified", "picture", "locale"];
/// Mappers of Keycloak's own scopes that have a built-in equivalent.
const BUILT_IN: &[&str] = &[
    "oidc-acr-mapper",
    "oidc-amr-mapper",
    "oidc-sub-mapper",
    "oidc-allowed-origins-mapper",
    "oidc-audience-resolve-mapper",
    "oidc-full-name-mapper",
    "oidc-address-mapper",
    "oidc-organization-membership-mapper",
];
/// Session notes that the broker includes by itself, or that concern service accounts.
const OWN_NOTES: &[&str] = &["AUTH_TIME", "client_id", "clientId", "clientHost", "clientAddress"];

/// A claim's value: an expression, or an object of expressions.
#[derive(Clone, Debug)]
enum Node {
    Leaf(String),
    Object(BTreeMap<String, Node>),
}

impl Node {
    /// Sets the expression at a path; `false` if the path already has another value.
    fn put(&mut self, path: &[String], expression: String) -> bool {
        match (self, path) {
            (Self::Object(entries), [last]) => {
                let free = !entries.contains_key(last);
                entries.entry(last.clone()).or_insert(Self::Leaf(expression));
                free
            }
            (Self::Object(entries), [first, rest @ ..]) => {
                entries.entry(first.clone()).or_insert_with(|| Self::Object(BTreeMap::new())).put(rest, expression)
            }
            _ => false,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Leaf(expression) => expression.clone(),
            Self::Object(entries) => {
                let entries: Vec<String> =
                    entries.iter().map(|(key, node)| format!("{}: {}", cel_text(key), node.text())).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }
}

/// The claims of one client.
pub(crate) struct Claims<'r, 'v> {
    realm: &'r Realm<'v>,
    providers: &'r Providers,
    client_id: String,
    root: Node,
    access: BTreeSet<String>,
    /// Claims that Keycloak put neither into the ID token nor into the userinfo response.
    only_access: BTreeSet<String>,
    notes: Vec<(Mark, String)>,
    /// Whether pairwise subjects are configured.
    pub(crate) pairwise: bool,
    /// Attributes that they read and that no provider sets.
    pub(crate) unfilled: BTreeSet<String>,
}

impl<'r, 'v> Claims<'r, 'v> {
    /// No claims yet.
    pub(crate) fn new(realm: &'r Realm<'v>, providers: &'r Providers, client_id: &str) -> Self {
        let (access, only_access, unfilled) = Default::default();
        let root = Node::Object(BTreeMap::new());
        let client_id = client_id.to_owned();
        Self { realm, providers, client_id, root, access, only_access, notes: Vec::new(), pairwise: false, unfilled }
    }

    /// Adds the mappers of a client, or of a scope. With `scope`, they apply only if this scope was granted.
    pub(crate) fn add(&mut self, holder: &Value, scope: Option<&str>) {
        for mapper in items(holder, "protocolMappers") {
            self.mapper(mapper, scope);
        }
    }

    /// Adds what a built-in scope contains beyond the standard claims, which the scope of that name also releases here.
    pub(crate) fn add_unusual(&mut self, holder: &Value, scope: Option<&str>) {
        use crate::protocol::STANDARD_CLAIMS;
        for mapper in items(holder, "protocolMappers") {
            let claim = text(below(mapper, "config"), "claim.name").unwrap_or_default();
            let top = claim.split('.').next().unwrap_or_default();
            if !claim.is_empty() && (!STANDARD_CLAIMS.contains(&top) || ["groups", "roles"].contains(&top)) {
                self.mapper(mapper, scope);
            }
        }
    }

    /// Adds the claims of Keycloak's scope `roles` if the export does not define it.
    pub(crate) fn add_realm_roles(&mut self) {
        let path = ["realm_access", "roles"].map(str::to_owned);
        let expression = self.realm_roles("");
        self.put(&path, expression, None, (false, false, true));
    }

    fn mapper(&mut self, mapper: &Value, scope: Option<&str>) {
        let config = below(mapper, "config");
        let type_name = text(mapper, "protocolMapper").unwrap_or_default();
        let name = text(mapper, "name").unwrap_or_default();
        let note = text(config, "user.session.note").unwrap_or_default();
        if BUILT_IN.contains(&type_name.as_str()) || OWN_NOTES.contains(&note.as_str()) {
            return;
        }
        let claim =
            text(config, "claim.name").map(|claim| claim.replace("${client_id}", &self.client_id.replace('.', "\\.")));
        let expression = match type_name.as_str() {
            "oidc-usermodel-attribute-mapper" | "oidc-usermodel-property-mapper" => self.user(config),
            "oidc-group-membership-mapper" => Some(match text(config, "full.path").as_deref() {
                Some("false") => "groups.map(g, g.substring(g.lastIndexOf('/') + 1))".to_owned(),
                _ => "groups".to_owned(),
            }),
            "oidc-usermodel-realm-role-mapper" => {
                Some(self.realm_roles(&text(config, "usermodel.realmRoleMapping.rolePrefix").unwrap_or_default()))
            }
            "oidc-usermodel-client-role-mapper" => {
                let client =
                    text(config, "usermodel.clientRoleMapping.clientId").unwrap_or_else(|| self.client_id.clone());
                let has_any = self.realm.client_roles().iter().any(|role| role.starts_with(&client_role(&client, "")));
                if !has_any {
                    return;
                }
                Some(of_client(&client, &text(config, "usermodel.clientRoleMapping.rolePrefix").unwrap_or_default()))
            }
            "oidc-hardcoded-claim-mapper" => Some(hardcoded(config)),
            "oidc-sha256-pairwise-sub-mapper" => {
                self.pairwise = true;
                return;
            }
            "oidc-audience-mapper" => {
                let audience =
                    text(config, "included.client.audience").or_else(|| text(config, "included.custom.audience"));
                let audience = audience.unwrap_or_default();
                let way = "Declare the API as [resources.X] with its `uri` and this client in `clients`; the app asks for it with `resource` (RFC 8707)";
                self.notes.push((Mark::NotSupported, format!("the mapper {name} puts {audience} into `aud`. {way}.")));
                return;
            }
            _ => None,
        };
        let path = claim.as_deref().and_then(dotted);
        match (path, expression) {
            (Some(path), Some(expression)) => {
                let tokens =
                    ["id.token.claim", "userinfo.token.claim", "access.token.claim"].map(|key| on(config, key));
                let [id, userinfo, access] = tokens;
                if id || userinfo || access {
                    self.put(&path, expression, scope, (id, userinfo, access));
                }
            }
            _ => {
                let way = "Write what it did as an expression in this client's claims";
                self.notes.push((Mark::NotSupported, format!("the mapper {name} ({type_name}). {way}.")));
            }
        }
    }

    /// Sets an expression. `tokens` states whether it goes into the ID token, userinfo and the access token.
    fn put(&mut self, path: &[String], expression: String, scope: Option<&str>, tokens: (bool, bool, bool)) {
        let Some(top) = path.first() else { return };
        if let Some(why) = claim_refused(top, "Client") {
            self.notes.push((Mark::NotSupported, format!("the claim {top} can't be set: {why}.")));
            return;
        }
        let expression = match scope {
            Some(scope) => format!("({} in scopes ? {expression} : null)", cel_text(scope)),
            None => expression,
        };
        if !self.root.put(path, expression) {
            self.notes.push((Mark::Changed, format!("two mappers fill the claim {}; one was taken.", path.join("."))));
            return;
        }
        let (id, userinfo, access) = tokens;
        if access {
            self.access.insert(top.clone());
        }
        if !id && !userinfo {
            self.only_access.insert(top.clone());
        }
    }

    fn user(&mut self, config: &Value) -> Option<String> {
        let name = text(config, "user.attribute")?;
        if name == "id" {
            return None;
        }
        let name = attribute(&name);
        if !DEFAULT_ATTRIBUTES.contains(&name.as_str()) && !self.providers.attributes.contains(&name) {
            let way = "Map it in the claims of a provider; until then the claim is absent";
            self.notes.push((Mark::ToDo, format!("no provider fills the attribute {name}. {way}.")));
            self.unfilled.insert(name.clone());
        }
        Some(cel_path("user", &[name]))
    }

    fn realm_roles(&self, prefix: &str) -> String {
        let of_clients: Vec<String> = self.realm.client_roles().iter().cloned().collect();
        let roles = if of_clients.is_empty() {
            "roles".to_owned()
        } else {
            format!("roles.filter(r, !(r in {}))", cel_list(&of_clients))
        };
        if prefix.is_empty() { roles } else { format!("{roles}.map(r, {} + r)", cel_text(prefix)) }
    }

    /// Writes `access_token_claims` and comments to the client's table, and the claims to their own.
    pub(crate) fn write(self, client: &mut Table, claims: &mut Table) {
        let Node::Object(entries) = &self.root else { return };
        let access: Vec<String> = self.access.into_iter().collect();
        if !access.is_empty() {
            client.set("access_token_claims", access);
        }
        let mut seen = BTreeSet::new();
        for (mark, note) in self.notes.into_iter().filter(|(_, note)| seen.insert(note.clone())) {
            claims.note(mark, note);
        }
        let only: Vec<String> = self.only_access.into_iter().collect();
        if !only.is_empty() {
            let what = only.join(", ");
            claims.note(
                Mark::Changed,
                format!("{what} stood in the access token only; ID token and userinfo have it too."),
            );
        }
        for (name, node) in entries {
            claims.set(name, node.text());
        }
    }
}

/// The roles of one client, without the client's name.
fn of_client(client: &str, prefix: &str) -> String {
    let start = client_role(client, "");
    let bare = format!("r.substring({})", start.chars().count());
    let made = if prefix.is_empty() { bare } else { format!("{} + {bare}", cel_text(prefix)) };
    format!("roles.filter(r, r.startsWith({})).map(r, {made})", cel_text(&start))
}

/// A fixed value, converted to the type that the mapper declares.
fn hardcoded(config: &Value) -> String {
    let value = text(config, "claim.value").unwrap_or_default();
    match text(config, "jsonType.label").unwrap_or_default().as_str() {
        "boolean" if value.parse::<bool>().is_ok() => value,
        "int" | "long" if value.parse::<i64>().is_ok() => value,
        "JSON" => serde_json::from_str(&value).map_or_else(|_| cel_text(&value), |json: Value| literal(&json)),
        _ => cel_text(&value),
    }
}

fn literal(json: &Value) -> String {
    match json {
        Value::String(text) => cel_text(text),
        Value::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("{}: {}", cel_text(key), literal(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}
