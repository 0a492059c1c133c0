//! Compares a decision with the expectations of a test, and names the lines of the file that led to each difference.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::analysis::mapping_test::failure::Difference;
use crate::config::language::mapping_test::{Expectation, MappingTest};
use crate::decision::pipeline::Decision;
use crate::decision::policy::{Policy, key_segment};
use crate::decision::reason::Reason;
use crate::decision::trace::{Refusal, Stage, Step, Trace};

/// Claims that are sets, whose order has no meaning.
const SETS: &[&str] = &["groups", "roles", "permissions"];

/// Every expectation that is not met.
pub(crate) fn compare(policy: &Policy, test: &MappingTest, outcome: &Result<Decision, Refusal>) -> Vec<Difference> {
    let expect = &test.expect;
    match outcome {
        Ok(decision) => {
            let mut comparison =
                Comparison { policy, trace: &decision.trace, provider: test.provider.as_deref(), found: Vec::new() };
            if let Some(reason) = &expect.refused {
                comparison.refusal_expected(reason);
            }
            comparison.decision(expect, decision);
            comparison.found
        }
        Err(refusal) => refused(expect, refusal),
    }
}

/// Compares with a refusal. It has no result, so that only expectations that something is absent can be met.
fn refused(expect: &Expectation, refusal: &Refusal) -> Vec<Difference> {
    let got = format!("refused: {}", refusal.reason);
    let because: Vec<String> = refusal.trace.steps.last().map(line).into_iter().collect();
    match &expect.refused {
        Some(reason) if reason == refusal.reason.code() => {}
        Some(reason) => {
            let mut because = because;
            because.extend(unknown_reason(reason));
            return vec![Difference { what: "refused".to_owned(), expected: reason.clone(), got, because }];
        }
        None => {
            let expected = "a sign-in".to_owned();
            return vec![Difference { what: String::new(), expected, got, because: trace_lines(&refusal.trace) }];
        }
    }
    let wanted = [
        ("roles", expect.roles.as_ref().map(|roles| roles.join(", "))),
        ("groups", expect.groups.as_ref().map(|groups| groups.join(", "))),
        ("has_roles", Some(expect.has_roles.join(", ")).filter(|roles| !roles.is_empty())),
        ("username", expect.username.clone()),
        ("sub", expect.sub.clone()),
        ("link", expect.link.clone()),
        ("created", expect.created.filter(|created| *created).map(|created| created.to_string())),
        ("claims", expect.claims.as_ref().map(show_object)),
        ("id_token", expect.id_token.as_ref().map(show_object)),
        ("userinfo", expect.userinfo.as_ref().map(show_object)),
        ("access_token", expect.access_token.as_ref().map(show_object)),
    ];
    let wanted = wanted.into_iter().map(|(what, value)| (what.to_owned(), value));
    let attributes = expect.attributes.iter().map(|(name, value)| (name.clone(), Some(show(value))));
    let unmet = wanted.chain(attributes).filter_map(|(what, value)| {
        let got = format!("nothing: the sign-in is refused, as the test expects ({})", refusal.reason);
        Some(Difference { what, expected: value?, got, because: because.clone() })
    });
    unmet.collect()
}

struct Comparison<'a> {
    policy: &'a Policy,
    trace: &'a Trace,
    provider: Option<&'a str>,
    found: Vec<Difference>,
}

