//! The life cycle of keys as seen by apps: what is published, what verifies, and for how long, with a store and a moving clock.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use crate::env::SystemRandomness;
use crate::jose::{Check, Jws, KeySet};
use crate::keys::*;
use crate::store::sqlite::{Location, SqliteStore};

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;
/// The longest lifetime of a token.
const KEEP: i64 = 3600;
/// How long a process may take to notice a rotation, plus clock differences: `life.rs` adds it to [`KEEP`].
const MARGIN: i64 = 600;

use KeyState::{Current, Next, Retired};
use SigningAlgorithm::{ES256, ES384, EdDSA, PS256, RS256};

fn store() -> Arc<dyn Store> {
    Arc::new(SqliteStore::open(&Location::Memory, &[], Arc::new(SystemRandomness::default())).unwrap())
}

fn policy(algorithms: &[SigningAlgorithm]) -> KeyPolicy {
    KeyPolicy { algorithms: algorithms.to_vec(), rotate_every: 90 * DAY, keep: KEEP, remember: 0 }
}

async fn keys(algorithms: &[SigningAlgorithm]) -> Keys {
    Keys::open(store(), &policy(algorithms), NOW).await.unwrap()
}

fn claims(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn kids(keys: &Keys) -> Vec<(String, KeyState)> {
    keys.set().list().map(|(kid, _, state)| (kid.to_owned(), state)).collect()
}

fn states(keys: &Keys) -> Vec<KeyState> {
    keys.set().list().map(|(_, _, state)| state).collect()
}

fn published(keys: &Keys) -> Vec<Value> {
    let document: Value = serde_json::from_slice(&keys.set().jwks()).unwrap();
    document["keys"].as_array().unwrap().clone()
}

/// Whether an app that holds this JWKS document can verify the token.
fn verifies_with(jwks: &[u8], token: &str) -> bool {
    Jws::parse(token).unwrap().verify(&KeySet::parse(jwks).unwrap()).is_ok()
}

fn kid_of(token: &str) -> String {
    Jws::parse(token).unwrap().kid.unwrap()
}

fn forge(header: &Value, signature: &[u8]) -> String {
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!("{}.{}.{}", encode(header.to_string().as_bytes()), encode(br#"{"sub":"a"}"#), encode(signature))
}

#[tokio::test]
async fn every_algorithm_verifies_here_and_by_its_published_key() {
    let all = SigningAlgorithm::ALL;
    let keys = keys(&all).await;
    let set = keys.set();
    // An independent library stands for those of the apps.
    let published: jsonwebtoken::jwk::JwkSet = serde_json::from_slice(&set.jwks()).unwrap();
    for algorithm in all {
        let claims = claims(json!({ "sub": "someone", "exp": 1 }));
        let token = set.sign(algorithm, "at+jwt", &claims).unwrap();
        assert_eq!(set.verify(&token, "at+jwt").unwrap(), claims);
        assert!(verifies_with(&set.jwks(), &token));

        let header = jsonwebtoken::decode_header(&token).unwrap();
        let key = jsonwebtoken::DecodingKey::from_jwk(published.find(&header.kid.unwrap()).unwrap()).unwrap();
        let mut validation = jsonwebtoken::Validation::new(header.alg);
        validation.validate_exp = false;
        validation.validate_aud = false;
        assert_eq!(jsonwebtoken::decode::<Map<String, Value>>(&token, &key, &validation).unwrap().claims, claims);
    }
}

#[tokio::test]
async fn the_published_keys_say_what_they_are_and_nothing_private() {
    let keys = keys(&[RS256, PS256, ES256, ES384, EdDSA]).await;
    let list = published(&keys);
    assert_eq!(list.len(), 5);
    for jwk in list {
        assert_eq!(jwk["use"], "sig");
        let members: Vec<&str> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
        let expected: &[&str] = match jwk["alg"].as_str().unwrap() {
            "RS256" | "PS256" => &["use", "alg", "kid", "kty", "n", "e"],
            "ES256" | "ES384" => &["use", "alg", "kid", "kty", "crv", "x", "y"],
            _ => &["use", "alg", "kid", "kty", "crv", "x"],
        };
        assert_eq!(members, expected);
    }
}

#[tokio::test]
async fn a_key_id_is_the_thumbprint_of_the_published_key() {
    let keys = keys(&[RS256, ES256, EdDSA]).await;
    for jwk in published(&keys) {
        let thumbprint = crate::jose::PublicKey::parse(&jwk).unwrap().thumbprint().unwrap();
        assert_eq!(jwk["kid"], thumbprint);
    }
}

#[tokio::test]
async fn a_key_is_published_for_the_longest_lifetime_of_a_token_before_it_signs() {
    // With a period shorter than a token's lifetime, a key that no app has fetched would sign if only its age counted.
    let policy = KeyPolicy { rotate_every: KEEP / 2, ..policy(&[ES256]) };
    let keys = Keys::open(store(), &policy, NOW).await.unwrap();
    keys.ensure(&policy, NOW).await.unwrap();
    assert_eq!(states(&keys), [Current, Next]);
    let cached = keys.set().jwks();

    assert!(!keys.ensure(&policy, NOW + KEEP - 1).await.unwrap(), "the next key is too young to sign");
    let next = kids(&keys)[1].0.clone();
    assert!(keys.ensure(&policy, NOW + KEEP).await.unwrap());
    let token = keys.set().sign(ES256, "JWT", &json!({})).unwrap();
    assert_eq!(kid_of(&token), next, "the key that was published signs");
    assert!(verifies_with(&cached, &token), "an app with the document of before the rotation verifies it");
}

#[tokio::test]
async fn a_retired_key_is_published_until_its_last_token_has_expired() {
    let policy = policy(&[ES256]);
    let keys = Keys::open(store(), &policy, NOW).await.unwrap();
    keys.ensure(&policy, NOW).await.unwrap();
    let turn = NOW + 90 * DAY;
    assert!(!keys.ensure(&policy, turn - 1).await.unwrap());
    let last = keys.set().sign(ES256, "JWT", &json!({ "exp": turn - 1 + KEEP })).unwrap();
    assert!(keys.ensure(&policy, turn).await.unwrap());
    assert_eq!(states(&keys), [Current, Next, Retired]);

    for now in [turn + 1, turn + KEEP, turn + KEEP + MARGIN - 1] {
        assert!(!keys.ensure(&policy, now).await.unwrap());
        assert!(keys.set().verify(&last, "JWT").is_ok(), "here, at {now}");
        assert!(verifies_with(&keys.set().jwks(), &last), "by the published keys, at {now}");
    }
    assert!(keys.ensure(&policy, turn + KEEP + MARGIN).await.unwrap());
    assert_eq!(states(&keys), [Current, Next]);
    assert_eq!(keys.set().verify(&last, "JWT").unwrap_err(), Check::Key);
    assert!(published(&keys).iter().all(|jwk| jwk["kid"] != kid_of(&last)));
}

#[tokio::test]
async fn a_key_that_is_kept_for_hints_is_not_published() {
    let policy = KeyPolicy { remember: DAY, ..policy(&[ES256]) };
    let keys = Keys::open(store(), &policy, NOW).await.unwrap();
    keys.ensure(&policy, NOW).await.unwrap();
    let hint = keys.set().sign(ES256, "JWT", &json!({ "sid": "s" })).unwrap();
    let turn = NOW + 90 * DAY;
    keys.ensure(&policy, turn).await.unwrap();
    assert!(verifies_with(&keys.set().jwks(), &hint));
    assert!(keys.ensure(&policy, turn + KEEP + MARGIN).await.unwrap(), "the published keys changed");
    assert!(published(&keys).iter().all(|jwk| jwk["kid"] != kid_of(&hint)));
    assert_eq!(keys.set().verify(&hint, "JWT").unwrap()["sid"], "s");
    assert!(!keys.ensure(&policy, turn + DAY + MARGIN - 1).await.unwrap());
    assert!(keys.ensure(&policy, turn + DAY + MARGIN).await.unwrap());
    assert!(keys.set().verify(&hint, "JWT").is_err());
}

#[tokio::test]
async fn each_rotation_lets_another_key_sign_and_every_token_verifies_for_its_lifetime() {
    let policy = policy(&[ES256]);
    let keys = Keys::open(store(), &policy, NOW).await.unwrap();
    let mut signers = Vec::new();
    for turn in 0..4 {
        let now = NOW + turn * 90 * DAY;
        keys.ensure(&policy, now).await.unwrap();
        let token = keys.set().sign(ES256, "JWT", &json!({ "turn": turn })).unwrap();
        signers.push(kid_of(&token));
        keys.ensure(&policy, now + KEEP).await.unwrap();
        assert_eq!(keys.set().verify(&token, "JWT").unwrap()["turn"], turn);
    }
    let distinct: std::collections::BTreeSet<_> = signers.iter().collect();
    assert_eq!(distinct.len(), signers.len());
}

#[tokio::test]
async fn an_algorithm_that_the_file_drops_verifies_until_its_last_token_has_expired() {
    let keys = keys(&[RS256, ES256]).await;
    let token = keys.set().sign(ES256, "JWT", &json!({})).unwrap();
    keys.ensure(&policy(&[RS256]), NOW + 1).await.unwrap();
    assert!(matches!(keys.set().sign(ES256, "JWT", &json!({})), Err(SignError::NoKey(ES256))));
    assert_eq!(keys.set().algorithms().collect::<Vec<_>>(), [RS256]);
    assert!(keys.set().verify(&token, "JWT").is_ok());
    keys.ensure(&policy(&[RS256]), NOW + 1 + KEEP + MARGIN).await.unwrap();
    assert_eq!(keys.set().verify(&token, "JWT").unwrap_err(), Check::Key);
}

#[tokio::test]
async fn a_restart_changes_nothing() {
    let (store, policy) = (store(), policy(&[ES256]));
    let keys = Keys::open(Arc::clone(&store), &policy, NOW).await.unwrap();
    keys.ensure(&policy, NOW).await.unwrap();
    keys.rotate_now(&policy, NOW + 1).await.unwrap();
    let token = keys.set().sign(ES256, "JWT", &json!({})).unwrap();

    let again = Keys::open(store, &policy, NOW + 2).await.unwrap();
    assert_eq!(kids(&again), kids(&keys));
    assert_eq!(again.set().jwks(), keys.set().jwks());
    assert!(again.set().verify(&token, "JWT").is_ok());
    assert!(!again.ensure(&policy, NOW + 2).await.unwrap());
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
        assert!(first.set().verify(&own, "JWT").is_ok());
        assert!(process.ensure(&policy, NOW + 60).await.unwrap());
        assert!(process.set().verify(&token, "JWT").is_ok());
        assert_eq!(process.set().jwks(), first.set().jwks());
    }
}

#[tokio::test]
async fn rotating_at_once_works_without_a_next_key() {
    let keys = keys(&[ES256]).await;
    let token = keys.set().sign(ES256, "JWT", &json!({})).unwrap();
    keys.rotate_now(&policy(&[ES256]), NOW + 5).await.unwrap();
    assert_eq!(states(&keys), [Current, Next, Retired]);
    assert!(keys.set().verify(&token, "JWT").is_ok());
}

#[tokio::test]
async fn d06_d07_forgeries_are_refused() {
    let keys = keys(&[RS256, ES256]).await;
    let set = keys.set();
    let refused = |token: &str| set.verify(token, "JWT").unwrap_err();
    let kid = kids(&keys)[0].0.clone();

    assert_eq!(refused(&forge(&json!({ "alg": "none", "typ": "JWT", "kid": kid }), b"")), Check::Algorithm);

    let public = published(&keys).into_iter().find(|jwk| jwk["kid"] == kid).unwrap().to_string();
    let header = json!({ "alg": "HS256", "typ": "JWT", "kid": kid });
    let input = forge(&header, b"").trim_end_matches('.').to_owned();
    let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, public.as_bytes());
    let signature = aws_lc_rs::hmac::sign(&secret, input.as_bytes());
    assert_eq!(refused(&forge(&header, signature.as_ref())), Check::Key);

    let claims = json!({ "sub": "a" });
    let other = crate::keys::tests::keys(&[RS256]).await.set().sign(RS256, "JWT", &claims).unwrap();
    assert_eq!(refused(&other), Check::Key);
    let (_, rest) = other.split_once('.').unwrap();
    let ours = set.sign(RS256, "JWT", &claims).unwrap();
    let (header, _) = ours.split_once('.').unwrap();
    assert_eq!(refused(&format!("{header}.{rest}")), Check::Signature);
    let es = forge(&json!({ "alg": "ES256", "typ": "JWT", "kid": kid_of(&ours) }), b"x");
    assert_eq!(refused(&es), Check::Key, "another algorithm than the key's");

    for kid in [json!("../../etc/passwd"), json!("' OR 1=1 --"), json!("")] {
        assert_eq!(refused(&forge(&json!({ "alg": "RS256", "typ": "JWT", "kid": kid }), b"x")), Check::Key);
    }
    let critical = forge(&json!({ "alg": "RS256", "typ": "JWT", "kid": kid, "crit": ["b64"] }), b"x");
    assert!(matches!(refused(&critical), Check::Form(_)));
    for broken in ["", ".", "..", "a.b.c", "a.b.c.d", &format!("{ours}.x"), &ours.replace('.', "")] {
        assert!(matches!(refused(broken), Check::Form(_)), "{broken}");
    }
}

#[tokio::test]
async fn a_token_of_another_kind_is_refused() {
    let keys = keys(&[ES256]).await;
    let set = keys.set();
    let token = set.sign(ES256, "at+jwt", &json!({})).unwrap();
    assert!(matches!(set.verify(&token, "JWT"), Err(Check::Form(_))));
    assert!(set.verify(&token, "AT+JWT").is_ok());
    let untyped = forge(&json!({ "alg": "ES256", "kid": kids(&keys)[0].0 }), b"x");
    assert!(matches!(set.verify(&untyped, "JWT"), Err(Check::Form(_))));
    assert!(matches!(set.sign(RS256, "JWT", &json!({})), Err(SignError::NoKey(RS256))));
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
    assert!(SigningKeys::new(std::slice::from_ref(&key), |_| true).is_ok());
    assert!(SigningKeys::new(&[SigningKey { kid: "other".to_owned(), ..key.clone() }], |_| true).is_err());
    assert!(SigningKeys::new(&[SigningKey { algorithm: "RS256".to_owned(), ..key.clone() }], |_| true).is_err());
    assert!(SigningKeys::new(&[SigningKey { algorithm: "HS256".to_owned(), ..key.clone() }], |_| true).is_err());
    assert!(SigningKeys::new(&[SigningKey { private: b"x".to_vec(), ..key }], |_| true).is_err());
}

#[tokio::test]
async fn what_no_key_signs_with_is_missing() {
    let keys = keys(&[RS256, ES256]).await;
    assert_eq!(keys.set().missing(&[RS256, ES256]), []);
    assert_eq!(keys.set().missing(&[EdDSA, RS256]), [EdDSA]);
    assert_eq!(SigningKeys::new(&[], |_| true).unwrap().missing(&[RS256]), [RS256]);
    let mut began: Vec<_> = keys.set().activated().collect();
    began.sort_by_key(|(algorithm, _)| algorithm.name());
    assert_eq!(began, [(ES256, NOW), (RS256, NOW)]);
}

#[tokio::test]
async fn what_another_process_rotated_or_revoked_is_adopted() {
    let (store, policy) = (store(), policy(&[ES256]));
    let one = Keys::open(Arc::clone(&store), &policy, NOW).await.unwrap();
    let other = Keys::open(store, &policy, NOW).await.unwrap();
    one.ensure(&policy, NOW).await.unwrap();
    for turn in 0..3 {
        assert!(other.adopt(&policy, NOW + turn).await.unwrap());
        assert!(!other.adopt(&policy, NOW + turn).await.unwrap());
        one.rotate_now(&policy, NOW + turn).await.unwrap();
        let token = one.set().sign(ES256, "JWT", &claims(json!({ "turn": turn }))).unwrap();
        assert!(verifies_with(&other.set().jwks(), &token), "the other published the key before it signed");
        assert!(other.set().verify(&token, "JWT").is_ok());
    }
    other.adopt(&policy, NOW + 3).await.unwrap();
    let stolen = one.set().sign(ES256, "JWT", &claims(json!({}))).unwrap();
    one.revoke(&kid_of(&stolen), &policy, NOW + 4).await.unwrap();
    assert!(other.set().verify(&stolen, "JWT").is_ok());
    other.adopt(&policy, NOW + 4).await.unwrap();
    assert!(other.set().verify(&stolen, "JWT").is_err());
    assert_eq!(kids(&other), kids(&one));
}

#[tokio::test]
async fn adopting_retires_no_algorithm_that_only_another_process_lists() {
    let store = store();
    let (old, new) = (policy(&[RS256]), policy(&[RS256, ES256]));
    let before = Keys::open(Arc::clone(&store), &old, NOW).await.unwrap();
    let after = Keys::open(store, &new, NOW).await.unwrap();
    before.adopt(&old, NOW).await.unwrap();
    after.adopt(&new, NOW).await.unwrap();
    assert!(after.set().missing(&new.algorithms).is_empty());
    assert_eq!(states(&after), [Current, Current]);
    // The order is by the keys' ids, and so by chance.
    let sorted = |keys: &Keys| {
        let mut kids = kids(keys);
        kids.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        kids
    };
    assert_eq!(sorted(&before), sorted(&after));
}

#[tokio::test]
async fn the_order_in_which_keys_are_read_is_no_rotation() {
    let store = store();
    Keys::open(Arc::clone(&store), &policy(&[RS256, ES256]), NOW).await.unwrap();
    let mut keys = store.signing_keys().await.unwrap();
    let one = SigningKeys::new(&keys, |_| true).unwrap();
    keys.reverse();
    let other = SigningKeys::new(&keys, |_| true).unwrap();
    assert_eq!(one.signing(), other.signing());
}
