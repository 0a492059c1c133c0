//! Removes personal data from a test: leaves out or replaces each claim, as long as the decision stays the same.
//!
//! This does not rely on the names of claims: the decision is made again after each replacement.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::analysis::known::{Known, KnownLink};
use crate::analysis::mapping_test;
use crate::config::Config;
use crate::config::language::mapping_test::MappingTest;
use crate::decision::pipeline::Decision;
use crate::decision::policy::Policy;
use crate::decision::trace::Refusal;

/// The outcome of a sign-in.
pub(crate) type Outcome = Result<Decision, Refusal>;

/// What to capture.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The person.
    pub known: &'a Known,
    /// Their upstream account.
    pub link: &'a KnownLink,
    /// The app that requests the sign-in, if any.
    pub client: Option<&'a str>,
    /// Replace the names of groups and roles too.
    pub redact_groups: bool,
}

/// A test whose real claims are being replaced by placeholders.
pub(crate) struct Redaction<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) config: &'a Config,
    /// The decision with the real claims.
    pub(crate) real: &'a Outcome,
    pub(crate) wanted: &'a Wanted<'a>,
    /// The placeholder of each text that is replaced, so that equal values stay equal.
    pub(crate) seen: BTreeMap<String, String>,
    /// Every text in the claims, in lower case.
    pub(crate) personal: Vec<String>,
}

