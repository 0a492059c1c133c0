//! Discovery, key sets, caches and providers that misbehave: D24, D25, D26, D34.

use crate::outbound::OutboundError;
use crate::upstream::error::{Unavailable, UnavailableProblem};
use crate::upstream::metadata::Metadata;
use crate::upstream::tests::*;

const DISCOVERY: &str = "/.well-known/openid-configuration";

impl World {
    async fn begin(&self, now: i64) -> Result<url::Url, UpstreamError> {
        let verifier = SecretValue::new(VERIFIER.to_owned());
        self.rp.begin(&self.settings, &params(&verifier, &self.settings.redirect_uri), now).await
    }
}

fn unavailable(outcome: Result<url::Url, UpstreamError>) -> Unavailable {
    match outcome.unwrap_err() {
        UpstreamError::Unavailable(unavailable) => unavailable,
        other => unreachable!("{other}"),
    }
}

/// Lets spawned tasks run; the scripted provider needs one turn an answer.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn d24_a_wrong_discovery_document_is_refused() {
    let cases = [
        ("issuer", json!("https://idp.example/"), "names the issuer"),
        ("issuer", json!("https://evil.example"), "names the issuer"),
        ("issuer", Value::Null, "names the issuer"),
        ("authorization_endpoint", Value::Null, "authorization_endpoint: it is missing"),
        ("authorization_endpoint", json!("javascript:alert(1)"), "authorization_endpoint: not a URL"),
        (
            "authorization_endpoint",
            json!("http://idp.example/authorize"),
            "authorization_endpoint: idp.example is not https",
        ),
        ("authorization_endpoint", json!("https://idp.example/a#b"), "authorization_endpoint: it has a fragment"),
        ("token_endpoint", json!(7), "token_endpoint: it is not a string"),
        ("token_endpoint", json!("/token"), "token_endpoint: it is not a URL"),
        ("token_endpoint", json!("https://user:secret@idp.example/token"), "carries a user name"),
        ("jwks_uri", Value::Null, "jwks_uri: it is missing"),
        ("jwks_uri", json!("https://169.254.169.254/latest/meta-data"), "private, loopback or link-local"),
        ("jwks_uri", json!("https://127.0.0.1/jwks"), "private, loopback or link-local"),
        ("jwks_uri", json!("https://localhost:9464/metrics"), "private, loopback or link-local"),
        ("jwks_uri", json!("https://2130706433/jwks"), "private, loopback or link-local"),
        ("userinfo_endpoint", json!("https://[fd00::1]/userinfo"), "private, loopback or link-local"),
    ];
    for (name, value, text) in cases {
        let world = World::new("");
        world.discovery(|document| set(document, name, value.clone()));
        let refusal = unavailable(world.begin(NOW).await);
        assert_eq!(refusal.document, Document::Discovery);
        assert!(refusal.to_string().contains(text), "{name} {value}: {refusal}");
    }
}

#[tokio::test]
async fn d24_bodies_that_are_no_document_are_refused() {
    let answers = [
        Answer::Fails(OutboundError::TooLarge(1024 * 1024)),
        Answer::Fails(OutboundError::Timeout),
        Answer::Fails(OutboundError::Redirect(302)),
        Answer::Fails(OutboundError::ForbiddenAddress("idp.example".to_owned())),
        Answer::Raw(200, "application/json", b"<html>".to_vec()),
        Answer::Raw(200, "application/json", b"[]".to_vec()),
        Answer::Raw(404, "application/json", b"{}".to_vec()),
        Answer::Raw(500, "application/json", b"{}".to_vec()),
    ];
    for answer in answers {
        let world = World::new("");
        world.idp.answer(DISCOVERY, answer.clone());
        let refusal = unavailable(world.begin(NOW).await);
        let health = world.rp.health(&world.settings);
        assert_eq!(health.healthy(), Some(false));
        assert_eq!(health.last_error, Some((NOW, refusal)));
        // The same for the key set and the token endpoint.
        for path in ["/jwks", "/token"] {
            let world = World::id_token_only();
            world.id_token(&TestKey::rsa(), |_, _| {});
            world.idp.answer(path, answer.clone());
            assert!(world.finish(NOW).await.is_err());
        }
    }
}

