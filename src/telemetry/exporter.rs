//! Sending spans: a bounded queue, which requests fill without waiting, and one export at a time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Request, StatusCode, header};

use crate::env::host_name;
use crate::outbound::{HttpClient, OutboundPolicy};
use crate::telemetry::otlp;
use crate::telemetry::span::Span;

/// The most spans that wait.
const MOST: usize = 4096;
/// The most spans of one export.
const BATCH: usize = 512;

/// Where spans are sent, and which.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address of the collector's traces.
    pub url: String,
    /// Headers of each export.
    pub headers: HeaderMap,
    /// The part of the traces that is sent.
    pub ratio: f64,
    /// `service.name`
    pub service: String,
    /// Where the export may go.
    pub policy: OutboundPolicy,
}

/// What an exporter has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Spans that the collector took.
    pub sent: u64,
    /// Spans that were dropped: there was no room, or the collector did not take them.
    pub dropped: u64,
    /// Exports that failed.
    pub failures: u64,
}

/// Sends spans.
pub struct SpanExporter {
    http: Arc<dyn HttpClient>,
    host: String,
    queue: Mutex<Vec<Span>>,
    sent: AtomicU64,
    dropped: AtomicU64,
    failures: AtomicU64,
    failing: AtomicBool,
}

impl SpanExporter {
    /// An exporter that calls the collector with this client.
    #[must_use]
    pub fn new(http: Arc<dyn HttpClient>) -> Self {
        Self {
            http,
            host: host_name(),
            queue: Mutex::default(),
            sent: AtomicU64::default(),
            dropped: AtomicU64::default(),
            failures: AtomicU64::default(),
            failing: AtomicBool::default(),
        }
    }

    /// Queues spans. When the queue has no room for them, they are dropped and counted.
    pub fn add(&self, spans: Vec<Span>) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.len() + spans.len() > MOST {
            drop(queue);
            self.count_dropped(spans.len());
        } else {
            queue.extend(spans);
        }
    }

    fn count_dropped(&self, spans: usize) {
        self.dropped.fetch_add(u64::try_from(spans).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What it has counted.
    #[must_use]
    pub fn figures(&self) -> Figures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Figures { sent: read(&self.sent), dropped: read(&self.dropped), failures: read(&self.failures) }
    }

    /// Sends everything that waits. What the collector does not take is dropped: traces are for looking at what happens now,
    /// and keeping them would cost memory while it is down. The log has a line when that begins and one when it ends.
    pub async fn export(&self, settings: &Settings) {
        let mut waiting = std::mem::take(&mut *self.queue.lock().unwrap_or_else(PoisonError::into_inner));
        while !waiting.is_empty() {
            let rest = waiting.split_off(waiting.len().min(BATCH));
            let batch = std::mem::replace(&mut waiting, rest);
            match self.send(settings, &batch).await {
                Ok(rejected) => {
                    let rejected = rejected.min(batch.len());
                    self.count_dropped(rejected);
                    self.sent.fetch_add(u64::try_from(batch.len() - rejected).unwrap_or(u64::MAX), Ordering::Relaxed);
                    if rejected > 0 {
                        self.fails(settings, &format!("{rejected} of {} spans were rejected", batch.len()));
                    } else if self.failing.swap(false, Ordering::Relaxed) {
                        tracing::info!(event = "telemetry_export_works", "the collector takes spans again");
                    }
                }
                Err(problem) => {
                    self.failures.fetch_add(1, Ordering::Relaxed);
                    self.count_dropped(batch.len() + waiting.len());
                    return self.fails(settings, &problem);
                }
            }
        }
    }

    fn fails(&self, settings: &Settings, problem: &str) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            let url = &settings.url;
            tracing::warn!(event = "telemetry_export_failed", url, problem, "spans are dropped until it works");
        }
    }

    /// How many of the spans the collector rejects.
    async fn send(&self, settings: &Settings, batch: &[Span]) -> Result<usize, String> {
        let body = serde_json::to_vec(&otlp::request(&settings.service, &self.host, batch));
        let mut request = Request::post(&settings.url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.map_err(|error| error.to_string())?)
            .map_err(|error| error.to_string())?;
        request.headers_mut().extend(settings.headers.clone());
        match self.http.send(request, &settings.policy).await {
            Ok(response) if response.status() == StatusCode::OK => Ok(otlp::rejected(response.body())),
            Ok(response) => Err(format!("status {}", response.status().as_u16())),
            Err(error) => Err(error.to_string()),
        }
    }
}
