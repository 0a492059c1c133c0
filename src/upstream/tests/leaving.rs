//! The authorization request, and the way to the provider's sign-out.

use crate::upstream::tests::*;
use std::collections::HashMap;

fn query(url: &url::Url) -> HashMap<String, String> {
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let map: HashMap<String, String> = pairs.iter().cloned().collect();
    assert_eq!(map.len(), pairs.len(), "a parameter is there twice: {url}");
    map
}

async fn leave(world: &World, change: impl FnOnce(&mut BeginParams<'_>)) -> Result<url::Url, UpstreamError> {
    let verifier = SecretValue::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned());
    let mut params = params(&verifier, &world.settings.redirect_uri);
    change(&mut params);
    world.rp.begin(&world.settings, &params, NOW).await
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn the_request_carries_what_it_must() {
    let world = World::new("");
    let url = leave(&world, |_| {}).await.unwrap();
    assert!(url.as_str().starts_with("https://idp.example/authorize?"));
    let expected = [
        ("response_type", "code"),
        ("client_id", "broker"),
        ("redirect_uri", "https://sso.example/callback/corp"),
        ("scope", "openid profile email"),
        ("state", "state-1"),
        ("nonce", NONCE),
        // RFC 7636 §B.
        ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
        ("code_challenge_method", "S256"),
    ];
    let expected: HashMap<String, String> =
        expected.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(query(&url), expected);
}

#[tokio::test]
async fn pkce_is_used_whenever_the_provider_supports_it_or_does_not_say() {
    let cases = [(Value::Null, true), (json!(["plain", "S256"]), true), (json!(["plain"]), false), (json!([]), false)];
    for (methods, used) in cases {
        let world = World::id_token_only();
        world.discovery(|document| set(document, "code_challenge_methods_supported", methods.clone()));
        let url = leave(&world, |_| {}).await.unwrap();
        assert_eq!(query(&url).contains_key("code_challenge"), used, "{methods}");
        world.id_token(&TestKey::rsa(), |_, _| {});
        world.finish(NOW).await.unwrap();
        let call = world.idp.calls("/token").pop().unwrap();
        assert_eq!(call.form.contains_key("code_verifier"), used, "{methods}");
    }
}

#[tokio::test]
async fn the_endpoints_own_query_stays() {
    let world = World::new("");
    let endpoint = "https://idp.example/authorize?tenant=a%26b&client_id=mine";
    world.discovery(|document| set(document, "authorization_endpoint", json!(endpoint)));
    let query = query(&leave(&world, |_| {}).await.unwrap());
    assert_eq!(query.get("tenant").map(String::as_str), Some("a&b"));
    assert_eq!(query.get("client_id").map(String::as_str), Some("broker"));
}

#[tokio::test]
async fn what_the_app_sent_is_passed_on_as_forward_says() {
    let prompt = strings(&["login", "consent"]);
    let all = |params: &mut BeginParams<'_>| {
        params.max_age = Some(60);
        params.login_hint = Some("<alice>&");
        params.ui_locales = Some("ja en");
        params.acr_values = Some("gold");
    };
    let world = World::new("");
    let url = {
        let verifier = SecretValue::new(VERIFIER.to_owned());
        let mut params = params(&verifier, &world.settings.redirect_uri);
        all(&mut params);
        params.prompt = &prompt;
        world.rp.begin(&world.settings, &params, NOW).await.unwrap()
    };
    let sent = query(&url);
    let expected = [
        ("prompt", "login consent"),
        ("max_age", "60"),
        ("login_hint", "<alice>&"),
        ("ui_locales", "ja en"),
        ("acr_values", "gold"),
    ];
    for (name, value) in expected {
        assert_eq!(sent.get(name).map(String::as_str), Some(value), "{name}");
    }
    let world = World::new("forward = [\"ui_locales\"]");
    let sent = query(&leave(&world, all).await.unwrap());
    for (name, _) in expected {
        assert_eq!(sent.contains_key(name), name == "ui_locales", "{name}");
    }
}

