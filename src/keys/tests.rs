#![expect(clippy::unwrap_used, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

use crate::env::SystemRandomness;
use crate::keys::*;
use crate::store::sqlite::{Location, SqliteStore};

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

use SigningAlgorithm::{ES256, ES384, EdDSA, PS256, RS256};

fn store() -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(&Location::Memory, &[], Arc::new(SystemRandomness::default())).unwrap())
}

fn policy(algorithms: &[SigningAlgorithm]) -> KeyPolicy {
    KeyPolicy { algorithms: algorithms.to_vec(), rotate_every: 90 * DAY, keep: 3600 }
}

async fn keys(algorithms: &[SigningAlgorithm]) -> Keys {
    Keys::open(store(), &policy(algorithms), NOW).await.unwrap()
}

fn forge(header: &Value, signature: &[u8]) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}.{}", encode(header.to_string().as_bytes()), encode(br#"{"sub":"a"}"#), encode(signature))
}

fn kid(set: &KeySet) -> String {
    set.list().next().unwrap().0.to_owned()
}

#[tokio::test]
async fn every_algorithm_verifies_here_and_by_its_published_key() {
    let all = [RS256, PS256, ES256, ES384, EdDSA];
    let keys = keys(&all).await;
    let set = keys.set();
    let published: JwkSet = serde_json::from_slice(&set.jwks()).unwrap();
    for algorithm in all {
        let claims = json!({ "sub": "someone", "exp": 1 });
        let token = set.sign(algorithm, "at+jwt", &claims).unwrap();
        assert_eq!(set.verify::<Value>(&token, "at+jwt").unwrap(), claims);

        let header = jsonwebtoken::decode_header(&token).unwrap();
        let jwk = published.find(&header.kid.unwrap()).unwrap();
        let mut validation = Validation::new(header.alg);
        validation.validate_exp = false;
        validation.validate_aud = false;
        let key = DecodingKey::from_jwk(jwk).unwrap();
        let decoded = jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap();
        assert_eq!(decoded.claims, claims);
    }
}

#[tokio::test]
async fn the_published_keys_say_what_they_are_and_nothing_private() {
    let keys = keys(&[RS256, ES256]).await;
    let document: Value = serde_json::from_slice(&keys.set().jwks()).unwrap();
    let list = document.get("keys").unwrap().as_array().unwrap();
    assert_eq!(list.len(), 2);
    for jwk in list {
        assert_eq!(jwk.get("use").unwrap(), "sig");
        let members: Vec<&str> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        let expected: &[&str] = match jwk.get("alg").unwrap().as_str().unwrap() {
            "RS256" => &["use", "alg", "kid", "kty", "n", "e"],
            _ => &["use", "alg", "kid", "kty", "crv", "x", "y"],
        };
        assert_eq!(members, expected);
    }
}

/// RFC 7638 §3.1, by way of the library that computes it.
#[test]
fn key_ids_are_thumbprints() {
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(json!({
        "kty": "RSA", "alg": "RS256", "kid": "2011-04-29", "e": "AQAB",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi\
              FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb\
              9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls\
              1jF44-csFCur-kEgU8awapJzKnqDKgw",
    }))
    .unwrap();
    let thumbprint = jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap();
    assert_eq!(thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
}

#[tokio::test]
async fn d06_d07_forgeries_are_refused() {
    let keys = keys(&[RS256, ES256]).await;
    let set = keys.set();
    let refused = |token: &str| set.verify::<Value>(token, "JWT").unwrap_err();
    let kid = kid(&set);

    let none = forge(&json!({ "alg": "none", "typ": "JWT", "kid": kid }), b"");
    assert_eq!(refused(&none), VerifyError::UnknownKey);

    let document: JwkSet = serde_json::from_slice(&set.jwks()).unwrap();
    let public = serde_json::to_vec(document.find(&kid).unwrap()).unwrap();
    let mut header = Header::new(jsonwebtoken::Algorithm::HS256);
    header.kid = Some(kid.clone());
    let claims = json!({ "sub": "a" });
    let hmac = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(&public)).unwrap();
    assert_eq!(refused(&hmac), VerifyError::UnknownKey);

    let other = crate::keys::tests::keys(&[RS256]).await.set().sign(RS256, "JWT", &claims).unwrap();
    assert_eq!(refused(&other), VerifyError::UnknownKey);
    let (_, rest) = other.split_once('.').unwrap();
    let ours = set.sign(RS256, "JWT", &claims).unwrap();
    let (header, _) = ours.split_once('.').unwrap();
    assert_eq!(refused(&format!("{header}.{rest}")), VerifyError::Signature);

    for kid in ["../../etc/passwd", "' OR 1=1 --", ""] {
        let forged = forge(&json!({ "alg": "RS256", "typ": "JWT", "kid": kid }), b"x");
        assert_eq!(refused(&forged), VerifyError::UnknownKey);
    }
    let critical = forge(&json!({ "alg": "RS256", "typ": "JWT", "kid": kid, "crit": ["b64"] }), b"x");
    assert_eq!(refused(&critical), VerifyError::Malformed);
    for broken in ["", ".", "..", "a.b.c", "a.b.c.d", &format!("{ours}.x"), &ours.replace('.', "")] {
        assert_eq!(refused(broken), VerifyError::Malformed, "{broken}");
    }
}