impl Comparison<'_> {
    fn refusal_expected(&mut self, reason: &str) {
        let mut because = trace_lines(self.trace);
        because.extend(unknown_reason(reason));
        self.push("refused", format!("refused: {reason}"), "a sign-in".to_owned(), because);
    }

    fn push(&mut self, what: &str, expected: String, got: String, because: Vec<String>) {
        self.found.push(Difference { what: what.to_owned(), expected, got, because });
    }

    fn decision(&mut self, expect: &Expectation, decision: &Decision) {
        self.account(expect, decision);
        if let Some(expected) = &expect.groups {
            self.set("groups", expected, &decision.groups);
        }
        let roles = &decision.granted.roles;
        if let Some(expected) = &expect.roles {
            self.set("roles", expected, roles);
        }
        for role in expect.has_roles.iter().filter(|role| !roles.contains(role)) {
            self.push("has_roles", role.clone(), list(roles), self.why_not_role(role));
        }
        for role in expect.lacks_roles.iter().filter(|role| roles.contains(role)) {
            self.push("lacks_roles", format!("no {role}"), list(roles), self.why_role(role));
        }
        for (name, expected) in &expect.attributes {
            let got = decision.profile.get(name);
            if !got.is_some_and(|got| same(name, expected, got)) {
                let because = self.steps(Stage::Claims, |text| mentions(text, name));
                self.push(name, show(expected), got.map_or_else(|| "absent".to_owned(), show), because);
            }
        }
        self.release(expect, decision);
    }

    fn account(&mut self, expect: &Expectation, decision: &Decision) {
        let account = &decision.account;
        let because = self.steps(Stage::Account, |_| true);
        if let Some(expected) = expect.username.as_ref().filter(|expected| **expected != account.username) {
            self.push("username", expected.clone(), account.username.clone(), because.clone());
        }
        if let Some(expected) = &expect.sub {
            let known = known_sub(self.policy, decision);
            if known.as_ref() != Some(expected) {
                let got = known.unwrap_or_else(|| "one that the broker makes; the file imports none".to_owned());
                self.push("sub", expected.clone(), got, because.clone());
            }
        }
        if let Some(expected) = &expect.link {
            let joined = account.existing.as_ref().map(|account| account.username.as_str());
            let how = account.linked_by.name();
            if expected != how && Some(expected.as_str()) != joined {
                let got = joined.map_or_else(|| how.to_owned(), |joined| format!("{how}, the account of {joined}"));
                self.push("link", expected.clone(), got, because.clone());
            }
        }
        let created = account.existing.is_none();
        if let Some(expected) = expect.created.filter(|expected| *expected != created) {
            self.push("created", expected.to_string(), created.to_string(), because);
        }
    }

    /// Compares roles or groups as whole sets.
    fn set(&mut self, what: &str, expected: &[String], got: &[String]) {
        let wanted: BTreeSet<&String> = expected.iter().collect();
        let there: BTreeSet<&String> = got.iter().collect();
        if wanted == there {
            return;
        }
        let mut because = Vec::new();
        for name in wanted.difference(&there) {
            because.push(format!("{name} is missing"));
            because.extend(if what == "roles" { self.why_not_role(name) } else { self.why_not_group() });
        }
        for name in there.difference(&wanted) {
            let steps = if what == "roles" { self.why_role(name) } else { self.why_not_group() };
            let steps = if steps.is_empty() { String::new() } else { format!(": {}", steps.join("; ")) };
            because.push(format!("{name} is not expected{steps}"));
        }
        self.push(what, list(expected), list(got), because);
    }

    fn why_role(&self, role: &str) -> Vec<String> {
        let prefix = format!("role {role}: ");
        self.steps(Stage::Roles, |text| text.starts_with(&prefix))
    }

    /// The lines of the file that could have given the role.
    fn why_not_role(&self, role: &str) -> Vec<String> {
        let failed = self.steps(Stage::Roles, |text| !text.starts_with("role "));
        let rules = self.policy.role_rules.iter().filter(|rule| rule.roles.iter().any(|name| name == role));
        let rules = rules.map(|rule| match &rule.provider {
            Some(only) if Some(only.as_str()) != self.provider => {
                format!("the rule at {} gives it, but only to users of {only}", rule.source)
            }
            _ => format!("the rule at {} gives it, but does not match", rule.source),
        });
        failed.into_iter().chain(rules).collect()
    }

    fn why_not_group(&self) -> Vec<String> {
        self.steps(Stage::Claims, |text| text.starts_with("groups"))
    }

    fn release(&mut self, expect: &Expectation, decision: &Decision) {
        let Some(release) = &decision.release else { return };
        let mut id_token = release.id_token.clone();
        let mut userinfo = release.userinfo.clone();
        if let Some(sub) = known_sub(self.policy, decision) {
            id_token.insert("sub".to_owned(), sub.as_str().into());
            userinfo.insert("sub".to_owned(), sub.into());
        }
        let mut either = id_token.clone();
        either.extend(userinfo.clone());
        let parts = [
            ("claims", &expect.claims, &either),
            ("id_token", &expect.id_token, &id_token),
            ("userinfo", &expect.userinfo, &userinfo),
            ("access_token", &expect.access_token, &release.access_token),
        ];
        for (part, expected, got) in parts {
            for (name, value) in expected.iter().flatten() {
                self.claim(part, name, value, got.get(name));
            }
        }
        for name in &expect.absent {
            let places =
                [("the ID token", &id_token), ("userinfo", &userinfo), ("the access token", &release.access_token)];
            let there: Vec<&str> =
                places.iter().filter(|(_, claims)| claims.contains_key(name)).map(|(place, _)| *place).collect();
            if !there.is_empty() {
                let because = self.why_claim(name);
                self.push("absent", format!("no {name}"), format!("{name} in {}", there.join(", ")), because);
            }
        }
    }

    fn claim(&mut self, part: &str, name: &str, expected: &Value, got: Option<&Value>) {
        if !got.is_some_and(|got| same(name, expected, got)) {
            let because = self.why_claim(name);
            let what = format!("{part}.{}", key_segment(name));
            self.push(&what, show(expected), got.map_or_else(|| "absent".to_owned(), show), because);
        }
    }

    fn why_claim(&self, name: &str) -> Vec<String> {
        let own = self.steps(Stage::Release, |text| mentions(text, name));
        if !own.is_empty() {
            return own;
        }
        let scopes = self.policy.scopes.iter().filter(|(_, scope)| scope.claims.iter().any(|claim| claim == name));
        scopes.map(|(scope, policy)| format!("scope {scope} releases it  [{}]", policy.source)).collect()
    }

    fn steps(&self, stage: Stage, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        self.trace.steps.iter().filter(|step| step.stage == stage && wanted(&step.text)).map(line).collect()
    }
}

