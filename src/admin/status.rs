//! `/status`: the configuration in force, the providers, the keys and the last reload.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value, json};

use crate::admin::Admin;
use crate::decision::policy::ProviderPolicy;
use crate::snapshot::Snapshot;
use crate::upstream::Health;
use crate::web::respond;

/// `/status`, as JSON.
pub(super) async fn status(State(admin): State<Arc<Admin>>) -> Response {
    let snapshot = admin.snapshot.load_full();
    let providers = snapshot.policy.providers.values().map(|declared| provider(&admin, &snapshot, declared));
    let keys = admin.services.keys.set();
    let keys: Vec<_> =
        keys.list().map(|(kid, alg, state)| json!({ "kid": kid, "alg": alg.name(), "state": state })).collect();
    let body = json!({
        "issuer": snapshot.issuer.text,
        "generation": snapshot.generation,
        "hash": snapshot.hash,
        "clients": snapshot.clients.len(),
        "providers": providers.collect::<Vec<_>>(),
        "keys": keys,
        "reload_failed": admin.reload_status.failed(),
        "reload_problems": admin.reload_status.problems(),
    });
    respond::json(StatusCode::OK, &body)
}

fn provider(admin: &Admin, snapshot: &Snapshot, declared: &ProviderPolicy) -> Value {
    let health = snapshot.providers.get(&declared.id).map(|settings| admin.services.upstreams.health(settings));
    let unusable = health.iter().flat_map(|health| &health.unusable_endpoints);
    let unusable: Map<String, Value> =
        unusable.map(|one| (one.endpoint.to_owned(), Value::from(one.problem.as_str()))).collect();
    json!({
        "id": declared.id,
        "name": snapshot.provider_name(&declared.id),
        "issuer": declared.issuer,
        "enabled": declared.enabled,
        "healthy": health.as_ref().and_then(Health::healthy),
        "unusable_endpoints": unusable,
        "last_error": health.and_then(|health| health.last_error).map(|(_, error)| error.to_string()),
    })
}
