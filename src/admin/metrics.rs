//! `/metrics`, in the text format of Prometheus.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::admin::Admin;
use crate::op::activity::Labels;
use crate::web::respond;

/// `/metrics`.
pub(super) async fn metrics(State(admin): State<Arc<Admin>>) -> Response {
    let snapshot = admin.snapshot.load_full();
    let mut text = String::new();
    let hash = format!("hash=\"{}\"", snapshot.hash);
    let number = "Number of the configuration generation in force.";
    metric(&mut text, "config_generation", Kind::Gauge, number, &[("", snapshot.generation)]);
    metric(&mut text, "config_info", Kind::Gauge, "Hash of the configuration in force.", &[(&hash, 1)]);
    let failed = u64::from(admin.reload_status.failed());
    let help = "Whether the files have problems and an older generation is in force.";
    metric(&mut text, "config_reload_failed", Kind::Gauge, help, &[("", failed)]);
    break_glass(&mut text, &admin);
    strangers(&mut text, &admin);
    happened(&mut text, &admin);
    respond::text("text/plain; version=0.0.4; charset=utf-8", text)
}

/// What came of attempts to enter by the break-glass account.
fn break_glass(text: &mut String, admin: &Admin) {
    let figures = admin.services.break_glass.figures();
    let help = "Attempts to sign in by the break-glass account.";
    let outcomes = [
        ("outcome=\"signed_in\"", figures.signed_in),
        ("outcome=\"refused\"", figures.refused),
        ("outcome=\"delayed\"", figures.delayed),
    ];
    metric(text, "break_glass_attempts_total", Kind::Counter, help, &outcomes);
}

/// What strangers did, and what was refused of it.
fn strangers(text: &mut String, admin: &Admin) {
    const ADDRESS: &str = "limit=\"per_address\"";
    const FAILED: &str = "limit=\"failed_authentication\"";
    let figures = admin.services.throttle.figures();
    let help = "Authentications of clients and administrators that failed.";
    metric(text, "authentication_failures_total", Kind::Counter, help, &[("", figures.failures)]);
    let help = "Requests that a limit refused with 429.";
    let refused = [(ADDRESS, figures.requests_refused), (FAILED, figures.failures_refused)];
    metric(text, "limit_refusals_total", Kind::Counter, help, &refused);
    let help = "How often an address, or a client and address, began to exceed a limit.";
    let bursts = [(ADDRESS, figures.request_bursts), (FAILED, figures.failure_bursts)];
    metric(text, "limit_bursts_total", Kind::Counter, help, &bursts);
    let help = "Log lines that were left out because one address caused too many.";
    metric(text, "log_lines_left_out_total", Kind::Counter, help, &[("", figures.lines_left_out)]);
    let connections = admin.connections.figures();
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let help = "Connections of the public listeners that are open.";
    metric(text, "connections", Kind::Gauge, help, &[("", count(connections.open))]);
    let help = "The most connections that the public listeners have.";
    metric(text, "connections_limit", Kind::Gauge, help, &[("", count(connections.most))]);
    let help = "Connections that were closed to make room for others.";
    metric(text, "connections_closed_for_room_total", Kind::Counter, help, &[("", connections.closed_for_room)]);
}

/// Events of the audit trail, by what they are about.
fn happened(text: &mut String, admin: &Admin) {
    let activity = &admin.services.activity;
    let samples: Vec<(String, u64)> = activity
        .counts()
        .into_iter()
        .map(|(labels, count)| {
            let Labels { event, detail, reason, client, provider } = labels;
            let named = [
                ("event", event),
                ("detail", detail),
                ("reason", reason.as_str()),
                ("client", client.as_str()),
                ("provider", provider.as_str()),
            ];
            let named = named.iter().filter(|(_, value)| !value.is_empty());
            (named.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect::<Vec<_>>().join(","), count)
        })
        .collect();
    let samples: Vec<(&str, u64)> = samples.iter().map(|(labels, count)| (labels.as_str(), *count)).collect();
    let help = "Audit events: sign-ins, refusals with their reason, tokens, suspicious patterns and others.";
    metric(text, "events_total", Kind::Counter, help, &samples);
    let suspicious: u64 =
        activity.counts().iter().filter(|(labels, _)| labels.event == "suspicious").map(|(_, count)| count).sum();
    let help = "Suspicious patterns: many refusals of one account, guessed client secrets, reused tokens, new links.";
    metric(text, "suspicious_total", Kind::Counter, help, &[("", suspicious)]);
    let help = "Events of strangers that were left out of the audit trail because they were too many.";
    metric(
        text,
        "audit_events_left_out_total",
        Kind::Counter,
        help,
        &[("", admin.services.throttle.figures().rows_left_out)],
    );
    let help = "Whether audit events can't be written to a file or to standard output.";
    metric(text, "audit_output_failed", Kind::Gauge, help, &[("", u64::from(activity.is_output_failing()))]);
}

/// A label's value (Prometheus text format).
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The type of a metric.
#[derive(Clone, Copy)]
enum Kind {
    Gauge,
    Counter,
}

/// Writes one metric: its help, its type, and a sample for each set of labels.
fn metric(text: &mut String, name: &str, kind: Kind, help: &str, samples: &[(&str, u64)]) {
    let kind = match kind {
        Kind::Gauge => "gauge",
        Kind::Counter => "counter",
    };
    // Writing to a text does not fail.
    let _ = write!(text, "# HELP countersign_{name} {help}\n# TYPE countersign_{name} {kind}\n");
    for (labels, value) in samples {
        let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
        let _ = writeln!(text, "countersign_{name}{labels} {value}");
    }
}