#[tokio::test]
async fn a_token_of_another_kind_is_refused() {
    let keys = keys(&[ES256]).await;
    let set = keys.set();
    let token = set.sign(ES256, "at+jwt", &json!({})).unwrap();
    assert_eq!(set.verify::<Value>(&token, "JWT").unwrap_err(), VerifyError::WrongType);
    assert!(set.verify::<Value>(&token, "AT+JWT").is_ok());
    let untyped = forge(&json!({ "alg": "ES256", "kid": kid(&set) }), b"x");
    assert_eq!(set.verify::<Value>(&untyped, "JWT").unwrap_err(), VerifyError::WrongType);
    assert!(matches!(set.sign(RS256, "JWT", &json!({})), Err(SignError::NoKey(RS256))));
}

#[tokio::test]
async fn tokens_outlive_a_rotation_and_a_restart() {
    let store = store();
    let policy = policy(&[ES256]);
    let keys = Keys::open(Arc::clone(&store), &policy, NOW).await.unwrap();
    assert!(keys.ensure(&policy, NOW).await.unwrap());
    assert!(!keys.ensure(&policy, NOW + 60).await.unwrap());
    let token = keys.set().sign(ES256, "JWT", &json!({ "n": 1 })).unwrap();

    assert!(keys.ensure(&policy, NOW + 90 * DAY).await.unwrap());
    assert!(keys.set().verify::<Value>(&token, "JWT").is_ok());
    let new = keys.set().sign(ES256, "JWT", &json!({ "n": 2 })).unwrap();
    assert_ne!(token.split('.').next(), new.split('.').next());

    let again = Keys::open(store, &policy, NOW + 90 * DAY + 1).await.unwrap();
    assert!(again.set().verify::<Value>(&token, "JWT").is_ok());
    assert!(again.set().verify::<Value>(&new, "JWT").is_ok());
    assert_eq!(again.set().jwks(), keys.set().jwks());

    assert!(again.ensure(&policy, NOW + 91 * DAY).await.unwrap());
    assert_eq!(again.set().verify::<Value>(&token, "JWT").unwrap_err(), VerifyError::UnknownKey);
}

#[tokio::test]
async fn processes_that_share_a_store_share_the_keys() {
    let store = store();
    let policy = policy(&[ES256]);
    let mut starts = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (store, policy) = (Arc::clone(&store), policy.clone());
        starts.spawn(async move { Keys::open(store, &policy, NOW).await.unwrap() });
    }
    let processes = starts.join_all().await;
    assert_eq!(store.signing_keys().await.unwrap().len(), 1);

    let (first, rest) = processes.split_first().unwrap();
    first.ensure(&policy, NOW).await.unwrap();
    first.rotate_now(&policy, NOW + 1).await.unwrap();
    let token = first.set().sign(ES256, "JWT", &json!({})).unwrap();
    for process in rest {
        let own = process.set().sign(ES256, "JWT", &json!({})).unwrap();
        assert!(first.set().verify::<Value>(&own, "JWT").is_ok());
        assert!(process.ensure(&policy, NOW + 60).await.unwrap());
        assert!(process.set().verify::<Value>(&token, "JWT").is_ok());
        assert_eq!(process.set().jwks(), first.set().jwks());
    }
}

#[tokio::test]
async fn a_tag_is_known_to_every_process_for_its_purpose_alone() {
    let store = store();
    let policy = policy(&[ES256, RS256]);
    let here = Keys::open(Arc::clone(&store), &policy, NOW).await.unwrap();
    let tag = here.set().tag("a purpose", b"message").unwrap();
    let there = Keys::open(store, &policy, NOW).await.unwrap();
    there.rotate_now(&policy, NOW + 1).await.unwrap();
    assert_ne!(there.set().tag("a purpose", b"message").unwrap(), tag);
    assert!(there.set().tagged("a purpose", b"message", &tag));
    assert!(!there.set().tagged("another", b"message", &tag));
    assert!(!there.set().tagged("a purpose", b"another", &tag));
    assert!(!there.set().tagged("a purpose", b"message", tag.split_last().unwrap().1));
    assert!(!there.set().tagged("a purpose", b"message", b""));
    assert!(!keys(&[ES256]).await.set().tagged("a purpose", b"message", &tag), "another broker's");
}

#[tokio::test]
async fn rotating_at_once_works_without_a_next_key() {
    let keys = keys(&[ES256]).await;
    let token = keys.set().sign(ES256, "JWT", &json!({})).unwrap();
    keys.rotate_now(&policy(&[ES256]), NOW + 5).await.unwrap();
    let states: Vec<KeyState> = keys.set().list().map(|(_, _, state)| state).collect();
    assert_eq!(states, [KeyState::Current, KeyState::Next, KeyState::Retired]);
    assert!(keys.set().verify::<Value>(&token, "JWT").is_ok());
}

#[test]
fn a_key_that_is_not_what_it_says_is_refused() {
    let (kid, private) = set::generate(ES256).unwrap();
    let key = SigningKey {
        kid,
        algorithm: "ES256".to_owned(),
        private,
        state: KeyState::Current,
        created_at: NOW,
        activated_at: Some(NOW),
        retired_at: None,
    };
    assert!(KeySet::new(std::slice::from_ref(&key)).is_ok());
    assert!(KeySet::new(&[SigningKey { kid: "other".to_owned(), ..key.clone() }]).is_err());
    assert!(KeySet::new(&[SigningKey { algorithm: "RS256".to_owned(), ..key.clone() }]).is_err());
    assert!(KeySet::new(&[SigningKey { algorithm: "HS256".to_owned(), ..key.clone() }]).is_err());
    assert!(KeySet::new(&[SigningKey { private: b"x".to_vec(), ..key }]).is_err());
}