#[tokio::test]
async fn odd_members_that_no_sign_in_needs_do_no_harm() {
    let world = World::new("");
    world.discovery(|document| {
        set(document, "op_tos_uri", json!(""));
        set(document, "claims_locales_supported", json!("en"));
        set(document, "response_types_supported", Value::Null);
        set(document, "code_challenge_methods_supported", json!("S256"));
        set(document, "end_session_endpoint", Value::Null);
    });
    assert!(world.begin(NOW).await.is_ok());
}

#[tokio::test]
async fn d34_a_provider_that_was_down_works_within_a_minute_of_recovering() {
    let world = World::id_token_only();
    world.id_token(&TestKey::rsa(), |_, _| {});
    world.idp.answer(DISCOVERY, Answer::Fails(OutboundError::Connect("refused".to_owned())));
    assert!(world.begin(NOW).await.is_err());
    // Remembered, so that users see the error at once and a failing provider is not called at every request.
    for second in 0..15 {
        assert!(world.begin(NOW + second).await.is_err());
    }
    assert_eq!(world.idp.count(DISCOVERY), 1);
    world.discovery(|_| {});
    assert!(world.begin(NOW + 15).await.is_ok());
    assert!(world.finish(NOW + 15).await.is_ok());
    let health = world.rp.health(&world.settings);
    assert_eq!((health.healthy(), health.last_success), (Some(true), Some(NOW + 15)));
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_no_failure_alive() {
    let world = World::new("");
    world.idp.answer(DISCOVERY, Answer::Fails(OutboundError::Timeout));
    assert!(world.begin(NOW).await.is_err());
    world.discovery(|_| {});
    assert!(world.begin(NOW - 3600).await.is_ok());
    // Nor does a document fetched in the future live for an hour more.
    assert!(world.begin(NOW - 7200).await.is_ok());
    assert_eq!(world.idp.count(DISCOVERY), 3);
}

#[tokio::test]
async fn one_fetch_serves_all_who_wait() {
    for (answer, works) in [(None, true), (Some(Answer::Fails(OutboundError::Timeout)), false)] {
        let world = Arc::new(World::new(""));
        if let Some(answer) = answer {
            world.idp.answer(DISCOVERY, answer);
        }
        let mut begins = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let world = Arc::clone(&world);
            begins.spawn(async move { world.begin(NOW).await.is_ok() });
        }
        assert!(begins.join_all().await.into_iter().all(|ok| ok == works));
        assert_eq!(world.idp.count(DISCOVERY), 1);
    }
}

/// Polls once.
async fn poll_once<F: std::future::Future + ?Sized>(mut future: std::pin::Pin<&mut F>) -> std::task::Poll<F::Output> {
    std::future::poll_fn(|context| std::task::Poll::Ready(future.as_mut().poll(context))).await
}

#[tokio::test]
async fn a_provider_that_hangs_holds_up_no_other() {
    let world = Arc::new(World::new(""));
    world.idp.answer("https://slow.example/.well-known/openid-configuration", Answer::Hangs);
    let slow = provider_at("slow", "https://slow.example", "");
    let hanging = Arc::clone(&world);
    let task = tokio::spawn(async move {
        let verifier = SecretValue::new(VERIFIER.to_owned());
        hanging.rp.begin(&slow, &params(&verifier, "https://sso.example/callback/slow"), NOW).await.is_ok()
    });
    settle().await;
    assert!(world.begin(NOW).await.is_ok());
    assert!(!task.is_finished());
    task.abort();
}

#[tokio::test]
async fn a_caller_who_gives_up_leaves_no_lock_behind() {
    let world = World::new("");
    world.idp.answer(DISCOVERY, Answer::Hangs);
    {
        let mut begin = Box::pin(world.begin(NOW));
        for _ in 0..3 {
            assert!(poll_once(begin.as_mut()).await.is_pending());
        }
    }
    world.discovery(|_| {});
    assert!(world.begin(NOW).await.is_ok());
}

