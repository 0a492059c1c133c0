//! Userinfo, the access token's claims, and how documents are merged: D23 and `claims_from`.

use crate::upstream::tests::*;

async fn claims_with(world: &World) -> serde_json::Map<String, Value> {
    world.finish(NOW).await.unwrap().claims
}

#[tokio::test]
async fn d23_userinfo_of_another_subject_is_refused_and_nothing_of_it_is_merged() {
    let cases = [
        (json!({ "sub": "bob", "email": "bob@idp.example" }), Problem::Differs),
        (json!({ "sub": "Alice" }), Problem::Differs),
        (json!({ "email": "alice@idp.example" }), Problem::Missing),
        (json!({ "sub": null }), Problem::Missing),
        (json!({ "sub": ["alice"] }), Problem::Type),
    ];
    for (userinfo, problem) in cases {
        let world = World::new("");
        world.id_token(&TestKey::rsa(), |_, _| {});
        world.idp.json("/userinfo", userinfo);
        assert_eq!(refused(world.finish(NOW).await), (Document::Userinfo, Check::Claim("sub", problem)));
    }
}

#[tokio::test]
async fn userinfo_that_is_not_what_it_should_be_is_an_error() {
    let body = |status, kind, text: &str| Answer::Raw(status, kind, text.as_bytes().to_vec());
    let good = r#"{"sub":"alice","email":"a@b"}"#;
    let cases = [
        (body(200, "application/json; charset=utf-8", good), None),
        (body(200, "APPLICATION/JSON", good), None),
        (body(200, "text/html", good), Some("token_invalid")),
        (body(200, "application/json", "[1]"), Some("token_invalid")),
        (body(200, "application/json", "{"), Some("token_invalid")),
        (body(200, "application/jwt", good), Some("token_invalid")),
        (body(401, "application/json", good), Some("provider_unavailable")),
        (body(500, "application/json", good), Some("provider_unavailable")),
        (body(204, "application/json", ""), Some("provider_unavailable")),
    ];
    for (answer, reason) in cases {
        let world = World::new("");
        world.id_token(&TestKey::rsa(), |_, _| {});
        world.idp.answer("/userinfo", answer);
        assert_eq!(world.finish(NOW).await.err().map(|error| error.reason()), reason);
    }
}

#[tokio::test]
async fn userinfo_is_asked_only_after_the_id_token_is_verified() {
    for (name, value) in
        [("nonce", json!("other")), ("aud", json!("other")), ("exp", json!(1)), ("at_hash", json!("x"))]
    {
        let world = World::new("");
        world.id_token(&TestKey::rsa(), |_, claims| set(claims, name, value));
        assert!(world.finish(NOW).await.is_err());
        assert_eq!(world.idp.count("/userinfo"), 0, "{name}");
    }
}