/// The public subject of the account, if the file or a given account states it.
fn known_sub(policy: &Policy, decision: &Decision) -> Option<String> {
    let declared = || policy.declared(&decision.account.username).and_then(|user| user.sub.clone());
    decision.account.imported_sub.clone().or_else(declared)
}

/// The message for a reason code that does not exist.
fn unknown_reason(code: &str) -> Option<String> {
    if Reason::ALL.iter().any(|reason| reason.code() == code) {
        return None;
    }
    let nearest =
        Reason::ALL.iter().map(|reason| reason.code()).min_by_key(|known| strsim::damerau_levenshtein(known, code));
    Some(format!("there is no reason {code}; did you mean {}?", nearest.unwrap_or_default()))
}

/// Whether a step's text is about a name.
fn mentions(text: &str, name: &str) -> bool {
    text.split([' ', ':']).any(|word| word == name)
}

fn line(step: &Step) -> String {
    match &step.source {
        Some(source) => format!("{}  [{source}]", step.text),
        None => step.text.to_string(),
    }
}

fn trace_lines(trace: &Trace) -> Vec<String> {
    trace.steps.iter().map(|step| format!("{:<8}{}", step.stage.name(), line(step))).collect()
}

/// Whether two values are the same claim. Numbers are compared by value, sets without regard to order.
fn same(name: &str, expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let in_order = a.iter().zip(b).all(|(a, b)| same("", a, b));
            in_order
                || SETS.contains(&name)
                    && a.iter().all(|item| b.contains(item))
                    && b.iter().all(|item| a.contains(item))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same("", a, b)))
        }
        _ => expected == got,
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn show(value: &Value) -> String {
    value.to_string()
}

fn show_object(object: &Map<String, Value>) -> String {
    object.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ")
}