#[tokio::test]
async fn metadata_is_served_while_it_is_refreshed() {
    let world = World::new("");
    world.begin(NOW).await.unwrap();
    world.begin(NOW + 3599).await.unwrap();
    assert_eq!(world.idp.count(DISCOVERY), 1);
    world.discovery(|document| set(document, "authorization_endpoint", json!("https://idp.example/moved")));
    assert_eq!(world.begin(NOW + 3600).await.unwrap().path(), "/authorize");
    settle().await;
    assert_eq!(world.begin(NOW + 3600).await.unwrap().path(), "/moved");
    assert_eq!(world.idp.count(DISCOVERY), 2);
    // A refresh that fails leaves what was known, and is not tried again at once.
    world.idp.answer(DISCOVERY, Answer::Hangs);
    let (a, b) = (world.begin(NOW + 7200).await, world.begin(NOW + 7201).await);
    assert!(a.is_ok() && b.is_ok());
    settle().await;
    assert_eq!(world.idp.count(DISCOVERY), 3);
}

#[tokio::test]
async fn a_failed_refresh_leaves_what_was_known() {
    let world = World::new("");
    world.begin(NOW).await.unwrap();
    world.discovery(|document| set(document, "issuer", json!("https://evil.example")));
    for second in [3600, 3601, 3614, 100_000, 100_001] {
        assert_eq!(world.begin(NOW + second).await.unwrap().path(), "/authorize");
        settle().await;
    }
    assert_eq!(world.idp.count(DISCOVERY), 3);
    let health = world.rp.health(&world.settings);
    assert_eq!(health.healthy(), Some(false));
    assert!(matches!(health.last_error.unwrap().1.problem, UnavailableProblem::Issuer { .. }));
}

#[tokio::test]
async fn an_unknown_key_type_spoils_no_other_key() {
    let world = World::id_token_only();
    let mut strange = TestKey::ec256().named(Some("strange")).jwk();
    set(&mut strange, "crv", json!("secp256k1"));
    let keys = json!({ "keys": [
        { "kty": "AKP", "alg": "ML-DSA-65", "kid": "pq", "pub": "AAAA" },
        strange,
        "not even an object",
        { "kty": "oct", "kid": "rsa-1", "k": "c2VjcmV0" },
        { "kty": "RSA", "kid": "rsa-1", "use": "enc", "alg": "RSA-OAEP", "n": "AQAB", "e": "AQAB" },
        TestKey::weak().jwk(),
        TestKey::rsa().jwk(),
    ] });
    world.idp.json("/jwks", keys);
    world.id_token(&TestKey::rsa(), |_, _| {});
    assert!(world.finish(NOW).await.is_ok());
    world.id_token(&TestKey::weak(), |_, _| {});
    assert_eq!(refused(world.finish(NOW).await), (Document::IdToken, Check::Key));
}

#[tokio::test]
async fn d25_ten_thousand_unknown_kids_cost_one_fetch_a_cooldown() {
    let world = World::id_token_only();
    world.id_token(&TestKey::rsa(), |_, _| {});
    world.finish(NOW).await.unwrap();
    assert_eq!(world.idp.count("/jwks"), 1);
    let payload = encode(claims().to_string().as_bytes());
    for attempt in 0..10_000 {
        let header = json!({ "alg": "RS256", "kid": format!("unknown-{attempt}") });
        world.tokens(&format!("{}.{payload}.c2ln", encode(header.to_string().as_bytes())));
        let now = NOW + i64::from(attempt >= 5_000) * 9;
        assert_eq!(refused(world.finish(now).await), (Document::IdToken, Check::Key));
    }
    assert_eq!(world.idp.count("/jwks"), 2);
    // The cache is kept.
    world.id_token(&TestKey::rsa(), |_, _| {});
    world.finish(NOW + 9).await.unwrap();
    assert_eq!(world.idp.count("/jwks"), 2);
    // The next cooldown has one more.
    let header = json!({ "alg": "RS256", "kid": "unknown" });
    world.tokens(&format!("{}.{payload}.c2ln", encode(header.to_string().as_bytes())));
    for _ in 0..3 {
        assert!(world.finish(NOW + 10).await.is_err());
    }
    assert_eq!(world.idp.count("/jwks"), 3);
}

