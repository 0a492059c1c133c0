//! The cost of a decision, of compiling a policy, and of replaying people's sign-ins with two policies.
//! `cargo bench --bench policy`
#![expect(clippy::panic, reason = "a benchmark stops where its input is wrong")]

use std::convert::Infallible;
use std::fmt::Write as _;

use countersign::analysis::known::{Known, KnownLink};
use countersign::analysis::plan::{Plan, Side, Subjects, plan};
use countersign::config::Config;
use countersign::config::resolved::Resolved;
use countersign::decision::account::{Account, AccountFacts};
use countersign::decision::app::AppRequest;
use countersign::decision::pipeline::{Decision, Evidence, begin};
use countersign::decision::policy::Policy;
use countersign::expression::{Compiler, Tables};
use divan::Bencher;
use serde_json::{Map, Value, json};

fn main() {
    divan::main();
}

fn config(text: &str) -> Config {
    toml::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}

fn compile(config: &Config) -> Policy {
    let mut compiler = Compiler::new(Tables::new());
    Policy::compile(config, &Resolved::of(config), &mut compiler, &|_| None)
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// 30 rules, half of them with conditions and half of them for families of groups.
fn rules() -> String {
    let mut text = String::from(
        r#"issuer = "https://sso.example.com"
[providers.corp]
issuer = "https://login.example"
client_id = "c"
allow = "claims.tid == '9f3c'"
[providers.corp.claims]
username = "claims.preferred_username.before('@').lower()"
department = "claims.department"
[clients.app]
scopes = ["openid", "profile", "email", "groups"]
require = "'group-50' in groups"
[clients.app.claims]
level = "'role-3' in roles ? 'Admin' : 'Viewer'"
groups = "roles"
"#,
    );
    for n in 0..15 {
        let _ = write!(
            text,
            "[roles.role-{n}]\n[[role_rules]]\nwhen = \"'group-{}' in groups\"\nroles = [\"role-{n}\"]\n",
            n * 7
        );
        let _ = write!(
            text,
            "[[role_rules]]\neach = \"groups\"\nmatches = '^team{n}-(?<team>[a-z]+)-admins$'\nroles = [\"{{team}}:admin{n}\"]\n"
        );
    }
    text
}

fn claims() -> Map<String, Value> {
    let groups: Vec<String> = (0..100).map(|n| format!("group-{n}")).collect();
    let claims = json!({
        "sub": "1", "tid": "9f3c", "preferred_username": "Alice@corp.example", "email": "alice@corp.example",
        "email_verified": true, "name": "Alice", "given_name": "Alice", "family_name": "L", "department": "x", "groups": groups,
    });
    claims.as_object().cloned().unwrap_or_default()
}

fn decide(policy: &Policy, claims: &Map<String, Value>, scopes: &[String]) -> Option<Decision> {
    let evidence = Evidence { provider: "corp", issuer: None, subject: "1", claims };
    let request = AppRequest { client: "app", scopes, ..AppRequest::default() };
    begin(policy, &evidence).ok()?.decide(AccountFacts::default(), Some(&request)).ok()
}

#[divan::bench]
fn decision_of_30_rules_and_100_groups(bencher: Bencher<'_, '_>) {
    let policy = compile(&config(&rules()));
    let claims = claims();
    let scopes = ["openid", "profile", "email", "groups"].map(str::to_owned);
    assert!(decide(&policy, &claims, &scopes).is_some_and(|decision| decision.granted.roles.len() == 15));
    bencher.bench_local(|| decide(&policy, &claims, &scopes));
}

#[divan::bench]
fn mapping_of_100_groups(bencher: Bencher<'_, '_>) {
    let policy = compile(&config(&rules()));
    let claims = claims();
    bencher.bench_local(|| {
        begin(&policy, &Evidence { provider: "corp", issuer: None, subject: "1", claims: &claims }).is_ok()
    });
}

/// 100 providers and 1,000 clients, whose expressions repeat or all differ.
fn large(repeating: bool) -> String {
    let mut text = String::from("issuer = \"https://sso.example.com\"\n[roles.admin]\n");
    for n in 0..100 {
        let m = if repeating { 0 } else { n };
        let _ = write!(
            text,
            "[providers.p{n}]\nissuer = \"https://p{n}.example\"\nclient_id = \"c\"\nallow = \"claims.tid == 't{m}'\"\n\
             [providers.p{n}.claims]\nusername = \"claims.preferred_username.before('@{m}').lower()\"\n\
             [[role_rules]]\nwhen = \"'group-{m}' in groups\"\nroles = [\"admin\"]\n"
        );
    }
    for n in 0..1_000 {
        let m = if repeating { n % 10 } else { n };
        let _ = write!(
            text,
            "[clients.c{n}]\nrequire = \"'users-{m}' in groups\"\n[clients.c{n}.claims]\n\
             level = \"'admin' in roles ? 'Admin{m}' : 'Viewer'\"\n"
        );
    }
    text
}

#[divan::bench(args = [true, false], sample_count = 20)]
fn compile_100_providers_and_1000_clients(bencher: Bencher<'_, '_>, repeating: bool) {
    let config = config(&large(repeating));
    bencher.bench_local(|| compile(&config));
}

/// A person with 100 groups.
fn person(n: usize) -> Known {
    let account = Account { username: format!("person-{n}"), ..Account::default() };
    let link = KnownLink {
        provider: "corp".to_owned(),
        issuer: "https://login.example".to_owned(),
        subject: n.to_string(),
        claims: claims(),
        claims_at: 0,
    };
    Known { account, links: vec![link] }
}

/// Replays the sign-ins of 1,000 people with two policies that differ in one rule.
#[divan::bench(sample_count = 20)]
fn plan_for_1000_people(bencher: Bencher<'_, '_>) {
    let (old, new) = (config(&rules()), config(&rules().replace("'group-7' in groups", "'group-101' in groups")));
    let (old_policy, new_policy) = (compile(&old), compile(&new));
    let subjects = Subjects::new();
    let replay = || -> Plan {
        let people = (0..1_000).map(|n| Ok::<_, Infallible>(person(n)));
        let side = |config, policy| Side { config, policy, settings: &[], subjects: &subjects };
        let planned = plan(side(&old, &old_policy), side(&new, &new_policy), Some(people));
        planned.unwrap_or_else(|never| match never {})
    };
    assert!(replay().people.is_some_and(|people| people.affected.len() == 1_000));
    bencher.bench_local(replay);
}
