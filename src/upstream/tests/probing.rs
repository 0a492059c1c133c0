//! The examination of a provider: what each step says, and what a sign-in would lack.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::support::provider::{Answer, IDP_SECRET};
use crate::upstream::probe::{Asked, Credentials, Examination, Outcome, Somebody};

/// Examines the provider of a world.
async fn examined(world: &World, extra: &str, credentials: Credentials) -> Examination {
    let declared = toml::from_str(&format!("issuer = \"{ISSUER}\"\nclient_id = \"broker\"\n{extra}")).unwrap();
    world.rp.examine(&world.settings, &declared, credentials, Somebody::default(), NOW).await
}

fn step(found: &Examination, asked: Asked) -> (Outcome, String) {
    let step = found.steps.iter().find(|step| step.asked == asked).unwrap();
    (step.outcome, step.answer.clone())
}

#[tokio::test]
async fn a_provider_that_knows_us_refuses_only_the_code() {
    let world = World::new("");
    world.idp.authenticate(|call| call.authorization == Some(format!("Basic {}", STANDARD.encode("broker:s3cret"))));
    let found = examined(&world, "", Credentials::Send).await;
    let outcomes: Vec<Outcome> = found.steps.iter().map(|step| step.outcome).collect();
    assert_eq!(outcomes, [Outcome::Fine; 4], "{found:?}");
    assert!(step(&found, Asked::Authorize).1.contains("knows our client_id and redirect URI"), "{found:?}");
    assert!(!found.has_trouble());
    assert_eq!(step(&found, Asked::Keys).1, "1 usable key, for RS256");
    assert!(step(&found, Asked::Token).1.contains("it accepts our credentials"), "{found:?}");
    let call = world.idp.calls("token").remove(0);
    assert!(call.authorization.is_some() && call.form.contains_key("code_verifier"), "{call:?}");
    assert_eq!(call.form.get("grant_type").map(String::as_str), Some("authorization_code"));
    assert!(!format!("{found:?}").contains("s3cret") && !format!("{found:?}").contains(IDP_SECRET));
    assert_eq!(world.rp.health(&world.settings), crate::upstream::Health::default(), "health is of sign-ins alone");
}

#[tokio::test]
async fn each_trouble_is_said_in_words() {
    for (status, body, outcome, part) in [
        (
            401,
            json!({ "error": "invalid_client", "error_description": "wrong" }),
            Outcome::Trouble,
            "invalid_client \"wrong\"",
        ),
        (401, json!("no"), Outcome::Trouble, "status 401"),
        (400, json!({ "error": "unauthorized_client" }), Outcome::Trouble, "refuses our credentials"),
        (400, json!({ "error": "redirect_uri_mismatch" }), Outcome::Unclear, "redirect_uri_mismatch"),
        (200, json!({ "error": "incorrect_client_credentials" }), Outcome::Trouble, "refuses our credentials"),
        // Said to a wrong secret too.
        (200, json!({ "error": "bad_verification_code" }), Outcome::Unclear, "whatever the secret"),
        (400, json!({ "error": "invalid_grant" }), Outcome::Unclear, "only a sign-in shows whether ours is right"),
        (503, json!({}), Outcome::Trouble, "status 503"),
        (200, token_response("x.y.z"), Outcome::Trouble, "never issued"),
    ] {
        let world = World::new("");
        world.idp.status("/token", status, body);
        let found = examined(&world, "", Credentials::Send).await;
        let (got, answer) = step(&found, Asked::Token);
        assert!(got == outcome && answer.contains(part), "{answer}");
        assert_eq!(found.has_trouble(), outcome == Outcome::Trouble);
    }
    let world = World::new("");
    world.idp.status("/.well-known/openid-configuration", 404, json!({}));
    let found = examined(&world, "", Credentials::Send).await;
    assert_eq!((found.steps.len(), step(&found, Asked::Discovery)), (1, (Outcome::Trouble, "status 404".to_owned())));
    let world = World::new("");
    world.idp.answer("jwks", Answer::json(200, &json!({ "keys": [] })));
    world.idp.status("/token", 400, json!({ "error": "invalid_grant" }));
    let found = examined(&world, "", Credentials::Send).await;
    assert_eq!(step(&found, Asked::Keys), (Outcome::Trouble, "it has no supported key".to_owned()));
    assert_eq!(step(&found, Asked::Token).0, Outcome::Unclear, "the token endpoint is asked all the same");
    // With a shared secret there need be no key.
    let shared = "id_token_signed_response_alg = \"HS256\"";
    let world = World::new(shared);
    world.idp.answer("jwks", Answer::json(200, &json!({ "keys": [] })));
    let found = examined(&world, shared, Credentials::Withhold("not today")).await;
    assert_eq!(step(&found, Asked::Keys).0, Outcome::Skipped);
    assert!(!found.has_trouble());
    let world = World::new("");
    world.discovery(|document| set(document, "id_token_signing_alg_values_supported", json!(["ES256"])));
    let found = examined(&world, "", Credentials::Withhold("not today")).await;
    assert_eq!(step(&found, Asked::Keys).0, Outcome::Trouble);
    assert_eq!(step(&found, Asked::Token), (Outcome::Skipped, "not today".to_owned()));
    assert_eq!(world.idp.count("token"), 0);
}

