//! The admin listener: health, status, metrics. Never on the public listener.

mod authorization;
mod health;
mod metrics;
mod status;

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::middleware;
use axum::routing::get;

use crate::config::language::scalar::SecretValue;
use crate::op::Services;
use crate::snapshot::Snapshot;
use crate::snapshot::reload::ReloadStatus;

/// What the admin listener reports on.
pub struct Admin {
    /// The store, the keys, the upstream providers.
    pub services: Services,
    /// The configuration generation that serves.
    pub snapshot: Arc<ArcSwap<Snapshot>>,
    /// The outcome of the last reload.
    pub reload_status: Arc<ReloadStatus>,
    /// Tokens that open everything but health. Without any, which `check` accepts on loopback only, it is open.
    pub tokens: Vec<SecretValue>,
}

/// The admin listener's router.
pub fn router(admin: Arc<Admin>) -> axum::Router {
    let guarded = axum::Router::new()
        .route("/status", get(status::status))
        .route("/metrics", get(metrics::metrics))
        .layer(middleware::from_fn_with_state(Arc::clone(&admin), authorization::authorize));
    axum::Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .merge(guarded)
        .with_state(admin)
}
