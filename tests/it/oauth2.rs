//! Providers that are not plain OpenID Connect: any OAuth 2.0 service, LinkedIn, Sign in with Apple.

use countersign::outbound::OutboundError;
use http::Method;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

use crate::harness::compose::prepared;
use crate::harness::{Answer, Authorize, BASE, Browser, IDP, Reply, TestApp, Tokens, alice, with};
use crate::support::keys::encode;

/// [`BASE`] with this preset and these lines for its provider, without what BASE sets of it.
fn config(preset: &str, lines: &str) -> String {
    let (head, rest) = BASE.split_once("issuer = \"https://idp.example\"\n").unwrap();
    format!("{head}preset = \"{preset}\"\n{}", rest.replacen("[clients.app]", &format!("{lines}\n[clients.app]"), 1))
}

/// A service without an issuer, whose people have a number.
const SERVICE: &str = "authorization_endpoint = \"https://idp.example/authorize\"\ntoken_endpoint = \"https://idp.example/token\"\n\
     userinfo_endpoint = \"https://idp.example/userinfo\"\nscopes = [\"read\"]\nsubject = \"string(claims.account.id)\"";

async fn service(lines: &str) -> TestApp {
    let app = TestApp::from(&config("oauth2", &format!("{SERVICE}\n{lines}"))).await;
    app.idp().edit_token_response(|response| {
        response.remove("id_token");
        response.remove("expires_in");
    });
    app.idp().edit_userinfo(|claims| {
        let sub = claims.remove("sub").unwrap();
        claims.entry("account").or_insert_with(|| json!({ "id": sub.as_str().unwrap().parse::<u64>().unwrap() }));
    });
    app
}

async fn attempt(app: &TestApp, person: &Value) -> Reply {
    app.through_provider(&mut Browser::new(), &Authorize::of("app"), person).await
}

#[tokio::test]
async fn the_profile_of_an_oauth_service_says_who_signed_in() {
    let app = service("[providers.staff.claims]\ngroups = \"claims.teams\"").await;
    let person = with(alice(), json!({ "teams": ["a", "b"] }));
    let (_, tokens) = app.sign_in("app", &person).await;
    let claims = Value::from(tokens.claims());
    assert_eq!((&claims["preferred_username"], &claims["groups"]), (&json!("alice"), &json!(["a", "b"])));
    assert_eq!((app.idp().count("discovery"), app.idp().count("jwks")), (0, 0));
    assert!(!app.idp().last_request().contains_key("nonce") && app.idp().last_request().contains_key("code_challenge"));
    let again = app.sign_in("app", &with(person, json!({ "preferred_username": "alice2" }))).await.1;
    assert_eq!(again.sub(), tokens.sub());
}

#[tokio::test]
async fn d23_a_profile_that_names_nobody_admits_nobody() {
    for (subject, part) in [
        (json!(null), "token_invalid"),
        (json!({}), "token_invalid"),
        (json!({ "id": null }), "token_invalid"),
        (json!({ "id": "" }), "token_invalid"),
        (json!({ "id": ["1"] }), "token_invalid"),
        (json!({ "id": "x".repeat(256) }), "token_invalid"),
    ] {
        let app = service("").await;
        let account = subject.clone();
        app.idp().edit_userinfo(move |claims| drop(claims.insert("account".to_owned(), account.clone())));
        let mut browser = Browser::new();
        let reply = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
        reply.assert_error_page(400, part);
        assert!(browser.session().is_none(), "{subject}");
    }
}

/// JSON numbers beyond 64 bits, and fractions, are rounded when they are read: two people would have one account.
#[tokio::test]
async fn d04_numbers_that_can_not_be_read_exactly_name_nobody() {
    for number in ["20000000000000000000", "20000000000000000001", "9007199254740993.0", "1e300", "0.1", "-1e19"] {
        let app = service("").await;
        let profile = format!("{{\"account\":{{\"id\":{number}}},\"preferred_username\":\"alice\"}}");
        app.idp().answer("userinfo", Answer::Raw(200, "application/json", profile.into_bytes()));
        attempt(&app, &alice()).await.assert_error_page(400, "token_invalid");
    }
    for number in ["18446744073709551615", "-9223372036854775808", "7.0", "9007199254740993"] {
        let app = service("").await;
        let profile = format!("{{\"account\":{{\"id\":{number}}},\"preferred_username\":\"alice\"}}");
        app.idp().answer("userinfo", Answer::Raw(200, "application/json", profile.into_bytes()));
        assert!(attempt(&app, &alice()).await.location().contains("code="), "{number}");
    }
}

