//! Pseudonyms: keyed hashes under the salt of one export. Two exports can't be compared, and nobody can guess names without the
//! file's key.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::hmac;
use serde_json::{Map, Value};

use crate::analysis::known::Known;
use crate::analysis::people::person::{Exported, ExportedLink};
use crate::analysis::people::wanted::{Claims, Wanted};
use crate::decision::policy::Policy;
use crate::decision::username;
use crate::expression::Compiled;

/// Bytes of the hash that a pseudonym shows.
const SHOWN: usize = 8;

/// Standard claims, and those of common providers, that name a person or an account.
const IDENTIFYING: &[&str] = &[
    "address",
    "birthdate",
    "email",
    "family_name",
    "given_name",
    "login",
    "middle_name",
    "name",
    "nickname",
    "oid",
    "phone_number",
    "picture",
    "preferred_username",
    "profile",
    "sub",
    "unique_name",
    "upn",
    "username",
    "website",
];

/// Makes the pseudonyms of one export.
#[derive(Debug)]
pub struct Pseudonyms(hmac::Key);

impl Pseudonyms {
    /// Pseudonyms under this salt.
    #[must_use]
    pub fn new(salt: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, salt))
    }

    /// The pseudonym of a username, whose case does not matter.
    #[must_use]
    pub fn of_username(&self, name: &str) -> String {
        self.of(&username::key(name))
    }

    /// The pseudonym of a text.
    fn of(&self, text: &str) -> String {
        let hash = hmac::sign(&self.0, text.as_bytes());
        let hex: String = hash.as_ref().iter().take(SHOWN).map(|byte| format!("{byte:02x}")).collect();
        format!("p-{hex}")
    }

    /// The pseudonym of a text that may be an address, whose domain stays: conditions test for it.
    fn of_text(&self, text: &str) -> String {
        match text.rsplit_once('@') {
            Some((_, domain)) if !text.is_empty() => format!("{}@{domain}", self.of(text)),
            _ => self.of(text),
        }
    }

    /// A person under pseudonyms, and whether that leaves the decisions of the policy as they are. Where it would not, because a
    /// condition depends on how a name is written, the claims that expressions read are left as the provider sent them.
    #[must_use]
    pub fn person(&self, policy: &Policy, known: &Known, wanted: &Wanted) -> (Exported, bool) {
        let real = Exported::of(known, wanted);
        let links = real.links.iter().map(|link| {
            let claims =
                wanted.0.get(&link.provider).map(|wanted| self.claims(known, link, wanted)).unwrap_or_default();
            ExportedLink { subject: self.of(&link.subject), claims, ..link.clone() }
        });
        let mut links: Vec<ExportedLink> = links.collect();
        let mut whole = true;
        for (link, sent) in links.iter_mut().zip(&real.links) {
            if !same(policy, known, sent, &link.claims) {
                link.claims.clone_from(&sent.claims);
                whole = false;
            }
        }
        let (username, sub) = (self.of_username(&known.account.username), self.of(&known.account.ids.sub));
        (Exported { username, sub, links, ..real }, whole)
    }

    fn claims(&self, known: &Known, link: &ExportedLink, wanted: &Claims) -> Map<String, Value> {
        let own = own_names(known, link);
        let replaced = |(name, value): (&String, &Value)| {
            let value = if wanted.groups.contains(name) || wanted.passed_on.contains(name) {
                value.clone()
            } else {
                self.value(value, IDENTIFYING.contains(&name.as_str()), &own)
            };
            (name.clone(), value)
        };
        link.claims.iter().map(replaced).collect()
    }

    fn value(&self, value: &Value, identifies: bool, own: &BTreeSet<String>) -> Value {
        match value {
            Value::String(text) if text.is_empty() => value.clone(),
            Value::String(text) if identifies || text.contains('@') || own.contains(&text.to_lowercase()) => {
                self.of_text(text).into()
            }
            // An account may be known by a number, as at GitHub.
            Value::Number(number) if identifies || own.contains(&number.to_string()) => {
                self.of(&number.to_string()).into()
            }
            Value::Array(items) => items.iter().map(|item| self.value(item, identifies, own)).collect(),
            Value::Object(members) => {
                let replaced = members.iter().map(|(name, value)| {
                    let identifies = identifies || IDENTIFYING.contains(&name.as_str());
                    (name.clone(), self.value(value, identifies, own))
                });
                replaced.collect()
            }
            other => other.clone(),
        }
    }
}

