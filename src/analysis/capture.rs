//! A real sign-in as a `[[tests]]` entry without the person in it.
//!
//! Every claim is dropped where the decision does not miss it, else replaced by a placeholder, and kept only where the
//! policy needs the very value (a tenant id, a group). What is needed is not guessed from names: the decision is made
//! again with each claim replaced, and has to come to the same.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::analysis::mapping_test;
use crate::analysis::plan::{Known, KnownLink};
use crate::config::Config;
use crate::config::language::mapping_test::{Expectation, GivenAccount, MappingTest};
use crate::config::language::toml_text;
use crate::decision::pipeline::Decision;
use crate::decision::policy::Policy;
use crate::decision::trace::Refusal;

/// What to capture.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The person.
    pub known: &'a Known,
    /// The upstream account of theirs.
    pub link: &'a KnownLink,
    /// The app that asks, where one does.
    pub client: Option<&'a str>,
    /// Replace the names of groups and roles too.
    pub redact_groups: bool,
}

/// A test, with the claims whose values it keeps.
#[derive(Clone, Debug)]
pub struct Captured {
    /// The test. It holds under the policy that it was captured from.
    pub test: MappingTest,
    /// Names of claims that stand in it as the provider sent them.
    pub kept: Vec<String>,
}

type Outcome = Result<Decision, Refusal>;

/// Captures a sign-in.
///
/// # Errors
/// When no decision can be made of it; the text says why.
pub fn capture(policy: &Policy, config: &Config, wanted: &Wanted<'_>) -> Result<Captured, String> {
    let given = GivenAccount {
        username: wanted.known.account.username.clone(),
        provider: Some(wanted.link.provider.clone()),
        sub: Some(wanted.link.subject.clone()),
        email: None,
        email_verified: false,
    };
    let mut claims = wanted.link.claims.clone();
    claims.insert("sub".to_owned(), wanted.link.subject.as_str().into());
    let mut test = MappingTest {
        name: format!("captured: somebody through {}", wanted.link.provider),
        provider: Some(wanted.link.provider.clone()),
        claims: Some(claims.clone()),
        certificate: None,
        given: vec![given],
        client: wanted.client.map(str::to_owned),
        scopes: None,
        refresh: false,
        expect: Expectation::default(),
    };
    let real = mapping_test::decide(policy, config, &test)?;
    let mut redaction =
        Redaction { policy, config, real: &real, wanted, seen: BTreeMap::new(), personal: texts(&claims) };
    redaction.username(&mut test)?;
    let mut kept = Vec::new();
    for (name, value) in &claims {
        if !redaction.claim(&mut test, name, value)? {
            kept.push(name.clone());
        }
    }
    let outcome = mapping_test::decide(policy, config, &test)?;
    test.expect = expectation(policy, wanted, &outcome);
    Ok(Captured { test, kept })
}

struct Redaction<'a> {
    policy: &'a Policy,
    config: &'a Config,
    real: &'a Outcome,
    wanted: &'a Wanted<'a>,
    /// Placeholders by what they stand for, so that equal values stay equal.
    seen: BTreeMap<String, String>,
    /// Every text of the claims, lower case.
    personal: Vec<String>,
}

