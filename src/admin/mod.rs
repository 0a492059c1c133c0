//! The admin listener: health, status, metrics, and the interface of the commands. They are never served on the public
//! listener.

mod api;
mod authorization;
mod health;
mod metrics;
mod state;
mod status;

use std::sync::Arc;

use axum::middleware;
use axum::routing::get;

pub use state::Admin;

/// The admin listener's router.
pub fn router(admin: Arc<Admin>) -> axum::Router {
    let guarded = axum::Router::new()
        .route("/status", get(status::status))
        .route("/metrics", get(metrics::metrics))
        .nest("/api", api::routes())
        .layer(middleware::from_fn_with_state(Arc::clone(&admin), authorization::authorize));
    axum::Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .merge(guarded)
        // The files of the status page are public.
        .fallback(get(status::file))
        .with_state(admin)
}
