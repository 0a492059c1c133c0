//! `[telemetry]`: traces for OpenTelemetry.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::language::scalar::Secret;

/// `[telemetry]`: traces for OpenTelemetry.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// The OTLP/HTTP address of a collector, such as `http://127.0.0.1:4318`; `/v1/traces` is appended if it is not there.
    pub otlp_endpoint: String,
    /// Headers of each export, such as a key of the collector's operator.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
    /// The part of the traces that is sent, from 0 to 1. What a trusted proxy says in `traceparent` goes before.
    #[serde(default = "all")]
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample_ratio: f64,
    /// `service.name` of the spans.
    #[serde(default = "countersign")]
    #[schemars(length(min = 1))]
    pub service_name: String,
}

impl Telemetry {
    /// The address that traces are sent to.
    #[must_use]
    pub fn traces(&self) -> String {
        let base = self.otlp_endpoint.trim_end_matches('/');
        if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") }
    }
}

fn all() -> f64 {
    1.0
}

fn countersign() -> String {
    "countersign".to_owned()
}
