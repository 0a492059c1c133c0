//! The decision as a whole: properties that hold for any document, and the text of a trace.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, clippy::panic, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::decision::account::{Account, AccountFacts};
use crate::decision::app::AppRequest;
use crate::decision::pipeline::{Decision, Evidence, begin};
use crate::decision::policy::Policy;
use crate::decision::testing::{compiled, line_of};
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

/// JSON of any shape, with names that the policy reads and others.
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
        // Names that nothing maps, at the top level and below.
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
    let text = decision.trace.to_string();
    let lines: Vec<&str> = text.lines().collect();
    let at = |part: &str| format!("  [broker.toml:{}]", line_of(FILE, part));
    assert_eq!(
        lines,
        [
            format!("claims   username mapped{}", at("username = [")),
            format!("claims   department is absent{}", at("department = ")),
            "claims   groups: 2 mapped  [providers.corp.claims.groups (default)]".to_owned(),
            format!("claims   roles: 2 mapped{}", at("roles = [\"claims.roles\"")),
            format!("claims   tenant is absent{}", at("tenant = ")),
            "account  created  [providers.corp.create_users (default)]".to_owned(),
            format!("roles    role Admin: asserted by the provider{}", at("[roles.Admin]")),
            format!("roles    1 asserted role is not declared: ignored{}", at("[providers.corp]")),
            format!("roles    role viewer: by rule{}", at("[[role_rules]]")),
            // The second rule, three lines further down.
            format!("roles    role red:admin: by rule  [broker.toml:{}]", line_of(FILE, "[[role_rules]]") + 3),
            format!("roles    role viewer: given to this user{}", at("[users.alice]")),
            format!("client   require holds{}", at("require = ")),
            format!("release  claim tier: removed by the client's claims{}", at("tier = ")),
        ]
    );
    let json = serde_json::to_value(&decision.trace).unwrap();
    assert_eq!(json["refused"], Value::Null);
    assert_eq!(
        json["steps"][0],
        json!({ "stage": "claims", "text": "username mapped", "path": "providers.corp.claims.username", "file": "broker.toml", "line": 11 })
    );
    assert_eq!(
        json["steps"][5],
        json!({ "stage": "account", "text": "created", "path": "providers.corp.create_users" }),
        "a default has no line"
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
    // A claim that the provider no longer sends is also removed from the profile.
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
fn a_claim_that_nobody_mapped_is_left_out_with_a_step_that_says_so() {
    let file = "issuer = \"https://sso.example.com\"\n[providers.kc]\npreset = \"keycloak\"\nissuer = \"https://kc.example\"\nclient_id = \"c\"\n[clients.app]\n";
    let (_, policy) = compiled(file);
    let claims = object(json!({
        "sub": "1", "username": 7, "preferred_username": "mara", "locale": { "secret": "x" }, "address": { "region": "" },
        "roles": [{ "name": "secret" }], "realm_access": { "roles": ["viewer"] }, "groups": 7, "nickname": "",
    }));
    let decision = decide(&policy, "kc", &claims, &AccountFacts::default()).unwrap_or_else(|r| panic!("{}", r.trace));
    let trace = decision.trace.to_string();
    assert_eq!((decision.account.username.as_str(), decision.groups), ("mara", Vec::new()));
    assert_eq!(Value::Object(decision.profile), json!({}));
    let (over, out, list) =
        ("a claim is passed over", "left out", "it must be a string or a list of strings, but it is a");
    for (name, step) in [
        ("username", format!("{over}: it has the wrong type: it is a number")),
        ("locale", format!("{out}: it has the wrong type: it is an object")),
        ("groups", format!("{out}: {list} number")),
        ("roles", format!("{over}: {list} list with something other than strings")),
    ] {
        let line = format!("{name}: {step}  [providers.kc.claims.{name} (default)]\n");
        assert!(trace.contains(&line), "{line} not in {trace}");
    }
    assert!(trace.contains("roles: 1 mapped") && !trace.contains("secret") && !trace.contains("nickname"), "{trace}");
}

#[test]
fn a_long_trace_is_abridged_and_keeps_how_it_ended() {
    use crate::decision::trace::{Stage, Trace};
    let mut trace = Trace::default();
    for n in 0..10_000 {
        trace.add(Stage::Roles, None, format!("role number-{n}: asserted by the provider"));
    }
    let trace = trace.refuse(Stage::Client, None, super::reason::Reason::NotAllowed, "require does not hold").trace;
    for bytes in [0, 100, 1000, 32_768] {
        let steps = trace.abridged(bytes);
        let json = serde_json::to_string(&steps).unwrap();
        assert!(json.len() < bytes + 300, "{bytes}: {}", json.len());
        let gap = steps.iter().find(|step| step.text.contains("left out")).unwrap();
        let said: usize = gap.text.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(said + steps.len() - 1, trace.steps.len(), "{bytes}: {}", gap.text);
        if bytes >= 1000 {
            assert_eq!((steps.first(), steps.last()), (trace.steps.first(), trace.steps.last()), "{bytes}");
        }
    }
    assert_eq!(trace.abridged(10_000_000).as_ref(), trace.steps, "a trace that fits is kept whole");
}
