//! The examination of the API that groups come from, asked about somebody.

use super::*;
use crate::decision::subject_rule::SubjectRule;
use crate::expression::{Compiler, Place};
use crate::outbound::OutboundError;
use crate::upstream::probe::{Asked, Credentials, Examination, Outcome, Somebody};

const TOKEN: &str = "canary-access-token";

/// A source that is asked as the person, and where.
struct Api {
    lines: &'static str,
    path: &'static str,
    /// An answer with one group.
    good: fn() -> Value,
    said: &'static str,
    /// What the administrator has to grant.
    way_out: &'static str,
}

const APIS: [Api; 3] = [
    Api {
        lines: "groups_from = { source = \"graph\", url = \"https://graph.example/v1.0\" }",
        path: "/v1.0/me/getMemberObjects",
        good: || json!({ "value": ["1b2c0000-0000-0000-0000-000000000001"] }),
        said: "it answers: 1 in claims.groups",
        way_out: "in the app registration under API permissions",
    },
    Api {
        lines: "groups_from = { source = \"gitlab\", url = \"https://git.example/api/v4\" }",
        path: "/api/v4/groups",
        good: || json!([{ "full_path": "corp/platform" }]),
        said: "it answers: 1 in claims.groups",
        way_out: "add \"read_api\" to scopes",
    },
    Api {
        lines: "preset = \"github\"\nbase_url = \"https://idp.example\"\norganizations = [\"acme\"]",
        path: "/api/v3/user/orgs",
        good: || json!([{ "login": "acme" }]),
        said: "it answers: 2 in claims.groups, 1 in claims.organizations",
        way_out: "it needs the scope read:org",
    },
];

fn settings(lines: &str) -> (ProviderSettings, crate::config::language::provider::Provider) {
    let own = if lines.contains("github") { String::new() } else { format!("issuer = \"{ISSUER}\"\n") };
    let declared: crate::config::language::provider::Provider =
        toml::from_str(&format!("{own}client_id = \"broker\"\n{lines}")).unwrap();
    let secrets =
        ResolvedSecrets { client_secret: vec![SecretValue::new("s3cret".to_owned())], ..ResolvedSecrets::default() };
    let settings = ProviderSettings::new("corp", &declared, secrets, "https://sso.example").unwrap();
    let subject = crate::config::resolved::preset::subject(&declared);
    let mut compiler = Compiler::new(crate::expression::Tables::default());
    let rule = subject.map(|subject| {
        let compiled = compiler.compile(Place::Claims, subject.as_str()).unwrap();
        SubjectRule::new(compiled, compiler.engine())
    });
    (settings.with_subject(rule), declared)
}

/// Examines a provider whose API answers like this.
async fn examined(api: &Api, answer: Answer, token: Option<&str>) -> (Examination, Arc<Idp>) {
    let world = World::new("");
    world.idp.status("/api/v3/user", 200, json!({ "id": 7, "login": "dora" }));
    world.idp.status("/api/v3/user/emails", 200, json!([]));
    world.idp.status("/api/v3/user/teams", 200, json!([{ "slug": "sre", "organization": { "login": "acme" } }]));
    world.idp.answer(api.path, answer);
    let (settings, declared) = settings(api.lines);
    let token = token.map(|token| SecretValue::new(token.to_owned()));
    let somebody = Somebody { claims: None, access_token: token.as_ref() };
    let found = world.rp.examine(&settings, &declared, Credentials::Withhold("no"), somebody, NOW).await;
    assert!(!format!("{found:?}").contains("canary"), "{found:?}");
    (found, world.idp)
}

fn groups(found: &Examination) -> (Outcome, String) {
    let step = found.steps.iter().find(|step| step.asked == Asked::Groups).unwrap();
    (step.outcome, step.answer.clone())
}

#[tokio::test]
async fn with_an_access_token_the_api_of_the_person_is_asked_and_its_answer_said() {
    for api in &APIS {
        let (found, idp) = examined(api, Answer::json(200, &(api.good)()), Some(TOKEN)).await;
        assert_eq!(groups(&found), (Outcome::Fine, api.said.to_owned()), "{}", api.lines);
        let calls = idp.calls(api.path);
        assert!(calls.iter().all(|call| call.authorization == Some(format!("Bearer {TOKEN}"))), "{calls:?}");
        let (found, idp) = examined(api, Answer::json(200, &(api.good)()), None).await;
        assert_eq!((groups(&found).0, idp.count(api.path)), (Outcome::Skipped, 0));
    }
}

