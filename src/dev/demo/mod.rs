//! The demo app: an ordinary relying party of the broker, which plays the apps of the file and shows what it receives and why.

mod file;
mod home;
mod model;
mod shown;
mod sign_in;

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};

use crate::dev::render::{asset, not_found};
use model::Shared;
pub use model::{Demo, Pending, Tokens, apps, claims};
pub use sign_in::authorization_request;

/// Its router.
pub fn router(demo: Arc<Demo>) -> axum::Router {
    axum::Router::new()
        .route("/", get(home::home))
        .route("/break", post(home::set_fault))
        .route("/start", get(sign_in::start))
        .route("/callback", get(sign_in::callback))
        .route("/tokens", get(shown::tokens))
        .route("/refresh", post(sign_in::refresh))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/file", get(file::file))
        .route("/broker.toml", get(file::raw))
        .route("/static/{name}", get(asset))
        .fallback(async |State(demo): Shared| not_found(&demo.pages))
        .with_state(demo)
}
