//! `identityProviderMappers` of a realm → the claims, groups and roles of `[providers.X]`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::config::language::cel_source::{cel_list, cel_maybe, cel_path, cel_text};
use crate::import::document::{Mark, Table};
use crate::import::keycloak::realm::Realm;
use crate::import::read::{below, items, on, text};
use crate::import::words::claim_refused;

/// Keycloak's name of a user attribute → its name here.
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

/// The result of the mappers of one identity provider.
#[derive(Default)]
pub(crate) struct Mapped {
    attributes: Vec<(String, String)>,
    groups: Vec<String>,
    roles: Vec<String>,
    asserted: BTreeSet<String>,
    notes: Vec<String>,
}

impl Mapped {
    pub(crate) fn read(realm: &Realm<'_>, idp: &Value, alias: &str, issuer: &str) -> Self {
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
            // Keycloak falls back to the email address, and then to the subject.
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

    pub(crate) fn write(self, table: &mut Table, claims: &mut Table, known: &mut BTreeSet<String>) {
        table.note(Mark::Plain, "the roles that this provider's mappers give, and no others");
        table.set("asserted_roles", self.asserted.into_iter().collect::<Vec<_>>());
        self.notes.iter().for_each(|note| claims.note(Mark::NotSupported, note.as_str()));
        let mut seen = BTreeSet::new();
        // If two mappers set the same attribute, the later one takes effect.
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

/// `claims` of an advanced mapper: JSON in a string, all of whose conditions must hold.
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
