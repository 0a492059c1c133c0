//! The ID token and the callback: D04 to D09, keys, nonce, hashes, re-authentication.

use crate::jose::half_hash;
use crate::protocol::Algorithm;
use crate::upstream::error::{ResponseProblem, Stage};
use crate::upstream::tests::*;

/// A claim, its value, and what becomes of a token with it.
type Case = (&'static str, Value, Result<(), (Document, Check)>);

#[tokio::test]
async fn a_good_sign_in_gives_verified_facts() {
    let world = World::new("");
    world.id_token(&TestKey::rsa(), |_, claims| set(claims, "email_verified", json!("true")));
    let identity = world.finish(NOW).await.unwrap();
    assert_eq!((identity.provider.as_str(), identity.issuer.as_str()), ("corp", ISSUER));
    assert_eq!(identity.subject, "alice");
    assert_eq!(identity.auth_time, Some(NOW - 5));
    assert_eq!(identity.acr.as_deref(), Some("gold"));
    assert_eq!(identity.amr, ["pwd", "otp"]);
    assert_eq!(identity.sid.as_deref(), Some("s-1"));
    assert_eq!(identity.refresh_token, Some(SecretValue::new("refresh-1".to_owned())));
    assert_eq!(identity.access_token_expires_at, Some(NOW + 300));
    // Raw claims as they came, odd ones too, with what userinfo adds.
    assert_eq!(identity.claims.get("email_verified"), Some(&json!("true")));
    assert_eq!(identity.claims.get("groups"), Some(&json!(["sre"])));
    assert_eq!(identity.claims.get("email"), Some(&json!("alice@idp.example")));

    let call = world.idp.calls("/token").pop().unwrap();
    let form = |name: &str| call.form.get(name).map(String::as_str);
    assert_eq!(form("grant_type"), Some("authorization_code"));
    assert_eq!(form("code"), Some("code-1"));
    assert_eq!(form("redirect_uri"), Some("https://sso.example/callback/corp"));
    assert_eq!(form("code_verifier"), Some(VERIFIER));
    assert_eq!(form("client_id"), None);
    assert_eq!(call.authorization.as_deref(), Some("Basic YnJva2VyOnMzY3JldA=="));
    assert_eq!(
        world.idp.calls("/userinfo").pop().unwrap().authorization.as_deref(),
        Some("Bearer opaque-access-token")
    );
}

#[tokio::test]
async fn d04_the_same_sub_from_two_issuers_is_two_identities() {
    let world = World::id_token_only();
    world.id_token(&TestKey::rsa(), |_, _| {});
    let here = world.finish(NOW).await.unwrap();
    let idp = scripted("https://other.example");
    let rp = RelyingParty::new(Arc::clone(&idp) as Arc<dyn crate::outbound::HttpClient>, randomness());
    let settings = provider_at("other", "https://other.example", "claims_from = [\"id_token\"]");
    let other = World { idp, rp, settings };
    other.id_token(&TestKey::rsa(), |_, claims| set(claims, "iss", json!("https://other.example")));
    let there = other.finish(NOW).await.unwrap();
    assert_eq!(here.subject, there.subject);
    assert_ne!((here.provider, here.issuer), (there.provider, there.issuer));
}

#[tokio::test]
async fn d05_iss_in_the_response_is_checked_before_any_token_call() {
    let differs = UpstreamError::Response(ResponseProblem::IssuerDiffers);
    let cases = [
        (false, None, Ok(())),
        (false, Some(ISSUER), Ok(())),
        (false, Some("https://evil.example"), Err(differs.clone())),
        (true, Some(ISSUER), Ok(())),
        (true, None, Err(UpstreamError::Response(ResponseProblem::IssuerMissing))),
        (true, Some("https://idp.example/"), Err(differs)),
    ];
    for (advertised, iss, expected) in cases {
        let world = World::id_token_only();
        world.id_token(&TestKey::rsa(), |_, _| {});
        world.discovery(|document| {
            set(document, "authorization_response_iss_parameter_supported", json!(advertised));
        });
        let callback = CallbackParams { code: Some("code-1"), iss, ..CallbackParams::default() };
        let outcome = world.finish_with(&callback, None, NOW).await;
        assert_eq!(outcome.map(|_| ()), expected, "{advertised} {iss:?}");
        assert_eq!(world.idp.count("/token"), usize::from(expected.is_ok()), "{advertised} {iss:?}");
    }
}

#[tokio::test]
async fn d05_an_error_of_another_issuer_is_no_answer_of_this_provider() {
    let world = World::id_token_only();
    let iss = Some("https://evil.example");
    let callback = CallbackParams { error: Some("access_denied"), iss, ..CallbackParams::default() };
    let outcome = world.finish_with(&callback, None, NOW).await;
    assert_eq!(outcome.unwrap_err(), UpstreamError::Response(ResponseProblem::IssuerDiffers));
}

#[tokio::test]
async fn errors_of_the_provider_reach_the_app_as_the_matching_error() {
    let cases = [
        ("access_denied", "access_denied"),
        ("login_required", "login_required"),
        ("interaction_required", "interaction_required"),
        ("temporarily_unavailable", "temporarily_unavailable"),
        ("unauthorized_client", "server_error"),
        ("<script>", "server_error"),
    ];
    for (error, for_app) in cases {
        let world = World::id_token_only();
        let error_description = Some("because\n\"so\"");
        let callback = CallbackParams { error: Some(error), error_description, ..CallbackParams::default() };
        let refusal = world.finish_with(&callback, None, NOW).await.unwrap_err();
        assert_eq!((refusal.reason(), refusal.oauth_error()), ("provider_error", for_app));
        let UpstreamError::Provider(carried) = refusal else { unreachable!() };
        assert_eq!(carried.error, error);
        assert_eq!(carried.description.as_deref(), Some("because\"so\""));
        assert_eq!(world.idp.count("/token"), 0);
    }
    let world = World::id_token_only();
    let outcome = world.finish_with(&CallbackParams::default(), None, NOW).await;
    assert_eq!(outcome.unwrap_err(), UpstreamError::Response(ResponseProblem::Empty));
}

#[tokio::test]
async fn errors_of_the_token_endpoint_stay_with_the_broker() {
    let cases = [
        (400, json!({ "error": "invalid_grant", "error_description": "used" }), "provider_error", "server_error"),
        (401, json!({ "error": "invalid_client" }), "provider_error", "server_error"),
        // Meant for the authorization endpoint; from the token endpoint it does not mean that the user refused.
        (400, json!({ "error": "access_denied" }), "provider_error", "server_error"),
        (200, json!({ "error": "bad_verification_code" }), "provider_error", "server_error"),
        (400, json!({ "error": "temporarily_unavailable" }), "provider_unavailable", "temporarily_unavailable"),
        (503, json!({ "error": "invalid_grant" }), "provider_unavailable", "temporarily_unavailable"),
        (404, json!("what?"), "provider_unavailable", "temporarily_unavailable"),
        (429, json!({}), "provider_unavailable", "temporarily_unavailable"),
        (200, json!(["odd"]), "token_invalid", "server_error"),
    ];
    for (status, body, reason, for_app) in cases {
        let world = World::id_token_only();
        world.idp.status("/token", status, body.clone());
        let refusal = world.finish(NOW).await.unwrap_err();
        assert_eq!((refusal.reason(), refusal.oauth_error()), (reason, for_app), "{status} {body}");
        if let UpstreamError::Provider(error) = refusal {
            assert_eq!(error.stage, Stage::Token);
        }
    }
}

#[tokio::test]
async fn a_provider_that_refuses_our_credentials_is_known_by_each_name_for_it() {
    for (status, error, refuses_us) in [
        (401, "invalid_client", true),
        (400, "invalid_client", true),
        (401, "unauthorized_client", true),
        (400, "unauthorized_client", false),
        (200, "incorrect_client_credentials", true),
        (400, "invalid_grant", false),
    ] {
        let world = World::id_token_only();
        world.idp.status("/token", status, json!({ "error": error }));
        world.finish(NOW).await.unwrap_err();
        assert_eq!(world.rp.health(&world.settings).refuses_us(), refuses_us, "{status} {error}");
    }
}

#[tokio::test]
async fn a_token_response_is_read_strictly() {
    let cases = [
        ("id_token", Value::Null, Check::Claim("id_token", Problem::Missing)),
        ("id_token", json!(""), Check::Claim("id_token", Problem::Missing)),
        ("id_token", json!(7), Check::Claim("id_token", Problem::Type)),
        ("access_token", Value::Null, Check::Claim("access_token", Problem::Missing)),
        ("access_token", json!(7), Check::Claim("access_token", Problem::Type)),
        ("token_type", json!("DPoP"), Check::Claim("token_type", Problem::Differs)),
    ];
    for (name, value, check) in cases {
        let world = World::id_token_only();
        let mut response = token_response("a.b.c");
        set(&mut response, name, value);
        world.idp.json("/token", response);
        assert_eq!(refused(world.finish(NOW).await), (Document::TokenResponse, check));
    }
}

#[tokio::test]
async fn every_supported_algorithm_verifies() {
    let keys = [
        TestKey::rsa(),
        TestKey::rsa().with_alg("RS384"),
        TestKey::rsa().with_alg("RS512"),
        TestKey::rsa().with_alg("PS256"),
        TestKey::rsa().with_alg("PS384"),
        TestKey::rsa().with_alg("PS512"),
        TestKey::ec256(),
        TestKey::ec384(),
        TestKey::ec521(),
        TestKey::ed25519(),
        TestKey::ed25519().with_alg("Ed25519"),
    ];
    for key in keys {
        let world = World::id_token_only();
        world.discovery(|document| set(document, "id_token_signing_alg_values_supported", json!([key.alg])));
        world.idp.keys(&[&key]);
        world.id_token(&key, |_, claims| {
            let hash = half_hash(Algorithm::from_name(key.alg).unwrap(), ACCESS_TOKEN);
            set(claims, "at_hash", json!(hash));
        });
        assert_eq!(world.finish(NOW).await.map(|identity| identity.subject), Ok("alice".to_owned()), "{}", key.alg);
    }
}

#[tokio::test]
async fn d06_unsigned_symmetric_unlisted_and_encrypted_tokens_are_refused() {
    let key = TestKey::rsa();
    let payload = encode(claims().to_string().as_bytes());
    let part = |header: Value| encode(header.to_string().as_bytes());
    let none = format!("{}.{payload}.", part(json!({ "alg": "none" })));
    let mac = |secret: &[u8]| hmac(secret, &json!({ "alg": "HS256", "kid": "rsa-1" }), &claims());
    let jwe = format!("{}.a2V5.aXY.{payload}.dGFn", part(json!({ "alg": "dir", "enc": "A256GCM" })));
    let listed = |key: TestKey| key.sign(&key.header(), &claims());
    let encrypted = Check::Form("it is encrypted, which is not supported: its issuer must only sign it");
    let demanding = Check::Form("its header demands what is not supported (crit, cty or enc)");
    let no_jwt = Check::Form("it is not a signed JWT");
    let cases = [
        ("none", none, Check::Algorithm),
        ("None", format!("{}.{payload}.", part(json!({ "alg": "None" }))), Check::Algorithm),
        ("public key as secret", mac(key.jwk().to_string().as_bytes()), Check::NotAccepted(Algorithm::HS256)),
        ("client secret, not configured", mac(b"s3cret"), Check::NotAccepted(Algorithm::HS256)),
        ("PS256, not listed", listed(TestKey::rsa().with_alg("PS256")), Check::NotAccepted(Algorithm::PS256)),
        ("RS512, not listed", listed(TestKey::rsa().with_alg("RS512")), Check::NotAccepted(Algorithm::RS512)),
        ("JWE", jwe, encrypted),
        ("crit", key.sign(&json!({ "alg": "RS256", "crit": ["b64"], "b64": false }), &claims()), demanding),
        ("nested", key.sign(&json!({ "alg": "RS256", "cty": "JWT" }), &claims()), demanding),
        ("no alg", key.sign(&json!({ "kid": "rsa-1" }), &claims()), no_jwt),
        ("alg of another type", key.sign(&json!({ "alg": ["RS256"] }), &claims()), no_jwt),
        (
            "access token",
            key.sign(&json!({ "alg": "RS256", "typ": "at+jwt" }), &claims()),
            Check::Form("its typ is not that of an ID token"),
        ),
        ("two parts", format!("{}.{payload}", part(key.header())), no_jwt),
        ("seven parts", "a.b.c.d.e.f.g".to_owned(), no_jwt),
        ("no JWT", "opaque".to_owned(), no_jwt),
        ("array payload", key.sign(&key.header(), &json!([1])), Check::Form("its payload is not a JSON object")),
    ];
    for (name, token, check) in cases {
        let world = World::new("");
        world.tokens(&token);
        assert_eq!(refused(world.finish(NOW).await), (Document::IdToken, check), "{name}");
        assert_eq!(world.idp.count("/userinfo"), 0, "{name}");
    }
}

#[tokio::test]
async fn d06_hs256_works_only_where_it_is_configured() {
    let world = World::new("claims_from = [\"id_token\"]\nid_token_signed_response_alg = \"HS256\"");
    let sign = |secret: &[u8]| hmac(secret, &json!({ "alg": "HS256" }), &claims());
    world.tokens(&sign(b"s3cret"));
    assert!(world.finish(NOW).await.is_ok());
    assert_eq!(world.idp.count("/jwks"), 0);
    world.tokens(&sign(b"another"));
    assert_eq!(refused(world.finish(NOW).await), (Document::IdToken, Check::Signature));
    // Then nothing else passes.
    world.id_token(&TestKey::rsa(), |_, _| {});
    assert_eq!(refused(world.finish(NOW).await), (Document::IdToken, Check::NotAccepted(Algorithm::RS256)));
}

#[tokio::test]
async fn the_configured_algorithm_is_the_only_one() {
    let world = World::new("claims_from = [\"id_token\"]\nid_token_signed_response_alg = \"PS256\"");
    let key = TestKey::rsa().with_alg("PS256");
    world.id_token(&key, |_, _| {});
    assert!(world.finish(NOW).await.is_ok());
    world.id_token(&TestKey::rsa(), |_, _| {});
    assert_eq!(refused(world.finish(NOW).await), (Document::IdToken, Check::NotAccepted(Algorithm::RS256)));
}

#[tokio::test]
async fn d07_key_material_in_the_header_is_ignored_and_nothing_is_fetched() {
    let attacker = TestKey::other_rsa("rsa-1");
    let long = "k".repeat(1024 * 1024);
    let cases = [
        ("jku", json!({ "alg": "RS256", "kid": "rsa-1", "jku": "https://evil.example/jwks" }), Check::Signature),
        ("x5u", json!({ "alg": "RS256", "kid": "rsa-1", "x5u": "https://evil.example/cert" }), Check::Signature),
        ("jwk", json!({ "alg": "RS256", "kid": "rsa-1", "jwk": attacker.jwk() }), Check::Signature),
        ("path", json!({ "alg": "RS256", "kid": "../../etc/passwd" }), Check::Key),
        ("SQL", json!({ "alg": "RS256", "kid": "' or 1=1 --" }), Check::Key),
        ("long", json!({ "alg": "RS256", "kid": long }), Check::Key),
    ];
    for (name, header, check) in cases {
        let world = World::id_token_only();
        world.tokens(&attacker.sign(&header, &claims()));
        let refusal = world.finish(NOW).await;
        assert!(refusal.as_ref().unwrap_err().to_string().len() < 200, "{name}");
        assert_eq!(refused(refusal), (Document::IdToken, check), "{name}");
        for call in ["/cert", "/etc/passwd"] {
            assert_eq!(world.idp.count(call), 0, "{name}");
        }
        // Once to have the set, and once more for a key that may be new: from the provider only.
        let fetched = world.idp.calls("/jwks");
        assert_eq!(fetched.len(), 2, "{name}");
        assert!(fetched.iter().all(|call| call.url.starts_with(ISSUER)), "{name}");
    }
}

#[tokio::test]
async fn d08_wrong_issuer_audience_party_and_nonce_are_refused() {
    let many = || json!(["broker", "other"]);
    let cases: [Case; 20] = [
        ("iss", json!("https://evil.example"), Err(claim("iss", Problem::Differs))),
        ("iss", json!("https://idp.example/"), Err(claim("iss", Problem::Differs))),
        ("iss", json!("HTTPS://idp.example"), Err(claim("iss", Problem::Differs))),
        ("iss", Value::Null, Err(claim("iss", Problem::Missing))),
        ("iss", json!([ISSUER]), Err(claim("iss", Problem::Type))),
        ("aud", json!("other"), Err(claim("aud", Problem::Differs))),
        ("aud", json!([]), Err(claim("aud", Problem::Differs))),
        ("aud", json!(["broker"]), Ok(())),
        ("aud", json!(["broker", 7]), Err(claim("aud", Problem::Type))),
        ("aud", json!({ "broker": true }), Err(claim("aud", Problem::Type))),
        ("aud", Value::Null, Err(claim("aud", Problem::Missing))),
        ("aud", many(), Err(claim("azp", Problem::Missing))),
        ("azp", json!("other"), Err(claim("azp", Problem::Differs))),
        ("azp", json!(["broker"]), Err(claim("azp", Problem::Type))),
        ("azp", json!("broker"), Ok(())),
        ("nonce", json!("nonce-2"), Err(claim("nonce", Problem::Differs))),
        ("nonce", Value::Null, Err(claim("nonce", Problem::Missing))),
        ("nonce", json!(1), Err(claim("nonce", Problem::Type))),
        ("sub", json!("x".repeat(256)), Err(claim("sub", Problem::Type))),
        ("sub", json!("x".repeat(255)), Ok(())),
    ];
    for (name, value, expected) in cases {
        let world = World::id_token_only();
        world.id_token(&TestKey::rsa(), |_, claims| set(claims, name, value.clone()));
        match expected {
            Ok(()) => assert!(world.finish(NOW).await.is_ok(), "{name} {value}"),
            Err(refusal) => assert_eq!(refused(world.finish(NOW).await), refusal, "{name} {value}"),
        }
    }
    let world = World::id_token_only();
    world.id_token(&TestKey::rsa(), |_, claims| {
        set(claims, "aud", many());
        set(claims, "azp", json!("broker"));
    });
    assert!(world.finish(NOW).await.is_ok());
}

#[tokio::test]
async fn d09_times_missing_or_of_another_type_are_refused() {
    let soon = NOW + 300;
    let cases: [Case; 20] = [
        ("exp", Value::Null, Err(claim("exp", Problem::Missing))),
        ("exp", json!(soon.to_string()), Err(claim("exp", Problem::Type))),
        ("exp", json!(true), Err(claim("exp", Problem::Type))),
        ("exp", json!([soon]), Err(claim("exp", Problem::Type))),
        ("exp", json!(NOW - 60), Err(claim("exp", Problem::Time))),
        ("exp", json!(NOW - 59), Ok(())),
        ("exp", json!(0), Err(claim("exp", Problem::Time))),
        ("exp", json!(soon as f64 + 0.5), Ok(())),
        ("iat", Value::Null, Err(claim("iat", Problem::Missing))),
        ("iat", json!("now"), Err(claim("iat", Problem::Type))),
        ("iat", json!(NOW + 61), Err(claim("iat", Problem::Time))),
        ("iat", json!(NOW + 60), Ok(())),
        ("nbf", json!(NOW.to_string()), Err(claim("nbf", Problem::Type))),
        ("nbf", json!(NOW + 61), Err(claim("nbf", Problem::Time))),
        ("nbf", json!(NOW), Ok(())),
        ("nbf", Value::Null, Ok(())),
        ("auth_time", json!((NOW - 5).to_string()), Err(claim("auth_time", Problem::Type))),
        ("auth_time", json!(NOW + 61), Err(claim("auth_time", Problem::Time))),
        ("sub", json!(7), Err(claim("sub", Problem::Type))),
        ("sub", json!(""), Err(claim("sub", Problem::Type))),
    ];
    for (name, value, expected) in cases {
        let world = World::id_token_only();
        world.id_token(&TestKey::rsa(), |_, claims| set(claims, name, value.clone()));
        match expected {
            Ok(()) => assert!(world.finish(NOW).await.is_ok(), "{name} {value}"),
            Err(refusal) => assert_eq!(refused(world.finish(NOW).await), refusal, "{name} {value}"),
        }
    }
    for name in ["iss", "sub", "aud", "exp", "iat", "nonce"] {
        let world = World::id_token_only();
        world.id_token(&TestKey::rsa(), |_, claims| unset(claims, name));
        assert_eq!(refused(world.finish(NOW).await), claim(name, Problem::Missing));
    }
}

#[tokio::test]
async fn at_hash_must_be_of_the_access_token_that_came_along() {
    let right = half_hash(Algorithm::RS256, ACCESS_TOKEN);
    let cases = [
        (json!(right), None),
        (json!(half_hash(Algorithm::RS256, "another")), Some(Problem::Differs)),
        (json!(""), Some(Problem::Differs)),
        (json!(7), Some(Problem::Type)),
    ];
    for (value, problem) in cases {
        let world = World::id_token_only();
        world.id_token(&TestKey::rsa(), |_, claims| set(claims, "at_hash", value));
        match problem {
            None => assert!(world.finish(NOW).await.is_ok()),
            Some(problem) => assert_eq!(refused(world.finish(NOW).await), claim("at_hash", problem)),
        }
    }
}

#[tokio::test]
async fn a_token_without_kid_is_tried_with_all_keys_that_fit() {
    let unnamed = TestKey::rsa().named(None);
    // One key.
    let world = World::id_token_only();
    world.id_token(&unnamed, |_, _| {});
    assert!(world.finish(NOW).await.is_ok());
    // Several: the one that made it is found behind others, of which some are of another type.
    world.idp.keys(&[&TestKey::ec256(), &TestKey::other_rsa("rsa-2"), &unnamed]);
    assert!(world.finish(NOW + 700).await.is_err(), "expired by then");
    let world = World::id_token_only();
    world.idp.keys(&[&TestKey::ec256(), &TestKey::other_rsa("rsa-2"), &unnamed]);
    world.id_token(&unnamed, |_, _| {});
    assert!(world.finish(NOW).await.is_ok());
    // None of several.
    let world = World::id_token_only();
    world.idp.keys(&[&TestKey::ec256(), &TestKey::other_rsa("rsa-2")]);
    world.id_token(&unnamed, |_, _| {});
    assert_eq!(refused(world.finish(NOW).await), (Document::IdToken, Check::Signature));
    // A kid that names a key without one is no match.
    let world = World::id_token_only();
    world.idp.keys(&[&unnamed]);
    world.id_token(&TestKey::rsa(), |_, _| {});
    assert_eq!(refused(world.finish(NOW).await), (Document::IdToken, Check::Key));
}

#[tokio::test]
async fn a_changed_signature_or_payload_is_refused() {
    let token = TestKey::rsa().sign(&TestKey::rsa().header(), &claims());
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let mut other = claims();
    set(&mut other, "sub", json!("root"));
    let cases = [
        format!("{signed}."),
        format!("{signed}.{}", encode(&[0; 256])),
        format!("{header}.{}.{signature}", encode(other.to_string().as_bytes())),
    ];
    for token in cases {
        let world = World::id_token_only();
        world.tokens(&token);
        assert_eq!(refused(world.finish(NOW).await), (Document::IdToken, Check::Signature));
    }
}

#[tokio::test]
async fn a_fresh_authentication_must_be_proven() {
    let asked = Some(NOW - 10);
    let unproven = |text| UpstreamError::Reauthentication(text);
    let cases = [
        ("verify", asked, json!(NOW - 5), Ok(())),
        ("verify", asked, json!(NOW - 70), Ok(())),
        ("verify", asked, json!(NOW - 71), Err(unproven("auth_time is before what was asked for"))),
        ("verify", asked, Value::Null, Err(unproven("the ID token does not say auth_time"))),
        ("verify", None, Value::Null, Ok(())),
        ("trust", asked, Value::Null, Ok(())),
        ("trust", asked, json!(NOW - 9000), Ok(())),
    ];
    for (reauth, after, auth_time, expected) in cases {
        let world = World::new(&format!("reauth = \"{reauth}\""));
        world.id_token(&TestKey::rsa(), |_, claims| set(claims, "auth_time", auth_time.clone()));
        let callback = CallbackParams { code: Some("code-1"), ..CallbackParams::default() };
        let outcome = world.finish_with(&callback, after, NOW).await;
        assert_eq!(outcome.map(|identity| identity.subject), expected.map(|()| "alice".to_owned()), "{auth_time}");
    }
}

#[tokio::test]
async fn nothing_printable_holds_a_token_or_a_claim() {
    let world = World::new("");
    world.id_token(&TestKey::rsa(), |_, _| {});
    let identity = world.finish(NOW).await.unwrap();
    let id_token = identity.id_token.expose().to_owned();
    let printed = format!("{identity:?} {:?}", world.settings);
    for secret in [id_token.as_str(), "refresh-1", ACCESS_TOKEN, "s3cret", "alice", "sre"] {
        assert!(!printed.contains(secret), "{secret}");
    }
    world.id_token(&TestKey::rsa(), |_, claims| set(claims, "aud", json!("canary")));
    let refusal = world.finish(NOW).await.unwrap_err();
    let printed = format!("{refusal} {refusal:?}");
    for secret in ["canary", ACCESS_TOKEN, "alice", "code-1", VERIFIER] {
        assert!(!printed.contains(secret), "{secret}");
    }
}
