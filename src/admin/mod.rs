//! The admin listener: health, status, metrics. Never on the public listener.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use serde_json::json;

use crate::app::App;
use crate::config::language::scalar::SecretValue;
use crate::op::client::authentication::strip_scheme;
use crate::web::respond;

/// What the admin listener stands on.
pub struct Admin {
    /// The broker.
    pub app: Arc<App>,
    /// Tokens that open everything but health; none on loopback.
    pub tokens: Vec<SecretValue>,
}

/// The admin listener's router.
pub fn router(admin: Arc<Admin>) -> axum::Router {
    let guarded = axum::Router::new()
        .route("/status", get(status))
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn_with_state(Arc::clone(&admin), authorize));
    axum::Router::new()
        .route("/healthz", get(|| async { respond::json(StatusCode::OK, &json!({ "status": "alive" })) }))
        .route("/readyz", get(ready))
        .merge(guarded)
        .with_state(admin)
}

async fn authorize(State(admin): State<Arc<Admin>>, request: Request, next: Next) -> Response {
    let presented = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let presented = presented.and_then(|value| strip_scheme(value, "bearer")).unwrap_or_default();
    let known = |token: &SecretValue| verify_slices_are_equal(token.expose().as_bytes(), presented.as_bytes()).is_ok();
    if admin.tokens.is_empty() || admin.tokens.iter().any(known) {
        return next.run(request).await;
    }
    crate::web::error::bearer_missing("admin")
}

async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    match admin.app.services().store.ping().await {
        Ok(()) => respond::json(StatusCode::OK, &json!({ "status": "ready" })),
        Err(error) => {
            let body = json!({ "status": "not ready", "store": error.to_string() });
            respond::json(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
    }
}

async fn status(State(admin): State<Arc<Admin>>) -> Response {
    let snapshot = admin.app.snapshot().load_full();
    let status = admin.app.reload_status();
    let upstreams = &admin.app.services().upstreams;
    let providers: Vec<_> = snapshot
        .policy
        .providers
        .values()
        .map(|provider| {
            let health = snapshot.providers.get(&provider.id).map(|settings| upstreams.health(settings));
            json!({
                "id": provider.id,
                "name": snapshot.provider_name(&provider.id),
                "issuer": provider.issuer,
                "enabled": provider.enabled,
                "healthy": health.as_ref().and_then(crate::upstream::Health::healthy),
                "last_error": health.and_then(|health| health.last_error).map(|(_, error)| error.to_string()),
            })
        })
        .collect();
    let keys = admin.app.services().keys.set();
    let keys: Vec<_> =
        keys.list().map(|(kid, alg, state)| json!({ "kid": kid, "alg": alg.name(), "state": state })).collect();
    let body = json!({
        "issuer": snapshot.issuer.text,
        "generation": snapshot.generation,
        "hash": snapshot.hash,
        "clients": snapshot.clients.len(),
        "providers": providers,
        "keys": keys,
        "reload_failed": status.failed(),
        "reload_problems": status.problems(),
    });
    respond::json(StatusCode::OK, &body)
}

async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let snapshot = admin.app.snapshot().load_full();
    let failed = u8::from(admin.app.reload_status().failed());
    let text = format!(
        "# HELP countersign_config_generation Number of the configuration generation that serves.\n\
         # TYPE countersign_config_generation gauge\n\
         countersign_config_generation {}\n\
         # HELP countersign_config_info Hash of the configuration that serves.\n\
         # TYPE countersign_config_info gauge\n\
         countersign_config_info{{hash=\"{}\"}} 1\n\
         # HELP countersign_config_reload_failed Whether the files have problems and an older generation serves.\n\
         # TYPE countersign_config_reload_failed gauge\n\
         countersign_config_reload_failed {failed}\n",
        snapshot.generation, snapshot.hash
    );
    respond::text("text/plain; version=0.0.4; charset=utf-8", text)
}