#[tokio::test]
async fn signed_userinfo_is_verified() {
    let key = TestKey::rsa();
    let good = json!({ "sub": "alice", "iss": ISSUER, "aud": "broker", "email": "signed@idp.example" });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        set(&mut claims, name, value);
        key.sign(&key.header(), &claims)
    };
    let bare = key.sign(&key.header(), &json!({ "sub": "alice", "email": "signed@idp.example" }));
    let forged = TestKey::other_rsa("rsa-1");
    let invalid = |check| Some((Document::Userinfo, check));
    let none = format!("{}.{}.", encode(br#"{"alg":"none"}"#), encode(good.to_string().as_bytes()));
    let cases = [
        ("good", key.sign(&key.header(), &good), None),
        ("without iss and aud", bare, None),
        ("forged", forged.sign(&forged.header(), &good), invalid(Check::Signature)),
        ("unsigned", none, invalid(Check::Algorithm)),
        ("iss", with("iss", json!("https://evil.example")), invalid(Check::Claim("iss", Problem::Differs))),
        ("aud", with("aud", json!("other")), invalid(Check::Claim("aud", Problem::Differs))),
        ("exp", with("exp", json!(NOW - 100)), invalid(Check::Claim("exp", Problem::Time))),
        ("sub", with("sub", json!("bob")), invalid(Check::Claim("sub", Problem::Differs))),
    ];
    for (name, token, expected) in cases {
        let world = World::new("");
        world.id_token(&key, |_, _| {});
        world.idp.answer("/userinfo", Answer::Raw(200, "application/jwt", token.into_bytes()));
        match expected {
            None => assert_eq!(claims_with(&world).await.get("email"), Some(&json!("signed@idp.example")), "{name}"),
            Some(refusal) => assert_eq!(refused(world.finish(NOW).await), refusal, "{name}"),
        }
    }
}

#[tokio::test]
async fn later_documents_add_and_override_nothing() {
    let world = World::new("");
    world.id_token(&TestKey::rsa(), |_, claims| unset(claims, "acr"));
    world.idp.json(
        "/userinfo",
        json!({
            "sub": "alice", "groups": ["admin"], "department": "ops", "acr": "platinum", "auth_time": NOW, "iss": "x",
            "aud": "y", "nonce": "z", "exp": 1, "iat": 2, "amr": ["hwk"], "sid": "other"
        }),
    );
    let identity = world.finish(NOW).await.unwrap();
    assert_eq!(identity.claims.get("groups"), Some(&json!(["sre"])));
    assert_eq!(identity.claims.get("department"), Some(&json!("ops")));
    assert_eq!(identity.claims.get("acr"), None);
    assert_eq!(identity.acr, None);
    let mut expected = crate::upstream::tests::claims();
    unset(&mut expected, "acr");
    for name in ["iss", "sub", "aud", "nonce", "exp", "iat", "amr", "sid", "auth_time"] {
        assert_eq!(identity.claims.get(name), expected.get(name), "{name}");
    }
}

#[tokio::test]
async fn claims_from_is_obeyed() {
    // Userinfo only: of the ID token, the protocol claims stay.
    let world = World::new("claims_from = [\"userinfo\"]");
    world.id_token(&TestKey::rsa(), |_, _| {});
    let claims = claims_with(&world).await;
    assert_eq!(claims.get("groups"), None);
    assert_eq!(claims.get("email"), Some(&json!("alice@idp.example")));
    assert_eq!(claims.get("sub"), Some(&json!("alice")));
    assert_eq!(claims.get("acr"), Some(&json!("gold")));
    // ID token only: userinfo is not asked.
    let world = World::id_token_only();
    world.id_token(&TestKey::rsa(), |_, _| {});
    assert_eq!(claims_with(&world).await.get("email"), None);
    assert_eq!(world.idp.count("/userinfo"), 0);
    // A provider without userinfo.
    let world = World::new("");
    world.discovery(|document| unset(document, "userinfo_endpoint"));
    world.id_token(&TestKey::rsa(), |_, _| {});
    assert_eq!(claims_with(&world).await.get("groups"), Some(&json!(["sre"])));
}

#[tokio::test]
async fn keycloak_roles_come_from_the_access_token_where_it_verifies() {
    let key = TestKey::rsa();
    let good = json!({
        "iss": ISSUER, "sub": "alice", "aud": "account", "azp": "broker", "exp": NOW + 60, "iat": NOW, "typ": "Bearer",
        "realm_access": { "roles": ["admin"] }, "groups": ["forged-over"], "acr": "platinum"
    });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        set(&mut claims, name, value);
        key.sign(&key.header(), &claims)
    };
    let forged = TestKey::other_rsa("rsa-1");
    let typed = |typ: &str| key.sign(&json!({ "alg": "RS256", "kid": "rsa-1", "typ": typ }), &good);
    let cases = [
        ("good", key.sign(&key.header(), &good), true),
        ("typ JWT", typed("JWT"), true),
        ("RFC 9068", typed("at+jwt"), true),
        ("another kind", typed("logout+jwt"), false),
        ("opaque", "opaque".to_owned(), false),
        ("forged", forged.sign(&forged.header(), &good), false),
        ("unknown key", TestKey::other_rsa("rsa-9").sign(&json!({ "alg": "RS256", "kid": "rsa-9" }), &good), false),
        ("expired", with("exp", json!(NOW - 60)), false),
        ("no exp", with("exp", Value::Null), false),
        ("string exp", with("exp", json!("9999999999")), false),
        ("another issuer", with("iss", json!("https://evil.example")), false),
        ("another subject", with("sub", json!("bob")), false),
        ("another client", with("azp", json!("other")), false),
        ("another client_id", with("client_id", json!("other")), false),
    ];
    for (name, access_token, used) in cases {
        let world = World::new("preset = \"keycloak\"");
        let mut response = token_response(&key.sign(&key.header(), &crate::upstream::tests::claims()));
        set(&mut response, "access_token", json!(access_token));
        world.idp.json("/token", response);
        let claims = claims_with(&world).await;
        assert_eq!(claims.contains_key("realm_access"), used, "{name}");
        assert_eq!(claims.get("groups"), Some(&json!(["sre"])), "{name}");
        assert_eq!(claims.get("acr"), Some(&json!("gold")), "{name}");
        assert_eq!(world.idp.count("/jwks"), 1, "{name}");
    }
}