#[tokio::test]
async fn d24_a_profile_that_can_not_be_read_admits_nobody() {
    for answer in [
        Answer::Fails(OutboundError::Timeout),
        Answer::Fails(OutboundError::TooLarge(1 << 20)),
        Answer::Fails(OutboundError::Redirect(302)),
        Answer::json(401, &json!({})),
        Answer::json(403, &json!({})),
        Answer::json(404, &json!({})),
        Answer::json(429, &json!({})),
        Answer::json(500, &json!({})),
        Answer::Raw(200, "text/html", b"<html>sign in</html>".to_vec()),
        Answer::Raw(200, "application/json", b"{\"account\":{\"id\":1}".to_vec()),
        Answer::json(200, &json!([{ "account": { "id": 1 } }])),
        Answer::json(200, &json!(1)),
    ] {
        let app = service("").await;
        app.idp().answer("userinfo", answer.clone());
        let mut browser = Browser::new();
        let reply = app.through_provider(&mut browser, &Authorize::of("app"), &alice()).await;
        assert!(matches!(reply.status.as_u16(), 400 | 502) && browser.session().is_none(), "{answer:?}: {reply}");
        app.idp().behave();
    }
}

#[tokio::test]
async fn a_refresh_asks_the_service_again() {
    let app = service("on_refresh = { claims = \"upstream\", max_age = \"0s\", unavailable = \"deny\" }\n[providers.staff.claims]\ngroups = \"claims.teams\"").await;
    let request = Authorize::of("app").set("scope", "openid groups offline_access");
    let person = with(alice(), json!({ "teams": ["a"] }));
    let tokens = app.sign_in_with(&mut Browser::new(), &request, &person).await;
    app.wait(60);
    app.idp().knows(&with(person.clone(), json!({ "teams": ["b"] })));
    let tokens = Tokens::read(&app.refresh("app", tokens.refresh()).await);
    assert_eq!(tokens.claims()["groups"], json!(["b"]));
    app.wait(60);
    app.idp().knows(&with(person, json!({ "account": { "id": 99 } })));
    assert_eq!(app.refresh("app", tokens.refresh()).await.status, 400, "somebody else's answer");
}

#[tokio::test]
async fn an_oauth_service_is_not_asked_for_what_it_can_not_do() {
    let app = service("").await;
    let login = Authorize::of("app").set("prompt", "login");
    Browser::new().open(&app, &login.url(&app)).await.assert_app_error("app", "login_required");
    let silent = Authorize::of("app").set("prompt", "none");
    Browser::new().open(&app, &silent.url(&app)).await.assert_app_error("app", "login_required");
    // An `iss` that nobody knows says nothing, for each provider has a callback of its own.
    app.idp().script(|script| script.iss_in_response = true);
    app.idp().edit_token_response(|response| drop(response.remove("id_token")));
    app.idp().edit_userinfo(|claims| drop(claims.insert("account".to_owned(), json!({ "id": 1 }))));
    assert!(attempt(&app, &alice()).await.location().contains("code="));
}

