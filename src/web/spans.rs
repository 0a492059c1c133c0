//! The span of a request, where `[telemetry]` asks for one.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};

use crate::env::Random;
use crate::op::Services;
use crate::snapshot::Snapshot;
use crate::snapshot::proxies::TrustedProxies;
use crate::telemetry::{Attribute, Recording, Settings, SpanExporter, TraceParent};
use crate::web::listener::Peer;

/// The header of W3C Trace Context §3.2.
const TRACEPARENT: &str = "traceparent";

/// The span of a request; nothing without `[telemetry]`.
pub(super) struct SpanOfRequest(Option<Begun>);

struct Begun {
    recording: Arc<Recording>,
    settings: Arc<Settings>,
    exporter: Arc<SpanExporter>,
    random: Arc<dyn Random>,
    method: &'static str,
}

impl SpanOfRequest {
    pub(super) fn begin(services: &Services, snapshot: &Snapshot, request: &Request<Body>, trace_id: &str) -> Self {
        Self(snapshot.telemetry.as_ref().map(|settings| {
            let caller = caller(request, &snapshot.trusted_proxies);
            Begun {
                recording: Recording::begin(services.clock.nanoseconds(), trace_id, caller),
                settings: Arc::clone(settings),
                exporter: Arc::clone(&services.telemetry),
                random: Arc::clone(&services.random),
                method: method(request.method()),
            }
        }))
    }

    pub(super) fn recording(&self) -> Option<Arc<Recording>> {
        self.0.as_ref().map(|begun| Arc::clone(&begun.recording))
    }

    /// The request is answered. Without randomness for its id there is no span.
    pub(super) fn end(self, place: &'static str, status: StatusCode) {
        let Some(Begun { recording, settings, exporter, random, method }) = self.0 else { return };
        let attributes = vec![
            ("http.request.method", Attribute::Text(method.to_owned())),
            ("http.route", Attribute::Text(place.to_owned())),
            ("http.response.status_code", Attribute::Number(i64::from(status.as_u16()))),
            ("countersign.trace_id", Attribute::Text(recording.shown())),
        ];
        let name = format!("{method} {place}");
        if let Ok(spans) = recording.finish(&*random, settings.ratio, name, attributes, status.is_server_error()) {
            exporter.add(spans);
        }
    }
}

/// Whom the request is a part of, as far as a trusted proxy says so: anybody else could put requests into traces of others, or
/// have them recorded.
fn caller(request: &Request<Body>, trusted: &TrustedProxies) -> Option<TraceParent> {
    let peer = match request.extensions().get::<Peer>()? {
        Peer::Address(peer) => Some(peer.ip().to_canonical()),
        Peer::Unix => None,
    };
    let mut values = request.headers().get_all(TRACEPARENT).iter();
    match (values.next(), values.next()) {
        (Some(only), None) if trusted.believes(peer) => only.to_str().ok().and_then(TraceParent::parse),
        _ => None,
    }
}

/// The method, by one of few names (OpenTelemetry, HTTP spans).
const fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        _ => "_OTHER",
    }
}