#[tokio::test]
async fn why_the_api_of_the_person_gives_no_groups_is_said_with_the_way_out() {
    let html = |status| Answer::Raw(status, "text/html", b"<html>Sign in</html>".to_vec());
    let truncated = || Answer::Raw(200, "application/json", b"[{\"full_path\": \"co".to_vec());
    for api in &APIS {
        for (answer, outcome, part) in [
            (Answer::json(401, &json!({})), Outcome::Trouble, "which has expired or is for another service"),
            (Answer::json(403, &json!({})), Outcome::Trouble, api.way_out),
            (html(403), Outcome::Trouble, api.way_out),
            (Answer::json(404, &json!({})), Outcome::Trouble, api.way_out),
            (Answer::json(429, &json!({})), Outcome::Unclear, "this does not say whether it lists groups"),
            (Answer::json(500, &json!({})), Outcome::Unclear, "status 500"),
            (html(200), Outcome::Trouble, "it is not a JSON"),
            (truncated(), Outcome::Trouble, "it is not a JSON"),
            (Answer::json(200, &json!("groups")), Outcome::Trouble, "it is not a JSON"),
            (Answer::Fails(OutboundError::Timeout), Outcome::Trouble, "no answer in time"),
            (Answer::Fails(OutboundError::TooLarge(1 << 20)), Outcome::Trouble, "larger than"),
        ] {
            let (found, idp) = examined(api, answer.clone(), Some(TOKEN)).await;
            let (got, said) = groups(&found);
            assert!(got == outcome && said.contains(part), "{} {answer:?}: {got:?} {said}", api.lines);
            assert!(idp.count(api.path) <= 1, "{}: asked once", api.lines);
        }
    }
}

#[tokio::test]
async fn a_list_without_end_costs_no_more_than_at_a_sign_in() {
    let full: Vec<Value> = (0..100).map(|number| json!({ "full_path": format!("corp/{number}") })).collect();
    let gitlab = &APIS[1];
    let (found, idp) = examined(gitlab, Answer::json(200, &full.into()), Some(TOKEN)).await;
    let (outcome, said) = groups(&found);
    assert!(outcome == Outcome::Trouble && said.contains("groups_from.max_groups"), "{said}");
    assert!(idp.count(gitlab.path) <= 64);
    let graph = &APIS[0];
    let next = json!({ "value": [], "@odata.nextLink": "https://graph.example/v1.0/me/getMemberObjects?again" });
    let (found, idp) = examined(graph, Answer::json(200, &next), Some(TOKEN)).await;
    assert!(groups(&found).1.contains("its list does not end"), "{found:?}");
    assert_eq!(idp.count(graph.path), 64);
}

#[tokio::test]
async fn a_directory_is_asked_about_the_person_whose_claims_are_known() {
    let lines =
        format!("groups_from = {{ source = \"scim\", url = \"{ISSUER}/scim\", credentials = \"canary-scim\" }}");
    let dora = json!({ "id": "7", "userName": "dora", "groups": [{ "value": "g1", "display": "sre" }] });
    for (claims, outcome, part) in [
        (json!({ "preferred_username": "dora" }), Outcome::Fine, "1 in claims.groups, 1 in claims.group_ids"),
        (json!({ "sub": "7" }), Outcome::Trouble, "lack what it knows people by"),
    ] {
        let world = World::new("");
        world.idp.status("/scim/Users", 200, json!({ "totalResults": 1, "Resources": [dora] }));
        let (mut settings, declared) = settings(&lines);
        settings.directory_token = Some(SecretValue::new("canary-scim".to_owned()));
        let somebody = Somebody { claims: claims.as_object(), access_token: None };
        world.idp.status("/token", 400, json!({ "error": "invalid_grant" }));
        let found = world.rp.examine(&settings, &declared, Credentials::Send, somebody, NOW).await;
        let (got, said) = groups(&found);
        assert!(got == outcome && said.contains(part), "{said}");
    }
}