#[tokio::test]
async fn prompt_login_asks_for_the_proof_that_verify_rests_on() {
    let prompt = strings(&["login"]);
    for (extra, max_age) in [("", Some("0")), ("reauth = \"trust\"", None), ("forward = [\"prompt\"]", None)] {
        let world = World::new(extra);
        let verifier = SecretValue::new(VERIFIER.to_owned());
        let mut params = params(&verifier, &world.settings.redirect_uri);
        params.prompt = &prompt;
        let sent = query(&world.rp.begin(&world.settings, &params, NOW).await.unwrap());
        assert_eq!(sent.get("max_age").map(String::as_str), max_age, "{extra}");
        assert_eq!(sent.get("prompt").map(String::as_str), Some("login"), "{extra}");
    }
}

#[tokio::test]
async fn a_provider_that_cannot_reauthenticate_is_not_asked_to() {
    let world = World::new("reauth = \"unsupported\"");
    let refusal = leave(&world, |params| params.max_age = Some(0)).await.unwrap_err();
    assert_eq!((refusal.reason(), refusal.oauth_error()), ("login_required", "login_required"));
    assert!(leave(&world, |_| {}).await.is_ok());
}

#[tokio::test]
async fn prompts_that_the_provider_fails_on_are_left_out() {
    let cases = [
        ("", Value::Null, &["select_account"][..], Some("select_account")),
        ("preset = \"keycloak\"", Value::Null, &["select_account"], None),
        ("preset = \"keycloak\"", Value::Null, &["login", "select_account"], Some("login")),
        ("", json!(["none", "consent"]), &["select_account", "consent"], Some("consent")),
        ("", json!(["consent"]), &["login"], Some("login")),
        ("", json!(["login"]), &["none"], Some("none")),
    ];
    for (extra, supported, asked, passed) in cases {
        let world = World::new(extra);
        world.discovery(|document| set(document, "prompt_values_supported", supported));
        let asked = strings(asked);
        let verifier = SecretValue::new(VERIFIER.to_owned());
        let mut params = params(&verifier, &world.settings.redirect_uri);
        params.prompt = &asked;
        let sent = query(&world.rp.begin(&world.settings, &params, NOW).await.unwrap());
        assert_eq!(sent.get("prompt").map(String::as_str), passed, "{asked:?}");
    }
}

#[tokio::test]
async fn for_another_account_the_provider_shows_accounts_or_its_login_page() {
    for (extra, supported, asked, sent_prompt) in [
        ("", Value::Null, &[][..], "select_account"),
        ("", Value::Null, &["consent"], "consent select_account"),
        ("", Value::Null, &["login"], "login"),
        ("", json!(["login", "none"]), &[], "login"),
        ("preset = \"keycloak\"", Value::Null, &["select_account"], "login"),
        ("forward = []", Value::Null, &["login"], "select_account"),
    ] {
        let world = World::new(extra);
        world.discovery(|document| set(document, "prompt_values_supported", supported));
        let asked = strings(asked);
        let verifier = SecretValue::new(VERIFIER.to_owned());
        let params = params(&verifier, &world.settings.redirect_uri);
        let params = BeginParams { prompt: &asked, another_account: true, ..params };
        let sent = query(&world.rp.begin(&world.settings, &params, NOW).await.unwrap());
        assert_eq!(sent.get("prompt").map(String::as_str), Some(sent_prompt), "{extra} {asked:?}");
    }
}

#[tokio::test]
async fn declared_parameters_are_sent() {
    let world =
        World::new("response_mode = \"form_post\"\nresource = \"urn:api\"\nscopes = [\"openid\", \"offline_access\"]");
    let sent = query(&leave(&world, |_| {}).await.unwrap());
    assert_eq!(sent.get("response_mode").map(String::as_str), Some("form_post"));
    assert_eq!(sent.get("resource").map(String::as_str), Some("urn:api"));
    assert_eq!(sent.get("scope").map(String::as_str), Some("openid offline_access"));
}

