//! Traces for OpenTelemetry: a span for each request to a public listener and for each call to a provider, sent to a collector
//! by OTLP over HTTP.
//!
//! A [`Recording`] belongs to one request and is found by what runs in it ([`current`]). The requests of one sign-in (the
//! authorization request, its pages, the callback, the token requests) share a trace: its id follows from the trace id that
//! logs and pages show, or comes from the `traceparent` (W3C Trace Context) of the first request, where a trusted proxy sent
//! it. Spans hold names, addresses without queries, and status codes; never a secret, token, code, or claim.
//!
//! The OpenTelemetry SDK is not used. The broker makes spans in two places and has its own HTTP client, queue and reload, so
//! only the SDK's encoding would be left to use. OTLP's JSON encoding ([`otlp`]), which every collector must accept (OTLP 1.0,
//! "OTLP/HTTP"), is one file; the SDK, its exporter and the bridge from `tracing` bring some twenty crates, a thread, and a
//! second way to configure everything, by environment variables.

mod exporter;
mod otlp;
mod recording;
mod span;
mod traceparent;

pub use exporter::{Figures, Settings, SpanExporter};
pub use recording::{Call, Recording, current};
pub use span::{Attribute, Kind, Span, TraceId};
pub use traceparent::TraceParent;
