//! `/status`: the configuration in force, the providers, the keys and the last reload; as JSON, or as a page for a client that
//! asks for HTML.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use serde_json::Value;

use crate::admin::Admin;
use crate::decision::policy::ProviderPolicy;
use crate::pages::csp::content_security_policy;
use crate::pages::{KeyStatus, Lang, Languages, ProviderStatus, Status, StatusCounts, StatusPage};
use crate::protocol::SigningAlgorithm;
use crate::snapshot::Snapshot;
use crate::store::model::KeyState;
use crate::upstream::Health;
use crate::web::respond;
use crate::x509::Authorities;

/// `/status`.
pub(super) async fn status(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    let snapshot = admin.snapshot.load_full();
    let status = found(&admin, &snapshot);
    let accepts = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut response = if accepts.contains("text/html") {
        page(&admin, &snapshot, status, &headers)
    } else {
        respond::json(StatusCode::OK, &status)
    };
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("Accept, Accept-Language"));
    response
}

/// The files of the page: they are where the public listener has them, below the issuer's path.
pub(super) async fn file(State(admin): State<Arc<Admin>>, uri: Uri) -> Response {
    let snapshot = admin.snapshot.load_full();
    let name = uri.path().rsplit_once("/static/").map(|(_, name)| name);
    match name.and_then(|name| snapshot.pages.asset(name)) {
        Some((kind, contents, _)) => respond::public(kind, contents, 300),
        None => respond::empty(StatusCode::NOT_FOUND),
    }
}

fn page(admin: &Admin, snapshot: &Snapshot, status: Status, headers: &HeaderMap) -> Response {
    let wanted = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
    let lang = Lang::choose(&Languages::wanted(None, wanted));
    let view = StatusPage { status, problems: admin.reload_status.problems() };
    let pictures: Vec<_> = snapshot.pages.pictures(&view).cloned().collect();
    match snapshot.pages.render(lang, &view) {
        Ok(html) => respond::page(StatusCode::OK, html, &content_security_policy([], &pictures)),
        Err(error) => {
            tracing::error!(%error, "a page can't be rendered");
            respond::json(StatusCode::OK, &view.status)
        }
    }
}

fn found(admin: &Admin, snapshot: &Snapshot) -> Status {
    let declared = snapshot.policy.providers.values().filter(|declared| !declared.is_certificate());
    let providers: Vec<_> = declared.map(|declared| provider(admin, snapshot, declared)).collect();
    let keys = admin.services.keys.set();
    let every = snapshot.config.keys.rotate_every.seconds();
    let due = |algorithm| keys.activated().find(|(of, _)| *of == algorithm).map(|(_, at)| at.saturating_add(every));
    let key = |(kid, alg, state): (&str, SigningAlgorithm, KeyState)| KeyStatus {
        kid: kid.to_owned(),
        alg: alg.name(),
        state: state_name(state),
        rotation_due_at: due(alg).filter(|_| state == KeyState::Current),
    };
    let problems = admin.reload_status.list();
    Status {
        issuer: snapshot.issuer.text.clone(),
        generation: snapshot.generation,
        hash: snapshot.hash.clone(),
        clients: snapshot.clients.len(),
        counts: StatusCounts {
            clients: snapshot.clients.len(),
            providers: providers.len(),
            roles: snapshot.config.roles.len(),
            sessions: admin.services.metrics.active_sessions(),
        },
        providers,
        keys: keys.list().map(key).collect(),
        revocation_lists_due_at: snapshot.client_authorities.as_ref().and_then(Authorities::next_update),
        reload_failed: admin.reload_status.failed(),
        // Problems are plain data, so that this can't fail.
        reload_problems: problems.iter().map(|one| serde_json::to_value(one).unwrap_or(Value::Null)).collect(),
    }
}

const fn state_name(state: KeyState) -> &'static str {
    match state {
        KeyState::Current => "current",
        KeyState::Next => "next",
        KeyState::Retired => "retired",
    }
}

fn provider(admin: &Admin, snapshot: &Snapshot, declared: &ProviderPolicy) -> ProviderStatus {
    let health = snapshot.providers.get(&declared.id).map(|settings| admin.services.upstreams.health(settings));
    let unusable = health.iter().flat_map(|health| &health.unusable_endpoints);
    let failed = health.as_ref().and_then(|health| health.last_error.as_ref());
    ProviderStatus {
        id: declared.id.clone(),
        name: snapshot.provider_name(&declared.id).to_owned(),
        issuer: declared.issuer.clone(),
        enabled: declared.enabled,
        healthy: health.as_ref().and_then(Health::healthy),
        unusable_endpoints: unusable.map(|one| (one.endpoint.to_owned(), Value::from(one.problem.as_str()))).collect(),
        refuses_our_credentials: health.as_ref().is_some_and(Health::refuses_us),
        last_success_at: health.as_ref().and_then(|health| health.last_success),
        last_error_at: failed.map(|(at, _)| *at),
        last_error: failed.map(|(_, error)| error.to_string()),
    }
}