#[tokio::test]
async fn what_a_sign_in_would_lack_is_listed() {
    let extra = "scopes = [\"openid\", \"groups\"]\ntoken_endpoint_auth_method = \"client_secret_post\"\nresponse_mode = \"form_post\"";
    let world = World::new(extra);
    world.idp.status("/token", 400, json!({ "error": "invalid_grant" }));
    world.discovery(|document| {
        unset(document, "userinfo_endpoint");
        unset(document, "end_session_endpoint");
        set(document, "scopes_supported", json!(["openid"]));
        set(document, "claims_supported", json!(["sub", "email"]));
        set(document, "response_modes_supported", json!(["query"]));
        set(document, "token_endpoint_auth_methods_supported", json!(["client_secret_basic"]));
        set(document, "code_challenge_methods_supported", json!(["plain"]));
        set(document, "introspection_endpoint", json!("ftp://x"));
    });
    let found = examined(&world, extra, Credentials::Send).await;
    let first: Vec<&str> = found.missing.iter().filter_map(|text| text.split(':').next()).collect();
    let expected = [
        "scope groups",
        "a username",
        "groups",
        "userinfo",
        "sign-out at the provider",
        "response_mode = \"form_post\"",
        "client_secret_post",
        "PKCE",
        "introspection_endpoint",
    ];
    assert_eq!(first, expected);
    assert!(!found.has_trouble());
    assert!(!world.idp.calls("token").pop().unwrap().form.contains_key("code_verifier"));
    // A provider that answers only in a form needs the setting.
    for (extra, lacks) in [(extra, false), ("", true)] {
        let world = World::new(extra);
        world.discovery(|document| set(document, "response_modes_supported", json!(["form_post"])));
        let found = examined(&world, extra, Credentials::Withhold("")).await;
        assert_eq!(found.missing.iter().any(|text| text.starts_with("an answer in the query")), lacks, "{found:?}");
    }
    // A mapped username, and a provider that says nothing, lack nothing.
    let mapped = examined(&world, "claims = { username = \"claims.email\" }", Credentials::Send).await;
    assert!(!mapped.missing.iter().any(|text| text.starts_with("a username")));
    assert_eq!(examined(&World::new(""), "", Credentials::Withhold("")).await.missing, [""; 0]);
}

#[tokio::test]
async fn a_pushed_request_tells_whether_the_provider_knows_our_callback() {
    for (status, body, outcome, part) in [
        (201, json!({ "request_uri": "urn:x", "expires_in": 60 }), Outcome::Fine, "accepts our authorization requests"),
        (400, json!({ "error": "invalid_redirect_uri" }), Outcome::Trouble, "invalid_redirect_uri"),
        (404, json!({}), Outcome::Trouble, "status 404"),
    ] {
        let world = World::new("");
        world.discovery(|document| {
            set(document, "pushed_authorization_request_endpoint", json!(format!("{ISSUER}/par")));
            set(document, "require_pushed_authorization_requests", json!(true));
        });
        world.idp.status("/par", status, body);
        let found = examined(&world, "", Credentials::Send).await;
        let (got, answer) = step(&found, Asked::Push);
        assert!(got == outcome && answer.contains(part), "{answer}");
        let withheld = examined(&world, "", Credentials::Withhold("not today")).await;
        assert!(withheld.steps.iter().all(|step| step.asked != Asked::Push));
    }
}