impl Redaction<'_> {
    /// Whether the decision comes to the same.
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

    /// The same names; the same values, but for those that are the person's own.
    fn same_claims(&self, real: &Map<String, Value>, other: &Map<String, Value>) -> bool {
        real.len() == other.len()
            && real.iter().all(|(name, value)| {
                other
                    .get(name)
                    .is_some_and(|got| got == value || self.is_personal(name, value) && same_type(value, got))
            })
    }

    /// Whether a value is, or is made of, what the claims say about the person.
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

    fn username(&mut self, test: &mut MappingTest) -> Result<(), String> {
        let mut candidate = test.clone();
        for given in &mut candidate.given {
            given.username = "person".to_owned();
        }
        if self.holds(&candidate)? {
            *test = candidate;
        }
        Ok(())
    }

    /// Replaces one claim. `false` when its value has to stay.
    fn claim(&mut self, test: &mut MappingTest, name: &str, value: &Value) -> Result<bool, String> {
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
        Ok(false)
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

    /// From nothing at all to a value of the same shape.
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

    /// The placeholder of a text: of an address an address, of a link a link.
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

/// Every text in the claims, lower case; short ones say nothing.
fn texts(claims: &Map<String, Value>) -> Vec<String> {
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

/// What the test promises: what came out.
fn expectation(policy: &Policy, wanted: &Wanted<'_>, outcome: &Outcome) -> Expectation {
    let decision = match outcome {
        Err(refusal) => {
            return Expectation { refused: Some(refusal.reason.code().to_owned()), ..Expectation::default() };
        }
        Ok(decision) => decision,
    };
    let mut expect = Expectation {
        roles: Some(decision.granted.roles.clone()),
        groups: Some(decision.groups.clone()),
        ..Expectation::default()
    };
    let client = wanted.client.and_then(|key| policy.clients.get(key));
    if let (Some(client), Some(release)) = (client, &decision.release) {
        let names: Vec<&String> = client.claims.iter().map(|rule| &rule.name).collect();
        let own = release.userinfo.iter().filter(|(name, _)| names.contains(name));
        let own: Map<String, Value> = own.map(|(name, value)| (name.clone(), value.clone())).collect();
        expect.absent = names.into_iter().filter(|name| !own.contains_key(*name)).cloned().collect();
        expect.claims = Some(own).filter(|own| !own.is_empty());
    }
    expect
}

/// The test in TOML, as it goes into a file.
#[must_use]
pub fn to_toml(captured: &Captured) -> String {
    let test = &captured.test;
    let given = test.given.iter().map(|given| {
        let fields =
            [("username", Some(&given.username)), ("provider", given.provider.as_ref()), ("sub", given.sub.as_ref())];
        toml_text::inline_table(fields.into_iter().filter_map(|(key, value)| Some((key, toml_text::string(value?)))))
    });
    let rows = [
        ("name", Some(toml_text::string(&test.name))),
        ("provider", test.provider.as_deref().map(toml_text::string)),
        ("claims", test.claims.as_ref().map(object)),
        ("given", Some(toml_text::array(given))),
        ("client", test.client.as_deref().map(toml_text::string)),
        ("expect", Some(expected(&test.expect))),
    ];
    let rows = rows.into_iter().filter_map(|(key, value)| Some(format!("{key} = {}\n", value?)));
    std::iter::once("[[tests]]\n".to_owned()).chain(rows).collect()
}

fn expected(expect: &Expectation) -> String {
    let list = |items: &Vec<String>| toml_text::array(items.iter().map(|item| toml_text::string(item)));
    let parts = [
        ("refused", expect.refused.as_deref().map(toml_text::string)),
        ("roles", expect.roles.as_ref().map(list)),
        ("groups", expect.groups.as_ref().map(list)),
        ("claims", expect.claims.as_ref().map(object)),
        ("absent", Some(&expect.absent).filter(|absent| !absent.is_empty()).map(list)),
    ];
    toml_text::inline_table(parts.into_iter().filter_map(|(key, value)| Some((key, value?))))
}

fn object(members: &Map<String, Value>) -> String {
    toml_text::inline_table(members.iter().filter_map(|(key, value)| Some((key, toml_text::json(value)?))))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decision::account::Account;
    use crate::decision::testing::compiled;

    const FILE: &str = r#"
issuer = "https://sso.example.com"
[providers.corp]
issuer = "https://login.example"
client_id = "c"
create_users = false
allow = "claims.tid == '9f3c' && claims.email.domain() == 'corp.example'"
[providers.corp.claims]
username = "claims.preferred_username.before('@')"
department = "claims.department"
[roles.admin]
[[role_rules]]
when = "'sre' in groups"
roles = ["admin"]
[clients.grafana]
require = "'sre' in groups || 'dev' in groups"
[clients.grafana.claims]
level = "'admin' in roles ? 'A' : 'V'"
tier = "user.department == 'Board' ? 'gold' : 'basic'"
nick = "user.nickname"
who = "user.username"
"#;

    fn person() -> Known {
        let claims = json!({
            "iss": "https://login.example", "sub": "u-4711", "aud": "c", "exp": 1_800_000_000, "tid": "9f3c",
            "name": "Alice Liddell", "given_name": "Alice", "email": "alice.liddell@corp.example", "email_verified": true,
            "preferred_username": "alice.liddell@corp.example", "phone_number": "+44 1632 960001", "department": "Board",
            "groups": ["sre", "secret-project"], "odd \"name\"": {"x": ["y", null, 1.0]}, "picture": "https://img.example/alice.png"
        });
        let account =
            Account { id: "1".into(), username: "alice.liddell".into(), sub: "s".into(), ..Account::default() };
        let link = KnownLink {
            provider: "corp".into(),
            issuer: "https://login.example".into(),
            subject: "u-4711".into(),
            claims: claims.as_object().unwrap().clone(),
        };
        Known { account, links: vec![link] }
    }

    fn captured(client: Option<&str>, redact_groups: bool) -> (String, Vec<String>) {
        let (config, policy) = compiled(FILE);
        let known = person();
        let wanted = Wanted { known: &known, link: &known.links[0], client, redact_groups };
        let captured = capture(&policy, &config, &wanted).unwrap();
        let text = to_toml(&captured);
        // It holds once it stands in the file.
        let (config, policy) = compiled(&format!("{FILE}\n{text}"));
        let failures = mapping_test::run_all(&policy, &config);
        assert!(failures.is_empty(), "{text}\n{}", failures[0]);
        (text, captured.kept)
    }

    #[test]
    fn a_captured_test_holds_and_has_nobody_in_it() {
        let (text, kept) = captured(Some("grafana"), false);
        for personal in ["liddell", "alice", "4711", "960001", "img.example", "1800000000"] {
            assert!(!text.to_lowercase().contains(personal), "{personal}: {text}");
        }
        assert_eq!(kept, ["tid", "department", "groups"]);
        assert!(text.contains("email = \"person@corp.example\""), "{text}");
        assert!(text.contains("groups = [\"sre\", \"secret-project\"]"), "{text}");
        assert!(text.contains("level = \"A\""), "{text}");
        assert!(text.contains("tier = \"gold\""), "{text}");
        assert!(text.contains("absent = [\"nick\"]"), "{text}");
    }

    #[test]
    fn groups_can_be_hidden_too_and_refusals_are_captured() {
        let (text, _) = captured(None, true);
        assert!(!text.contains("sre") && !text.contains("secret-project"), "{text}");
        let (config, policy) = compiled(FILE);
        let mut known = person();
        known.links[0].claims.insert("tid".to_owned(), "other".into());
        let wanted = Wanted { known: &known, link: &known.links[0], client: None, redact_groups: false };
        let text = to_toml(&capture(&policy, &config, &wanted).unwrap());
        assert!(text.contains("expect = { refused = \"not_allowed\" }"), "{text}");
        assert!(!text.contains("alice") && !text.contains("other"), "{text}");
    }
}
