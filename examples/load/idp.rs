//! The identity provider of the load test.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::routing::{get, post};
use countersign::env::SystemRandomness;
use countersign::keys::{KeyPolicy, Keys};
use countersign::protocol::SigningAlgorithm;
use countersign::store::sqlite::{Location, SqliteStore};
use serde_json::{Value, json};

use crate::Failure;

/// The provider of the load test: it signs in any requested subject and stores only nonces. The simulated provider of
/// `countersign dev` has five people and a page to pick one; a load test needs thousands of people and no page.
pub(crate) struct Idp {
    pub(crate) issuer: String,
    keys: Keys,
    pub(crate) nonces: Mutex<HashMap<String, String>>,
}

impl Idp {
    pub(crate) async fn new(issuer: String) -> Result<Self, Failure> {
        let store = SqliteStore::open(&Location::Memory, &[], Arc::new(SystemRandomness::default()))?;
        let policy =
            KeyPolicy { algorithms: vec![SigningAlgorithm::RS256], rotate_every: 86_400, keep: 3600, remember: 0 };
        let keys = Keys::open(Arc::new(store), &policy, 0).await?;
        Ok(Self { issuer, keys, nonces: Mutex::default() })
    }

    fn id_token(&self, subject: &str, nonce: &str) -> Result<String, Failure> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs();
        let mut claims = person(subject);
        if let Some(claims) = claims.as_object_mut() {
            for (name, value) in [("iss", json!(self.issuer)), ("sub", json!(subject)), ("aud", json!("broker"))] {
                claims.insert(name.to_owned(), value);
            }
            for (name, value) in [("iat", json!(now)), ("exp", json!(now + 600)), ("nonce", json!(nonce))] {
                claims.insert(name.to_owned(), value);
            }
        }
        Ok(self.keys.set().sign(SigningAlgorithm::RS256, "JWT", &claims)?)
    }
}

pub(crate) fn router(idp: Arc<Idp>) -> axum::Router {
    let discovery = |State(idp): State<Arc<Idp>>| async move {
        let issuer = &idp.issuer;
        axum::response::IntoResponse::into_response((
            [("content-type", "application/json")],
            json!({
                "issuer": issuer, "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"), "jwks_uri": format!("{issuer}/jwks"),
                "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"], "code_challenge_methods_supported": ["S256"]
            })
            .to_string(),
        ))
    };
    let jwks = |State(idp): State<Arc<Idp>>| async move {
        ([("content-type", "application/json")], idp.keys.set().jwks().to_vec())
    };
    let token = |State(idp): State<Arc<Idp>>, body: String| async move {
        let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
        let code = form.get("code").cloned().unwrap_or_default();
        let nonce = idp.nonces.lock().unwrap_or_else(PoisonError::into_inner).remove(&code).unwrap_or_default();
        let id_token = idp.id_token(&code, &nonce).unwrap_or_default();
        let answer =
            json!({ "access_token": "opaque", "token_type": "Bearer", "expires_in": 600, "id_token": id_token });
        ([("content-type", "application/json")], answer.to_string())
    };
    axum::Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(jwks))
        .route("/token", post(token))
        .with_state(idp)
}

/// What the provider says of a person: of one whom `seed.rs` has stored, what was stored.
fn person(subject: &str) -> Value {
    subject.strip_prefix("upstream-").map_or_else(
        || {
            json!({
                "preferred_username": format!("user-{subject}"), "name": "Load Test",
                "email": format!("{subject}@corp.example"), "email_verified": true, "groups": ["a", "b", "c", "sre"]
            })
        },
        |n| {
            json!({
                "preferred_username": format!("person-{n}"), "name": format!("Person {n}"),
                "email": format!("person-{n}@example.com"), "email_verified": true,
                "groups": [format!("group-{}", n.parse::<usize>().unwrap_or_default() % 10), "everyone"]
            })
        },
    )
}