#[tokio::test]
async fn linkedin_s_tokens_without_nonce_and_its_texts_are_read() {
    let lines = "issuer = \"https://idp.example\"\nallow = \"claims.email_verified && claims.email.domain() == 'corp.example'\"";
    let app = TestApp::from(&config("linkedin", lines)).await;
    app.idp().authenticate(|call| call.form.contains_key("client_secret") && call.authorization.is_none());
    app.idp().edit_id_token(|claims| drop(claims.remove("nonce")));
    let person = json!({ "sub": "782bbtaQ", "name": "Dora Doe", "email": "dora@corp.example", "email_verified": "true", "locale": { "country": "US", "language": "en" } });
    let (_, tokens) = app.sign_in("app", &person).await;
    let claims = tokens.claims();
    assert_eq!((&claims["preferred_username"], &claims["email_verified"]), (&json!("dora@corp.example"), &json!(true)));
    assert!(!app.idp().last_request().contains_key("code_challenge"));
    let other = with(person, json!({ "email_verified": "false" }));
    attempt(&app, &other).await.assert_error_page(403, "not_allowed");
    // What LinkedIn says when somebody goes back.
    let leaving = Browser::new();
    let mut browser = leaving;
    let url = browser.open(&app, &Authorize::of("app").url(&app)).await.location();
    let back = app.idp().refuse(&url, "user_cancelled_login", "The user cancelled LinkedIn login");
    browser.open(&app, &back).await.assert_app_error("app", "access_denied");
}

/// A broker with Sign in with Apple, whose key is this one.
async fn apple(key: &rcgen::KeyPair) -> TestApp {
    let lines = format!(
        "issuer = \"https://idp.example\"\nteam_id = \"TEAM123456\"\nkey_id = \"KEY1234567\"\nclient_key = \"\"\"\n{}\"\"\"\n\
         allow = \"claims.email_verified\"",
        key.serialize_pem()
    );
    let config = config("apple", &lines).replace("client_secret = \"the-brokers-secret-at-the-provider\"\n", "");
    let app = TestApp::from(&config).await;
    let (x, y) = key.public_key_raw()[1..].split_at(32);
    let public = DecodingKey::from_ec_components(&encode(x), &encode(y)).unwrap();
    let now = app.now();
    app.idp().authenticate(move |call| {
        let secret = &call.form["client_secret"];
        let header = decode_header(secret).unwrap();
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[IDP]);
        validation.set_issuer(&["TEAM123456"]);
        validation.validate_exp = false;
        let claims = decode::<Value>(secret, &public, &validation).unwrap().claims;
        let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        let lives = iat >= now && exp > iat && exp - iat <= 15_777_000;
        header.kid.as_deref() == Some("KEY1234567") && claims["sub"] == "countersign" && lives
    });
    app
}

/// Apple posts its answer from its own site.
async fn posted(app: &TestApp, browser: &mut Browser, person: &Value, user: Option<&str>) -> Reply {
    let back = app.at_provider(browser, &Authorize::of("app"), person).await;
    assert_eq!(app.idp().last_request()["response_mode"], "form_post");
    let back = url::Url::parse(&back).unwrap();
    let mut fields: Vec<(String, String)> = back.query_pairs().into_owned().collect();
    fields.extend(user.map(|user| ("user".to_owned(), user.to_owned())));
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let posted = Browser::new().send(app, Method::POST, back.path(), Some(&fields), &[("origin", IDP)]).await;
    browser.open(app, &posted.location()).await
}

fn dora() -> Value {
    json!({ "sub": "001999.abc.1234", "email": "dora@corp.example", "email_verified": "true", "is_private_email": "false" })
}

#[tokio::test]
async fn apple_says_the_name_once_and_it_is_kept() {
    let key = rcgen::KeyPair::generate().unwrap();
    let app = apple(&key).await;
    let user =
        json!({ "name": { "firstName": "Dora", "lastName": "Doe" }, "email": "victim@corp.example" }).to_string();
    let reply = posted(&app, &mut Browser::new(), &dora(), Some(&user)).await;
    let first = app.tokens("app", &reply).await;
    app.wait(3600);
    let reply = posted(&app, &mut Browser::new(), &dora(), None).await;
    let second = app.tokens("app", &reply).await;
    assert_eq!(first.sub(), second.sub());
    for tokens in [first, second] {
        let claims = tokens.claims();
        for (name, value) in
            [("name", "Dora Doe"), ("given_name", "Dora"), ("family_name", "Doe"), ("email", "dora@corp.example")]
        {
            assert_eq!(claims[name], value, "{name}: the address is the token's alone");
        }
    }
    assert_eq!(app.idp().count("userinfo"), 0);
}

