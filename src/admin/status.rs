//! `/status`: the configuration in force, the providers, the keys and the last reload.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::admin::Admin;
use crate::decision::policy::ProviderPolicy;
use crate::protocol::SigningAlgorithm;
use crate::snapshot::Snapshot;
use crate::store::model::KeyState;
use crate::upstream::Health;
use crate::web::respond;

/// `/status`, as JSON.
pub(super) async fn status(State(admin): State<Arc<Admin>>) -> Response {
    let snapshot = admin.snapshot.load_full();
    let providers = snapshot.policy.providers.values().map(|declared| provider(&admin, &snapshot, declared));
    let keys = admin.services.keys.set();
    let every = snapshot.config.keys.rotate_every.seconds();
    let due = |algorithm| keys.activated().find(|(of, _)| *of == algorithm).map(|(_, at)| at.saturating_add(every));
    let key = |(kid, alg, state): (&str, SigningAlgorithm, KeyState)| {
        let due = due(alg).filter(|_| state == KeyState::Current);
        json!({ "kid": kid, "alg": alg.name(), "state": state, "rotation_due_at": due })
    };
    let keys: Vec<_> = keys.list().map(key).collect();
    let body = json!({
        "issuer": snapshot.issuer.text,
        "generation": snapshot.generation,
        "hash": snapshot.hash,
        "clients": snapshot.clients.len(),
        "counts": {
            "clients": snapshot.clients.len(),
            "providers": snapshot.policy.providers.len(),
            "roles": snapshot.config.roles.len(),
            "sessions": admin.services.metrics.active_sessions(),
        },
        "providers": providers.collect::<Vec<_>>(),
        "keys": keys,
        "reload_failed": admin.reload_status.failed(),
        "reload_problems": admin.reload_status.list(),
    });
    respond::json(StatusCode::OK, &body)
}

fn provider(admin: &Admin, snapshot: &Snapshot, declared: &ProviderPolicy) -> Value {
    let health = snapshot.providers.get(&declared.id).map(|settings| admin.services.upstreams.health(settings));
    let unusable = health.iter().flat_map(|health| &health.unusable_endpoints);
    let unusable: Map<String, Value> =
        unusable.map(|one| (one.endpoint.to_owned(), Value::from(one.problem.as_str()))).collect();
    let failed = health.as_ref().and_then(|health| health.last_error.as_ref());
    json!({
        "id": declared.id,
        "name": snapshot.provider_name(&declared.id),
        "issuer": declared.issuer,
        "enabled": declared.enabled,
        "healthy": health.as_ref().and_then(Health::healthy),
        "unusable_endpoints": unusable,
        "refuses_our_credentials": health.as_ref().is_some_and(Health::refuses_us),
        "last_success_at": health.as_ref().and_then(|health| health.last_success),
        "last_error_at": failed.map(|(at, _)| *at),
        "last_error": failed.map(|(_, error)| error.to_string()),
    })
}