#[tokio::test]
async fn d26_a_new_key_works_at_once_and_as_often_as_it_changes() {
    let world = World::id_token_only();
    world.id_token(&TestKey::rsa(), |_, _| {});
    world.finish(NOW).await.unwrap();
    // Rotated just before signing, within a second of the last fetch, and again.
    for (second, kid) in [(0, "rsa-2"), (1, "rsa-3"), (1, "rsa-4"), (2, "rsa-5")] {
        let key = TestKey::other_rsa(kid);
        world.idp.keys(&[&key, &TestKey::rsa()]);
        world.id_token(&key, |_, _| {});
        assert!(world.finish(NOW + second).await.is_ok(), "{kid}");
    }
    assert_eq!(world.idp.count("/jwks"), 5);
    // Also without kids: the new key is found in a new set.
    let key = TestKey::ec256().named(None);
    world.idp.keys(&[&key]);
    world.id_token(&key, |_, _| {});
    assert!(world.finish(NOW + 2).await.is_ok());
}

#[tokio::test]
async fn d26_a_removed_key_stops_verifying_within_ten_minutes() {
    let world = World::id_token_only();
    let token = |now: i64| {
        world.id_token(&TestKey::rsa(), |_, claims| {
            set(claims, "iat", json!(now));
            set(claims, "exp", json!(now + 300));
            set(claims, "auth_time", json!(now));
        });
    };
    token(NOW);
    world.finish(NOW).await.unwrap();
    world.idp.keys(&[&TestKey::other_rsa("rsa-2")]);
    token(NOW + 299);
    assert!(world.finish(NOW + 299).await.is_ok(), "cached");
    token(NOW + 600);
    assert_eq!(refused(world.finish(NOW + 600).await), (Document::IdToken, Check::Key));
    // Where someone signs in between, the refresh in the background comes earlier.
    let world = World::id_token_only();
    world.id_token(&TestKey::rsa(), |_, _| {});
    world.finish(NOW).await.unwrap();
    world.idp.keys(&[&TestKey::other_rsa("rsa-2")]);
    world.finish(NOW + 300).await.unwrap();
    settle().await;
    assert_eq!(refused(world.finish(NOW + 300).await), (Document::IdToken, Check::Key));
}