#[tokio::test]
async fn d19_what_the_browser_brings_as_a_name_is_a_name_or_nothing() {
    let key = rcgen::KeyPair::generate().unwrap();
    let app = apple(&key).await;
    for user in [
        "",
        "{",
        "null",
        "[]",
        "\"Dora\"",
        r#"{"name":"Dora"}"#,
        r#"{"name":{"firstName":7,"lastName":null}}"#,
        r#"{"name":{"firstName":" ","lastName":"a\u0000b"}}"#,
        r#"{"sub":"root","email":"root@corp.example","email_verified":true,"groups":["admin"]}"#,
        &json!({ "name": { "firstName": "x".repeat(5000) } }).to_string(),
    ] {
        let reply = posted(&app, &mut Browser::new(), &dora(), Some(user)).await;
        let claims = app.tokens("app", &reply).await.claims();
        assert!(claims.get("name").is_none() && claims["email"] == "dora@corp.example", "{user}: {claims:?}");
        assert!(claims.get("groups").is_none_or(|groups| *groups == json!([])), "{user}");
    }
}

#[tokio::test]
async fn a_relay_address_is_an_address_and_its_flag_a_boolean() {
    let key = rcgen::KeyPair::generate().unwrap();
    let app = apple(&key).await;
    let hidden = with(dora(), json!({ "email": "dpdcnf87nu@privaterelay.appleid.com", "is_private_email": "true" }));
    let reply = posted(&app, &mut Browser::new(), &hidden, None).await;
    assert_eq!(app.tokens("app", &reply).await.claims()["email"], "dpdcnf87nu@privaterelay.appleid.com");
    let unverified = with(dora(), json!({ "email_verified": "false" }));
    posted(&app, &mut Browser::new(), &unverified, None).await.assert_error_page(403, "not_allowed");
    // The key that signs the secret is nobody else's business.
    assert_eq!(app.get("/oauth2/rp-jwks").await.json(), json!({ "keys": [] }));
}

#[test]
fn settings_that_can_not_work_are_refused_with_the_way_out() {
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let apple_key = format!("client_key = \"\"\"\n{key}\"\"\"");
    for (preset, lines, part) in [
        ("oauth2", SERVICE.replace("subject", "#"), "subject = \"string(claims.id)\""),
        ("oauth2", SERVICE.replace("userinfo_endpoint", "#"), "`userinfo_endpoint` must be set"),
        ("oauth2", format!("{SERVICE}\njwks_uri = \"https://idp.example/jwks\""), "`jwks_uri` has no effect"),
        (
            "oauth2",
            format!("{SERVICE}\norganizations = [\"a\"]"),
            "`organizations` has no effect without preset = \"github\"",
        ),
        ("oauth2", SERVICE.replace("string(claims.account.id)", "string(claim.id)"), "claim"),
        ("oauth2", SERVICE.replace("idp.example", "github.com"), "would admit everyone in the world"),
        ("linkedin", String::new(), "would admit everyone in the world"),
        ("apple", "create_users = false".to_owned(), "EITHER"),
        (
            "apple",
            format!("create_users = false\n{apple_key}"),
            "`client_secret` and `team_id`, `key_id`, `client_key`",
        ),
        (
            "generic",
            "issuer = \"https://idp.example\"\nteam_id = \"x\"".to_owned(),
            "`team_id` has no effect without preset = \"apple\"",
        ),
    ] {
        let prepared = prepared(&config(preset, &lines), &[], 1);
        let told = prepared.problems.render(&prepared.layers, false);
        // A ready-made secret is accepted; it is the operator's to renew.
        let expected = if part == "EITHER" { !told.contains("error") } else { told.contains(part) };
        // What one error says is not said by another.
        assert!(expected && !told.contains("authenticates with one of them"), "{preset}\n{lines}\n{told}");
    }
    let without = config("apple", &format!("create_users = false\n{apple_key}"))
        .replace("client_secret = \"the-brokers-secret-at-the-provider\"\n", "");
    let prepared = prepared(&without, &[], 1);
    let told = prepared.problems.render(&prepared.layers, false);
    assert!(told.contains("`team_id` must be set") && told.contains("`key_id` must be set"), "{told}");
}
