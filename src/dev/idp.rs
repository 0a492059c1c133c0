//! The simulated identity provider: an OpenID Provider whose users are the [`personas`](crate::dev::personas). It has no
//! passwords: the visitor picks a person on its page. It is only for trying the broker on one machine.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use crate::dev::personas::{PERSONAS, persona};
use crate::env::{Clock, Random};
use crate::keys::Keys;
use crate::op::params::Params;
use crate::pages;
use crate::pages::Pages;
use crate::pages::csp::content_security_policy;
use crate::protocol::SigningAlgorithm;
use crate::web::respond;

/// The lifetime of its tokens, in seconds.
const LIFETIME: i64 = 3600;

/// The simulated provider.
pub struct Idp {
    /// Its issuer.
    pub issuer: String,
    /// The demo app, where a sign-in ends.
    pub app: String,
    /// The broker's client secret.
    pub client_secret: String,
    /// Its signing keys.
    pub keys: Keys,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// Pages.
    pub pages: Pages,
    /// Issued codes and tokens: secret → person and nonce.
    pub issued: Mutex<HashMap<String, (&'static str, Option<String>)>>,
}

type Shared = State<Arc<Idp>>;

/// Its router.
pub fn router(idp: Arc<Idp>) -> axum::Router {
    axum::Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/jwks", get(jwks))
        .route("/authorize", get(authorize).post(pick))
        .route("/token", post(token))
        .route("/userinfo", get(userinfo))
        .route("/logout", get(logout))
        .route("/static/{name}", get(asset))
        .with_state(idp)
}

async fn asset(axum::extract::Path(name): axum::extract::Path<String>) -> Response {
    match pages::assets::asset(&name) {
        Some((kind, bytes)) => respond::public(kind, bytes, 300),
        None => respond::empty(StatusCode::NOT_FOUND),
    }
}

async fn discovery(State(idp): Shared) -> Response {
    let issuer = &idp.issuer;
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "end_session_endpoint": format!("{issuer}/logout"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
    });
    respond::json(StatusCode::OK, &document)
}

async fn jwks(State(idp): Shared) -> Response {
    respond::public("application/jwk-set+json", &idp.keys.set().jwks(), 60)
}

/// The page's form: the parameters of the request, and the chosen person.
async fn pick(state: Shared, body: Bytes) -> Response {
    let form = url::form_urlencoded::parse(&body).into_owned().collect();
    authorize(state, Query(form)).await
}

/// Shows the people, or signs in the chosen one.
async fn authorize(State(idp): Shared, Query(query): Query<HashMap<String, String>>) -> Response {
    let text = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    let Some(person) = persona(text("persona")) else {
        let view = pages::PersonaPicker {
            personas: PERSONAS.iter().map(crate::dev::personas::Persona::view).collect(),
            action: "/authorize".to_owned(),
            fields: query.iter().map(|(name, value)| pages::Field::new(name, value)).collect(),
        };
        let targets: Vec<url::Url> =
            [text("redirect_uri"), idp.app.as_str()].into_iter().filter_map(|uri| url::Url::parse(uri).ok()).collect();
        return match idp.pages.render(pages::Lang::En, &view) {
            Ok(html) => respond::page(StatusCode::OK, html, &content_security_policy(&targets, [])),
            Err(error) => respond::text("text/plain; charset=utf-8", error.to_string()),
        };
    };
    let Ok(code) = idp.random.secret() else { return respond::empty(StatusCode::INTERNAL_SERVER_ERROR) };
    idp.remember(&code, person.id, query.get("nonce").cloned());
    let answer = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("code", &code)
        .append_pair("state", text("state"))
        .append_pair("iss", &idp.issuer)
        .finish();
    respond::see_other(&format!("{}?{answer}", text("redirect_uri")))
}

impl Idp {
    fn remember(&self, secret: &str, person: &'static str, nonce: Option<String>) {
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        issued.insert(secret.to_owned(), (person, nonce));
    }

    fn take(&self, secret: &str) -> Option<(&'static str, Option<String>)> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner).remove(secret)
    }
}

async fn token(State(idp): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let params = Params::parse(&body);
    let refuse = |error: &str| respond::json(StatusCode::BAD_REQUEST, &json!({ "error": error }));
    use base64::Engine as _;
    let expected = base64::engine::general_purpose::STANDARD.encode(format!("countersign:{}", idp.client_secret));
    let presented = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if presented.strip_prefix("Basic ") != Some(expected.as_str()) {
        return respond::json(StatusCode::UNAUTHORIZED, &json!({ "error": "invalid_client" }));
    }
    let code = params.one("code").ok().flatten().unwrap_or_default();
    let Some((id, nonce)) = idp.take(code) else { return refuse("invalid_grant") };
    let Some(person) = persona(id) else { return refuse("invalid_grant") };
    let Ok(access_token) = idp.random.secret() else { return refuse("server_error") };
    idp.remember(&access_token, id, None);
    let now = idp.clock.now();
    let mut claims: Map<String, Value> = person.claims();
    let protocol = json!({
        "iss": idp.issuer, "aud": "countersign", "iat": now, "exp": now + LIFETIME, "auth_time": now,
        "amr": ["pwd", "mfa"], "acr": "urn:example:mfa",
    });
    claims.extend(protocol.as_object().cloned().unwrap_or_default());
    if let Some(nonce) = nonce {
        claims.insert("nonce".to_owned(), nonce.into());
    }
    match idp.keys.set().sign(SigningAlgorithm::RS256, "JWT", &claims) {
        Ok(id_token) => respond::json(
            StatusCode::OK,
            &json!({ "access_token": access_token, "token_type": "Bearer", "expires_in": LIFETIME, "id_token": id_token }),
        ),
        Err(_) => refuse("server_error"),
    }
}

async fn userinfo(State(idp): Shared, headers: HeaderMap) -> Response {
    let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let known = idp.take(token.strip_prefix("Bearer ").unwrap_or_default());
    match known.and_then(|(id, _)| persona(id)) {
        Some(person) => respond::json(StatusCode::OK, &person.claims()),
        None => respond::empty(StatusCode::UNAUTHORIZED),
    }
}

async fn logout(Query(query): Query<HashMap<String, String>>) -> Response {
    match (query.get("post_logout_redirect_uri"), query.get("state")) {
        (Some(uri), Some(state)) => {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("state", state).finish();
            respond::see_other(&format!("{uri}?{query}"))
        }
        (Some(uri), None) => respond::see_other(uri),
        _ => respond::text("text/plain; charset=utf-8", "signed out".to_owned()),
    }
}
