//! The token and userinfo endpoints of a simulated provider.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::dev::idp::fault::Fault;
use crate::dev::idp::model::{Idp, Issued, Shared, unavailable};
use crate::dev::idp::shape::Shape;
use crate::dev::personas::{Persona, persona};
use crate::op::params::Params;
use crate::protocol::SigningAlgorithm;
use crate::web::respond;

/// The lifetime of its tokens, in seconds.
const LIFETIME: i64 = 3600;

fn refuse(error: &str) -> Response {
    respond::json(StatusCode::BAD_REQUEST, &json!({ "error": error }))
}

pub(super) async fn token(State(idp): Shared, Path(provider): Path<String>, body: Bytes) -> Response {
    match idp.faults.of(&provider) {
        Some(Fault::Down) => return unavailable(),
        Some(Fault::Credentials) => {
            return respond::json(StatusCode::UNAUTHORIZED, &json!({ "error": "invalid_client" }));
        }
        Some(Fault::Page) => {
            let page = "<!doctype html><title>Sign in to the network</title>";
            return respond::text("text/html; charset=utf-8", page.to_owned());
        }
        _ => {}
    }
    let params = Params::parse(&body);
    let parameter = |name: &str| params.one(name).ok().flatten().unwrap_or_default();
    let issued = match parameter("grant_type") {
        "authorization_code" => idp.issued().remove(parameter("code")),
        "refresh_token" => idp.issued().get(parameter("refresh_token")).cloned(),
        _ => return refuse("unsupported_grant_type"),
    };
    let snapshot = idp.snapshot.load_full();
    let issued = issued.filter(|issued| issued.provider == provider);
    let person = issued.as_ref().and_then(|issued| persona(&snapshot.config, &issued.persona));
    let declared = snapshot.config.providers.get(&provider);
    match (issued, person, declared) {
        (Some(issued), Some(person), Some(declared)) => {
            let shape = Shape::of(declared.preset);
            idp.answer(&issued, &person, shape, &declared.client_id).unwrap_or_else(|| refuse("server_error"))
        }
        // Somebody whom the file's tests no longer have can't be refreshed.
        _ => refuse("invalid_grant"),
    }
}

impl Idp {
    /// The token response; `None` if the generator or a key is not available.
    fn answer(self: &Arc<Self>, issued: &Issued, person: &Persona, shape: &Shape, client_id: &str) -> Option<Response> {
        let issuer = self.issuer(&issued.provider, shape);
        let fault = self.faults.of(&issued.provider);
        let now = self.clock.now();
        let age = if fault == Some(Fault::Expired) { 2 * LIFETIME } else { 0 };
        let audience = if fault == Some(Fault::Audience) { "another-app" } else { client_id };
        let protocol = json!({
            "iss": issuer, "aud": audience, "iat": now - age, "exp": now - age + LIFETIME, "auth_time": now - age,
        });
        let mut id_token = shape.id_token(&person.claims);
        id_token.extend(protocol.as_object().cloned().unwrap_or_default());
        id_token.extend(issued.nonce.iter().map(|nonce| ("nonce".to_owned(), nonce.as_str().into())));
        let id_token = self.sign(&id_token)?;
        let id_token = if fault == Some(Fault::Signature) { with_another_signature(&id_token) } else { id_token };
        let mut answer = json!({ "token_type": "Bearer", "expires_in": LIFETIME, "id_token": id_token });
        let members = answer.as_object_mut()?;
        let access_token = if shape.jwt_access_token {
            let mut claims = person.claims.clone();
            let protocol = json!({
                "iss": issuer, "aud": "account", "azp": client_id, "typ": "Bearer", "iat": now, "exp": now + LIFETIME,
                "jti": self.random.id().ok()?,
            });
            claims.extend(protocol.as_object().cloned().unwrap_or_default());
            self.sign(&claims)?
        } else {
            self.random.secret().ok()?
        };
        self.remember(&access_token, issued.clone());
        members.insert("access_token".to_owned(), access_token.into());
        if issued.offline {
            let refresh_token = self.random.secret().ok()?;
            self.remember(&refresh_token, Issued { nonce: None, ..issued.clone() });
            members.insert("refresh_token".to_owned(), refresh_token.into());
        }
        Some(respond::json(StatusCode::OK, &answer))
    }

    fn sign(&self, claims: &Map<String, Value>) -> Option<String> {
        self.keys.set().sign(SigningAlgorithm::RS256, "JWT", claims).ok()
    }
}

/// The token with another first letter of its signature, so that no key verifies it.
fn with_another_signature(token: &str) -> String {
    let Some((signed, signature)) = token.rsplit_once('.') else { return token.to_owned() };
    let rest: String = signature.chars().skip(1).collect();
    format!("{signed}.{}{rest}", if signature.starts_with('A') { 'B' } else { 'A' })
}

pub(super) async fn userinfo(State(idp): Shared, Path(provider): Path<String>, headers: HeaderMap) -> Response {
    if idp.faults.is(&provider, Fault::Down) {
        return unavailable();
    }
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let issued = idp.issued().get(token.strip_prefix("Bearer ").unwrap_or_default()).cloned();
    let snapshot = idp.snapshot.load_full();
    let person = issued.filter(|issued| issued.provider == provider);
    let person = person.and_then(|issued| persona(&snapshot.config, &issued.persona));
    match (person, snapshot.config.providers.get(&provider)) {
        (Some(person), Some(declared)) if !Shape::of(declared.preset).refuses_userinfo => {
            respond::json(StatusCode::OK, &Shape::of(declared.preset).userinfo(&person.claims))
        }
        _ => respond::empty(StatusCode::UNAUTHORIZED),
    }
}