#[tokio::test]
async fn client_authentication_follows_configuration_then_metadata() {
    let basic = Some("Basic YnJva2VyOnMzY3JldA==");
    let cases = [
        ("", Value::Null, basic),
        ("", json!(["client_secret_post", "client_secret_basic"]), basic),
        ("", json!(["client_secret_post"]), None),
        ("", json!(["private_key_jwt"]), basic),
        ("token_endpoint_auth_method = \"client_secret_post\"", json!(["client_secret_basic"]), None),
        ("token_endpoint_auth_method = \"client_secret_basic\"", json!(["client_secret_post"]), basic),
    ];
    for (extra, methods, authorization) in cases {
        let world = World::new(&format!("claims_from = [\"id_token\"]\n{extra}"));
        world.discovery(|document| set(document, "token_endpoint_auth_methods_supported", methods.clone()));
        world.id_token(&TestKey::rsa(), |_, _| {});
        world.finish(NOW).await.unwrap();
        let call = world.idp.calls("/token").pop().unwrap();
        assert_eq!(call.authorization.as_deref(), authorization, "{extra} {methods}");
        let posted = call.form.get("client_secret").map(String::as_str);
        assert_eq!(posted, authorization.is_none().then_some("s3cret"), "{extra} {methods}");
        assert_eq!(call.form.contains_key("client_id"), authorization.is_none());
    }
    // A public client says who it is, and proves nothing.
    let mut world = World::id_token_only();
    world.settings.credentials.secrets.clear();
    world.id_token(&TestKey::rsa(), |_, _| {});
    world.finish(NOW).await.unwrap();
    let call = world.idp.calls("/token").pop().unwrap();
    assert_eq!((call.authorization, call.form.get("client_id").map(String::as_str)), (None, Some("broker")));
}