#[tokio::test]
async fn a_broken_new_key_set_leaves_the_old_one() {
    let broken = [
        Answer::Raw(200, "application/json", br#"{"keys":[]}"#.to_vec()),
        Answer::Raw(200, "application/json", br#"{"keys":{}}"#.to_vec()),
        Answer::Raw(200, "application/json", b"oops".to_vec()),
        Answer::Raw(200, "application/json", br#"{"keys":[{"kty":"new"}]}"#.to_vec()),
        Answer::Raw(404, "application/json", Vec::new()),
        Answer::Fails(OutboundError::Timeout),
    ];
    for answer in broken {
        let world = World::id_token_only();
        world.id_token(&TestKey::rsa(), |_, _| {});
        world.finish(NOW).await.unwrap();
        world.idp.answer("/jwks", answer);
        // For an unknown kid, and when it is due.
        world.id_token(&TestKey::other_rsa("rsa-2"), |_, _| {});
        assert!(world.finish(NOW + 1).await.is_err());
        for now in [NOW + 2, NOW + 700, NOW + 701] {
            world.id_token(&TestKey::rsa(), |_, claims| {
                set(claims, "exp", json!(now + 300));
            });
            assert!(world.finish(now).await.is_ok());
        }
        assert_eq!(world.idp.count("/jwks"), 3);
        // Not for ever.
        let now = NOW + 24 * 3600;
        world.id_token(&TestKey::rsa(), |_, claims| set(claims, "exp", json!(now + 300)));
        assert_eq!(world.finish(now).await.unwrap_err().reason(), "provider_unavailable");
    }
}

#[tokio::test]
async fn a_probe_asks_whatever_is_cached() {
    let world = World::new("");
    assert_eq!(world.rp.health(&world.settings).healthy(), None);
    assert_eq!(world.rp.probe(&world.settings, NOW).await.healthy(), Some(true));
    world.idp.answer("/jwks", Answer::Fails(OutboundError::Timeout));
    let health = world.rp.probe(&world.settings, NOW + 1).await;
    assert_eq!((health.healthy(), health.last_success), (Some(false), Some(NOW + 1)));
    assert_eq!(health.last_error.unwrap().1.to_string(), format!("key set {ISSUER}/jwks: no answer in time"));
    assert_eq!((health.discovery_fetches, health.jwks_fetches), (2, 2));
    // A probe that succeeds ends the failure for everyone.
    world.idp.keys(&[&TestKey::rsa()]);
    assert_eq!(world.rp.probe(&world.settings, NOW + 2).await.healthy(), Some(true));
}

#[tokio::test]
async fn a_reload_keeps_the_caches_of_providers_that_stayed_the_same() {
    let world = World::new("");
    world.begin(NOW).await.unwrap();
    let renamed = provider("name = \"Corporate account\"\nscopes = [\"openid\"]");
    world.rp.retain([&renamed]);
    world.begin(NOW).await.unwrap();
    assert_eq!(world.idp.count(DISCOVERY), 1);
    world.rp.retain([&provider("allow_private_network = true")]);
    world.begin(NOW).await.unwrap();
    assert_eq!(world.idp.count(DISCOVERY), 2);
}

#[test]
fn discovery_is_found_from_the_issuer() {
    let cases = [
        ("https://idp.example", "", "https://idp.example/.well-known/openid-configuration"),
        ("https://idp.example/", "", "https://idp.example/.well-known/openid-configuration"),
        ("https://idp.example/realms/a", "", "https://idp.example/realms/a/.well-known/openid-configuration"),
        ("https://idp.example/app/", "", "https://idp.example/app/.well-known/openid-configuration"),
        (
            "https://idp.example/realms/a",
            "allow_http = true\nbackchannel_url = \"http://10.1.2.3:8080/realms/a/\"",
            "http://10.1.2.3:8080/realms/a/.well-known/openid-configuration",
        ),
    ];
    for (issuer, extra, url) in cases {
        assert_eq!(Metadata::discovery_url(&provider_at("corp", issuer, extra).source).as_str(), url);
    }
}

#[test]
fn endpoints_below_the_issuer_are_called_on_the_back_channel() {
    let settings = provider_at(
        "corp",
        "https://id.example/realms/a",
        "allow_http = true\nbackchannel_url = \"http://10.1.2.3:8080/auth/a\"",
    );
    let document = json!({
        "issuer": "https://id.example/realms/a",
        "authorization_endpoint": "https://id.example/realms/a/authorize",
        "token_endpoint": "https://id.example/realms/a/token?x=1",
        "userinfo_endpoint": "https://id.example/realms/another/userinfo",
        "jwks_uri": "https://id.example:8443/realms/a/jwks",
        "introspection_endpoint": "https://id.example/realms/a/introspect",
        "end_session_endpoint": "https://id.example/realms/a/logout",
    });
    let metadata = Metadata::parse(&settings.source, document.to_string().as_bytes()).unwrap();
    assert_eq!(metadata.authorization_endpoint.as_str(), "https://id.example/realms/a/authorize");
    assert_eq!(metadata.end_session_endpoint.unwrap().as_str(), "https://id.example/realms/a/logout");
    assert_eq!(metadata.token_endpoint.as_str(), "http://10.1.2.3:8080/auth/a/token?x=1");
    assert_eq!(metadata.introspection_endpoint.unwrap().as_str(), "http://10.1.2.3:8080/auth/a/introspect");
    // Neither another path nor another port is below the issuer.
    assert_eq!(metadata.userinfo_endpoint.unwrap().as_str(), "https://id.example/realms/another/userinfo");
    assert_eq!(metadata.jwks_uri.unwrap().as_str(), "https://id.example:8443/realms/a/jwks");
}

#[tokio::test]
async fn manual_endpoints_need_no_discovery() {
    let world = World::new(concat!(
        "authorization_endpoint = \"https://idp.example/authorize\"\n",
        "token_endpoint = \"https://idp.example/token\"\n",
        "jwks_uri = \"https://idp.example/jwks\"\n",
        "userinfo_endpoint = \"https://idp.example/userinfo\"",
    ));
    world.id_token(&TestKey::rsa(), |_, _| {});
    assert_eq!(world.begin(NOW).await.unwrap().path(), "/authorize");
    assert_eq!(world.finish(NOW).await.unwrap().claims.get("email"), Some(&json!("alice@idp.example")));
    assert_eq!(world.idp.count(DISCOVERY), 0);
    // One that is written goes before the discovered one.
    let world = World::new("authorization_endpoint = \"https://login.example/authorize\"");
    assert_eq!(world.begin(NOW).await.unwrap().host_str(), Some("login.example"));
}

#[tokio::test]
async fn a_key_is_used_for_what_it_says_it_is_for() {
    let change = |name: &str, value: Value| {
        let mut key = TestKey::rsa().jwk();
        set(&mut key, name, value);
        key
    };
    let padded = {
        use base64::Engine as _;
        let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let key = TestKey::rsa().jwk();
        let modulus = engine.decode(key.get("n").unwrap().as_str().unwrap()).unwrap();
        change("n", json!(encode(&[vec![0], modulus].concat())))
    };
    let cases = [
        (change("alg", json!("RS256")), true),
        (change("alg", json!("PS256")), false),
        (change("alg", json!("RSA-OAEP")), false),
        (change("alg", json!(256)), false),
        (change("use", json!("enc")), false),
        (change("use", Value::Null), true),
        (change("kid", json!(1)), false),
        (change("e", json!("")), false),
        (change("x5c", json!(["not read"])), true),
        (padded, true),
    ];
    for (key, used) in cases {
        let world = World::id_token_only();
        world.idp.json("/jwks", json!({ "keys": [key, TestKey::ec256().jwk()] }));
        world.id_token(&TestKey::rsa(), |_, _| {});
        assert_eq!(world.finish(NOW).await.is_ok(), used, "{key}");
    }
}

#[tokio::test]
async fn d25_all_who_meet_a_new_key_at_once_share_one_fetch() {
    let world = Arc::new(World::id_token_only());
    world.id_token(&TestKey::rsa(), |_, _| {});
    world.finish(NOW).await.unwrap();
    let key = TestKey::other_rsa("rsa-2");
    world.idp.keys(&[&key]);
    world.id_token(&key, |_, _| {});
    let mut sign_ins = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let world = Arc::clone(&world);
        sign_ins.spawn(async move { world.finish(NOW + 1).await.is_ok() });
    }
    assert!(sign_ins.join_all().await.into_iter().all(|ok| ok));
    assert_eq!(world.idp.count("/jwks"), 2);
}

proptest::proptest! {
    #[test]
    fn no_document_makes_the_readers_panic(bytes: Vec<u8>, text in "\\PC{0,200}", parts in "[A-Za-z0-9_.-]{0,200}") {
        let source = provider("").source;
        for document in [bytes.as_slice(), text.as_bytes(), parts.as_bytes()] {
            let _ = Metadata::parse(&source, document);
            let _ = crate::jose::KeySet::parse(document);
        }
        for token in [text.as_str(), parts.as_str()] {
            let _ = crate::jose::Jws::parse(token);
        }
    }
}
