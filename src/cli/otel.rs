//! Environment variables of the OpenTelemetry SDKs. The configuration reads no variables but its own, so that the file says
//! everything; whoever sets these expects them to have an effect, and is told what does.

use crate::cli::Environment;

/// Variables, and the setting that does the same.
const INSTEAD: &[(&str, &str)] = &[
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
    ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "telemetry.otlp_endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "telemetry.headers"),
    ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "telemetry.headers"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "none: spans are sent as http/json, which every OTLP/HTTP receiver takes"),
    ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "none: spans are sent as http/json, which every OTLP/HTTP receiver takes"),
    ("OTEL_SERVICE_NAME", "telemetry.service_name"),
    ("OTEL_TRACES_SAMPLER", "telemetry.sample_ratio"),
    ("OTEL_TRACES_SAMPLER_ARG", "telemetry.sample_ratio"),
    ("OTEL_SDK_DISABLED", "leaving [telemetry] out"),
    ("OTEL_TRACES_EXPORTER", "[telemetry], or leaving it out"),
];

/// The variables that are set and not read, each with what does the same in the file.
pub(super) fn unread(environment: &Environment) -> impl Iterator<Item = (&'static str, &'static str)> {
    INSTEAD.iter().copied().filter(|(name, _)| environment.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_that_are_set_are_named_with_the_setting_in_their_place() {
        let set = ["OTEL_SERVICE_NAME", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_LOGS_EXPORTER", "PATH"];
        let environment: Environment = set.into_iter().map(|name| (name.to_owned(), "x".to_owned())).collect();
        let told: Vec<_> = unread(&environment).collect();
        let wanted = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.otlp_endpoint"),
            ("OTEL_SERVICE_NAME", "telemetry.service_name"),
        ];
        assert_eq!(told, wanted);
    }
}
