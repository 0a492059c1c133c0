//! `/metrics`, in the text formats of OpenMetrics and Prometheus.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;

use crate::admin::Admin;
use crate::metrics::catalogue;
use crate::metrics::exposition::{Exposition, Format};
use crate::snapshot::Snapshot;
use crate::store::model::KeyState;
use crate::web::respond;

/// `/metrics`.
pub(super) async fn metrics(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response {
    let format = Format::accepted(headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()));
    respond::text(format.media_type(), exposition(&admin).render(format))
}

/// One scrape.
fn exposition(admin: &Admin) -> Exposition {
    let snapshot = admin.snapshot.load_full();
    let mut exposition = Exposition::default();
    admin.services.metrics.expose(&mut exposition);
    let store = &admin.services.store;
    store.figures().expose(store.waiting(), &mut exposition);
    configuration(&mut exposition, admin, &snapshot);
    providers(&mut exposition, admin, &snapshot);
    keys(&mut exposition, admin, &snapshot);
    break_glass(&mut exposition, admin);
    strangers(&mut exposition, admin);
    let spans = admin.services.telemetry.figures();
    exposition.counter(&catalogue::TELEMETRY_SENT, spans.sent);
    exposition.counter(&catalogue::TELEMETRY_DROPPED, spans.dropped);
    exposition.counter(&catalogue::TELEMETRY_FAILURES, spans.failures);
    exposition.gauge(&catalogue::AUDIT_OUTPUT_FAILED, admin.services.activity.is_output_failing());
    exposition
}

fn configuration(exposition: &mut Exposition, admin: &Admin, snapshot: &Snapshot) {
    exposition.gauge(&catalogue::CONFIG_GENERATION, snapshot.generation);
    exposition.gauges(&catalogue::CONFIG_INFO, [([snapshot.hash.clone()], 1)]);
    exposition.gauge(&catalogue::CONFIG_RELOAD_FAILED, admin.reload_status.failed());
}

fn providers(exposition: &mut Exposition, admin: &Admin, snapshot: &Snapshot) {
    let health = |settings| admin.services.upstreams.health(settings).healthy();
    let known = snapshot.providers.values().filter_map(|settings| Some((settings.id.clone(), health(settings)?)));
    exposition.gauges(&catalogue::PROVIDER_HEALTHY, known.map(|(id, healthy)| ([id], i64::from(healthy))));
}

fn keys(exposition: &mut Exposition, admin: &Admin, snapshot: &Snapshot) {
    let keys = admin.services.keys.set();
    let mut counts = std::collections::BTreeMap::<[String; 2], i64>::new();
    for (_, algorithm, state) in keys.list() {
        *counts.entry([algorithm.name().to_owned(), state_name(state).to_owned()]).or_default() += 1;
    }
    exposition.gauges(&catalogue::KEYS, counts);
    let every = snapshot.config.keys.rotate_every.seconds();
    let due = keys.activated().map(|(algorithm, at)| ([algorithm.name().to_owned()], at.saturating_add(every)));
    exposition.gauges(&catalogue::KEY_ROTATION_DUE, due);
}

const fn state_name(state: KeyState) -> &'static str {
    match state {
        KeyState::Current => "current",
        KeyState::Next => "next",
        KeyState::Retired => "retired",
    }
}

/// What came of attempts to enter by the break-glass account.
fn break_glass(exposition: &mut Exposition, admin: &Admin) {
    let figures = admin.services.break_glass.figures();
    let outcomes = [("signed_in", figures.signed_in), ("refused", figures.refused), ("delayed", figures.delayed)];
    exposition.counters(&catalogue::BREAK_GLASS, outcomes.map(|(outcome, count)| ([outcome.to_owned()], count)));
}

/// What strangers did, and what was refused of it.
fn strangers(exposition: &mut Exposition, admin: &Admin) {
    let figures = admin.services.throttle.figures();
    let by_limit = |per_address: u64, failed: u64| {
        [(["per_address".to_owned()], per_address), (["failed_authentication".to_owned()], failed)]
    };
    exposition.counter(&catalogue::AUTHENTICATION_FAILURES, figures.failures);
    exposition.counters(&catalogue::LIMIT_REFUSALS, by_limit(figures.requests_refused, figures.failures_refused));
    exposition.counters(&catalogue::LIMIT_BURSTS, by_limit(figures.request_bursts, figures.failure_bursts));
    exposition.counter(&catalogue::LOG_LINES_LEFT_OUT, figures.lines_left_out);
    exposition.counter(&catalogue::AUDIT_EVENTS_LEFT_OUT, figures.rows_left_out);
    let connections = admin.connections.figures();
    exposition.gauge(&catalogue::CONNECTIONS, connections.open);
    exposition.gauge(&catalogue::CONNECTIONS_LIMIT, connections.most);
    exposition.counter(&catalogue::CONNECTIONS_CLOSED, connections.closed_for_room);
}