#[tokio::test]
async fn an_assertion_of_the_brokers_is_for_the_token_endpoint_and_carries_no_secret() {
    use crate::jose::Jws;
    let world = World::new("claims_from = [\"id_token\"]\ntoken_endpoint_auth_method = \"client_secret_jwt\"");
    let mut seen = std::collections::HashSet::new();
    for _ in 0..2 {
        world.id_token(&TestKey::rsa(), |_, _| {});
        world.finish(NOW).await.unwrap();
        let call = world.idp.calls("/token").pop().unwrap();
        assert_eq!((&call.authorization, call.form.get("client_secret")), (&None, None));
        let sent = |name: &str| call.form.get(name).map(String::as_str).unwrap_or_default();
        assert_eq!(sent("client_assertion_type"), "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        let jws = Jws::parse(sent("client_assertion")).unwrap();
        jws.verify_symmetric(&[SecretValue::new("s3cret".to_owned())]).unwrap();
        for (name, value) in [
            ("iss", json!("broker")),
            ("sub", json!("broker")),
            ("aud", json!(format!("{ISSUER}/token"))),
            ("iat", json!(NOW)),
            ("exp", json!(NOW + 60)),
        ] {
            assert_eq!(jws.claims.get(name), Some(&value), "{name}");
        }
        assert!(seen.insert(jws.claims.get("jti").cloned()), "a jti serves once");
    }
}

#[tokio::test]
async fn an_assertion_sent_elsewhere_serves_at_no_token_endpoint() {
    let world = World::new("token_endpoint_auth_method = \"client_secret_jwt\"");
    world.discovery(|document| {
        // A provider that names another's token endpoint, and an introspection endpoint of its own.
        set(document, "token_endpoint", json!("https://bank.example/token"));
        set(document, "introspection_endpoint", json!(format!("{ISSUER}/introspect")));
    });
    world.idp.json("/introspect", json!({ "active": false }));
    assert_eq!(world.rp.introspect(&world.settings, "a-token", NOW).await.unwrap(), None);
    let call = world.idp.calls("/introspect").pop().unwrap();
    let assertion = call.form.get("client_assertion").unwrap();
    assert_eq!(crate::jose::Jws::parse(assertion).unwrap().claims.get("aud"), Some(&json!(ISSUER)));
}

#[tokio::test]
async fn basic_credentials_are_form_encoded() {
    let mut world = World::id_token_only();
    world.settings.client_id = "a:b".to_owned();
    world.settings.credentials.secrets =
        vec![SecretValue::new("p%s w+é".to_owned()), SecretValue::new("next".to_owned())];
    world.id_token(&TestKey::rsa(), |_, claims| set(claims, "aud", json!("a:b")));
    world.finish(NOW).await.unwrap();
    let sent = world.idp.calls("/token").pop().unwrap().authorization.unwrap();
    use base64::Engine as _;
    let encoded = sent.strip_prefix("Basic ").unwrap();
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    assert_eq!(decoded, b"a%3Ab:p%25s+w%2B%C3%A9");
}

#[tokio::test]
async fn signing_out_at_the_provider() {
    let world = World::new("");
    let hint = SecretValue::new("id-token".to_owned());
    let redirect = Some(("https://sso.example/logout/callback/corp", "state-2"));
    let url = world.rp.end_session_url(&world.settings, Some(&hint), redirect, NOW).await.unwrap();
    assert!(url.as_str().starts_with("https://idp.example/logout?"));
    let sent = query(&url);
    let expected = [
        ("client_id", "broker"),
        ("id_token_hint", "id-token"),
        ("post_logout_redirect_uri", "https://sso.example/logout/callback/corp"),
        ("state", "state-2"),
    ];
    for (name, value) in expected {
        assert_eq!(sent.get(name).map(String::as_str), Some(value), "{name}");
    }
    let sent = query(&world.rp.end_session_url(&world.settings, None, None, NOW).await.unwrap());
    assert_eq!(sent.len(), 1);

    assert_eq!(world.rp.end_session_url(&provider("logout = false"), Some(&hint), redirect, NOW).await, None);
    let world = World::new("");
    world.discovery(|document| unset(document, "end_session_endpoint"));
    assert_eq!(world.rp.end_session_url(&world.settings, Some(&hint), redirect, NOW).await, None);
}

#[tokio::test]
async fn logout_tokens_are_verified() {
    const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
    let key = TestKey::rsa();
    let good = json!({
        "iss": ISSUER, "aud": "broker", "iat": NOW, "exp": NOW + 120, "jti": "j-1", "sub": "alice", "sid": "s-1",
        "events": { EVENT: {} }
    });
    let cases = [
        ("jti", Value::Null, Check::Claim("jti", Problem::Missing)),
        ("iat", Value::Null, Check::Claim("iat", Problem::Missing)),
        ("exp", Value::Null, Check::Claim("exp", Problem::Missing)),
        ("exp", json!(NOW - 60), Check::Claim("exp", Problem::Time)),
        ("iss", json!("https://evil.example"), Check::Claim("iss", Problem::Differs)),
        ("aud", json!("other"), Check::Claim("aud", Problem::Differs)),
        ("events", Value::Null, Check::Claim("events", Problem::Missing)),
        ("events", json!({ EVENT: true }), Check::Claim("events", Problem::Missing)),
        ("nonce", json!(NONCE), Check::Claim("nonce", Problem::Present)),
        ("sub", json!(7), Check::Claim("sub", Problem::Type)),
    ];
    let world = World::new("");
    let header = json!({ "alg": "RS256", "kid": "rsa-1", "typ": "logout+jwt" });
    let token = world.rp.logout_token(&world.settings, &key.sign(&header, &good), NOW).await.unwrap();
    assert_eq!((token.subject.as_deref(), token.sid.as_deref()), (Some("alice"), Some("s-1")));
    assert_eq!((token.jti.as_str(), token.expires_at), ("j-1", NOW + 120 + 60));
    for (name, value, check) in cases {
        let mut claims = good.clone();
        set(&mut claims, name, value);
        let outcome = world.rp.logout_token(&world.settings, &key.sign(&header, &claims), NOW).await;
        assert_eq!(refused(outcome), (Document::LogoutToken, check), "{name}");
    }
    let mut nobody = good.clone();
    unset(&mut nobody, "sub");
    unset(&mut nobody, "sid");
    let outcome = world.rp.logout_token(&world.settings, &key.sign(&header, &nobody), NOW).await;
    assert_eq!(refused(outcome), (Document::LogoutToken, Check::Claim("sub", Problem::Missing)));
    let forged = TestKey::other_rsa("rsa-1");
    let outcome = world.rp.logout_token(&world.settings, &forged.sign(&header, &good), NOW).await;
    assert_eq!(refused(outcome), (Document::LogoutToken, Check::Signature));
    // An ID token is none.
    let outcome = world.rp.logout_token(&world.settings, &key.sign(&key.header(), &claims()), NOW).await;
    assert_eq!(refused(outcome), (Document::LogoutToken, Check::Claim("events", Problem::Missing)));
}
