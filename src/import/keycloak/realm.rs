//! Data that several sections of a realm refer to: roles and the roles that they include, groups by path, client scopes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::import::read::{below, distinct, items, text, texts};

/// Clients that Keycloak creates in every realm.
const OWN_CLIENTS: &[&str] =
    &["account", "account-console", "admin-cli", "broker", "realm-management", "security-admin-console"];
/// Roles that Keycloak creates in every realm.
const OWN_ROLES: &[&str] = &["offline_access", "uma_authorization"];

/// A parsed realm.
pub(crate) struct Realm<'v> {
    /// The whole export.
    pub(crate) value: &'v Value,
    /// Its name.
    pub(crate) name: String,
    roles: BTreeMap<String, Option<String>>,
    composites: BTreeMap<String, Vec<String>>,
    of_clients: BTreeSet<String>,
}

/// A group with its path.
pub(crate) struct Group<'v> {
    /// `/parent/child`
    pub(crate) path: String,
    /// The group's object in the export.
    pub(crate) value: &'v Value,
}

/// Whether a client is Keycloak's own.
pub(crate) fn is_own_client(id: &str) -> bool {
    OWN_CLIENTS.contains(&id) || id.ends_with("-realm")
}

fn is_own_role(name: &str) -> bool {
    OWN_ROLES.contains(&name) || name.starts_with("default-roles-")
}

/// The name of a client's role in `broker.toml`.
pub(crate) fn client_role(client: &str, role: &str) -> String {
    format!("{client}:{role}")
}

impl<'v> Realm<'v> {
    /// Collects the roles that are declared, and those that users, groups and mappers refer to.
    pub(crate) fn read(value: &'v Value, name: String) -> Self {
        let (roles, composites, of_clients) = Default::default();
        let mut realm = Self { value, name, roles, composites, of_clients };
        let all = below(value, "roles");
        for role in items(all, "realm") {
            realm.declare(None, role);
        }
        for (client, roles) in below(all, "client").as_object().into_iter().flatten() {
            for role in roles.as_array().into_iter().flatten().filter(|_| !is_own_client(client)) {
                realm.declare(Some(client), role);
            }
        }
        let people = items(value, "users").iter().filter(|user| user.get("serviceAccountClientId").is_none());
        let groups: Vec<&Value> = realm.groups().iter().map(|group| group.value).collect();
        for holder in people.chain(groups) {
            for role in given(holder) {
                realm.know(role);
            }
        }
        for mapper in items(value, "identityProviderMappers") {
            if let Some(role) = text(below(mapper, "config"), "role") {
                let role = realm.named_in_mapper(&role);
                realm.know(role);
            }
        }
        realm
    }

    fn know(&mut self, role: String) {
        if !is_own_role(&role) && !role.chars().any(char::is_control) {
            self.roles.entry(role).or_default();
        }
    }

    fn declare(&mut self, client: Option<&str>, role: &Value) {
        let Some(name) = text(role, "name") else { return };
        let name = match client {
            Some(client) => client_role(client, &name),
            None => name,
        };
        let parts = below(role, "composites");
        let of_realm = texts(parts, "realm");
        let of_clients = by_client(below(parts, "client"));
        let included: Vec<String> = of_realm.into_iter().chain(of_clients).collect();
        included.iter().for_each(|role| self.know(role.clone()));
        self.composites.insert(name.clone(), included);
        if is_own_role(&name) {
            return;
        }
        if client.is_some() {
            self.of_clients.insert(name.clone());
        }
        let description = text(role, "description").filter(|text| !text.starts_with("${"));
        self.know(name.clone());
        if let Some(known) = self.roles.get_mut(&name) {
            *known = description;
        }
    }

    /// All roles, with their descriptions.
    pub(crate) fn declared_roles(&self) -> &BTreeMap<String, Option<String>> {
        &self.roles
    }

    /// The roles of clients, by their names in `broker.toml`.
    pub(crate) fn client_roles(&self) -> &BTreeSet<String> {
        &self.of_clients
    }

    /// `client.role` in a mapper's configuration, or a role of the realm.
    pub(crate) fn named_in_mapper(&self, role: &str) -> String {
        let as_client = role.match_indices('.').find_map(|(at, _)| {
            let (client, name) = (role.get(..at)?, role.get(at + 1..)?);
            Some(client_role(client, name)).filter(|name| self.of_clients.contains(name))
        });
        as_client.unwrap_or_else(|| role.to_owned())
    }

    /// Roles and all that they include, except Keycloak's own.
    pub(crate) fn expand(&self, roles: impl IntoIterator<Item = String>) -> Vec<String> {
        let mut todo: Vec<String> = roles.into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some(role) = todo.pop() {
            if seen.insert(role.clone()) {
                todo.extend(self.composites.get(&role).into_iter().flatten().cloned());
            }
        }
        seen.into_iter().filter(|role| self.roles.contains_key(role)).collect()
    }

    /// The roles of a user or group, and all that they include.
    pub(crate) fn roles_of(&self, holder: &Value) -> Vec<String> {
        self.expand(given(holder))
    }

    /// The roles that every user has.
    pub(crate) fn default_roles(&self) -> Vec<String> {
        let role = text(below(self.value, "defaultRole"), "name");
        self.expand(role.into_iter().chain(texts(self.value, "defaultRoles")))
    }

    /// All groups, parents first.
    pub(crate) fn groups(&self) -> Vec<Group<'v>> {
        let mut out = Vec::new();
        collect(items(self.value, "groups"), "", 0, &mut out);
        out
    }

    /// The definition of a client scope.
    pub(crate) fn scope(&self, name: &str) -> Option<&'v Value> {
        items(self.value, "clientScopes").iter().find(|scope| text(scope, "name").as_deref() == Some(name))
    }
}

fn collect<'v>(groups: &'v [Value], parent: &str, depth: usize, out: &mut Vec<Group<'v>>) {
    const DEEPEST: usize = 64;
    for group in groups.iter().filter(|_| depth < DEEPEST) {
        let Some(name) = text(group, "name") else { continue };
        let path = format!("{parent}/{name}");
        out.push(Group { path: path.clone(), value: group });
        collect(items(group, "subGroups"), &path, depth + 1, out);
    }
}

/// The roles that a user or group refers to directly.
fn given(holder: &Value) -> Vec<String> {
    let of_clients = by_client(below(holder, "clientRoles"));
    distinct(texts(holder, "realmRoles").into_iter().chain(of_clients).filter(|role| !is_own_role(role)))
}

/// `{ client: [role] }`
fn by_client(value: &Value) -> Vec<String> {
    let clients = value.as_object().into_iter().flatten().filter(|(client, _)| !is_own_client(client));
    clients
        .flat_map(|(client, _)| texts(value, client).into_iter().map(move |role| client_role(client, &role)))
        .collect()
}
