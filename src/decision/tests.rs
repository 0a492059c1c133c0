//! The decision as a whole: what must hold for any document, and what a trace reads like.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::decision::account::{Account, AccountFacts};
use crate::decision::app::AppRequest;
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::decision::policy::Policy;
use crate::decision::testing::compiled;
use crate::decision::trace::Refusal;

const FILE: &str = r#"
issuer = "https://sso.example.com"
[policy]
default_roles = ["untrusted"]
ignore_case = ["groups", "roles"]
[providers.corp]
issuer = "https://login.example"
client_id = "c"
sync = ["email"]
[providers.corp.claims]
username = ["claims.username", "claims.preferred_username"]
roles = ["claims.roles", "claims.realm_access.roles"]
department = "claims.department"
tenant = "claims.tenant.name"
[providers.closed]
issuer = "https://closed.example"
client_id = "c"
create_users = false
allow = "!('banned' in claims.groups)"
[roles.Admin]
permissions = ["users:write"]
[roles.viewer]
[roles.untrusted]
[[role_rules]]
when = "'sre' in groups && 'sre' in user.groups"
roles = ["viewer"]
[[role_rules]]
provider = "corp"
each = "groups"
matches = '^team-(?<team>[a-z]+)-admins$'
roles = ["{team}:admin"]
[clients.app]
scopes = ["openid", "profile", "email", "groups", "roles"]
require = "!('banned' in groups)"
[clients.app.claims]
tier = "user.department == 'Board' ? 'gold' : 'basic'"
[users.alice]
groups = ["oncall"]
roles = ["viewer"]
"#;

fn policy() -> Policy {
    compiled(FILE).1
}