impl Redaction<'_> {
    /// Whether the decision stays the same.
    fn holds(&self, test: &MappingTest) -> Result<bool, String> {
        let outcome = mapping_test::decide(self.policy, self.config, test)?;
        Ok(self.same(&outcome))
    }

    fn same(&self, outcome: &Outcome) -> bool {
        match (self.real, outcome) {
            (Err(real), Err(other)) => real.reason == other.reason,
            (Ok(real), Ok(other)) => {
                let lists = self.wanted.redact_groups
                    || real.groups == other.groups && real.granted.roles == other.granted.roles;
                lists && self.same_claims(&real.profile, &other.profile) && self.same_release(real, other)
            }
            _ => false,
        }
    }

    fn same_release(&self, real: &Decision, other: &Decision) -> bool {
        match (&real.release, &other.release) {
            (Some(real), Some(other)) => {
                self.same_claims(&real.id_token, &other.id_token)
                    && self.same_claims(&real.userinfo, &other.userinfo)
                    && self.same_claims(&real.access_token, &other.access_token)
            }
            (real, other) => real.is_none() && other.is_none(),
        }
    }

    /// Whether both decisions have the same names, and the same values except for personal ones.
    fn same_claims(&self, real: &Map<String, Value>, other: &Map<String, Value>) -> bool {
        real.len() == other.len()
            && real.iter().all(|(name, value)| {
                other
                    .get(name)
                    .is_some_and(|got| got == value || self.is_personal(name, value) && same_type(value, got))
            })
    }

    /// Whether a value is personal: it equals, contains or is part of a text in the claims or the username.
    fn is_personal(&self, name: &str, value: &Value) -> bool {
        match value {
            Value::String(text) => {
                let text = text.to_lowercase();
                let own = self.wanted.known.account.username.to_lowercase();
                let made_of = |part: &str| text.contains(part) || part.contains(&text);
                self.personal.iter().any(|part| made_of(part)) || made_of(&own)
            }
            Value::Number(_) => true,
            Value::Array(items) if self.wanted.redact_groups || !matches!(name, "groups" | "roles") => {
                items.iter().all(|item| self.is_personal(name, item))
            }
            Value::Object(members) => members.values().all(|member| self.is_personal(name, member)),
            _ => false,
        }
    }

    /// Replaces the username, if the decision does not depend on it.
    pub(crate) fn username(&mut self, test: &mut MappingTest) -> Result<(), String> {
        let mut candidate = test.clone();
        for given in &mut candidate.given {
            given.username = "person".to_owned();
        }
        if self.holds(&candidate)? {
            *test = candidate;
        }
        Ok(())
    }

    /// Replaces one claim; `false` if its value has to be kept.
    pub(crate) fn claim(&mut self, test: &mut MappingTest, name: &str, value: &Value) -> Result<bool, String> {
        if name == "sub" {
            return self.subject(test);
        }
        for candidate in self.candidates(name, value) {
            if candidate.as_ref() == Some(value) {
                return Ok(true);
            }
            let mut changed = test.clone();
            if let Some(claims) = &mut changed.claims {
                match candidate {
                    Some(value) => claims.insert(name.to_owned(), value),
                    None => claims.shift_remove(name),
                };
            }
            if self.holds(&changed)? {
                *test = changed;
                return Ok(true);
            }
        }
        match value {
            Value::Array(items) => self.items(test, name, items),
            _ => Ok(false),
        }
    }

    /// Replaces the items of a list that the decision does not depend on; `false` if any has to be kept.
    fn items(&mut self, test: &mut MappingTest, name: &str, items: &[Value]) -> Result<bool, String> {
        let mut all = true;
        for (index, item) in items.iter().enumerate() {
            let replacement = self.redacted(name, item, false);
            let mut changed = test.clone();
            let list = changed.claims.as_mut().and_then(|claims| claims.get_mut(name)).and_then(Value::as_array_mut);
            if let Some(place) = list.and_then(|list| list.get_mut(index)) {
                *place = replacement;
            }
            if self.holds(&changed)? {
                *test = changed;
            } else {
                all = false;
            }
        }
        Ok(all)
    }

    fn subject(&self, test: &mut MappingTest) -> Result<bool, String> {
        let mut changed = test.clone();
        if let Some(claims) = &mut changed.claims {
            claims.insert("sub".to_owned(), "subject-1".into());
        }
        for given in &mut changed.given {
            given.sub = Some("subject-1".to_owned());
        }
        let holds = self.holds(&changed)?;
        if holds {
            *test = changed;
        }
        Ok(holds)
    }

    /// The possible replacements of a claim, in order of preference: leaving it out, then placeholders.
    fn candidates(&mut self, name: &str, value: &Value) -> Vec<Option<Value>> {
        let plain = self.redacted(name, value, false);
        let with_domain = self.redacted(name, value, true);
        vec![None, Some(plain), Some(with_domain)]
    }

    fn redacted(&mut self, name: &str, value: &Value, keep_domain: bool) -> Value {
        match value {
            Value::Null | Value::Bool(_) => value.clone(),
            Value::Number(number) if number.is_f64() => 1.5.into(),
            Value::Number(_) => 1.into(),
            Value::String(text) => self.placeholder(name, text, keep_domain).into(),
            Value::Array(items) => items.iter().map(|item| self.redacted(name, item, keep_domain)).collect(),
            Value::Object(members) => {
                let members = members.iter().map(|(key, value)| (key.clone(), self.redacted(key, value, keep_domain)));
                Value::Object(members.collect())
            }
        }
    }

    /// The placeholder of a text. The placeholder of an email address is an email address, that of a URL is a URL.
    fn placeholder(&mut self, name: &str, text: &str, keep_domain: bool) -> String {
        if let Some((_, domain)) = text.rsplit_once('@').filter(|_| keep_domain) {
            return format!("person@{domain}");
        }
        if let Some(known) = self.seen.get(text) {
            return known.clone();
        }
        let number = self.seen.len() + 1;
        let short = name.rsplit('/').next().unwrap_or(name);
        let placeholder = match text {
            text if text.contains('@') => format!("person-{number}@example.com"),
            text if text.starts_with("https://") => format!("https://example.com/{short}-{number}"),
            _ => format!("{short}-{number}"),
        };
        self.seen.insert(text.to_owned(), placeholder.clone());
        placeholder
    }
}

fn same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// Every text in the claims, in lower case. Texts of one character are skipped, because they identify nobody.
pub(crate) fn texts(claims: &Map<String, Value>) -> Vec<String> {
    fn collect(value: &Value, into: &mut Vec<String>) {
        match value {
            Value::String(text) if text.len() > 1 => into.push(text.to_lowercase()),
            Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            Value::Object(members) => members.values().for_each(|member| collect(member, into)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    claims.values().for_each(|value| collect(value, &mut found));
    found
}