/// The names of a person that may be in any claim, in lower case.
fn own_names(known: &Known, link: &ExportedLink) -> BTreeSet<String> {
    let identifying = link.claims.iter().filter(|(name, _)| IDENTIFYING.contains(&name.as_str()));
    let texts = identifying.filter_map(|(_, value)| value.as_str());
    let texts = texts.chain([known.account.username.as_str(), known.account.ids.sub.as_str(), link.subject.as_str()]);
    texts.filter(|text| text.len() > 1).map(str::to_lowercase).collect()
}

/// Whether a policy decides the same with other claims: who is refused and why, and with which groups and roles.
fn same(policy: &Policy, known: &Known, sent: &ExportedLink, claims: &Map<String, Value>) -> bool {
    let decided = |claims: &Map<String, Value>| {
        let person = Exported { links: vec![ExportedLink { claims: claims.clone(), ..sent.clone() }], ..named(known) };
        let person = person.into_known();
        let link = person.links.first()?;
        let decided = person.decide(policy, link, None).map(|decision| (decision.groups, decision.granted));
        Some(decided.map_err(|refusal| refusal.reason))
    };
    decided(&sent.claims) == decided(claims)
}

fn named(known: &Known) -> Exported {
    Exported::of(&Known { account: known.account.clone(), links: Vec::new() }, &Wanted::default())
}

/// What was replaced by a pseudonym, as far as the files of a plan contain it: the names of `[users]`, the strings in
/// expressions, the keys of tables.
#[derive(Debug, Default)]
pub struct Restored(BTreeMap<String, String>);

impl Restored {
    /// The names in these policies.
    #[must_use]
    pub fn from(pseudonyms: &Pseudonyms, policies: &[&Policy]) -> Self {
        let mut known = BTreeMap::new();
        for policy in policies {
            for user in policy.users.values() {
                known.insert(pseudonyms.of_username(&user.username), user.username.clone());
                known.extend(user.sub.iter().map(|sub| (pseudonyms.of(sub), sub.clone())));
            }
            let subjects = policy.links_by_sub.keys().map(|(_, subject)| subject.as_str());
            let addresses = policy.links_by_email.keys().map(|(_, address)| address.as_str());
            let tables = policy.engine.tables().values().flat_map(|table| table.keys().map(String::as_str));
            let literals = expressions(policy).flat_map(|expression| &expression.facts().literals);
            for text in subjects.chain(addresses).chain(tables).chain(literals.map(String::as_str)) {
                known.insert(pseudonyms.of_text(text), text.to_owned());
                known.insert(pseudonyms.of(text), text.to_owned());
            }
        }
        Self(known)
    }

    /// A person under the names that are known.
    #[must_use]
    pub fn person(&self, person: Exported) -> Exported {
        let links = person.links.into_iter().map(|link| ExportedLink {
            subject: self.text(link.subject),
            claims: link.claims.into_iter().map(|(name, value)| (name, self.value(value))).collect(),
            ..link
        });
        let links = links.collect();
        Exported { username: self.text(person.username), sub: self.text(person.sub), links, ..person }
    }

    fn text(&self, text: String) -> String {
        self.0.get(&text).cloned().unwrap_or(text)
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => self.text(text).into(),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(members) => members.into_iter().map(|(name, value)| (name, self.value(value))).collect(),
            other => other,
        }
    }
}

/// Every expression of a policy.
fn expressions(policy: &Policy) -> impl Iterator<Item = &Compiled> {
    let mut found: Vec<&Compiled> = Vec::new();
    for provider in policy.providers.values() {
        found.extend(provider.allow.iter().map(|allow| &allow.expression));
        found.extend(provider.claims.iter().flat_map(|rule| rule.alternatives.iter()));
    }
    for client in policy.clients.values() {
        found.extend(client.require.iter().map(|require| &require.expression));
        found.extend(client.claims.iter().flat_map(|rule| rule.alternatives.iter()));
    }
    found.extend(policy.role_rules.iter().filter_map(|rule| rule.when.as_ref()).map(|when| &when.expression));
    found.into_iter()
}