fn decide(
    policy: &Policy,
    provider: &str,
    claims: &Map<String, Value>,
    facts: &AccountFacts,
) -> Result<Decision, Refusal> {
    let subject = claims.get("sub").and_then(Value::as_str).unwrap_or("none");
    let mapped = begin(policy, &Evidence { provider, issuer: None, subject, claims })?;
    let scopes = ["openid", "profile", "email", "groups", "roles"].map(str::to_owned);
    mapped.decide(facts.clone(), Some(&AppRequest { client: "app", scopes: &scopes, ..AppRequest::default() }))
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// JSON of any shape, with names that the policy reads and names that it does not.
fn document() -> impl Strategy<Value = Map<String, Value>> {
    let text = prop_oneof![
        "[a-z]{0,6}",
        "\\PC{0,8}",
        Just("sre".to_owned()),
        Just("Admin".to_owned()),
        Just("team-red-admins".to_owned()),
        Just("a@b@c".to_owned()),
        Just("alice".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text.prop_map(Value::from),
    ];
    let name = prop_oneof![
        prop::sample::select(vec![
            "sub",
            "username",
            "preferred_username",
            "groups",
            "roles",
            "realm_access",
            "email",
            "email_verified",
            "name",
            "department",
            "tenant",
            "picture",
            "locale",
        ])
        .prop_map(str::to_owned),
        "[a-z_]{0,8}",
    ];
    let value = leaf.prop_recursive(3, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec(
                (prop_oneof![Just("roles".to_owned()), Just("name".to_owned()), "[a-z]{1,5}"], inner),
                0..4
            )
            .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop::collection::vec((name, value), 0..12).prop_map(|members| members.into_iter().collect())
}

/// Whether a role has a line that makes it.
fn has_a_line(policy: &Policy, role: &str) -> bool {
    let template = role.strip_suffix(":admin").is_some_and(|team| team.chars().all(|c| c.is_ascii_lowercase()));
    policy.roles.contains_key(role) || template
}

const ATTRIBUTES: &[&str] =
    &["name", "given_name", "family_name", "email", "email_verified", "picture", "locale", "department", "tenant"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_document_panics_leaks_or_gives_a_role_of_its_own(mut claims in document(), canary in "[0-9]{12}") {
        let policy = policy();
        // Names that nothing maps, at the top and below.
        claims.insert("x_canary".to_owned(), canary.as_str().into());
        claims.insert("x_object".to_owned(), json!({ "roles": [canary.as_str()], "groups": [canary.as_str()] }));
        for provider in ["corp", "closed"] {
            let outcome = decide(&policy, provider, &claims, &AccountFacts::default());
            let trace = match &outcome {
                Ok(decision) => &decision.trace,
                Err(refusal) => &refusal.trace,
            };
            prop_assert!(!trace.to_string().contains(&canary));
            let Ok(decision) = outcome else { continue };
            prop_assert!(decision.profile.keys().all(|name| ATTRIBUTES.contains(&name.as_str())), "{:?}", decision.profile);
            prop_assert!(decision.granted.roles.iter().all(|role| has_a_line(&policy, role)), "{:?}", decision.granted);
            let all = format!("{:?}{:?}{:?}", decision.profile, decision.groups, decision.release);
            prop_assert!(!all.contains(&canary));
        }
    }

    #[test]
    fn the_order_of_members_never_matters(claims in document(), seed in any::<u64>()) {
        fn shuffled(members: &Map<String, Value>, seed: u64) -> Map<String, Value> {
            let mut list: Vec<(&String, &Value)> = members.iter().collect();
            list.sort_by_key(|(name, _)| {
                name.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
            });
            list.into_iter().map(|(name, value)| (name.clone(), match value {
                Value::Object(inner) => Value::Object(shuffled(inner, seed)),
                other => other.clone(),
            })).collect()
        }
        let policy = policy();
        let other = shuffled(&claims, seed);
        for provider in ["corp", "closed"] {
            let (a, b) = (
                decide(&policy, provider, &claims, &AccountFacts::default()),
                decide(&policy, provider, &other, &AccountFacts::default()),
            );
            prop_assert_eq!(a, b);
        }
    }
}

#[test]
fn a_trace_reads_as_the_decision_went() {
    let policy = policy();
    let claims = object(json!({
        "sub": "1", "preferred_username": "Alice", "groups": ["SRE", "team-red-admins"],
        "realm_access": { "roles": ["ADMIN", "unheard-of"] }
    }));
    let decision = decide(&policy, "corp", &claims, &AccountFacts::default()).unwrap_or_else(|r| panic!("{}", r.trace));
    assert_eq!(decision.granted.roles, ["Admin", "red:admin", "viewer"]);
    assert_eq!(decision.granted.permissions, ["users:write"]);
    assert_eq!(decision.groups, ["sre", "team-red-admins", "oncall"]);
    let text: Vec<String> =
        decision.trace.to_string().lines().map(|line| line.replace("  [broker.toml:7]", "")).collect();
    assert_eq!(
        text,
        [
            "claims   username mapped",
            "claims   department is absent",
            "claims   email is absent",
            "claims   email_verified is absent",
            "claims   family_name is absent",
            "claims   given_name is absent",
            "claims   groups: 2 mapped",
            "claims   locale is absent",
            "claims   name is absent",
            "claims   picture is absent",
            "claims   roles: 2 mapped",
            "claims   tenant is absent",
            "account  created",
            "roles    role Admin: asserted by the provider",
            "roles    1 asserted roles are not declared: ignored",
            "roles    role viewer: by rule",
            "roles    role red:admin: by rule",
            "roles    role viewer: given to this user",
            "client   require holds",
            "release  claim tier: removed by the client's claims",
        ]
        .map(str::to_owned)
    );
    let json = serde_json::to_value(&decision.trace).unwrap();
    assert_eq!(json["refused"], Value::Null);
    assert_eq!(
        json["steps"][12],
        json!({ "stage": "account", "text": "created", "path": "providers.corp.create_users", "file": "broker.toml", "line": 7 })
    );
}

#[test]
fn a_refusal_ends_the_trace_with_its_reason() {
    let claims = object(json!({ "sub": "1", "preferred_username": "bob", "groups": "banned" }));
    let refusal = decide(&policy(), "closed", &claims, &AccountFacts::default()).unwrap_err();
    let text = refusal.trace.to_string();
    assert!(text.ends_with("refused  not_allowed\n"), "{text}");
    // `in` on a string is an error, and an error refuses.
    assert!(text.contains("allow is neither true nor false"), "{text}");
    assert!(!text.contains("banned"), "values stay out: {text}");
}

#[test]
fn what_says_an_address_is_verified_goes_where_the_address_goes() {
    let policy = policy();
    let stored = object(json!({ "email": "old@x.example", "email_verified": true, "name": "Old", "department": "A" }));
    let account = Account { username: "alice".to_owned(), profile: stored, ..Account::default() };
    let facts = AccountFacts { linked: Some(account), ..AccountFacts::default() };
    let claims = object(json!({ "sub": "1", "email": "new@x.example", "email_verified": false, "name": "New" }));
    let decision = decide(&policy, "corp", &claims, &facts).unwrap_or_else(|r| panic!("{}", r.trace));
    let expected = json!({ "email": "new@x.example", "email_verified": false, "name": "Old", "department": "A" });
    assert_eq!(Value::Object(decision.profile), expected);
    // Gone upstream, gone here.
    let claims = object(json!({ "sub": "1", "name": "New" }));
    let decision = decide(&policy, "corp", &claims, &facts).unwrap_or_else(|r| panic!("{}", r.trace));
    assert_eq!(Value::Object(decision.profile), json!({ "name": "Old", "department": "A" }));
}

#[test]
fn users_declared_by_name_may_enter_where_no_others_are_made() {
    let policy = policy();
    let facts = AccountFacts::default();
    let claims = |name: &str| object(json!({ "sub": "1", "preferred_username": name, "groups": ["x"] }));
    let alice = decide(&policy, "closed", &claims("Alice"), &facts).unwrap_or_else(|r| panic!("{}", r.trace));
    assert_eq!(alice.granted.roles, ["viewer"]);
    assert_eq!(decide(&policy, "closed", &claims("bob"), &facts).unwrap_err().reason.code(), "user_not_declared");
}

#[test]
fn the_quick_look_at_a_name_never_changes_what_a_pattern_matches() {
    use crate::decision::policy::{Pattern, whole_value};
    let patterns = [
        "^app-(?<a>[a-z]+)$",
        "app-?(?<a>[a-z]*)",
        "team|app-x",
        "^team|app-x$",
        "(team|app)-(?<a>x)",
        "app-(?<a>x|y)",
        "ab*c",
        "ab{0}c",
        "ab+c",
        "(?i)APP-X",
        "a\\.b",
        "[(]x|y",
        "(?x) app-x",
        "",
        "é(?<a>.)",
        "^^app-x",
        "app-x$",
        "a/b:c@d_e-(?<a>.*)",
        "x\\|y|z",
    ];
    let items = [
        "app-x",
        "app-y",
        "app",
        "app-",
        "team",
        "team-x",
        "ac",
        "abc",
        "abbc",
        "c",
        "APP-X",
        "a.b",
        "axb",
        "(x",
        "y",
        "",
        "éa",
        "é",
        "a/b:c@d_e-f",
        "x|y",
        "z",
        "xapp-x",
        "app-xx",
    ];
    for pattern in patterns {
        let (quick, whole) = (Pattern::new(pattern).unwrap(), whole_value(pattern).unwrap());
        for item in items {
            assert_eq!(quick.captures(item).is_some(), whole.is_match(item), "{pattern} {item}");
        }
    }
}

#[test]
fn ten_thousand_people_are_replayed_in_two_seconds() {
    use crate::analysis::plan::{Known, KnownLink, Side, Subjects, plan};
    let (old_config, old) = compiled(FILE);
    let (new_config, new) = compiled(&FILE.replace("'sre' in groups &&", "'sre-leads' in groups &&"));
    let subjects = Subjects::new();
    let people = (0..10_000).map(|n: u32| {
        let name = format!("person-{n}");
        let groups: Vec<String> =
            (0..10).map(|g| if g == n % 40 { "sre".to_owned() } else { format!("group-{g}") }).collect();
        let claims =
            object(json!({ "sub": name, "preferred_username": name, "email": "a@b.example", "groups": groups }));
        let account = Account { id: name.clone(), username: name.clone(), ..Account::default() };
        let link = KnownLink {
            provider: "corp".to_owned(),
            issuer: "https://login.example".to_owned(),
            subject: name,
            claims,
        };
        Ok::<_, std::convert::Infallible>(Known { account, links: vec![link] })
    });
    let started = std::time::Instant::now();
    let side = |config, policy| Side { config, policy, settings: &[], subjects: &subjects };
    let plan =
        plan(side(&old_config, &old), side(&new_config, &new), Some(people)).unwrap_or_else(|never| match never {});
    let took = started.elapsed();
    let people = plan.people.unwrap();
    assert_eq!((people.known, people.affected.len()), (10_000, 2_500));
    // Two seconds are meant for a release build; unoptimised it may take ten times as long on a busy machine.
    let limit = if cfg!(debug_assertions) { 60 } else { 2 };
    assert!(took.as_secs() < limit, "{took:?}");
}