#[tokio::test]
async fn what_a_provider_s_error_code_means_is_said() {
    for (error, text, hint) in [
        ("invalid_client", "AADSTS7000215: Invalid client secret provided.", "not its Secret ID"),
        ("unauthorized_client", "AADSTS700016: Application was not found", "Application (client) ID"),
        ("invalid_client", "The OAuth client was not found.", ".apps.googleusercontent.com"),
        ("unauthorized_client", "Invalid client or Invalid client credentials", "tab Credentials"),
    ] {
        let world = World::new("");
        world.idp.status("/token", 401, json!({ "error": error, "error_description": text }));
        let found = examined(&world, "", Credentials::Send).await;
        let (outcome, answer) = step(&found, Asked::Token);
        assert!(outcome == Outcome::Trouble && answer.contains(hint), "{answer}");
    }
}

#[tokio::test]
async fn a_document_for_many_tenants_needs_those_that_may_sign_in() {
    let many = |document: &mut Value| set(document, "issuer", format!("{ISSUER}/{{tenantid}}/v2.0").into());
    for (lines, outcome, part) in [
        ("preset = \"entra\"", Outcome::Trouble, "say in `tenants` which may sign in"),
        ("preset = \"entra\"\ntenants = [\"9f3c0000-0000-0000-0000-00000000000a\"]", Outcome::Fine, "{tenantid}"),
    ] {
        let world = World::new(lines);
        world.discovery(many);
        let found = examined(&world, lines, Credentials::Withhold("no")).await;
        let (got, answer) = step(&found, Asked::Discovery);
        assert!(got == outcome && answer.contains(part), "{answer}");
        assert!(found.missing.iter().any(|missing| missing.contains("Add groups claim")), "{:?}", found.missing);
    }
    let world = World::new("");
    world.discovery(|document| set(document, "claims_supported", json!(["sub", "preferred_username"])));
    let missing = examined(&world, "", Credentials::Withhold("no")).await.missing;
    assert!(missing.iter().any(|missing| missing.starts_with("groups: ")), "{missing:?}");
}

const DIRECTORY: &str = "credentials = \"scim-token\"";

/// A provider whose groups come from a directory.
fn with_directory() -> (World, String) {
    let lines = format!("groups_from = {{ source = \"scim\", url = \"{ISSUER}/scim\", {DIRECTORY} }}");
    let mut world = World::new(&lines);
    world.settings.directory_token = Some(SecretValue::new("scim-token".to_owned()));
    world.idp.status("/token", 400, json!({ "error": "invalid_grant" }));
    (world, lines)
}

#[tokio::test]
async fn the_api_that_groups_come_from_is_asked_where_the_broker_has_an_account_there() {
    let nobody = json!({ "totalResults": 0, "Resources": [] });
    let everybody = json!({ "totalResults": 1, "Resources": [{ "id": "1", "userName": "admin" }] });
    for (status, body, outcome, part) in [
        (200, nobody, Outcome::Fine, "it answers, and applies the filter"),
        (200, everybody, Outcome::Trouble, "users that the filter does not name"),
        (401, json!({}), Outcome::Trouble, "groups_from.credentials"),
        (403, json!({}), Outcome::Trouble, "its permissions in the directory"),
        (503, json!({}), Outcome::Unclear, "status 503"),
        (200, json!([]), Outcome::Trouble, "no totalResults"),
    ] {
        let (world, lines) = with_directory();
        world.idp.status("/scim/Users", status, body);
        let found = examined(&world, &lines, Credentials::Send).await;
        let (got, answer) = step(&found, Asked::Groups);
        assert!(got == outcome && answer.contains(part), "{got:?} {answer}");
        assert!(!format!("{found:?}").contains("scim-token"));
        let withheld = examined(&world, &lines, Credentials::Withhold("not today")).await;
        assert_eq!(step(&withheld, Asked::Groups), (Outcome::Skipped, "not today".to_owned()));
        assert_eq!(world.idp.count("/scim/Users"), 1);
    }
    // What is asked as the person can't be asked without one.
    let lines = "groups_from = { source = \"gitlab\", url = \"https://git.example/api/v4\" }";
    let world = World::new(lines);
    world.idp.status("/token", 400, json!({ "error": "invalid_grant" }));
    let found = examined(&world, lines, Credentials::Send).await;
    let (got, answer) = step(&found, Asked::Groups);
    assert!(got == Outcome::Skipped && answer.contains("--access-token"), "{answer}");
    assert!(
        examined(&World::new(""), "", Credentials::Withhold(""))
            .await
            .steps
            .iter()
            .all(|step| step.asked != Asked::Groups)
    );
}

