//! The simulated identity providers, one for each provider of the file. Their people are the
//! [`personas`](crate::dev::personas), and there are no passwords: the visitor picks a person. They are only for trying a file
//! on one machine.

mod authorize;
pub mod fault;
mod model;
mod shape;
mod tokens;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;

use crate::dev::render::{asset, not_found};
use crate::web::respond;
use fault::Fault;
pub use model::{Idp, Issued};
use model::{Shared, unavailable};
use shape::Shape;

/// Below this path are the files of the pages; no provider's id begins so.
pub const FILES: &str = "/-";

/// Their router.
pub fn router(idp: Arc<Idp>) -> axum::Router {
    axum::Router::new()
        .route("/-/static/{name}", get(asset))
        .route("/{provider}/.well-known/openid-configuration", get(discovery))
        .route("/{provider}/jwks", get(jwks))
        .route("/{provider}/authorize", get(authorize::authorize).post(authorize::pick))
        .route("/{provider}/token", post(tokens::token))
        .route("/{provider}/userinfo", get(tokens::userinfo))
        .route("/{provider}/logout", get(authorize::logout))
        .fallback(async |State(idp): Shared| not_found(&idp.pages))
        .with_state(idp)
}

async fn discovery(State(idp): Shared, Path(provider): Path<String>) -> Response {
    let snapshot = idp.snapshot.load_full();
    let Some(declared) = snapshot.config.providers.get(&provider) else { return not_found(&idp.pages) };
    if idp.faults.is(&provider, Fault::Down) {
        return unavailable();
    }
    let issuer = idp.setting.provider(&provider);
    let document = json!({
        "issuer": idp.issuer(&provider, Shape::of(declared.preset)),
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
        "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
    });
    respond::json(StatusCode::OK, &document)
}

async fn jwks(State(idp): Shared, Path(provider): Path<String>) -> Response {
    if idp.faults.is(&provider, Fault::Down) {
        return unavailable();
    }
    respond::public("application/jwk-set+json", &idp.keys.set().jwks(), 60)
}
