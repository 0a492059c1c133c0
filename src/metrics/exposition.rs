//! One scrape: the metrics that are recorded as things happen, and those that are read at that moment, in the text formats of
//! OpenMetrics and Prometheus.

use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::{Metric, Registry};

use crate::metrics::catalogue::{Description, Labels, PREFIX, labels};

/// The format of an exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus 0.0.4, for clients that do not ask for OpenMetrics.
    Prometheus,
}

impl Format {
    /// The format for a client with this `Accept` header.
    #[must_use]
    pub fn accepted(header: Option<&str>) -> Self {
        let wanted = header.is_some_and(|header| header.contains("application/openmetrics-text"));
        if wanted { Self::OpenMetrics } else { Self::Prometheus }
    }

    /// Its media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
        }
    }
}

/// What one scrape shows.
#[derive(Debug)]
pub struct Exposition(Registry);

impl Default for Exposition {
    fn default() -> Self {
        Self(Registry::with_prefix(PREFIX))
    }
}

impl Exposition {
    /// Adds a metric that is recorded as things happen.
    pub fn add(&mut self, metric: &Description, values: impl Metric) {
        self.0.register(metric.name, metric.help.replace('`', "'"), values);
    }

    /// Adds a gauge without labels.
    pub fn gauge(&mut self, metric: &Description, value: impl TryInto<i64>) {
        self.add(metric, ConstGauge::new(value.try_into().unwrap_or(i64::MAX)));
    }

    /// Adds a counter without labels.
    pub fn counter(&mut self, metric: &Description, value: u64) {
        self.add(metric, ConstCounter::new(value));
    }

    /// Adds a gauge with labels: their values, in the order of the catalogue, and the value.
    pub fn gauges<const N: usize>(
        &mut self,
        metric: &Description,
        samples: impl IntoIterator<Item = ([String; N], i64)>,
    ) {
        let family = Family::<Labels, Gauge>::default();
        for (values, value) in samples {
            family.get_or_create(&labels(metric, values)).set(value);
        }
        self.add(metric, family);
    }

    /// As [`Self::gauges`], for a counter.
    pub fn counters<const N: usize>(
        &mut self,
        metric: &Description,
        samples: impl IntoIterator<Item = ([String; N], u64)>,
    ) {
        let family = Family::<Labels, Counter>::default();
        for (values, value) in samples {
            family.get_or_create(&labels(metric, values)).inc_by(value);
        }
        self.add(metric, family);
    }

    /// The text.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        let mut written = String::new();
        // Writing to a text does not fail.
        let _ = match format {
            Format::OpenMetrics => text::encode(&mut written, &self.0),
            Format::Prometheus => prometheus_text::encode(&mut written, &self.0),
        };
        written
    }
}