#[tokio::test]
async fn tokens_that_can_be_bound_to_a_key_are_told() {
    let lines = "dpop_bound_access_tokens = true";
    for (settings, listed, part) in [
        ("", Some(json!(["ES256"])), Some("set dpop_bound_access_tokens = true")),
        ("", None, None),
        (lines, None, Some("does not have dpop_signing_alg_values_supported")),
        (lines, Some(json!(["ES256"])), None),
    ] {
        let world = World::new(settings);
        if let Some(listed) = listed {
            world.discovery(|document| set(document, "dpop_signing_alg_values_supported", listed));
        }
        let missing = examined(&world, settings, Credentials::Withhold("no")).await.missing;
        let told = missing.iter().find(|missing| missing.contains("DPoP"));
        assert_eq!(told.is_some(), part.is_some(), "{missing:?}");
        assert!(part.is_none_or(|part| told.is_some_and(|told| told.contains(part))), "{missing:?}");
    }
    let world = World::new(lines);
    world.discovery(|document| set(document, "dpop_signing_alg_values_supported", json!(["EdDSA"])));
    let found = examined(&world, lines, Credentials::Send).await;
    let (outcome, answer) = step(&found, Asked::Token);
    assert!(outcome == Outcome::Trouble && answer.contains("ES256"), "{answer}");
}

#[tokio::test]
async fn what_to_compare_is_said_for_each_product() {
    for (preset, part) in
        [("apple", "Services ID"), ("authentik", "Confidential"), ("keycloak", "Client authentication must be on")]
    {
        let world = World::new("");
        world.idp.status("/token", 401, json!({ "error": "invalid_client" }));
        let found = examined(&world, &format!("preset = \"{preset}\""), Credentials::Send).await;
        assert!(step(&found, Asked::Token).1.contains(part), "{preset}");
    }
}

#[tokio::test]
async fn what_a_browser_gets_is_told_and_what_only_a_browser_can_see_is_no_trouble() {
    let callback = "https://sso.example/callback/corp";
    let back = |query: &str| Answer::Redirect(format!("{callback}?{query}&state=x"));
    let page = |status, text: &str| Answer::Raw(status, "text/html", text.as_bytes().to_vec());
    let posted = format!("<form action=\"{callback}\"><input name=\"error\" value=\"login_required\"></form>");
    for (answer, outcome, part) in [
        (back("error=interaction_required"), Outcome::Fine, "wants somebody to sign in (interaction_required)"),
        (Answer::Redirect(format!("{callback}#error=login_required")), Outcome::Fine, "(login_required)"),
        (back("code=1"), Outcome::Fine, "it knows our client_id and redirect URI"),
        (back("error=invalid_scope&error_description=no+x"), Outcome::Trouble, "invalid_scope \"no x\""),
        (back("error=temporarily_unavailable"), Outcome::Unclear, "temporarily_unavailable"),
        (Answer::Redirect("/login?next=1".to_owned()), Outcome::Unclear, "it lets people sign in first"),
        (Answer::Redirect(format!("{callback}.evil?error=login_required")), Outcome::Unclear, callback),
        (page(200, &posted), Outcome::Fine, "it posts to our redirect URI"),
        (page(400, &posted), Outcome::Fine, "it posts to our redirect URI"),
        (page(200, "<h1>Sign in</h1>"), Outcome::Unclear, "it shows a page"),
        (page(400, "<h1>Sorry</h1>"), Outcome::Trouble, "register the redirect URI https://sso.example/callback/corp"),
        (page(403, "<h1>Are you a robot?</h1>"), Outcome::Unclear, "status 403"),
        (page(503, ""), Outcome::Unclear, "status 503"),
        (Answer::Fails(crate::outbound::OutboundError::Timeout), Outcome::Unclear, "people's browsers go there"),
    ] {
        let world = World::new("");
        world.idp.status("/token", 400, json!({ "error": "invalid_grant" }));
        world.idp.answer("/authorize", answer.clone());
        let found = examined(&world, "", Credentials::Withhold("no")).await;
        let (got, said) = step(&found, Asked::Authorize);
        assert!(got == outcome && said.contains(part), "{answer:?}: {got:?} {said}");
        assert_eq!(found.has_trouble(), outcome == Outcome::Trouble);
        let call = world.idp.calls("/authorize").remove(0);
        assert!(call.authorization.is_none() && call.url.contains("prompt=none"), "{call:?}");
    }
}
