//! `users` of a realm → `[users.X]`: links, groups, roles and the `sub` that apps know. Passwords are never imported.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::import::document::{Document, Mark, Table, inline};
use crate::import::keycloak::providers::Providers;
use crate::import::keycloak::realm::Realm;
use crate::import::read::{is_set, items, on, text, texts};

/// Converts the users. Those without an account at an active provider are commented out.
pub(crate) fn convert(realm: &Realm<'_>, providers: &Providers, document: &mut Document) {
    let people: Vec<&Value> =
        items(realm.value, "users").iter().filter(|user| user.get("serviceAccountClientId").is_none()).collect();
    let mut left_out = Table::new(&[]);
    if people.iter().any(|user| is_set(user, "credentials")) {
        left_out.above(
            Mark::NotSupported,
            "`credentials`: Countersign keeps no passwords and no factors, and takes none over. People sign in at a \
             provider; those without a link to one are commented out below.",
        );
    }
    if people.iter().any(|user| is_set(user, "attributes")) {
        left_out.above(Mark::NotSupported, "`attributes` of users: attributes come from the provider at each sign-in.");
    }
    let services = items(realm.value, "users").iter().filter(|user| user.get("serviceAccountClientId").is_some());
    let services: Vec<String> =
        services.filter(|user| !realm.roles_of(user).is_empty()).filter_map(|user| text(user, "username")).collect();
    if !services.is_empty() {
        left_out.above(Mark::NotSupported, format!("roles of service accounts ({}).", services.join(", ")));
    }
    document.push(left_out);
    let (mut names, mut linked, mut subjects) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for user in people {
        let Some(name) = text(user, "username").map(|name| name.to_lowercase()) else { continue };
        if name.chars().any(char::is_control) || !names.insert(name.clone()) {
            continue;
        }
        let mut table = Table::new(&["users", &name]);
        links(user, providers, &mut linked, &mut table);
        if let Some(id) = text(user, "id").filter(|id| id.len() <= 255 && id.bytes().all(|b| b.is_ascii_graphic()))
            && subjects.insert(id.clone())
        {
            table.set("sub", id);
        }
        let groups = texts(user, "groups");
        if !groups.is_empty() {
            table.set("groups", groups);
        }
        let roles = realm.roles_of(user);
        if !roles.is_empty() {
            table.set("roles", roles);
        }
        if user.get("enabled") == Some(&Value::Bool(false)) {
            table.set("enabled", false);
        }
        document.push(table);
    }
}

fn links(user: &Value, providers: &Providers, linked: &mut BTreeSet<(String, String)>, table: &mut Table) {
    let mut links = Vec::new();
    for identity in items(user, "federatedIdentities") {
        let (alias, sub) = (text(identity, "identityProvider"), text(identity, "userId"));
        let (Some(alias), Some(sub)) = (alias, sub) else { continue };
        match providers.active.get(&alias) {
            Some(id) if linked.insert((id.clone(), sub.clone())) => {
                links.push(inline([("provider", id.clone()), ("sub", sub)]));
            }
            Some(_) => {}
            None => table.note(Mark::ToDo, format!("{sub} at {alias}, which is not an active provider.")),
        }
    }
    if links.is_empty() {
        table.turn_off();
        let email = text(user, "email").filter(|_| on(user, "emailVerified"));
        let link = match email {
            Some(email) => [("provider", "PROVIDER".to_owned()), ("email", email)],
            None => [("provider", "PROVIDER".to_owned()), ("sub", "SUB".to_owned())],
        };
        links.push(inline(link));
    }
    table.set("links", links);
}
